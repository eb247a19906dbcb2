import Base
import Storage
import Testing

@testable import Cluster
@testable import Simulator

/// The log that all shards of a node share is not longer than it may be, whoever holds it back.
@Suite struct LogBoundTests {
  static let limit = 4 << 20

  private func makeCluster(seed: UInt64, shards: Int = 3, tail: Int = 8 << 10) throws -> DiskCluster {
    try DiskCluster(seed: seed, shards: shards) { configuration in
      configuration.logLimitBytes = LogBoundTests.limit
      configuration.snapshotLogBytes = 1 << 30
      configuration.logTailBytes = tail
    }
  }
  /// Writes so many blocks of log, by one member's shard.
  private func fill(_ cluster: DiskCluster, _ tag: String, blocks: Int) throws {
    let client = try #require(cluster.simulation.connect(to: 0))
    for i in 0..<blocks {
      let answer = ask(cluster.simulation, client, "EARN m0 merchant=shop points=1 id=\(tag)\(i)")
      try #require(answer?.hasPrefix("+") == true, "\(i): \(answer ?? "nothing") \(cluster.simulation.log.suffix(3))")
    }
  }
  private func pinned(_ cluster: DiskCluster, _ host: Int) throws -> UInt64 {
    try #require(try cluster.node(host).health.disk.health.gauges).log.pinnedBytes
  }

  private func checkRestart(of cluster: DiskCluster, balance: Int) throws {
    for host in 0..<3 {
      cluster.simulation.kill(host)
      cluster.simulation.start(host)
    }
    cluster.simulation.run(for: 5_000_000)
    #expect(try cluster.answer("BALANCE m0", on: 1).contains(" balance=\(balance) "))
    try cluster.checkBooks()
  }

  /// Shards without traffic keep their few entries at the log's very begin, and no snapshot of theirs is due.
  @Test func shardsThatRestDoNotHoldTheLogOfOthers() throws {
    let cluster = try makeCluster(seed: 81)
    try fill(cluster, "a", blocks: 2_500)
    cluster.simulation.run(for: 5_000_000)
    for host in 0..<3 {
      #expect(try pinned(cluster, host) <= UInt64(LogBoundTests.limit) + 2 << 20)
      #expect(try cluster.node(host).health.disk.counters.logRewrites > 0)
    }
    try checkRestart(of: cluster, balance: 2_500)
  }

  /// A start reads all of it: what a few old entries hold back goes long before the limit.
  @Test func aLogThatIsMostlyNeedlessIsShort() throws {
    let cluster = try DiskCluster(seed: 85) { configuration in
      configuration.logLimitBytes = 64 << 20
      configuration.snapshotCommands = 300
      configuration.logTailBytes = 8 << 10
    }
    try fill(cluster, "a", blocks: 3_000)
    cluster.simulation.run(for: 5_000_000)
    for host in 0..<3 { #expect(try pinned(cluster, host) <= 6 << 20) }
    try checkRestart(of: cluster, balance: 3_000)
  }

  /// What many shards need of a segment is moved at once.
  @Test func aSegmentGoesWithOneRewriteHoweverManyShardsHaveSomethingInIt() throws {
    let cluster = try makeCluster(seed: 84, shards: 12)
    try fill(cluster, "a", blocks: 2_500)
    for host in 0..<3 {
      let count = try cluster.node(host).health.disk.counters.logRewrites
      #expect(count > 0 && count <= 20, "\(count) times for ten segments")
      #expect(try pinned(cluster, host) <= UInt64(LogBoundTests.limit) + 1 << 20)
    }
    try cluster.checkBooks()
  }

  /// One segment alone is longer than the limit here.
  @Test func aLogThatCannotBeShortenedIsNotRewrittenAllTheTime() throws {
    let cluster = try DiskCluster(seed: 83) { $0.logLimitBytes = 900 << 10 }
    let before = try (0..<3).map { try cluster.node($0).health.disk.counters.logRewrites }
    cluster.simulation.run(for: 10_000_000)
    for host in 0..<3 {
      let count = try cluster.node(host).health.disk.counters.logRewrites - before[host]
      #expect(count > 0 && count <= 140, "\(count) times in ten seconds")
    }
  }

  /// Its snapshot never ends, and what it holds is too much to be written again.
  @Test func aShardThatCannotBeRelievedIsNotWrittenToAnyMore() throws {
    let cluster = try makeCluster(seed: 82)
    let shards = (1...3).map { ShardID(UInt32($0)) }
    func snapshotsRun(_ areRunning: Bool) throws {
      for host in 0..<3 {
        let node = try cluster.node(host)
        for replica in shards.compactMap({ node.replicas[$0] }) {
          if areRunning { replica.snapshots.begin(of: replica.machine) } else { _ = replica.snapshots.end() }
        }
      }
    }
    try snapshotsRun(true)
    let client = try #require(cluster.simulation.connect(to: 0))
    let text = String(repeating: "x", count: 50)
    var busy: String?
    for i in 0..<400 where busy == nil {
      client.clear()
      let lines = (0..<200).map { "EARN m0 merchant=shop points=1 id=\(text)\(i)-\($0)\n" }
      cluster.simulation.send(lines.joined(), on: client)
      cluster.simulation.run(for: 5_000_000) { client.lineCount == 200 }
      busy = client.lines.first { $0.hasPrefix("-") }
    }
    let state = "at \(cluster.simulation.now), closed=\(client.isClosed), \(cluster.simulation.log.suffix(9))"
    #expect(busy?.hasPrefix("-BUSY the log of node") == true, "\(busy ?? "never refused") \(state)")
    for host in 0..<3 { #expect(try pinned(cluster, host) <= UInt64(LogBoundTests.limit) * 2) }
    // It is written to again when it can be relieved.
    try snapshotsRun(false)
    cluster.simulation.run(for: 30_000_000)
    let answer = try cluster.answer("EARN m0 merchant=shop points=1 id=later", on: 0)
    #expect(answer.hasPrefix("+"), "\(answer)")
    for host in 0..<3 { #expect(try pinned(cluster, host) <= UInt64(LogBoundTests.limit)) }
    try cluster.checkBooks()
  }
}
