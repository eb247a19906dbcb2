import Base
import Testing

@testable import Cluster
@testable import Simulator

/// Requests that come to a shard that does not own their slot: the shard's log decides, not the map of whoever asks.
@Suite struct OwnershipTests {
  /// Has the node that terminals ask take shard 2 for the owner of all that shard 1 owns, or the other way round.
  private func misplace(_ simulation: Simulation, from: Int, to: Int, epoch: UInt64) throws {
    let node = try #require(simulation.hosts[0].node)
    let topology = try #require(node.membership.topology)
    var placement = topology.shards[to]
    placement.slots = topology.shards[from].slots
    placement.epoch = epoch
    node.requests.edge.place([placement])
  }
  private func member(ofShard place: Int, _ simulation: Simulation) throws -> String {
    let topology = try #require(simulation.hosts[0].node?.membership.topology)
    return (0...).lazy.map { "m\($0)" }.first { topology.shard(ofMember: $0) == topology.shards[place].shard } ?? ""
  }

  @Test func whatCameToTheWrongShardIsRefusedWithoutEffect() throws {
    let simulation = try makeCluster(seed: 81, shards: 2)
    let member = try member(ofShard: 0, simulation)
    let admin = try populate(simulation, members: [member], merchants: [("shop", "east")])
    try misplace(simulation, from: 0, to: 1, epoch: 2)
    let refused = "-UNAVAILABLE its slot has moved to another shard a moment ago; nothing was done"
    #expect(ask(simulation, admin, "EARN \(member) merchant=shop points=5 id=a") == refused)
    #expect(ask(simulation, admin, "BALANCE \(member)") == refused)
    try misplace(simulation, from: 0, to: 0, epoch: 3)
    #expect(ask(simulation, admin, "BALANCE \(member)")?.contains(" balance=0 ") == true)
    #expect(ask(simulation, admin, "EARN \(member) merchant=shop points=5 id=a")?.hasSuffix(" balance=5") == true)
    #expect(ask(simulation, admin, "EARN \(member) merchant=shop points=5 id=a")?.hasSuffix(" balance=5") == true)
  }

  @Test func whatWasOnItsWayGoesOnToTheRightShardOnce() throws {
    let simulation = try makeCluster(seed: 82, shards: 2)
    let member = try member(ofShard: 0, simulation)
    let admin = try populate(simulation, members: [member], merchants: [("shop", "east")])
    try misplace(simulation, from: 0, to: 1, epoch: 2)
    admin.clear()
    simulation.send(
      "EARN \(member) merchant=shop points=5 id=a\nBALANCE \(member)\nBALANCE \(member) read=local\n", on: admin)
    let node = try #require(simulation.hosts[0].node)
    let isUnderWay = simulation.run(for: 1_000_000) { !node.requests.edge.stream(ShardID(2)).items.isEmpty }
    try #require(isUnderWay)
    // The map is right again before the wrong shard has answered.
    try misplace(simulation, from: 0, to: 0, epoch: 3)
    simulation.run(for: 5_000_000) { admin.lineCount == 3 }
    #expect(admin.lines.count == 3 && admin.lines.allSatisfy { $0.contains(" balance=") }, "\(admin.lines)")
    #expect(ask(simulation, admin, "BALANCE \(member)")?.contains(" balance=5 ") == true)
  }
}
