import Base
import Ledger
import Raft
import Testing

@testable import Cluster
@testable import Simulator

/// When newer semantics begin in a cluster whose nodes are of different builds: once an operator has ended the upgrade.
@Suite struct SemanticsTests {
  /// Node 2 plays an older build.
  private func makeMixed(seed: UInt64) throws -> Simulation {
    var made = 0
    return try makeCluster(seed: seed, shards: 2) { configuration in
      if made == 2 { configuration.semantics = Semantics.first }
      made += 1
    }
  }
  private func machines(_ simulation: Simulation) -> [any Machine] {
    simulation.hosts.flatMap { host in (host.node.map { Array($0.replicas) } ?? []).map { $0.machine } }
  }
  private func restart(_ simulation: Simulation, _ host: Int, semantics: UInt8) {
    simulation.kill(host)
    simulation.hosts[host].configuration.semantics = semantics
    simulation.start(host)
  }

  @Test func newSemanticsBeginOnceAllNodesKnowThem() throws {
    let simulation = try makeMixed(seed: 71)
    let client = try populate(simulation)
    #expect(ask(simulation, client, "EARN ann merchant=shop points=5 id=a")?.hasPrefix("+") == true)
    simulation.run(for: 5_000_000)
    #expect(machines(simulation).count == 9 && machines(simulation).allSatisfy { $0.semantics == Semantics.first })
    // While a node is away, nobody knows what it knows.
    simulation.kill(2)
    simulation.run(for: 5_000_000)
    #expect(machines(simulation).allSatisfy { $0.semantics == Semantics.first })
    let admin = try #require(simulation.connect(to: 0))
    #expect(ask(simulation, admin, "CLUSTER UPGRADE FINISH") == "-CONFLICT node west-1 is not in reach")
    simulation.start(2)
    simulation.run(for: 5_000_000)
    #expect(
      ask(simulation, admin, "CLUSTER UPGRADE FINISH")
        == "-CONFLICT node west-1 knows semantics 1 only: start a newer build there")
    restart(simulation, 2, semantics: Semantics.newest)
    // All know them, and nobody has said that they may begin: until then each node can go back to the older build.
    simulation.run(for: 10_000_000)
    #expect(machines(simulation).count == 9 && machines(simulation).allSatisfy { $0.semantics == Semantics.first })
    let begun = ask(simulation, admin, "CLUSTER UPGRADE FINISH") ?? ""
    #expect(begun.contains("kind=upgrade-finish target=\"semantics \(Semantics.newest)\""), "\(begun)")
    let isDone = simulation.run(for: 20_000_000) {
      machines(simulation).count == 9 && machines(simulation).allSatisfy { $0.semantics == Semantics.newest }
    }
    try #require(isDone, "\(simulation.report)")
    let again = try #require(simulation.connect(to: 1))
    #expect(ask(simulation, again, "EARN ann merchant=shop points=5 id=a")?.contains("balance=5") == true)
    #expect(ask(simulation, again, "EARN ann merchant=shop points=5 id=b")?.contains("balance=10") == true)
    // What was begun is remembered through a restart of all.
    for host in 0..<3 { simulation.kill(host) }
    for host in 0..<3 { simulation.start(host) }
    simulation.run(for: 5_000_000)
    #expect(machines(simulation).count == 9 && machines(simulation).allSatisfy { $0.semantics == Semantics.newest })
  }

  @Test func aNodeThatMeetsSemanticsItDoesNotKnowStopsApplyingAndSaysWhy() throws {
    let simulation = try makeMixed(seed: 72)
    let client = try populate(simulation)
    restart(simulation, 2, semantics: Semantics.newest)
    let admin = try #require(simulation.connect(to: 0))
    let isBegun = simulation.run(for: 20_000_000) {
      ask(simulation, admin, "CLUSTER UPGRADE FINISH")?.hasPrefix("+") == true
    }
    try #require(isBegun)
    let isRaised = simulation.run(for: 20_000_000) {
      machines(simulation).count == 9 && machines(simulation).allSatisfy { $0.semantics == Semantics.newest }
    }
    try #require(isRaised, "\(simulation.report)")
    restart(simulation, 2, semantics: Semantics.first)
    simulation.run(for: 10_000_000)
    let node = try #require(simulation.hosts[2].node)
    let replicas = node.replicas.map { $0 }
    #expect(!replicas.isEmpty && replicas.allSatisfy { $0.poison?.kind == "SEMANTICS" && !$0.isLeader })
    let text =
      "are of semantics \(Semantics.newest), and this build knows up to 1: nothing from there on is applied here; start a newer build"
    #expect(simulation.log.contains { $0.contains(text) })
    // The others go on, and it goes on as what it can be: it votes and acknowledges.
    simulation.kill(1)
    let isServed = simulation.run(for: 20_000_000) {
      ask(simulation, client, "EARN ann merchant=shop points=5 id=c")?.hasPrefix("+") == true
    }
    #expect(isServed, "\(simulation.report)")
    simulation.start(1)
    restart(simulation, 2, semantics: Semantics.newest)
    let isMended = simulation.run(for: 20_000_000) {
      let replicas = simulation.hosts[2].node?.replicas.map { $0 } ?? []
      return replicas.count == 3
        && replicas.allSatisfy { $0.poison == nil && $0.machine.lastIndex == $0.raft.commitIndex }
        && status(simulation, 2)?.contains("healthy=yes") == true
    }
    #expect(isMended, "\(simulation.report)")
  }
}
