import Base

/// A ledger's state at one entry, readable from any thread. Hand it back by `Ledger.endSnapshot`.
public struct LedgerSnapshot: Sendable {
  public let lastIndex: LogIndex
  public let lastStamp: Stamp
  /// The journal that the snapshot refers to must be durable up to here before the snapshot counts.
  public let journalEnd: JournalPosition
  let frozen: FrozenSnapshot
  let catalogue: CatalogueRecords

  /// Bytes that `write` gives, but for the catalogue's, which are few.
  public var byteCount: Int { frozen.byteCount + catalogue.byteCount }
  /// About how many bytes it gives if it gives changes only. O(pages): for the thread that writes.
  public var changedByteCount: Int { frozen.changedByteCount + catalogue.byteCount }
  /// Gives the bytes in order, in runs of up to a page. Once only, from any thread.
  /// - Parameter changesOnly: what has changed since the last snapshot that was kept, or that the ledger was restored from.
  ///   There must be one: see `canTellChanges`.
  public func write(changesOnly: Bool = false, to sink: (UnsafeRawBufferPointer) throws -> Void) rethrows {
    try frozen.write(changesOnly: changesOnly, to: sink)
    try catalogue.write(to: sink)
  }
  public var canTellChanges: Bool { frozen.canTellChanges }
}

extension Ledger {
  private static var snapshotVersion: UInt32 { 6 }

  /// The state as of the last entry, to be written from another thread while entries go on. One at a time, between
  /// entries. Everything is in it: members, request ids, deliveries, catalogue, the journal's end and chain, the last
  /// stamp and index. Cost: 12 bytes copied for each 16 KiB of state.
  public mutating func beginSnapshot() -> LedgerSnapshot {
    precondition(!core.isInEntry, "a snapshot is begun between entries")
    var builder = pool.beginSnapshot()
    var header = ByteBuffer(capacity: 4096)
    header.append(Ledger.snapshotVersion)
    header.append(shard.rawValue)
    header.append(journal.end.rawValue)
    withUnsafeBytes(of: core) { header.append(counted: $0) }
    calendar.encode(into: &header)
    dedupeMarks.encode(into: &header)
    builder.append(header.bytes)
    members.freeze(into: &builder)
    memberIndex.freeze(into: &builder)
    accounts.freeze(into: &builder)
    lots.freeze(into: &builder)
    takes.freeze(into: &builder)
    texts.freeze(into: &builder)
    sequences.freeze(into: &builder)
    transactions.freeze(into: &builder)
    transactionIndex.freeze(into: &builder)
    past.freeze(into: &builder)
    dedupe.freeze(into: &builder)
    dedupeIndex.freeze(into: &builder)
    holds.freeze(into: &builder)
    holdQueue.freeze(into: &builder)
    transits.freeze(into: &builder)
    lapsed.freeze(into: &builder)
    lapsedIndex.freeze(into: &builder)
    cards.freeze(into: &builder)
    cardEntries.freeze(into: &builder)
    cardIndex.freeze(into: &builder)
    programs.freeze(into: &builder)
    parts.freeze(into: &builder)
    firstParts.freeze(into: &builder)
    outbox.freeze(into: &builder)
    outboxIndex.freeze(into: &builder)
    inbox.freeze(into: &builder)
    inboxIndex.freeze(into: &builder)
    return LedgerSnapshot(
      lastIndex: lastIndex, lastStamp: lastStamp, journalEnd: journal.end, frozen: builder.finish(),
      catalogue: catalogue.records)
  }
  /// Frees what only the snapshot held. Nobody may write it afterwards.
  /// - Parameter isKept: it was written, and the next one may give the changes since.
  public mutating func endSnapshot(_ snapshot: LedgerSnapshot, isKept: Bool = false) {
    pool.endSnapshot(snapshot.frozen, isKept: isKept)
  }

  /// The ledger that wrote the snapshots, with the same limits. Throws if the bytes are something else, and what a source
  /// throws. The journal goes on at `journalEnd`: truncate what is stored to that before replaying.
  /// - Parameter changes: snapshots that have only what changed since the one before each, in order.
  public static func restored<Source: SnapshotSource>(
    from whole: Source, changes: [Source] = [], limits: LedgerLimits = LedgerLimits()
  ) throws -> Ledger {
    var reader = try SnapshotReader(whole)
    guard !reader.hasChangesOnly else { throw MalformedBytes("changes, and no snapshot before them") }
    let header = try RestoredHeader(try reader.readBytes())
    var ledger = Ledger(shard: header.shard, limits: limits)
    try ledger.restore(header, from: &reader)
    for source in changes {
      var reader = try SnapshotReader(source)
      let header = try RestoredHeader(try reader.readBytes())
      guard reader.hasChangesOnly, header.shard == ledger.shard else {
        throw MalformedBytes("not the changes that come next")
      }
      try ledger.restore(header, from: &reader)
    }
    try ledger.checkRestored()
    ledger.pool.markKept()
    return ledger
  }

  private mutating func restore<Source: SnapshotSource>(
    _ header: RestoredHeader, from reader: inout SnapshotReader<Source>
  ) throws {
    try members.restore(from: &reader)
    try memberIndex.restore(from: &reader)
    try accounts.restore(from: &reader)
    try lots.restore(from: &reader)
    try takes.restore(from: &reader)
    try texts.restore(from: &reader)
    try sequences.restore(from: &reader)
    try transactions.restore(from: &reader)
    try transactionIndex.restore(from: &reader)
    try past.restore(from: &reader)
    try dedupe.restore(from: &reader)
    try dedupeIndex.restore(from: &reader)
    try holds.restore(from: &reader)
    try holdQueue.restore(from: &reader)
    try transits.restore(from: &reader)
    try lapsed.restore(from: &reader)
    try lapsedIndex.restore(from: &reader)
    try cards.restore(from: &reader)
    try cardEntries.restore(from: &reader)
    try cardIndex.restore(from: &reader)
    try programs.restore(from: &reader)
    try parts.restore(from: &reader)
    try firstParts.restore(from: &reader)
    try outbox.restore(from: &reader)
    try outboxIndex.restore(from: &reader)
    try inbox.restore(from: &reader)
    try inboxIndex.restore(from: &reader)
    try reader.finish()
    var rest = reader.source
    catalogue = try Catalogue(restoring: &rest, key: header.core.key)
    core = header.core
    calendar = header.calendar
    dedupeMarks = header.dedupeMarks
    hashes = KeyedHashes(header.core.key)
    past.hashes = hashes
    journal = JournalBuffer(segmentBytes: limits.journalSegmentBytes, end: header.journalEnd)
  }
  private func checkRestored() throws {
    try memberIndex.checkRestored()
    try transactionIndex.checkRestored()
    try past.checkRestored()
    try dedupeIndex.checkRestored()
    try lapsedIndex.checkRestored()
    try cardIndex.checkRestored()
    try outboxIndex.checkRestored()
    try inboxIndex.checkRestored()
  }

  private struct RestoredHeader {
    var shard: ShardID
    var journalEnd: JournalPosition
    var core: Core
    var calendar: ExpiryCalendar
    var dedupeMarks: RetentionMarks

    init(_ bytes: [UInt8]) throws {
      self = try bytes.withUnsafeBytes { bytes in
        var reader = ByteReader(bytes)
        let version: UInt32 = try reader.read()
        guard version == Ledger.snapshotVersion else {
          throw MalformedBytes("snapshot version \(version) is not known")
        }
        let shard = ShardID(try reader.read())
        let end = JournalPosition(rawValue: try reader.read())
        let coreBytes = try reader.readCounted()
        guard coreBytes.count == MemoryLayout<Core>.size else { throw MalformedBytes("a core of another size") }
        return RestoredHeader(
          shard: shard, journalEnd: end, core: coreBytes.loadUnaligned(as: Core.self),
          calendar: try ExpiryCalendar(decoding: &reader), dedupeMarks: try RetentionMarks(decoding: &reader))
      }
    }
    private init(
      shard: ShardID, journalEnd: JournalPosition, core: Core, calendar: ExpiryCalendar, dedupeMarks: RetentionMarks
    ) {
      self.shard = shard
      self.journalEnd = journalEnd
      self.core = core
      self.calendar = calendar
      self.dedupeMarks = dedupeMarks
    }
  }
}
