import Base
import Testing

@testable import Cluster
@testable import Simulator

/// Why a cluster is not healthy, and since when.
@Suite struct HealthTests {
  private func field(_ name: String, _ line: String) -> String? {
    line.split(separator: " ").first { $0.hasPrefix("\(name)=") }.map { String($0.dropFirst(name.count + 1)) }
  }

  @Test func aWatchKeepsTheMomentAtWhichHealthChanged() {
    func at(_ second: Int64) -> Stamp { Stamp(microseconds: second * 1_000_000) }
    var watch = HealthWatch(now: at(1))
    #expect(!watch.isHealthy && watch.since == at(1))
    watch.note(["a is down"], now: at(2))
    #expect(watch.reasons == ["a is down"] && watch.since == at(1), "it was not healthy before either")
    watch.note([], now: at(3))
    #expect(watch.isHealthy && watch.since == at(3))
    watch.note([], now: at(4))
    #expect(watch.since == at(3))
    watch.note(["b is down"], now: at(5))
    watch.note(["b is down", "c is down"], now: at(6))
    #expect(watch.reasons.count == 2 && watch.since == at(5))
  }

  @Test func aNodeSaysWhatIsWrongAndSinceWhen() throws {
    let simulation = try makeCluster(seed: 61, shards: 3)
    simulation.run(for: 6_000_000)
    let client = try #require(simulation.connect(to: 0, from: "127.0.0.1:4000"))
    func wall() -> Int64 { (Simulation.epoch + Int64(simulation.now)) / 1000 }
    func told() throws -> (text: String, since: Int64) {
      let text = try #require(ask(simulation, client, "CLUSTER STATUS"))
      return (text, try #require(field("since", text).flatMap { Int64($0) }))
    }
    let healthy = try told()
    #expect(healthy.text.contains("healthy=yes") && healthy.text.hasSuffix("why=none"), "\(healthy.text)")

    let lost = wall()
    simulation.kill(2)
    simulation.run(for: 8_000_000)
    let degraded = try told()
    #expect(
      degraded.text.contains("healthy=no") && degraded.text.hasSuffix(#"why="west-1 is down""#), "\(degraded.text)")
    #expect(degraded.since > healthy.since && (lost...(lost + 3_000)).contains(degraded.since))

    simulation.kill(1)
    simulation.run(for: 8_000_000)
    let halted = try told()
    #expect(
      halted.text.contains(
        "north-1 is down; west-1 is down; the directory, shard 1, shard 2, shard 3 without a leader"),
      "\(halted.text)")
    #expect(halted.since == degraded.since, "it has not been healthy in between")

    simulation.start(1)
    simulation.start(2)
    simulation.run(for: 20_000_000)
    let again = try told()
    #expect(again.text.contains("healthy=yes") && again.since > halted.since, "\(again.text)")
  }

  @Test func aNodeWithoutAClusterSaysSo() throws {
    let simulation = Simulation(seed: 62, nodes: 3)
    simulation.run(for: 2_000_000)
    let text = status(simulation, 1) ?? ""
    #expect(text.hasSuffix(#"why="there is no cluster yet (tally init)""#), "\(text)")
  }
}
