import Base
import Raft
import Testing

@testable import Cluster

/// When queries may be evaluated that a leader has taken.
@Suite struct WaitingReadsTests {
  private var reads = WaitingReads()

  /// Begins a round of one query.
  private mutating func begin(notBefore: UInt64) -> UInt64 {
    let context = reads.nextContext
    reads.contextUsed()
    let read = Gather.Read(
      position: 0, replyTo: ReplyTo(edge: 1, sequence: context), offset: 0, length: 1)
    reads.begin(context, [read], [UInt8(context)], notBefore: LogIndex(notBefore))
    return context
  }
  /// The rounds that are ready, as a replica takes them.
  private mutating func ready(applied: UInt64, committed: UInt64) -> [UInt64] {
    var contexts: [UInt64] = []
    while let round = reads.takeReady(applied: LogIndex(applied), committed: LogIndex(committed)) {
      contexts.append(round.context)
    }
    return contexts
  }

  @Test mutating func aConfirmedRoundIsReadyOnceWhatItCoversIsApplied() {
    let round = begin(notBefore: 3)
    var found = ready(applied: 9, committed: 9)
    #expect(found.isEmpty, "no quorum has said a word")
    reads.confirmed(round, at: LogIndex(5))
    found = ready(applied: 4, committed: 9)
    #expect(found.isEmpty)
    found = ready(applied: 5, committed: 9)
    #expect(found == [round] && !reads.hasRounds)
  }

  @Test mutating func aConnectionReadsItsOwnWrites() {
    let round = begin(notBefore: 8)
    reads.confirmed(round, at: LogIndex(5))
    var found = ready(applied: 7, committed: 9)
    #expect(found.isEmpty, "the entry before it is not applied")
    found = ready(applied: 8, committed: 9)
    #expect(found == [round])
  }

  @Test mutating func theCommitOfALaterEntryProvesWhatCameBefore() {
    let earlier = begin(notBefore: 3)
    reads.proposed(LogIndex(4))
    let later = begin(notBefore: 4)
    reads.proposed(LogIndex(5))
    var found = ready(applied: 3, committed: 3)
    #expect(found.isEmpty)
    found = ready(applied: 2, committed: 4)
    #expect(found.isEmpty, "what was proposed before it comes first")
    found = ready(applied: 3, committed: 4)
    #expect(found == [earlier], "it sees nothing of the entry that proves it")
    found = ready(applied: 4, committed: 5)
    #expect(found == [later])
  }

  @Test mutating func aRefusedRoundIsOverUnlessAnEntryMayProveIt() {
    let round = begin(notBefore: 3)
    #expect(reads.refused(round + 1) == nil)
    #expect(reads.refused(round)?.reads.map(\.replyTo.sequence) == [round] && !reads.hasRounds)
    let next = begin(notBefore: 3)
    reads.proposed(LogIndex(4))
    #expect(reads.refused(next) == nil && reads.hasRounds)
    let found = ready(applied: 3, committed: 4)
    #expect(found == [next])
  }

  @Test mutating func roundsAreTakenInTheirOrderAndNumberedForEver() {
    let rounds = (0..<3).map { _ in begin(notBefore: 1) }
    for round in rounds.reversed() { reads.confirmed(round, at: LogIndex(1)) }
    let found = ready(applied: 1, committed: 1)
    #expect(found == rounds)
    _ = begin(notBefore: 1)
    reads.giveUp()
    #expect(!reads.hasRounds && reads.nextContext == 5, "answers to it may still come")
  }

  @Test mutating func localReadsAreTakenOnceInTheirOrder() {
    for query in [1, 2] as [UInt8] {
      reads.wait(.init(owner: EdgeItem.Owner(client: 1, generation: 0, slot: 0), query: [query], asof: .never))
    }
    #expect(reads.local.count == 2)
    let taken = reads.takeLocal()
    #expect(taken.map(\.query) == [[1], [2]] && reads.local.isEmpty)
  }
}
