import Base
import Protocol
import Testing

@testable import Cluster
@testable import Simulator

/// Terminals that ask for more history than a node can tell at once.
@Suite struct HistoryLoadTests {
  /// A member with so many transactions, and a terminal at each node. The last is a node that does not lead the member.
  private func makeMember(
    transactions: Int, configure: @escaping (inout NodeConfiguration) -> Void
  ) throws -> (Simulation, edges: [Int]) {
    let simulation = try makeCluster(seed: 71, shards: 1, configure: configure)
    let client = try populate(simulation)
    client.clear()
    simulation.send((0..<transactions).map { "EARN ann merchant=shop points=1 id=r\($0)\n" }.joined(), on: client)
    simulation.run(for: 10_000_000) { client.lineCount == transactions }
    try #require(client.lineCount == transactions)
    // All replicas hear that it is committed.
    simulation.run(for: 500_000)
    let leading = simulation.hosts.filter { $0.node?.replicas[ShardID(1)]?.isLeader == true }.map(\.number)
    return (simulation, (0..<3).filter { !leading.contains($0) })
  }

  @Test func framesBetweenNodesStayWithinTheirBoundHoweverMuchIsAsked() throws {
    let bound = 16 << 10
    let (simulation, edges) = try makeMember(transactions: 60) { $0.frameBytes = bound }
    let client = try #require(simulation.connect(to: edges[0]))
    simulation.network.longestTransmission = 0
    simulation.send(String(repeating: "HISTORY ann limit=10\n", count: 200), on: client)
    simulation.run(for: 10_000_000) { client.lineCount >= 200 * 11 }
    #expect(client.lineCount == 200 * 11)
    #expect(client.lines.allSatisfy { $0 == "*10" || $0.hasPrefix("+tx=") })
    #expect(simulation.network.longestTransmission > bound / 2 && simulation.network.longestTransmission <= bound + 64)
  }

  @Test func oneTerminalMayAskWithoutLimitAndHoldsLittleInMemory() throws {
    let (simulation, edges) = try makeMember(transactions: 60) {
      $0.clientRecords = 500
      $0.journalWindow = 2_000
    }
    let node = try #require(simulation.hosts[edges[0]].node)
    let client = try #require(simulation.connect(to: edges[0]))
    simulation.send(String(repeating: "HISTORY ann limit=50\n", count: 300), on: client)
    #expect(node.requests.clients.all.allSatisfy { $0.outstandingRecords <= 550 })
    simulation.run(for: 20_000_000) { client.lineCount >= 300 * 51 }
    #expect(client.lineCount == 300 * 51)
    #expect(client.lines.allSatisfy { $0 == "*50" || $0.hasPrefix("+tx=") })
  }

  /// However many walks wait at the member's leader, a repeat waits for none of them.
  @Test func aRepeatDoesNotWaitForHistories() throws {
    let (simulation, edges) = try makeMember(transactions: 60) { $0.clientRecords = 10_000 }
    let leader = try #require((0..<3).first { !edges.contains($0) })
    var readers: [SimulatedClient] = []
    for _ in 0..<8 { readers.append(try #require(simulation.connect(to: leader))) }
    for reader in readers { simulation.send(String(repeating: "HISTORY ann limit=50\n", count: 150), on: reader) }
    simulation.hosts[leader].diskPace.slowness = 20
    let node = try #require(simulation.hosts[leader].node)
    simulation.run(for: 5_000_000) { node.health.disk.journal.cost > 40_000 }
    let terminal = try #require(simulation.connect(to: edges[1]))
    simulation.send("EARN ann merchant=shop points=1 id=r7\n", on: terminal)
    simulation.run(for: 5_000_000) { terminal.lineCount > 0 }
    #expect(terminal.lines.first?.hasPrefix("+tx=") == true, "\(terminal.lines)")
    #expect(node.health.disk.journal.cost > 20_000, "\(node.health.disk.journal.cost)")
    simulation.run(for: 20_000_000) { readers.allSatisfy { $0.lineCount == 150 * 51 } }
    #expect(readers.allSatisfy { $0.lineCount == 150 * 51 })
  }

  @Test func tooManyHistoriesAtOnceAreToldBusyAndRepeatsAreAnsweredMeanwhile() throws {
    let (simulation, edges) = try makeMember(transactions: 60) {
      $0.clientRecords = 500
      $0.journalWindow = 2_000
    }
    var readers: [SimulatedClient] = []
    for i in 0..<40 { readers.append(try #require(simulation.connect(to: edges[i % 2]))) }
    for reader in readers { simulation.send(String(repeating: "HISTORY ann limit=50\n", count: 10), on: reader) }
    let local = try #require(simulation.connect(to: edges[0]))
    simulation.send(String(repeating: "HISTORY ann limit=50 read=local\n", count: 8), on: local)
    let terminal = try #require(simulation.connect(to: edges[1]))
    simulation.send("EARN ann merchant=shop points=1 id=r7\n", on: terminal)
    var most = 0
    simulation.run(for: 1_000_000) {
      most = max(most, simulation.hosts.compactMap { $0.node?.health.disk.journal.cost }.max() ?? 0)
      return false
    }
    #expect(most > 1_000 && most <= 2_001, "\(most)")
    #expect(terminal.lines.first?.hasPrefix("+tx=") == true, "\(terminal.lines)")
    let answers = readers.flatMap(\.lines).filter { !$0.hasPrefix("+tx=") }
    #expect(answers.count == 400)
    #expect(answers.allSatisfy { $0 == "*50" || $0.hasPrefix("-BUSY ") })
    #expect(answers.contains("*50") && answers.contains { $0.hasPrefix("-BUSY ") })
    #expect(local.lineCount == 8 * 51, "\(local.lines.prefix(3))")
    // And when they are done, all is as before.
    simulation.run(for: 5_000_000)
    #expect(simulation.hosts.allSatisfy { $0.node?.health.disk.journal.cost == 0 })
    local.clear()
    simulation.send("HISTORY ann limit=50\n", on: local)
    simulation.run(for: 5_000_000) { local.lineCount >= 51 }
    #expect(local.lines.first == "*50")
  }
}
