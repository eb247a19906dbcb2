import Testing

@testable import Simulator

/// Requests of one connection to one member take effect in the order sent, also where one of them waits for other shards.
@Suite struct OrderTests {
  private func open(seed: UInt64, _ lines: [String]) throws -> (Simulation, SimulatedClient) {
    let simulation = try makeCluster(seed: seed, shards: 5)
    let client = try #require(simulation.connect(to: 0))
    for line in ["PROGRAM SET main earn=1/100", "MERCHANT SET shop program=main"] + lines {
      #expect(ask(simulation, client, line) == "+OK", "\(line)")
    }
    return (simulation, client)
  }
  private func answers(
    _ simulation: Simulation, _ client: SimulatedClient, _ lines: [String]
  ) -> [String] {
    client.clear()
    simulation.send(lines.joined(separator: "\n") + "\n", on: client)
    simulation.run(for: 20_000_000) { client.lineCount == lines.count }
    return client.lines
  }

  /// The first purchases of a campaign wait for their shards' leases.
  @Test(arguments: [870_000, 870_001] as [UInt64]) func nothingOvertakesWhatWaitsForAQuota(seed: UInt64) throws {
    let members = (0..<8).map { "m\($0)" }
    let (simulation, client) = try open(
      seed: seed,
      [
        "QUOTA SET gifts limit=1000", "CAMPAIGN SET gifts state=running budget=gifts",
        "RULE SET gift program=main stage=bonus campaign=gifts when=\"channel = gift\" points=40 state=running",
      ] + members.map { "MEMBER ADD \($0)" })
    let lines = members.flatMap { member in
      [
        "EARN \(member) merchant=shop spend=0 channel=gift id=a-\(member)",
        "REDEEM \(member) merchant=shop points=30 id=b-\(member)", "BALANCE \(member)",
        "EARN \(member) merchant=shop points=5 id=c-\(member)", "BALANCE \(member)",
      ]
    }
    let answers = answers(simulation, client, lines)
    #expect(answers.count == lines.count)
    for (place, answer) in answers.enumerated() {
      #expect((answer + " ").contains(" balance=\([40, 10, 10, 15, 15][place % 5]) "), "\(lines[place]): \(answer)")
    }
    #expect(ask(simulation, client, "QUOTA SHOW gifts")?.contains(" used=320 left=680") == true)
  }

  /// Entering a pool is a request like any other.
  @Test func whatFollowsTheEntryIntoAPoolIsThePools() throws {
    let (simulation, client) = try open(seed: 870_004, ["POOL ADD home"] + (0..<6).map { "MEMBER ADD m\($0)" })
    for member in (0..<6).map({ "m\($0)" }) {
      let answers = answers(
        simulation, client,
        [
          "MEMBER SET \(member) pool=home", "EARN \(member) merchant=shop points=5 id=\(member)", "BALANCE \(member)",
          "MEMBER SET \(member) pool=none", "BALANCE \(member)",
        ])
      #expect(answers.count == 5 && answers[2].contains("pool=home"), "\(answers)")
      #expect(answers.last?.contains("balance=0 ") == true, "\(answers)")
    }
    #expect(ask(simulation, client, "BALANCE home")?.contains("balance=30 ") == true)
  }
}
