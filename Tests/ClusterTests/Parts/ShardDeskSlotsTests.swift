import Base
@testable import Ledger
import Raft
import Storage
import Testing

@testable import Cluster

/// Shards that begin and end because slots move, at one node.
@Suite struct ShardDeskSlotsTests {
  private static let heir = ShardID(3)
  private let holder = ShardDeskHolder()
  private let split = ShardSplit(shard: PartWorld.one, slots: 4_096..<8_192)

  init() throws {
    var topology = PartWorld.topology()
    topology.semantics = Semantics.newest
    holder.desk.begin(topology)
    holder.follow(topology)
    try holder.world.lead(holder.directory)
    try holder.world.lead(holder.shard)
    try holder.log(.beginOperation) {
      $0.append(ShardSplit.number)
      $0.append(counted: "operator")
      $0.append(counted: OperationChild(split).params)
    }
  }
  /// The map, as the directory's log has it, is followed, with a heartbeat.
  private func beat() throws {
    holder.follow(try #require(holder.desk.directory?.topology))
    holder.beat()
  }
  private func reach(_ step: UInt32, _ state: Operation.State = .running) throws {
    let record = try #require(holder.desk.directory?.operations.open.first)
    try holder.log(.advanceOperation) { OperationChange(record, state, step: step, "").encode(into: &$0) }
    try beat()
  }

  @Test func aShardBeginsWithoutSlotsWhenItsOperationSaysSo() throws {
    try beat()
    #expect(holder.world.replicas[Self.heir] == nil, "the members of the other may not be well")
    try reach(1)
    let replica = try #require(holder.world.replicas[Self.heir])
    #expect(replica.raft.configuration.voters.map(\.node) == [PartWorld.me])
    try holder.world.lead(replica)
    #expect(replica.machine.holdings == SlotHoldings(), "the epoch of nothing is 0")
    let last = replica.raft.lastIndex
    try reach(1)
    #expect(holder.world.replicas[Self.heir] === replica && replica.raft.lastIndex >= last, "once")
  }
  @Test func whoHasLeftAShardDoesNotFoundItAgain() throws {
    holder.desk.absent.leave(Self.heir, born: 1)
    try reach(1)
    #expect(holder.world.replicas[Self.heir] == nil)
  }
  private func checkIsGone() {
    #expect(holder.world.replicas[Self.heir] == nil && holder.world.replicas[PartWorld.one] != nil)
    #expect(holder.clearedAway().isEmpty, "its tombstone comes first")
    #expect(holder.written().contains { $0.shard == Self.heir && $0.body == .gone(born: 1) })
    #expect(holder.clearedAway() == [Self.heir])
    #expect(holder.desk.replica(Self.heir, for: holder.message(born: 2), true) == nil, "no message raises it")
  }
  /// What a start finds on disk of the new shard, of which nothing is known to be committed.
  private func findOnDisk() throws {
    let replica = try #require(holder.world.replicas[Self.heir])
    let entries = replica.raft.entries(after: LogIndex(0))
    try #require(!entries.isEmpty)
    holder.world.replicas.remove(Self.heir)
    holder.desk.absent.keep(
      RecoveredReplica(
        shard: Self.heir, hardState: HardState(born: 1), snapshotIndex: LogIndex(0), snapshotTerm: Term(0),
        configuration: nil, entries: entries, machine: nil))
  }
  /// The new shard, which has no slots, is merged.
  private func merge(after body: () throws -> Void = {}) throws {
    try beginMerge()
    try body()
    try reach(3, .done)
    #expect(holder.desk.membership.topology?.ended == [Self.heir])
  }
  private func beginMerge() throws {
    try reach(2, .done)
    try holder.log(.beginOperation) {
      $0.append(ShardMerge.number)
      $0.append(counted: "operator")
      $0.append(counted: OperationChild(ShardMerge(shard: PartWorld.one, ending: Self.heir)).params)
    }
  }

  @Test func aShardThatHasEndedLeavesOnceItsFollowersHaveHeard() throws {
    try reach(1)
    try holder.world.lead(holder.world.replicas[Self.heir])
    try merge()
    #expect(holder.world.replicas[Self.heir] != nil, "followers have to hear that its log is committed")
    holder.world.wait(2_000_001)
    try beat()
    checkIsGone()
  }
  /// The directory has ended it when all its members had all of its log: what a start finds of it is applied, and leaves.
  @Test func whatAStartFindsOfAShardThatHasEndedIsCommittedAndLeaves() throws {
    try reach(1)
    try merge { try findOnDisk() }
    let replica = try #require(holder.world.replicas[Self.heir])
    #expect(replica.commitIndex == replica.raft.lastIndex)
    try beat()
    checkIsGone()
  }
  /// It has no slots before its log is applied either: what the log decides is for its journal, which other shards' records refer to.
  @Test func whatAStartFindsOfAShardThatHasEndedIsAppliedFirst() throws {
    try reach(1)
    let begun = try #require(holder.world.replicas[Self.heir])
    try holder.world.lead(begun)
    try beginMerge()
    let snapshot = begun.machine.lastIndex
    try #require(begun.machine.holdings.slots.isEmpty && begun.raft.lastIndex == snapshot)
    holder.world.replicas.remove(Self.heir)
    holder.desk.start(
      RecoveredReplica(
        shard: Self.heir, hardState: HardState(born: 1), snapshotIndex: snapshot, snapshotTerm: Term(1),
        configuration: begun.raft.configuration,
        entries: [LogEntry(index: LogIndex(snapshot.rawValue + 1), term: Term(1), kind: .noop, payload: [])],
        machine: nil),
      machine: begun.machine)
    let record = try #require(holder.desk.directory?.operations.open.first)
    try holder.log(.advanceOperation) { OperationChange(record, .done, step: 3, "").encode(into: &$0) }
    holder.follow(try #require(holder.desk.directory?.topology))
    for _ in 0..<3 { holder.desk.proposeDue(SaidLeaders()) }
    let replica = try #require(holder.world.replicas[Self.heir])
    #expect(replica.commitIndex == replica.raft.lastIndex && replica.machine.lastIndex == snapshot)
    holder.world.quiesce(replica)
    #expect(replica.machine.lastIndex == replica.raft.lastIndex)
    try beat()
    checkIsGone()
  }
  @Test func aShardOfWhichNothingComesLeavesAtOnce() throws {
    try reach(1)
    try holder.world.lead(holder.world.replicas[Self.heir])
    try reach(1, .failed)
    #expect(holder.desk.membership.topology?.abandoned == [Self.heir])
    checkIsGone()
  }
  /// Nobody vouches for its log: nothing of it is taken for committed.
  @Test func whatAStartFindsOfAShardOfWhichNothingCameIsNotStarted() throws {
    try reach(1)
    try findOnDisk()
    _ = holder.written()
    let record = try #require(holder.desk.directory?.operations.open.first)
    try holder.log(.advanceOperation) { OperationChange(record, .failed, step: 1, "").encode(into: &$0) }
    try beat()
    #expect(holder.desk.absent.found[Self.heir] == nil)
    checkIsGone()
  }

  /// Whoever asks for a slot that is on its way is told where it went once it has arrived there: before, nobody would know of it.
  @Test func itIsToldThatASlotHasGoneOnceItHasArrived() throws {
    let replica = try #require(holder.shard)
    replica.raiseSemantics(to: Semantics.newest)
    try beat()
    func export(_ slots: Range<Int>) throws {
      var command = ByteBuffer()
      Command.appendExport(to: &command, heir: Self.heir, slots: slots, epoch: replica.machine.holdings.epoch)
      let isTaken = replica.addInternal(command.bytes)
      try #require(isTaken)
      holder.world.quiesce(replica)
    }
    func ask(_ member: String) -> [UInt8]? {
      var query = ByteBuffer()
      Array(member.utf8).withUnsafeBytes { Query.appendBalance(to: &query, tenant: .first, member: $0) }
      replica.evaluate(query.bytes, ReplyTo(edge: 7, sequence: 1))
      return answers()
    }
    func answers() -> [UInt8]? {
      defer { for results in replica.outbox.results { results.buffer.removeAll() } }
      return replica.outbox.results.first { !$0.buffer.isEmpty }?.buffer.array
    }
    let member = try #require((0..<1_000).lazy.map { "m\($0)" }.first { Topology.slot(ofMember: $0).rawValue < 8_192 })
    let slot = Int(Topology.slot(ofMember: member).rawValue)
    #expect(ask(member) != nil)
    try export(0..<0)
    try export(slot..<slot + 1)
    let moving = try #require(replica.machine.holdings.moving)
    #expect(ask(member) == nil, "it is on its way")
    var command = ByteBuffer()
    let start = Command.begin(&command, .imported, Slot(0))
    command.append(moving.epoch)
    Command.end(&command, start)
    let isTaken = replica.addInternal(command.bytes)
    try #require(isTaken)
    holder.world.quiesce(replica)
    #expect(replica.machine.holdings.moving == nil)
    let told = try #require(answers())
    #expect(told.dropFirst(16).first == ReplyTag.moved.rawValue)
    #expect(ask(member)?.dropFirst(16).first == ReplyTag.moved.rawValue, "at once from then on")
  }
}
