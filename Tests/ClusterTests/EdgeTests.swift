import Base
import Ledger
import Raft
import Testing

@testable import Cluster

/// Requests on their way to leaders, without anybody who leads.
@Suite struct EdgeTests {
  private static let shard = ShardID(1)
  private static let first = NodeID(5)
  private static let second = NodeID(6)
  private var edge = Edge(streamBytesLimit: 64 << 20)

  init() {
    edge.makeTables(through: ShardID(2), incarnation: 3)
    edge.place([
      Self.placement(1, 0..<Slot.count / 2, epoch: 1), Self.placement(2, Slot.count / 2..<Slot.count, epoch: 1),
    ])
  }
  private static func placement(_ shard: UInt32, _ slots: Range<Int>, epoch: UInt64) -> ShardPlacement {
    ShardPlacement(
      shard: ShardID(shard), slots: SlotRanges([slots]) ?? .none, epoch: epoch, voters: [first], preferredLeader: first)
  }

  /// Takes in a request, and sends what there is to whom it belongs; nil: it waits.
  private func send(_ flags: EdgeItem.Flags, now: UInt64 = 0, deadline: UInt64 = 100) -> NodeID? {
    let stream = edge.stream(Self.shard)
    stream.append(owner: .init(client: 1, generation: 1, slot: 1), flags: flags, deadline: deadline) {
      $0.append(UInt32(0))
    }
    let target = edge.target(of: stream, now: now) { _ in true }.node
    if target != nil { while stream.hasUnsent { stream.sendNext(limit: 1000) { _, _, _ in } } }
    return target
  }

  @Test func slotsBelongToTheirShards() {
    #expect(edge.hasSlots && edge.shardCount == 3 && !edge.has(ShardID(3)))
    #expect(edge.shard(of: Slot(0)) == ShardID(1) && edge.stream(of: Slot(UInt16(Slot.count - 1))).shard == ShardID(2))
  }

  @Test mutating func aSlotGoesToTheShardOfTheHighestEpoch() {
    // Shard 2 gives its first quarter away; a map of before comes late.
    let half = Slot.count / 2
    edge.place([Self.placement(1, 0..<half + 10, epoch: 2), Self.placement(2, half + 10..<Slot.count, epoch: 2)])
    #expect(edge.shard(of: Slot(UInt16(half + 9))) == ShardID(1))
    edge.place([Self.placement(1, 0..<half, epoch: 1), Self.placement(2, half..<Slot.count, epoch: 1)])
    #expect(
      edge.shard(of: Slot(UInt16(half + 9))) == ShardID(1) && edge.shard(of: Slot(UInt16(half + 10))) == ShardID(2))
    // Of the same epoch there is one truth: the first to be heard is it.
    edge.place([Self.placement(3, half + 9..<half + 10, epoch: 2)])
    #expect(edge.shard(of: Slot(UInt16(half + 9))) == ShardID(1))
    edge.place([Self.placement(2, half + 9..<half + 10, epoch: 3)])
    #expect(edge.shard(of: Slot(UInt16(half + 9))) == ShardID(2))
  }

  @Test mutating func aQuerysAnswerCountsInItsEpochAlone() throws {
    _ = edge.note(leader: Self.first, Term(1), of: Self.shard)
    let stream = edge.stream(Self.shard)
    func sent() -> [UInt64] {
      var sent: [UInt64] = []
      while stream.hasUnsent {
        stream.sendNext(limit: 1000) { _, count, items in
          var reader = ByteReader(items)
          for _ in 0..<count {
            sent.append((try? reader.read(UInt64.self)) ?? 0)
            _ = try? reader.read(UInt8.self)
            _ = try? reader.read(UInt32.self)
          }
        }
      }
      return sent
    }
    for flags: EdgeItem.Flags in [.repeatable, .query] {
      stream.append(owner: .init(client: 1, generation: 1, slot: 1), flags: flags, deadline: 100) {
        $0.append(UInt32(0))
      }
    }
    let command = stream.items.first, query = command + 1
    let first = sent()
    // The command is refused, and the refusal is lost with the link: both are sent again.
    stream.beginEpoch(refusedFrom: .max, isLeaderLost: true) { _, _ in }
    let second = sent()
    #expect(first == [command, query] && second[0] == command && second[1] != query)
    #expect(stream.recognise(command) == command && stream.recognise(second[1]) == query)
    #expect(stream.recognise(first[1]) == nil, "the query may have been answered without the command")
    #expect(stream.recognise(query + 1) == nil)
    _ = stream.complete(query)
    stream.append(owner: .init(client: 1, generation: 1, slot: 1), flags: .query, deadline: 100) {
      $0.append(UInt32(0))
    }
    #expect(sent() == [query + 1] && stream.recognise(query + 1) == query + 1)
  }

  /// Requests of one connection to one member take effect in their order: a change that a lost leader may have done is not to be seen by a query
  /// before it.
  @Test mutating func aQueryIsNotAnsweredWithWhatWasAskedBehindIt() {
    _ = edge.note(leader: Self.first, Term(1), of: Self.shard)
    let stream = edge.stream(Self.shard)
    func append(_ flags: EdgeItem.Flags, client: UInt32 = 1, slot: UInt16 = 5) {
      stream.append(owner: .init(client: client, generation: 1, slot: 1), flags: flags, deadline: 100) { buffer in
        for _ in 0..<CommandHeader.slotOffset { buffer.append(UInt8(0)) }
        buffer.append(slot)
        buffer.append(UInt64(0))
      }
    }
    func given(refusedFrom message: UInt64) -> [UInt64] {
      while stream.hasUnsent { stream.sendNext(limit: 1000) { _, _, _ in } }
      var given: [UInt64] = []
      stream.beginEpoch(refusedFrom: message) { sequence, _ in given.append(sequence - stream.items.first) }
      return given
    }
    append(.query)
    append(.query, client: 2)
    append(.query, slot: 6)
    append(.repeatable)
    append(.query)
    #expect(given(refusedFrom: 0) == [], "none of them was done")
    #expect(given(refusedFrom: .max) == [0])
    #expect(given(refusedFrom: 0) == [0], "what was in doubt stays so")
  }

  @Test mutating func theHighestTermLeads() {
    #expect(edge.note(leader: Self.first, Term(2), of: Self.shard) == true)
    #expect(edge.note(leader: Self.first, Term(2), of: Self.shard) == false)
    #expect(edge.note(leader: Self.second, Term(1), of: Self.shard) == false)
    #expect(edge.note(leader: .none, Term(2), of: Self.shard) == false, "nobody is no news in a term that has a leader")
    #expect(edge.leader(of: Self.shard).node == Self.first)
    #expect(edge.note(leader: Self.second, Term(3), of: Self.shard) && edge.leader(of: Self.shard).node == Self.second)
    #expect(edge.note(leader: Self.first, Term(9), of: ShardID(3)) == false)
    #expect(edge.leader(of: ShardID(3)).node == .none)
  }

  @Test mutating func progressCountsOfTheLeaderThatIsKnown() {
    func said(_ term: UInt64, catalogue: UInt32) -> NodeStatus.Led {
      NodeStatus.Led(
        shard: Self.shard, term: Term(term), commit: LogIndex(9), applied: LogIndex(8), catalogueVersion: catalogue,
        closed: .zero, closedIndex: LogIndex(0), hasTakenOver: true)
    }
    _ = edge.note(leader: Self.first, Term(2), of: Self.shard)
    #expect(!edge.note(said(1, catalogue: 4), of: Self.first) && !edge.note(said(2, catalogue: 4), of: Self.second))
    #expect(edge.note(said(2, catalogue: 4), of: Self.first) && edge.note(said(2, catalogue: 3), of: Self.first))
    let known = edge.leader(of: Self.shard)
    #expect(known.catalogueVersion == 4 && known.commit == LogIndex(9) && known.hasTakenOver)
    // A new leader has not taken over yet.
    _ = edge.note(leader: Self.second, Term(3), of: Self.shard)
    #expect(!edge.leader(of: Self.shard).hasTakenOver)
  }

  @Test mutating func whatWaitsForALeaderGoesToItOnceItIsKnown() {
    #expect(send(.repeatable) == nil)
    _ = edge.note(leader: Self.first, Term(2), of: Self.shard)
    #expect(edge.target(of: edge.stream(Self.shard), now: 0) { _ in false }.node == nil)
    #expect(send(.repeatable) == Self.first)
  }

  @Test mutating func ofALostLeaderOnlyWhatHasAnIDIsSentAgain() {
    _ = edge.note(leader: Self.first, Term(2), of: Self.shard)
    _ = send(.repeatable)
    _ = send([])
    let lost = edge.lost(Self.first)
    #expect(lost.map(\.code) == [.unknown] && lost[0].sequence == edge.stream(Self.shard).items.first + 1)
    #expect(edge.lost(Self.first).isEmpty)
  }

  @Test mutating func aQueryOutlivesOneLeaderAndNotTwo() {
    _ = edge.note(leader: Self.first, Term(2), of: Self.shard)
    _ = send(.query)
    #expect(edge.lost(Self.first).isEmpty)
    _ = send(.query)
    #expect(edge.lost(Self.first).map(\.code) == [.unavailable])
  }

  @Test mutating func aReplacedLeaderIsNotWaitedFor() {
    _ = edge.note(leader: Self.first, Term(2), of: Self.shard)
    _ = send([])
    #expect(edge.replaced(leaderOf: Self.shard, by: Self.first).isEmpty)
    #expect(edge.replaced(leaderOf: Self.shard, by: .none).isEmpty)
    #expect(edge.replaced(leaderOf: Self.shard, by: Self.second).map(\.code) == [.unknown])
  }

  @Test mutating func afterARefusalItIsSentAgainAMomentLater() {
    _ = edge.note(leader: Self.first, Term(2), of: Self.shard)
    _ = send([])
    let stream = edge.stream(Self.shard)
    #expect(edge.refused(Self.shard, epoch: stream.epoch &+ 1, from: 0, now: 10).isEmpty && !stream.hasUnsent)
    // Refused is refused: nothing of it is in doubt.
    #expect(edge.refused(Self.shard, epoch: stream.epoch, from: 0, now: 10).isEmpty && stream.hasUnsent)
    #expect(edge.target(of: stream, now: 11) { _ in true }.node == nil)
    #expect(edge.target(of: stream, now: 10 + 5_000) { _ in true }.node == Self.first)
    #expect(edge.refused(ShardID(9), epoch: 0, now: 10).isEmpty)
  }

  @Test mutating func whatNobodyTookIsSaidToBeUndoneAndTheRestIsNot() {
    _ = send(.repeatable, deadline: 1)
    #expect(edge.expired(now: 0).isEmpty)
    #expect(edge.expired(now: 1).map(\.code) == [.unavailable])
    _ = edge.note(leader: Self.first, Term(2), of: Self.shard)
    _ = send(.repeatable, deadline: 1)
    _ = send(.query, deadline: 1)
    #expect(edge.expired(now: 1).map(\.code) == [.unknown, .unknown, .unavailable])
  }

  @Test mutating func whatWaitsIsBoundedByMemoryToo() {
    edge.bound(memory: 1 << 40)
    #expect(edge.streamBytesMax == 64 << 20)
    edge.bound(memory: 480 << 20)
    #expect(edge.streamBytesMax == 10 << 20)
    edge.bound(memory: 0)
    #expect(edge.streamBytesMax == 1 << 20)
  }
}
