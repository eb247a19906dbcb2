import Base
import Storage
import Testing

@testable import Cluster
@testable import Simulator

/// Disks that fill up: a mode, not an end.
@Suite struct FullDiskTests {
  @Test func aNodeWhoseDiskFillsUpHandsOverAndTakesBackByItself() throws {
    let cluster = try DiskCluster(seed: 61)
    cluster.leave(512 << 10, on: 1)
    #expect(cluster.simulation.run(for: 2_000_000) { cluster.led(by: 1) == 0 }, "\(cluster.simulation.report)")
    for host in 0..<3 {
      let answers = try cluster.earnAll("full\(host)", on: host)
      #expect(answers.allSatisfy { $0.hasPrefix("+") }, "\(answers)")
      #expect(cluster.status(host).contains("healthy=no") && cluster.status(host).contains("alarms=NOSPACE"))
    }
    let row = try #require(try cluster.lines("CLUSTER NODES", on: 0).first { $0.contains("name=north-1") })
    #expect(row.contains("alarms=NOSPACE disk_free=") && !row.contains("disk_free=unknown"), "\(row)")
    #expect(cluster.logged("alarm=NOSPACE", by: 1) == 1)
    // A little more is not enough to go back: it would not last.
    cluster.leave(UInt64(1 << 20) + 50_000, on: 1)
    cluster.simulation.run(for: 5_000_000)
    #expect(cluster.led(by: 1) == 0 && cluster.status(1).contains("alarms=NOSPACE"))
    cluster.enlarge(1)
    #expect(cluster.simulation.run(for: 10_000_000) { cluster.led(by: 1) > 0 }, "\(cluster.simulation.report)")
    #expect(cluster.simulation.run(for: 2_000_000) { cluster.status(0).contains("healthy=yes") })
    #expect(cluster.status(0).contains("alarms=none"))
    try cluster.checkBooks()
  }

  @Test func withAllDisksNearlyFullWritesAreRefusedAndTheRestGoesOn() throws {
    let cluster = try DiskCluster(seed: 62)
    let before = try cluster.earnAll("before", on: 0)
    for host in 0..<3 { cluster.leave(512 << 10, on: host) }
    cluster.simulation.run(for: 3_000_000)
    for host in 0..<3 {
      let answers = try cluster.earnAll("during\(host)", on: host)
      #expect(
        answers.allSatisfy { $0.hasPrefix("-BUSY the disk of ") && $0.hasSuffix("is nearly full; nothing was done") },
        "\(answers)")
      // What was decided before is told again; what is known is told; admins go on.
      #expect(try cluster.earnAll("before", on: host) == before)
      let balance = try cluster.answer("BALANCE m0", on: host)
      #expect(balance.contains(" balance=1 "), "\(balance)")
      #expect(try cluster.answer("MERCHANT SET s\(host) program=main", on: host) == "+OK")
      #expect(try cluster.answer("HEALTH", on: host).hasPrefix("-UNAVAILABLE"))
    }
    #expect(try cluster.answer("EARN m0 merchant=shop points=2 id=before-m0", on: 0).hasPrefix("-BUSY"))
    for host in 0..<3 { cluster.enlarge(host) }
    cluster.simulation.run(for: 2_000_000)
    let after = try cluster.earnAll("during0", on: 0)
    #expect(after.allSatisfy { $0.contains(" balance=2") }, "\(after)")
    try cluster.checkBooks()
  }

  /// Whatever it was that was asked for, and whichever node is asked again.
  @Test func repeatsAreAnsweredWhileDisksAreFull() throws {
    let cluster = try DiskCluster(seed: 66)
    var asked: [(line: String, answer: String)] = []
    func ask(_ line: String) throws -> String {
      let answer = try cluster.answer(line, on: 0)
      asked.append((line, answer))
      return String(answer.split(separator: " ").first?.dropFirst("+tx=".count) ?? "")
    }
    let earn = try ask("EARN m0 merchant=shop points=50 id=e")
    _ = try ask("REDEEM m0 merchant=shop points=5 id=r")
    let first = try ask("HOLD m0 merchant=shop points=4 id=h")
    let second = try ask("HOLD m0 merchant=shop points=3 id=i")
    _ = try ask("CAPTURE \(first) points=2 id=c")
    _ = try ask("RELEASE \(second) id=l")
    _ = try ask("REFUND \(earn) points=1 id=f")
    for to in 1...3 { _ = try ask("TRANSFER m0 m\(to) points=1 id=t\(to)") }
    #expect(asked.allSatisfy { $0.answer.hasPrefix("+tx=") }, "\(asked)")
    for host in 0..<3 { cluster.leave(512 << 10, on: host) }
    cluster.simulation.run(for: 3_000_000)
    for host in 0..<3 {
      for (line, answer) in asked { #expect(try cluster.answer(line, on: host) == answer, "\(line)") }
      #expect(try cluster.answer("RELEASE \(second) id=new", on: host).hasPrefix("-BUSY"))
      #expect(try cluster.answer("REFUND \(earn) points=2 id=f", on: host).hasPrefix("-BUSY"))
    }
  }

  @Test func aLeaderWhoseFollowersHaveNoRoomRefusesWrites() throws {
    let cluster = try DiskCluster(seed: 63)
    for host in 1...2 { cluster.leave(512 << 10, on: host) }
    cluster.simulation.run(for: 3_000_000)
    #expect(cluster.led(by: 0) == 3, "\(cluster.simulation.report)")
    let answers = try cluster.earnAll("few", on: 0)
    #expect(answers.allSatisfy { $0.hasPrefix("-BUSY the disk of north-1, west-1 is nearly full") }, "\(answers)")
    // With one of them two of three have room.
    cluster.enlarge(1)
    cluster.simulation.run(for: 2_000_000)
    #expect(try cluster.earnAll("more", on: 2).allSatisfy { $0.hasPrefix("+") })
  }

  /// Fills the log of a node to the last block that its disk has. The leader's followers go on.
  @Test func aBatchThatFindsNoRoomWaitsAndIsWrittenWhenThereIsSome() throws {
    let cluster = try DiskCluster(seed: 64, shards: 1) { configuration in
      configuration.snapshotLogBytes = 1 << 30
      configuration.diskReserve = DiskReserve(byteCount: 0)
    }
    // Leadership has gone home.
    cluster.simulation.run(for: 5_000_000)
    let follower = try #require((0..<3).first { cluster.led(by: $0) == 0 })
    let leader = try #require((0..<3).first { cluster.led(by: $0) == 1 })
    cluster.leave(0, on: follower)
    let member = "m0"
    let client = try #require(cluster.simulation.connect(to: leader))
    func isRefused() throws -> Bool { try cluster.node(follower).health.disk.health.refusesBatches }
    // Each takes a block of the log, of which two segments of 1 MiB are left.
    var count = 0
    while try !isRefused() && count < 1_000 {
      let line = "EARN \(member) merchant=shop points=1 id=fill\(count)"
      try #require(ask(cluster.simulation, client, line)?.hasPrefix("+") == true)
      count += 1
    }
    try #require(try isRefused(), "\(cluster.simulation.report)")
    let replica = try #require(try cluster.node(follower).replicas[ShardID(1)])
    let stable = replica.raft.stableIndex
    #expect(stable < replica.raft.lastIndex)
    let answer = try cluster.answer("EARN \(member) merchant=shop points=1 id=a", on: leader)
    #expect(answer.hasPrefix("+"), "\(answer)")
    cluster.simulation.run(for: 5_000_000)
    #expect(replica.raft.stableIndex == stable, "what is not written is not vouched for")
    #expect(cluster.logged("alarm=NOSPACE the log has no room", by: follower) == 1)
    #expect(try cluster.answer("BALANCE \(member) read=local", on: follower).hasPrefix("+"))
    cluster.enlarge(follower)
    cluster.simulation.run(for: 5_000_000)
    #expect(replica.raft.stableIndex == replica.raft.lastIndex)
    #expect(cluster.status(follower).contains("alarms=none"))
    // And it is all there, also after a crash.
    cluster.simulation.kill(follower)
    cluster.simulation.start(follower)
    cluster.simulation.run(for: 3_000_000)
    let digest = try (0..<3).map { try cluster.lines("AUDIT read=local", on: $0).first ?? "" }
    #expect(digest[follower].split(separator: " ").last == digest[leader].split(separator: " ").last, "\(digest)")
    try cluster.checkBooks()
  }

  @Test func aNodeStartsOnADiskThatIsFull() throws {
    let cluster = try DiskCluster(seed: 65)
    let before = try cluster.earnAll("before", on: 0)
    let host = cluster.host(1)
    #expect(host.disk.paths.contains("/data/ballast"))
    // No spare segment that could be used again: all that a start needs has to come of the ballast.
    cluster.simulation.kill(1)
    let segments = host.disk.paths.filter { $0.hasSuffix(".wal") }
    #expect(segments.count == 2)
    try host.disk.remove(segments[1])
    try host.disk.syncDirectory("/data/wal")
    cluster.leave(0, on: 1)
    cluster.simulation.start(1)
    try #require(host.node != nil, "\(host.failure ?? "")")
    // Once more, with nothing left to let go of.
    cluster.simulation.run(for: 2_000_000)
    cluster.simulation.kill(1)
    cluster.leave(0, on: 1)
    cluster.simulation.start(1)
    try #require(host.node != nil, "\(host.failure ?? "")")
    cluster.simulation.run(for: 5_000_000)
    #expect(cluster.led(by: 1) == 0 && cluster.status(1).contains("NOSPACE"))
    #expect(try cluster.earnAll("before", on: 1) == before)
    cluster.enlarge(1)
    #expect(cluster.simulation.run(for: 10_000_000) { cluster.led(by: 1) > 0 }, "\(cluster.simulation.report)")
    #expect(host.disk.paths.contains("/data/ballast"))
    try cluster.checkBooks()
  }
}
