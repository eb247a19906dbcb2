import Base
import Ledger
import Raft
import Testing

@testable import Cluster
@testable import Simulator

/// Operations without a cluster: what comes next of a record, and what the directory keeps.
@Suite struct OperationTests {
  fileprivate static let nodes = (1...4).map { NodeID(UInt64($0)) }
  private static let names = ["east-1", "north-1", "west-1", "west-2"]
  private static let shard = ShardID(3)

  fileprivate static func topology(state: NodeRecord.State = .up) -> Topology {
    let members = zip(nodes, names).map { id, name in
      NodeRecord(
        id: id, name: name, region: String(name.prefix { $0 != "-" }), clientAddress: "\(name):1",
        peerAddress: "\(name):2", state: id == nodes[1] ? state : .up)
    }
    let placements = (1...4).map { number in
      ShardPlacement(
        shard: ShardID(UInt32(number)), slots: SlotRanges([(number - 1) * 100..<number * 100]) ?? .none, epoch: 7,
        voters: Array(nodes[0..<3]), preferredLeader: nodes[0])
    }
    return Topology(
      cluster: 1, hashKey: .none, nodes: members, directoryVoters: Array(nodes[0..<3]), shards: placements, version: 5
    )
  }
  private static let plan = ShardLeader(shard: shard, to: nodes[1], from: nodes[0], term: Term(9))
  fileprivate static func params(_ plan: ShardLeader) -> [UInt8] {
    var buffer = ByteBuffer()
    plan.encode(into: &buffer)
    return buffer.array
  }

  struct Case: CustomTestStringConvertible {
    var what: String
    var report = OperationView.ShardReport(leader: OperationTests.nodes[0], term: Term(9), isServed: true)
    var age: Int64 = 14_000
    var topology = OperationTests.topology()
    var reachable = Set(OperationTests.nodes)
    var plan = OperationTests.plan
    var action: OperationAction
    var testDescription: String { what }
  }
  static let cases: [Case] = [
    Case(what: "another leads it", action: .run(step: 0)),
    Case(
      what: "it has taken over", report: .init(leader: nodes[1], term: Term(10), isServed: true),
      action: .done("leader east-1 → north-1, term 9 → 10, took 14 ms")),
    Case(
      what: "it led already", report: .init(leader: nodes[1], term: Term(9), isServed: true),
      action: .done("leader east-1 → north-1, term 9, took 14 ms")),
    Case(
      what: "it leads, and has not taken over", report: .init(leader: nodes[1], term: Term(10)), action: .run(step: 0)),
    Case(what: "nobody leads", report: .init(), action: .wait("shard 3 has no leader")),
    Case(what: "it is not in reach", reachable: [nodes[0]], action: .wait("node north-1 is not in reach")),
    Case(
      what: "it takes too long", age: ShardLeader.limit,
      action: .fail(
        "north-1 has not taken over within 10 s, east-1 leads it; nothing has changed: see whether it lags (tally shards)"
          + " or is ill (tally nodes)")),
    Case(
      what: "it takes too long without a leader", report: .init(), age: ShardLeader.limit,
      action: .fail(
        "north-1 has not taken over within 10 s, the shard has no leader; nothing has changed: see whether it lags (tally"
          + " shards) or is ill (tally nodes)")),
    Case(
      what: "it has taken over at the last moment", report: .init(leader: nodes[1], term: Term(10), isServed: true),
      age: ShardLeader.limit, action: .done("leader east-1 → north-1, term 9 → 10, took 10000 ms")),
    Case(
      what: "it is drained meanwhile", topology: topology(state: .draining),
      action: .fail("node north-1 is draining; nothing has changed")),
    Case(
      what: "it is no voter", plan: ShardLeader(shard: shard, to: nodes[3], from: nodes[0], term: Term(9)),
      action: .fail("node west-2 is no voter of shard 3: these are east-1, north-1, west-1; nothing has changed")),
  ]
  @Test(arguments: cases) func whatComesNextOfAChangeOfLeader(given: Case) throws {
    var record = Operation(
      number: 31, kind: ShardLeader.kind, params: Self.params(given.plan), by: "operator",
      started: Stamp(microseconds: 1_000_000))
    record.holds = given.plan.holds
    var view = OperationView(
      record: record, topology: given.topology, now: Stamp(microseconds: 1_000_000 + given.age))
    view.shards[Self.shard] = given.report
    view.reachable = given.reachable
    #expect(try #require(record.plan).next(view) == given.action)
  }

  @Test func aRecordChangesWhenSomethingHasComeOfItAndNotBefore() {
    var record = Operation(number: 1, kind: ShardLeader.kind, params: [], by: "auto", started: .zero)
    record.state = .running
    #expect(OperationAction.run(step: 0).change(of: record) == nil)
    #expect(OperationAction.run(step: 1).change(of: record)?.step == 1)
    #expect(OperationAction.wait("x").change(of: record)?.state == .waiting)
    record.state = .waiting
    record.text = "x"
    #expect(OperationAction.wait("x").change(of: record) == nil)
    #expect(OperationAction.wait("y").change(of: record)?.text == "y")
    #expect(OperationAction.run(step: 0).change(of: record)?.state == .running)
    #expect(OperationAction.done("z").change(of: record)?.state == .done)
  }

  // MARK: The directory's table

  private final class Directory {
    var table = OperationTable()

    func begin(_ shard: UInt32, to: Int = 1, at time: Int64 = 5) throws -> Operation {
      let plan = ShardLeader(
        shard: ShardID(shard), to: OperationTests.nodes[to], from: OperationTests.nodes[0], term: Term(1))
      return try table.begin(
        ShardLeader.kind, OperationTests.params(plan), by: "operator", at: Stamp(microseconds: time),
        in: OperationTests.topology())
    }
    func advance(_ record: Operation, _ state: Operation.State, _ text: String = "", at time: Int64 = 0) -> Operation? {
      table.advance(OperationChange(record, state, step: 0, text), at: Stamp(microseconds: time))
    }
    func cancel(_ number: UInt64, at time: Int64 = 0) -> Operation? {
      table.cancel(number, at: Stamp(microseconds: time))
    }
  }
  private let directory = Directory()

  @Test func aShardBelongsToOneOperationAtATime() throws {
    let first = try directory.begin(3)
    #expect(first.number == 1 && first.state == .running && first.holds == [ShardID(3)])
    #expect(try directory.begin(3, at: 9) == first, "the same again is the same")
    #expect(throws: OperationTable.Refused.self) { try directory.begin(3, to: 2) }
    #expect(try directory.begin(4, to: 2).number == 2)
    // Over, it holds nothing.
    #expect(directory.cancel(1, at: 20)?.state == .cancelled)
    #expect(try directory.begin(3, to: 2).number == 3)
    #expect(directory.table.find(1)?.ended == Stamp(microseconds: 20))
  }

  @Test func whatCannotBeginIsRefusedAndHoldsNothing() throws {
    #expect(throws: OperationTable.Refused(code: .conflict, text: "there is no shard 9")) { try directory.begin(9) }
    #expect(throws: OperationTable.Refused.self) { try directory.begin(3, to: 3) }
    #expect(directory.table == OperationTable())
  }

  @Test func aChangeHappensOnce() throws {
    let record = try directory.begin(3)
    let waiting = try #require(directory.advance(record, .waiting, "x"))
    #expect(waiting.text == "x" && directory.advance(record, .waiting, "x") == nil, "it comes again")
    #expect(directory.advance(record, .failed, "y") == nil && directory.table.find(1) == waiting)
    let running = try #require(directory.advance(waiting, .running))
    #expect(running.attempt == 1 && running.revision == 2)
    #expect(directory.advance(running, .done, "z", at: 8)?.state == .done)
    #expect(directory.table.open.isEmpty && directory.table.over.map(\.text) == ["z"])
    #expect(directory.advance(running, .failed) == nil)
    #expect(directory.cancel(1)?.state == .done && directory.cancel(2) == nil)
  }

  @Test func theNewestAreKept() throws {
    let stays = try directory.begin(4)
    for _ in 0..<OperationTable.overKept + 5 { _ = directory.advance(try directory.begin(3), .done) }
    let table = directory.table
    #expect(table.over.count == OperationTable.overKept && table.find(2) == nil && table.find(7) != nil)
    #expect(table.find(stays.number)?.state == .running)
    #expect(table.newest(2, before: 0).map(\.number) == [1_006, 1_005])
    #expect(table.newest(3, before: 8).map(\.number) == [7, 1])
  }

  @Test func bytesGiveTheSameBack() throws {
    _ = try directory.begin(4)
    _ = directory.advance(try directory.begin(3), .failed, "why", at: 77)
    var restored = OperationTable()
    restored.restore(newest: directory.table.newest)
    for operation in directory.table.all {
      var buffer = ByteBuffer()
      operation.encode(into: &buffer)
      var reader = ByteReader(buffer.bytes)
      restored.restore(try Operation(decoding: &reader))
    }
    #expect(restored == directory.table)
  }
}

/// `CLUSTER SHARD LEADER` in simulated clusters.
@Suite struct ShardLeaderTests {
  private func leader(_ simulation: Simulation, _ shard: ShardID) -> NodeID? {
    simulation.hosts.compactMap { $0.node?.replicas[shard] }.first { $0.hasTakenOver }?.raft.id.node
  }
  private func name(_ simulation: Simulation, _ node: NodeID?) -> String {
    simulation.hosts.first { $0.nodeID == node }?.name ?? "nobody"
  }
  private func field(_ key: String, _ line: String?) -> String? {
    let words = (line ?? "").drop { $0 == "+" }.split(separator: " ").map { String($0) }
    return words.first { $0.hasPrefix(key + "=") }.map { String($0.dropFirst(key.count + 1)) }
  }
  private func isOver(_ line: String?) -> Bool { ["done", "failed", "cancelled"].contains(field("state", line)) }
  private func follow(_ simulation: Simulation, _ client: SimulatedClient, _ number: String) -> String? {
    for _ in 0..<200 {
      let line = ask(simulation, client, "CLUSTER OP SHOW \(number)")
      if isOver(line) { return line }
      simulation.run(for: 100_000)
    }
    return nil
  }

  @Test func anotherVoterLeadsFromNowOn() throws {
    let simulation = try makeCluster(seed: 91)
    let admin = try populate(simulation)
    let shard = ShardID(2)
    let old = leader(simulation, shard)
    let heir = try #require(simulation.hosts.first { $0.nodeID != old })
    let line = "CLUSTER SHARD LEADER 2 to=\(heir.name)"
    admin.clear()
    simulation.send(line + " dry-run=yes\n", on: admin)
    simulation.run(for: 1_000_000) { admin.lineCount >= 2 }
    let step = "+step=1 shard=2 from=\(name(simulation, old)) to=\(heir.name) bytes=0"
    #expect(admin.lines.last == step, "\(admin.lines)")
    #expect(leader(simulation, shard) == old)

    let begun = ask(simulation, admin, line)
    #expect(field("op", begun) == "1" && field("kind", begun) == "shard-leader", "\(begun ?? "")")
    let over = follow(simulation, admin, "1")
    #expect(field("state", over) == "done" && field("done", over) == "1", "\(over ?? "")")
    #expect(leader(simulation, shard) == heir.nodeID)
    // It stays where it was sent: the placement has it at home there.
    simulation.run(for: 10_000_000)
    #expect(leader(simulation, shard) == heir.nodeID)
    #expect(ask(simulation, admin, "EARN ann merchant=shop points=5 id=a")?.hasPrefix("+tx=") == true)
    // A snapshot of the directory has it, and all nodes answer the same.
    let others = simulation.hosts.map { host in
      simulation.connect(to: host.number).flatMap { ask(simulation, $0, "CLUSTER OP SHOW 1") }
    }
    #expect(Set(others) == [over])
  }

  @Test func whatCannotBeIsRefusedWithItsReason() throws {
    let simulation = try makeCluster(seed: 92, nodes: 4)
    let admin = try populate(simulation)
    let topology = try #require(simulation.hosts[0].node?.view.topology)
    let outsider = try #require(topology.nodes.first { !topology.shards[0].voters.contains($0.id) })
    #expect(
      ask(simulation, admin, "CLUSTER SHARD LEADER 1 to=\(outsider.name)")?.contains("is no voter of shard 1") == true)
    #expect(ask(simulation, admin, "CLUSTER SHARD LEADER 99 to=\(outsider.name)") == "-NOTFOUND there is no shard 99")
    #expect(ask(simulation, admin, "CLUSTER SHARD LEADER 1 to=nobody") == "-NOTFOUND there is no node nobody")
    #expect(ask(simulation, admin, "CLUSTER SHARD LEADER 1")?.hasPrefix("-ERR say who") == true)
    #expect(ask(simulation, admin, "CLUSTER SHARD MOVE 1 to=x")?.hasPrefix("-ERR say from whom to whom") == true)
    let voter = try #require(topology.shards[0].voters.first { $0 != leader(simulation, ShardID(1)) })
    let host = try #require(simulation.hosts.first { $0.nodeID == voter })
    simulation.kill(host.number)
    simulation.run(for: 3_000_000)
    let from = try #require(simulation.hosts.first { $0.node != nil })
    let client = try #require(simulation.connect(to: from.number))
    let answer = ask(simulation, client, "CLUSTER SHARD LEADER 1 to=\(host.name)")
    #expect(answer == "-CONFLICT node \(host.name) is not in reach; nothing was done", "\(answer ?? "")")
    #expect(ask(simulation, client, "CLUSTER OP SHOW 1")?.hasPrefix("-NOTFOUND there is no operation 1") == true)
  }

  /// The heir is cut off from the shard's leader only after the operation has begun: it fails in time, and nothing has changed.
  @Test func aHeirThatDoesNotTakeOverFailsIt() throws {
    let simulation = try makeCluster(seed: 93)
    let shard = ShardID(1)
    let old = try #require(leader(simulation, shard))
    // The directory is to be in reach of the shard's leader.
    let heir = try #require(simulation.hosts.first { ![old, leader(simulation, .directory)].contains($0.nodeID) })
    let oldHost = try #require(simulation.hosts.first { $0.nodeID == old })
    let admin = try #require(simulation.connect(to: oldHost.number))
    simulation.silence(from: heir.number, to: oldHost.number)
    simulation.silence(from: oldHost.number, to: heir.number)
    let begun = ask(simulation, admin, "CLUSTER SHARD LEADER 1 to=\(heir.name)")
    #expect(field("op", begun) == "1", "\(begun ?? "")")
    let over = follow(simulation, admin, "1")
    #expect(field("state", over) == "failed", "\(over ?? "")")
    #expect(over?.contains("nothing has changed") == true)
    #expect(ask(simulation, admin, "CLUSTER OP CANCEL 1")?.hasPrefix("-CONFLICT operation 1 is failed already") == true)
  }

  /// Whoever leads the directory dies once the operation has begun, and again: the next one goes on from the record.
  @Test(arguments: [94, 95, 96]) func itOutlivesTheDirectorysLeader(seed: UInt64) throws {
    let simulation = try makeCluster(seed: seed, nodes: 5, shards: 2)
    let shard = ShardID(1)
    let topology = try #require(simulation.hosts[0].node?.view.topology)
    let directory = try #require(leader(simulation, .directory))
    let old = leader(simulation, shard)
    let heir = try #require(
      topology.shards[0].voters.first { $0 != old && $0 != directory }.flatMap { id in
        simulation.hosts.first { $0.nodeID == id }
      })
    let asked = try #require(simulation.hosts.first { $0.nodeID != directory })
    let admin = try #require(simulation.connect(to: asked.number))
    let begun = ask(simulation, admin, "CLUSTER SHARD LEADER 1 to=\(heir.name)")
    #expect(field("op", begun) == "1", "\(begun ?? "")")
    let dead = try #require(simulation.hosts.first { $0.nodeID == directory })
    simulation.kill(dead.number)
    let over = follow(simulation, admin, "1")
    #expect(isOver(over), "\(over ?? "never")")
    if field("state", over) == "done" { #expect(leader(simulation, shard) == heir.nodeID) }
  }

  @Test func oneThatIsGivenUpEnds() throws {
    let simulation = try makeCluster(seed: 97)
    let shard = ShardID(1)
    let old = try #require(leader(simulation, shard))
    // The directory is to be in reach of the shard's leader.
    let heir = try #require(simulation.hosts.first { ![old, leader(simulation, .directory)].contains($0.nodeID) })
    let oldHost = try #require(simulation.hosts.first { $0.nodeID == old })
    let admin = try #require(simulation.connect(to: oldHost.number))
    simulation.silence(from: heir.number, to: oldHost.number)
    simulation.silence(from: oldHost.number, to: heir.number)
    _ = ask(simulation, admin, "CLUSTER SHARD LEADER 1 to=\(heir.name)")
    let second = ask(simulation, admin, "CLUSTER SHARD LEADER 1 to=\(oldHost.name)")
    #expect(second == "-CONFLICT operation 1 is under way on shard 1 (tally op wait 1)", "\(second ?? "")")
    #expect(field("state", ask(simulation, admin, "CLUSTER OP CANCEL 1")) == "cancelled")
    #expect(field("state", ask(simulation, admin, "CLUSTER SHARD LEADER 1 to=\(oldHost.name)")) != nil)
    #expect(field("state", follow(simulation, admin, "2")) == "done")
  }
}
