import Base
import Storage
import Testing

@testable import Cluster
@testable import NodeDisk
@testable import Simulator

/// Histories whose oldest part is in an archive that three nodes share.
@Suite struct ArchiveTests {
  private static let members = 12

  private func makeCluster(seed: UInt64, without missing: Int? = nil) throws -> Simulation {
    let store = MemoryFileSystem()
    let simulation = Simulation(seed: seed, nodes: 3) { configuration in
      configuration.journalKeep = 20_000_000
      configuration.snapshotLogBytes = 6 << 10
      configuration.logTailBytes = 1 << 10
      configuration.ledgerLimits.journalSegmentBytes = 8 << 10
      configuration.ledgerLimits.retentionSeconds = 20
      // Else all of a day stays: refunds are possible until its end.
      configuration.archivesEarly = true
    }
    simulation.archive = store
    for host in 0..<3 {
      simulation.kill(host)
      simulation.start(host)
    }
    simulation.run(for: 1_000_000)
    let admin = try #require(simulation.connect(to: 0))
    let answer = try #require(ask(simulation, admin, "CLUSTER INIT shards=2 replicas=3"))
    try #require(answer.hasPrefix("+cluster="), "\(answer)")
    simulation.run(for: 5_000_000)
    if let missing { simulation.kill(missing) }
    let lines =
      ["PROGRAM SET main earn=1/100 expire=never refund-window=0d", "MERCHANT SET shop program=main region=east"]
      + (0..<Self.members).map { "MEMBER ADD m\($0)" }
    for line in lines { #expect(ask(simulation, admin, line) == "+OK", "\(line)") }
    return simulation
  }
  private func earn(_ simulation: Simulation, _ tag: String, rounds: Int) throws {
    let client = try #require(simulation.connect(to: 0))
    for round in 0..<rounds {
      client.clear()
      for i in 0..<Self.members {
        simulation.send("EARN m\(i) merchant=shop points=\(i + 1) id=\(tag)-\(round)-\(i)\n", on: client)
      }
      try #require(simulation.run(for: 20_000_000) { client.lineCount == Self.members }, "\(simulation.report)")
      #expect(client.lines.allSatisfy { $0.hasPrefix("+") }, "\(client.lines)")
    }
  }
  private func histories(_ simulation: Simulation, on host: Int) throws -> [String] {
    let client = try #require(simulation.connect(to: host))
    simulation.send((0..<Self.members).map { "HISTORY m\($0) limit=1000\n" }.joined() + "CLUSTER STATUS\n", on: client)
    simulation.run(for: 20_000_000) { client.lines.last?.contains("healthy=") ?? false }
    return Array(client.lines.dropLast())
  }
  private func archived(_ simulation: Simulation, _ host: Int) -> UInt64 {
    simulation.hosts[host].node?.health.disk.counters.segmentsArchived ?? 0
  }
  private func segments(_ simulation: Simulation, _ host: Int) -> Int {
    simulation.hosts[host].disk.paths.count { $0.contains("/journal/") && $0.hasSuffix(".jnl") }
  }
  /// Traffic goes on until something is old, and is gone from all three disks.
  private func archiveSome(_ simulation: Simulation, _ hosts: [Int] = [0, 1, 2]) throws {
    try earn(simulation, "first", rounds: 40)
    simulation.run(for: 30_000_000)
    for round in 0..<8 {
      try earn(simulation, "later\(round)", rounds: 4)
      simulation.run(for: 20_000_000)
    }
    let isDone = simulation.run(for: 300_000_000) { hosts.allSatisfy { archived(simulation, $0) >= 4 } }
    try #require(isDone, "\(hosts.map { archived(simulation, $0) }) \(simulation.report)")
  }

  @Test func historiesAreTheSameWhereverTheirSegmentsAre() throws {
    let simulation = try makeCluster(seed: 71)
    try archiveSome(simulation)
    let before = try histories(simulation, on: 0)
    #expect(before.count > 500 && !before.contains { $0.contains("more=yes") })
    let store = try #require(simulation.archive)
    #expect(store.paths.count >= 4 && store.paths.allSatisfy { $0.hasSuffix(".jnl") }, "\(store.paths)")
    for host in 0..<3 {
      simulation.killProcess(host)
      simulation.start(host)
      try #require(simulation.hosts[host].node != nil, "\(simulation.report)")
      simulation.run(for: 10_000_000)
    }
    #expect(try histories(simulation, on: 1) == before)
    // All that is archived is there once, whoever brought it.
    let sum = (0..<3).reduce(0) { $0 + segments(simulation, $1) }
    #expect(sum > 0 && store.paths.count * 3 > 12, "\(sum)")

    // Without the archive's name a node would take for lost what is there.
    simulation.killProcess(0)
    simulation.archive = nil
    #expect(!simulation.start(0) && simulation.hosts[0].failure?.contains("journal-archive") == true)
    simulation.archive = store
    try #require(simulation.start(0))
    simulation.run(for: 5_000_000)

    // Out of reach: that is told, and no history is shorter for it.
    let paths = store.paths
    let kept = paths.map { ($0, store.contents($0) ?? []) }
    for host in 0..<3 {
      simulation.killProcess(host)
      simulation.start(host)
    }
    for path in paths { try store.remove(path) }
    simulation.run(for: 10_000_000)
    let answers = try histories(simulation, on: 2)
    #expect(answers.count == Self.members && answers.allSatisfy { $0.hasPrefix("-UNAVAILABLE") }, "\(answers)")
    #expect(answers.allSatisfy { $0.contains("/archive") }, "\(answers.first ?? "")")
    let fresh = try #require(simulation.connect(to: 2))
    #expect(ask(simulation, fresh, "HISTORY m0 limit=3")?.hasPrefix("*") == true)
    #expect(!simulation.log.contains { $0.contains("CORRUPT") }, "it is not this node's journal that is ill")
    for (path, bytes) in kept {
      let file = try store.open(path, create: true)
      try bytes.withUnsafeBytes { try file.write($0, at: 0) }
    }
    #expect(try histories(simulation, on: 2) == before)
  }

  /// Others refer to it: it stays, and grows old.
  @Test func theJournalOfAShardThatHasEndedGoesToTheArchiveToo() throws {
    let simulation = try makeCluster(seed: 76)
    try earn(simulation, "first", rounds: 40)
    let admin = try #require(simulation.connect(to: 0))
    let begun = try #require(ask(simulation, admin, "CLUSTER SHARD MERGE 1 2"))
    #expect(begun.contains("kind=shard-merge"), "\(begun)")
    let hosts = 0..<3
    let isOver = simulation.run(for: 120_000_000) {
      hosts.allSatisfy {
        simulation.hosts[$0].node.map { $0.replicas[ShardID(2)] == nil && $0.replicas[ShardID(1)] != nil } ?? false
      }
    }
    try #require(isOver, "\(simulation.report)")
    func left(_ host: Int) -> Int {
      simulation.hosts[host].disk.paths.count { $0.contains("/journal/00000002/") && $0.hasSuffix(".jnl") }
    }
    #expect(hosts.allSatisfy { left($0) > 2 }, "\(hosts.map(left))")
    simulation.run(for: 30_000_000)
    try earn(simulation, "later", rounds: 4)
    // The last one stays, and the one in which what others refer to ends.
    let isDone = simulation.run(for: 300_000_000) { hosts.allSatisfy { left($0) <= 2 } }
    #expect(isDone, "\(hosts.map(left)) \(simulation.report)")
    let before = try histories(simulation, on: 0)
    #expect(before.count > 500)
    for host in hosts {
      simulation.killProcess(host)
      simulation.start(host)
      try #require(simulation.hosts[host].node != nil, "\(simulation.report)")
      simulation.run(for: 10_000_000)
    }
    for host in hosts { #expect(try histories(simulation, on: host) == before) }
    #expect(!simulation.log.contains { $0.contains("CORRUPT") || $0.contains("cannot") }, "\(simulation.log)")
  }

  /// A replica that begins anew gets what is in the archive as well, from whoever reads it.
  @Test func aNewReplicaGetsTheWholeJournal() throws {
    let simulation = try makeCluster(seed: 72, without: 2)
    try archiveSome(simulation, [0, 1])
    let before = try histories(simulation, on: 0)
    simulation.start(2)
    let isThere = simulation.run(for: 120_000_000) {
      (1...2).allSatisfy { shard in
        let replicas = simulation.hosts.compactMap { $0.node?.replicas[ShardID(UInt32(shard))] }
        return replicas.count == 3 && replicas[2].machine.lastIndex == replicas.first { $0.isLeader }?.raft.lastIndex
      }
    }
    try #require(isThere, "\(simulation.report)")
    let id = simulation.hosts[2].nodeID
    let leads = simulation.run(for: 60_000_000) {
      (1...2).allSatisfy { shard in
        for host in simulation.hosts {
          if let replica = host.node?.replicas[ShardID(UInt32(shard))], replica.isLeader, host.number != 2 {
            replica.transferLeadership(to: id)
          }
        }
        return simulation.hosts[2].node?.replicas[ShardID(UInt32(shard))]?.isLeader == true
      }
    }
    try #require(leads)
    #expect(try histories(simulation, on: 2) == before)
  }

  /// One that reads another archive, in which nothing is, gets it through its leader, and sends it to its own.
  @Test func aNewReplicaNeedNotReadTheSameArchive() throws {
    let simulation = try makeCluster(seed: 883_020, without: 2)
    var round = 0
    while archived(simulation, 0) < 4, round < 40 {
      round += 1
      try earn(simulation, "r\(round)", rounds: 10)
      simulation.run(for: 10_000_000)
    }
    #expect(archived(simulation, 0) >= 4)
    simulation.ownArchives[2] = MemoryFileSystem()
    try #require(simulation.start(2), "\(simulation.hosts[2].failure ?? "")")
    simulation.run(for: 30_000_000)
    let expected = try histories(simulation, on: 0)
    #expect(try histories(simulation, on: 2) == expected)
    // Its own segments go to its own archive, and are read there.
    simulation.run(for: 180_000_000)
    #expect(archived(simulation, 2) >= 1)
    let client = try #require(simulation.connect(to: 2))
    simulation.send("HISTORY m1 limit=1000 read=local\n", on: client)
    simulation.run(for: 20_000_000) { client.lineCount > 10 }
    #expect(client.lines.first?.hasPrefix("*") == true && client.lines.count > 10, "\(client.lines.prefix(3))")
  }

  /// Right after a start, too. Without the archive it fails and says why; the node's own journals wait for nothing meanwhile.
  @Test func aBackupHasWhatIsInTheArchive() throws {
    let simulation = try makeCluster(seed: 74)
    try archiveSome(simulation)
    func restart() {
      for host in 0..<3 {
        simulation.killProcess(host)
        simulation.start(host)
      }
      simulation.run(for: 3_000_000)
    }
    func save(_ directory: String, _ number: Int) throws -> String {
      let admin = try #require(simulation.connect(to: 0))
      let answer = try #require(ask(simulation, admin, "CLUSTER BACKUP SAVE dir=\(directory)"))
      try #require(answer.contains("op=\(number)"), "\(answer)")
      var record = answer
      for _ in 0..<200 where record.contains("state=running") || record.contains("state=waiting") {
        simulation.run(for: 500_000)
        record = ask(simulation, admin, "CLUSTER OP SHOW \(number)") ?? ""
      }
      return record
    }
    restart()
    let record = try save("/srv/backup", 1)
    #expect(record.contains("state=done"), "\(record)\n\(simulation.report)")
    let host = simulation.hosts[0]
    var verifier = try BackupVerifier(
      "/srv/backup", fileSystem: host.disk, limits: host.configuration.ledgerLimits)
    verifier.verify()
    #expect(verifier.findings == [])
    let store = try #require(simulation.archive)
    for path in store.paths { try store.remove(path) }
    restart()
    let failed = try save("/srv/other", 2)
    #expect(failed.contains("state=failed") && failed.contains("/archive"), "\(failed)")
  }

  /// A segment that has rotten at the node that leads, before it could go to the archive: others lead, and have it.
  @Test func aSegmentThatHasRottenBeforeItIsArchivedIsLedByOthers() throws {
    let simulation = try makeCluster(seed: 935)
    try earn(simulation, "first", rounds: 40)
    func leads(_ host: Int) -> Bool {
      simulation.hosts[host].node?.replicas.contains { $0.shard != .directory && $0.isLeader } == true
    }
    let victim = try #require((0..<3).first(where: leads))
    // Nobody else sends it there first.
    for host in 0..<3 where host != victim {
      simulation.kill(host)
      simulation.hosts[host].configuration.journalKeep = nil
      simulation.start(host)
      simulation.run(for: 5_000_000)
    }
    let disk = simulation.hosts[victim].disk
    // The headers alone: no history is read from there before the archive is.
    for path in disk.paths where path.hasSuffix("00000001.jnl") { disk.flipBit(path, bit: 20 * 8) }
    simulation.run(for: 30_000_000)
    for round in 0..<8 {
      try earn(simulation, "later\(round)", rounds: 4)
      simulation.run(for: 20_000_000)
    }
    let isMet = simulation.run(for: 300_000_000) {
      simulation.log.contains { $0.contains("CORRUPT") && $0.contains("others are to lead") }
    }
    try #require(isMet, "\(simulation.report)")
    let isLedElsewhere = simulation.run(for: 10_000_000) { !leads(victim) }
    #expect(isLedElsewhere, "\(simulation.report)")
    for host in 0..<3 {
      let told = try histories(simulation, on: host)
      #expect(!told.contains { $0.hasPrefix("-") }, "\(told.prefix(3))")
    }
    simulation.kill(victim)
    simulation.start(victim)
    let isWell = simulation.run(for: 120_000_000) {
      simulation.hosts[victim].node?.replicas.isCorrupt == false && leads(victim)
    }
    #expect(isWell, "\(simulation.report)")
  }

  /// Another file under a segment's name is an alarm until the segment is there.
  @Test func anotherFileUnderItsNameRaisesTheAlarm() throws {
    let simulation = try ClusterTests.makeCluster(seed: 73)
    let node = try #require(simulation.hosts[0].node)
    let shard = ShardID(1)
    node.health.archived(.failed(shard, "away", isDamaged: false))
    #expect(!node.replicas.isCorrupt)
    node.health.archived(.failed(shard, "it is another segment", isDamaged: true))
    #expect(node.replicas.isCorrupt)
    let admin = try #require(simulation.connect(to: 0))
    simulation.run(for: 3_000_000)
    #expect(ask(simulation, admin, "CLUSTER STATUS")?.contains("CORRUPT") == true)
    node.health.archived(.archived(shard, segment: 1))
    #expect(!node.replicas.isCorrupt)
  }

  @Test func turnsGoRoundOnceAMinuteAndAComplaintIsToldOnce() {
    let shards = [1, 2, 5].map { ShardID($0) }
    var none = ArchiveTurns(keep: nil)
    #expect(none.next(now: 0, of: shards) == nil)
    var turns = ArchiveTurns(keep: 1)
    #expect(turns.next(now: 0, of: shards) == shards[0] && turns.next(now: 0, of: shards) == nil)
    #expect(turns.ended(.archived(shards[0], segment: 1), now: 0) == nil)
    #expect(turns.next(now: 0, of: shards) == shards[0], "there may be more of it")
    _ = turns.ended(.nothing(shards[0]), now: 0)
    #expect(turns.next(now: 0, of: shards) == shards[1])
    #expect(turns.ended(.failed(shards[1], "away", isDamaged: false), now: 0) == "away")
    #expect(turns.next(now: 0, of: shards) == shards[2])
    #expect(turns.ended(.failed(shards[2], "away", isDamaged: false), now: 0) == nil)
    #expect(turns.next(now: 0, of: shards) == nil && turns.next(now: turns.interval - 1, of: shards) == nil)
    #expect(turns.next(now: turns.interval, of: shards) == shards[0])
  }
}
