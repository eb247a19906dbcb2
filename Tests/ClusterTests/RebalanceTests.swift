import Base
import Raft
import Testing

@testable import Cluster
@testable import Simulator

/// What comes next of a rebalance, without a cluster; then in one.
@Suite struct RebalanceTests {
  private static let nodes = (1...4).map { NodeID(UInt64($0)) }
  private static let names = ["east-1", "north-1", "west-1", "west-2"]

  private static func topology(_ states: [NodeRecord.State] = []) -> Topology {
    let records = nodes.indices.map { i in
      NodeRecord(
        id: nodes[i], name: names[i], region: String(names[i].prefix { $0 != "-" }), clientAddress: "\(names[i]):1",
        peerAddress: "\(names[i]):2", state: i < states.count ? states[i] : .up)
    }
    let placements = (1...6).map { number in
      ShardPlacement(
        shard: ShardID(UInt32(number)), slots: .none, epoch: 7, voters: Array(nodes[0..<3]), preferredLeader: nodes[0])
    }
    return Topology(
      cluster: 1, hashKey: .none, nodes: records, directoryVoters: Array(nodes[0..<3]), shards: placements, version: 5
    )
  }
  private static func view(_ topology: Topology) -> PlacementView {
    PlacementView(
      nodes: topology.nodes.map { PlacementView.Node(id: $0.id, region: $0.region) },
      shards: topology.shards.map {
        PlacementView.Shard(shard: $0.shard, voters: $0.voters, leader: $0.preferredLeader)
      }, replicas: 3)
  }
  private static func record(_ plan: Rebalance, step: UInt32 = 0) -> Operation {
    var record = Operation(
      number: 31, kind: Rebalance.kind, params: OperationChild(plan).params, by: "operator",
      started: Stamp(microseconds: 1_000_000))
    (record.state, record.step) = (.running, step)
    return record
  }
  private static func child(_ record: Operation, _ begun: OperationChild, _ number: UInt64) -> Operation {
    var child = Operation(
      number: number, kind: Operation.Kind(rawValue: begun.kind), params: begun.params, by: record.name, started: .zero)
    child.state = .running
    child.holds = child.plan?.holds ?? []
    return child
  }

  @Test func recordsAreReadAsTheyWereWritten() throws {
    let plan = Rebalance(
      scope: .leaders,
      planned: [
        .init(
          isLeader: false, shard: ShardID(65_535), from: NodeID(.max), to: NodeID(7), bytes: 1 << 40,
          isBetweenRegions: true),
        .init(isLeader: true, shard: ShardID(1), from: .none, to: NodeID(.max)),
      ])
    let read = try #require(Self.record(plan).plan as? Rebalance)
    #expect(read == plan)
    #expect(read.target(in: nil) == "1 replicas and 1 leads" && read.steps(in: nil).count == 2)
  }

  /// A west node is new: it takes half of the west's replicas. Then leads are dealt out.
  @Test func replicasMoveFourAtATimeAndLeadsFollow() throws {
    var view = OperationView(
      record: Self.record(Rebalance(scope: .all, planned: [])), topology: Self.topology(),
      now: Stamp(microseconds: 1_500_000))
    let plan = Rebalance(scope: .all, planned: try RebalancePlan(Self.view(view.topology), .all).steps)
    let replicas = plan.planned.count { !$0.isLeader }
    #expect(replicas == 3 && plan.planned.prefix(3).allSatisfy { $0.from == Self.nodes[2] && $0.to == Self.nodes[3] })
    #expect(plan.planned.count == 3 + 4, "of six leads on one of four nodes four go")
    view.record = Self.record(plan)
    var begun: [OperationAction] = []
    while case .begin(let child, let step) = plan.next(view) {
      #expect(step == 0)
      let operation = Self.child(view.record, child, 32 + UInt64(view.children.count))
      view.children.append(operation)
      view.holders[operation.holds[0]] = operation.number
      begun.append(plan.next(view))
      if begun.count > 8 { break }
    }
    #expect(
      view.children.count == 3 && view.children.allSatisfy { $0.plan is ShardMove }, "no lead before the replicas")
    #expect(plan.next(view) == .run(step: 0))
    // One fails, and is left out, with the lead that would have gone there; two are done.
    for place in view.children.indices {
      view.children[place].state = place == 1 ? .failed : .done
      view.children[place].text = "why"
      if place != 1 { view.children[place].plan?.conclude(&view.topology) }
    }
    view.holders = [:]
    while case .begin(let child, let step) = plan.next(view) {
      #expect(step >= 3)
      var operation = Self.child(view.record, child, 32 + UInt64(view.children.count))
      #expect(operation.plan is ShardLeader)
      operation.plan?.conclude(&view.topology)
      operation.state = .done
      view.children.append(operation)
      view.record.step = step
    }
    #expect(
      plan.next(view)
        == .done(
          "moved 2 of 3 replicas and 3 of 4 leads; 2 are left, plan again (tally rebalance): operation 33 failed: why, took"
            + " 500 ms"))
  }
  @Test func noMoreThanFourAreUnderWay() throws {
    let topology = Self.topology()
    let planned = topology.shards.map {
      RebalancePlan.Step(isLeader: false, shard: $0.shard, from: Self.nodes[2], to: Self.nodes[3])
    }
    let plan = Rebalance(scope: .replicas, planned: planned)
    var view = OperationView(record: Self.record(plan), topology: topology, now: Stamp(microseconds: 1_500_000))
    while case .begin(let child, _) = plan.next(view), view.children.count < 10 {
      view.children.append(Self.child(view.record, child, 32 + UInt64(view.children.count)))
    }
    #expect(view.children.count == 4 && plan.next(view) == .run(step: 0))
  }
  /// A lost voter's place is taken before another voter of the shard is exchanged, which needs the majority.
  @Test func movesOfOneShardComeInTheirOrder() throws {
    var topology = Self.topology()
    let fifth = NodeID(5)
    topology.nodes.append(
      NodeRecord(
        id: fifth, name: "north-2", region: "north", clientAddress: "north-2:1", peerAddress: "north-2:2", state: .up))
    let first = ShardMove(shard: ShardID(2), from: Self.nodes[2], to: Self.nodes[3])
    let plan = Rebalance(
      scope: .replicas,
      planned: [
        .init(isLeader: false, shard: first.shard, from: first.from, to: first.to),
        .init(isLeader: false, shard: first.shard, from: Self.nodes[1], to: fifth),
      ])
    var view = OperationView(record: Self.record(plan), topology: topology, now: Stamp(microseconds: 1_500_000))
    view.copies.add(ShardMove(shard: ShardID(5), from: Self.nodes[0], to: first.to))
    #expect(plan.next(view) == .run(step: 0), "a copy is on its way there already")
    view.copies = CopyLoad()
    #expect(plan.next(view) == .begin(OperationChild(first), step: 0))
  }
  @Test func aStepThatIsNotPossibleAnyMoreIsLeftOut() throws {
    let plan = Rebalance(
      scope: .replicas, planned: [.init(isLeader: false, shard: ShardID(2), from: Self.nodes[2], to: Self.nodes[3])])
    var view = OperationView(
      record: Self.record(plan), topology: Self.topology([.up, .up, .up, .draining]),
      now: Stamp(microseconds: 1_500_000))
    #expect(
      plan.next(view)
        == .fail(
          "moved 0 of 1 replicas and 0 of 0 leads; 1 are left, plan again (tally rebalance): node west-2 is draining"))
    view.topology = Self.topology()
    view.holders = [ShardID(2): 40]
    #expect(plan.next(view) == .wait("shard 2 belongs to operation 40"))
    // Somebody else has done it.
    view.holders = [:]
    ShardMove(shard: ShardID(2), from: Self.nodes[2], to: Self.nodes[3]).conclude(&view.topology)
    #expect(plan.next(view) == .done("moved 1 of 1 replicas and 0 of 0 leads, took 500 ms"))
  }
  @Test func thereIsOneRebalanceAtATime() throws {
    var table = OperationTable()
    let step = RebalancePlan.Step(isLeader: false, shard: ShardID(2), from: Self.nodes[2], to: Self.nodes[3])
    func begin(_ steps: [RebalancePlan.Step]) throws -> Operation {
      try table.begin(
        Rebalance.kind, OperationChild(Rebalance(scope: .all, planned: steps)).params, by: "operator", at: .zero,
        in: Self.topology())
    }
    #expect(throws: OperationTable.Refused(code: .conflict, text: "there is nothing to move")) { try begin([]) }
    let first = try begin([step])
    #expect(try begin([step]) == first)
    var other = step
    other.shard = ShardID(3)
    #expect(
      throws: OperationTable.Refused(code: .conflict, text: "operation 1 is under way already (tally op wait 1)")
    ) { try begin([other]) }
  }

  // MARK: In a cluster

  @Test func aNewNodeIsGivenItsPartAndASecondPlanIsEmpty() throws {
    let cluster = try ResizedCluster(seed: 331, shards: 6)
    #expect(try cluster.ask("CLUSTER REBALANCE leaders").hasPrefix("*"))
    let added = try cluster.join(region: "east")
    let shown = try cluster.ask("CLUSTER REBALANCE")
    #expect(shown.hasPrefix("*"))
    #expect(try cluster.ask("CLUSTER OP LIST") == "*0", "showing begins nothing")
    #expect(try cluster.ask("CLUSTER REBALANCE apply=yes dry-run=yes").hasPrefix("*"))
    #expect(try cluster.ask("CLUSTER OP LIST") == "*0")
    let begun = try cluster.ask("CLUSTER REBALANCE apply=yes")
    #expect(begun.contains("kind=rebalance") && begun.contains("target=\"3 replicas and "), "\(begun)")
    let record = try cluster.wait(for: 120_000_000)
    #expect(record.contains("state=done") && record.contains("moved 3 of 3 replicas"), "\(record)")
    #expect(try cluster.ask("CLUSTER REBALANCE") == "*4", "a record a node, and no step")
    let topology = try #require(cluster.node(0)?.view.topology)
    #expect(topology.shards.count { $0.voters.contains(cluster.id(added)) } == 3)
    let homes = Dictionary(grouping: topology.shards, by: \.preferredLeader).mapValues(\.count)
    #expect((homes.values.min() ?? 0) >= 1 && (homes.values.max() ?? 9) <= 2)
    #expect(try cluster.ask("CLUSTER REBALANCE apply=yes") == "*4", "nothing is begun")
    #expect(try cluster.ask("CLUSTER REBALANCE voters").hasPrefix("-ERR"))
  }

  @Test func aNodeThatIsDownIsGivenNothing() throws {
    let cluster = try ResizedCluster(seed: 332, shards: 6)
    let added = try cluster.join(region: "east")
    cluster.simulation.kill(added)
    cluster.simulation.run(for: 6_000_000)
    let plan = try cluster.ask("CLUSTER REBALANCE replicas")
    #expect(plan == "*4", "\(plan)")
  }
}
