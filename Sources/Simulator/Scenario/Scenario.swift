import Base
import Checker
import Cluster
import Storage

/// One cluster from its making to its checks: set-up, fault phase, quiescence, verification. The seed decides everything.
public final class Scenario {
  public let plan: ScenarioPlan
  public let simulation: Simulation
  let observer = ScenarioObserver()
  /// Draws which faults come, and when.
  var random: SeededGenerator
  var clients: [RetryingClient] = []
  /// Faults are injected, and clients may begin something new.
  public private(set) var isFaultPhase = false
  /// What is wrong, if something is.
  public private(set) var failure: String?
  /// So much was unknown of a member at once that the checker gave up.
  public internal(set) var isUndecided = false
  /// What clients saw, in the order of the answers; what never was answered at the end.
  public private(set) var operations: [Operation] = []
  /// What was answered for good, word for word.
  private(set) var answers: [(line: String, answer: String, operation: Operation)] = []
  var side = SideTraffic()
  private var holds: [(tx: String, id: String, member: String, points: Int64)] = []
  /// How often a fault of each kind has happened.
  var injectedCounts = [Int](repeating: 0, count: FaultKind.allCases.count)
  var duplicates = 0
  var clientFaults = 0
  var moves = 0
  /// Hosts whose disk has done what explains errors, and those whose disk was full.
  var faultyDisks: Set<Int> = []
  var fullDisks: Set<Int> = []
  /// Hosts whose process had no descriptor left.
  var hostsWithoutDescriptors: Set<Int> = []
  /// Transactions that client libraries tried.
  var transactions = 0
  /// How many hosts were damaged and lack nothing any more.
  var repairedCount = 0
  /// Those as well that were repaired: their errors are explained.
  var everDamaged: Set<Int> = []
  /// Hosts that damage may befall, and those that it has befallen.
  private(set) var damageable: [Int] = []
  var damaged: Set<Int> = []
  /// Which process of a host was asked to stop.
  var stopped: [Int: Int] = [:]
  /// All members with points: those of all clients, one for each shard, those of the side traffic, and those of which one
  /// client alone asks.
  var members: [String] {
    (0..<plan.members).map { plan.member(UInt64($0)) } + ownMembers + (0..<plan.sideMembers).map { "s\($0)" }
      + (plan.hasOwnMembers ? (0..<plan.clients).map(ScenarioPlan.ownMember) : [])
  }
  private(set) var ownMembers: [String] = []
  /// Who each host was when the cluster was made.
  private(set) var identities: [NodeID] = []
  /// Those whose disk was replaced: nobody they were before.
  var wiped: Set<Int> = []
  /// A clock has jumped by more than nodes tolerate.
  var hasJumpedFar = false
  /// Hosts that stay down in quiescence.
  var down: Set<Int> = []
  var catalogue = CatalogueChanges()
  /// The disks of hosts in whose place a copy of an earlier one is.
  var realDisks: [Int: MemoryFileSystem] = [:]
  var impostorCount = 0
  /// By shard: who leads though another leads in a newer term, and for how many seconds.
  var deposedLeaders: [Int: (node: NodeID, seconds: Int)] = [:]
  /// Replicas that hear no other, with the term in which that began.
  var termsWhenIsolated: [ReplicaPlace: Term] = [:]
  /// Replicas whose term or vote is not on disk, and for how many seconds.
  var unwrittenVotes: [ReplicaPlace: Int] = [:]
  private var lastInstall: UInt64 = 0
  /// Shards of which a node has told its operator, since quiescence began, that they take nothing.
  var reportedShards: Set<ShardID> = []
  /// See `promiseSlack`.
  private var mostAhead: Int64 = 0
  private let transcript: ((String) -> Void)?
  /// The entry of which processes die now.
  var poisoned: PoisonedEntry?

  /// - Parameter transcript: gets a line for everything that a person may want to read.
  public init(seed: UInt64, transcript: ((String) -> Void)? = nil) {
    let plan = ScenarioPlan(seed: seed)
    self.plan = plan
    self.transcript = transcript
    random = SeededGenerator(seed: seed ^ 0xF417_5EED)
    var faults = Simulation.Faults()
    faults.tickInterval = plan.tickInterval
    faults.distance = Scenario.distances(plan)
    if plan.bandwidth > 0 {
      let row = [UInt64](repeating: plan.bandwidth, count: plan.nodes)
      faults.bandwidth = [[UInt64]](repeating: row, count: plan.nodes)
    }
    var made = 0
    simulation = Simulation(
      seed: seed, nodes: plan.nodes, faults: faults, observer: observer,
      logOptions: .init(segmentBytes: plan.segmentBytes, maxRecordBytes: plan.segmentBytes / 2)
    ) { configuration in
      if made < plan.olderNodes { configuration.semantics = Scenario.olderSemantics }
      made += 1
      configuration.snapshotLogBytes = plan.snapshotLogBytes
      configuration.snapshotCommands = plan.snapshotCommands
      configuration.logTailBytes = plan.logTailBytes
      configuration.deltasKept = plan.deltasKept
      configuration.appendBytes = plan.appendBytes
      configuration.applyWork = plan.applyWork
      configuration.replayPatience = plan.replayPatience
      configuration.logLimitBytes = plan.logLimitBytes
      configuration.transferPieceBytes = plan.transferPieceBytes
      configuration.ledgerLimits.journalSegmentBytes = plan.journalSegmentBytes
      configuration.ledgerLimits.transactionSeconds = plan.transactionSeconds
      configuration.ledgerLimits.transactionsInMemory = plan.transactionsInMemory
    }
    for host in simulation.hosts {
      host.disk.spareNewestWrite(to: ".wal")
      if plan.timerDrift > 0 { host.timerDrift = Int64(random.below(UInt64(plan.timerDrift) * 2)) - plan.timerDrift }
    }
    observer.violationFound = { [unowned self] in reportViolation($0) }
    observer.mayForget = { [unowned self] node in
      simulation.hosts.contains { $0.nodeID == node && hasLostWrites($0) }
    }
    observer.dies = { [unowned self] in dies(ofEntry: $1, of: $0, $2) }
    simulation.trapped = { [unowned self] host in restart(host.number) }
    observer.isInCluster = { [unowned self] node in
      simulation.hosts.contains { $0.nodeID == node && ($0.node == nil || $0.node?.knownTopology != nil) }
    }
    observer.present = { [unowned simulation] in Simulation.epoch + Int64(simulation.now) }
    simulation.reachabilityChanged = { [unowned self] in noteReachability() }
    simulation.errorReported = { [unowned self] host, text in noteError(host, text) }
    simulation.transcript = { [unowned self] host, text in
      if text.contains("has had no leader") { noteLeaderless(text) }
      if text.hasPrefix("snapshot installed") { lastInstall = simulation.now }
      tell(host, text)
    }
  }

  private static func distances(_ plan: ScenarioPlan) -> [[UInt64]] {
    guard plan.distances.contains(where: { $0 > 0 }) else { return [] }
    return (0..<plan.nodes).map { a in
      (0..<plan.nodes).map { b in a % 3 == b % 3 ? 0 : plan.distances[(a % 3 + b % 3) % 3] }
    }
  }

  /// Runs it to its end, or to the first failure.
  public func run() {
    // What is still to come knows of this scenario, and would keep it in memory.
    defer { simulation.forgetEvents() }
    tell(-1, plan.summary)
    guard setUp() else { return }
    beginFaultPhase()
    simulation.run(for: plan.faultPhase) { failure != nil }
    guard failure == nil else { return }
    quiesce()
    guard failure == nil else { return }
    if plan.isSafetyOnly { verifySafety() } else { verify() }
  }

  // MARK: Telling

  /// Something that should have happened has not. Beyond the budget of damage it need not.
  func fail(_ reason: String) {
    if onlySafetyIsDue { tell(-1, "beyond the budget of damage: \(reason)") } else { reallyFail(reason) }
  }
  /// Something was answered or done that must never be. Beyond the budget it may be only if copies were lost without a trace.
  func reportViolation(_ reason: String) {
    if onlySafetyIsDue && !plan.isLossDetectable {
      tell(-1, "beyond the budget of damage: \(reason)")
    } else {
      reallyFail(reason)
    }
  }
  private func reallyFail(_ reason: String) {
    guard failure == nil else { return }
    failure = reason
    tell(-1, "FAILS: \(reason)")
    for number in damaged.sorted() {
      for fault in simulation.hosts[number].disk.struckFaults { tell(number, "its disk did: \(fault)") }
    }
  }
  /// Whether more may be damaged than can be repaired.
  var onlySafetyIsDue: Bool { plan.isSafetyOnly && !damaged.isEmpty }
  func tell(_ host: Int, _ text: @autoclosure () -> String) {
    guard let transcript else { return }
    let (seconds, rest) = simulation.now.quotientAndRemainder(dividingBy: 1_000_000)
    let digits = String(rest + 1_000_000).dropFirst()
    transcript("\(seconds).\(digits) \(host < 0 ? "-" : simulation.hosts[host].name) \(text())")
  }

  /// An error that no fault explains is a failure.
  private func noteError(_ host: SimulatedHost, _ text: String) {
    // A sick disk excuses much, and not this.
    if text.contains("kind=SEMANTICS") { return fail("\(host.name) \(text)") }
    if text.hasPrefix("lives on") { return fail("\(host.name) \(text)") }
    if realDisks[host.number] != nil { return }
    if text.contains("alarm=CLOCK") && plan.clocksLie { return }
    if text.hasSuffix("the disk is stuck") && plan.faultKinds.contains(.stallDisk) { return }
    if text.hasPrefix("alarm=POISON"), plan.faultKinds.contains(.trap) { return clearPoisonLater(at: host) }
    if text.contains("over log-limit-mb") && plan.isLogLimited { return }
    if text.contains("alarm=NOMEM") && plan.faultKinds.contains(.memory) { return }
    // What wants a descriptor waits; a process does not die of it.
    if hostsWithoutDescriptors.contains(host.number), !text.hasPrefix("dies:"), !text.contains("quarantined") { return }
    // What was being received when the power went is not all there: it is found out, and sent again.
    if text.hasPrefix("snapshot transfer:") && text.contains(".part at byte") { return }
    if damaged.contains(host.number) || everDamaged.contains(host.number) {
      if text.hasPrefix("dies:") && isFaultPhase { restart(host.number) }
      return
    }
    let isSick = faultyDisks.contains(host.number) || isFaultPhase && fullDisks.contains(host.number)
    if isSick && !text.contains("quarantined") {
      if text.hasPrefix("dies:") && isFaultPhase { restart(host.number) }
      return
    }
    fail("\(host.name) \(text)")
  }

  // MARK: Set-up

  private func setUp() -> Bool {
    simulation.run(for: 2_000_000)
    guard let first = simulation.connect(to: 0) else {
      fail("a node does not start: \(simulation.log)")
      return false
    }
    guard plan.hasInitFaults ? makeClusterUnderFaults() : makeCluster(by: first) else { return false }
    guard let admin = simulation.connect(to: 0) else { return false }
    for _ in 0..<600 where failure == nil {
      simulation.run(for: 50_000)
      let isLed = simulation.hosts.allSatisfy { host in
        host.node?.knownTopology != nil && host.node?.replicaViews.allSatisfy { $0.commitIndex > LogIndex(0) } == true
      }
      if isLed { break }
    }
    if let topology = simulation.hosts.compactMap({ $0.node?.knownTopology }).first {
      ownMembers = Scenario.membersOfShards(topology)
    }
    var lines = ["PROGRAM SET main earn=1/100 expire=\(plan.sideMembers > 0 ? "1d backdate=5d" : "never")"]
    for merchant in ["east", "north", "west"] {
      lines.append("MERCHANT SET \(merchant) program=main region=\(merchant)")
    }
    for member in members { lines.append("MEMBER ADD \(member)") }
    for i in 0..<plan.sideMembers { lines.append("CARD ADD c\(i) member=s\(i)") }
    if plan.hasFrozen { lines += ["MEMBER ADD frozen", "MEMBER FREEZE frozen"] }
    for line in lines {
      var answer = ""
      for _ in 0..<20 {
        answer = ask(admin, line)
        if answer == "+OK" { break }
        simulation.run(for: 500_000)
      }
      guard answer == "+OK" else {
        fail("at set-up, \(line): \(answer)")
        return false
      }
    }
    if plan.isNearBounds { fillAccount() }
    chooseDamageable()
    return failure == nil
  }

  /// A minority of every group at most.
  private func chooseDamageable() {
    guard let topology = simulation.hosts.compactMap({ $0.node?.knownTopology }).first else { return }
    identities = simulation.hosts.map(\.nodeID)
    let groups = topology.shards.map(\.voters) + [topology.directoryVoters]
    var order = Array(simulation.hosts.indices)
    for i in order.indices.reversed() { order.swapAt(i, Int(random.below(UInt64(i + 1)))) }
    for number in order {
      let more = (damageable + [number]).map { simulation.hosts[$0].nodeID }
      let isMinority = groups.allSatisfy { voters in voters.filter { more.contains($0) }.count * 2 < voters.count }
      if isMinority || plan.isSafetyOnly { damageable.append(number) }
    }
  }

  /// Sends a line and waits for its one-line answer.
  func ask(_ client: SimulatedClient, _ line: String, for limit: UInt64 = 20_000_000) -> String {
    client.clear()
    simulation.send(line + "\n", on: client)
    simulation.run(for: limit) { client.lineCount > 0 || client.isClosed }
    return client.lines.first ?? "no answer"
  }

  // MARK: Fault phase

  private func beginFaultPhase() {
    tell(-1, "fault phase begins")
    isFaultPhase = true
    simulation.faults.lossPerMille = plan.lossPerMille
    simulation.faults.resendPerMille = plan.resendPerMille
    simulation.faults.dialPerMille = plan.dialPerMille
    for host in simulation.hosts {
      if plan.clockSpread > 0 {
        host.clockOffset = Int64(random.below(UInt64(plan.clockSpread))) - plan.clockSpread / 2
      }
      if plan.drift > 0 { host.clockDrift = Int64(random.below(UInt64(plan.drift) * 2)) - plan.drift }
    }
    for number in 0..<plan.clients {
      let client = RetryingClient(self, number)
      clients.append(client)
      simulation.call(after: random.below(200_000)) { client.wake() }
    }
    scheduleFault()
    scheduleAudit()
    scheduleTransaction()
    scheduleCatalogue()
    scheduleImpostor()
    scheduleUpgrades()
    watchReplicas()
  }

  // MARK: What clients ask of the scenario

  func anyHost(_ random: inout SeededGenerator) -> Int {
    let up = simulation.hosts.indices.filter { !down.contains($0) && (isFaultPhase || !damaged.contains($0)) }
    // Beyond the budget nobody may be left: then it is one who does not answer.
    return random.pick(up.isEmpty ? Array(simulation.hosts.indices) : up)
  }
  /// Rises when a node may have to ask a leader again.
  var disturbances: Int { observer.leaderships + simulation.madeConnections }
  /// A hold that was made, perhaps one that is closed already.
  func hold(_ random: inout SeededGenerator) -> (tx: String, id: String, member: String, points: Int64)? {
    guard !holds.isEmpty else { return nil }
    let place = Int(random.below(UInt64(holds.count)))
    return random.chance(700) ? holds.remove(at: place) : holds[place]
  }

  func answered(_ pending: RetryingClient.Pending, _ line: String) {
    var operation = pending.operation
    operation.end = simulation.now
    operation.result = line.hasPrefix("+") ? .ok : .refused
    if pending.isSide { return noteSideAnswer(pending, operation, line) }
    if let points = number("points", line) { operation.points = abs(points) }
    operation.balance = operation.result == .ok ? number("balance", line) : nil
    operation.available = number("available", line)
    operation.held = operation.kind == .balance ? number("held", line) : nil
    if let asof = number("asof", line) {
      operation.local = UInt64(max(0, asof * 1000 - Simulation.epoch - promiseSlack()))
    }
    if operation.kind == .hold, let expires = number("expires", line) {
      // Where clocks jump, a shard's time may run ahead.
      let slack: Int64 = plan.clocksLie ? 2_000_000 : 0
      let earliest = UInt64(max(0, expires * 1000 - Simulation.epoch - slack))
      operation.expires = plan.clocksJump ? operation.begin : max(operation.begin, earliest)
    }
    if operation.result == .refused { operation.code = String(line.dropFirst().prefix { $0 != " " }) }
    operations.append(operation)
    if operation.kind != .balance { noteAnswer(pending.line, line, operation) }
    if operation.kind == .hold, operation.result == .ok, let tx = field("tx", line) {
      holds.append((String(tx), operation.id, operation.member, operation.points))
    }
  }
  /// What was done before the fault phase, and is not asked again.
  func noteBefore(_ operation: Operation) { operations.append(operation) }
  /// By how much `asof=` may be ahead of the time. It goes by the earliest of the clocks that a leader hears, which are two
  /// at least; one that jumps is believed for a moment.
  private func promiseSlack() -> Int64 {
    guard plan.clocksLie else { return 0 }
    guard !plan.clocksJump else { return 2_000_000 }
    let ahead = simulation.hosts.map { $0.clockOffset + $0.clockDrift * Int64(simulation.now) / 1_000_000 }.sorted()
    // A reading is extrapolated for five seconds by timers that part.
    mostAhead = max(mostAhead, ahead[ahead.count - 2] + 10 * plan.timerDrift)
    return mostAhead
  }
  func noteAnswer(_ line: String, _ answer: String, _ operation: Operation) {
    answers.append((line, answer, operation))
  }
  /// A read of the checks themselves.
  func record(_ operation: Operation, _ line: String) {
    answered(RetryingClient.Pending(operation: operation, line: ""), line)
  }
  func noteGivenUp(_ pending: RetryingClient.Pending) {
    guard pending.operation.kind != .balance, !pending.operation.id.isEmpty else { return }
    var operation = pending.operation
    operation.end = pending.inDoubt ? .max : simulation.now
    operation.result = pending.inDoubt ? .inDoubt : .rejected
    if pending.isSide { side.operations.append(operation) } else { operations.append(operation) }
  }

  func field(_ name: String, _ line: String) -> Substring? {
    let bytes = line.utf8, name = name.utf8
    var at = bytes.startIndex
    while at < bytes.endIndex {
      let end = bytes[at...].firstIndex(of: UInt8(ascii: " ")) ?? bytes.endIndex
      let word = bytes[at] == UInt8(ascii: "+") ? bytes[at..<end].dropFirst() : bytes[at..<end]
      if word.starts(with: name) {
        let rest = word.dropFirst(name.count)
        if rest.first == UInt8(ascii: "=") { return Substring(rest.dropFirst()) }
      }
      at = end == bytes.endIndex ? end : bytes.index(after: end)
    }
    return nil
  }
  func number(_ name: String, _ line: String) -> Int64? { field(name, line).flatMap { Int64($0) } }

  // MARK: Quiescence

  /// Ten of the longest waits for an election.
  var patience: UInt64 {
    let configuration = simulation.hosts[0].configuration
    return 10 * UInt64(configuration.electionTicks * 3 / 2) * configuration.heartbeatInterval
  }

  /// Faults end; a random set of hosts with a majority of every group is up, and everything must be answered.
  private func quiesce() {
    isFaultPhase = false
    reportedShards = []
    simulation.faults.lossPerMille = 0
    simulation.faults.resendPerMille = 0
    simulation.faults.dialPerMille = 0
    simulation.heal()
    for number in realDisks.keys.sorted() { putBack(number) }
    chooseDownHosts()
    for host in simulation.hosts {
      host.clockOffset = 0
      host.clockDrift = 0
      simulation.resumeDisk(host.number)
      host.diskSlowness = 1
      simulation.thaw(host.number)
      host.disk.setCapacity(.max)
      host.disk.limitOpenFiles(to: nil)
      host.memoryLimit = .max
      host.disk.failSync(after: .max)
      host.disk.cutPower(afterSteps: nil)
      host.disk.cancelFaults()
      // What a disk has refused is made anew from the log when the process starts.
      // And who is about to stop, or has no power and has not noticed, has stopped.
      if faultyDisks.contains(host.number) || stopped[host.number] == host.generation || host.disk.isPowerOut {
        simulation.killProcess(host.number)
      }
      if down.contains(host.number) {
        if random.chance(500) { simulation.kill(host.number) } else { simulation.cutPower(host.number) }
      } else if host.node == nil, !simulation.start(host.number) {
        if damaged.contains(host.number) {
          down.insert(host.number)
          continue
        }
        return fail("\(host.name) does not start in quiescence: \(host.failure ?? "")")
      }
    }
    clearPoisons()
    tell(-1, "quiescence begins; down: \(down.sorted().map { simulation.hosts[$0].name })")
    for client in clients { client.quiesce() }
    askEveryShard()
    waitForAnswers()
  }

  /// Until all that is asked is answered, which must be soon.
  func waitForAnswers() {
    let began = simulation.now
    let isDone = { [self] in failure != nil || clients.allSatisfy(\.pending.isEmpty) }
    var quiet = simulation.run(for: patience, until: isDone)
    // A majority that has to be sent a snapshot first takes its time: here its pieces are of a few bytes.
    let views = simulation.hosts.flatMap { $0.node?.replicaViews ?? [] }
    if !quiet && (lastInstall > began || views.contains(where: \.sendsSnapshot)) {
      quiet = simulation.run(for: 3 * patience, until: isDone)
      // Over narrow ways more yet: as long as more comes, ten minutes at most.
      let all = Array(simulation.hosts.indices)
      for _ in 0..<20 where !quiet && plan.bandwidth > 0 {
        let received = bytesReceived(by: all)
        quiet = simulation.run(for: 30_000_000, until: isDone)
        if bytesReceived(by: all) <= received { break }
      }
    }
    guard failure == nil else { return }
    let waiting = clients.flatMap(\.pending)
    let silent = quiet || !onlySafetyIsDue ? [] : waiting.filter { !isReported($0) }
    if onlySafetyIsDue { for client in clients { client.abandon() } }
    guard silent.isEmpty else { return reportViolation("halted without a word; not answered: \(silent.map(\.line))") }
    guard quiet else {
      return fail("not answered within \(patience / 1000) ms of quiescence: \(waiting.map(\.line))")
    }
    tell(-1, "all is answered after \((simulation.now - began) / 1000) ms")
  }

  /// These are down from now on, too.
  func keepDown(_ more: Set<Int>) { down.formUnion(more) }

  /// Whom to take down: as many as may be, those in `first` before others.
  func chooseDownHosts(first: [Int] = []) {
    // Entries of the future are taken by nobody whose clock is right: to lead the shard without them those who have none
    // may all be needed.
    let present = Simulation.epoch + Int64(simulation.now) + 400_000
    let views = simulation.hosts.flatMap { $0.node?.replicaViews ?? [] }
    let isFutureThere = views.contains { $0.newestUncommittedStamp ?? 0 > present }
    if isFutureThere || hasJumpedFar && simulation.hosts.contains(where: { $0.node == nil }) { return }
    guard let topology = simulation.hosts.compactMap({ $0.node?.knownTopology }).first else { return }
    let groups = topology.shards.map(\.voters) + [topology.directoryVoters]
    var order = Array(simulation.hosts.indices)
    for i in order.indices.reversed() { order.swapAt(i, Int(random.below(UInt64(i + 1)))) }
    order = first + order.filter { !first.contains($0) }
    let count = first.isEmpty ? Int(random.below(UInt64(order.count))) : order.count
    for number in order.prefix(count) {
      let less = down.union([number])
      // Who has damage may have to be given again what it lost, and does not count until then.
      let dead = less.union(damaged).map { identities[$0] }
      if groups.allSatisfy({ voters in voters.filter { !dead.contains($0) }.count * 2 > voters.count }) { down = less }
    }
  }
}
