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
  /// Gives the bytes in order, in runs of up to a page. Once only, from any thread.
  public func write(to sink: (UnsafeRawBufferPointer) throws -> Void) rethrows {
    try frozen.write(to: sink)
    try catalogue.write(to: sink)
  }
}

extension Ledger {
  private static var snapshotVersion: UInt32 { 5 }

  /// The state as of the last entry, to be written from another thread while entries go on. One at a time, between
  /// entries. Everything is in it: members, request ids, deliveries, catalogue, the journal's end and chain, the last
  /// stamp and index. Cost: 8 bytes copied for each 16 KiB of state.
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
  public mutating func endSnapshot(_ snapshot: LedgerSnapshot) { pool.endSnapshot(snapshot.frozen) }

  /// The ledger that wrote the snapshot, with the same limits. Throws if the bytes are something else, and what the source
  /// throws. The journal goes on at `journalEnd`: truncate what is stored to that before replaying.
  public init<Source: SnapshotSource>(restoring source: Source, limits: LedgerLimits = LedgerLimits()) throws {
    var reader = try SnapshotReader(source)
    let header = try RestoredHeader(try reader.readBytes())
    let pool = PagePool()
    let members = try PagedArray<MemberRecord>(pool, restoring: &reader)
    let memberIndex = try HashIndex(pool, restoring: &reader)
    let accounts = try PagedArray<AccountRecord>(pool, restoring: &reader)
    let lots = try PagedArray<LotRecord>(pool, restoring: &reader)
    let takes = try PagedArray<TakeRecord>(pool, restoring: &reader)
    let texts = try PagedBlob(pool, restoring: &reader)
    let sequences = try PagedArray<UInt64>(pool, restoring: &reader)
    let transactions = try PagedQueue<TransactionRecord>(pool, restoring: &reader)
    let transactionIndex = try HashIndex(pool, restoring: &reader)
    let past = try PastTable(pool, restoring: &reader)
    let dedupe = try PagedQueue<DedupeRecord>(pool, restoring: &reader)
    let dedupeIndex = try HashIndex(pool, restoring: &reader)
    let holds = try PagedArray<HoldRecord>(pool, restoring: &reader)
    let holdQueue = try PagedArray<HoldDeadline>(pool, restoring: &reader)
    let transits = try PagedArray<TransitRecord>(pool, restoring: &reader)
    let lapsed = try PagedQueue<LapsedRecord>(pool, restoring: &reader)
    let lapsedIndex = try HashIndex(pool, restoring: &reader)
    let cards = try PagedArray<CardRecord>(pool, restoring: &reader)
    let cardEntries = try PagedArray<CardEntryRecord>(pool, restoring: &reader)
    let cardIndex = try HashIndex(pool, restoring: &reader)
    let programs = try PagedArray<ProgramRecord>(pool, restoring: &reader)
    let parts = try PagedArray<PartRecord>(pool, restoring: &reader)
    let firstParts = try PagedArray<UInt32>(pool, restoring: &reader)
    let outbox = try PagedArray<OutboxRecord>(pool, restoring: &reader)
    let outboxIndex = try HashIndex(pool, restoring: &reader)
    let inbox = try PagedArray<InboxRecord>(pool, restoring: &reader)
    let inboxIndex = try HashIndex(pool, restoring: &reader)
    try reader.finish()
    var rest = reader.source
    let catalogue = try Catalogue(restoring: &rest, key: header.core.key)

    self.limits = limits
    shard = header.shard
    core = header.core
    calendar = header.calendar
    self.catalogue = catalogue
    dedupeMarks = header.dedupeMarks
    hashes = KeyedHashes(header.core.key)
    journal = JournalBuffer(segmentBytes: limits.journalSegmentBytes, end: header.journalEnd)
    self.pool = pool
    self.members = members
    self.memberIndex = memberIndex
    self.accounts = accounts
    self.lots = lots
    self.takes = takes
    self.texts = texts
    self.sequences = sequences
    self.transactions = transactions
    self.transactionIndex = transactionIndex
    self.past = past
    self.past.hashes = hashes
    self.dedupe = dedupe
    self.dedupeIndex = dedupeIndex
    self.holds = holds
    self.holdQueue = holdQueue
    self.transits = transits
    self.lapsed = lapsed
    self.lapsedIndex = lapsedIndex
    self.cards = cards
    self.cardEntries = cardEntries
    self.cardIndex = cardIndex
    self.programs = programs
    self.parts = parts
    self.firstParts = firstParts
    self.outbox = outbox
    self.outboxIndex = outboxIndex
    self.inbox = inbox
    self.inboxIndex = inboxIndex
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
