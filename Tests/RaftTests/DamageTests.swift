import Base
import Testing

@testable import Raft

/// A replica that lost what it acknowledged, and its leader, one message at a time.
struct DamageTests {
  private func group(_ id: UInt64, _ state: HardState, terms: [UInt64]) throws -> RaftGroup {
    let entries = terms.enumerated().map { offset, term in
      LogEntry(index: LogIndex(UInt64(offset) + 1), term: Term(term), payload: [1, 2, 3])
    }
    return try RaftGroup(
      node: NodeID(id), options: RaftOptions(), seed: 1, hardState: state, snapshotIndex: LogIndex(0),
      snapshotTerm: Term(0), configuration: Configuration(founders: [1, 2, 3].map { NodeID($0) }), entries: entries)
  }
  /// Leads in term 2, with one entry of each term.
  private func leader() throws -> RaftGroup {
    var group = try group(1, HardState(term: Term(1)), terms: [1])
    group.campaign()
    _ = group.takeReady()
    group.step(Message(.preVoteReply, from: ReplicaID(2), to: ReplicaID(1), term: Term(2)))
    group.persisted(group.takeReady().persist?.sequence ?? 0)
    group.step(Message(.voteReply, from: ReplicaID(2), to: ReplicaID(1), term: Term(2)))
    try #require(group.role == .leader)
    group.persisted(group.takeReady().persist?.sequence ?? 0)
    return group
  }
  private func answer(_ kind: Message.Kind, index: UInt64 = 0, life: UInt64, isDamaged: Bool = false) -> Message {
    var message = Message(kind, from: ReplicaID(3), to: ReplicaID(1), term: Term(2), index: LogIndex(index))
    message.life = life
    message.isDamaged = isDamaged
    return message
  }
  private func match(_ group: RaftGroup) -> LogIndex? { group.progress.first { $0.id == NodeID(3) }?.match }

  @Test func anAnswerOutOfAnEarlierLifeCountsNoMore() throws {
    var group = try leader()
    group.step(answer(.heartbeatReply, life: 5, isDamaged: true))
    group.step(answer(.appendReply, index: 2, life: 0))
    #expect(match(group) == LogIndex(0) && group.commitIndex == LogIndex(0))
    _ = group.takeReady()
    group.tick()
    let heartbeat = group.takeReady().messages.first { $0.kind == .heartbeat && $0.to == ReplicaID(3) }
    #expect(heartbeat?.life == 5 && heartbeat?.commit == LogIndex(0) && heartbeat?.index == LogIndex(2))
    group.step(answer(.appendReply, index: 2, life: 5, isDamaged: true))
    #expect(match(group) == LogIndex(2) && group.commitIndex == LogIndex(2))
  }

  @Test func aSecondDamagePutsTheMatchBackAgainAndOneThatIsToldTwiceDoesNot() throws {
    var group = try leader()
    for life in [5, 6] as [UInt64] {
      group.step(answer(.appendReply, index: 2, life: life, isDamaged: true))
      #expect(match(group) == LogIndex(2))
      group.step(answer(.heartbeatReply, life: life, isDamaged: true))
      #expect(match(group) == LogIndex(2))
      group.step(answer(.heartbeatReply, life: life + 1, isDamaged: true))
      #expect(match(group) == LogIndex(0))
    }
  }

  @Test func whatALeaderSaysOfAnotherLifesLogCommitsNothingHere() throws {
    var group = try group(3, HardState(term: Term(2)).damaged(life: 5, isVoteLost: false), terms: [1, 1])
    var heartbeat = Message(.heartbeat, from: ReplicaID(1), to: ReplicaID(3), term: Term(2), commit: LogIndex(2))
    group.step(heartbeat)
    #expect(group.commitIndex == LogIndex(0))
    heartbeat.life = 5
    group.step(heartbeat)
    #expect(group.commitIndex == LogIndex(2))
  }

  @Test func aDamagedReplicaVotesAgainOnceAllUpToTheRepairPointIsDurableAndCommitted() throws {
    var group = try group(3, HardState(term: Term(2)).damaged(life: 5, isVoteLost: false), terms: [1])
    func vote() -> [Message] {
      let vote = Message(
        .vote, from: ReplicaID(2), to: ReplicaID(3), term: Term(3), index: LogIndex(9), logTerm: Term(2), force: true)
      var copy = group
      copy.step(vote)
      var messages = copy.takeReady()
      if let persist = messages.persist {
        #expect(!messages.messages.contains { $0.kind == .voteReply && !$0.reject }, "before it is on the disk")
        copy.persisted(persist.sequence)
        messages.messages += copy.takeReady().messages
        #expect(persist.hardState?.damage.isOpen == copy.isDamaged)
      }
      return messages.messages.filter { $0.kind == .voteReply && !$0.reject }
    }
    var heartbeat = Message(
      .heartbeat, from: ReplicaID(1), to: ReplicaID(3), term: Term(2), index: LogIndex(2), commit: LogIndex(1))
    heartbeat.life = 5
    group.step(heartbeat)
    #expect(group.isDamaged && vote().isEmpty)
    let entry = LogEntry(index: LogIndex(2), term: Term(2), kind: .noop, payload: [])
    group.step(
      Message(
        .append, from: ReplicaID(1), to: ReplicaID(3), term: Term(2), index: LogIndex(1), logTerm: Term(1),
        commit: LogIndex(2), entries: [entry]))
    // Committed, and not yet on the disk.
    #expect(group.isDamaged && vote().isEmpty)
    group.persisted(group.takeReady().persist?.sequence ?? 0)
    #expect(!group.isDamaged && vote().count == 1)
    #expect(group.takeReady().persist?.hardState?.damage == Damage(life: 5))
  }

  @Test func theRepairPointIsOneLeadersWordInOneTerm() throws {
    var group = try group(3, HardState(term: Term(2)).damaged(life: 5, isVoteLost: false), terms: [1])
    var heartbeat = Message(
      .heartbeat, from: ReplicaID(1), to: ReplicaID(3), term: Term(2), index: LogIndex(2), commit: LogIndex(1))
    heartbeat.life = 5
    group.step(heartbeat)
    let entry = LogEntry(index: LogIndex(2), term: Term(3), kind: .noop, payload: [])
    group.step(
      Message(
        .append, from: ReplicaID(2), to: ReplicaID(3), term: Term(3), index: LogIndex(1), logTerm: Term(1),
        commit: LogIndex(2), entries: [entry]))
    group.persisted(group.takeReady().persist?.sequence ?? 0)
    #expect(group.isDamaged)
  }

  @Test func aReplicaThatLacksWhatItAcknowledgedSaysNothingBeforeThatIsOnItsDisk() throws {
    var group = try group(3, HardState(term: Term(2)), terms: [1, 1])
    var heartbeat = Message(.heartbeat, from: ReplicaID(1), to: ReplicaID(3), term: Term(2), commit: LogIndex(4))
    group.step(heartbeat)
    let ready = group.takeReady()
    #expect(ready.lossNoticed == LogIndex(4) && ready.messages.isEmpty)
    #expect(ready.persist?.hardState?.damage == Damage(life: 1, isOpen: true, isFenced: true))
    group.step(heartbeat)
    #expect(group.takeReady().isEmpty)
    group.persisted(ready.persist?.sequence ?? 0)
    group.step(heartbeat)
    let answer = try #require(group.takeReady().messages.first)
    #expect(answer.kind == .heartbeatReply && answer.life == 1 && answer.isDamaged && answer.isFenced)
    // What there is of it is as good as before; what the leader says of it now may be committed.
    heartbeat.life = 1
    heartbeat.commit = LogIndex(2)
    group.step(heartbeat)
    #expect(group.commitIndex == LogIndex(2) && group.takeReady().lossNoticed == nil)
  }
}
