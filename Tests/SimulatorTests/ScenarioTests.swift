import Base
import Cluster
import Foundation
import Testing

@testable import Simulator

@Suite struct ScenarioTests {
  /// `LIFE_SEED=n` style runs are for `tally-sim`: these few show that the machinery works.
  @Test(arguments: 1...6 as ClosedRange<UInt64>) func aLifeEndsWithEverythingInOrder(seed: UInt64) {
    let scenario = Scenario(seed: seed)
    scenario.run()
    #expect(scenario.failure == nil, "tally-sim --seed \(seed) --trace")
    #expect(scenario.operations.contains { $0.result == .ok })
  }

  @Test func theSameSeedLivesTheSameLifeAndAnotherDoesNot() {
    func trace(_ seed: UInt64) -> UInt64 {
      let scenario = Scenario(seed: seed)
      scenario.run()
      return scenario.simulation.trace
    }
    let first = trace(3)
    #expect(trace(3) == first)
    #expect(trace(4) != first)
  }

  /// One byte of a request differs, and nothing that hosts decide by.
  @Test func aByteThatDiffersMakesAnotherTrace() throws {
    func trace(_ title: String) throws -> UInt64 {
      let simulation = Simulation(seed: 9, nodes: 3)
      simulation.run(for: 2_000_000)
      let admin = try #require(simulation.connect(to: 0))
      for line in ["CLUSTER INIT shards=1 replicas=3", "PROGRAM SET main title=\(title)"] {
        admin.clear()
        simulation.send(line + "\n", on: admin)
        #expect(simulation.run(for: 20_000_000) { admin.lineCount > 0 })
        simulation.run(for: 3_000_000)
      }
      #expect(admin.lines == ["+OK"])
      return simulation.trace
    }
    #expect(try trace("a") == trace("a"))
    #expect(try trace("a") != trace("b"))
  }

  /// Each process hashes with a seed of its own: what iterates a hashed collection shows between processes alone.
  @Test func anotherProcessLivesTheSameLife() throws {
    let folder = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
    func scenario() throws -> String {
      let process = Process()
      process.executableURL = folder.appendingPathComponent("tally-sim")
      process.arguments = ["--seed", "3"]
      let pipe = Pipe()
      process.standardOutput = pipe
      try process.run()
      let output = pipe.fileHandleForReading.readDataToEndOfFile()
      process.waitUntilExit()
      return String(decoding: output, as: UTF8.self)
    }
    let first = try scenario()
    #expect(first.contains("seed 3 trace "))
    #expect(try scenario() == first)
  }

  @Test func aShorterStallLetsNothingOvertakeWhatALongerOneHolds() {
    let simulation = Simulation(seed: 4, nodes: 2)
    simulation.run(for: 2_000_000)
    let link = simulation.network.wires.keys.sorted()[0]
    simulation.stallConnection(0, for: 10_000_000)
    let held = simulation.network.wires[link]?.ends.map(\.lastArrival)
    simulation.stallConnection(0, for: 1_000)
    #expect(held != nil && simulation.network.wires[link]?.ends.map(\.lastArrival) == held)
  }

  /// As with TCP: what a silence held up is sent again after it, and nothing that is under way overtakes it.
  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func nothingOvertakesWhatASilenceHolds(seed: UInt64) {
    var faults = Simulation.Faults()
    faults.maximumDelay = 300_000
    let simulation = Simulation(seed: seed, nodes: 2, faults: faults)
    var sent: [[UInt64]: [[UInt8]]] = [:]
    var heldUp = 0
    simulation.overhears = { wire, from, bytes in sent[[wire, UInt64(1 - from)], default: []].append(bytes) }
    simulation.hears = { wire, by, bytes in
      #expect(sent[[wire, UInt64(by)]]?.first == bytes)
      sent[[wire, UInt64(by)]]?.removeFirst()
    }
    simulation.run(for: 3_000_000)
    for _ in 0..<40 {
      simulation.silence(from: 0, to: 1)
      simulation.run(for: 100_000)
      heldUp += simulation.network.wires.values.map { $0.ends.map(\.held.count).reduce(0, +) }.reduce(0, +)
      simulation.heal(0, 1)
      simulation.run(for: 150_000)
    }
    #expect(heldUp > 40)
  }

  /// What a replica has of an older term, and nobody can have been told of, is nothing that a read must see.
  @Test func whatWasNeverCommittedIsNotMissedInARead() throws {
    let simulation = Simulation(seed: 6, nodes: 3)
    simulation.run(for: 2_000_000)
    let admin = try #require(simulation.connect(to: 0))
    for line in ["CLUSTER INIT shards=1 replicas=3", "PROGRAM SET main"] {
      admin.clear()
      simulation.send(line + "\n", on: admin)
      #expect(simulation.run(for: 20_000_000) { admin.lineCount > 0 })
      simulation.run(for: 3_000_000)
    }
    let shard = ShardID(1)
    func view(_ host: Int) throws -> ReplicaView {
      try #require(simulation.hosts[host].node?.view.replicas.first { $0.shard == shard })
    }
    let leader = try #require((0..<3).first { try view($0).isLeader })
    for other in 0..<3 where other != leader { simulation.silence(from: other, to: leader) }
    let client = try #require(simulation.connect(to: leader))
    simulation.send("MEMBER ADD ann\n", on: client)
    simulation.run(for: 300_000)
    let observer = ScenarioObserver()
    var violations: [String] = []
    observer.violationFound = { violations.append($0) }
    let alone = try view(leader)
    try #require(alone.lastIndex > alone.appliedIndex)
    observer.acknowledges(alone, through: alone.lastIndex)
    observer.starts(alone)
    observer.readBegins(alone, round: 1)
    observer.readEnds(alone, round: 1)
    #expect(violations.isEmpty, "\(violations)")
  }

  @Test func aNodeThatHasNoVoteInTheDirectoryFollowsIt() throws {
    let simulation = Simulation(seed: 5, nodes: 4)
    simulation.run(for: 2_000_000)
    let admin = try #require(simulation.connect(to: 0))
    simulation.send("CLUSTER INIT shards=4 replicas=3\n", on: admin)
    simulation.run(for: 5_000_000)
    for line in ["PROGRAM SET main earn=1/100 expire=never", "MERCHANT SET shop program=main region=east"] {
      admin.clear()
      simulation.send(line + "\n", on: admin)
      #expect(simulation.run(for: 10_000_000) { admin.lineCount > 0 })
      #expect(admin.lines == ["+OK"], "whoever leads a shard knows of the change")
    }
    simulation.run(for: 1_000_000)
    let applied = simulation.hosts.compactMap { $0.node?.view.replicas.first { $0.shard == .directory }?.appliedIndex }
    #expect(applied.count == 4 && applied.allSatisfy { $0 == applied[0] }, "\(applied)")
  }
}
