import Base
import Storage
import Testing

@testable import Cluster
@testable import Simulator

/// File descriptors that run out: waited for, and told.
@Suite struct DescriptorTests {
  @Test func aNodeWithoutDescriptorsWaitsAndGoesOnByItself() throws {
    let cluster = try DiskCluster(seed: 71, shards: 1) { $0.snapshotLogBytes = 1 << 30 }
    let follower = try #require((0..<3).first { cluster.led(by: $0) == 0 })
    let leader = try #require((0..<3).first { cluster.led(by: $0) == 1 })
    let host = cluster.host(follower)
    host.disk.limitOpenFiles(to: 0)
    // Each takes a block of the log, until that needs another file.
    let client = try #require(cluster.simulation.connect(to: leader))
    var count = 0
    while try !cluster.node(follower).health.disk.health.refusesBatches && count < 1_000 {
      try #require(
        ask(cluster.simulation, client, "EARN m0 merchant=shop points=1 id=fill\(count)")?.hasPrefix("+") == true)
      count += 1
    }
    try #require(try cluster.node(follower).health.disk.health.refusesBatches, "\(cluster.simulation.report)")
    #expect(try cluster.earnAll("dry", on: leader).allSatisfy { $0.hasPrefix("+") })
    cluster.simulation.run(for: 5_000_000)
    #expect(host.node != nil && host.exit == nil, "\(cluster.simulation.log.suffix(3))")
    for number in [leader, follower] { #expect(cluster.status(number).contains("alarms=NOFILES")) }
    #expect(cluster.logged("alarm=NOFILES this process", by: follower) == 1)
    #expect(cluster.logged("alarm=NOFILES the log has no file descriptor", by: follower) == 1)
    #expect(try cluster.answer("BALANCE m0 read=local", on: follower).hasPrefix("+"))
    host.disk.limitOpenFiles(to: nil)
    cluster.simulation.run(for: 10_000_000)
    let replica = try #require(try cluster.node(follower).replicas[ShardID(1)])
    #expect(replica.raft.stableIndex == replica.raft.lastIndex)
    for number in [leader, follower] { #expect(cluster.status(number).contains("healthy=yes")) }
    // And it is all there, also after a crash.
    cluster.simulation.kill(follower)
    cluster.simulation.start(follower)
    cluster.simulation.run(for: 3_000_000)
    let digest = try (0..<3).map { try cluster.lines("AUDIT read=local", on: $0).first ?? "" }
    #expect(digest[follower].split(separator: " ").last == digest[leader].split(separator: " ").last, "\(digest)")
    try cluster.checkBooks()
  }

  /// Where nobody can write, writes are refused, by a reason that helps.
  @Test func whereNoNodeHasADescriptorWritesAreRefused() throws {
    let cluster = try DiskCluster(seed: 72, shards: 1) { $0.snapshotLogBytes = 1 << 30 }
    for number in 0..<3 { cluster.host(number).disk.limitOpenFiles(to: 0) }
    var answer = ""
    for i in 0..<1_000 where !answer.hasPrefix("-BUSY") {
      answer = try cluster.answer("EARN m0 merchant=shop points=1 id=fill\(i)", on: 0)
    }
    #expect(
      answer.hasPrefix("-BUSY node ") && answer.contains("no file descriptor left; nothing was done"), "\(answer)")
    #expect(try cluster.answer("CLUSTER STATUS", on: 0).contains("alarms=NOFILES"))
    for number in 0..<3 { cluster.host(number).disk.limitOpenFiles(to: nil) }
    cluster.simulation.run(for: 10_000_000)
    #expect(try cluster.earnAll("after", on: 0).allSatisfy { $0.hasPrefix("+") })
    try cluster.checkBooks()
  }

  // MARK: Places

  @Test func theLastPlacesAreForOperators() throws {
    let cluster = try DiskCluster(seed: 73, shards: 1)
    let simulation = cluster.simulation
    let node = try cluster.node(0)
    // Those of the set-up are there as well.
    let ordinary = node.requests.clients.places.ordinary + 4
    node.clientsLimited(to: ordinary + ClientPlaces.reservedMax, now: simulation.moment(cluster.host(0)))
    var terminals = (0..<4).compactMap { _ in simulation.connect(to: 0) }
    let late = try #require(simulation.connect(to: 0))
    #expect(ask(simulation, terminals[3], "BALANCE m0")?.hasPrefix("+") == true)
    for line in ["EARN m0 merchant=shop points=1 id=late", "BALANCE m0", "AUDIT", "MEMBER ADD z", "PROGRAM LIST"] {
      #expect(
        ask(simulation, late, line)?.hasPrefix("-BUSY all but the last 16 connections are taken") == true, "\(line)")
    }
    for line in ["CLUSTER STATUS", "CLUSTER NODES", "HEALTH", "INFO", "PING", "HELLO 2"] {
      #expect(ask(simulation, late, line)?.first.map { "+$*".contains($0) } == true, "\(line)")
    }
    #expect(ask(simulation, late, "AUTH x")?.hasPrefix("-ERR AUTH") == true)
    #expect(try cluster.answer("BALANCE m0", on: 1).contains("balance=0"))
    // One leaves: who comes with a request first has its place.
    simulation.disconnect(terminals.removeLast())
    #expect(ask(simulation, late, "EARN m0 merchant=shop points=1 id=late")?.hasPrefix("+") == true)
    let another = try #require(simulation.connect(to: 0))
    #expect(ask(simulation, another, "BALANCE m0")?.hasPrefix("-BUSY") == true)
    simulation.disconnect(late)
    #expect(ask(simulation, another, "BALANCE m0")?.contains("balance=1") == true)
  }
}
