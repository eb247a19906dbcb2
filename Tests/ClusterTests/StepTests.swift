import Base
import Ledger
import Testing

@testable import Cluster
@testable import Simulator

/// Entries that take more than one turn to apply.
@Suite struct StepTests {
  /// A cluster in which each turn applies some eight purchases and takes long; and the leader of its one shard.
  private func makeCluster(seed: UInt64) throws -> (cluster: DiskCluster, leader: Int) {
    let cluster = try DiskCluster(seed: seed, shards: 1) { $0.applyWork = 8 }
    cluster.simulation.faults.busyTurn = 2_000
    let leader = try #require(
      (0..<3).first { cluster.simulation.hosts[$0].node?.replicas[ShardID(1)]?.isLeader == true })
    return (cluster, leader)
  }
  private func replica(_ cluster: DiskCluster, _ host: Int) throws -> Replica {
    try #require(try cluster.node(host).replicas[ShardID(1)])
  }
  /// Has the leader propose one entry of many purchases.
  private func send(_ cluster: DiskCluster, _ leader: Int, count: Int, more: String = "") throws -> SimulatedClient {
    let client = try #require(cluster.simulation.connect(to: leader))
    let lines = (0..<count).map { "EARN m0 merchant=shop points=1 id=step\($0)\n" }
    cluster.simulation.send(lines.joined() + more, on: client)
    return client
  }
  /// Runs until an entry is half applied at a host.
  private func stopInTheMidst(_ cluster: DiskCluster, _ host: Int, past place: Int = 50) throws {
    let isThere = cluster.simulation.run(for: 5_000_000) {
      (cluster.simulation.hosts[host].node?.replicas[ShardID(1)]?.applying.open?.cursor.place ?? 0) > place
    }
    try #require(isThere, "\(cluster.simulation.report)")
  }

  @Test func oneTurnAppliesABoundedPartOfAnEntry() throws {
    let (cluster, leader) = try makeCluster(seed: 101)
    let client = try send(cluster, leader, count: 300)
    var last = 0
    var most = 0
    cluster.simulation.run(for: 10_000_000) {
      if let open = cluster.simulation.hosts[leader].node?.replicas[ShardID(1)]?.applying.open {
        if open.cursor.place > last { most = max(most, open.cursor.place - last) }
        last = open.cursor.place
      }
      return client.lineCount == 300
    }
    #expect(last > 250 && most <= 8, "\(last) \(most)")
    #expect(client.lines.allSatisfy { $0.hasPrefix("+tx=") } && client.lines.last?.contains("balance=300") == true)
    try cluster.checkBooks()
  }

  @Test func nobodySeesPartOfAnEntry() throws {
    let (cluster, leader) = try makeCluster(seed: 102)
    #expect(try cluster.answer("EARN m0 merchant=shop points=7 id=first", on: leader).hasPrefix("+tx="))
    cluster.simulation.run(for: 1_000_000)
    _ = try send(cluster, leader, count: 300)
    for host in 0..<3 {
      try stopInTheMidst(cluster, host)
      let reader = try #require(cluster.simulation.connect(to: host))
      cluster.simulation.send("BALANCE m0 read=local\nHISTORY m0 limit=1 read=local\n", on: reader)
      #expect(try replica(cluster, host).beginSnapshot() == nil)
      #expect(reader.lineCount == 0)
      let isAnswered = cluster.simulation.run(for: 5_000_000) { reader.lineCount >= 2 }
      // The whole of it, or of some entry after it.
      let balance = reader.lines.first ?? ""
      #expect(isAnswered && balance.contains("balance=307 "), "\(host): \(reader.lines) \(cluster.simulation.report)")
      if host == 0 { break }
    }
    try cluster.checkBooks()
  }

  @Test func queriesThatRideOnAnEntrySeeTheirPlace() throws {
    let (cluster, leader) = try makeCluster(seed: 103)
    let client = try #require(cluster.simulation.connect(to: leader))
    var lines: [String] = []
    for i in 0..<200 {
      lines.append("EARN m0 merchant=shop points=1 id=ride\(i)\n")
      if i % 20 == 19 { lines.append("BALANCE m0\nHISTORY m0 limit=1\nEARN m0 merchant=shop points=1 id=ride\(i)\n") }
    }
    cluster.simulation.send(lines.joined(), on: client)
    cluster.simulation.run(for: 20_000_000) {
      client.lines.count(where: { $0.hasPrefix("+tx=") && $0.contains("balance=") }) >= 210
    }
    let balances = client.lines.filter { $0.hasPrefix("+member=") }
    #expect(balances.count == 10)
    for (i, line) in balances.enumerated() { #expect(line.contains("balance=\((i + 1) * 20) "), "\(line)") }
    #expect(!client.lines.contains { $0.hasPrefix("-") }, "\(client.lines.filter { $0.hasPrefix("-") })")
  }

  @Test func aLeaderThatIsLostInTheMidstLeavesNothingHalf() throws {
    let (cluster, leader) = try makeCluster(seed: 104)
    let client = try send(cluster, (leader + 1) % 3, count: 300)
    try stopInTheMidst(cluster, leader)
    cluster.simulation.kill(leader)
    let isAnswered = cluster.simulation.run(for: 30_000_000) { client.lineCount == 300 }
    #expect(isAnswered && client.lines.allSatisfy { $0.hasPrefix("+tx=") }, "\(client.lines.suffix(2))")
    cluster.simulation.start(leader)
    cluster.simulation.run(for: 3_000_000)
    #expect(try cluster.answer("BALANCE m0", on: leader).contains("balance=300 "))
    try cluster.checkBooks()
  }
}
