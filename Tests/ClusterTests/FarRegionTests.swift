import Base
import Testing

@testable import Cluster
@testable import Raft
@testable import Simulator

/// Regions that are far apart: how many round trips a request takes. In virtual time, so the figures are exact.
@Suite struct FarRegionTests {
  /// There and back, in microseconds.
  private static let roundTrip: UInt64 = 60_000

  /// Three regions, each so far from the others; disks that take half a millisecond.
  private func makeFarCluster(seed: UInt64) throws -> Simulation {
    var faults = Simulation.Faults()
    faults.minimumDelay = FarRegionTests.roundTrip / 2
    faults.maximumDelay = FarRegionTests.roundTrip / 2
    faults.minimumWrite = 400
    faults.maximumWrite = 600
    let simulation = try makeCluster(seed: seed, shards: 1, faults: faults)
    // Leadership goes home, and the nodes learn how far they are from each other.
    simulation.run(for: 4_000_000)
    try populate(simulation, members: (0..<16).map { "m\($0)" })
    return simulation
  }
  private func leader(_ simulation: Simulation) throws -> Int {
    try #require(
      simulation.hosts.firstIndex { $0.node?.replica(ShardID(1))?.isLeader == true }, "\(simulation.report)")
  }

  /// Sixteen terminals at a host, each with one request under way; the mean of what `count` requests took, in round trips.
  private func meanTrips(
    _ simulation: Simulation, at host: Int, count: Int, _ line: @escaping (Int) -> String
  ) throws -> Double {
    var total: UInt64 = 0
    var begun = 0
    var done = 0
    var wrong: [String] = []
    func begin(_ client: SimulatedClient, _ terminal: Int) {
      let number = begun
      begun += 1
      let since = simulation.now
      client.deliver = { answer in
        total += simulation.now - since
        done += 1
        let text = String(decoding: answer ?? [], as: UTF8.self)
        if !text.hasPrefix("+") { wrong.append(text) }
        // A terminal takes a moment between two requests, and each another.
        let pause = 1_000 + UInt64(number * 7_919 % 29_000)
        if begun < count { simulation.call(after: pause) { begin(client, terminal) } }
      }
      simulation.send(line(number) + "\n", on: client)
    }
    for terminal in 0..<16 {
      let client = try #require(simulation.connect(to: host))
      simulation.call(after: UInt64(terminal) * 3_700) { begin(client, terminal) }
    }
    simulation.run(for: 60_000_000) { done == count }
    try #require(done == count && wrong.isEmpty, "\(done) \(wrong.prefix(3))")
    return Double(total) / Double(count) / Double(FarRegionTests.roundTrip)
  }

  @Test func aRequestWaitsForNoneOfThoseBeforeIt() throws {
    let simulation = try makeFarCluster(seed: 301)
    let home = try leader(simulation)
    let here = try meanTrips(simulation, at: home, count: 320) {
      "EARN m\($0 % 16) merchant=shop points=1 id=h\($0)"
    }
    #expect(here >= 1 && here <= 1.06, "\(here)")
    let away = try meanTrips(simulation, at: (home + 1) % 3, count: 320) {
      "EARN m\($0 % 16) merchant=shop points=1 id=a\($0)"
    }
    #expect(away >= 2 && away <= 2.1, "\(away)")
  }

  @Test func neitherDoReadsAmongWrites() throws {
    let simulation = try makeFarCluster(seed: 302)
    let home = try leader(simulation)
    let here = try meanTrips(simulation, at: home, count: 320) {
      $0 % 3 == 0 ? "EARN m\($0 % 16) merchant=shop points=1 id=r\($0)" : "BALANCE m\($0 % 16)"
    }
    #expect(here <= 1.06, "\(here)")
  }
}
