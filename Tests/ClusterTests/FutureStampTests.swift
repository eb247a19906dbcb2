import Base
import Testing

@testable import Cluster
@testable import Simulator

/// Entries that were stamped while clocks were ahead, and what becomes of them when the clocks are right again.
@Suite struct FutureStampTests {
  private func leader(_ simulation: Simulation) throws -> Int {
    simulation.run(for: 10_000_000) { simulation.hosts.contains { $0.node?.replicas[ShardID(1)]?.isLeader == true } }
    return try #require(simulation.hosts.first { $0.node?.replicas[ShardID(1)]?.isLeader == true }?.number)
  }

  @Test func whatTwoOfThreeHaveCommittedTheThirdTakesWhateverItsStamp() throws {
    let simulation = try makeCluster(seed: 61, shards: 1)
    try populate(simulation)
    simulation.hosts[0].clock.offset = 300_000_000
    simulation.hosts[1].clock.offset = 300_000_000
    simulation.run(for: 5_000_000)
    let client = try #require(simulation.connect(to: 0))
    #expect(ask(simulation, client, "EARN ann merchant=shop points=5 id=a")?.contains(" balance=5") == true)
    for host in simulation.hosts { host.clock.offset = 0 }
    let same = simulation.run(for: 10_000_000) {
      Set(simulation.hosts.compactMap { $0.node?.replicas[ShardID(1)]?.machine.lastIndex }).count == 1
    }
    #expect(same, "\(simulation.report)")
  }

  @Test func aLeaderWhoseEntriesNobodyTakesLeavesTheLeadToOthers() throws {
    let simulation = try makeCluster(seed: 62, shards: 1)
    try populate(simulation)
    let old = try leader(simulation)
    let others = [0, 1, 2].filter { $0 != old }
    // Cut off, it hears no clock but its own, which is wrong.
    for other in others { simulation.cut(old, other) }
    simulation.run(for: 20_000)
    simulation.hosts[old].clock.offset = 600_000_000
    let client = try #require(simulation.connect(to: old))
    simulation.send("EARN ann merchant=shop points=5 id=a\n", on: client)
    simulation.run(for: 50_000)
    for number in 0..<3 { simulation.kill(number) }
    simulation.heal()
    simulation.hosts[old].clock.offset = 0
    // With one other alone, only it can win: its log is the longer one.
    simulation.start(old)
    simulation.start(others[0])
    #expect(try leader(simulation) == old)
    simulation.start(others[1])
    let again = try #require(simulation.connect(to: others[0]))
    #expect(ask(simulation, again, "EARN ann merchant=shop points=7 id=b", for: 20_000_000)?.hasPrefix("+tx=") == true)
  }
}
