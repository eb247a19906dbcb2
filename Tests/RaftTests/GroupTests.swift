import Base
import Testing

@testable import Raft

struct GroupTests {
  private func group(
    _ options: RaftOptions = RaftOptions(), state: HardState = HardState(), snapshot: (UInt64, UInt64) = (0, 0),
    voters: [UInt64] = [1], terms: [UInt64] = [], from first: UInt64 = 1
  ) throws -> RaftGroup {
    let entries = terms.enumerated().map { offset, term in
      LogEntry(index: LogIndex(first + UInt64(offset)), term: Term(term), payload: [1, 2, 3])
    }
    return try RaftGroup(
      node: NodeID(1), options: options, seed: 1, hardState: state, snapshotIndex: LogIndex(snapshot.0),
      snapshotTerm: Term(snapshot.1), configuration: Configuration(founders: voters.map { NodeID($0) }),
      entries: entries)
  }
  /// Completes all writes until there is nothing more to do.
  private func quiesce(_ group: inout RaftGroup) -> [LogEntry] {
    var committed: [LogEntry] = []
    while case let ready = group.takeReady(), !ready.isEmpty {
      committed += ready.committed
      if let persist = ready.persist { group.persisted(persist.sequence) }
    }
    return committed
  }
  private func leader(_ options: RaftOptions = RaftOptions()) throws -> RaftGroup {
    var group = try group(options)
    group.campaign()
    #expect(quiesce(&group).map(\.kind) == [.noop])
    #expect(group.hasCommittedInOwnTerm)
    return group
  }
  private func append(_ index: UInt64, _ logTerm: UInt64, term: UInt64, terms: [UInt64], commit: UInt64 = 0) -> Message
  {
    let entries = terms.enumerated().map { offset, entryTerm in
      LogEntry(index: LogIndex(index + 1 + UInt64(offset)), term: Term(entryTerm), payload: [])
    }
    return Message(
      .append, from: ReplicaID(2), to: ReplicaID(1), term: Term(term), index: LogIndex(index), logTerm: Term(logTerm),
      commit: LogIndex(commit), entries: entries)
  }

  @Test func whoSaysToLeadTheTermThatThisReplicaLeadsIsToldOfAndNothingOfItIsTaken() throws {
    for kind in [Message.Kind.append, .heartbeat] {
      var group = try leader()
      let term = group.term
      var message = append(group.lastIndex.rawValue, term.rawValue, term: term.rawValue, terms: [term.rawValue])
      message.kind = kind
      group.step(message)
      let ready = group.takeReady()
      #expect(ready.rival == NodeID(2) && ready.persist == nil && ready.messages.isEmpty)
      #expect(group.role == .leader && group.takeReady().isEmpty)
    }
  }

  @Test func anEntryWrittenCutAndWrittenAgainIsDurableOnlyWithTheLastWrite() throws {
    var group = try group(voters: [1, 2, 3])
    group.step(append(0, 0, term: 1, terms: [1, 1]))
    let first = group.takeReady().persist
    group.step(append(0, 0, term: 2, terms: [2]))
    let second = group.takeReady().persist
    // A leader of term 3 that never saw the entry of term 2.
    group.step(append(0, 0, term: 3, terms: [1, 1]))
    let third = group.takeReady().persist
    #expect([first?.sequence, second?.sequence, third?.sequence] == [1, 2, 3])
    #expect(third?.entries.map(\.index) == [LogIndex(1), LogIndex(2)])
    group.persisted(1)
    #expect(group.stableIndex == LogIndex(0))
    group.persisted(2)
    #expect(group.stableIndex == LogIndex(0))
    group.persisted(3)
    #expect(group.stableIndex == LogIndex(2))
    #expect(group.takeReady().messages.map(\.term) == [Term(1), Term(2), Term(3)])
  }

  @Test func oneReportMayCompleteSeveralWrites() throws {
    var group = try leader()
    for value in 0..<5 {
      _ = try group.propose([UInt8(value)])
      #expect(group.takeReady().persist != nil)
    }
    group.persisted(group.takeReady().persist?.sequence ?? 7)
    #expect(group.takeReady().committed.map(\.payload) == [[0], [1], [2], [3], [4]])
  }

  @Test func aCommitIndexAloneIsNotWritten() throws {
    var group = try leader()
    _ = try group.propose([1])
    guard let persist = group.takeReady().persist else { throw Violation(description: "nothing to write") }
    group.persisted(persist.sequence)
    let ready = group.takeReady()
    #expect(ready.committed.count == 1 && ready.persist == nil)
  }

  @Test func tooMuchUncommittedIsRefusedButOneLargeEntryPasses() throws {
    var options = RaftOptions()
    options.maxUncommittedBytes = 1000
    var group = try leader(options)
    _ = try group.propose(Array(repeating: 0, count: 5000))
    #expect(throws: ProposalRefused.tooMuchUncommitted) { _ = try group.propose([1]) }
    #expect(quiesce(&group).count == 1)
    _ = try group.propose([1])
  }

  @Test func whatASnapshotSupersededIsDroppedAtRecoveryAndTheRestartIsWritten() throws {
    var other = try group(snapshot: (2, 5), terms: [1, 1, 1])
    #expect(other.lastIndex == LogIndex(2))
    #expect(other.takeReady().persist?.restart == LogPosition(index: LogIndex(2), term: Term(5)))
    var short = try group(snapshot: (9, 5), terms: [1, 1, 1])
    #expect(short.takeReady().persist?.restart?.index == LogIndex(9))
    var same = try group(snapshot: (2, 1), terms: [1, 1, 1])
    #expect(same.lastIndex == LogIndex(3) && same.firstIndex == LogIndex(2))
    #expect(same.takeReady().persist?.restart == nil)
  }
  @Test func aLogThatDoesNotReachBackToTheSnapshotIsRefused() {
    #expect(throws: MalformedBytes.self) { try group(snapshot: (2, 1), terms: [1], from: 4) }
  }
  @Test func whatWasCommittedBeforeACrashIsHandedOutAgain() throws {
    var group = try group(state: HardState(term: Term(1), commit: LogIndex(2)), terms: [1, 1, 1])
    #expect(group.takeReady().committed.map(\.index) == [LogIndex(1), LogIndex(2)])
  }

  @Test func aCandidateLearnsFromADeniedVoteThatItsJointConfigurationWasLeft() throws {
    var group = try group(voters: [1, 2, 3])
    let joint = Configuration(
      voters: [1, 2].map { ReplicaID($0) }, outgoing: [1, 2, 3].map { ReplicaID($0) }, version: 2)
    let plain = Configuration(voters: [1, 2].map { ReplicaID($0) }, version: 3)
    var message = append(0, 0, term: 1, terms: [1, 1, 1], commit: 1)
    for (place, configuration) in [(0, joint), (1, plain)] {
      message.entries[place].kind = .configuration
      message.entries[place].payload = configuration.payload
    }
    group.step(message)
    #expect(group.configuration == joint)
    func denial(_ commit: UInt64, _ term: UInt64) -> Message {
      Message(
        .preVoteReply, from: ReplicaID(3), to: ReplicaID(1), term: Term(1), commit: LogIndex(commit),
        commitTerm: Term(term), reject: true)
    }
    group.campaign()
    group.step(denial(2, 2))
    #expect(group.configuration == joint, "an entry of another term tells nothing")
    group.step(denial(2, 1))
    #expect(group.configuration == plain && group.commitIndex == LogIndex(2))
  }

  /// Raft, figure 2: what lies behind the last entry that the leader spoke of may not be the leader's.
  @Test func anAppendCommitsNoEntryBehindThoseThatItVouchesFor() throws {
    for (entries, committed) in [(0, 1), (1, 2)] {
      var group = try group(voters: [1, 2, 3], terms: [1, 1, 1, 2])
      _ = quiesce(&group)
      let same = (0..<entries).map { _ in LogEntry(index: LogIndex(2), term: Term(1), payload: [1, 2, 3]) }
      group.step(
        Message(
          .append, from: ReplicaID(2), to: ReplicaID(1), term: Term(3), index: LogIndex(1), logTerm: Term(1),
          commit: LogIndex(4), entries: same))
      #expect(quiesce(&group).map(\.index.rawValue) == Array(1...UInt64(committed)))
    }
  }

  @Test func whileJointAnElectionNeedsAMajorityOfBothHalves() throws {
    let joint = Configuration(voters: [1, 2].map { ReplicaID($0) }, outgoing: [1, 3, 4].map { ReplicaID($0) })
    for (first, second) in [(2, 3), (4, 2)] as [(UInt64, UInt64)] {
      var group = try RaftGroup(
        node: NodeID(1), options: RaftOptions(), seed: 1, hardState: HardState(), snapshotIndex: LogIndex(0),
        snapshotTerm: Term(0), configuration: joint, entries: [])
      group.campaign()
      #expect(group.takeReady().messages.map(\.to) == [2, 3, 4].map { ReplicaID($0) })
      group.step(Message(.preVoteReply, from: ReplicaID(first), to: ReplicaID(1), term: Term(1)))
      #expect(group.role == .preCandidate)
      group.step(Message(.preVoteReply, from: ReplicaID(second), to: ReplicaID(1), term: Term(1)))
      #expect(group.role == .candidate)
    }
  }

  @Test func compactionKeepsTheTailAskedForAndWhatIsNotDurable() throws {
    var group = try leader()
    for value in 0..<8 { _ = try group.propose([UInt8(value)]) }
    #expect(quiesce(&group).count == 8)
    group.applied(through: LogIndex(9))
    #expect(group.compact(through: LogIndex(9), keepingTail: 33 * 3) == LogIndex(6))
    #expect(group.firstIndex == LogIndex(7) && group.logBytes == 33 * 3)
    #expect(group.compact(through: LogIndex(9), keepingTail: 0) == LogIndex(9))
    #expect(group.term(at: LogIndex(9)) == Term(1) && group.term(at: LogIndex(8)) == nil)
  }

  @Test func aSnapshotKeepsTheLogBehindItIfTheLogHoldsItsEntry() throws {
    var group = try group(voters: [1, 2, 3])
    group.step(append(0, 0, term: 1, terms: [1, 1, 1]))
    group.persisted(group.takeReady().persist?.sequence ?? 0)
    _ = group.takeReady()
    group.installed(LogPosition(index: LogIndex(2), term: Term(1)), configuration: group.configuration)
    #expect(group.lastIndex == LogIndex(3) && group.commitIndex == LogIndex(2))
    #expect(!group.wantsSnapshot(at: LogIndex(2)))
    group.installed(LogPosition(index: LogIndex(8), term: Term(1)), configuration: group.configuration)
    #expect(group.lastIndex == LogIndex(8) && group.takeReady().committed.isEmpty)
  }

  @Test func payloadsAreSharedBetweenTheLogTheWriteAndTheMessages() throws {
    var group = try group(voters: [1, 2])
    group.campaign()
    _ = group.takeReady()
    group.step(Message(.preVoteReply, from: ReplicaID(2), to: ReplicaID(1), term: Term(1)))
    group.persisted(group.takeReady().persist?.sequence ?? 0)
    group.step(Message(.voteReply, from: ReplicaID(2), to: ReplicaID(1), term: Term(1)))
    group.persisted(group.takeReady().persist?.sequence ?? 0)
    group.step(Message(.appendReply, from: ReplicaID(2), to: ReplicaID(1), term: Term(1), index: LogIndex(1)))
    let payload = Array(repeating: UInt8(7), count: 10_000)
    _ = try group.propose(payload)
    let ready = group.takeReady()
    func address(_ bytes: [UInt8]?) -> UnsafeRawPointer? { bytes?.withUnsafeBytes { $0.baseAddress } }
    #expect(address(ready.persist?.entries.last?.payload) == address(payload))
    #expect(address(ready.messages.last?.entries.last?.payload) == address(payload))
  }
}
