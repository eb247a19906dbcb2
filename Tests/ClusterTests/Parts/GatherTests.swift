import Base
import Ledger
import Raft
import Testing

@testable import Cluster

private func at(_ microseconds: Int64) -> Stamp { Stamp(microseconds: microseconds) }

/// Commands and queries on their way into one entry.
@Suite struct GatherTests {
  private func add(_ bytes: [UInt8], _ sequence: UInt64, to gather: inout Gather, within limit: Int = 1_000) -> Bool {
    bytes.withUnsafeBytes { gather.add(command: $0, for: ReplyTo(edge: 1, sequence: sequence), within: limit) }
  }
  private func add(unasked bytes: [UInt8], after stamp: Stamp, to gather: inout Gather) -> Bool {
    bytes.withUnsafeBytes { gather.add(unasked: $0, after: stamp, within: 1_000) }
  }

  @Test func queriesStandAtTheirPlaceBetweenTheCommands() {
    var gather = Gather()
    for sequence in [1, 3] as [UInt64] {
      #expect(add([UInt8(sequence)], sequence, to: &gather))
      [9, 9].withUnsafeBytes { gather.add(query: $0, for: ReplyTo(edge: 1, sequence: sequence + 1)) }
    }
    let proposal = gather.take(LogIndex(4), Term(2))
    #expect(proposal.index == LogIndex(4) && proposal.term == Term(2))
    #expect(proposal.repliesTo.map(\.sequence) == [1, 3] && proposal.reads.map(\.replyTo.sequence) == [2, 4])
    #expect(proposal.reads.map(\.position) == [1, 2])
    #expect(proposal.reads.map(\.offset) == [0, 16] && proposal.reads.map(\.length) == [16, 16])
    #expect(proposal.queries.count == 32)
    #expect(gather.isEmpty && gather.byteCount == EntryHeader.size, "the next one begins with its header")
  }

  @Test func whatDoesNotFitLeavesNothingBehind() {
    var gather = Gather()
    let limit = EntryHeader.size + 4
    #expect(add([1, 2, 3, 4], 1, to: &gather, within: limit) && !add([5], 2, to: &gather, within: limit))
    #expect(gather.byteCount == limit && gather.repliesTo.count == 1)
  }

  @Test func stampsRiseAndKeepUpWithTheClock() {
    var gather = Gather()
    #expect(gather.stamp(after: at(100), clock: at(500)) == at(500))
    #expect(gather.stamp(after: at(500), clock: at(500)) == at(501), "the last entry has that stamp")
    #expect(add(unasked: [1], after: at(700), to: &gather) && add(unasked: [2], after: at(600), to: &gather))
    #expect(gather.stamp(after: at(500), clock: at(500)) == at(701), "a delivery has been stamped already")
    gather.reset()
    #expect(gather.stamp(after: at(500), clock: at(600)) == at(600))
  }

  @Test func aMarkerHasTheStampThatItNames() {
    var gather = Gather()
    gather.add(marker: [1], for: ReplyTo(edge: 1, sequence: 1), at: at(900))
    #expect(gather.stamp(after: at(100), clock: at(500)) == at(900))
    _ = gather.take(LogIndex(1), Term(1))
    #expect(gather.stamp(after: at(100), clock: at(500)) == at(500), "the next entry has its own")
  }

  @Test func theHeaderSaysWhatTheEntryIs() throws {
    var gather = Gather()
    #expect(add([1], 1, to: &gather) && add([2], 2, to: &gather))
    gather.seal(at: at(900), over: nil, semantics: 3, catalogueVersion: 7)
    let entry = LogEntry(index: LogIndex(1), term: Term(1), payload: gather.payload.array)
    #expect(EntryHeader.stamp(of: entry) == 900 && EntryHeader.commandCount(of: entry) == 2)
    #expect(EntryHeader.semantics(of: entry.payload) == 3)
    #expect(gather.payload.array.suffix(2) == [1, 2])
  }
}

/// Entries that are proposed and not applied.
@Suite struct ProposalsTests {
  private var proposals = Proposals()

  private mutating func propose(_ index: UInt64, _ term: UInt64 = 1) {
    proposals.append(
      Proposal(
        index: LogIndex(index), term: Term(term), repliesTo: [ReplyTo(edge: 1, sequence: index)], reads: [], queries: []
      ))
  }
  private mutating func take(_ index: UInt64, _ term: UInt64 = 1) -> UInt64? {
    proposals.take(for: LogEntry(index: LogIndex(index), term: Term(term), payload: []))?.repliesTo.first?.sequence
  }

  @Test mutating func whoeverWaitsForAnEntryIsFoundWhenItIsApplied() {
    for index in 4...6 as ClosedRange<UInt64> { propose(index) }
    let found = [take(3), take(4), take(5), take(5)]
    #expect(found == [nil, 4, 5, nil] && proposals.count == 1)
  }

  /// Another leader's entry stands there: nobody here waits for it.
  @Test mutating func whatWasReplacedIsNotAnswered() {
    for index in 4...6 as ClosedRange<UInt64> { propose(index) }
    let found = [take(5, 2), take(6)]
    #expect(found == [nil, 6] && proposals.isEmpty)
  }
}
