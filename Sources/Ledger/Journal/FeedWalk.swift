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
  /// Between two frames: what lies behind is another walk's.
  let end: JournalPosition
  let lineage: [JournalPosition]
  let names: Names
  /// Behind what was passed so far.
  private var place: FeedPlace
  /// The bytes of the frame that it lies in; 0: they are not known.
  private var frameBytes: UInt32 = 0
  /// A frame or a record was found where the walk began: so that is a place of this journal.
  private var isProved: Bool
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
    self.place = place
    self.end = end
    (tenant, kinds, limit) = (wanted.tenant, wanted.kinds, wanted.limit)
    self.lineage = lineage
    self.names = names
    isProved = place.inner == 0 && place.frame.offset == 0
  }

  /// Goes on for so many steps. True: the reply is written.
  mutating func run(
    _ source: some JournalSource, _ catalogue: CatalogueRecords, steps allowed: Int, into reply: inout ReplyWriter
  ) throws -> Bool {
    do {
      return try go(source, catalogue, steps: allowed, into: &reply)
    } catch {
      guard error is JournalCorruption, !isProved else { throw error }
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
    while found < limit, skipped < FeedWalk.mostSkipped, described.buffer.count < FeedWalk.mostBytes {
      guard FeedWalk.stepsOfPiece * window.reads + passed / FeedWalk.recordsOfStep < allowed else {
        records = described.buffer.array
        return false
      }
      if frameBytes == 0 {
        if place.inner == 0, !place.frame.isBefore(end) { break }
        guard let bytes = try frameLength(window, source) else {
          guard place.inner == 0, place.frame.segment < end.segment else {
            throw corruption("the journal ends too soon")
          }
          place.frame = place.frame.nextSegment
          continue
        }
        frameBytes = bytes
        place.inner = max(place.inner, UInt32(JournalBuffer.frameHeaderSize))
      }
      try passRecord(window, source, catalogue, &described)
      passed += 1
    }
    let head = FeedPage.Head(
      next: place, isEnd: !place.frame.isBefore(end), skipped: skipped, lineage: lineage, count: found)
    FeedPage.write(head, described.buffer.array, into: &reply)
    return true
  }

  /// The bytes of the frame at the place; nil: the segment ends there.
  private func frameLength(_ window: JournalWindow, _ source: some JournalSource) throws -> UInt32? {
    let head = try window.bytes(at: place.frame, count: JournalBuffer.frameHeaderSize, source)
    guard let head else { return nil }
    let length = UInt32(littleEndian: head.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    guard UInt32(littleEndian: head.loadUnaligned(as: UInt32.self)) == JournalBuffer.magic,
      length > UInt32(JournalBuffer.frameHeaderSize), length <= UInt32(JournalChain.frameBytesMax),
      place.inner == 0 || (place.inner >= UInt32(JournalBuffer.frameHeaderSize) && place.inner < length)
    else { throw corruption("this is no frame") }
    return length
  }

  private mutating func passRecord(
    _ window: JournalWindow, _ source: some JournalSource, _ catalogue: CatalogueRecords, _ described: inout ReplyWriter
  ) throws {
    let position = place.frame.advanced(by: Int(place.inner))
    guard let head = try window.bytes(at: position, count: 8, source) else { throw corruption("a record is cut") }
    let length = UInt32(littleEndian: head.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    guard length >= 24, length <= UInt32(ChangeRecord.maximumByteCount), length <= frameBytes - place.inner,
      let bytes = try window.bytes(at: position, count: Int(length), source)
    else { throw corruption("a record is cut") }
    let start = described.buffer.count
    FeedPage.append(place, to: &described.buffer)
    described.buffer.append(UInt32(0))
    let first = described.buffer.count
    do {
      switch names {
      case .ofShard: try tell(try JournalRecord(decoding: bytes), catalogue, &described)
      case .ofDirectory(let entries): try tell(try ChangeRecord(decoding: bytes), entries, &described)
      }
    } catch {
      throw corruption("\(error)")
    }
    isProved = true
    place.inner += length
    if place.inner == frameBytes {
      place = FeedPlace(frame: place.frame.advanced(by: Int(frameBytes)))
      frameBytes = 0
    }
    guard described.buffer.count > first else {
      described.buffer.truncate(to: start)
      skipped += 1
      return
    }
    described.buffer.patch(place.frame.rawValue, at: start)
    described.buffer.patch(place.inner, at: start + 8)
    described.buffer.patch(UInt32(described.buffer.count - first), at: start + 12)
    found += 1
  }

  /// Writes a record that is wanted.
  private func tell(
    _ record: JournalRecord, _ catalogue: CatalogueRecords, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) {
    guard record.kind.isOfHistory, kinds.has(record.kind), record.tenant == tenant else { return }
    guard catalogue.has(record.program) else { throw MalformedBytes("a record of an unknown program") }
    record.describe(catalogue, into: &reply, withMember: true)
  }
  private func tell(_ record: ChangeRecord, _ entries: Entries, _ reply: inout ReplyWriter) throws(MalformedBytes) {
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
  private func corruption(_ what: String) -> JournalCorruption {
    JournalCorruption(
      description:
        "at segment \(place.frame.segment), offset \(place.frame.offset), byte \(place.inner) of the frame: \(what)")
  }
}
