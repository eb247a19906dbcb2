import Base
import Testing

@testable import Raft

struct ReadRoundsTests {
  @Test func whatWaitsSharesARoundAndIsReadAtTheCommitIndexOfItsBeginning() {
    var reads = ReadRounds()
    #expect(reads.heartbeatContext == 0)
    reads.add(11)
    reads.add(12)
    reads.begin(at: LogIndex(5))
    reads.add(13)
    reads.begin(at: LogIndex(9))
    reads.add(14)
    #expect(reads.newest == 2 && reads.heartbeatContext == 2 && reads.waiting == [14])
    var states: [ReadState] = []
    reads.confirm(through: 0, into: &states)
    #expect(states.isEmpty)
    reads.confirm(through: 1, into: &states)
    #expect(
      states == [ReadState(context: 11, index: LogIndex(5)), ReadState(context: 12, index: LogIndex(5))])
    reads.confirm(through: 2, into: &states)
    #expect(states.last == ReadState(context: 13, index: LogIndex(9)) && reads.underWay.isEmpty)
  }
  @Test func withLeadershipAllReadsAreRefusedOldestFirst() {
    var reads = ReadRounds()
    reads.add(11)
    reads.begin(at: LogIndex(5))
    reads.add(12)
    var refused: [UInt64] = []
    reads.refuseAll(into: &refused)
    #expect(refused == [11, 12] && reads.newest == 0 && reads.waiting.isEmpty && reads.underWay.isEmpty)
  }
}
