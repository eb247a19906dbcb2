import Base
import Testing

@testable import Raft

struct CommitCursorTests {
  @Test func whatIsCommittedIsHandedOutOnceAndThenApplied() {
    var cursor = CommitCursor(at: LogIndex(3))
    #expect(cursor.handOut() == nil)
    cursor.commit(through: LogIndex(6))
    #expect(cursor.handedOut == LogIndex(3))
    #expect(cursor.handOut() == LogIndex(4))
    #expect(cursor.handedOut == LogIndex(6))
    #expect(cursor.handOut() == nil)
    cursor.commit(through: LogIndex(7))
    #expect(cursor.handOut() == LogIndex(7))
    #expect(cursor.applied == LogIndex(3))
  }
  @Test func whatWasAppliedBeforeIsNoNews() {
    var cursor = CommitCursor(at: LogIndex(3))
    cursor.commit(through: LogIndex(8))
    _ = cursor.handOut()
    #expect(cursor.apply(through: LogIndex(3)) == false)
    #expect(cursor.apply(through: LogIndex(7)) == true)
    #expect(cursor.applied == LogIndex(7))
    #expect(cursor.apply(through: LogIndex(5)) == false)
    #expect(cursor.applied == LogIndex(7))
  }
}
