import Base
import Ledger

/// Where a replica stands in applying what is committed, and how far it may go on.
struct Applying {
  /// What an entry costs beside its commands, in units of a purchase: see `CommandHeader.work`.
  private static let entryWork = 4

  var backlog = Backlog()
  /// The entry that is being applied.
  var open: OpenEntry?
  /// Somebody waits for the moment between two entries: applying is to stop there.
  var wantsPause = false
  /// What may still be applied in this turn of the node, in units of a purchase; the last command may exceed it.
  var allowance = 0
  private var sharing = 0

  /// Work of the node was shared for the so-manieth time: has its share, unless it got one of that sharing before.
  mutating func allow(_ work: Int, sharing number: Int) {
    guard sharing != number else { return }
    (allowance, sharing) = (work, number)
  }
  /// How many turns have been taken, of a replica that may take its time, since it had nothing to apply.
  private var slowTurns = 0
  /// Some ten seconds of a node that does nothing else. Who is not through by then may get nearer to the end too slowly, or not at all.
  private static let slowTurnsMost = 8_000

  /// Whether it need not hurry. Asked once a turn, when there is something to apply.
  mutating func mayTakeTime() -> Bool {
    slowTurns += 1
    return slowTurns <= Applying.slowTurnsMost
  }
  /// All is applied.
  mutating func caughtUp() {
    backlog.caughtUp()
    slowTurns = 0
  }

  /// Nobody is to look at the state now.
  @inline(__always) var isMidEntry: Bool { open != nil }
  var isToPause: Bool { wantsPause && !isMidEntry }
  /// There is something to apply, and it is to be tried.
  @inline(__always) func hasWork(_ halt: borrowing Halt) -> Bool {
    if isMidEntry { return true }
    guard let next = backlog.firstIndex else { return false }
    return !halt.stops(before: next)
  }

  /// Takes the first of the backlog: it is begun.
  mutating func take(_ entry: LogEntry) {
    backlog.begun(entry)
    allowance -= Applying.entryWork
  }
  /// The state is another one.
  mutating func drop() {
    open = nil
    backlog.drop()
  }
}

/// An entry that is being applied, and how far. Nobody sees anything of it before its end: reads, snapshots, digests and
/// journals wait for that.
struct OpenEntry {
  let entry: LogEntry
  var cursor: EntryCursor
  /// Who waits for its commands.
  var proposal: Proposal?
  /// The first of its queries that has not been evaluated.
  var nextRead = 0
  /// What is answered from the journal, which does not have the entry before its end.
  private(set) var repeats: [(replyTo: ReplyTo, position: JournalPosition)] = []
  private(set) var queries: [(replyTo: ReplyTo, query: JournalQuery)] = []

  /// It goes on in a later turn: takes out of the outbox what the journal is to answer.
  mutating func keep(_ outbox: inout ReplicaOutbox) {
    repeats.append(contentsOf: outbox.repeats)
    queries.append(contentsOf: outbox.queries)
    outbox.repeats.removeAll(keepingCapacity: true)
    outbox.queries.removeAll(keepingCapacity: true)
  }
  /// It is over.
  func release(into outbox: inout ReplicaOutbox) {
    outbox.repeats.append(contentsOf: repeats)
    outbox.queries.append(contentsOf: queries)
  }
}
