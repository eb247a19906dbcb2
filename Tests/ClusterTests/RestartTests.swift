import Base
import Raft
import Storage
import Testing

@testable import Cluster
@testable import NodeDisk
@testable import Simulator

/// A node that finds much on its disk when it starts.
@Suite struct RestartTests {
  /// A cluster with some hundred entries in the log of its one shard, and no snapshot of them.
  private func makeBusyCluster(
    seed: UInt64, entries: Int = 400, applyWork: Int = 25, patience: Int = 50_000
  ) throws -> Simulation {
    let simulation = try makeCluster(seed: seed, shards: 1) { configuration in
      configuration.snapshotLogBytes = 1 << 30
      configuration.logTailBytes = 0
      configuration.applyWork = applyWork
      configuration.replayPatience = patience
    }
    let client = try populate(simulation)
    for i in 0..<entries {
      let answer = ask(simulation, client, "EARN ann merchant=shop points=1 id=a\(i)")
      try #require(answer?.hasPrefix("+") == true, "\(answer ?? "nothing")")
    }
    return simulation
  }
  private func replica(_ simulation: Simulation, _ host: Int) -> Replica? {
    simulation.hosts[host].node?.replicas[ShardID(1)]
  }

  @Test func oneTurnAppliesABoundedPartOfTheLog() throws {
    let simulation = try makeBusyCluster(seed: 21)
    let wanted = try #require(replica(simulation, 0)).raft.lastIndex
    simulation.faults.busyTurn = 5_000
    simulation.kill(1)
    simulation.start(1)
    var last = LogIndex(0)
    var most: UInt64 = 0
    var turns = 0
    var admin: SimulatedClient?
    var answered: LogIndex?
    let isDone = simulation.run(for: 30_000_000) {
      guard let replica = replica(simulation, 1) else { return false }
      let applied = replica.machine.lastIndex
      if applied > last {
        most = max(most, applied.rawValue - last.rawValue)
        turns += 1
        last = applied
      }
      // It goes on with everything else meanwhile.
      if admin == nil, applied > LogIndex(50) {
        admin = simulation.connect(to: 1, from: "127.0.0.1:4000")
        if let admin { simulation.send("CLUSTER STATUS\n", on: admin) }
      }
      if answered == nil, (admin?.lineCount ?? 0) > 0 { answered = applied }
      return applied >= wanted
    }
    try #require(isDone, "\(simulation.report)")
    #expect(most <= 10)
    #expect(turns > 50)
    #expect(try #require(answered) < LogIndex(200))
  }

  @Test func aLeaderThatIsStillApplyingAnswersOnlyWhatIsTrue() throws {
    let simulation = try makeBusyCluster(seed: 22, entries: 600, applyWork: 1)
    simulation.faults.busyTurn = 40_000
    for host in 0..<3 { simulation.kill(host) }
    for host in 0..<3 { simulation.start(host) }
    var leader: Int?
    let isLed = simulation.run(for: 10_000_000) {
      leader = (0..<3).first { replica(simulation, $0)?.isLeader == true }
      return leader != nil
    }
    try #require(isLed, "\(simulation.report)")
    let host = try #require(leader)
    try #require(replica(simulation, host)?.hasBacklog == true, "the test is too slow: \(simulation.report)")
    let reader = try #require(simulation.connect(to: host))
    simulation.send("BALANCE ann\n", on: reader)
    let writer = try #require(simulation.connect(to: (host + 1) % 3))
    simulation.send("EARN ann merchant=shop points=1 id=late\n", on: writer)
    let again = try #require(simulation.connect(to: host))
    simulation.send("EARN ann merchant=shop points=1 id=a7\n", on: again)
    simulation.run(for: 200_000)
    #expect(replica(simulation, host)?.hasBacklog == true)
    #expect(reader.lineCount == 0 && writer.lineCount == 0 && again.lineCount == 0)
    simulation.run(for: 20_000_000) { reader.lineCount + writer.lineCount + again.lineCount == 3 }
    #expect(
      reader.lines.first?.contains(" balance=600 ") == true || reader.lines.first?.contains(" balance=601 ") == true)
    #expect(writer.lines.first?.contains("balance=601") == true, "\(writer.lines)")
    #expect(again.lines.first?.contains("balance=8") == true, "\(again.lines)")
  }

  @Test func aLeaderWithMuchToApplyRefusesAtOnceAndIsNotHealthy() throws {
    let simulation = try makeBusyCluster(seed: 24, entries: 600, applyWork: 1, patience: 100)
    simulation.faults.busyTurn = 20_000
    for host in 0..<3 { simulation.kill(host) }
    for host in 0..<3 { simulation.start(host) }
    var leader: Int?
    let isLed = simulation.run(for: 10_000_000) {
      leader = (0..<3).first { replica(simulation, $0)?.isLeader == true }
      return leader != nil
    }
    try #require(isLed, "\(simulation.report)")
    let host = try #require(leader)
    simulation.run(for: 500_000)
    try #require(replica(simulation, host)?.isReplaying == true, "the test is too slow: \(simulation.report)")
    // Who hears that it leads says that it is not healthy; and no other gives it what it leads.
    for other in 0..<3 {
      let told = status(simulation, other) ?? "nothing"
      #expect(told.contains("leaders=1") && told.contains("healthy=no"), "\(told)")
      let asked = simulation.now
      for line in ["EARN ann merchant=shop points=1 id=late", "BALANCE ann", "AUDIT"] {
        let client = try #require(simulation.connect(to: other))
        let answer = try #require(ask(simulation, client, line))
        #expect(answer.hasPrefix("-UNAVAILABLE"), "\(line): \(answer)")
      }
      #expect(simulation.now - asked < 500_000)
    }
    #expect(try #require(replica(simulation, host)).isReplaying)
    let others = (0..<3).filter { $0 != host && replica(simulation, $0)?.isReplaying == true }
    for other in others {
      let id = try #require(simulation.hosts[other].node).view.identity
      let known = try #require(
        replica(simulation, host).flatMap { simulation.hosts[host].node?.health.leadership.candidates(for: $0) })
      #expect(known.first { $0.id == id }?.ailments.contains(.replaying) == true)
    }
    #expect(!others.isEmpty)
    let isWell = simulation.run(for: 60_000_000) { status(simulation, host)?.contains("healthy=yes") == true }
    #expect(isWell && replica(simulation, host)?.hasTakenOver == true, "\(simulation.report)")
    let client = try #require(simulation.connect(to: host))
    #expect(ask(simulation, client, "BALANCE ann")?.contains("balance=600 ") == true)
  }

  @Test func noSnapshotIsTakenThatRefersToAJournalWhichIsNotThere() throws {
    let simulation = try makeBusyCluster(seed: 23, entries: 30)
    simulation.run(for: 100_000)
    let found = try #require(replica(simulation, 1))
    let order = try #require(found.beginSnapshot())
    let storage = try #require(simulation.hosts[1].storage)
    // As after an append to a disk that was full.
    try storage.journals.removeAll(ShardID(1))
    guard case .journalSynced(let result) = storage.run(.journalSync(order)) else {
      Issue.record("not an answer to a sync")
      return
    }
    #expect(
      result.failure?.contains("ends too soon: it is tried again; if that does not help, start the node again") == true)
  }

  @Test func theLogThatASnapshotCoversIsReleasedAgain() throws {
    let simulation = try makeBusyCluster(seed: 23, entries: 30)
    simulation.run(for: 100_000)
    let found = try #require(replica(simulation, 1))
    let order = try #require(found.beginSnapshot())
    let host = simulation.hosts[1]
    _ = host.storage?.run(.journalSync(order))
    _ = host.storage?.run(.snapshotWrite(order))
    // It ends before it has released anything.
    simulation.kill(1)
    let opened = try NodeStorage.open(
      dataDirectory: "/data", fileSystem: host.disk, newIdentity: 1, wall: .zero,
      logOptions: .init(segmentBytes: 1 << 20, maxRecordBytes: 512 << 10))
    let node = Node(
      configuration: host.configuration, storage: opened.recovered, seed: 1, newHashKey: HashKey(low: 1, high: 2),
      now: Moment(monotonic: simulation.now, wall: Stamp(microseconds: Simulation.epoch)))
    var effects = Effects<NodeWork>()
    node.flush(now: node.turn.now, into: &effects)
    let releases = try #require(effects.logBatch).releases.filter { $0.shard == ShardID(1) }
    #expect(releases.map(\.through) == [order.index])
  }
}
