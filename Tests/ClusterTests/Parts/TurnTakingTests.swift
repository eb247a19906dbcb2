import Base
import Ledger
import Raft
import Testing

@testable import Cluster

/// Replicas of a node that has no peers: directories, for they need least.
private func replicas(_ count: UInt32) throws -> ReplicaTable {
  let table = ReplicaTable()
  for shard in (0..<count).reversed() {
    let raft = try RaftGroup(
      node: NodeID(1), options: RaftOptions(), seed: 1, hardState: HardState(), snapshotIndex: LogIndex(0),
      snapshotTerm: Term(0), configuration: Configuration(founders: [NodeID(1), NodeID(2), NodeID(3)]), entries: [])
    let replica = Replica(
      shard: ShardID(shard), machine: DirectoryMachine(), raft: raft)
    replica.isDirty = false
    table.add(replica)
  }
  return table
}

private final class Runner: TurnRunner {
  nonisolated(unsafe) var ran: [[UInt32]] = []
  func run(_ shards: [ShardID], _ turn: @escaping @Sendable (_ place: Int) -> Void) {
    ran.append(shards.map(\.rawValue))
    for place in shards.indices { turn(place) }
  }
}

@Suite struct TurnTakingTests {
  private func take(_ turns: inout TurnTaking, _ table: ReplicaTable) -> [UInt32] {
    turns.shareWork(among: table)
    turns.take(table, clock: Stamp(microseconds: 1), earliest: nil)
    return turns.turned.map(\.shard.rawValue)
  }

  @Test func onlyThoseToWhichSomethingHasHappenedTakeATurnInTheOrderOfTheShards() throws {
    let table = try replicas(4)
    var turns = TurnTaking(runner: nil, applyWork: 100, parallelBytes: 10)
    #expect(take(&turns, table).isEmpty)
    for shard in [3, 1] as [UInt32] { table[ShardID(shard)]?.isDirty = true }
    #expect(take(&turns, table) == [1, 3])
    #expect(table.allSatisfy { !$0.isDirty } && take(&turns, table).isEmpty)
  }

  @Test func workIsSharedByThoseThatHaveMuchAndEachGetsOn() throws {
    let table = try replicas(4)
    var turns = TurnTaking(runner: nil, applyWork: 100, parallelBytes: 10)
    let entry = LogEntry(index: LogIndex(1), term: Term(1), payload: [])
    for shard in [0, 2] as [UInt32] {
      var committed = [entry]
      table[ShardID(shard)]?.applying.backlog.add(&committed)
      table[ShardID(shard)]?.isDirty = true
    }
    turns.shareWork(among: table)
    #expect(table.map(\.applying.allowance) == [50, 0, 50, 0])
    var few = TurnTaking(runner: nil, applyWork: 1, parallelBytes: 10)
    for _ in 0..<2 { few.shareWork(among: table) }
    #expect(table.map(\.applying.allowance) == [1, 0, 1, 0])
    // Those that have nothing to apply yet have as much, once it comes to their turn.
    for shard in [0, 2] as [UInt32] { table[ShardID(shard)]?.isDirty = false }
    table[ShardID(3)]?.isDirty = true
    #expect(take(&turns, table) == [3] && table[ShardID(3)]?.applying.allowance == 100)
  }

  @Test func marksOfShardsStandSideBySide() throws {
    let marks = TurnMarks()
    #expect(!marks.areAny && Array(marks.marked).isEmpty)
    let shards = [0, 1, 7, 8, 9, 63, 64, 700, 5_000].map { ShardID($0) }
    for shard in shards.reversed() {
      marks.makeRoom(for: shard)
      #expect(!marks[shard])
      marks[shard] = true
    }
    #expect(marks.take() && !marks.areAny && !marks.take())
    #expect(Array(marks.marked) == shards, "they stay marked")
    for shard in marks.marked where shard.rawValue % 2 == 0 { marks[shard] = false }
    #expect(Array(marks.marked) == shards.filter { $0.rawValue % 2 == 1 } && !marks.areAny)
  }

  @Test func whoHasLeftIsMarkedNoMore() throws {
    let table = try replicas(3)
    let gone = try #require(table[ShardID(1)])
    gone.isDirty = true
    table.remove(ShardID(1))
    #expect(Array(table.dirty).isEmpty && gone.isDirty, "it is dirty by itself")
    let other = try #require(try replicas(2)[ShardID(1)])
    table.add(other)
    gone.isDirty = true
    #expect(Array(table.dirty).isEmpty)
    other.isDirty = true
    #expect(Array(table.dirty).map(\.shard.rawValue) == [1])
  }

  /// Terminals of its node wait for each turn, and nobody for the newcomer; but it is not to stay behind for ever.
  @Test func aNewcomerTakesItsTimeForAWhile() throws {
    let table = ReplicaTable()
    for (shard, founders) in [(0, [1, 2, 3]), (1, [4, 5, 6])] as [(UInt32, [UInt64])] {
      let raft = try RaftGroup(
        node: NodeID(1), options: RaftOptions(), seed: 1, hardState: HardState(born: 1), snapshotIndex: LogIndex(0),
        snapshotTerm: Term(0), configuration: Configuration(founders: founders.map { NodeID($0) }), entries: [])
      let replica = Replica(shard: ShardID(shard), machine: DirectoryMachine(), raft: raft)
      var committed = [LogEntry(index: LogIndex(1), term: Term(1), payload: [])]
      replica.applying.backlog.add(&committed)
      table.add(replica)
    }
    #expect(table.map(\.isVoter) == [true, false] && table.map(\.isCatchingUp) == [false, true])
    var turns = TurnTaking(runner: nil, applyWork: 1_024, parallelBytes: 10)
    for _ in 0..<8_000 {
      turns.shareWork(among: table)
      guard table.map(\.applying.allowance) == [512, TurnTaking.newcomersWork] else { break }
    }
    #expect(table.map(\.applying.allowance) == [512, TurnTaking.newcomersWork])
    turns.shareWork(among: table)
    #expect(table.map(\.applying.allowance) == [512, 512])
    table[ShardID(1)]?.applying.caughtUp()
    turns.shareWork(among: table)
    #expect(table.map(\.applying.allowance) == [512, TurnTaking.newcomersWork])
  }

  @Test func allOfThemTogetherDoNoMoreThanATurnsWork() throws {
    let founding = Founding.directory(of: PartWorld.topology())
    let table = ReplicaTable()
    for shard in 0..<3 as Range<UInt32> {
      let raft = try RaftGroup(
        node: NodeID(1), options: RaftOptions(), seed: 1, hardState: HardState(commit: founding.lastIndex),
        snapshotIndex: LogIndex(0), snapshotTerm: Term(0), configuration: .empty, entries: founding.entries)
      table.add(Replica(shard: ShardID(shard), machine: DirectoryMachine(), raft: raft))
    }
    var turns = TurnTaking(runner: nil, applyWork: 1, parallelBytes: 10)
    #expect(take(&turns, table) == [0, 1, 2])
    #expect(table.map(\.machine.lastIndex.rawValue) == [1, 0, 0])
    for _ in 0..<10 { _ = take(&turns, table) }
    #expect(table.map(\.machine.lastIndex.rawValue) == [2, 2, 2], "each gets on, unasked")
  }

  @Test func severalThatHaveMuchToDoTakeTheirTurnsSideBySide() throws {
    let table = try replicas(3)
    let runner = Runner()
    var turns = TurnTaking(runner: runner, applyWork: 100, parallelBytes: 1)
    for replica in table {
      replica.isDirty = true
      replica.gather.add(marker: [0], for: .nobody, at: Stamp(microseconds: 1))
    }
    #expect(take(&turns, table) == [0, 1, 2] && runner.ran == [[0, 1, 2]])
    // Nobody could tell at whose entry the process dies.
    for replica in table { replica.isDirty = true }
    table[ShardID(1)]?.halt.suspect(LogIndex(5))
    #expect(take(&turns, table) == [0, 1, 2] && runner.ran.count == 1)
  }

  @Test func oneThatHasMuchToDoNeedsNoThread() throws {
    let table = try replicas(3)
    let runner = Runner()
    var turns = TurnTaking(runner: runner, applyWork: 100, parallelBytes: 1_000)
    for replica in table { replica.isDirty = true }
    table[ShardID(1)]?.gather.add(
      marker: [UInt8](repeating: 0, count: 2_000), for: .nobody, at: Stamp(microseconds: 1))
    #expect(take(&turns, table).count == 3 && runner.ran.isEmpty)
  }
}

@Suite struct ReplicaTableTests {
  @Test func replicasStandInTheOrderOfTheirShards() throws {
    let table = try replicas(3)
    #expect(table.map(\.shard.rawValue) == [0, 1, 2] && table.count == 3)
    #expect(table[ShardID(1)] === table[1] && table[ShardID(3)] == nil)
  }

  @Test func whatIsWrongWithOneIsToldOfAll() throws {
    let table = try replicas(2)
    #expect(!table.isCorrupt)
    table.rottenJournals.insert(ShardID(1))
    #expect(table.isCorrupt)
    table.rottenJournals = []
    table[ShardID(0)]?.quarantine("a test")
    #expect(table.isCorrupt)
  }
}

@Suite struct AlarmTests {
  @Test func alarmsAreAskedForInAFewWords() {
    #expect(Alarm.Command(["LIST"], shard: nil) == .list)
    #expect(Alarm.Command(["CLEAR", "POISON"], shard: ShardID(3)) == .clearPoison(ShardID(3)))
    #expect(Alarm.Command(["CLEAR", "CORRUPT"], shard: ShardID(3), acceptsLoss: true) == .acceptLoss(ShardID(3)))
    for (words, reason) in [
      (["CLEAR", "POISON"], "say of which shard"), (["CLEAR", "CLOCK"], "POISON and CORRUPT can be cleared"),
      (["CLEAR", "CORRUPT"], "may be lost for ever"),
      (["LIST", "ALL"], "takes LIST"), ([], "takes LIST"),
    ] {
      guard case .unknown(let said) = Alarm.Command(words, shard: nil) else {
        Issue.record("\(words)")
        continue
      }
      #expect(said.contains(reason), "\(words)")
    }
  }

  @Test func aNodesAlarmsAreSortedWords() {
    let peers = PeerTable(
      own: Hello(
        node: NodeID(1), name: "n", region: "r", clientAddress: "", peerAddress: "", version: "", cluster: 0))
    #expect(peers.alarms.isEmpty && Alarm.list(peers.alarms) == "none")
    peers.own.condition.disk.isSlow = true
    peers.own.condition.memory = .near
    peers.own.clock.isOff = true
    #expect(Alarm.list(peers.alarms) == "CLOCK,NOMEM,SLOWDISK")
    let away = peers.add(
      Hello(node: NodeID(2), name: "m", region: "r", clientAddress: "", peerAddress: "", version: "", cluster: 0),
      isMember: true)
    away.condition.isCorrupt = true
    #expect(!peers.alarms.contains("CORRUPT"), "of a node that is not in reach nothing is known")
    (away.outgoing, away.incoming) = (LinkID(1), LinkID(2))
    #expect(peers.alarms.contains("CORRUPT"))
  }
}
