import Base
import Testing

@testable import Raft

struct DurabilityTests {
  private func log(_ terms: [UInt64]) -> Log {
    Log(
      start: LogPosition(index: LogIndex(0), term: Term(0)),
      entries: terms.enumerated().map { offset, term in
        LogEntry(index: LogIndex(UInt64(offset) + 1), term: Term(term), payload: [])
      })
  }
  private func reply(_ index: UInt64) -> Message {
    Message(.appendReply, from: ReplicaID(1), to: ReplicaID(2), term: Term(1), index: LogIndex(index))
  }

  @Test func aReplyWaitsForTheWriteThatHasWhatItSpeaksOf() {
    var durability = Durability(durable: HardState(), stable: LogIndex(0))
    var messages: [Message] = []
    durability.hold(reply(1))
    let first = durability.take(HardState(term: Term(1)), from: log([1]), messages: &messages)
    durability.hold(reply(2))
    let second = durability.take(HardState(term: Term(1)), from: log([1, 1]), messages: &messages)
    #expect(first?.entries.count == 1 && second?.entries.map(\.index) == [LogIndex(2)] && messages.isEmpty)
    durability.persisted(1, messages: &messages)
    #expect(messages == [reply(1)] && durability.stable == LogIndex(1))
    durability.persisted(2, messages: &messages)
    #expect(messages == [reply(1), reply(2)] && durability.stable == LogIndex(2))
  }
  @Test func aReplyThatNeedsNoWriteWaitsForThoseUnderWayOrForNothing() {
    var durability = Durability(durable: HardState(term: Term(1)), stable: LogIndex(1))
    var messages: [Message] = []
    durability.hold(reply(1))
    #expect(durability.take(HardState(term: Term(1)), from: log([1]), messages: &messages) == nil)
    #expect(messages == [reply(1)])
    _ = durability.take(HardState(term: Term(1)), from: log([1, 1]), messages: &messages)
    durability.hold(reply(2))
    #expect(durability.take(HardState(term: Term(1)), from: log([1, 1]), messages: &messages) == nil)
    #expect(messages == [reply(1)])
    durability.persisted(1, messages: &messages)
    #expect(messages == [reply(1), reply(2)])
  }
  @Test func termAndVoteAreOnDiskOnceTheirWriteIs() {
    var durability = Durability(durable: HardState(term: Term(1)), stable: LogIndex(0))
    var messages: [Message] = []
    let state = HardState(term: Term(2), vote: ReplicaID(3))
    #expect(durability.take(state, from: log([]), messages: &messages)?.hardState == state)
    #expect(durability.holds(term: Term(1), vote: .none) && !durability.holds(term: Term(2), vote: ReplicaID(3)))
    durability.persisted(1, messages: &messages)
    #expect(durability.holds(term: Term(2), vote: ReplicaID(3)) && !durability.holds(term: Term(2), vote: .none))
  }
}
