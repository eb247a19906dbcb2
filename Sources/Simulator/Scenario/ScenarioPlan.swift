import Base
import Cluster

/// What a seed decides of a scenario before it begins. Times are in microseconds.
public struct ScenarioPlan: Sendable {
  public let seed: UInt64
  public var nodes = 3
  public var shards = 1
  public var replicas = 3
  public var clients = 4
  public var members = 3
  public var tickInterval: UInt64 = 10_000
  public var sizes = Sizes()
  public var network = Network()
  public var clocks = Clocks()
  public var traffic = Traffic()
  public var catalogue = Catalogue()

  /// How long faults are injected.
  public var faultPhase: UInt64 = 20_000_000
  /// The fault phase lasts so long that pauses and stalls of a minute come to their end in it.
  public var isLong = false
  /// Mean time between faults.
  public var faultGap: UInt64 = 2_000_000
  public var faultKinds: [FaultKind] = []
  /// Damage without bound: then no more is asked than safety. Nothing is answered wrongly, and a shard halts loudly.
  public var isSafetyOnly = false
  /// Damage without bound is such that a node may detect it: no write is lost without a trace.
  public var isLossDetectable = false
  /// The cluster is asked for at several nodes at once, and one of them dies meanwhile.
  public var hasInitFaults = false
  /// Now and then a copy of a node's disk, from an earlier life of it, is started in its place.
  public var hasImpostors = false
  public var operations = Operations()
  /// An operator adds nodes and moves replicas. Damage was bounded by the replicas at the beginning, so there is none.
  public var resizes = false
  /// Nodes that are silent for ten seconds are replaced without anybody's asking.
  public var heals = false
  /// So many nodes may be added.
  static let spareNodes = 2
  /// So many nodes begin as an older build, and are upgraded one by one.
  public var olderNodes = 0
  /// Members of groups leave and return. Each time a copy goes, so no other may be lost meanwhile.
  public var membersReturn = false

  /// What an operator does beside.
  public struct Operations: Sendable {
    /// Moves the leadership of shards.
    public var movesLeaders = false
    /// Splits shards, and merges some.
    public var splits = false
    public var archive = Archive()
  }
  /// Old segments of journals go to a store that all nodes share.
  public struct Archive: Sendable {
    /// After so long (µs); 0: there is none.
    public var keep: UInt64 = 0
    /// Mean time between two of its outages; 0: it has none.
    public var outageGap: UInt64 = 0
    public var isThere: Bool { keep > 0 }
    static let interval: UInt64 = 300_000

    func apply(to configuration: inout NodeConfiguration) {
      guard isThere else { return }
      configuration.journalKeep = keep
      configuration.archivesEarly = true
      configuration.archiveInterval = Archive.interval
    }
  }
  /// How large logs, snapshots and messages are, and how much is done at once.
  public struct Sizes: Sendable {
    /// Logs, pieces and segments so small that snapshots, transfers and recycling happen all the time.
    public var isTiny = false
    public var snapshotLogBytes = 64 << 10
    public var snapshotCommands = 1_000_000
    public var logTailBytes = 8 << 10
    public var transferPieceBytes = 256 << 10
    public var journalSegmentBytes: UInt64 = 64 << 20
    public var segmentBytes = 256 << 10
    public var logLimitBytes = 4 << 30
    public var appendBytes = 64 << 10
    /// What a turn applies, in purchases, and from where on a leader refuses while it applies.
    public var applyWork = 1_024
    public var replayPatience = 50_000
    /// Transactions leave memory after so many seconds; 0: with the next entry.
    public var transactionSeconds: Int64 = 86_400
    public var transactionsInMemory = 1 << 18
    /// Changes of the catalogue that all shards have applied are dropped so many at a time.
    public var deltasKept = 256
    /// How soon snapshots and log let go of what was before: see `NodeConfiguration.eraseWithin`.
    public var eraseWithin: UInt64 = 86_400_000_000

    public var isLogLimited: Bool { logLimitBytes < 1 << 30 }
    public var isImpatient: Bool { replayPatience < 50_000 }

    func apply(to configuration: inout NodeConfiguration) {
      configuration.snapshotLogBytes = snapshotLogBytes
      configuration.snapshotCommands = snapshotCommands
      configuration.logTailBytes = logTailBytes
      configuration.deltasKept = deltasKept
      configuration.eraseWithin = eraseWithin
      configuration.appendBytes = appendBytes
      configuration.applyWork = applyWork
      configuration.replayPatience = replayPatience
      configuration.logLimitBytes = logLimitBytes
      // A record may take half of a segment.
      configuration.entryBytes = min(configuration.entryBytes, segmentBytes / 8)
      configuration.gatherBytes = min(configuration.gatherBytes, segmentBytes * 5 / 16)
      configuration.transferPieceBytes = transferPieceBytes
      configuration.ledgerLimits.journalSegmentBytes = journalSegmentBytes
      configuration.ledgerLimits.transactionSeconds = transactionSeconds
      configuration.ledgerLimits.transactionsInMemory = transactionsInMemory
      // The parts of a parcel that go out at once fit, as they do by the usual limits: else the first of them alone would come in, each time.
      let mostChunks = max(1, configuration.gatherBytes >> 14)
      configuration.ledgerLimits.chunksPerPart = isTiny ? 1 : min(configuration.ledgerLimits.chunksPerPart, mostChunks)
    }
  }
  public struct Network: Sendable {
    /// One way between regions; 0: all are near.
    public var distances: [UInt64] = [0, 0, 0]
    /// Bytes a second from a host to another; 0: any number.
    public var bandwidth: UInt64 = 0
    public var lossPerMille: UInt64 = 0
    public var resendPerMille: UInt64 = 0
    public var dialPerMille: UInt64 = 0
  }
  public struct Clocks: Sendable {
    /// How far clocks are apart at the beginning, and how fast they part.
    public var spread: Int64 = 0
    public var drift: Int64 = 0
    /// How fast clocks that count time part, in millionths.
    public var timerDrift: Int64 = 0
  }
  /// What clients ask, and how.
  public struct Traffic: Sendable {
    /// Mean time that a client takes between two requests.
    public var thinkTime: UInt64 = 100_000
    /// Of a client's attempts, those of which another node gets a copy.
    public var duplicatePerMille: UInt64 = 0
    /// Of a client's attempts, those that go wrong on its own line.
    public var faultPerMille: UInt64 = 0
    /// How often a client only reads, beside what it reads anyway.
    public var readPerMille: UInt64 = 0
    /// How often a client gives up that is told that nothing was done.
    public var quitPerMille: UInt64 = 100
    /// How often a client asks several things at once.
    public var pipelinePerMille: UInt64 = 0
    /// There is a member that is frozen: what is transferred to it comes back.
    public var hasFrozen = false
    /// Members of whom more is asked than the checker knows: purchases that lapse at midnight, refunds, cards that are lost.
    public var sideMembers = 0
    /// Members of the side traffic are closed now and then.
    public var closesMembers = false
    /// Members are merged into those of the side traffic, which go into pools and leave them.
    public var hasBonds = false
    /// Somebody follows the feed while faults happen.
    public var isFollowed = false
    /// Holds lapse after so many seconds at most; 0: not within a scenario.
    public var holdSeconds: UInt64 = 0
    /// One member has almost all that an account may hold, and amounts are near what one command may move.
    public var isNearBounds = false
    /// Some purchases of the side traffic draw on a quota of so many points; 0: none do.
    public var budget: Int64 = 0
    /// Some members, and some requests, have ids that somebody chose to collide.
    public var hasHostileIDs = false
    /// Rules, caps, lots that end: see `ProgrammeTraffic`.
    public var programme: Programme?
    /// Members rise and fall in tiers: see `TierTraffic`.
    public var tiers: Tiers?

    /// Each client has a member of its own.
    var hasOwnMembers: Bool { pipelinePerMille > 0 }
    /// And one whose requests wait for other shards: see `chooseWaitingRequest`.
    var hasWaitingMembers: Bool { hasOwnMembers && (budget > 0 || hasBonds) }
  }
  /// The catalogue has so many merchants, changed so often; of the changes that were acknowledged, some come again late.
  public struct Catalogue: Sendable {
    public var merchants = 1
    /// Mean time between changes.
    public var gap: UInt64 = 3_000_000
    public var lateChangePerMille: UInt64 = 0
  }

  /// Of what was answered, so much is asked again of nodes that may be unable to answer.
  static let probes = 20

  var mostNodes: Int { nodes + (resizes ? ScenarioPlan.spareNodes : 0) }
  public var clocksJump: Bool { faultKinds.contains(.clockJump) }
  public var clocksLie: Bool { clocks.spread > 0 || clocks.drift > 0 || clocksJump }

  /// Draws a plan. What a seed drew before it draws for ever: so a new draw comes behind all others.
  public init(seed: UInt64) {
    self.seed = seed
    var random = SeededGenerator(seed: seed &* 0x9E37_79B9_7F4A_7C15 ^ 0x1157)
    drawCluster(&random)
    drawFaults(&random)
    drawTraffic(&random)
    drawRest(&random)
  }

  private mutating func drawCluster(_ random: inout SeededGenerator) {
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
    sizes.segmentBytes = random.pick([64, 128, 256, 512]) << 10
    if random.chance(450) {
      sizes.isTiny = true
      sizes.snapshotLogBytes = random.pick([512, 1 << 10, 2 << 10, 8 << 10])
      sizes.logTailBytes = random.pick([0, 256, 1 << 10])
      sizes.transferPieceBytes = random.pick([512, 1 << 10, 4 << 10])
      sizes.journalSegmentBytes = random.pick([4 << 10, 16 << 10, 64 << 10])
    }
    if random.chance(300) { network.distances = (0..<3).map { _ in 10_000 + random.below(110_000) } }
    // Some pieces are on their way at once: over long ways small ones would take minutes.
    if network.distances[0] > 0 { sizes.transferPieceBytes = max(sizes.transferPieceBytes, 16 << 10) }
    tickInterval = random.pick([10_000, 10_000, 15_000, 20_000])
    // Drawn aside: what older plans drew stays as it was.
    var aside = random
    if aside.chance(400) { sizes.eraseWithin = aside.pick([3_000_000, 6_000_000, 20_000_000]) }
  }

  private mutating func drawFaults(_ random: inout SeededGenerator) {
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
    if random.chance(500) { network.lossPerMille = random.below(random.pick([4, 4, 4, 30])) }
    if random.chance(400) { network.resendPerMille = random.below(random.pick([20, 20, 100, 300])) }
    if random.chance(400) { network.dialPerMille = random.below(300) }
    if random.chance(600) { traffic.faultPerMille = random.below(150) }
    if random.chance(400) { traffic.duplicatePerMille = random.below(500) }
    if random.chance(300) { clocks.spread = Int64(random.below(450_000)) }
    if random.chance(200) {
      // Apart by less than nodes tolerate when the fault phase ends.
      let most = clocks.spread > 0 ? 500 : 225_000_000_000 / (faultPhase + 15_000_000)
      clocks.drift = Int64(random.below(most))
    }
    if random.chance(300) { clocks.timerDrift = Int64(random.below(20_000)) }
    traffic.thinkTime = isLong ? 600_000 : random.pick([30_000, 100_000, 300_000])
    // Damage is rarer than the rest, and alone enough to look at.
    if random.chance(600) { faultKinds.removeAll(where: \.isDamage) }
    isSafetyOnly = random.chance(30)
    isLossDetectable = random.chance(700)
    if isSafetyOnly && isLossDetectable {
      faultKinds = faultKinds.filter { $0 != .lostWrite && $0 != .strayWrite } + [.rot, .wipe, .failedRead, .power]
    }
    if isSafetyOnly && !isLossDetectable { faultKinds += [.rot, .lostWrite, .strayWrite, .wipe, .power] }
  }

  private mutating func drawTraffic(_ random: inout SeededGenerator) {
    traffic.pipelinePerMille = random.pick([0, 200, 600])
    traffic.quitPerMille = random.pick([100, 100, 700])
    traffic.readPerMille = faultKinds.contains(.starve) ? 600 : random.pick([0, 0, 600])
    traffic.hasFrozen = random.chance(400) && !isSafetyOnly
    if random.chance(400) { traffic.sideMembers = 1 + Int(random.below(3)) }
    if random.chance(300), !clocksJump { traffic.holdSeconds = 1 + random.below(15) }
    if random.chance(100) {
      sizes.segmentBytes = 64 << 10
      sizes.logLimitBytes = (16 + 4 * shards) * sizes.segmentBytes
      sizes.snapshotLogBytes = 16 << 20
    }
    sizes.appendBytes = random.pick([64 << 10, 64 << 10, 1, 256, 1_024])
    sizes.deltasKept = random.pick([1, 4, 16, 256])
    if random.chance(300) {
      catalogue.merchants = random.pick([5, 50, 400])
      catalogue.gap = random.pick([50_000, 200_000])
      catalogue.lateChangePerMille = 200
    }
  }

  private mutating func drawRest(_ random: inout SeededGenerator) {
    sizes.transactionSeconds = random.pick([0, 0, 1, 4, 86_400])
    sizes.transactionsInMemory = random.pick([1 << 18, 0, 3, 40])
    traffic.hasHostileIDs = random.chance(300)
    sizes.applyWork = random.pick([1_024, 1_024, 1, 8, 64])
    sizes.replayPatience = random.pick([50_000, 50_000, 10, 100])
    sizes.snapshotCommands = random.pick([1_000_000, 1_000_000, 20, 100, 400])
    traffic.isNearBounds = random.chance(120)
    traffic.closesMembers = random.chance(300)
    if traffic.closesMembers && traffic.sideMembers > 0 && !isSafetyOnly { traffic.hasFrozen = true }
    if random.chance(200) { network.bandwidth = random.pick([200_000, 1_000_000, 10_000_000]) }
    hasInitFaults = random.chance(300)
    hasImpostors = random.chance(300) && !isSafetyOnly
    if random.chance(300) { olderNodes = 1 + Int(random.below(UInt64(nodes))) }
    operations.movesLeaders = random.chance(300)
    membersReturn = random.chance(300) && !isSafetyOnly && !faultKinds.contains(where: \.isDamage)
    resizes =
      random.chance(500) && !isSafetyOnly && !hasImpostors && olderNodes == 0 && !membersReturn
      && !faultKinds.contains { $0.isDamage }
    heals = resizes && random.chance(500)
    operations.splits =
      random.chance(400) && !isSafetyOnly && !membersReturn && !faultKinds.contains { $0.isDamage }
    if operations.splits, sizes.segmentBytes < ScenarioPlan.segmentOfParts {
      // Parts of a parcel may wait for one entry, which is a record of the log.
      if sizes.isLogLimited { sizes.logLimitBytes *= ScenarioPlan.segmentOfParts / sizes.segmentBytes }
      sizes.segmentBytes = ScenarioPlan.segmentOfParts
    }
    drawArchive(&random)
    let hasProgramme = random.chance(400)
    // Its book goes by the ledger's time, and knows what the newest build does.
    if hasProgramme, !clocksJump, !isSafetyOnly, olderNodes == 0 { traffic.programme = Programme(&random) }
    drawBudget(&random)
    traffic.isFollowed = random.chance(500)
    let hasTiers = random.chance(400)
    if hasTiers, !clocksJump, !isSafetyOnly, olderNodes == 0 { traffic.tiers = Tiers(&random) }
  }
  private mutating func drawBudget(_ random: inout SeededGenerator) {
    let (isDrawn, points) = (random.chance(500), random.pick([70, 300, 5_000] as [Int64]))
    // Nodes of an older build know no quotas.
    guard isDrawn, traffic.sideMembers > 0, !traffic.hasBonds, olderNodes == 0 else { return }
    traffic.budget = points
  }
  private mutating func drawArchive(_ random: inout SeededGenerator) {
    defer { traffic.hasBonds = random.chance(400) && traffic.sideMembers > 0 && olderNodes == 0 }
    guard random.chance(300) else { return }
    let keep: UInt64 = random.pick([1_000_000, 3_000_000, 8_000_000])
    let outageGap: UInt64 = random.pick([0, 2_000_000, 6_000_000])
    let segmentBytes = random.pick([4 << 10, 4 << 10, 8 << 10] as [UInt64])
    (operations.archive.keep, operations.archive.outageGap) = (keep, outageGap)
    // A segment goes once the next is begun, and a snapshot does without it.
    sizes.journalSegmentBytes = min(sizes.journalSegmentBytes, segmentBytes)
    if !sizes.isLogLimited { sizes.snapshotLogBytes = min(sizes.snapshotLogBytes, 4 << 10) }
  }

  private static let segmentOfParts = 256 << 10

  static func ownMember(of client: Int) -> String { "o\(client)" }
  static func waitingMember(of client: Int) -> String { "so\(client)" }

  func member(_ number: UInt64) -> String {
    traffic.hasHostileIDs && number % 2 == 1 ? CollidingIDs.id(Int(number)) : "m\(number)"
  }
  /// The id of a client's request.
  func request(_ number: Int, of client: Int) -> String {
    let place = 1_000 * client + number
    guard traffic.hasHostileIDs, number % 2 == 1, number < 1_000, place < CollidingIDs.count else {
      return "t\(client)-\(number)"
    }
    return CollidingIDs.id(place)
  }

  /// For a person: one line.
  public var summary: String {
    let loss = isSafetyOnly ? isLossDetectable ? "detectable" : "silent" : "bounded"
    return "nodes=\(nodes) shards=\(shards) replicas=\(replicas) clients=\(clients) members=\(members)"
      + " tiny=\(sizes.isTiny) loss=\(loss) wide=\(network.distances[0] > 0) bandwidth=\(network.bandwidth)"
      + " faults=\(faultPhase / 1_000_000)s gap=\(faultGap / 1000)ms init=\(hasInitFaults ? "faults" : "calm")"
      + " impostors=\(hasImpostors) older=\(olderNodes) returns=\(membersReturn) resizes=\(resizes) heals=\(heals)"
      + " splits=\(operations.splits) budget=\(traffic.budget)"
      + " programme=\(traffic.programme.map { "\($0.expiry.rawValue)\($0.isPending ? ",pending" : "")" } ?? "none")"
      + " tiers=\(traffic.tiers.map { "\($0.by.rawValue)/\($0.span.rawValue)/\($0.down.rawValue)" } ?? "none")"
      + " bonds=\(traffic.hasBonds) followed=\(traffic.isFollowed)"
      + " archive=\(operations.archive.keep / 1_000_000)s outages=\(operations.archive.outageGap > 0)"
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
