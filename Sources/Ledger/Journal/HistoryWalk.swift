import Base

/// A walk back through a member's records, newest first. Each record links to the account's before it and to the member's,
/// so records of other programs are walked over only between the one that `before=` names and the next of the program
/// asked for.
struct HistoryWalk: Sendable {
  /// Whose: to be sure of the record that `before=` names.
  var tenant: TenantID
  var member: [UInt8]
  /// `.none`: all.
  var program: ProgramRef
  var limit: Int
  var start: Start

  enum Start: Sendable {
    /// At this record, or at none.
    case at(JournalPosition)
    /// Behind this one, which is the member's.
    case behind(JournalPosition)
    /// Behind one that has left memory, by the record that last spoke about it.
    case behindRemembered(JournalPosition, TransactionID)
    /// Behind one that the state has forgotten: it must be found first.
    case behindForgotten(TransactionSearch)
  }

  private var found = 0
  private var steps = 0
  private var records: [UInt8] = []
  /// The record that was looked at last.
  private var last = TransactionID.none
  /// One walk looks at no more records than this: what is left then is another request's.
  static let mostSteps = 20_000

  init(tenant: TenantID, member: [UInt8], program: ProgramRef, limit: Int, start: Start) {
    self.tenant = tenant
    self.member = member
    self.program = program
    self.limit = limit
    self.start = start
  }
  var firstCost: Int {
    switch start {
    case .at: min(limit, JournalQuery.stepsAtOnce)
    case .behind, .behindRemembered: min(limit + 3, JournalQuery.stepsAtOnce)
    case .behindForgotten: JournalQuery.stepsAtOnce
    }
  }

  /// Goes on for so many steps. True: the reply is written.
  mutating func run<Source>(
    _ reader: inout JournalRecordReader<Source>, steps allowed: Int, into reply: inout ReplyWriter
  ) throws -> Bool {
    let stop = steps + allowed
    if case .behindForgotten(var search) = start {
      switch try search.run(&reader, steps: allowed) {
      case .unfinished:
        start = .behindForgotten(search)
        return false
      case .nowhere:
        reply.error(.notFound, HistoryWalk.unknown)
        return true
      case .found(let position): start = .behind(position)
      }
    }
    if case .behindRemembered(let position, let tx) = start {
      start = .behind(try reader.records(of: tx, at: position).position)
      steps += 2
    }
    if case .behind(let position) = start {
      guard let next = try enter(&reader, position) else {
        reply.error(.notFound, HistoryWalk.unknown)
        return true
      }
      steps += 1
      start = .at(next)
    }
    guard case .at(var position) = start else { return false }
    let catalogue = reader.catalogue
    // The array's count stands in front of its records: they are gathered apart.
    var described = ReplyWriter(capacity: 4096)
    described.buffer.append(records)
    while position != .none, found < limit, steps < HistoryWalk.mostSteps {
      guard steps < stop else {
        start = .at(position)
        records = described.buffer.array
        return false
      }
      position = try reader.read(at: position) { record in
        if program.isNone || record.program == program {
          record.describe(catalogue, into: &described, withMember: false)
          found += 1
        }
        last = record.tx
        return try next(record, position)
      }
      steps += 1
    }
    let isCut = position != .none && found < limit
    if isCut {
      described.record()
      described.field(.more, "yes")
      described.field(.before, last)
    }
    reply.array(count: found + (isCut ? 1 : 0))
    reply.buffer.append(described.buffer.bytes)
    return true
  }
  static let unknown = "before= names no transaction of this member"

  /// What comes behind the record that `before=` names; nil if it is not this member's.
  private mutating func enter<Source>(
    _ reader: inout JournalRecordReader<Source>, _ position: JournalPosition
  ) throws -> JournalPosition? {
    try reader.read(at: position) { record in
      guard record.tenant == tenant, record.member.elementsEqual(member), record.kind.isOfHistory
      else { return nil }
      last = record.tx
      return try next(record, position)
    }
  }
  private func next(_ record: JournalRecord, _ position: JournalPosition) throws -> JournalPosition {
    let next = record.program == program ? record.previousOfAccount : record.previous
    guard next == .none || next.mayPrecede(position) else {
      throw JournalCorruption(description: "a record at \(position) that links ahead")
    }
    return next
  }
}
