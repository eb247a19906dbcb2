import Base
import Storage
import Testing

@testable import Cluster
@testable import Simulator

/// What `MEMBER ERASE` took away is gone from all disks in time: from snapshots, from the log, and from the files that either left.
@Suite struct ErasedBytesTests {
  private static let within: UInt64 = 120_000_000

  private func makeCluster(seed: UInt64) throws -> DiskCluster {
    try DiskCluster(seed: seed) { configuration in
      configuration.eraseWithin = ErasedBytesTests.within
      configuration.snapshotCommands = 40
      configuration.logTailBytes = 1 << 20
    }
  }
  /// The files that have it, of all hosts.
  private func files(_ cluster: DiskCluster, with text: String = "Secret-") -> [String] {
    let sought = Array(text.utf8)
    return cluster.simulation.hosts.flatMap { host in
      host.disk.paths.filter { path in
        guard let bytes = host.disk.contents(path), bytes.count >= sought.count else { return false }
        return bytes.withUnsafeBytes { raw in
          (0...raw.count - sought.count).contains {
            raw[$0] == sought[0] && raw[$0..<$0 + sought.count].elementsEqual(sought)
          }
        }
      }.map { "\(host.number)\($0)" }
    }
  }
  private func populate(_ cluster: DiskCluster) throws {
    let lines = [
      "MEMBER ADD zoe name=Secret-name birthday=1999-02-03 x.hobby=Secret-hobby card=Secret-card id=a",
      "ALIAS ADD phone:Secret-phone member=zoe id=b", "CARD ADD Secret-lost member=zoe id=c",
      "CARD LOST Secret-lost id=d",
      "MEMBER NOTE card:Secret-card kind=visit text=Secret-note id=e",
      "EARN card:Secret-card merchant=shop points=100 id=f", "TRANSFER phone:Secret-phone m1 points=7 id=g",
      "REDEEM phone:Secret-phone merchant=shop points=3 id=h",
      "ADJUST phone:Secret-phone points=5 direction=up reason=goodwill id=i note=Secret-why",
    ]
    for line in lines {
      let answer = try cluster.answer(line, on: 0)
      #expect(answer.hasPrefix("+"), "\(line): \(answer)")
    }
  }

  @Test func aQuietClusterForgetsInTime() throws {
    let cluster = try makeCluster(seed: 883_010)
    try populate(cluster)
    #expect(files(cluster).contains { $0.hasSuffix(".wal") })
    cluster.simulation.run(for: 20_000_000)
    #expect(files(cluster).contains { $0.hasSuffix(".snap") })
    #expect(try cluster.answer("MEMBER ERASE card:Secret-card id=z", on: 1) == "+OK")
    #expect(!files(cluster).isEmpty)
    cluster.simulation.run(for: ErasedBytesTests.within)
    #expect(files(cluster).isEmpty, "\(files(cluster))")
    #expect(try cluster.answer("MEMBER ERASE zoe id=z", on: 2) == "+OK")
    let history = try cluster.lines("HISTORY zoe", on: 2)
    #expect(history.first == "*4" && history[4].contains("points=100"), "the movements stay: \(history)")
    #expect(try cluster.lines("TRAIL verb=ADJUST", on: 0).contains { $0.contains("target=zoe ") }, "and who moved them")
    try cluster.checkBooks()
  }

  @Test func soDoesOneThatIsBusyAndWhoseNodesStartAnew() throws {
    let cluster = try makeCluster(seed: 883_011)
    try populate(cluster)
    #expect(try cluster.answer("MEMBER ERASE zoe id=z", on: 1) == "+OK")
    var round = 0
    let end = cluster.simulation.now + ErasedBytesTests.within
    while cluster.simulation.now < end {
      round += 1
      _ = try cluster.earnAll("r\(round)", on: round % 3)
      cluster.simulation.run(for: 1_500_000)
      if round % 20 == 0 {
        cluster.simulation.kill(round / 20 % 3)
        cluster.simulation.run(for: 1_000_000)
        cluster.simulation.start(round / 20 % 3)
      }
    }
    #expect(files(cluster).isEmpty, "\(files(cluster))")
    #expect(try cluster.answer("EARN card:Secret-card merchant=shop points=100 id=f", on: 0).hasPrefix("-NOTFOUND "))
    try cluster.checkBooks()
  }
}
