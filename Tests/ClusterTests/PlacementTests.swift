import Base
import Raft
import Testing

@testable import Cluster

@Suite struct PlacementTests {
  typealias Node = PlacementView.Node
  typealias Shard = PlacementView.Shard

  /// A cluster of the seed's: regions of some nodes, shards wherever they happen to be.
  static func cluster(seed: UInt64, isLarge: Bool = false) -> PlacementView {
    var random = SeededGenerator(seed: seed)
    let regions = 1 + Int(random.next() % (isLarge ? 8 : 5))
    var nodes: [Node] = []
    for region in 0..<regions {
      for _ in 0..<1 + random.next() % (isLarge ? 25 : 5) {
        nodes.append(Node(id: NodeID(UInt64(nodes.count + 1)), region: "r\(region)"))
      }
    }
    let replicas = [1, 3, 3, 3, 5][Int(random.next() % 5)]
    while nodes.count < replicas + 1 { nodes.append(Node(id: NodeID(UInt64(nodes.count + 1)), region: "r0")) }
    let shards = (0..<1 + random.next() % (isLarge ? 2_000 : 60)).map { number in
      var left = nodes.map(\.id)
      var voters: [NodeID] = []
      for _ in 0..<min(replicas, nodes.count) {
        voters.append(left.remove(at: Int(random.next() % UInt64(left.count))))
      }
      return Shard(
        shard: ShardID(UInt32(number + 1)), voters: voters, bytes: random.next() % 1_000_000)
    }
    return PlacementView(nodes: nodes, shards: shards, replicas: replicas)
  }
  /// The same after the plan was carried out.
  static func after(_ plan: ReplicaPlan, _ view: PlacementView, nodes: [Node]? = nil) -> PlacementView {
    let voters = plan.voters
    let shards = zip(view.shards, voters).map { shard, voters in
      var shard = shard
      shard.voters = voters
      return shard
    }
    return PlacementView(nodes: nodes ?? view.nodes, shards: shards, replicas: view.replicas)
  }
  static func loads(_ view: PlacementView, _ plan: ReplicaPlan) -> [NodeID: Int] {
    plan.voters.joined().reduce(into: [:]) { $0[$1, default: 0] += 1 }
  }
  static func expectValid(_ plan: ReplicaPlan, _ view: PlacementView) {
    let node = Dictionary(uniqueKeysWithValues: view.nodes.map { ($0.id, $0) })
    for voters in plan.voters {
      #expect(voters.count == view.replicas && Set(voters).count == voters.count)
      #expect(voters.allSatisfy { node[$0]?.isLeaving == false })
      let inRegions = Dictionary(grouping: voters) { node[$0]?.region ?? "" }
      #expect(inRegions.values.allSatisfy { $0.count <= plan.regionLimit })
    }
  }
  /// Nodes of one region differ by one at most, and so do any two of regions that are not full.
  static func expectEven(_ plan: ReplicaPlan, _ view: PlacementView) {
    let loads = loads(view, plan)
    let byRegion = Dictionary(grouping: view.nodes.filter { $0.takesReplicas && !$0.isLeaving }, by: \.region)
    var open: [Int] = []
    for (_, nodes) in byRegion {
      let here = nodes.map { loads[$0.id] ?? 0 }
      #expect((here.max() ?? 0) - (here.min() ?? 0) <= 1)
      if here.reduce(0, +) < view.shards.count * min(plan.regionLimit, nodes.count) { open += here }
    }
    #expect((open.max() ?? 0) - (open.min() ?? 0) <= 1, "\(open)")
  }

  @Test(arguments: 0..<60) func plansAreValidAndEven(seed: UInt64) throws {
    let view = Self.cluster(seed: seed)
    let plan = try ReplicaPlan(view, .even)
    Self.expectValid(plan, view)
    Self.expectEven(plan, view)
    // What is even stays.
    let again = try ReplicaPlan(Self.after(plan, view), .even)
    #expect(again.moves == [])
  }

  @Test(arguments: 0..<40) func aNewNodeTakesItsPartAndNothingElseMoves(seed: UInt64) throws {
    let view = Self.cluster(seed: seed)
    let even = Self.after(try ReplicaPlan(view, .even), view)
    let region = view.nodes[Int(seed) % view.nodes.count].region
    let newcomer = Node(id: NodeID(999), region: region)
    let larger = PlacementView(nodes: view.nodes + [newcomer], shards: even.shards, replicas: view.replicas)
    let plan = try ReplicaPlan(larger, .even)
    Self.expectValid(plan, larger)
    Self.expectEven(plan, larger)
    // Every node that is over its part gives just what it is over.
    let before = even.shards.reduce(into: [NodeID: Int]()) { for voter in $1.voters { $0[voter, default: 0] += 1 } }
    let after = Self.loads(larger, plan)
    let over = larger.nodes.reduce(0) { $0 + max(0, (before[$1.id] ?? 0) - (after[$1.id] ?? 0)) }
    #expect(plan.moves.count(where: { $0.to != nil }) >= over)
    // Where regions have their limit, a replica may have to make way for another.
    #expect(plan.moves.count <= 2 * over)
  }

  @Test(arguments: 0..<40) func aNodeThatLeavesIsEmptiedAndNothingElseMoves(seed: UInt64) throws {
    let view = Self.cluster(seed: seed)
    let even = Self.after(try ReplicaPlan(view, .even), view)
    var nodes = view.nodes
    nodes[Int(seed) % nodes.count].isLeaving = true
    let leaving = nodes[Int(seed) % nodes.count].id
    let smaller = PlacementView(nodes: nodes, shards: even.shards, replicas: view.replicas)
    let plan = try ReplicaPlan(smaller, .valid)
    Self.expectValid(plan, smaller)
    let held = even.shards.count { $0.voters.contains(leaving) }
    let limitBefore = try ReplicaPlan(even, .valid).regionLimit
    if plan.regionLimit >= limitBefore { #expect(plan.moves.count { $0.from == leaving } == held) }
    if plan.regionLimit == limitBefore && view.nodes.count > view.replicas + 2 {
      // A shard whose only free places are over the region's limit moves another replica as well.
      #expect(plan.moves.count <= held * 2)
    }
  }

  @Test func aReplicaGoesToItsOwnRegionWhereItCan() throws {
    let nodes = (1...6).map { Node(id: NodeID(UInt64($0)), region: ["a", "b", "c"][($0 - 1) / 2]) }
    let shards = (1...8).map {
      Shard(shard: ShardID(UInt32($0)), voters: [1, 3, 5].map { NodeID($0) }, bytes: 10)
    }
    let plan = try ReplicaPlan(PlacementView(nodes: nodes, shards: shards, replicas: 3), .even)
    #expect(plan.moves.count == 12)
    #expect(plan.moves.allSatisfy { !$0.isBetweenRegions })
    #expect(plan.moves.allSatisfy { ($0.from?.rawValue ?? 0) + 1 == $0.to?.rawValue })
  }

  @Test func aFullPathIsFoundWhereNobodyWithRoomMayTakeIt() throws {
    // Node 4 has room, and is in the region of both other voters of what leaves: another must make way.
    let nodes = [(1, "a"), (2, "b"), (3, "c"), (4, "a"), (5, "c")].map { Node(id: NodeID($0.0), region: $0.1) }
    var leaving = nodes
    leaving[4].isLeaving = true
    let shards = (1...4).map {
      Shard(shard: ShardID($0), voters: [1, 2, $0 % 2 == 0 ? 3 : 5].map { NodeID($0) }, bytes: 1)
    }
    let view = PlacementView(nodes: leaving, shards: shards, replicas: 3)
    let plan = try ReplicaPlan(view, .even)
    Self.expectValid(plan, view)
    Self.expectEven(plan, view)
  }

  @Test func shardsOfOtherOperationsStay() throws {
    var view = Self.cluster(seed: 7)
    view = PlacementView(
      nodes: view.nodes,
      shards: view.shards.map {
        var shard = $0
        shard.isHeld = shard.shard.rawValue % 3 == 0
        return shard
      }, replicas: view.replicas)
    let plan = try ReplicaPlan(view, .even)
    #expect(plan.moves.allSatisfy { $0.shard.rawValue % 3 != 0 })
  }

  @Test func tooFewNodesAreNamedBeforeAnythingMoves() {
    let nodes = (1...3).map { Node(id: NodeID($0), region: "r\($0)", isLeaving: $0 == 3) }
    let shards = [Shard(shard: ShardID(1), voters: (1...3).map { NodeID($0) })]
    #expect(throws: ReplicaPlan.Impossible(text: "3 replicas need as many nodes that take them, and there are 2")) {
      try ReplicaPlan(PlacementView(nodes: nodes, shards: shards, replicas: 3), .valid)
    }
  }

  @Test(arguments: 0..<1) func largeClustersArePlanned(seed: UInt64) throws {
    let view = Self.cluster(seed: 1_000 + seed, isLarge: true)
    let even = Self.after(try ReplicaPlan(view, .even), view)
    let larger = PlacementView(
      nodes: view.nodes + [Node(id: NodeID(9_999), region: view.nodes[0].region)], shards: even.shards,
      replicas: view.replicas)
    let plan = try ReplicaPlan(larger, .even)
    Self.expectValid(plan, larger)
    Self.expectEven(plan, larger)
  }
}
