import Base
import Raft
import Testing

@testable import Cluster
@testable import Simulator

/// A node that is far behind on many shards, over a link that is narrow for that.
@Suite struct ManySnapshotsTests {
  private static let shards = 100
  private static let away = 2
  /// Bytes a second: the states here are as much smaller than real ones as this is than 100 Mbit/s.
  private static let bandwidth: UInt64 = 2_000_000

  /// Two nodes have gone on without the third, and released what it lacks of most shards.
  private func makeLateNode(seed: UInt64, shards: Int = shards) throws -> Simulation {
    var faults = Simulation.Faults()
    faults.minimumDelay = 5_000
    faults.maximumDelay = 5_000
    let narrow = Self.bandwidth
    faults.bandwidth = [[0, 0, narrow], [0, 0, narrow], [narrow, narrow, 0]]
    let simulation = try makeCluster(seed: seed, shards: shards, faults: faults) {
      $0.snapshotLogBytes = 1 << 10
      $0.logTailBytes = 0
      $0.transferPieceBytes = 4 << 10
    }
    let members = (0..<300).map { "m\($0)" }
    // Leaders go home.
    simulation.run(for: 5_000_000)
    try populate(simulation, members: members)
    simulation.kill(Self.away)
    let padding = String(repeating: "x", count: 40)
    for wave in 0..<10 {
      let client = try #require(simulation.connect(to: wave % 2))
      for (i, member) in members.enumerated() {
        simulation.send("EARN \(member) merchant=shop points=1 id=\(padding)-\(wave)-\(i)\n", on: client)
      }
      try #require(simulation.run(for: 30_000_000) { client.lineCount == members.count }, "\(simulation.report)")
    }
    simulation.run(for: 10_000_000)
    return simulation
  }
  /// The transfers to the node that do not wait, by their shards.
  private func running(_ simulation: Simulation) -> [OutgoingTransfer] {
    let id = simulation.hosts[Self.away].nodeID
    return simulation.hosts[0..<2].flatMap { $0.node.map { Array($0.snapshots.sender.transfers.values) } ?? [] }
      .filter { $0.peer == id && $0.phase != .waiting }
  }
  private func lag(_ simulation: Simulation) -> Int {
    simulation.hosts[0..<2].flatMap { $0.node.map { Array($0.replicas) } ?? [] }.count { replica in
      let there = simulation.hosts[Self.away].node?.replicas[replica.shard]?.machine.lastIndex
      return replica.isLeader && replica.raft.lastIndex != there
    }
  }

  @Test func itCatchesUpOnOneShardAfterTheOtherAndAllAreServedMeanwhile() throws {
    let simulation = try makeLateNode(seed: 901)
    simulation.start(Self.away)
    let began = simulation.now
    var most = 0
    var bytes: [ShardID: UInt64] = [:]
    var asked = 0
    var longest: UInt64 = 0
    func terms() -> [Term] { simulation.hosts[0].node?.replicas.map { $0.term } ?? [] }
    simulation.run(for: 1_000_000)
    let before = terms()
    while lag(simulation) > 0 && simulation.now - began < 600_000_000 {
      for _ in 0..<5 {
        simulation.run(for: 20_000)
        let now = running(simulation)
        most = max(most, now.count)
        for transfer in now where transfer.byteCount > 0 { bytes[transfer.shard] = transfer.byteCount }
      }
      guard asked % 5 == 0 else {
        asked += 1
        continue
      }
      let client = try #require(simulation.connect(to: asked % 2))
      let since = simulation.now
      let answer = ask(simulation, client, "EARN m\(asked % 300) merchant=shop points=1 id=n\(asked)")
      #expect(answer?.hasPrefix("+") == true, "\(answer ?? "none")")
      longest = max(longest, simulation.now - since)
      asked += 1
    }
    let took = simulation.now - began
    let all = bytes.values.reduce(0, +)
    let installed = simulation.hosts[Self.away].node?.snapshots.counters.installed ?? 0
    let figures =
      "\(bytes.count) shards of \(all) bytes in \(took / 1_000) ms, at most \(most) at once, \(installed) installed"
    #expect(lag(simulation) == 0 && bytes.count > 80, "\(figures)")
    #expect(most == 1, "\(figures)")
    // None comes twice, and the link is in use most of the time.
    #expect(installed <= UInt64(Self.shards) + 1, "\(figures)")
    #expect(took < 3 * all * 1_000_000 / Self.bandwidth + 20_000_000, "\(figures)")
    #expect(longest < 500_000, "a request took \(longest) µs; \(figures)")
    #expect(zip(before, terms()).count { $0 != $1 } <= Self.shards / 3, "leaders may go home, once")
  }

  /// The one who is being heard dies without a word: the slot is given to another shard's sender.
  @Test func theSlotOfASenderThatDiesIsGivenBack() throws {
    let simulation = try makeLateNode(seed: 902, shards: 12)
    simulation.start(Self.away)
    let isUnderWay = simulation.run(for: 60_000_000) { running(simulation).contains { $0.acknowledged > 0 } }
    try #require(isUnderWay)
    let sender = try #require(
      simulation.hosts[0..<2].first {
        $0.node?.snapshots.sender.transfers.values.contains { $0.acknowledged > 0 } == true
      })
    simulation.cutPower(sender.number)
    simulation.run(for: 30_000_000)
    simulation.start(sender.number)
    try #require(simulation.run(for: 600_000_000) { lag(simulation) == 0 }, "\(simulation.report)")
  }
}
