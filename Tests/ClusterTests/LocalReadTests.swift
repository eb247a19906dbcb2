import Base
import Testing

@testable import Cluster
@testable import Simulator

/// What `read=local` promises.
@Suite struct LocalReadTests {
  /// An audit's marker is stamped ahead of the clock, and what follows it is stamped later still.
  @Test func asofIsNeverAheadOfTheClock() throws {
    let simulation = try makeCluster(seed: 93, shards: 1)
    let client = try populate(simulation)
    // All replicas hear of it.
    simulation.run(for: 500_000)
    let readers = try (0..<3).map { try #require(simulation.connect(to: $0)) }
    var promised = 0
    for round in 0..<30 {
      simulation.send("AUDIT\nEARN ann merchant=shop points=1 id=r\(round)\n", on: client)
      for _ in 0..<20 {
        simulation.run(for: 500)
        for reader in readers {
          reader.clear()
          simulation.send("BALANCE ann read=local\n", on: reader)
          let field = reader.lines.first?.split(separator: " ").first { $0.hasPrefix("asof=") }
          let asof = try #require(field.flatMap { Int64($0.dropFirst(5)) }, "\(reader.lines)")
          #expect(asof * 1000 <= Simulation.epoch + Int64(simulation.now))
          if asof > 0 { promised += 1 }
        }
      }
    }
    #expect(promised == 30 * 20 * 3)
  }

  /// The shard's leadership passes on and on between nodes whose clocks are up to 400 ms apart; replicas fall behind at
  /// times. Whatever was answered before the moment that `asof=` names is in the balance beside it.
  @Test(
    arguments: [
      [400_000, 0, 0], [0, 0, 400_000], [200_000, 400_000, 0],
    ] as [[Int64]])
  func asofIsNeverNewerThanWhatIsThere(offsets: [Int64]) throws {
    let simulation = try makeCluster(seed: 94, shards: 1)
    try populate(simulation)
    for host in 0..<3 { simulation.hosts[host].clock.offset = offsets[host] }
    simulation.run(for: 2_000_000)
    // When each point was answered.
    var answered: [UInt64] = []
    var lastPromise: [Int64] = [0, 0, 0]
    var random = SeededGenerator(seed: 17)
    for round in 0..<24 {
      let leader = try #require(
        simulation.hosts.first { $0.node?.replicas[ShardID(1)]?.isLeader == true }, "\(simulation.report)")
      let far = Int(random.next() % 3)
      if far != leader.number, round % 2 == 0 {
        // It has applied what the leader said last, and hears nothing of the next for a while.
        for other in 0..<3 where other != far { simulation.silence(from: other, to: far) }
      }
      let heirs = (0..<3).filter { $0 != leader.number && $0 != far }
      if round % 3 == 0, let heir = heirs.first, let node = simulation.hosts[heir].node {
        leader.node?.replicas[ShardID(1)]?.transferLeadership(to: node.view.identity)
      }
      for _ in 0..<12 {
        let earner = try #require(simulation.connect(to: heirs.first ?? leader.number))
        earner.deliver = { bytes in
          if let bytes, bytes.starts(with: Array("+".utf8)) { answered.append(simulation.now) }
        }
        simulation.send("EARN ann merchant=shop points=1 id=\(round)-\(simulation.now)\n", on: earner)
        simulation.run(for: 20_000 + random.next() % 30_000)
        for host in 0..<3 {
          let reader = try #require(simulation.connect(to: host))
          simulation.send("BALANCE ann read=local\n", on: reader)
          let line = reader.lines.first ?? ""
          func number(_ name: String) -> Int64? {
            line.split(separator: " ").first { $0.dropFirst(line.hasPrefix("+" + name) ? 1 : 0).hasPrefix(name + "=") }
              .flatMap { Int64($0.split(separator: "=")[1]) }
          }
          let asof = try #require(number("asof"), "\(line)")
          let balance = try #require(number("balance"), "\(line)")
          let told = answered.filter { Simulation.epoch + Int64($0) < asof * 1000 }.count
          #expect(balance >= Int64(told), "host \(host): \(line) of \(told) that were answered by then")
          lastPromise[host] = max(lastPromise[host], asof * 1000)
        }
      }
      simulation.heal()
      if round % 3 == 2 { simulation.run(for: 1_500_000) }
    }
    // And it is of use: soon after, it is no older than the clocks are apart, and a heartbeat.
    simulation.run(for: 2_000_000)
    #expect(answered.count > 100)
    for host in 0..<3 {
      let replica = try #require(simulation.hosts[host].node?.replicas[ShardID(1)])
      #expect(Simulation.epoch + Int64(simulation.now) - replica.closedTime.microseconds < 400_000)
    }
  }
}
