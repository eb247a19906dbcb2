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
  /// The state as of the last entry, to be written from another thread while entries go on. One at a time, between
  /// entries. Everything is in it: members, request ids, deliveries, catalogue, the journal's end and chain, the last
  /// stamp and index. Cost: 12 bytes copied for each 16 KiB of state.
  public mutating func beginSnapshot() -> LedgerSnapshot {
    precondition(!core.isInEntry, "a snapshot is begun between entries")
    core.journalEnd = journal.end
    let builder = frozen(into: pool.beginSnapshot(), semantics: semantics)
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
    var ledger = Ledger(shard: .directory, limits: limits)
    var shard: ShardID?
    var forms: [SectionForm] = []
    for (place, source) in ([whole] + changes).enumerated() {
      var reader = try SnapshotReader(source)
      guard reader.hasChangesOnly == (place > 0) else { throw MalformedBytes("not the snapshot that comes next") }
      try ledger.restoreTables(from: &reader, forms: &forms)
      guard ledger.shard != .directory, shard == nil || shard == ledger.shard else {
        throw MalformedBytes("a snapshot of another shard, or of none")
      }
      shard = ledger.shard
      guard ledger.core.ranges.isWellFormed else { throw MalformedBytes("a shard that owns impossible slots") }
      guard ledger.semantics <= Semantics.newest else {
        throw MalformedBytes(
          "it is of semantics \(ledger.semantics), and this build knows up to \(Semantics.newest): start a newer build")
      }
      var rest = reader.source
      ledger.catalogue = try Catalogue(restoring: &rest, key: ledger.core.key)
    }
    if try ledger.finishRestoring() { ledger.pool.markKept() }
    try ledger.tables.past.checkRestored()
    ledger.hashes = KeyedHashes(ledger.core.key)
    ledger.tables.past.hashes = ledger.hashes
    ledger.journal = JournalBuffer(segmentBytes: limits.journalSegmentBytes, end: ledger.core.journalEnd)
    return ledger
  }
}
