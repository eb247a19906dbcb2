import Base
import Testing

@testable import Raft

extension ReplicaID {
  init(_ node: UInt64, born: UInt64 = 1) { self.init(node: NodeID(node), born: born) }
}

/// A node that leaves a group and returns: another member, though the same node.
struct ReturnTests {
  private func group(
    _ node: UInt64, _ state: HardState = HardState(), _ configuration: Configuration, entries: [LogEntry] = []
  ) throws -> RaftGroup {
    try RaftGroup(
      node: NodeID(node), options: RaftOptions(), seed: 1, hardState: state, snapshotIndex: LogIndex(0),
      snapshotTerm: Term(0), configuration: configuration, entries: entries)
  }
  private func voters(_ replicas: ReplicaID..., version: UInt64 = 9) -> Configuration {
    Configuration(voters: replicas, version: version)
  }
  private func vote(from: ReplicaID, to: ReplicaID, term: UInt64) -> Message {
    Message(.vote, from: from, to: to, term: Term(term), index: LogIndex(9), logTerm: Term(1))
  }

  @Test func aMessageForAnEarlierLifeOfTheNodeIsDroppedAndOneForALaterLifeIsToldOf() throws {
    var group = try group(4, HardState(born: 5), voters(ReplicaID(1), ReplicaID(2), ReplicaID(4, born: 5)))
    group.step(vote(from: ReplicaID(1), to: ReplicaID(4, born: 2), term: 3))
    #expect(group.term == Term(0) && group.takeReady().successor == nil)
    group.step(vote(from: ReplicaID(1), to: ReplicaID(4, born: 7), term: 3))
    let ready = group.takeReady()
    #expect(group.term == Term(0) && ready.successor == 7 && ready.messages.isEmpty && ready.persist == nil)
    #expect(group.takeReady().isEmpty)
    group.step(vote(from: ReplicaID(1), to: ReplicaID(4, born: 5), term: 3))
    #expect(group.vote == ReplicaID(1))
  }

  @Test func anEmptyReplicaLearnsFromTheFirstMessageWhenItWasBornAndWritesItWithItsVote() throws {
    var group = try group(4, HardState(born: 0), .empty)
    group.step(vote(from: ReplicaID(1), to: ReplicaID(4, born: 7), term: 3))
    let persist = try #require(group.takeReady().persist)
    #expect(persist.hardState == HardState(term: Term(3), vote: ReplicaID(1), born: 7))
    group.persisted(persist.sequence)
    let reply = try #require(group.takeReady().messages.first)
    #expect(reply.kind == .voteReply && !reply.reject && reply.from == ReplicaID(4, born: 7))
    // It comes back as the one that has voted, and does not vote again in that term.
    var again = try self.group(4, try #require(persist.hardState), .empty)
    again.step(vote(from: ReplicaID(2), to: ReplicaID(4, born: 7), term: 3))
    #expect(again.takeReady().messages.first?.reject == true)
  }

  @Test func aVoteForANodesEarlierLifeIsNoneForItsLaterOne() throws {
    var group = try group(1, HardState(), voters(ReplicaID(1), ReplicaID(2), ReplicaID(4, born: 7)))
    group.step(vote(from: ReplicaID(4, born: 7), to: ReplicaID(1), term: 3))
    group.step(vote(from: ReplicaID(4), to: ReplicaID(1), term: 3))
    #expect(group.vote == ReplicaID(4, born: 7))
    #expect(group.takeReady().messages.map(\.to) == [ReplicaID(4)], "the vote waits for the disk, its denial does not")
  }

  /// Of three voters, of which node 4 was born by version 7; in term 2, with one entry.
  private func leader() throws -> RaftGroup {
    let three = voters(ReplicaID(1), ReplicaID(2), ReplicaID(4, born: 7))
    var group = try group(1, HardState(term: Term(1)), three)
    group.campaign()
    group.step(Message(.preVoteReply, from: ReplicaID(2), to: ReplicaID(1), term: Term(2)))
    group.persisted(group.takeReady().persist?.sequence ?? 0)
    return group
  }
  @Test func neitherAVoteNorAnAcknowledgementOfAnEarlierLifeCounts() throws {
    var group = try leader()
    group.step(Message(.voteReply, from: ReplicaID(4), to: ReplicaID(1), term: Term(2)))
    #expect(group.role == .candidate)
    group.step(Message(.voteReply, from: ReplicaID(2), to: ReplicaID(1), term: Term(2)))
    try #require(group.role == .leader)
    group.persisted(group.takeReady().persist?.sequence ?? 0)
    for kind in [Message.Kind.appendReply, .heartbeatReply] {
      group.step(Message(kind, from: ReplicaID(4), to: ReplicaID(1), term: Term(2), index: LogIndex(1), context: 1))
    }
    #expect(group.commitIndex == LogIndex(0))
    group.step(Message(.appendReply, from: ReplicaID(4, born: 7), to: ReplicaID(1), term: Term(2), index: LogIndex(1)))
    #expect(group.commitIndex == LogIndex(1))
  }

  @Test func oneThatMayHaveLostItsVoteTakesPartAsItIsAddressedAndStaysFenced() throws {
    let lost = HardState(term: Term(2)).damaged(life: 3, isVoteLost: true)
    var group = try group(4, lost, voters(ReplicaID(1), ReplicaID(2), ReplicaID(4)))
    group.step(vote(from: ReplicaID(1), to: ReplicaID(4, born: 7), term: 3))
    let ready = group.takeReady()
    #expect(ready.successor == nil && group.id == ReplicaID(4, born: 7) && group.isFenced)
    #expect(ready.messages.first?.reject == true && ready.persist?.hardState?.born == 7)
  }

  @Test func whatTheFoundersWroteIsCommittedWhereverItStands() throws {
    let first = Configuration(founders: [1, 2, 3].map { NodeID($0) })
    let founding = [
      LogEntry(index: LogIndex(1), term: Term(1), kind: .configuration, payload: first.payload),
      LogEntry(index: LogIndex(2), term: Term(1), payload: [1]),
      LogEntry(index: LogIndex(3), term: Term(2), payload: [2]),
    ]
    for state in [HardState(term: Term(2)), HardState(term: Term(2)).damaged(life: 1, isVoteLost: false)] {
      var group = try group(1, state, .empty, entries: founding)
      #expect(group.configuration == first && group.commitIndex == LogIndex(2))
      #expect(group.takeReady().committed.map(\.index) == [LogIndex(1), LogIndex(2)])
    }
    let later = try group(
      1, HardState(term: Term(2)), first,
      entries: Array(founding.dropFirst(2)).map {
        LogEntry(index: LogIndex(1), term: $0.term, payload: $0.payload)
      })
    #expect(later.commitIndex == LogIndex(0), "a log that does not begin with a configuration was not founded")
  }

  @Test func aConfigurationInForceOutlivesItsProcess() throws {
    let first = Configuration(founders: [NodeID(1), NodeID(2)])
    let second = Configuration(voters: first.voters, learners: [ReplicaID(3, born: 2)], version: 2)
    var entries = [LogEntry(index: LogIndex(1), term: Term(1), kind: .configuration, payload: first.payload)]
    var group = try group(2, HardState(term: Term(2), commit: LogIndex(1)), .empty, entries: entries)
    let more = [
      LogEntry(index: LogIndex(2), term: Term(2), payload: [1]),
      LogEntry(index: LogIndex(3), term: Term(2), kind: .configuration, payload: second.payload),
      LogEntry(index: LogIndex(4), term: Term(2), payload: [2]),
    ]
    entries += more
    group.step(
      Message(
        .append, from: ReplicaID(1), to: ReplicaID(2), term: Term(2), index: LogIndex(1), logTerm: Term(1),
        commit: LogIndex(1), entries: more))
    group.persisted(try #require(group.takeReady().persist).sequence)
    _ = group.takeReady()
    func hear(commit: UInt64) -> Persist? {
      group.step(
        Message(.heartbeat, from: ReplicaID(1), to: ReplicaID(2), term: Term(2), commit: LogIndex(commit)))
      return group.takeReady().persist
    }
    #expect(hear(commit: 2) == nil, "a commit alone is no reason to write")
    let state = try #require(hear(commit: 3)?.hardState)
    #expect(state.commit == LogIndex(3) && group.configuration == second)
    #expect(hear(commit: 4) == nil)
    #expect(try self.group(2, state, .empty, entries: entries).configuration == second)
  }

  @Test func membersDoNotChangeAgainBeforeTheChangeIsCommitted() throws {
    let first = Configuration(founders: [NodeID(1), NodeID(2)])
    var group = try group(1, HardState(term: Term(1)), first)
    group.campaign()
    group.step(Message(.preVoteReply, from: ReplicaID(2), to: ReplicaID(1), term: Term(2)))
    group.persisted(group.takeReady().persist?.sequence ?? 0)
    group.step(Message(.voteReply, from: ReplicaID(2), to: ReplicaID(1), term: Term(2)))
    group.persisted(group.takeReady().persist?.sequence ?? 0)
    func acknowledge(_ index: LogIndex) {
      group.step(Message(.appendReply, from: ReplicaID(2), to: ReplicaID(1), term: Term(2), index: index))
    }
    acknowledge(LogIndex(1))
    func change(learners: [UInt64]) -> ProposalRefused? {
      do throws(ProposalRefused) {
        _ = try group.propose(
          voters: [NodeID(1), NodeID(2)], learners: learners.map { NodeID($0) }, ifVersion: group.configuration.version)
        return nil
      } catch { return error }
    }
    #expect(change(learners: [3]) == nil)
    #expect(change(learners: [3, 4]) == .changeInFlight)
    group.persisted(group.takeReady().persist?.sequence ?? 0)
    #expect(change(learners: [3, 4]) == .changeInFlight, "its own copy alone does not commit it")
    acknowledge(LogIndex(2))
    #expect(group.configuration.version == 2 && change(learners: [3, 4]) == nil)
  }

  /// A candidate hears in the midst of its election that voters which it has asked were removed.
  @Test func whoWasRemovedDoesNotElect() throws {
    let five = Configuration(founders: (1...5).map { NodeID($0) })
    let three = Array(five.voters[0..<3])
    let changes = [
      five, Configuration(voters: three, outgoing: five.voters, version: 2), Configuration(voters: three, version: 3),
    ]
    let entries = changes.enumerated().map { place, configuration in
      LogEntry(
        index: LogIndex(UInt64(place + 1)), term: Term(place == 0 ? 1 : 2), kind: .configuration,
        payload: configuration.payload)
    }
    var group = try group(1, HardState(term: Term(2), commit: LogIndex(1)), .empty, entries: entries)
    group.campaign()
    for node in [2, 3] as [UInt64] {
      group.step(Message(.preVoteReply, from: ReplicaID(node), to: ReplicaID(1), term: Term(3)))
    }
    group.persisted(group.takeReady().persist?.sequence ?? 0)
    #expect(Set(group.takeReady().messages.map(\.to.node)) == Set((2...5).map { NodeID($0) }), "all five are asked")
    group.step(
      Message(
        .voteReply, from: ReplicaID(2), to: ReplicaID(1), term: Term(3), commit: LogIndex(3), commitTerm: Term(2),
        reject: true))
    #expect(group.configuration == changes[2] && group.role == .candidate)
    for node in [4, 5] as [UInt64] {
      group.step(Message(.voteReply, from: ReplicaID(node), to: ReplicaID(1), term: Term(3)))
    }
    #expect(group.role == .candidate)
    group.step(Message(.voteReply, from: ReplicaID(3), to: ReplicaID(1), term: Term(3)))
    #expect(group.role == .leader)
  }

  @Test func aChangeKeepsMembersWhoTheyAreAndTheOthersAreBornByIt() throws {
    var group = try group(1, HardState(term: Term(1)), voters(ReplicaID(1), version: 5))
    group.campaign()
    group.persisted(group.takeReady().persist?.sequence ?? 0)
    group.persisted(group.takeReady().persist?.sequence ?? 0)
    try #require(group.hasCommittedInOwnTerm)
    _ = try group.propose(voters: [NodeID(1)], learners: [NodeID(4)], ifVersion: 5)
    group.persisted(group.takeReady().persist?.sequence ?? 0)
    #expect(group.configuration.learners == [ReplicaID(4, born: 6)])
    _ = try group.propose(voters: [NodeID(1), NodeID(4), NodeID(5)], ifVersion: 6)
    group.persisted(group.takeReady().persist?.sequence ?? 0)
    #expect(group.configuration.voters == [ReplicaID(1), ReplicaID(4, born: 6), ReplicaID(5, born: 7)])
    #expect(group.configuration.isJoint && group.configuration.isWellFormed)
    let twice = Configuration(voters: [ReplicaID(4, born: 2)], outgoing: [ReplicaID(4)], version: 3)
    #expect(!twice.isWellFormed)
    #expect(!Configuration(voters: [ReplicaID(4, born: 4)], version: 3).isWellFormed)
  }
}
