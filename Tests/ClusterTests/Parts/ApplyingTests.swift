import Base
import Ledger
import Raft
import Testing

@testable import Cluster

/// An entry of so many commands, as far as its header says.
private func entry(_ index: UInt64, commands: UInt32 = 2) -> LogEntry {
  var payload = ByteBuffer()
  EntryHeader(stamp: .zero, catalogueVersion: 0, commandCount: commands).encode(into: &payload)
  return LogEntry(index: LogIndex(index), term: Term(1), payload: payload.array)
}

/// What is committed and not begun.
@Suite struct BacklogTests {
  private var backlog = Backlog()

  private mutating func add(_ indices: UInt64...) {
    var committed = indices.map { entry($0) }
    backlog.add(&committed)
  }
  private mutating func begin() -> UInt64? {
    guard let first = backlog.first else { return nil }
    backlog.begun(first)
    return first.index.rawValue
  }

  @Test mutating func entriesAreBegunInTheirOrder() {
    add(1, 2)
    var begun = [begin()]
    add(3)
    begun += [begin(), begin(), begin()]
    #expect(begun == [1, 2, 3, nil] && backlog.isEmpty && backlog.firstIndex == nil)
    add(4)
    #expect(backlog.firstIndex == LogIndex(4), "what is begun is not begun again")
  }

  @Test mutating func whatIsBegunIsKeptWhileMoreWaits() {
    add(1, 2)
    _ = begin()
    backlog.trim()
    #expect(backlog.firstIndex == LogIndex(2))
    backlog.drop()
    #expect(backlog.isEmpty)
  }

  @Test mutating func whatIsLoggedCountsUntilItIsBegun() {
    for index in 1...2 as ClosedRange<UInt64> { backlog.logged(entry(index)) }
    #expect(backlog.bytes == 2 * EntryHeader.size && backlog.commands == 4)
    add(1)
    _ = begin()
    #expect(backlog.bytes == EntryHeader.size && backlog.commands == 2)
  }

  /// What was found in the log when the process started was not logged in this life.
  @Test mutating func countsDoNotFallBelowNothing() {
    backlog.recount([entry(1, commands: 1)])
    #expect(backlog.commands == 1 && backlog.bytes == 0)
    add(1)
    _ = begin()
    #expect(backlog.commands == 0 && backlog.bytes == 0)
  }

  /// Entries that another leader replaced have been counted, and are never begun.
  @Test mutating func onceTheWholeLogIsAppliedNoCommandWaits() {
    for _ in 0..<2 { backlog.logged(entry(1)) }
    add(1)
    _ = begin()
    #expect(backlog.commands == 2)
    backlog.caughtUp()
    #expect(backlog.commands == 0)
  }
}

/// How far a replica goes on applying.
@Suite struct ApplyingTests {
  private var applying = Applying()
  private let open = OpenEntry(entry: entry(1), cursor: EntryCursor(offset: 0, left: 2), proposal: nil)

  @Test mutating func anEntryThatIsPoisonedIsNotBegunAndOneThatIsBegunIsEnded() {
    var halt = Halt()
    #expect(!applying.hasWork(halt))
    var committed = [entry(1), entry(2)]
    applying.backlog.add(&committed)
    halt.stop(at: Poison(index: LogIndex(2), kind: "EARN"))
    #expect(applying.hasWork(halt))
    applying.take(entry(1))
    #expect(!applying.hasWork(halt) && applying.hasWork(Halt()))
    applying.open = open
    #expect(applying.hasWork(halt))
  }

  @Test mutating func anEntryCostsSomethingBesideItsCommands() {
    applying.allowance = 10
    var committed = [entry(1)]
    applying.backlog.add(&committed)
    applying.take(entry(1))
    #expect(applying.allowance == 6 && applying.backlog.isEmpty)
  }

  @Test mutating func itPausesBetweenTwoEntries() {
    applying.open = open
    applying.wantsPause = true
    #expect(applying.isMidEntry && !applying.isToPause)
    applying.drop()
    #expect(!applying.isMidEntry && applying.isToPause)
  }

  @Test func whatTheJournalIsToAnswerWaitsForTheEndOfTheEntry() {
    var open = open
    var outbox = ReplicaOutbox()
    let position = JournalPosition(journal: ShardID(1), segment: 1, offset: 0)
    for sequence in 1...2 as ClosedRange<UInt64> {
      outbox.repeats.append((ReplyTo(edge: 0, sequence: sequence), position))
      open.keep(&outbox)
      #expect(outbox.repeats.isEmpty)
    }
    outbox.repeats.append((ReplyTo(edge: 0, sequence: 9), position))
    open.release(into: &outbox)
    #expect(outbox.repeats.map(\.replyTo.sequence) == [9, 1, 2])
  }
}
