import Testing

@testable import Simulator

/// What docs/protocol.md promises, asked of a whole cluster.
@Suite struct ContractTests {
  private func open(seed: UInt64, shards: Int = 3) throws -> (Simulation, SimulatedClient) {
    let simulation = try makeCluster(seed: seed, shards: shards)
    let client = try #require(simulation.connect(to: 0))
    for line in [
      "PROGRAM SET main earn=1/100", "MERCHANT SET shop program=main", "MERCHANT SET cafe program=main",
      "MEMBER ADD ann", "MEMBER ADD ben", "MEMBER ADD cyd",
    ] { #expect(ask(simulation, client, line) == "+OK") }
    return (simulation, client)
  }
  /// The answer, all its lines.
  private func all(_ simulation: Simulation, _ client: SimulatedClient, _ line: String) -> [String] {
    client.clear()
    simulation.send(line + "\n", on: client)
    simulation.run(for: 3_000_000) {
      guard let first = client.lines.first else { return false }
      return client.lineCount > (first.hasPrefix("*") ? Int(first.dropFirst()) ?? 0 : 0)
    }
    return client.lines
  }
  private func field(_ name: String, _ line: String) -> String? {
    line.split(separator: " ").first { $0.hasPrefix(name + "=") || $0.hasPrefix("+" + name + "=") }
      .map { String($0.split(separator: "=", maxSplits: 1)[1]) }
  }

  // MARK: Reading

  @Test func aNodeThatIsCutOffClaimsNoLeadership() throws {
    let (simulation, _) = try open(seed: 27)
    simulation.run(for: 5_000_000)
    let client = try #require(simulation.connect(to: 0))
    let rows = all(simulation, client, "CLUSTER NODES").dropFirst()
    #expect(rows.allSatisfy { field("leaders", $0) == "1" }, "\(rows)")
    simulation.cut(0, 1)
    simulation.cut(0, 2)
    simulation.run(for: 5_000_000)
    let status = try #require(ask(simulation, client, "CLUSTER STATUS"))
    #expect(
      field("healthy", status) == "no" && field("leaders", status) == "0" && field("up", status) == "1", "\(status)")
    let alone = all(simulation, client, "CLUSTER NODES").dropFirst()
    #expect(alone.allSatisfy { field("leaders", $0) == "0" }, "\(alone)")
    #expect(all(simulation, client, "CLUSTER SHARDS").dropFirst().allSatisfy { field("leader", $0) == "none" })
    let other = try #require(simulation.connect(to: 1))
    let led = all(simulation, other, "CLUSTER NODES").dropFirst().compactMap {
      field("leaders", $0).flatMap { Int($0) }
    }
    #expect(led.reduce(0, +) == 3, "\(led)")
  }
}
