import Base
import Raft
import Testing

@testable import Cluster
@testable import Simulator

@Suite struct PlacementRulesTests {
  private static let regions = ["east", "east", "north", "north", "west"]
  private static func node(_ number: Int) -> NodeID { NodeID(UInt64(number + 1)) }

  /// Five nodes; three shards with a replica in each region, at home in the east.
  private static func topology() -> Topology {
    let records = regions.indices.map { i in
      NodeRecord(
        id: node(i), name: "\(regions[i])-\(i)", region: regions[i], clientAddress: "a:1", peerAddress: "a:2",
        state: .up)
    }
    let shards = (1...3).map { number in
      ShardPlacement(
        shard: ShardID(UInt32(number)), slots: .none, epoch: 1, voters: [node(0), node(2), node(4)],
        preferredLeader: node(0))
    }
    return Topology(
      cluster: 1, hashKey: .none, nodes: records, directoryVoters: [node(0)], shards: shards, version: 5)
  }
  private static func set(
    _ topology: inout Topology, spread: String? = nil, leaders: String? = nil, shard: UInt32? = nil
  ) throws {
    topology.rules = try PlacementChange(spread: spread, lead: leaders, shard: shard.map { ShardID($0) }).applied(
      to: topology)
    topology.findHomes()
  }

  @Test func aMapWithRulesIsReadAsItWasWritten() throws {
    var topology = Self.topology()
    var plain = ByteBuffer()
    topology.encode(into: &plain)
    try Self.set(&topology, spread: "north:1,east:2", leaders: "traffic")
    try Self.set(&topology, leaders: "east", shard: 2)
    var buffer = ByteBuffer()
    topology.encode(into: &buffer)
    var reader = ByteReader(buffer.bytes)
    let read = try Topology(decoding: &reader)
    #expect(read == topology && read.rules.spreadText == "east:2,north:1")
    #expect(read.rules.lead(of: ShardID(1)) == .traffic && read.rules.lead(of: ShardID(2)) == .region("east"))
    // Without rules it is what earlier builds write.
    try Self.set(&topology, spread: "even", leaders: "any")
    try Self.set(&topology, leaders: "any", shard: 2)
    var again = ByteBuffer()
    topology.encode(into: &again)
    #expect(topology.rules == PlacementRules() && again.array == plain.array)
  }

  static let refusals: [(PlacementChange, String)] = [
    (.init(spread: "east"), "spread must be like east:2,north:1 (each 1 to 7), or even"),
    (.init(spread: "east:0,north:3"), "spread must be like east:2,north:1 (each 1 to 7), or even"),
    (.init(spread: "east:1,east:2"), "spread must be like east:2,north:1 (each 1 to 7), or even"),
    (.init(spread: "east:2,north:2"), "east:2,north:2 is 4 replicas, and each shard has 3"),
    (.init(spread: "west:2,north:1"), "2 replicas in region west need as many nodes there, and there are 1"),
    (.init(lead: "mars"), "there is no node in region mars that could lead"),
    (
      .init(spread: "east:2,north:1", lead: "west"),
      "no shard has a replica in region west, from which it could be led: east:2,north:1"
    ),
    (.init(lead: "east", shard: ShardID(9)), "there is no shard 9"),
    (.init(spread: "even", shard: ShardID(1)), "say from where shard 1 is to be led: leaders="),
  ]
  @Test(arguments: refusals) func whatNobodyCanMeetIsRefused(change: PlacementChange, text: String) {
    let refused = #expect(throws: OperationTable.Refused.self) { try change.applied(to: Self.topology()) }
    #expect(refused?.text == text)
  }

  @Test func homesFollowTheRulesAndNoOtherOne() throws {
    var topology = Self.topology()
    try Self.set(&topology, leaders: "north", shard: 2)
    #expect(topology.shards.map(\.preferredLeader) == [Self.node(0), Self.node(2), Self.node(0)])
    try Self.set(&topology, leaders: "west")
    #expect(topology.shards.map(\.preferredLeader) == [Self.node(4), Self.node(2), Self.node(4)])
    // Another node of the region takes the place of a home.
    topology.shards[1].voters = [Self.node(0), Self.node(3), Self.node(4)]
    topology.findHomes()
    #expect(topology.shards[1].preferredLeader == Self.node(3))
    // Where it has no voter there, it stays.
    topology.shards[0].voters = [Self.node(0), Self.node(1), Self.node(2)]
    topology.shards[0].preferredLeader = Self.node(1)
    topology.findHomes()
    #expect(topology.shards[0].preferredLeader == Self.node(1))
  }

  @Test func breachesAreNamed() throws {
    var topology = Self.topology()
    #expect(topology.rules.breaches(in: topology) { $0.preferredLeader } == [])
    topology.shards[0].voters = [Self.node(0), Self.node(1), Self.node(2)]
    #expect(
      topology.rules.breaches(in: topology) { _ in nil } == [
        .init(shard: ShardID(1), node: Self.node(1), text: "region east has 2 of its 3 voters, and may have 1")
      ])
    try Self.set(&topology, spread: "east:2,north:1", leaders: "north")
    let breaches = topology.rules.breaches(in: topology) { _ in Self.node(0) }
    #expect(breaches.map(\.shard.rawValue) == [1, 2, 2, 3, 3])
    #expect(
      breaches[1]
        == .init(shard: ShardID(2), node: Self.node(4), text: "region west has 1 of its 3 voters, and may have 0"))
    #expect(breaches[0].text == "it is led from region east, not from north")
  }

  @Test func aMoveKeepsToTheRule() throws {
    var topology = Self.topology()
    func move(_ from: Int, _ to: Int) -> String? {
      ShardMove(shard: ShardID(1), from: Self.node(from), to: Self.node(to)).refusal(in: topology)
    }
    #expect(move(4, 1)?.hasSuffix("(east-0 is there), and the regions allow 1") == true)
    try Self.set(&topology, spread: "east:2,north:1")
    #expect(move(4, 1) == nil)
    #expect(move(4, 3)?.hasSuffix("(north-2 is there), and placement allows 1") == true)
    try Self.set(&topology, leaders: "north")
    let lead = ShardLeader(shard: ShardID(1), to: Self.node(0), from: Self.node(2), term: Term(1))
    #expect(lead.refusal(in: topology)?.hasPrefix("placement has shard 1 led from region north") == true)
  }

  @Test(arguments: 0..<40) func plansKeepToARule(seed: UInt64) throws {
    var view = PlacementTests.cluster(seed: seed)
    var left = view.replicas
    var limits: [String: Int] = [:]
    for (region, nodes) in Dictionary(grouping: view.nodes, by: \.region).sorted(by: { $0.key < $1.key }) {
      limits[region] = min(left, max(nodes.count - Int(seed % 2), 0))
      left -= limits[region] ?? 0
    }
    guard left == 0 else { return }
    view = PlacementView(nodes: view.nodes, shards: view.shards, replicas: view.replicas, limits: limits)
    let plan = try ReplicaPlan(view, .even)
    PlacementTests.expectValid(plan, view)
    PlacementTests.expectEven(plan, view)
    let region = Dictionary(uniqueKeysWithValues: view.nodes.map { ($0.id, $0.region) })
    for voters in plan.voters {
      let counts = Dictionary(grouping: voters) { region[$0] ?? "" }.mapValues(\.count)
      #expect(counts == limits.filter { $0.value > 0 })
    }
    let after = PlacementView(
      nodes: view.nodes, shards: PlacementTests.after(plan, view).shards, replicas: view.replicas, limits: limits)
    #expect(try ReplicaPlan(after, .even).moves == [])
  }

  // MARK: Traffic

  @Test func aRegionWithMostOfTheTrafficIsNamedAfterAWhile() {
    var traffic = Traffic()
    let regions = ["east", "north", "north"]
    func second(_ counts: [UInt32]) {
      for (edge, count) in counts.enumerated() where count > 0 { traffic.note(count, from: UInt32(edge)) }
      traffic.tick()
    }
    func region() -> String? { traffic.region { regions[Int($0)] } }
    for _ in 1..<Traffic.patience { second([10, 40, 40]) }
    #expect(region() == nil)
    second([10, 40, 40])
    #expect(region() == "north")
    // It has to be clear.
    for _ in 0..<200 { second([50, 30, 20]) }
    #expect(region() == nil)
    for _ in 0..<200 { second([70, 20, 10]) }
    #expect(region() == "east")
    // Little says nothing.
    for _ in 0..<600 { second([0, 0, 0]) }
    #expect(region() == nil)
  }

  // MARK: In a cluster

  @Test func leadersGoWhereTheRuleWantsThem() throws {
    let cluster = try ResizedCluster(seed: 341, shards: 6)
    let simulation = cluster.simulation
    let region = simulation.hosts[1].configuration.region
    #expect(try cluster.ask("CLUSTER PLACEMENT SHOW").hasPrefix("*1"))
    #expect(
      try cluster.ask("CLUSTER PLACEMENT SET leaders=mars").hasPrefix("-CONFLICT there is no node in region mars"))
    #expect(try cluster.ask("CLUSTER PLACEMENT SET leaders=\(region) dry-run=yes").hasPrefix("*"))
    #expect(cluster.node(0)?.view.topology?.rules == PlacementRules())
    #expect(try cluster.ask("CLUSTER PLACEMENT SET leaders=\(region)") == "*1")
    let areThere = simulation.run(for: 30_000_000) {
      (1...6).allSatisfy { cluster.node(1)?.replicas[ShardID(UInt32($0))]?.hasTakenOver == true }
    }
    #expect(areThere)
    #expect(try cluster.ask("CLUSTER PLACEMENT SHOW") == "*1")
    // Who comes back from a crash finds the rule, and the leads come back to it.
    simulation.kill(1)
    simulation.run(for: 5_000_000)
    #expect(try cluster.ask("CLUSTER PLACEMENT SHOW") == "*7", "each shard is led from elsewhere")
    try #require(simulation.start(1))
    let areBack = simulation.run(for: 60_000_000) {
      (1...6).allSatisfy { cluster.node(1)?.replicas[ShardID(UInt32($0))]?.hasTakenOver == true }
    }
    #expect(areBack)
  }

  @Test func leadersFollowTraffic() throws {
    let cluster = try ResizedCluster(seed: 342)
    let simulation = cluster.simulation
    let shard = ShardID(1)
    #expect(try cluster.ask("CLUSTER PLACEMENT SET leaders=traffic") == "*1")
    let leader = try #require(cluster.leader)
    let other = (leader + 1) % 3
    let client = try #require(simulation.connect(to: other))
    let end = simulation.now + 90_000_000
    while simulation.now < end, cluster.node(other)?.replicas[shard]?.hasTakenOver != true {
      for number in 0..<4 { simulation.send("BALANCE m\(number)\n", on: client) }
      simulation.run(for: 200_000)
    }
    #expect(cluster.node(other)?.replicas[shard]?.hasTakenOver == true)
    // It stays there when there is none, and does not go home.
    simulation.run(for: 60_000_000)
    #expect(cluster.node(other)?.replicas[shard]?.hasTakenOver == true)
  }
}
