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
}
