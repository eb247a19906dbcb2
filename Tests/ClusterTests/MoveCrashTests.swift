import Base
import Raft
import Testing

@testable import Cluster
@testable import Simulator

/// A node dies at each step of a move of slots, in each of its parts: nothing is lost, nothing is there twice, and the move goes on.
@Suite struct MoveCrashTests {
  enum Role: CaseIterable, Sendable {
    case sourceLeader
    case targetLeader
    case directoryLeader
    /// It leads neither of the two shards.
    case follower
  }
  /// Of one parcel after the other, somebody is killed and loses its power in turns; so each step has both, of one role or another.
  @Test(arguments: Role.allCases) func whoeverDiesAtAnyStepNothingIsLost(role: Role) throws {
    let merges = try MergedAgain(seed: 846_100)
    let first = Role.allCases.firstIndex(of: role) ?? 0
    for step in MoveSteps.all.indices {
      let isKilled = (step + first).isMultiple(of: 2)
      try merges.splitOff()
      try merges.merge(until: step) { moves in
        let victim = try #require(moves.host(of: role))
        if isKilled { merges.simulation.killProcess(victim) } else { merges.simulation.cutPower(victim) }
        return victim
      }
      try merges.check("\(MoveSteps.all[step]): the \(role) \(isKilled ? "is killed" : "loses its power")")
    }
  }
}

/// A slot that has more than goes out with its export.
@Suite struct LargeSlotTests {
  /// Its parts follow one another, each once: nothing waits until what had no answer is sent again.
  @Test(arguments: [2, 64]) func theRestOfALargeSlotFollowsAtOnce(partsAtOnce: Int) throws {
    let simulation = try makeCluster(seed: 846_200, shards: 1) { configuration in
      configuration.ledgerLimits.chunksPerPart = 1
      configuration.ledgerLimits.partsAtOnce = partsAtOnce
    }
    let member = try #require(
      (0..<10_000).lazy.map { "n\($0)" }.first { Topology.slot(ofMember: $0).rawValue >= 16_000 })
    let client = try populate(simulation, members: [member])
    client.clear()
    simulation.send((0..<100).map { "EARN \(member) merchant=shop points=1 id=e\($0)\n" }.joined(), on: client)
    simulation.run(for: 20_000_000) { client.lineCount == 100 }
    func leader() -> Replica? {
      simulation.hosts.lazy.compactMap { $0.node?.replicas[ShardID(1)] }.first { $0.hasTakenOver }
    }
    let source = try #require(leader())
    let (log, before) = (source.raft.lastIndex, source.counters.deliveriesSentAgain)
    #expect(ask(simulation, client, "CLUSTER SHARD SPLIT 1 at=16000")?.hasPrefix("+op=") == true)
    let isOver = simulation.run(for: 60_000_000) {
      simulation.hosts[0].node?.membership.topology?.shards.count == 2
        && simulation.hosts.contains { $0.node?.replicas[ShardID(2)]?.machine.holdings.slots.isEmpty == false }
    }
    try #require(isOver, "\(simulation.report)")
    #expect(leader() === source && source.raft.lastIndex > log)
    #expect(source.counters.deliveriesSentAgain == before, "sent again")
    #expect(ask(simulation, client, "BALANCE \(member)")?.contains("balance=100 ") == true)
  }
}

/// Where a merge is, by what the logs of the two shards and of the directory have: counted from its first step on.
private final class MoveSteps {
  enum Step {
    case exportAppended
    case exportCommitted
    case exportApplied
    case partSent
    case importCommitted
    case importedCommitted
    case mapWritten
    case ended
  }
  /// The slots go as one parcel, and what is left in the books as another.
  static let parcel: [Step] = [
    .exportAppended, .exportCommitted, .exportApplied, .partSent, .importCommitted, .importedCommitted,
  ]
  static let all = parcel + parcel + [.mapWritten, .ended]

  private let cluster: ResizedCluster
  private let (source, target): (ShardID, ShardID)
  private(set) var reached = 0
  private var (exported, imported) = (LogIndex(0), LogIndex(0))
  /// Who led last.
  private var leaders: [ShardID: Int] = [:]

  init(_ cluster: ResizedCluster, from source: ShardID, to target: ShardID) {
    (self.cluster, self.source, self.target) = (cluster, source, target)
  }
  private func replicas(of shard: ShardID) -> [(host: Int, replica: Replica)] {
    cluster.simulation.hosts.compactMap { host in host.node?.replicas[shard].map { (host.number, $0) } }
  }
  private func leader(of shard: ShardID) -> Replica? {
    guard let found = replicas(of: shard).first(where: { $0.replica.hasTakenOver }) else { return nil }
    leaders[shard] = found.host
    return found.replica
  }
  private func isDurable(_ index: LogIndex, of shard: ShardID) -> Bool {
    replicas(of: shard).contains { !$0.replica.isLeader && $0.replica.raft.stableIndex >= index }
  }
  private var map: Topology? { (leader(of: .directory)?.machine as? DirectoryMachine)?.topology }

  /// Whether that many steps have been reached by now.
  func hasReached(_ count: Int) -> Bool {
    while reached < count, isNextReached { reached += 1 }
    return reached >= count
  }
  private var isNextReached: Bool {
    let (from, to) = (leader(of: source), leader(of: target))
    switch MoveSteps.all[reached] {
    case .exportAppended:
      guard let from, let to, from.machine.holdings.moving == nil, from.raft.lastIndex > from.machine.lastIndex,
        from.leading.giving.proposedFrom == from.machine.holdings.epoch
      else { return false }
      // Where one node leads both, a part is there as soon as it is sent.
      (exported, imported) = (from.raft.lastIndex, to.raft.lastIndex)
      return true
    case .exportCommitted: return isDurable(exported, of: source)
    case .exportApplied: return from?.machine.holdings.moving != nil
    case .partSent:
      guard let to, to.raft.lastIndex > imported else { return false }
      imported = to.raft.lastIndex
      return true
    case .importCommitted: return isDurable(imported, of: target)
    case .importedCommitted: return from?.machine.holdings.moving == nil
    case .mapWritten: return map?.placement(of: source)?.slots.isEmpty == true
    case .ended: return map?.ended.contains(source) == true
    }
  }
  func host(of role: MoveCrashTests.Role) -> Int? {
    _ = (leader(of: source), leader(of: target), leader(of: .directory))
    switch role {
    case .sourceLeader: return leaders[source]
    case .targetLeader: return leaders[target]
    case .directoryLeader: return leaders[.directory]
    case .follower: return (0..<3).first { $0 != leaders[source] && $0 != leaders[target] }
    }
  }
}

/// Three nodes and one shard, of which a part is split off and merged again and again.
private final class MergedAgain {
  /// So few that they move in no time.
  private static let first = 16_256
  /// Two of either part.
  private static let members = [true, false].flatMap { isMoved in
    (0..<10_000).lazy.map { "n\($0)" }.filter { (Topology.slot(ofMember: $0).rawValue >= first) == isMoved }.prefix(2)
  }
  private let cluster: ResizedCluster
  private var violations: [String] = []
  private var round = 0
  /// What the requests of this round were answered.
  private var answers: [String: String] = [:]
  private var newest = ShardID(1)
  var simulation: Simulation { cluster.simulation }

  init(seed: UInt64) throws {
    let observer = ScenarioObserver()
    // Most of what is simulated would be nodes that look whether anything is due.
    var faults = Simulation.Faults()
    faults.tickInterval = 50_000
    cluster = try ResizedCluster(seed: seed, shards: 1, faults: faults, observer: observer)
    observer.violationFound = { [unowned self] in violations.append($0) }
    for member in Self.members { #expect(try cluster.ask("MEMBER ADD \(member)") == "+OK") }
  }
  private var up: [Int] { simulation.hosts.filter { $0.node != nil }.map(\.number) }
  private var directory: DirectoryMachine? {
    let leader = simulation.hosts.lazy.compactMap { $0.node?.replicas[.directory] }.first { $0.hasTakenOver }
    return leader?.machine as? DirectoryMachine
  }
  private func say(_ line: String, for prefix: String, _ place: Int = 0) throws -> String {
    var answer = ""
    for _ in 0..<200 {
      answer = try cluster.ask(line, on: up[place % up.count])
      if answer.hasPrefix(prefix) { return answer }
      simulation.run(for: 50_000)
    }
    throw Failure("\(line): \(answer)")
  }
  private struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ text: String) { description = text }
  }
  private func run(until what: String, _ isThere: () -> Bool) throws {
    guard simulation.run(for: 60_000_000, until: isThere) else {
      let open =
        directory?.operations.open.map { "\($0.plan?.target(in: nil) ?? "") at step \($0.step): \($0.text)" } ?? []
      throw Failure("\(what) does not come, \(open): \(simulation.report)")
    }
  }
  private func earn(_ part: String) throws {
    for member in Self.members {
      let line = "EARN \(member) merchant=shop points=1 id=\(part)\(round)-\(member)"
      answers[line] = try say(line, for: "+tx=", round)
    }
  }

  func splitOff() throws {
    round += 1
    answers = [:]
    newest = ShardID(newest.rawValue + 1)
    _ = try say("CLUSTER SHARD SPLIT 1 at=\(Self.first)", for: "+op=")
    try run(until: "the split") { directory?.operations.open.isEmpty == true && directory?.topology?.shards.count == 2 }
    // The two are led by different nodes.
    func leader(_ shard: ShardID) -> Int? { up.first { cluster.node($0)?.replicas[shard]?.hasTakenOver == true } }
    try run(until: "leaders") { leader(ShardID(1)) != nil && leader(newest) != nil }
    let other = up.first { $0 != leader(ShardID(1)) && $0 != leader(.directory) } ?? 0
    _ = try say("CLUSTER SHARD LEADER \(newest.rawValue) to=\(simulation.hosts[other].name)", for: "+op=")
    try run(until: "another leader") { directory?.operations.open.isEmpty == true && leader(newest) == other }
    try earn("a")
  }
  /// - Parameter strike: has somebody die, and says who.
  func merge(until step: Int, _ strike: (MoveSteps) throws -> Int) throws {
    let steps = MoveSteps(cluster, from: newest, to: ShardID(1))
    // It may have begun though the answer is an error: so steps are counted from before it is asked for.
    for _ in 0..<50 where !steps.hasReached(step + 1) {
      let client = try #require(simulation.connect(to: up[0]))
      simulation.send("CLUSTER SHARD MERGE 1 \(newest.rawValue)\n", on: client)
      simulation.run(for: 60_000_000) { steps.hasReached(step + 1) || client.lines.first?.hasPrefix("-") == true }
      simulation.run(for: 50_000) { steps.hasReached(step + 1) }
    }
    guard steps.reached == step + 1 else { throw Failure("\(steps.reached) steps of \(step + 1) were reached") }
    let victim = try strike(steps)
    try earn("b")
    try #require(simulation.start(victim), "\(simulation.hosts[victim].failure ?? "")")
    try run(until: "the merge") { directory?.operations.open.isEmpty == true && directory?.topology?.shards.count == 1 }
  }
  func check(_ what: String) throws {
    #expect(violations.isEmpty, "\(what)")
    let map = try #require(directory?.topology)
    #expect(map.shards.map(\.slots) == [.all] && map.ended.last == newest, "\(what)")
    #expect(directory?.operations.over.last.map { $0.kind == ShardMerge.kind && $0.state == .done } == true, "\(what)")
    // Asked again, all is answered as it was.
    for (line, answer) in answers.sorted(by: { $0.key < $1.key }) {
      let again = try say(line, for: "+tx=", round + 1)
      #expect(again.split(separator: " ").first == answer.split(separator: " ").first, "\(what): \(line)")
    }
    for member in Self.members {
      let balance = try say("BALANCE \(member)", for: "+member=")
      #expect(balance.contains(" balance=\(2 * round) "), "\(what): \(balance)")
    }
    let client = try #require(simulation.connect(to: up[0]))
    simulation.send("AUDIT\n", on: client)
    try run(until: "the audit") { client.lines.last?.contains("total=yes") ?? false }
    #expect(client.lines.last?.contains("balanced=yes") == true, "\(what): \(client.lines)")
    // All replicas are in the same state.
    let replicas = simulation.hosts.compactMap { $0.node?.replicas[ShardID(1)] }
    try run(until: "the followers") { Set(replicas.map(\.machine.lastIndex)).count == 1 }
    #expect(Set(replicas.compactMap { ($0.machine as? LedgerMachine)?.digest.0 }).count == 1, "\(what)")
    #expect(replicas.count == 3 && violations.isEmpty, "\(what): \(violations)")
  }
}
