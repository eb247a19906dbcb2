import Base
import Raft
import Storage
import Testing

@testable import Cluster
@testable import Simulator

/// A node whose disk rots: it starts, its peers supply what it lost, and then it is as good as any.
@Suite struct RotTests {
  private static let members = 20

  /// - Parameter snapshotBytes: how much log there is between snapshots.
  private func makeBusyCluster(seed: UInt64, snapshotBytes: Int) throws -> Simulation {
    let simulation = try makeCluster(seed: seed, shards: 2) { configuration in
      configuration.snapshotLogBytes = snapshotBytes
      configuration.logTailBytes = 1 << 10
      configuration.ledgerLimits.journalSegmentBytes = 64 << 10
    }
    try populate(simulation, members: (0..<Self.members).map { "m\($0)" })
    return simulation
  }

  /// Has terminals of a host earn points until all is answered. Gives what was earned.
  private func earn(_ simulation: Simulation, on host: Int, count: Int, tag: String) throws -> Int {
    let client = try #require(simulation.connect(to: host))
    var sum = 0
    for first in stride(from: 0, to: count, by: 10) {
      var text = ""
      for i in first..<first + 10 {
        text += "EARN m\(i % Self.members) merchant=shop points=\(i % 7 + 1) id=\(tag)-\(i)\n"
        sum += i % 7 + 1
      }
      client.clear()
      simulation.send(text, on: client)
      simulation.run(for: 30_000_000) { client.lineCount == 10 }
      let failed = client.lines.filter { !$0.hasPrefix("+") }
      try #require(client.lineCount == 10 && failed.isEmpty, "\(failed.prefix(3)) \(simulation.report)")
    }
    return sum
  }
  /// What all members have together, as a host tells it.
  private func total(_ simulation: Simulation, on host: Int) throws -> Int {
    let client = try #require(simulation.connect(to: host))
    simulation.send((0..<Self.members).map { "BALANCE m\($0)\n" }.joined(), on: client)
    simulation.run(for: 30_000_000) { client.lineCount == Self.members }
    return client.lines.reduce(0) { sum, line in
      let word = line.split(separator: " ").first { $0.hasPrefix("balance=") }
      return sum + (word.flatMap { Int($0.dropFirst(8)) } ?? -1_000_000)
    }
  }
  private func replicas(_ simulation: Simulation, _ host: Int) -> [Replica] {
    (0...2).compactMap { simulation.hosts[host].node?.replicas[ShardID($0)] }
  }
  private func isWhole(_ simulation: Simulation, _ host: Int) -> Bool {
    let found = replicas(simulation, host)
    return found.count == 3
      && found.allSatisfy { own in
        let leader = simulation.hosts.compactMap { $0.node?.replicas[own.shard] }.first { $0.isLeader }
        return own.raft.damage.mayVote && own.machine.lastIndex == leader?.raft.lastIndex
      }
  }
  private func digests(_ simulation: Simulation, _ host: Int) throws -> [String] {
    let client = try #require(simulation.connect(to: host))
    simulation.send("AUDIT read=local\n", on: client)
    simulation.run(for: 10_000_000) { client.lines.last?.contains("total=yes") ?? false }
    return client.lines.filter { $0.contains("digest=") }
      .map { String($0.prefix(upTo: $0.range(of: " asof=")?.lowerBound ?? $0.endIndex)) }
  }

  /// Blocks of the host's log where a batch begins, by file and number.
  private func batches(_ disk: MemoryFileSystem) -> [(path: String, block: Int)] {
    var found: [(path: String, block: Int)] = []
    for path in disk.paths where path.hasSuffix(".wal") {
      let bytes = disk.contents(path) ?? []
      for block in 1..<max(1, bytes.count / 4096)
      where Array(bytes[block * 4096..<block * 4096 + 4]) == Array("BTCH".utf8) { found.append((path, block)) }
    }
    return found
  }
  private func flip(_ disk: MemoryFileSystem, suffix: String, byte: Int) throws {
    let path = try #require(disk.paths.last { $0.hasSuffix(suffix) }, "\(disk.paths)")
    let size = disk.contents(path)?.count ?? 0
    try #require(byte < size)
    disk.flipBit(path, bit: byte * 8)
  }

  /// The log of a host that is down is as if all had been recycled that its snapshots cover.
  private func recycle(_ disk: MemoryFileSystem) throws {
    let log = try WriteAheadLog(
      directory: "/data/wal", fileSystem: disk, options: .init(segmentBytes: 1 << 20, maxRecordBytes: 512 << 10))
    let snapshots = try SnapshotStore(directory: "/data/snapshots", fileSystem: disk)
    var count = 0
    for shard in log.takeRecovered() {
      guard let snapshot = try snapshots.newest(shard.shard) else { continue }
      count += 1
      var records = [LogRecord(shard: shard.shard, body: .reset(snapshot.index, snapshot.term))]
      for entry in shard.entries where entry.index > snapshot.index {
        records.append(LogRecord(shard: shard.shard, body: .entry(entry)))
      }
      try log.write(records)
    }
    try #require(count >= 2, "\(disk.paths)")
  }

  /// The victim is down, and its disk has rotted: it starts and is repaired; then another goes, and nothing is missed.
  private func checkRepair(_ simulation: Simulation, of victim: Int, earned: Int) throws {
    simulation.start(victim)
    try #require(simulation.hosts[victim].node != nil, "\(simulation.hosts[victim].failure ?? "")")
    #expect(simulation.log.contains { $0.contains("CORRUPT") }, "\(simulation.log.suffix(5))")
    let client = try #require(simulation.connect(to: victim, from: "127.0.0.1:4000"))
    let status = ask(simulation, client, "CLUSTER STATUS") ?? ""
    #expect(status.contains("alarms=CORRUPT") && status.contains("healthy=no"), "\(status)")
    let isRepaired = simulation.run(for: 60_000_000) { isWhole(simulation, victim) }
    try #require(isRepaired, "never repaired: \(simulation.report)")
    simulation.run(for: 3_000_000)
    #expect(simulation.log.contains { $0.contains("is repaired") })
    // What was acknowledged is there when any other is lost, and the repaired node votes.
    let more = try earn(simulation, on: victim, count: 20, tag: "repaired")
    simulation.run(for: 2_000_000)
    let texts = try (0..<3).map { try digests(simulation, $0) }
    #expect(texts[0].count == 2 && texts[0] == texts[1] && texts[1] == texts[2], "\(texts)")
    simulation.kill((victim + 1) % 3)
    let last = try earn(simulation, on: victim, count: 20, tag: "alone")
    #expect(try total(simulation, on: victim) == earned + more + last)
    simulation.start((victim + 1) % 3)
    let isHealthy = simulation.run(for: 60_000_000) {
      (0..<3).allSatisfy { isWhole(simulation, $0) }
    }
    #expect(isHealthy, "\(simulation.report)")
    let again = try #require(simulation.connect(to: victim, from: "127.0.0.1:4000"))
    let after = ask(simulation, again, "CLUSTER STATUS") ?? ""
    #expect(after.contains("alarms=none") && after.contains("healthy=yes"), "\(after)")
  }

  /// Who leads a shard, and now cannot read the first block of records of any of its journals: all members' first records are
  /// in it, or behind it.
  private func rotJournalsOfALeader(_ simulation: Simulation) throws -> Int {
    let leader = try #require(
      (0..<3).first { replicas(simulation, $0).contains { $0.shard.rawValue > 0 && $0.isLeader } })
    let disk = simulation.hosts[leader].disk
    for path in disk.paths where path.hasSuffix("00000001.jnl") { disk.flipBit(path, bit: (4096 + 300) * 8) }
    return leader
  }

  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func aBatchOfTheLogThatHasRottenIsFetchedAgain(seed: UInt64) throws {
    let simulation = try makeBusyCluster(seed: seed, snapshotBytes: seed % 2 == 0 ? 4 << 10 : 1 << 30)
    let earned = try earn(simulation, on: 0, count: 200, tag: "a")
    let victim = Int(seed) % 3
    simulation.kill(victim)
    let earnedWithout = try earn(simulation, on: (victim + 1) % 3, count: 20, tag: "b")
    let disk = simulation.hosts[victim].disk
    let all = batches(disk)
    try #require(all.count > 20)
    let place = all[all.count * (seed < 3 ? 1 : 3) / 4]
    disk.flipBit(place.path, bit: (place.block * 4096 + 70) * 8)
    try checkRepair(simulation, of: victim, earned: earned + earnedWithout)
  }

  @Test(arguments: 5...6 as ClosedRange<UInt64>)
  func aSnapshotThatHasRottenIsFetchedAgain(seed: UInt64) throws {
    let simulation = try makeBusyCluster(seed: seed, snapshotBytes: 4 << 10)
    let earned = try earn(simulation, on: 0, count: 300, tag: "a")
    let victim = Int(seed) % 3
    simulation.kill(victim)
    let disk = simulation.hosts[victim].disk
    try recycle(disk)
    try flip(disk, suffix: ".snap", byte: seed == 5 ? 40 : 400)
    try checkRepair(simulation, of: victim, earned: earned)
    #expect(disk.paths.contains { $0.hasSuffix(".snap.bad") })
  }

  @Test func aJournalThatHasRottenIsFetchedAgain() throws {
    let simulation = try makeBusyCluster(seed: 7, snapshotBytes: 4 << 10)
    let earned = try earn(simulation, on: 0, count: 300, tag: "a")
    simulation.kill(1)
    try recycle(simulation.hosts[1].disk)
    try flip(simulation.hosts[1].disk, suffix: ".jnl", byte: 20)
    try checkRepair(simulation, of: 1, earned: earned)
  }

  @Test func aJournalThatTurnsOutRottenAnswersNothingWrongAndIsFetchedAtTheNextStart() throws {
    let simulation = try makeBusyCluster(seed: 8, snapshotBytes: 4 << 10)
    let earned = try earn(simulation, on: 0, count: 300, tag: "a")
    simulation.run(for: 2_000_000)
    let leader = try rotJournalsOfALeader(simulation)
    let disk = simulation.hosts[leader].disk
    let client = try #require(simulation.connect(to: leader))
    simulation.send((0..<Self.members).map { "HISTORY m\($0) limit=1000\n" }.joined() + "CLUSTER STATUS\n", on: client)
    simulation.run(for: 20_000_000) { client.lines.last?.contains("healthy=") ?? false }
    #expect(client.lines.contains { $0.hasPrefix("-UNAVAILABLE") }, "\(client.lines.prefix(3))")
    #expect(client.lines.last?.contains("alarms=CORRUPT") == true)
    #expect(simulation.log.contains { $0.contains("CORRUPT") && $0.contains("start this node again") })
    // Others lead what cannot be read here, and so everything can be read.
    #expect(simulation.run(for: 5_000_000) { !replicas(simulation, leader)[1...].contains { $0.isLeader } })
    client.clear()
    simulation.send((0..<Self.members).map { "HISTORY m\($0) limit=1\n" }.joined() + "CLUSTER STATUS\n", on: client)
    simulation.run(for: 20_000_000) { client.lines.last?.contains("healthy=") ?? false }
    #expect(!client.lines.contains { $0.hasPrefix("-") }, "\(client.lines.prefix(3))")
    // Nobody gives it back what is led best from here.
    #expect(!simulation.run(for: 60_000_000) { replicas(simulation, leader)[1...].contains { $0.isLeader } })
    simulation.kill(leader)
    try recycle(disk)
    try checkRepair(simulation, of: leader, earned: earned)
  }

  @Test func aJournalThatTurnsOutRottenIsReadByOthersThoughMemoryIsShort() throws {
    let simulation = try makeBusyCluster(seed: 13, snapshotBytes: 4 << 10)
    _ = try earn(simulation, on: 0, count: 300, tag: "a")
    simulation.run(for: 2_000_000)
    for host in simulation.hosts { host.setMemoryLimit(asUsed: 104) }
    simulation.run(for: 2_000_000)
    let leader = try rotJournalsOfALeader(simulation)
    let client = try #require(simulation.connect(to: leader))
    let histories = (0..<Self.members).map { "HISTORY m\($0) limit=1000\n" }.joined() + "CLUSTER STATUS\n"
    simulation.send(histories, on: client)
    simulation.run(for: 20_000_000) { client.lines.last?.contains("healthy=") ?? false }
    #expect(client.lines.contains { $0.hasPrefix("-UNAVAILABLE") }, "\(client.lines.prefix(3))")
    #expect(
      simulation.run(for: 5_000_000) { !replicas(simulation, leader)[1...].contains { $0.isLeader } },
      "\(simulation.report)")
    client.clear()
    simulation.send(histories, on: client)
    simulation.run(for: 20_000_000) { client.lines.last?.contains("healthy=") ?? false }
    #expect(client.lines.last?.contains("alarms=CORRUPT,NOMEM") == true, "\(client.lines.suffix(1))")
    #expect(!client.lines.contains { $0.hasPrefix("-") }, "\(client.lines.prefix(3))")
  }

  @Test func aJournalThatTurnsOutRottenWhenItIsWrittenIsLedByOthers() throws {
    let simulation = try makeBusyCluster(seed: 12, snapshotBytes: 4 << 10)
    _ = try earn(simulation, on: 0, count: 300, tag: "a")
    let leader = try rotJournalsOfALeader(simulation)
    // Until a segment is full, and sealed.
    for round in 0..<20 where !simulation.log.contains(where: { $0.contains("start this node again") }) {
      _ = try earn(simulation, on: (leader + 1) % 3, count: 100, tag: "b\(round)")
    }
    #expect(simulation.log.contains { $0.contains("CORRUPT") && $0.contains("start this node again") })
    #expect(simulation.run(for: 5_000_000) { !replicas(simulation, leader)[1...].contains { $0.isLeader } })
    let client = try #require(simulation.connect(to: leader))
    simulation.send((0..<Self.members).map { "HISTORY m\($0) limit=1\n" }.joined() + "CLUSTER STATUS\n", on: client)
    simulation.run(for: 20_000_000) { client.lines.last?.contains("healthy=") ?? false }
    #expect(!client.lines.contains { $0.hasPrefix("-") }, "\(client.lines.prefix(3))")
  }

  @Test func aMajorityThatIsDamagedGoesOnByAnOperatorsWordAlone() throws {
    let simulation = try makeBusyCluster(seed: 11, snapshotBytes: 1 << 30)
    let earned = try earn(simulation, on: 0, count: 100, tag: "a")
    simulation.run(for: 2_000_000)
    for victim in [1, 2] {
      simulation.kill(victim)
      let place = try #require(batches(simulation.hosts[victim].disk).dropLast(3).last)
      simulation.hosts[victim].disk.flipBit(place.path, bit: (place.block * 4096 + 40) * 8)
    }
    for victim in [1, 2] { simulation.start(victim) }
    simulation.run(for: 20_000_000)
    let shard = try #require(replicas(simulation, 1).first { !$0.raft.damage.mayVote && $0.shard != .directory }?.shard)
    #expect(simulation.hosts.allSatisfy { $0.node?.replicas[shard]?.isLeader == false }, "it halts rather than forget")
    let client = try #require(simulation.connect(to: 0))
    func ask(_ line: String) -> String {
      client.clear()
      simulation.send(line + "\n", on: client)
      simulation.run(for: 10_000_000) { client.lineCount > 0 }
      return client.lines.first ?? ""
    }
    #expect(ask("CLUSTER ALARM CLEAR CORRUPT shard=\(shard.rawValue)").contains("accept-loss=yes"))
    #expect(ask("CLUSTER ALARM CLEAR CORRUPT shard=77 accept-loss=yes").hasPrefix("-NOTFOUND"))
    for shard in [0, 1, 2] as [UInt32]
    where !simulation.hosts.contains(where: { $0.node?.replicas[ShardID(shard)]?.isLeader == true }) {
      #expect(ask("CLUSTER ALARM CLEAR CORRUPT shard=\(shard) accept-loss=yes") == "+OK")
      simulation.run(for: 5_000_000)
    }
    #expect(
      simulation.run(for: 20_000_000) { isWhole(simulation, 1) && isWhole(simulation, 2) }, "\(simulation.report)")
    #expect(ask("CLUSTER ALARM CLEAR CORRUPT shard=\(shard.rawValue) accept-loss=yes").hasPrefix("-CONFLICT"))
    // One replica had lost nothing.
    #expect(try total(simulation, on: 2) == earned)
  }

  @Test func aSnapshotThatHasRottenIsMadeAgainFromALogThatReachesBack() throws {
    let simulation = try makeBusyCluster(seed: 10, snapshotBytes: 4 << 10)
    let earned = try earn(simulation, on: 0, count: 300, tag: "a")
    simulation.kill(1)
    try flip(simulation.hosts[1].disk, suffix: ".snap", byte: 400)
    simulation.start(1)
    #expect(simulation.log.contains { $0.contains("CORRUPT") && $0.contains(".snap") })
    #expect(simulation.run(for: 20_000_000) { isWhole(simulation, 1) }, "\(simulation.report)")
    #expect(replicas(simulation, 1).filter { $0.raft.damage != .none }.isEmpty)
    simulation.kill(0)
    #expect(try total(simulation, on: 1) == earned)
  }

  @Test func whatALogLacksAtItsEndShowsWhenALeaderKnowsOfMore() throws {
    let simulation = try makeBusyCluster(seed: 11, snapshotBytes: 1 << 30)
    // Leadership has gone home: a leader knows what was acknowledged to it, not what its predecessors know.
    simulation.run(for: 5_000_000)
    let earned = try earn(simulation, on: 0, count: 100, tag: "a")
    let victim = try #require((0..<3).first { host in !replicas(simulation, host)[1...].contains { $0.isLeader } })
    let disk = simulation.hosts[victim].disk
    simulation.kill(victim)
    // As if a crash had torn them; but they had been acknowledged.
    for place in batches(disk).suffix(6) { disk.zeroSector(place.path, sector: place.block) }
    simulation.start(victim)
    #expect(!simulation.log.contains { $0.contains("CORRUPT") }, "nobody could tell as yet")
    let isCopy = simulation.run(for: 10_000_000) {
      let found = replicas(simulation, victim)
      return found.contains { $0.raft.isFenced } && found.allSatisfy { !$0.raft.isDamaged }
    }
    #expect(isCopy, "\(simulation.report)")
    #expect(simulation.log.contains { $0.contains("CORRUPT") && $0.contains("that were acknowledged here") })
    #expect(status(simulation, victim)?.contains("alarms=CORRUPT") == true)
    #expect(try total(simulation, on: victim) == earned)
  }

  @Test func aNodeThatMayHaveLostItsVoteCountsInNoMajority() throws {
    let simulation = try makeBusyCluster(seed: 9, snapshotBytes: 1 << 30)
    let earned = try earn(simulation, on: 0, count: 100, tag: "a")
    simulation.kill(2)
    let disk = simulation.hosts[2].disk
    let all = batches(disk)
    for place in all.dropLast(5) { disk.flipBit(place.path, bit: (place.block * 4096 + 70) * 8) }
    simulation.start(2)
    try #require(simulation.hosts[2].node != nil, "\(simulation.hosts[2].failure ?? "")")
    let hasAll = simulation.run(for: 60_000_000) {
      let found = replicas(simulation, 2)
      return found.count == 3 && found.allSatisfy { !$0.raft.isDamaged } && found[1].machine.lastIndex.rawValue > 20
    }
    try #require(hasAll, "\(simulation.report)")
    #expect(replicas(simulation, 2).contains { $0.raft.isFenced })
    #expect(simulation.log.contains { $0.contains("replace this node") })
    #expect(try total(simulation, on: 2) == earned)
    // One of the two others goes: nobody may lead a shard of which node 2 forgot its vote.
    simulation.kill(0)
    simulation.run(for: 20_000_000)
    for own in replicas(simulation, 2) where own.raft.isFenced {
      let other = simulation.hosts[1].node?.replicas[own.shard]
      #expect(own.isLeader == false && other?.isLeader == false, "\(simulation.report)")
    }
  }
}
