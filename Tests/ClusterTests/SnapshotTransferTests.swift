import Base
import Foundation
import Raft
import Testing

@testable import Cluster
@testable import NodeDisk
@testable import Simulator

/// A follower that is behind the start of its leaders' logs.
@Suite struct SnapshotTransferTests {
  private static let members = 40

  /// A cluster whose logs are short: a node that is down for a moment has missed what its peers still have.
  private func makeForgetfulCluster(
    seed: UInt64, rate: String? = nil, without missing: Int? = nil
  ) throws -> Simulation {
    let simulation = try makeCluster(seed: seed, shards: 2, without: missing) { configuration in
      configuration.snapshotLogBytes = 12 << 10
      configuration.logTailBytes = 1 << 10
      configuration.transferPieceBytes = 2 << 10
      configuration.ledgerLimits.journalSegmentBytes = 64 << 10
    }
    let admin = try populate(simulation, members: (0..<Self.members).map { "m\($0)" })
    if let rate {
      #expect(
        ask(simulation, admin, "CLUSTER LIMIT SET snapshot-rate=\(rate)")?.hasSuffix(" snapshot-rate=\(rate)") == true)
    }
    return simulation
  }

  /// Has terminals of a host earn points until all is answered.
  private func earn(_ simulation: Simulation, on host: Int, count: Int, tag: String) throws {
    let client = try #require(simulation.connect(to: host))
    var sent = 0
    while sent < count {
      var text = ""
      let batch = min(20, count - sent)
      for i in sent..<sent + batch {
        text += "EARN m\(i % Self.members) merchant=shop points=\(i % 7 + 1) id=\(tag)-\(i)\n"
      }
      client.clear()
      simulation.send(text, on: client)
      simulation.run(for: 20_000_000) { client.lineCount == batch }
      let failed = client.lines.filter { !$0.hasPrefix("+") }
      try #require(client.lineCount == batch && failed.isEmpty, "\(failed.prefix(3)) \(simulation.report)")
      sent += batch
    }
  }

  private func replica(_ simulation: Simulation, _ host: Int, _ shard: UInt32) throws -> Replica {
    try #require(simulation.hosts[host].node?.replicas[ShardID(shard)], "\(simulation.report)")
  }
  /// Whether the others have released what the shards on this host lack.
  private func isBehind(_ simulation: Simulation, _ host: Int, last: [LogIndex]) throws -> Bool {
    try (1...2).allSatisfy { shard in
      try (0..<3).filter { $0 != host }.allSatisfy {
        try replica(simulation, $0, UInt32(shard)).raft.firstIndex > last[shard - 1] + 1
      }
    }
  }
  private func lastIndexes(_ simulation: Simulation, _ host: Int) throws -> [LogIndex] {
    try (1...2).map { try replica(simulation, host, UInt32($0)).raft.lastIndex }
  }

  /// Writes with one host down until its shards are behind the others' logs; it is still down then.
  private func leaveBehind(_ simulation: Simulation, _ victim: Int) throws {
    let isRunning = simulation.hosts[victim].node != nil
    let last = isRunning ? try lastIndexes(simulation, victim) : [LogIndex(0), LogIndex(0)]
    simulation.kill(victim)
    var round = 0
    while try !isBehind(simulation, victim, last: last) {
      try earn(simulation, on: (victim + 1) % 3, count: 200, tag: "away\(round)")
      simulation.run(for: 500_000)
      round += 1
      try #require(round < 20, "the logs are not released: \(simulation.report)")
    }
  }

  private func hasCaughtUp(_ simulation: Simulation, _ host: Int) -> Bool {
    (1...2).allSatisfy { shard in
      let replicas = simulation.hosts.compactMap { $0.node?.replicas[ShardID(UInt32(shard))] }
      guard replicas.count == simulation.hosts.count, let leader = replicas.first(where: { $0.isLeader }) else {
        return false
      }
      return replicas[host].machine.lastIndex == leader.raft.lastIndex
        && leader.raft.commitIndex == leader.raft.lastIndex
    }
  }

  private func catchUp(_ simulation: Simulation, _ host: Int, for limit: UInt64 = 60_000_000) throws {
    try #require(
      simulation.run(for: limit) { hasCaughtUp(simulation, host) }, "never caught up: \(simulation.report)")
    simulation.run(for: 2_000_000)
  }

  private func answer(_ simulation: Simulation, _ host: Int, _ lines: String, until last: String) throws -> [String] {
    let client = try #require(simulation.connect(to: host))
    simulation.send(lines + "\n", on: client)
    simulation.run(for: 10_000_000) { client.lines.last?.contains(last) ?? false }
    return client.lines
  }

  /// Hands the shards to a host.
  private func giveLeadership(_ simulation: Simulation, to host: Int) throws {
    let id = try #require(simulation.hosts[host].node?.view.identity)
    let led = simulation.run(for: 20_000_000) {
      var isDone = true
      for shard in 1...2 {
        for other in simulation.hosts {
          guard let replica = other.node?.replicas[ShardID(UInt32(shard))], replica.isLeader, other.number != host
          else {
            continue
          }
          replica.transferLeadership(to: id)
          isDone = false
        }
        if simulation.hosts[host].node?.replicas[ShardID(UInt32(shard))]?.isLeader != true { isDone = false }
      }
      return isDone
    }
    try #require(led, "\(simulation.report)")
  }

  /// All nodes hold the same, and each as leader tells the same histories from its own journal.
  private func verify(_ simulation: Simulation, _ host: Int) throws {
    let digests = try (0..<3).map {
      // But for `asof`, the last field, which each tells by its own clock.
      try answer(simulation, $0, "AUDIT read=local", until: "total=yes").filter { $0.contains("digest=") }
        .map { String($0.prefix(upTo: $0.range(of: " asof=")?.lowerBound ?? $0.endIndex)) }
    }
    #expect(digests[0].count == 2, "\(digests)")
    #expect(digests[0] == digests[1] && digests[1] == digests[2], "\(digests)")
    let question = (0..<Self.members).map { "HISTORY m\($0) limit=1000" }.joined(separator: "\n") + "\nCLUSTER STATUS"
    var histories: [[String]] = []
    for leader in [(host + 1) % 3, host] {
      try giveLeadership(simulation, to: leader)
      histories.append(try answer(simulation, leader, question, until: "healthy=").dropLast())
    }
    #expect(histories[0].count > 10 * Self.members)
    #expect(histories[0] == histories[1], "\(zip(histories[0], histories[1]).first { $0 != $1 } as Any)")
    let total = try #require(try answer(simulation, host, "AUDIT", until: "total=yes").last)
    #expect(total.contains("balanced=yes"), "\(total)")
    let complaints = simulation.log.filter { $0.contains("journal") || $0.contains("cannot") }
    #expect(complaints.filter { !$0.contains("the power is cut") } == [])
  }

  /// The transfer that brings shard 1 or 2 to this host, how far it is: pieces sent, and whether the receiver has written
  /// some of them.
  private func progress(_ simulation: Simulation, to host: Int) -> (
    sender: Int, shard: ShardID, isInJournal: Bool, isPartlyWritten: Bool
  )? {
    guard let id = simulation.hosts[host].node?.view.identity else { return nil }
    for (number, sender) in simulation.hosts.enumerated() where number != host {
      for transfer in sender.node?.snapshots.sender.transfers.values.sorted(by: { $0.shard < $1.shard }) ?? []
      where transfer.peer == id && transfer.shard != .directory {
        let underWay = UInt64(transfer.unacknowledged) * 2 << 10
        switch transfer.phase {
        case .file(let offset) where offset > 8 << 10: return (number, transfer.shard, false, offset > underWay)
        // A frame may be longer than a piece.
        case .journal(let position):
          guard let start = transfer.route.start?.rawValue, position.rawValue > start + 6 << 10 else { break }
          return (number, transfer.shard, true, position.rawValue > start + underWay + 6 << 10)
        default: break
        }
      }
    }
    return nil
  }
  private func installed(_ simulation: Simulation, _ host: Int) -> UInt64 {
    simulation.hosts[host].node?.snapshots.counters.installed ?? 0
  }

  @Test(arguments: 1...3) func aFollowerBehindTheLogInstallsASnapshotAndItsJournal(seed: UInt64) throws {
    let simulation = try makeForgetfulCluster(seed: seed)
    let victim = Int(seed) % 3
    try earn(simulation, on: 0, count: 100, tag: "before")
    try leaveBehind(simulation, victim)
    simulation.start(victim)
    try catchUp(simulation, victim)
    #expect(installed(simulation, victim) >= 2, "\(simulation.report)")
    try verify(simulation, victim)
  }

  /// What is in memory is right: one whose snapshot has rotted on disk writes another, and does not send the same for ever.
  @Test(arguments: [20, 400, -20]) func aLeaderWhoseSnapshotHasRottenWritesAnother(byte: Int) throws {
    let simulation = try makeForgetfulCluster(seed: 7)
    try earn(simulation, on: 0, count: 100, tag: "before")
    try leaveBehind(simulation, 2)
    var rotten = 0
    for disk in [simulation.hosts[0].disk, simulation.hosts[1].disk] {
      for path in disk.paths where path.hasSuffix(".snap") && !path.contains("/00000000-") {
        let size = try #require(disk.contents(path)?.count)
        disk.flipBit(path, bit: (byte < 0 ? size + byte : byte) * 8)
        rotten += 1
      }
    }
    try #require(rotten >= 4)
    simulation.start(2)
    try catchUp(simulation, 2)
    #expect(installed(simulation, 2) >= 2, "\(simulation.report)")
    let found = simulation.log.filter { $0.contains("another snapshot is taken") }
    #expect((2...4).contains(found.count), "\(found)")
    try verify(simulation, 2)
  }

  /// Others write so much meanwhile that several snapshots would pass before one transfer is done.
  @Test(arguments: [13, 14, 15]) func aSlowTransferIsNotInVain(seed: UInt64) throws {
    let simulation = try makeForgetfulCluster(seed: seed, rate: "30KB")
    try leaveBehind(simulation, 1)
    simulation.start(1)
    var round = 0
    while installed(simulation, 1) < 2 {
      try earn(simulation, on: 2, count: 20, tag: "slow\(round)")
      simulation.run(for: 100_000)
      round += 1
      // The first has 330 KB to send, the second, whose snapshot is taken when its turn has come, some 600: 31 s.
      try #require(round < 450, "\(simulation.report)")
    }
    #expect(simulation.hosts[2].node.map { $0.snapshots.counters.taken > 10 } == true)
    try catchUp(simulation, 1)
    #expect(installed(simulation, 1) <= 3)
    try verify(simulation, 1)
  }

  @Test func itCatchesUpWhileOthersGoOnWriting() throws {
    let simulation = try makeForgetfulCluster(seed: 4)
    try leaveBehind(simulation, 2)
    simulation.start(2)
    for round in 0..<10 { try earn(simulation, on: round % 3, count: 100, tag: "on\(round)") }
    try catchUp(simulation, 2)
    try verify(simulation, 2)
  }

  @Test(arguments: [false, true]) func aTransferWhoseLinkIsCutGoesOnWhereItWas(inJournal: Bool) throws {
    let simulation = try makeForgetfulCluster(seed: 5, rate: "100KB")
    try leaveBehind(simulation, 1)
    simulation.start(1)
    try #require(simulation.run(for: 20_000_000) { progress(simulation, to: 1)?.isInJournal == inJournal })
    let sender = try #require(progress(simulation, to: 1)).sender
    // What is under way when the link is cut is lost: so that something is kept, some must have been written.
    simulation.run(for: 20_000_000) {
      progress(simulation, to: 1).map { $0.isInJournal == inJournal && $0.isPartlyWritten } ?? false
    }
    let shard = try #require(progress(simulation, to: 1)).shard
    simulation.cut(sender, 1)
    simulation.run(for: 500_000)
    simulation.heal()
    // What has come is not asked for again. Another shard may have its turn first.
    var wanted: OutgoingTransfer.Phase?
    var journal = JournalPosition.none
    simulation.run(for: 60_000_000) {
      for transfer in simulation.hosts[sender].node?.snapshots.sender.transfers.values.sorted(by: {
        $0.shard < $1.shard
      })
        ?? []
      where transfer.shard == shard && wanted == nil {
        if case .file = transfer.phase {
          wanted = transfer.phase
          journal = transfer.route.start ?? transfer.journalEnds.last ?? .none
        }
      }
      return wanted != nil
    }
    guard case .file(let offset) = wanted else {
      Issue.record("the transfer was not begun again: \(simulation.report)")
      return
    }
    #expect(offset > 0)
    if inJournal { #expect(JournalPosition(beginningOf: journal.journal).isBefore(journal)) }
    try catchUp(simulation, 1)
    try verify(simulation, 1)
  }

  /// An append of what came may fail in the midst of a frame, for want of room; and what came may rot before it is needed.
  /// The next transfer receives it anew: nothing in the state refers to it yet.
  @Test(arguments: ["cut", "none", "rotten"]) func whatCannotBeFollowedOfAReceivedJournalIsReceivedAnew(end: String)
    throws
  {
    let simulation = try makeForgetfulCluster(seed: 5, rate: "100KB")
    try leaveBehind(simulation, 1)
    simulation.start(1)
    try #require(
      simulation.run(for: 20_000_000) {
        progress(simulation, to: 1).map { $0.isInJournal && $0.isPartlyWritten } ?? false
      })
    let sender = try #require(progress(simulation, to: 1)).sender
    let storage = try #require(simulation.hosts[1].storage)
    let incoming = try #require(storage.incoming.values.first { $0.shard != .directory })
    let shard = incoming.shard
    simulation.cut(sender, 1)
    simulation.run(for: 300_000)
    let position = try storage.journals.end(shard)
    let before = try #require(incoming.receiver(of: shard)).start.position
    try #require(before.isBefore(position))
    if end == "rotten" {
      let disk = simulation.hosts[1].disk
      let path = try #require(disk.paths.last { $0.contains("/0000000\(shard.rawValue)/") && $0.hasSuffix(".jnl") })
      // In a block that has nothing of what the state refers to: else the journal itself has rotted.
      disk.flipBit(path, bit: (2 * 4096 + 200) * 8)
    } else {
      let bytes = end == "cut" ? Array("TJF1".utf8) + [200, 0, 0, 0, 1, 2] : [UInt8](repeating: 0, count: 100)
      try bytes.withUnsafeBytes { try storage.journals.append(shard, at: position, $0) }
    }
    simulation.heal()
    try catchUp(simulation, 1)
    try verify(simulation, 1)
  }

  @Test(arguments: [false, true], [6, 7, 8]) func aSenderThatCrashesHalfWayIsReplaced(inJournal: Bool, seed: UInt64)
    throws
  {
    let simulation = try makeForgetfulCluster(seed: seed)
    try leaveBehind(simulation, 1)
    simulation.start(1)
    try #require(simulation.run(for: 20_000_000) { progress(simulation, to: 1)?.isInJournal == inJournal })
    let sender = try #require(progress(simulation, to: 1)).sender
    simulation.kill(sender)
    simulation.run(for: 8_000_000)
    simulation.start(sender)
    try catchUp(simulation, 1)
    try verify(simulation, 1)
  }

  @Test(arguments: [false, true], [9, 10, 11]) func aReceiverThatCrashesHalfWayBeginsAnew(inJournal: Bool, seed: UInt64)
    throws
  {
    let simulation = try makeForgetfulCluster(seed: seed)
    try leaveBehind(simulation, 1)
    simulation.start(1)
    try #require(simulation.run(for: 20_000_000) { progress(simulation, to: 1)?.isInJournal == inJournal })
    simulation.kill(1)
    simulation.run(for: 1_000_000)
    simulation.start(1)
    try catchUp(simulation, 1)
    try verify(simulation, 1)
  }

  /// At each change that an installation makes to the disk, power may go; also where there was no log before.
  @Test(arguments: [false, true]) func aReceiverMayCrashAtAnyStepOfTheInstallation(isNew: Bool) throws {
    for step in 0..<24 {
      let simulation = try makeForgetfulCluster(seed: UInt64(100 + step), without: isNew ? 1 : nil)
      try leaveBehind(simulation, 1)
      simulation.start(1)
      try #require(
        simulation.run(for: 20_000_000) {
          simulation.hosts[0].node?.snapshots.sender.transfers.values.contains { isInstalling($0) } ?? false
            || simulation.hosts[2].node?.snapshots.sender.transfers.values.contains { isInstalling($0) } ?? false
        })
      simulation.hosts[1].disk.cutPower(afterSteps: step)
      simulation.run(for: 300_000)
      simulation.kill(1)
      simulation.run(for: 300_000)
      simulation.start(1)
      try #require(simulation.hosts[1].node != nil, "step \(step): \(simulation.report)")
      try catchUp(simulation, 1)
      try verify(simulation, 1)
    }
  }
  private func isInstalling(_ transfer: OutgoingTransfer) -> Bool {
    if case .installing = transfer.phase { return transfer.shard != .directory }
    return false
  }

  @Test(arguments: 12...14) func aReceiverThatCrashesAfterTheInstallationKeepsIt(seed: UInt64) throws {
    let simulation = try makeForgetfulCluster(seed: seed)
    try leaveBehind(simulation, 1)
    simulation.start(1)
    try #require(simulation.run(for: 20_000_000) { installed(simulation, 1) > 0 })
    simulation.run(for: UInt64(seed - 12) * 1_000)
    simulation.kill(1)
    simulation.start(1)
    try #require(simulation.hosts[1].node != nil, "\(simulation.report)")
    try catchUp(simulation, 1)
    try verify(simulation, 1)
    // And by becoming the leader of everything: from its own state and journal.
    simulation.kill(1)
    simulation.start(1)
    try catchUp(simulation, 1)
    try verify(simulation, 1)
  }
}
