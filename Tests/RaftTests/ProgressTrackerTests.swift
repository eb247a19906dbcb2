import Base
import Testing

@testable import Raft

struct ProgressTrackerTests {
  private func tracker(_ configuration: Configuration) -> ProgressTracker {
    var tracker = ProgressTracker()
    tracker.rebuild(for: configuration, logEnd: LogIndex(10), own: ReplicaID(1), stable: LogIndex(9))
    return tracker
  }
  private func configuration(_ voters: [UInt64], outgoing: [UInt64] = [], learners: [UInt64] = []) -> Configuration {
    Configuration(
      voters: voters.map { ReplicaID($0) }, outgoing: outgoing.map { ReplicaID($0) },
      learners: learners.map { ReplicaID($0) })
  }
  /// Sets what each member has reached, in the order of their ids.
  private func reached(_ matches: [UInt64], of configuration: Configuration, fenced: Int? = nil) -> UInt64 {
    var tracker = tracker(configuration)
    for (at, match) in matches.enumerated() { tracker[at].match = LogIndex(match) }
    if let fenced { tracker[fenced].isFenced = true }
    return tracker.quorumValue(\.match.rawValue)
  }

  @Test func aMajorityHasWhatTheMiddleOneOfTheVotersHas() {
    #expect(reached([7], of: configuration([1])) == 7)
    #expect(reached([7, 5], of: configuration([1, 2])) == 5)
    #expect(reached([3, 9, 5], of: configuration([1, 2, 3])) == 5)
    #expect(reached([9, 1, 8, 2], of: configuration([1, 2, 3, 4])) == 2)
    #expect(reached([9, 1, 8, 2, 7], of: configuration([1, 2, 3, 4, 5])) == 7)
  }
  @Test func learnersCountInNothing() {
    let configuration = configuration([1, 2, 3], learners: [4, 5])
    #expect(reached([3, 2, 1, 9, 9], of: configuration) == 2)
    var tracker = tracker(configuration)
    tracker[3].vote = true
    tracker[4].vote = true
    tracker[0].vote = true
    #expect(tracker.voteResult == .open)
    #expect(tracker.isVoter(ReplicaID(3)) && !tracker.isVoter(ReplicaID(4)) && !tracker.isVoter(ReplicaID(6)))
  }
  @Test func whileJointBothHalvesMustHaveIt() {
    let joint = configuration([1, 2, 3], outgoing: [3, 4, 5])
    #expect(reached([9, 9, 9, 1, 1], of: joint) == 1)
    #expect(reached([1, 1, 9, 9, 9], of: joint) == 1)
    #expect(reached([9, 1, 9, 8, 1], of: joint) == 8)
  }
  @Test func aFencedMemberCountsAsAgainst() {
    #expect(reached([9, 9, 1], of: configuration([1, 2, 3]), fenced: 1) == 1)
    var tracker = tracker(configuration([1, 2, 3]))
    for at in tracker.indices { tracker[at].vote = true }
    tracker[0].isFenced = true
    #expect(tracker.voteResult == .won)
    tracker[1].isFenced = true
    #expect(tracker.voteResult == .lost)
  }
  @Test func nobodyHasAMajorityOfNobody() {
    let tracker = tracker(.empty)
    #expect(!tracker.hasQuorum { _ in true })
    #expect(tracker.quorumValue(\.match.rawValue) == 0 && tracker.voteResult == .lost)
  }

  @Test func aVoteIsWonByAMajorityAndLostOnceNoneCanAgree() {
    var tracker = tracker(configuration([1, 2, 3, 4, 5]))
    #expect(tracker.voteResult == .open)
    tracker[0].vote = true
    tracker[1].vote = false
    tracker[2].vote = true
    tracker[3].vote = false
    #expect(tracker.voteResult == .open)
    tracker[4].vote = true
    #expect(tracker.voteResult == .won)
    tracker[4].vote = false
    #expect(tracker.voteResult == .lost)
    tracker.clearVotes()
    #expect(tracker.voteResult == .open && tracker.allSatisfy { $0.vote == nil })
  }
  @Test func whileJointAVoteIsLostWithOneHalf() {
    var tracker = tracker(configuration([1, 2], outgoing: [1, 3]))
    tracker[0].vote = true
    tracker[1].vote = true
    #expect(tracker.voteResult == .open)
    tracker[2].vote = false
    #expect(tracker.voteResult == .lost)
  }

  @Test func thoseWhoStayKeepWhatIsKnownOfThemAndTheOthersBegin() {
    var tracker = tracker(configuration([1, 2, 3]))
    #expect(tracker.map(\.match.rawValue) == [9, 0, 0] && tracker.allSatisfy { $0.next == LogIndex(11) })
    tracker[1].match = LogIndex(6)
    tracker[2].match = LogIndex(7)
    tracker[2].vote = true
    var next = configuration([1, 3], outgoing: [1, 2], learners: [4])
    // Node 3 left and returned: it is another member.
    next.voters[1].born = 5
    tracker.rebuild(for: next, logEnd: LogIndex(20), own: ReplicaID(1), stable: LogIndex(19))
    #expect(tracker.map(\.id) == [ReplicaID(1), ReplicaID(2), ReplicaID(3, born: 5), ReplicaID(4)])
    #expect(tracker.map(\.match.rawValue) == [9, 6, 0, 0])
    #expect(tracker.map(\.next.rawValue) == [11, 11, 21, 21] && tracker[2].vote == nil)
    #expect(tracker.map(\.isIncoming) == [true, false, true, false])
    #expect(tracker.map(\.isOutgoing) == [true, true, false, false])
    #expect(tracker.position(of: ReplicaID(3)) == nil && tracker.position(on: NodeID(3)) == 2)
  }
  @Test func aTermBeginsWithNothingKnownOfTheMembersButWhoTheyAre() {
    var tracker = tracker(configuration([1, 2], outgoing: [1, 3]))
    for at in tracker.indices {
      tracker[at].match = LogIndex(4)
      tracker[at].becomeReplicate()
      tracker[at].vote = true
      tracker[at].life = 3
    }
    tracker.beginTerm(logEnd: LogIndex(30), own: ReplicaID(1), stable: LogIndex(29))
    #expect(tracker.map(\.match.rawValue) == [29, 0, 0] && tracker.allSatisfy { $0.next == LogIndex(31) })
    #expect(tracker.allSatisfy { $0.state == .probe && $0.vote == nil && $0.life == 0 })
    #expect(tracker.map(\.isIncoming) == [true, true, false] && tracker.map(\.isOutgoing) == [true, false, true])
  }

  @Test func whoAnsweredLatelyIsToldByTicks() {
    var tracker = tracker(configuration([1, 2]))
    for _ in 0..<10 { tracker.tick() }
    #expect(!tracker.isRecent(tracker[1], within: 10))
    tracker.heard(1)
    for _ in 0..<9 { tracker.tick() }
    #expect(tracker.isRecent(tracker[1], within: 10))
    tracker.tick()
    #expect(!tracker.isRecent(tracker[1], within: 10))
    // A member that is new has not been silent yet.
    tracker.rebuild(for: configuration([1, 2, 3]), logEnd: LogIndex(1), own: ReplicaID(1), stable: LogIndex(1))
    #expect(tracker.isRecent(tracker[2], within: 1) && !tracker.isRecent(tracker[1], within: 10))
  }
}
