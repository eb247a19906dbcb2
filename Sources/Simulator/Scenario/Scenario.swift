import Base
import Checker
import Cluster
import Storage

/// One cluster from its making to its checks: set-up, fault phase, quiescence, verification. The seed decides everything.
public final class Scenario {
  public let plan: ScenarioPlan
  public let simulation: Simulation
  let observer = ScenarioObserver()
  private let transcript: ((String) -> Void)?
  /// Draws which faults come, and when.
  var random: SeededGenerator
  /// Faults are injected, and clients may begin something new.
  var isFaultPhase = false
  /// What is wrong, if something is.
  public private(set) var failure: String?
  /// So much was in doubt of a member at once that the checker gave up.
  public internal(set) var isUndecided = false

  // What is asked.
  var clients: [RetryingClient] = []
  var record = ClientRecord()
  var side = SideTraffic()
  var catalogue = CatalogueChanges()
  /// One for each shard: a member that it owns.
  var shardMembers: [String] = []

  // What goes wrong.
  var tally = FaultTally()
  var damage = Damage()
  var clocks = ClockFaults()
  var impostors = Impostors()
  /// The entry of which processes die now.
  var poisoned: PoisonedEntry?
  /// The member that has left its group and has yet to return.
  var away: AwayMember?
  /// Which process of a host was asked to stop.
  var stopped: [Int: Int] = [:]
  /// Hosts that stay down in quiescence.
  var down: Set<Int> = []
  var resizing = ResizingState()

  // What is looked at.
  /// The node of each host when the cluster was made.
  var founders: [NodeID] = []
  var watch = ReplicaWatch()
  var reports = NodeReports()

  /// - Parameter transcript: gets a line for everything that a person may want to read.
  public init(seed: UInt64, transcript: ((String) -> Void)? = nil) {
    let plan = ScenarioPlan(seed: seed)
    self.plan = plan
    self.transcript = transcript
    random = SeededGenerator(seed: seed ^ 0xF417_5EED)
    var made = 0
    simulation = Simulation(
      seed: seed, nodes: plan.nodes, faults: Scenario.network(plan), observer: observer,
      archive: plan.operations.archive.isThere ? MemoryFileSystem() : nil,
      logOptions: .init(segmentBytes: plan.sizes.segmentBytes, maxRecordBytes: plan.sizes.segmentBytes / 2)
    ) { configuration in
      if made < plan.olderNodes { Scenario.makeOlder(&configuration) }
      made += 1
      plan.sizes.apply(to: &configuration)
      plan.operations.archive.apply(to: &configuration)
    }
    for host in simulation.hosts {
      host.disk.spareNewestWrite(to: ".wal")
      if plan.clocks.timerDrift > 0 {
        host.clock.timerDrift = Int64(random.below(UInt64(plan.clocks.timerDrift) * 2)) - plan.clocks.timerDrift
      }
    }
    listen()
  }

  private static func network(_ plan: ScenarioPlan) -> Simulation.Faults {
    var faults = Simulation.Faults()
    faults.tickInterval = plan.tickInterval
    faults.distance = distances(plan)
    if plan.network.bandwidth > 0 {
      let row = [UInt64](repeating: plan.network.bandwidth, count: plan.mostNodes)
      faults.bandwidth = [[UInt64]](repeating: row, count: plan.mostNodes)
    }
    return faults
  }
  private static func distances(_ plan: ScenarioPlan) -> [[UInt64]] {
    guard plan.network.distances.contains(where: { $0 > 0 }) else { return [] }
    return (0..<plan.mostNodes).map { a in
      (0..<plan.mostNodes).map { b in a % 3 == b % 3 ? 0 : plan.network.distances[(a % 3 + b % 3) % 3] }
    }
  }

  /// Hears of all that replicas and nodes do.
  private func listen() {
    observer.violationFound = { [unowned self] in reportViolation($0) }
    observer.mayForget = { [unowned self] node in
      simulation.hosts.contains { $0.nodeID == node && hasLostWrites($0) }
    }
    observer.dies = { [unowned self] in dies(ofEntry: $1, of: $0, $2) }
    simulation.trapped = { [unowned self] host in restart(host.number) }
    observer.isInCluster = { [unowned self] node in
      simulation.hosts.contains { $0.nodeID == node && ($0.node == nil || $0.node?.view.topology != nil) }
    }
    observer.present = { [unowned self] in Simulation.epoch + Int64(simulation.now) + clocks.passed }
    simulation.reachabilityChanged = { [unowned self] in watch.noteReachability(in: simulation) }
    simulation.errorReported = { [unowned self] host, text in noteError(host, text) }
    simulation.transcript = { [unowned self] host, text in
      reports.note(text, at: simulation.now)
      tell(host, text)
      if text.hasPrefix("replica removed") { endInPieces(host) }
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
    for number in damage.hosts.sorted() {
      for fault in simulation.hosts[number].disk.struckFaults { tell(number, "its disk did: \(fault)") }
    }
  }
  /// Whether more may be damaged than can be repaired.
  var onlySafetyIsDue: Bool { plan.isSafetyOnly && !damage.hosts.isEmpty }
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
    if text.hasPrefix("dies:"), text.contains("was removed from the cluster") { return noteRemoval(of: host) }
    if impostors.realDisks[host.number] != nil { return }
    if text.contains("archive"), isArchiveExcused { return }
    if text.contains("alarm=CLOCK") && (plan.clocksLie || clocks.passed > 0) { return }
    if text.hasSuffix("the disk is stuck") && plan.faultKinds.contains(.stallDisk) { return }
    if text.hasPrefix("alarm=POISON"), plan.faultKinds.contains(.trap) { return clearPoisonLater(at: host) }
    if text.contains("over log-limit-mb") && plan.sizes.isLogLimited { return }
    if text.contains("alarm=NOMEM") && plan.faultKinds.contains(.memory) { return }
    // What wants a descriptor waits; a process does not die of it.
    if damage.withoutDescriptors.contains(host.number), !text.hasPrefix("dies:"), !text.contains("quarantined") {
      return
    }
    // What was being received when the power went is not all there: it is found out, and sent again.
    if text.hasPrefix("snapshot transfer:") && text.contains(".part at byte") { return }
    if damage.all.contains(host.number) {
      if text.hasPrefix("dies:") && isFaultPhase { restart(host.number) }
      return
    }
    let isSick = damage.faultyDisks.contains(host.number) || isFaultPhase && damage.fullDisks.contains(host.number)
    if isSick && !text.contains("quarantined") {
      if text.hasPrefix("dies:") && isFaultPhase { restart(host.number) }
      return
    }
    fail("\(host.name) \(text)")
  }
}
