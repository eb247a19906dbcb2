import Base
import Ledger
import Raft
import Storage
import Testing

@testable import Cluster
@testable import Simulator

/// Entries and queries that end the process.
@Suite struct PoisonTests {
  // MARK: The note

  private static let shard = ShardID(7)
  /// What each process notes, and how it ends: by a signal, or 0: by no doing of its own.
  private struct Process {
    var index: UInt64
    var signal: UInt32
    var build: UInt64 = 1
    var isQuery = false
  }
  /// What the process after those finds.
  private func found(after processes: [Process], build: UInt64 = 1) throws -> ApplyingNote.Death? {
    let memory = PrivateMemory(byteCount: ApplyingNote.byteCount)
    for process in processes {
      let note = ApplyingNote(memory)
      _ = try note.takeDeaths(build: process.build)
      note.begin(PoisonTests.shard, LogIndex(process.index), Term(3), place: 0)
      note.reach(PoisonTests.shard, place: 4)
      if process.isQuery { note.setQuery(PoisonTests.shard, true) }
      note.trap.pointee = process.signal
    }
    return try ApplyingNote(memory).takeDeaths(build: build)[PoisonTests.shard]
  }

  @Test func deathsByATrapAreCounted() throws {
    let once = try found(after: [.init(index: 5, signal: 4)])
    #expect(once == .init(index: LogIndex(5), term: Term(3), place: 4, count: 1) && once?.isPoison == false)
    let twice = try found(after: [.init(index: 5, signal: 4), .init(index: 5, signal: 11)])
    #expect(twice?.count == 2 && twice?.isPoison == true)
    let elsewhere = try found(after: [.init(index: 5, signal: 4), .init(index: 6, signal: 4)])
    #expect(elsewhere?.index == LogIndex(6) && elsewhere?.count == 1)
  }
  @Test func otherDeathsAreNot() throws {
    #expect(try found(after: [.init(index: 5, signal: 0), .init(index: 5, signal: 0)]) == nil)
    let between = try found(after: [.init(index: 5, signal: 4), .init(index: 5, signal: 0), .init(index: 0, signal: 4)])
    #expect(between?.count == 1)
    #expect(
      try found(after: [.init(index: 5, signal: 4, isQuery: true), .init(index: 5, signal: 4, isQuery: true)]) == nil)
  }
  @Test func anotherBuildTriesOnce() throws {
    let deaths = [Process(index: 5, signal: 4), Process(index: 5, signal: 4)]
    #expect(try found(after: deaths, build: 2)?.isPoison == false)
    #expect(try found(after: deaths + [Process(index: 5, signal: 4, build: 2)], build: 2)?.isPoison == true)
  }
  @Test func whatIsNotANoteIsBegunAnew() throws {
    let memory = PrivateMemory(byteCount: ApplyingNote.byteCount)
    for i in memory.bytes.indices { memory.bytes[i] = UInt8(truncatingIfNeeded: i &* 31) }
    #expect(try ApplyingNote(memory).takeDeaths(build: 1).isEmpty)
    let note = ApplyingNote(memory)
    note.begin(PoisonTests.shard, LogIndex(9), Term(1), place: 0)
    note.begin(ShardID(.max), LogIndex(9), Term(1), place: 0)
    note.trap.pointee = 8
    // A record that has rotted counts as none.
    _ = try ApplyingNote(memory).takeDeaths(build: 1)
    memory.bytes[64 * 8 + 24] ^= 1
    #expect(try ApplyingNote(memory).takeDeaths(build: 1).isEmpty)
  }
  @Test func theMappedFileOutlivesTheProcess() throws {
    let directory = "/tmp/tally-note-\(UInt64.random(in: 0 ... .max))"
    let system = SystemFileSystem()
    try system.createDirectory(directory)
    defer {
      try? system.remove(directory + "/applying")
      try? system.remove(directory)
    }
    for expected: UInt32? in [nil, 1, 2] {
      let note = ApplyingNote(try system.map(directory + "/applying", byteCount: ApplyingNote.byteCount))
      #expect(try note.takeDeaths(build: 1)[PoisonTests.shard]?.count == expected)
      note.begin(PoisonTests.shard, LogIndex(5), Term(1), place: 0)
      note.trap.pointee = 4
    }
  }

  // MARK: A cluster

  /// Every process dies that applies an entry in which a word stands.
  private final class Killer: ReplicaObserver {
    var word: [UInt8]?
    /// Nil: everyone.
    var only: NodeID?
    private(set) var deaths = 0
    func traps(at entry: LogEntry, _ replica: ReplicaView) -> Bool {
      guard let word, only == nil || only == replica.node, entry.payload.count >= word.count else { return false }
      let isThere = (0...entry.payload.count - word.count).contains { entry.payload[$0...].starts(with: word) }
      if isThere { deaths += 1 }
      return isThere
    }
    func applied(_ entry: LogEntry, _ replica: ReplicaView) {}
    func starts(_ replica: ReplicaView) {}
    func acknowledges(_ replica: ReplicaView, through index: LogIndex) {}
    func restored(_ replica: ReplicaView) {}
    func leads(_ replica: ReplicaView) {}
    func votes(_ replica: ReplicaView) {}
    func readBegins(_ replica: ReplicaView, round: UInt64) {}
    func readEnds(_ replica: ReplicaView, round: UInt64) {}
  }

  @Test func aPoisonEntryStopsItsShardAlone() throws {
    let killer = Killer()
    let cluster = try DiskCluster(seed: 91, observer: killer)
    let simulation = cluster.simulation
    // Nothing else is under way when it comes.
    simulation.run(for: 2_000_000)
    let topology = try #require(try cluster.node(0).membership.topology)
    let shard = try #require(topology.shard(ofMember: "m0"))
    let others = cluster.members.filter { topology.shard(ofMember: $0) != shard }
    try #require(!others.isEmpty)
    killer.word = Array("deadly".utf8)
    // Who dies is started again, as a supervisor does.
    var starts = 0
    simulation.trapped = { host in
      starts += 1
      simulation.call(after: 100_000) { if host.node == nil { simulation.start(host.number) } }
    }
    let client = try #require(simulation.connect(to: 0))
    simulation.send("EARN m0 merchant=shop points=1 id=deadly\n", on: client)
    let isOver = simulation.run(for: 60_000_000) {
      (0..<3).allSatisfy { simulation.hosts[$0].node?.replicas[shard]?.poison != nil }
    }
    try #require(isOver, "\(simulation.report)")
    #expect(killer.deaths == 6 && starts == 6)
    // The others are served, and the operator is told.
    simulation.run(for: 5_000_000)
    for host in 0..<3 {
      for member in others {
        #expect(try cluster.answer("EARN \(member) merchant=shop points=1 id=after\(host)", on: host).hasPrefix("+tx="))
      }
      let status = cluster.status(host)
      #expect(status.contains("healthy=no") && status.contains("alarms=POISON"), "\(status)")
      let index = try #require(try cluster.node(host).replicas[shard]?.poison).index.rawValue
      #expect(status.contains("detail=\"POISON shard \(shard.rawValue) index \(index) kind EARN\""), "\(status)")
      #expect(cluster.logged("alarm=POISON shard=\(shard.rawValue) index=\(index) kind=EARN", by: host) == 1)
      #expect(try cluster.answer("BALANCE m0", on: host).hasPrefix("-UNAVAILABLE"))
      #expect(try cluster.node(host).replicas[shard]?.isLeader == false)
    }
    // Tried again once, by an operator: of those who die of it none dies twice.
    #expect(try cluster.answer("CLUSTER ALARM CLEAR POISON shard=\(shard.rawValue)", on: 0) == "+OK")
    let isBack = simulation.run(for: 60_000_000) {
      killer.deaths == 9 && (0..<3).allSatisfy { simulation.hosts[$0].node?.replicas[shard]?.poison != nil }
    }
    #expect(isBack && killer.deaths == 9, "\(killer.deaths) \(simulation.report)")
    // Another build does not die of it.
    killer.word = nil
    for host in 0..<3 {
      simulation.kill(host)
      simulation.hosts[host].build = 2
      simulation.start(host)
    }
    let isWell = simulation.run(for: 20_000_000) { (0..<3).allSatisfy { cluster.status($0).contains("healthy=yes") } }
    #expect(isWell, "\(simulation.report)")
    #expect(try cluster.answer("BALANCE m0", on: 1).contains("balance=1 "))
    #expect(try cluster.answer("CLUSTER ALARM CLEAR POISON shard=1", on: 0).hasPrefix("-NOTFOUND"))
    try cluster.checkBooks()
  }

  @Test func oneNodeThatDiesOfAnEntryFollowsOn() throws {
    let killer = Killer()
    let cluster = try DiskCluster(seed: 92, shards: 1, observer: killer)
    let simulation = cluster.simulation
    // A follower alone dies of it: the others go on, and it goes on acknowledging.
    let victim = try #require((0..<3).first { simulation.hosts[$0].node?.replicas[ShardID(1)]?.isLeader == false })
    simulation.trapped = { host in simulation.start(host.number) }
    killer.word = Array("deadly".utf8)
    killer.only = simulation.hosts[victim].nodeID
    #expect(try cluster.answer("EARN m0 merchant=shop points=1 id=deadly", on: (victim + 1) % 3).hasPrefix("+tx="))
    let isOver = simulation.run(for: 20_000_000) { simulation.hosts[victim].node?.replicas[ShardID(1)]?.poison != nil }
    try #require(isOver, "\(simulation.report)")
    simulation.run(for: 3_000_000)
    // It is one of the two that there are: so it votes, and what is acknowledged is on its disk.
    let other = try #require(
      (0..<3).first { $0 != victim && simulation.hosts[$0].node?.replicas[ShardID(1)]?.isLeader == false })
    simulation.kill(other)
    #expect(
      try cluster.answer(
        "EARN m0 merchant=shop points=1 id=more", on: (victim + 1) % 3 == other ? (victim + 2) % 3 : (victim + 1) % 3
      ).hasPrefix("+tx="))
    let replica = try #require(try cluster.node(victim).replicas[ShardID(1)])
    #expect(replica.raft.lastIndex > replica.machine.lastIndex && !replica.isLeader)
  }

  // MARK: Queries

  @Test func aQueryIsNotHandedToAThirdLeader() {
    let stream = EdgeStream(shard: ShardID(1), firstSequence: 10, epoch: 1)
    let owner = EdgeItem.Owner(client: 0, generation: 0, slot: 0)
    stream.append(owner: owner, flags: .query, deadline: .max) { $0.append(UInt32(0)) }
    stream.append(owner: owner, flags: .repeatable, deadline: .max) { $0.append(UInt32(0)) }
    func send() { while stream.hasUnsent { stream.sendNext(limit: 1 << 20) { _, _, _ in } } }
    var given: [UInt64] = []
    send()
    stream.beginEpoch(refusedFrom: .max, isLeaderLost: true) { sequence, _ in given.append(sequence) }
    // One that is refused, or deposed, has not died of it.
    send()
    stream.beginEpoch(refusedFrom: .max) { sequence, _ in given.append(sequence) }
    #expect(given.isEmpty)
    send()
    stream.beginEpoch(refusedFrom: .max, isLeaderLost: true) { sequence, item in
      given.append(sequence)
      #expect(item.losses == 2)
    }
    #expect(given == [10])
  }
}
