import Base
import Raft
import Testing

@testable import Cluster
@testable import Simulator

/// A shard is merged into one that is on other nodes: its replicas go there first.
@Suite struct MergeTests {
  private static let members = (0..<12).map { "m\($0)" }
  private let cluster: ResizedCluster
  private var simulation: Simulation { cluster.simulation }
  private var map: Topology? { cluster.node(0)?.view.topology }

  /// Shard 1 is on the nodes 0 to 2 as they were dealt out, shard 3 on 2 to 4.
  init() throws {
    cluster = try ResizedCluster(seed: 846_000, nodes: 5, shards: 3)
    let admin = try #require(simulation.connect(to: 0))
    for member in Self.members.dropFirst(4) { #expect(ask(simulation, admin, "MEMBER ADD \(member)") == "+OK") }
    for member in Self.members { try earn(member, "first") }
  }
  private func earn(_ member: String, _ id: String) throws {
    let answer = try cluster.ask("EARN \(member) merchant=shop points=5 id=\(id)-\(member)", on: 1)
    #expect(answer.hasPrefix("+tx="), "\(answer)")
  }
  private func replicas(of shard: UInt32) -> [Int] {
    simulation.hosts.indices.filter { cluster.node($0)?.replicas[ShardID(shard)] != nil }
  }
  private func lines(_ line: String, until isDone: ([String]) -> Bool) throws -> [String] {
    let client = try #require(simulation.connect(to: 0))
    simulation.send(line + "\n", on: client)
    #expect(simulation.run(for: 20_000_000) { isDone(client.lines) }, "\(client.lines)")
    return client.lines
  }
  /// All is there once: members, their points, what was answered before, and what each was told by history.
  private func checkAll() throws {
    for member in Self.members {
      try earn(member, "first")
      try earn(member, "second")
      #expect(try cluster.ask("BALANCE \(member)").contains(" balance=10 "))
      #expect(try lines("HISTORY \(member)") { !$0.isEmpty }.first?.hasPrefix("*2") == true)
    }
    let books = try lines("AUDIT") { $0.last?.contains("total=yes") ?? false }
    #expect(books.last?.contains("balanced=yes") == true, "\(books)")
    #expect(simulation.run(for: 20_000_000) { status(simulation, 0)?.contains("healthy=yes") ?? false })
  }

  @Test func aShardIsBroughtToTheNodesOfTheOtherAndMerged() throws {
    let (stays, ends) = (try #require(map?.shards[0].voters), try #require(map?.shards[2].voters))
    #expect(ends.count { !stays.contains($0) } == 2)
    let plan = try lines("CLUSTER SHARD MERGE 1 3 dry-run=yes") { $0.count == 4 }
    #expect(plan[0] == "*3" && plan[3].contains(" to=shard 1 ") || plan[3].contains(" to=\"shard 1\""), "\(plan)")
    #expect(try cluster.ask("CLUSTER OP LIST") == "*0")
    #expect(try cluster.ask("CLUSTER SHARD MERGE 1 3").contains("kind=shard-merge"))
    let record = try cluster.wait(for: 120_000_000)
    #expect(record.contains("state=done") && record.contains("shard 3 is no more"), "\(record) \(simulation.report)")
    #expect(map?.shards.map(\.shard.rawValue) == [1, 2] && map?.shards[0].voters == stays)
    let moves = try lines("CLUSTER OP LIST") { $0.count == 4 }.filter { $0.contains("kind=shard-move") }
    #expect(moves.count == 2 && moves.allSatisfy { $0.contains("state=done") && $0.contains("by=\"operation 1\"") })
    #expect(simulation.run(for: 20_000_000) { replicas(of: 3).isEmpty }, "\(simulation.report)")
    try checkAll()

    // A start that has found the one that ended makes its journal again first.
    let host = try #require(replicas(of: 1).first)
    let node = try #require(cluster.node(host))
    let replica = try #require(node.replicas[ShardID(1)])
    func mayBegin() -> Bool { node.snapshots.take(of: replica) { _ in } }
    let isIdle = simulation.run(for: 5_000_000) {
      node.snapshots.underWay == nil && replica.snapshots.mayBegin(now: node.turn.now.monotonic)
    }
    try #require(isIdle, "\(simulation.report)")
    node.replicas.waiting = [ShardID(3)]
    #expect(!mayBegin())
    node.replicas.waiting = []
    #expect(mayBegin())
  }

  /// One of the nodes of the shard that stays is removed meanwhile: the other follows to the node that takes its place.
  @Test func theOtherShardIsGivenAnotherNodeMeanwhile() throws {
    let stays = try #require(map?.shards[0].voters)
    let common = try #require(map?.shards[2].voters.first { stays.contains($0) })
    let leaving = try #require(simulation.hosts.indices.first { cluster.id($0) == common })
    #expect(try cluster.ask("CLUSTER SHARD MERGE 1 3").contains("kind=shard-merge"))
    // The first of its replicas is on the way.
    let isMoving = simulation.run(for: 20_000_000) {
      cluster.node(0)?.shards.directory?.operations.open.contains { $0.kind == ShardMove.kind } ?? false
    }
    try #require(isMoving, "\(simulation.report)")
    let asked = leaving == 0 ? 1 : 0
    let removal = try cluster.ask("CLUSTER NODE REMOVE \(simulation.hosts[leaving].name)", on: asked)
    #expect(removal.contains("kind=node-remove"), "\(removal)")
    let number = try #require(removal.split(separator: " ").first { $0.contains("op=") }?.split(separator: "=").last)
    let removed = try cluster.wait(Int(number) ?? 0, for: 240_000_000, on: asked)
    #expect(removed.contains("state=done"), "\(removed) \(simulation.report)")
    let record = try cluster.wait(for: 240_000_000, on: asked)
    #expect(record.contains("state=done") && record.contains("shard 3 is no more"), "\(record) \(simulation.report)")
    let after = try #require(cluster.node(asked)?.view.topology)
    #expect(after.shards.map(\.shard.rawValue) == [1, 2] && after.shards.allSatisfy { !$0.voters.contains(common) })
    try checkAll()
  }

  /// The node that a replica is on its way to is drained: that move fails, and its learner goes although the merge still holds the shard.
  @Test func aLearnerThatAFailedMoveLeftGoesWhileTheMergeGoesOn() throws {
    func learner() -> NodeID? {
      simulation.hosts.indices.lazy.compactMap { cluster.node($0)?.replicas[ShardID(3)] }.first { $0.isLeader }?
        .raft.configuration.learners.first?.node
    }
    #expect(try cluster.ask("CLUSTER SHARD MERGE 1 3").contains("kind=shard-merge"))
    try #require(simulation.run(for: 20_000_000) { learner() != nil }, "\(simulation.report)")
    let node = try #require(simulation.hosts.indices.first { cluster.id($0) == learner() })
    let asked = node == 0 ? 1 : 0
    let drain = try cluster.ask("CLUSTER NODE DRAIN \(simulation.hosts[node].name)", on: asked)
    #expect(drain.contains("kind=node-drain"), "\(drain)")
    let isFailed = simulation.run(for: 60_000_000) {
      cluster.node(asked)?.shards.directory?.operations.over.contains {
        $0.kind == ShardMove.kind && $0.state == .failed
      }
        ?? false
    }
    try #require(isFailed, "\(simulation.report)")
    #expect(simulation.run(for: 60_000_000) { learner() != cluster.id(node) }, "\(simulation.report)")
    let undrain = try cluster.ask("CLUSTER NODE UNDRAIN \(simulation.hosts[node].name)", on: asked)
    #expect(undrain.hasPrefix("+op="), "\(undrain)")
    let record = try cluster.wait(for: 240_000_000, on: asked)
    #expect(record.contains("state=done") && record.contains("shard 3 is no more"), "\(record) \(simulation.report)")
    try checkAll()
  }

  @Test func whatIsGivenUpBetweenTwoMovesStaysWhereItIs() throws {
    #expect(try cluster.ask("CLUSTER SHARD MERGE 1 3").contains("kind=shard-merge"))
    let isHalf = simulation.run(for: 60_000_000) {
      cluster.node(0)?.shards.directory?.operations.over.contains { $0.kind == ShardMove.kind } ?? false
    }
    try #require(isHalf, "\(simulation.report)")
    #expect(try cluster.ask("CLUSTER OP CANCEL 1").contains("state=cancelled"))
    simulation.run(for: 30_000_000)
    #expect(cluster.node(0)?.shards.directory?.operations.open.isEmpty == true)
    let (stays, other) = (try #require(map?.shards[0].voters), try #require(map?.shards[2].voters))
    #expect(map?.shards.count == 3 && other.count { !stays.contains($0) } == 1)
    #expect(replicas(of: 3).count == 3)
    // The same said again goes on.
    let again = try cluster.ask("CLUSTER SHARD MERGE 1 3")
    #expect(again.contains("kind=shard-merge"))
    // A move of the first may have a number above its own, and this node may not know of the new one yet.
    let number = try #require(again.split(separator: " ").first { $0.contains("op=") }?.split(separator: "=").last)
    let record = try cluster.wait(Int(try #require(UInt64(number))), for: 120_000_000)
    #expect(record.contains("state=done"), "\(record) \(simulation.report)")
    try checkAll()
  }
}
