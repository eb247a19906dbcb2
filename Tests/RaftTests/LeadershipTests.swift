import Base
import Testing

@testable import Raft

struct LeadershipTests {
  private func member(_ node: UInt64, match: UInt64) -> Progress {
    var member = Progress(id: ReplicaID(node))
    member.match = LogIndex(match)
    return member
  }

  @Test func aLeaderHasCommittedInItsTermOnceTheEntryThatBeganItIs() {
    let leadership = Leadership(termStart: LogIndex(8), newestConfiguration: LogIndex(0))
    #expect(!leadership.hasCommitted(through: LogIndex(7)) && leadership.hasCommitted(through: LogIndex(8)))
  }
  @Test func aChangeIsUnderWayUntilItsEntryIsCommittedWhoeverAppendedIt() {
    var leadership = Leadership(termStart: LogIndex(8), newestConfiguration: LogIndex(6))
    #expect(leadership.isChanging(committed: LogIndex(5)) && !leadership.isChanging(committed: LogIndex(6)))
    leadership.appendedConfiguration(at: LogIndex(9))
    #expect(leadership.isChanging(committed: LogIndex(8)) && !leadership.isChanging(committed: LogIndex(9)))
  }
  @Test func heartbeatsAreDueAtTheirIntervalAfterTheLast() {
    var options = RaftOptions()
    options.heartbeatTicks = 3
    var leadership = Leadership(termStart: LogIndex(1), newestConfiguration: LogIndex(0))
    func tick() -> Bool {
      leadership.tick(options)
      return leadership.heartbeatsDue == .all
    }
    #expect((0..<3).map { _ in tick() } == [false, false, true])
    leadership.sentHeartbeats()
    #expect(tick() == false)
    // A round of reads sends heartbeats of its own.
    leadership.callHeartbeats(.voters)
    #expect(leadership.heartbeatsDue == .voters)
    leadership.sentHeartbeats()
    #expect((0..<3).map { _ in tick() } == [false, false, true])
    leadership.callHeartbeats(.voters)
    #expect(leadership.heartbeatsDue == .all)
  }
  @Test func aTransferIsGivenUpWhenItTakesLongerThanAnElection() {
    var options = RaftOptions()
    options.electionTicks = 4
    var leadership = Leadership(termStart: LogIndex(1), newestConfiguration: LogIndex(0))
    for target in [NodeID(2), NodeID(3)] {
      leadership.transfer.begin(to: target)
      for _ in 0..<3 { leadership.tick(options) }
      #expect(leadership.transfer.target == target)
      leadership.tick(options)
      #expect(!leadership.transfer.isUnderWay && leadership.transfer.target == .none)
    }
  }
  @Test func onlyTheTargetIsToldToTakeOverAndOnlyWithTheWholeLog() {
    var transfer = LeadershipTransfer()
    #expect(!transfer.isDue(member(2, match: 9), logEnd: LogIndex(9)))
    transfer.begin(to: NodeID(2))
    #expect(!transfer.isDue(member(2, match: 8), logEnd: LogIndex(9)))
    #expect(!transfer.isDue(member(3, match: 9), logEnd: LogIndex(9)))
    #expect(transfer.isDue(member(2, match: 9), logEnd: LogIndex(9)))
    transfer.giveUp()
    #expect(!transfer.isDue(member(2, match: 9), logEnd: LogIndex(9)))
  }
}
