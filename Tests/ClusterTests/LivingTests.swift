import Base
import Testing

@testable import Cluster
@testable import Simulator

/// What operations refuse because of who is there, before anything moves.
@Suite struct LivingTests {
  /// Five nodes, a region each, of which two voters of a shard are dead; and that shard.
  private func withoutMajority(seed: UInt64) throws -> (
    cluster: ResizedCluster, shard: ShardID, dead: [Int], asked: Int
  ) {
    let cluster = try ResizedCluster(seed: seed, nodes: 5, shards: 5)
    try cluster.awaitHomes()
    let placement = try #require(cluster.node(0)?.view.topology?.shards.first)
    let hosts = cluster.simulation.hosts.indices
    let dead = Array(hosts.filter { placement.voters.contains(cluster.id($0)) }.prefix(2))
    let asked = try #require(hosts.first { !placement.voters.contains(cluster.id($0)) })
    for host in dead { cluster.simulation.kill(host) }
    cluster.simulation.run(for: 8_000_000)
    return (cluster, placement.shard, dead, asked)
  }
  private func name(_ cluster: ResizedCluster, _ host: Int) -> String {
    cluster.simulation.hosts[host].configuration.name
  }
  private func operations(_ cluster: ResizedCluster, on host: Int) throws -> String {
    try cluster.ask("CLUSTER OP LIST", on: host)
  }

  @Test func whereAMajorityIsSilentNothingMoves() throws {
    let (cluster, shard, dead, asked) = try withoutMajority(seed: 990)
    let placement = try #require(cluster.node(asked)?.view.topology?.placement(of: shard))
    let alive = try #require(
      cluster.simulation.hosts.indices.first { placement.voters.contains(cluster.id($0)) && !dead.contains($0) })
    let text =
      "shard \(shard.rawValue) needs 2 of its 3 voters alive, and only 1 (\(name(cluster, alive))) was heard within 5 s"
    for line in [
      "CLUSTER NODE REMOVE \(name(cluster, dead[0])) dead=yes", "CLUSTER NODE REMOVE \(name(cluster, alive))",
      "CLUSTER SHARD MOVE \(shard.rawValue) from=\(name(cluster, dead[0])) to=\(name(cluster, asked))",
      "CLUSTER SHARD SPLIT \(shard.rawValue)",
    ] {
      for trial in [" dry-run=yes", ""] {
        let answer = try cluster.ask(line + trial, on: asked)
        #expect(answer.hasPrefix("-CONFLICT ") && answer.contains("nothing was done"), "\(line)\(trial): \(answer)")
        #expect(answer.contains(text) || line.contains("REMOVE"), "\(line)\(trial): \(answer)")
      }
    }
    #expect(try cluster.ask("CLUSTER NODE REMOVE \(name(cluster, dead[0])) dead=yes", on: asked).contains("within 5 s"))
    #expect(try operations(cluster, on: asked) == "*0")
    for host in dead { cluster.simulation.start(host) }
    cluster.simulation.run(for: 8_000_000)
    #expect(try cluster.ask("CLUSTER SHARD SPLIT \(shard.rawValue) dry-run=yes", on: asked).hasPrefix("*"))
  }

  @Test func nobodyIsDrainedWhomOnlyTheDeadCouldFollow() throws {
    let (cluster, shard, dead, asked) = try withoutMajority(seed: 991)
    let placement = try #require(cluster.node(asked)?.view.topology?.placement(of: shard))
    let alive = try #require(
      cluster.simulation.hosts.indices.first { placement.voters.contains(cluster.id($0)) && !dead.contains($0) })
    let answer = try cluster.ask("CLUSTER NODE DRAIN \(name(cluster, alive))", on: asked)
    #expect(answer.hasPrefix("-CONFLICT ") && answer.contains("would have no eligible leader"), "\(answer)")
    #expect(try operations(cluster, on: asked) == "*0")
  }

  /// The map has a node that died for up, until it is replaced.
  @Test func nothingIsToGoToANodeThatIsAway() throws {
    let cluster = try ResizedCluster(seed: 992, nodes: 3, shards: 2)
    let (first, second) = (try cluster.join(region: "west"), try cluster.join(region: "west"))
    cluster.simulation.kill(second)
    cluster.simulation.run(for: 8_000_000)
    #expect(cluster.state(of: second) == .up)
    let taken = try cluster.ask(
      "CLUSTER NODE REPLACE \(name(cluster, 2)) to=\(name(cluster, second)) dry-run=yes")
    #expect(taken.hasPrefix("-CONFLICT ") && taken.contains("\(name(cluster, second)) is not in reach"), "\(taken)")
    // In the words of the command line it is the same.
    let words = "CLUSTER NODE REPLACE \(name(cluster, 2)) \(name(cluster, second))"
    #expect(try cluster.ask(words + " dry-run=yes") == taken)
    #expect(try cluster.ask(words + " to=\(name(cluster, second))").hasPrefix("-ERR "))
    #expect(try cluster.ask("CLUSTER NODE DRAIN \(name(cluster, 2)) \(name(cluster, second))").hasPrefix("-ERR "))
    let client = try #require(cluster.simulation.connect(to: 0, from: "127.0.0.1:4000"))
    let plan = try #require(
      ask(cluster.simulation, client, "CLUSTER NODE REMOVE \(name(cluster, 2)) dry-run=yes", for: 5_000_000))
    #expect(plan.hasPrefix("*"), "\(plan)")
    let lines = client.lines.joined(separator: "\n")
    #expect(!lines.contains(name(cluster, second)) && lines.contains(name(cluster, first)), "\(lines)")
    // Without the other there is no place.
    cluster.simulation.kill(first)
    cluster.simulation.run(for: 8_000_000)
    let refused = try cluster.ask("CLUSTER NODE REMOVE \(name(cluster, 2))")
    #expect(refused.hasPrefix("-CONFLICT ") && refused.contains("start another node first"), "\(refused)")
    #expect(try operations(cluster, on: 0) == "*0")
  }
}
