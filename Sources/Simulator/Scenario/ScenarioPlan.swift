import Base

/// What a seed decides of a scenario before it begins. Times are in microseconds.
public struct ScenarioPlan: Sendable {
  public let seed: UInt64
  public var nodes = 3
  public var shards = 1
  public var replicas = 3
  public var clients = 4
  public var members = 3
  /// Logs, pieces and segments so small that snapshots, transfers and recycling happen all the time.
  public var isTiny = false
  public var snapshotLogBytes = 64 << 10
  public var logTailBytes = 8 << 10
  public var transferPieceBytes = 256 << 10
  public var journalSegmentBytes: UInt64 = 64 << 20
  public var segmentBytes = 256 << 10
  public var logLimitBytes = 4 << 30
  public var isLogLimited: Bool { logLimitBytes < 1 << 30 }
  public var appendBytes = 64 << 10
  /// What a turn applies, in purchases, and from where on a leader refuses while it applies.
  public var applyWork = 1_024
  public var replayPatience = 50_000
  public var isImpatient: Bool { replayPatience < 50_000 }
  public var snapshotCommands = 1_000_000
  /// One way between regions; 0: all are near.
  public var distances: [UInt64] = [0, 0, 0]
  /// Bytes a second from a host to another; 0: any number.
  public var bandwidth: UInt64 = 0
  public var tickInterval: UInt64 = 10_000
  public var faultPhase: UInt64 = 20_000_000
  /// The fault phase lasts so long that pauses and stalls of a minute come to their end in it.
  public var isLong = false
  /// Mean time between faults.
  public var faultGap: UInt64 = 2_000_000
  public var faultKinds: [FaultKind] = []
  public var lossPerMille: UInt64 = 0
  public var resendPerMille: UInt64 = 0
  public var dialPerMille: UInt64 = 0
  /// Of a client's attempts, those of which another node gets a copy.
  public var duplicatePerMille: UInt64 = 0
  /// Of a client's attempts, those that go wrong on its own line.
  public var clientFaultPerMille: UInt64 = 0
  /// How far clocks are apart at the beginning, and how fast they part.
  public var clockSpread: Int64 = 0
  public var drift: Int64 = 0
  /// How fast clocks that count time part, in millionths.
  public var timerDrift: Int64 = 0
  /// Mean time that a client takes between two requests.
  public var thinkTime: UInt64 = 100_000

  /// Damage without bound: then no more is asked than safety. Nothing is answered wrongly, and a shard halts loudly.
  public var isSafetyOnly = false
  /// Damage without bound is such that a node may detect it: no write is lost without a trace.
  public var isLossDetectable = false
  /// There is a member that is frozen: what is transferred to it comes back.
  public var hasFrozen = false
  /// Members of whom more is asked than the checker knows: purchases that lapse at midnight, refunds, cards that are lost.
  public var sideMembers = 0
  /// Transactions leave memory after so many seconds; 0: with the next entry.
  public var transactionSeconds: Int64 = 86_400
  public var transactionsInMemory = 1 << 18
  /// Holds lapse after so many seconds at most; 0: not within a scenario.
  public var holdSeconds: UInt64 = 0
  /// One member has almost all that an account may hold, and amounts are near what one command may move.
  public var isNearBounds = false
  /// Members of the business beside are closed now and then.
  public var closesMembers = false
  /// How often a client only reads, beside what it reads anyway.
  public var readPerMille: UInt64 = 0
  /// How often a client gives up that is told that nothing was done.
  public var quitPerMille: UInt64 = 100
  /// How often a client asks several things at once.
  public var pipelinePerMille: UInt64 = 0
  /// Some members, and some requests, have ids that somebody chose to collide.
  public var hasHostileIDs = false

  /// The catalogue has so many merchants, changed so often (mean time in microseconds); of the changes that were
  /// acknowledged, some come again late.
  public var merchants = 1
  public var catalogueGap: UInt64 = 3_000_000
  public var lateChangePerMille: UInt64 = 0
  /// Changes that all shards have applied are dropped so many at a time.
  public var deltasKept = 256

  /// The cluster is asked for at several nodes at once, and one of them dies meanwhile.
  public var hasInitFaults = false
  /// Now and then a copy of a node's disk, from an earlier life of it, is started in its place.
  public var hasImpostors = false
  /// So many nodes begin as an older build, and are upgraded one by one.
  public var olderNodes = 0

  /// Of what was answered, so much is asked again of nodes that may be unable to answer.
  static let probes = 20

  public var clocksJump: Bool { faultKinds.contains(.clockJump) }
  public var clocksLie: Bool { clockSpread > 0 || drift > 0 || clocksJump }

  public init(seed: UInt64) {
    self.seed = seed
    var random = SeededGenerator(seed: seed &* 0x9E37_79B9_7F4A_7C15 ^ 0x1157)
    nodes = random.pick([3, 3, 3, 3, 4, 5, 5, 6, 7])
    replicas = nodes >= 5 && random.chance(500) ? 5 : 3
    switch random.below(100) {
    case 0..<35: shards = 1
    case 35..<60: shards = 2
    case 60..<85: shards = 3 + Int(random.below(2))
    case 85..<96: shards = 5 + Int(random.below(4))
    case 96..<99: shards = 9 + Int(random.below(8))
    default: shards = 17 + Int(random.below(16))
    }
    clients = 2 + Int(random.below(7))
    members = 1 + Int(random.below(5))
    segmentBytes = random.pick([64, 128, 256, 512]) << 10
    if random.chance(450) {
      isTiny = true
      snapshotLogBytes = random.pick([512, 1 << 10, 2 << 10, 8 << 10])
      logTailBytes = random.pick([0, 256, 1 << 10])
      transferPieceBytes = random.pick([512, 1 << 10, 4 << 10])
      journalSegmentBytes = random.pick([4 << 10, 16 << 10, 64 << 10])
    }
    if random.chance(300) { distances = (0..<3).map { _ in 10_000 + random.below(110_000) } }
    // Some pieces are on their way at once: over long ways small ones would take minutes.
    if distances[0] > 0 { transferPieceBytes = max(transferPieceBytes, 16 << 10) }
    tickInterval = random.pick([10_000, 10_000, 15_000, 20_000])
    faultPhase = 8_000_000 + random.below(25_000_000)
    faultGap = random.pick([700_000, 1_500_000, 3_000_000, 6_000_000])
    isLong = random.chance(40)
    if isLong {
      faultPhase = 60_000_000 + random.below(60_000_000)
      faultGap = 6_000_000
      clients = min(clients, 3)
    }
    // Some scenarios suffer one thing alone, most a few at once.
    let share = random.pick([80, 250, 500] as [UInt64])
    faultKinds = FaultKind.allCases.filter { _ in random.chance(share) }
    if random.chance(500) { lossPerMille = random.below(random.pick([4, 4, 4, 30])) }
    if random.chance(400) { resendPerMille = random.below(random.pick([20, 20, 100, 300])) }
    if random.chance(400) { dialPerMille = random.below(300) }
    if random.chance(600) { clientFaultPerMille = random.below(150) }
    if random.chance(400) { duplicatePerMille = random.below(500) }
    if random.chance(300) { clockSpread = Int64(random.below(450_000)) }
    if random.chance(200) {
      // Apart by less than nodes tolerate when the fault phase ends.
      let most = clockSpread > 0 ? 500 : 225_000_000_000 / (faultPhase + 15_000_000)
      drift = Int64(random.below(most))
    }
    if random.chance(300) { timerDrift = Int64(random.below(20_000)) }
    thinkTime = isLong ? 600_000 : random.pick([30_000, 100_000, 300_000])
    // Damage is rarer than the rest, and alone enough to look at.
    if random.chance(600) { faultKinds.removeAll(where: \.isDamage) }
    isSafetyOnly = random.chance(30)
    isLossDetectable = random.chance(700)
    if isSafetyOnly && isLossDetectable {
      faultKinds = faultKinds.filter { $0 != .lostWrite && $0 != .strayWrite } + [.rot, .wipe, .failedRead, .power]
    }
    if isSafetyOnly && !isLossDetectable { faultKinds += [.rot, .lostWrite, .strayWrite, .wipe, .power] }
    pipelinePerMille = random.pick([0, 200, 600])
    quitPerMille = random.pick([100, 100, 700])
    readPerMille = faultKinds.contains(.starve) ? 600 : random.pick([0, 0, 600])
    hasFrozen = random.chance(400) && !isSafetyOnly
    if random.chance(400) { sideMembers = 1 + Int(random.below(3)) }
    if random.chance(300), !clocksJump { holdSeconds = 1 + random.below(15) }
    if random.chance(100) {
      segmentBytes = 64 << 10
      logLimitBytes = (16 + 4 * shards) * segmentBytes
      snapshotLogBytes = 16 << 20
    }
    appendBytes = random.pick([64 << 10, 64 << 10, 1, 256, 1_024])
    deltasKept = random.pick([1, 4, 16, 256])
    if random.chance(300) {
      merchants = random.pick([5, 50, 400])
      catalogueGap = random.pick([50_000, 200_000])
      lateChangePerMille = 200
    }
    transactionSeconds = random.pick([0, 0, 1, 4, 86_400])
    transactionsInMemory = random.pick([1 << 18, 0, 3, 40])
    hasHostileIDs = random.chance(300)
    applyWork = random.pick([1_024, 1_024, 1, 8, 64])
    replayPatience = random.pick([50_000, 50_000, 10, 100])
    snapshotCommands = random.pick([1_000_000, 1_000_000, 20, 100, 400])
    isNearBounds = random.chance(120)
    closesMembers = random.chance(300)
    if closesMembers && sideMembers > 0 && !isSafetyOnly { hasFrozen = true }
    if random.chance(200) { bandwidth = random.pick([200_000, 1_000_000, 10_000_000]) }
    hasInitFaults = random.chance(300)
    hasImpostors = random.chance(300) && !isSafetyOnly
    if random.chance(300) { olderNodes = 1 + Int(random.below(UInt64(nodes))) }
  }

  /// Each client has a member of its own.
  var hasOwnMembers: Bool { pipelinePerMille > 0 }
  static func ownMember(of client: Int) -> String { "o\(client)" }

  func member(_ number: UInt64) -> String {
    hasHostileIDs && number % 2 == 1 ? CollidingIDs.id(Int(number)) : "m\(number)"
  }
  /// The id of a client's request.
  func request(_ number: Int, of client: Int) -> String {
    let place = 1_000 * client + number
    guard hasHostileIDs, number % 2 == 1, number < 1_000, place < CollidingIDs.count else {
      return "t\(client)-\(number)"
    }
    return CollidingIDs.id(place)
  }

  /// For a person: one line.
  public var summary: String {
    "nodes=\(nodes) shards=\(shards) replicas=\(replicas) clients=\(clients) members=\(members) tiny=\(isTiny) loss=\(isSafetyOnly ? isLossDetectable ? "detectable" : "silent" : "bounded")"
      + " wide=\(distances[0] > 0) bandwidth=\(bandwidth) faults=\(faultPhase / 1_000_000)s gap=\(faultGap / 1000)ms"
      + " init=\(hasInitFaults ? "faults" : "calm") impostors=\(hasImpostors) older=\(olderNodes)"
      + " kinds=\(faultKinds.map(\.name).joined(separator: ","))"
  }
}

extension SeededGenerator {
  mutating func below(_ count: UInt64) -> UInt64 { count == 0 ? 0 : next() % count }
  mutating func pick<T>(_ choices: [T]) -> T { choices[Int(next() % UInt64(choices.count))] }
  mutating func chance(_ perMille: UInt64) -> Bool { next() % 1000 < perMille }
  /// Around a mean, as waits for what happens at any time are: mostly less, at most some eight times it.
  mutating func wait(_ mean: UInt64) -> UInt64 {
    var doublings: UInt64 = 0
    while doublings < 3 && next() % 3 == 0 { doublings += 1 }
    return below((mean << doublings) + 1) + 1
  }
}
