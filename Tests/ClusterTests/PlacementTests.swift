import Base
import Raft
import Testing

@testable import Cluster

@Suite struct PlacementTests {
  typealias Node = PlacementView.Node
  typealias Shard = PlacementView.Shard

  /// A cluster of the seed's: regions of some nodes, shards wherever they happen to be.
  static func cluster(seed: UInt64) -> PlacementView {
    var random = SeededGenerator(seed: seed)
    let regions = 1 + Int(random.next() % 5)
    var nodes: [Node] = []
    for region in 0..<regions {
      for _ in 0..<1 + random.next() % 5 {
        nodes.append(Node(id: NodeID(UInt64(nodes.count + 1)), region: "r\(region)"))
      }
    }
    let replicas = [1, 3, 3, 3, 5][Int(random.next() % 5)]
    while nodes.count < replicas + 1 { nodes.append(Node(id: NodeID(UInt64(nodes.count + 1)), region: "r0")) }
    let shards = (0..<1 + random.next() % 60).map { number in
      var left = nodes.map(\.id)
      var voters: [NodeID] = []
      for _ in 0..<min(replicas, nodes.count) {
        voters.append(left.remove(at: Int(random.next() % UInt64(left.count))))
      }
      return Shard(
        shard: ShardID(UInt32(number + 1)), voters: voters, leader: voters[0], bytes: random.next() % 100_000_000)
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
    let limits = Dictionary(uniqueKeysWithValues: zip(Set(view.nodes.map(\.region)).sorted(), plan.limits))
    for voters in plan.voters {
      #expect(voters.count == view.replicas && Set(voters).count == voters.count)
      #expect(voters.allSatisfy { node[$0]?.isLeaving == false })
      let inRegions = Dictionary(grouping: voters) { node[$0]?.region ?? "" }
      #expect(inRegions.allSatisfy { $1.count <= limits[$0] ?? 0 })
    }
  }
  /// Nodes of one region differ by one at most, and so do any two of regions that are not full.
  static func expectEven(_ plan: ReplicaPlan, _ view: PlacementView) {
    let loads = loads(view, plan)
    let limits = Dictionary(uniqueKeysWithValues: zip(Set(view.nodes.map(\.region)).sorted(), plan.limits))
    let byRegion = Dictionary(grouping: view.nodes.filter { $0.takesReplicas && !$0.isLeaving }, by: \.region)
    var open: [Int] = []
    for (region, nodes) in byRegion {
      let here = nodes.map { loads[$0.id] ?? 0 }
      #expect((here.max() ?? 0) - (here.min() ?? 0) <= 1)
      if here.reduce(0, +) < view.shards.count * min(limits[region] ?? 0, nodes.count) { open += here }
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

  /// No flow of as many replicas to as much room is cheaper: neither in moves nor, of as many moves, in bytes between regions.
  @Test(arguments: 0..<120) func noPlanIsCheaper(seed: UInt64) throws {
    var view = Self.cluster(seed: seed)
    view = PlacementView(nodes: view.nodes, shards: Array(view.shards.prefix(24)), replicas: view.replicas)
    if seed % 2 == 0 {
      let even = Self.after(try ReplicaPlan(view, .even), view)
      var nodes = view.nodes + [Node(id: NodeID(999), region: view.nodes[0].region)]
      if seed % 4 == 0 { nodes[Int(seed) % view.nodes.count].isLeaving = true }
      view = PlacementView(nodes: nodes, shards: even.shards, replicas: view.replicas)
    }
    let plan = try ReplicaPlan(view, .even)
    #expect(plan.cost == CheapestFlow(view, room: plan.room, limits: plan.limits) { plan.cost($0, $1) }.cost)
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
    let limitsBefore = try ReplicaPlan(even, .valid).limits
    if plan.limits[0] >= limitsBefore[0] { #expect(plan.moves.count { $0.from == leaving } == held) }
    if plan.limits == limitsBefore && view.nodes.count > view.replicas + 2 {
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

  // MARK: Leaders

  @Test(arguments: 0..<60) func leadersAreEvenAsFarAsVotersAllow(seed: UInt64) throws {
    let view = Self.cluster(seed: seed)
    let plan = try ReplicaPlan(view, .even)
    let leaders = LeaderPlan(view, voters: plan.voters)
    var led: [Int: Int] = [:]
    for (shard, leader) in leaders.leader.enumerated() {
      let leader = try #require(leader)
      #expect(plan.voters[shard].contains(view.nodes[leader].id))
      led[leader, default: 0] += 1
    }
    // No lead can go straight to a node that leads two fewer.
    for (shard, leader) in leaders.leader.enumerated() {
      for voter in plan.voters[shard] {
        let other = try #require(view.nodes.firstIndex { $0.id == voter })
        #expect((led[other] ?? 0) + 2 > led[leader ?? 0] ?? 0)
      }
    }
    var settled = Self.after(plan, view).shards
    for i in settled.indices { settled[i].leader = leaders.leader[i].map { view.nodes[$0].id } }
    let after = PlacementView(nodes: view.nodes, shards: settled, replicas: view.replicas)
    #expect(LeaderPlan(after, voters: plan.voters).moves == [])
  }

  @Test func aRegionThatShouldLeadLeads() {
    let nodes = (1...3).map { Node(id: NodeID($0), region: "r\($0)", mayLead: $0 != 3) }
    let shards = (1...6).map {
      Shard(
        shard: ShardID($0), voters: (1...3).map { NodeID($0) }, leader: NodeID(1),
        lead: $0 <= 2 ? .region("r2") : $0 <= 4 ? .region("r3") : .any)
    }
    let view = PlacementView(nodes: nodes, shards: shards, replicas: 3)
    let leaders = LeaderPlan(view, voters: shards.map(\.voters))
    #expect(leaders.leader[0] == 1 && leaders.leader[1] == 1)
    // The nodes of r3 may not lead: any other does.
    #expect(leaders.leader.allSatisfy { $0 != 2 })
    #expect(leaders.leader.count { $0 == 0 } == 3)
  }

  @Test func leadsOfNodesThatAreNotWellAndOfHeldShardsStay() {
    let nodes = (1...3).map { Node(id: NodeID($0), region: "r\($0)", mayLead: $0 != 2) }
    let shards = (1...12).map {
      Shard(
        shard: ShardID($0), voters: (1...3).map { NodeID($0) }, leader: NodeID($0 <= 4 ? 2 : 1),
        isHeld: $0 > 10)
    }
    let leaders = LeaderPlan(PlacementView(nodes: nodes, shards: shards, replicas: 3), voters: shards.map(\.voters))
    #expect(
      leaders.moves.count == 4
        && leaders.moves.allSatisfy { $0.to == NodeID(3) && (5...10).contains($0.shard.rawValue) })
  }

  // MARK: All of it

  @Test(arguments: 0..<60) func aRebalanceAppliedLeavesNothingToDo(seed: UInt64) throws {
    let view = Self.cluster(seed: seed)
    // What is missing or too much is healed, not rebalanced.
    let plan = try RebalancePlan(view, .all)
    for step in plan.steps where !step.isLeader {
      let shard = try #require(view.shards.first { $0.shard == step.shard })
      #expect(shard.voters.contains(step.from) && !shard.voters.contains(step.to) && step.bytes == shard.bytes)
    }
    #expect(try RebalancePlan(plan.after, .all).steps == [])
    let leaders = plan.after.loads.leaders
    #expect(leaders.values.reduce(0, +) == view.shards.count)
    #expect(plan.after.shards.allSatisfy { $0.leader.map($0.voters.contains) ?? false })
    #expect(try RebalancePlan(view, .replicas).steps.allSatisfy { !$0.isLeader })
    #expect(try RebalancePlan(view, .leaders).steps.allSatisfy { $0.isLeader })
  }

  /// A new cluster is placed as a rebalance would leave it, also where regions have different numbers of nodes.
  @Test(arguments: [[2, 2, 1], [1, 1, 1], [2, 1, 1], [5, 1, 1], [3, 2], [1, 4, 2, 3], [40, 3, 90, 17, 105]])
  func aNewClusterIsPlacedAsARebalanceLeavesIt(sizes: [Int]) throws {
    var nodes: [NodeRecord] = []
    for (region, size) in sizes.enumerated() {
      for number in 0..<size {
        let id = UInt64(nodes.count) &* 7_919 % 1_009 + 1
        nodes.append(
          NodeRecord(
            id: NodeID(id), name: "n\(region)-\(number)", region: "r\(region)", clientAddress: "c\(id):1",
            peerAddress: "p\(id):1", state: .up))
      }
    }
    for (shards, replicas) in [(1, 3), (6, 3), (24, 3), (200, 5)] where nodes.count >= replicas {
      let topology = try Topology.plan(
        cluster: 1, hashKey: .none, nodes: nodes, shards: shards, replicas: replicas, allowSingleRegion: false)
      let view = PlacementView(
        nodes: topology.nodes.map { Node(id: $0.id, region: $0.region) },
        shards: topology.shards.map { Shard(shard: $0.shard, voters: $0.voters, leader: $0.preferredLeader) },
        replicas: replicas)
      #expect(try RebalancePlan(view, .all).steps == [])
      Self.expectValid(try ReplicaPlan(view, .even), view)
      #expect(topology.shards.allSatisfy { $0.voters == $0.voters.sorted() && $0.voters.contains($0.preferredLeader) })
    }
  }

  /// 5 to 200 nodes, hundreds to thousands of shards, all even; then a node comes, and another is not well.
  @Test(arguments: [(5, 3_000, 3), (12, 512, 3), (24, 2_000, 4), (60, 1_000, 5), (100, 1_200, 6), (200, 1_600, 8)])
  func largeClustersArePlanned(count: Int, shards: Int, regions: Int) throws {
    var nodes = (0..<count).map { Node(id: NodeID(UInt64($0 + 1)), region: "r\($0 % regions)") }
    let dealt = (0..<shards).map { number in
      let voters = (0..<3).map { nodes[(number + $0) % count].id }
      return Shard(
        shard: ShardID(UInt32(number + 1)), voters: voters.sorted(), leader: voters[0], bytes: UInt64(number) << 12)
    }
    let first = PlacementView(nodes: nodes, shards: dealt, replicas: 3)
    let even = Self.after(try ReplicaPlan(first, .even), first)
    #expect(try ReplicaPlan(even, .even).moves == [])
    nodes.append(Node(id: NodeID(9_999), region: "r1"))
    if count > 5 { nodes[3].takesReplicas = false }
    let view = PlacementView(nodes: nodes, shards: even.shards, replicas: 3)
    let plan = try ReplicaPlan(view, .even)
    Self.expectValid(plan, view)
    Self.expectEven(plan, view)
    let part = try #require(Self.loads(view, plan)[NodeID(9_999)])
    #expect((part...2 * part).contains(plan.moves.count))
  }
}

extension ReplicaPlan {
  /// Of all moves.
  var cost: Int { holders.indices.reduce(0) { sum, shard in holders[shard].reduce(sum) { $0 + cost(shard, $1) } } }
}

/// The least cost of any plan that fills no node over its room: a flow over all arcs, found by the textbook.
struct CheapestFlow {
  private struct Arc {
    var to: Int
    var room: Int
    var cost: Int
  }
  private var arcs: [Arc] = []
  private var out: [[Int]]
  /// Nil: there is none.
  private(set) var cost: Int?

  init(_ view: PlacementView, room: [Int], limits: [Int], _ price: (Int, Int) -> Int) {
    let regions = Set(view.nodes.map(\.region)).sorted()
    let (shards, nodes) = (view.shards.count, view.nodes.count)
    out = Array(repeating: [], count: 2 + shards * (1 + regions.count) + nodes)
    func place(_ shard: Int, _ region: Int) -> Int { 2 + shards + shard * regions.count + region }
    func place(_ node: Int) -> Int { 2 + shards * (1 + regions.count) + node }
    for shard in 0..<shards {
      add(0, 2 + shard, view.replicas, 0)
      for region in regions.indices { add(2 + shard, place(shard, region), limits[region], 0) }
      for node in 0..<nodes {
        let holds = view.shards[shard].voters.contains(view.nodes[node].id)
        guard view.isOpen(node) || holds && !view.nodes[node].isLeaving else { continue }
        add(place(shard, regions.firstIndex(of: view.nodes[node].region) ?? 0), place(node), 1, price(shard, node))
      }
    }
    for node in 0..<nodes { add(place(node), 1, room[node], 0) }
    var (sum, flow) = (0, 0)
    while let cheapest = augment() {
      sum += cheapest
      flow += 1
    }
    cost = flow == shards * view.replicas ? sum : nil
  }
  private mutating func add(_ from: Int, _ to: Int, _ room: Int, _ cost: Int) {
    out[from].append(arcs.count)
    arcs.append(Arc(to: to, room: room, cost: cost))
    out[to].append(arcs.count)
    arcs.append(Arc(to: from, room: 0, cost: -cost))
  }
  private mutating func augment() -> Int? {
    var least = [Int](repeating: .max, count: out.count)
    var by = [Int](repeating: -1, count: out.count)
    var waiting = [0]
    least[0] = 0
    while !waiting.isEmpty {
      var next: Set<Int> = []
      for at in waiting {
        for number in out[at] where arcs[number].room > 0 && least[at] + arcs[number].cost < least[arcs[number].to] {
          least[arcs[number].to] = least[at] + arcs[number].cost
          by[arcs[number].to] = number
          next.insert(arcs[number].to)
        }
      }
      waiting = next.sorted()
    }
    guard least[1] < .max else { return nil }
    var at = 1
    while at != 0 {
      arcs[by[at]].room -= 1
      arcs[by[at] ^ 1].room += 1
      at = arcs[by[at] ^ 1].to
    }
    return least[1]
  }
}
