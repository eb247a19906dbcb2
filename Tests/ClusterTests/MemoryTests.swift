import Base
import Testing

@testable import Cluster
@testable import Simulator

/// Memory that runs out: a mode, not an end.
@Suite struct MemoryTests {
  private func strain(_ cluster: DiskCluster, _ hosts: [Int], to share: UInt64) {
    for number in hosts { cluster.host(number).setMemoryLimit(asUsed: share) }
    cluster.simulation.run(for: 2_000_000)
  }
  private func relax(_ cluster: DiskCluster) {
    for number in 0..<3 { cluster.host(number).memoryLimit = .max }
    cluster.simulation.run(for: 2_000_000)
  }
  private static let growing = [
    "EARN m1 merchant=shop points=1 id=g1", "HOLD m1 merchant=shop points=1 id=g2", "MEMBER ADD new",
    "CARD ADD 77 member=m1", "TRANSFER m1 m2 points=1 id=g3", "PROGRAM SET other earn=1/1",
    "MERCHANT SET other program=main",
  ]

  /// What goes on while a voter is over its limit, and what does not.
  @Test func atTheLimitNothingGrowsAndTheRestGoesOn() throws {
    let cluster = try DiskCluster(seed: 91)
    func answer(_ line: String) throws -> String { try cluster.answer(line, on: 0) }
    func tx(_ line: String) throws -> String {
      let answer = try answer(line)
      return try String(#require(answer.split(separator: " ").first { $0.hasPrefix("+tx=") }).dropFirst(4))
    }
    let before = try cluster.earnAll("before", on: 0)
    let earned = try tx("EARN m1 merchant=shop points=100 id=e")
    let holds = try (0..<2).map { try tx("HOLD m1 merchant=shop points=5 id=h\($0)") }
    // All that has a request id, to be told again later.
    let decided = [
      "REDEEM m2 merchant=shop points=1 id=d0", "HOLD m1 merchant=shop points=900 id=d1",
      "TRANSFER m1 m2 points=2 id=d2", "MEMBER ADD d3 id=d3", "MEMBER ADD d4 card=44 id=d4",
      "CARD ADD 55 member=m1 id=d5",
      "CARD LOST 55 id=d6", "CARD FOUND 55 id=d7", "MEMBER FREEZE d3 id=d8", "TRANSFER card:55 m2 points=1 id=d9",
    ]
    let decidedThen = try decided.map { try answer($0) }
    strain(cluster, [1], to: 104)
    #expect(cluster.led(by: 1) == 0, "\(cluster.simulation.report)")
    for host in 0..<3 {
      for line in MemoryTests.growing {
        let answer = try cluster.answer(line, on: host)
        #expect(answer == "-BUSY the memory of north-1 is at its limit; nothing was done", "\(line): \(answer)")
      }
      #expect(cluster.status(host).contains("healthy=no") && cluster.status(host).contains("alarms=NOMEM"))
    }
    let going = [
      "REDEEM m1 merchant=shop points=1 id=r1", "CAPTURE \(holds[0]) id=r2", "RELEASE \(holds[1]) id=r3",
      "REFUND \(earned) points=1 id=r4",
    ]
    let gone = try going.map { try answer($0) }
    #expect(gone.allSatisfy { $0.hasPrefix("+tx=") }, "\(gone)")
    #expect(try answer("MEMBER FREEZE m5") == "+OK" && answer("MEMBER THAW m5") == "+OK")
    let health = try answer("HEALTH")
    #expect(health.hasPrefix("+healthy"), "\(health)")
    #expect(try cluster.earnAll("before", on: 2) == before)
    #expect(cluster.logged("alarm=NOMEM memory-limit-mb is reached", by: 1) == 1)
    // A tenth more: nothing is written, and all else is said.
    strain(cluster, [1], to: 112)
    for line in MemoryTests.growing + ["REDEEM m1 merchant=shop points=1 id=r5", "MEMBER FREEZE m5"] {
      #expect(try answer(line).hasPrefix("-BUSY the memory of north-1 is "), "\(line)")
    }
    let again = try going.map { try answer($0) }
    #expect(again == gone)
    for (line, then) in zip(decided, decidedThen) {
      for host in 0..<3 {
        let now = try cluster.answer(line, on: host)
        #expect(now == then, "\(line): \(now)")
      }
    }
    #expect(try cluster.earnAll("before", on: 0) == before)
    #expect(try answer("BALANCE m1").hasPrefix("+member=m1 ") && answer("CLUSTER NODES").hasPrefix("*3"))
    relax(cluster)
    #expect(try MemoryTests.growing.map { try answer($0) }.allSatisfy { $0.hasPrefix("+") })
    #expect(cluster.status(0).contains("healthy=yes") && cluster.status(0).contains("alarms=none"))
    #expect(cluster.simulation.run(for: 10_000_000) { cluster.led(by: 1) > 0 }, "\(cluster.simulation.report)")
    try cluster.checkBooks()
  }

  @Test func aNodeOverItsLimitStartsWithWhatItHas() throws {
    let cluster = try DiskCluster(seed: 92)
    let before = try cluster.earnAll("before", on: 0)
    strain(cluster, [0, 1, 2], to: 120)
    for number in 0..<3 { cluster.simulation.kill(number) }
    for number in 0..<3 { #expect(cluster.simulation.start(number), "\(cluster.host(number).failure ?? "")") }
    #expect(cluster.simulation.run(for: 20_000_000) { cluster.status(0).contains("leaders=3") })
    cluster.simulation.run(for: 2_000_000)
    #expect(try cluster.earnAll("before", on: 1) == before)
    #expect(try cluster.earnAll("now", on: 1).allSatisfy { $0.hasPrefix("-BUSY the memory of ") })
    // A voter that is away counts for a while by what it said last.
    relax(cluster)
    strain(cluster, [2], to: 104)
    cluster.simulation.kill(2)
    cluster.simulation.run(for: 5_000_000)
    #expect(try cluster.earnAll("away", on: 0).allSatisfy { $0.hasPrefix("-BUSY the memory of west-1 ") })
    cluster.simulation.run(for: 30_000_000)
    #expect(try cluster.earnAll("away", on: 0).allSatisfy { $0.hasPrefix("+") })
  }

  @Test func levelsComeAtTheirSharesAndGoALittleBelow() {
    func levels(_ shares: [UInt64]) -> [MemoryLevel] {
      var level = MemoryLevel.ok
      return shares.map { share in
        level = level.next(used: share * 1_000, limit: 100_000)
        return level
      }
    }
    #expect(levels([0, 79, 80, 76, 75, 74]) == [.ok, .ok, .near, .near, .near, .ok])
    #expect(levels([99, 100, 96, 95, 94, 100]) == [.near, .over, .over, .over, .near, .over])
    #expect(levels([110, 106, 105, 104, 109, 110, 50]) == [.farOver, .farOver, .farOver, .over, .over, .farOver, .ok])
    for used in [0, 1, UInt64.max] {
      #expect(MemoryLevel.ok.next(used: used, limit: 0) == .ok)
      _ = MemoryLevel.farOver.next(used: used, limit: .max)
      _ = MemoryLevel.ok.next(used: used, limit: 1)
    }
  }

  @Test func requestsThatWaitTakeAPartOfMemory() throws {
    let cluster = try DiskCluster(seed: 93)
    let node = try cluster.node(0)
    let now = cluster.simulation.moment(cluster.host(0))
    let whole = node.configuration.shardQueueBytes
    node.memoryMeasured(MemoryUsage(used: 0, limit: .max), now: now)
    #expect(node.requests.edge.streamBytesMax == whole)
    node.memoryMeasured(MemoryUsage(used: 0, limit: 256 << 20), now: now)
    #expect(node.requests.edge.streamBytesMax == (256 << 20) / 16 / node.requests.edge.shardCount)
    node.memoryMeasured(MemoryUsage(used: 0, limit: 1), now: now)
    #expect(node.requests.edge.streamBytesMax == 1 << 20)
    // What was given to the disk for journals is accounted for to the last byte.
    #expect(try cluster.earnAll("a", on: 0).allSatisfy { $0.hasPrefix("+") })
    cluster.simulation.run(for: 1_000_000)
    for number in 0..<3 { #expect(try cluster.node(number).health.disk.journal.bytesWaiting == 0) }
  }
}
