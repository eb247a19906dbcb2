import Base
import Vocabulary

/// A walk back through the journal's records of entries, for a question that memory alone cannot answer. A value to be run
/// anywhere, as `JournalQuery` says; it renders by the entries as they were when it was asked.
struct EntryWalk: Sendable {
  private enum Way: Sendable {
    case history(EntryHistory)
    /// What it was, and what others of its kind were that are not walked through yet.
    case past(EntryPast, moment: Stamp, rest: [Int])
  }
  private var way: Way
  private var entries: Entries
  private let table: Int
  private let number: Int

  /// Of an entry's changes those before a version, newest first.
  init(historyOf number: Int, _ table: Int, in entries: Entries, limit: Int, before version: UInt32) {
    self.entries = entries.forRecords
    self.table = table
    self.number = number
    let item = entries.tables[table].items[number]
    way = .history(EntryHistory(from: item.record, limit: limit, before: version))
  }
  /// What an entry was at a moment.
  /// - Parameter unknown: those of its kind, the entry perhaps among them, that memory does not know at that moment, and which
  ///   it takes to tell.
  init(showing number: Int, _ table: Int, in entries: Entries, at moment: Stamp, unknown: [Int]) {
    self.entries = entries.forRecords
    self.table = table
    self.number = number
    let first = unknown.first ?? number
    let item = entries.tables[table].items[first]
    way = .past(EntryPast(of: first, from: item.record, at: moment), moment: moment, rest: Array(unknown.dropFirst()))
  }

  var firstCost: Int {
    switch way {
    case .history(let history): min(history.limit, JournalQuery.stepsAtOnce)
    case .past: EntryPast.usualSteps
    }
  }

  /// Goes on for so many steps. True: the reply is written.
  mutating func run<Source>(
    _ reader: inout JournalRecordReader<Source>, steps allowed: Int, into reply: inout ReplyWriter
  ) throws -> Bool {
    var records = Records(reader: reader, kind: entries.tables[table].kind.number, left: allowed)
    defer { reader = records.reader }
    switch way {
    case .history(var history):
      let isOver = try history.run(&records, of: number) { entries.describe($0, table, number, into: &$1) }
      way = .history(history)
      if isOver { history.write(into: &reply) }
      return isOver
    case .past(var past, let moment, var rest):
      while try past.run(&records) {
        entries.restore(try past.found(), of: past.entry, in: table)
        guard !rest.isEmpty else {
          entries.show(table, number, at: moment, isPast: true, into: &reply)
          return true
        }
        let next = rest.removeFirst()
        past = EntryPast(of: next, from: entries.tables[table].items[next].record, at: moment)
      }
      way = .past(past, moment: moment, rest: rest)
      return false
    }
  }

  /// Reads records of entries of one kind, so many at most.
  struct Records<Source: JournalSource> {
    fileprivate(set) var reader: JournalRecordReader<Source>
    fileprivate let kind: Int
    fileprivate(set) var left: Int

    /// The record of an entry that is at a position; it counts.
    mutating func read(_ position: JournalPosition, of entry: Int) throws -> ChangeRecord {
      left -= 1
      let record = try reader.bytes(at: position, atMost: ChangeRecord.maximumByteCount) { bytes in
        do {
          return try ChangeRecord(decoding: bytes)
        } catch {
          throw JournalCorruption(description: "at segment \(position.segment), offset \(position.offset): \(error)")
        }
      }
      guard record.kind == kind, record.entry == entry else {
        throw JournalCorruption(description: "a record of another entry at \(position)")
      }
      for link in [record.previous, record.mark] where link != .none && !link.isBefore(position) {
        throw JournalCorruption(description: "a record at \(position) that links ahead")
      }
      return record
    }
  }
}

/// An entry's changes, newest first.
struct EntryHistory: Sendable {
  let limit: Int
  private let before: UInt32
  private var position: JournalPosition
  private var found = 0
  private var last: UInt32 = 0
  private var described: [UInt8] = []

  init(from newest: JournalPosition, limit: Int, before version: UInt32) {
    position = newest
    self.limit = limit
    before = version
  }

  /// Goes on while there are steps left. True: all that is wanted was found.
  mutating func run<Source>(
    _ records: inout EntryWalk.Records<Source>, of entry: Int, _ describe: (ChangeRecord, inout ReplyWriter) -> Void
  ) throws -> Bool {
    var writer = ReplyWriter(capacity: 4_096)
    writer.buffer.append(described)
    while position != .none, found < limit, writer.buffer.count < Entries.mostListBytes {
      guard records.left > 0 else {
        described = writer.buffer.array
        return false
      }
      let record = try records.read(position, of: entry)
      let version = record.change.number
      if version < before {
        describe(record, &writer)
        found += 1
        last = version
        position = record.previous
      } else {
        position = ChangeRecord.mark(before: version) >= before - 1 ? record.mark : record.previous
      }
    }
    described = writer.buffer.array
    return true
  }
  /// Writes what was found; if it was cut off before the limit, where it goes on.
  func write(into reply: inout ReplyWriter) {
    let isCut = position != .none && found < limit
    reply.array(count: found + (isCut ? 1 : 0))
    reply.buffer.append(described)
    guard isCut else { return }
    reply.record()
    reply.field(.more, "yes")
    reply.field(named: "before", Int64(last))
  }
}

/// What an entry was at a moment: first back from mark to mark, then record by record until a mark tells the rest.
struct EntryPast: Sendable {
  let entry: Int
  private let moment: Stamp
  private var position: JournalPosition
  /// The marks that were passed, the last two of them; nil: it goes record by record now.
  private var passed: [JournalPosition]? = []
  /// All that holds at the moment, of what was read.
  private var base: EntryItem.Change?
  /// The next beginning after it.
  private var next = Stamp.never

  /// About as many as it takes where the moment is not long ago.
  static let usualSteps = 4 * Int(ChangeRecord.interval)

  init(of entry: Int, from newest: JournalPosition, at moment: Stamp) {
    self.entry = entry
    self.moment = moment
    position = newest
  }

  /// Goes on while there are steps left. True: it is known.
  mutating func run<Source>(_ records: inout EntryWalk.Records<Source>) throws -> Bool {
    while position != .none {
      guard records.left > 0 else { return false }
      let record = try records.read(position, of: entry)
      if let marks = passed {
        // The next beginning is among the changes that follow. Of these some may have been announced before others, but no
        // more than `interval`: so it is among that many, and two marks behind the moment are far enough.
        if record.change.set > moment, record.mark != .none {
          passed = marks.suffix(1) + [position]
          position = record.mark
          continue
        }
        passed = nil
        if let start = marks.first {
          position = start
          continue
        }
      }
      if record.change.set <= moment, let folded = record.folded {
        for change in folded.changes.reversed() { take(change) }
        return true
      }
      take(record.change)
      position = record.previous
    }
    return true
  }
  /// Takes a change that was made before all others so far.
  private mutating func take(_ change: EntryItem.Change) {
    guard change.from <= moment else {
      next = min(next, change.from)
      return
    }
    guard moment < change.until else { return }
    next = min(next, change.until)
    guard let later = base else {
      base = change
      return
    }
    var both = later.decides(over: change) ? later : change
    both.values = change.values.overlaid(by: later.values)
    base = both
  }

  /// Changes that say what the entry was at the moment, and nothing of any other.
  func found() throws -> [EntryItem.Change] {
    // None of one with bounds held then.
    guard var base else { return [] }
    base.until = .never
    guard next < .never else { return [base] }
    return [base, EntryItem.Change(number: 0, from: next, set: next, by: [], values: EntryValues())]
  }
}
