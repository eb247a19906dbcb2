import Base
import Vocabulary

/// A walk forward through a journal, a shard's or the directory's: its records behind a place, so many at most, as they are told
/// to who follows the feed.
struct FeedWalk: Sendable {
  /// What the records' names are looked up in.
  enum Names: Sendable {
    case ofShard
    case ofDirectory(Entries)
  }
  let tenant: TenantID
  let kinds: FeedKinds
  let limit: Int
  let lineage: [JournalPosition]
  let names: Names
  /// What was booked later is not told, and what lies behind it neither.
  let until: Stamp
  private var walk: RecordWalk
  private var isOver = false
  private var found = 0
  private var skipped = 0
  private var records: [UInt8] = []

  /// One walk tells no more bytes, and passes no more records that are not wanted: others have their turn then.
  static let mostBytes = 1 << 20
  static let mostSkipped = 50_000
  /// A piece of the journal that is read at once, and what that counts.
  private static let pieceBytes = 256 << 10
  private static let stepsOfPiece = 64
  /// So many records that are told, or skipped, count as a step.
  private static let recordsOfStep = 8
  static let firstCost = 2 * stepsOfPiece

  init(
    from place: FeedPlace, to end: JournalPosition, _ wanted: FeedQuery, lineage: [JournalPosition], names: Names
  ) {
    walk = RecordWalk(from: place, to: end)
    (tenant, kinds, limit, until) = (wanted.tenant, wanted.kinds, wanted.limit, wanted.until)
    self.lineage = lineage
    self.names = names
  }
  var end: JournalPosition { walk.end }

  /// Goes on for so many steps. True: the reply is written.
  mutating func run(
    _ source: some JournalSource, _ catalogue: CatalogueRecords, steps allowed: Int, into reply: inout ReplyWriter
  ) throws -> Bool {
    do {
      return try go(source, catalogue, steps: allowed, into: &reply)
    } catch {
      guard error is JournalCorruption, !walk.isProved else { throw error }
      reply.buffer.removeAll()
      reply.error(.notFound, FeedWalk.unknown)
      return true
    }
  }
  static let unknown =
    "from= names a place that this cluster's journals do not have: it was restored to before that; begin anew without from="

  private mutating func go(
    _ source: some JournalSource, _ catalogue: CatalogueRecords, steps allowed: Int, into reply: inout ReplyWriter
  ) throws -> Bool {
    let window = JournalWindow(byteCount: FeedWalk.pieceBytes)
    var described = ReplyWriter(capacity: 4_096)
    described.buffer.append(records)
    var passed = 0
    while !isOver, found < limit, skipped < FeedWalk.mostSkipped, described.buffer.count < FeedWalk.mostBytes {
      guard FeedWalk.stepsOfPiece * window.reads + passed / FeedWalk.recordsOfStep < allowed else {
        records = described.buffer.array
        return false
      }
      guard let bytes = try walk.record(window, source) else { break }
      try pass(bytes, catalogue, &described)
      passed += 1
    }
    let head = FeedPage.Head(
      next: walk.place, isEnd: isOver || walk.isAtEnd, skipped: skipped, lineage: lineage, count: found)
    FeedPage.write(head, described.buffer.array, into: &reply)
    return true
  }

  private mutating func pass(
    _ bytes: UnsafeRawBufferPointer, _ catalogue: CatalogueRecords, _ described: inout ReplyWriter
  ) throws {
    let start = described.buffer.count
    FeedPage.append(walk.place, to: &described.buffer)
    described.buffer.append(UInt32(0))
    let first = described.buffer.count
    do {
      switch names {
      case .ofShard: try tell(try JournalRecord(decoding: bytes), catalogue, &described)
      case .ofDirectory(let entries): try tell(try ChangeRecord(decoding: bytes), entries, &described)
      }
    } catch {
      throw walk.corruption("\(error)")
    }
    guard !isOver else { return described.buffer.truncate(to: start) }
    walk.pass(bytes.count)
    guard described.buffer.count > first else {
      described.buffer.truncate(to: start)
      skipped += 1
      return
    }
    described.buffer.patch(walk.place.frame.rawValue, at: start)
    described.buffer.patch(walk.place.inner, at: start + 8)
    described.buffer.patch(UInt32(described.buffer.count - first), at: start + 12)
    found += 1
  }

  /// Writes a record that is wanted.
  private mutating func tell(
    _ record: JournalRecord, _ catalogue: CatalogueRecords, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) {
    guard record.stamp <= until else { return isOver = true }
    guard record.kind.isOfHistory, kinds.has(record.kind), record.tenant == tenant else { return }
    guard catalogue.has(record.program) else { throw MalformedBytes("a record of an unknown program") }
    record.describe(catalogue, into: &reply, withMember: true)
  }
  private mutating func tell(
    _ record: ChangeRecord, _ entries: Entries, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) {
    guard record.change.set <= until else { return isOver = true }
    guard kinds.hasChanges else { return }
    guard let table = entries.tables.firstIndex(where: { $0.kind.number == record.kind }),
      record.entry < entries.tables[table].items.count
    else { throw MalformedBytes("a change of an unknown entry") }
    guard entries.tables[table].items[record.entry].tenant == tenant else { return }
    entries.describe(record, table, record.entry, into: &reply)
    reply.field(.time, record.change.set)
    reply.field(.kind, FeedKinds.change)
    reply.field(named: "entry", entries.tables[table].kind.word.lowercased())
  }
}
