import Cluster
import Testing

@testable import Simulator

/// A cluster of three regions, made and running; one node may end as soon as it is made.
func makeCluster(
  seed: UInt64, nodes: Int = 3, shards: Int = 3, faults: Simulation.Faults = .init(), without missing: Int? = nil,
  turnRunner: (any TurnRunner)? = nil, observer: (any ReplicaObserver)? = nil,
  configure: (inout NodeConfiguration) -> Void = { _ in }
) throws -> Simulation {
  let simulation = Simulation(
    seed: seed, nodes: nodes, faults: faults, turnRunner: turnRunner, observer: observer,
    configure: configure)
  simulation.run(for: 1_000_000)
  let admin = try #require(simulation.connect(to: 0))
  let answer = try #require(ask(simulation, admin, "CLUSTER INIT shards=\(shards) replicas=3"))
  try #require(answer.hasPrefix("+cluster="), "\(answer)")
  if let missing { simulation.kill(missing) }
  let healthy = simulation.run(for: 20_000_000) {
    (0..<nodes).allSatisfy {
      $0 == missing || status(simulation, $0)?.contains(missing == nil ? "healthy=yes" : "leaders=\(shards)") ?? false
    }
  }
  try #require(healthy, "\(simulation.log)")
  return simulation
}

/// What there is to ask about: a program, its merchants, each in a region, and members. Gives the connection that made
/// them.
@discardableResult
func populate(
  _ simulation: Simulation, members: [String] = ["ann"],
  merchants: [(name: String, region: String)] = [("shop", "east")]
) throws -> SimulatedClient {
  let admin = try #require(simulation.connect(to: 0))
  var lines = ["PROGRAM SET main earn=1/100 expire=never"]
  lines += merchants.map { "MERCHANT SET \($0.name) program=main region=\($0.region)" }
  lines += members.map { "MEMBER ADD \($0)" }
  // With an id, so that a leader that goes home meanwhile leaves no doubt.
  for (number, line) in lines.enumerated() {
    #expect(ask(simulation, admin, "\(line) id=set-up-\(number)") == "+OK", "\(line)")
  }
  return admin
}

func status(_ simulation: Simulation, _ host: Int) -> String? {
  guard let client = simulation.connect(to: host, from: "127.0.0.1:4000") else { return nil }
  simulation.send("CLUSTER STATUS\n", on: client)
  return client.lines.first
}

/// Sends a line and waits for its one-line answer.
func ask(_ simulation: Simulation, _ client: SimulatedClient, _ line: String, for limit: UInt64 = 20_000_000) -> String?
{
  client.clear()
  simulation.send(line + "\n", on: client)
  simulation.run(for: limit) { client.lineCount > 0 }
  return client.lines.first
}

/// Sends a line and waits for all lines of its answer.
func askAll(
  _ simulation: Simulation, _ client: SimulatedClient, _ line: String, for limit: UInt64 = 20_000_000
) -> [String] {
  client.clear()
  simulation.send(line + "\n", on: client)
  simulation.run(for: limit) {
    guard let first = client.lines.first else { return false }
    return client.lineCount > (first.hasPrefix("*") ? Int(first.dropFirst()) ?? 0 : 0)
  }
  return client.lines
}

@Suite struct ClusterLifeTests {
  @Test func threeNodesBecomeAClusterThatSetsAProgram() throws {
    let simulation = try makeCluster(seed: 1)
    let client = try #require(simulation.connect(to: 1))
    #expect(ask(simulation, client, "PROGRAM SET main earn=1/100 expire=12m") == "+OK")
    #expect(ask(simulation, client, "MERCHANT SET shop program=main region=east") == "+OK")
    simulation.send("PROGRAM LIST\n", on: client)
    simulation.run(for: 1_000_000)
    #expect(client.lines.contains { $0.contains("program=main kind=points") }, "\(client.lines)")
  }
}
