import Base

/// The node's one write-ahead log, shared by its shards. `README.md` in this folder has the format and the rules.
///
/// All calls come from one thread, the log thread, but for `prepareSpare`, which any other may call. Every error but
/// `.noSpace` and `.refused` means that the process must end.
public final class WriteAheadLog: @unchecked Sendable {
  public struct Options: Sendable {
    /// Size of a segment file. A multiple of 4 KiB, at least 16 KiB.
    public var segmentBytes: Int
    /// The largest record, payload and head; cut to what fits a segment.
    public var maxRecordBytes: Int
    public init(segmentBytes: Int = 64 << 20, maxRecordBytes: Int = 32 << 20) {
      self.segmentBytes = segmentBytes
      self.maxRecordBytes = maxRecordBytes
    }
  }

  let directory: String
  let fileSystem: any FileSystem
  let options: Options
  let pool: SegmentPool
  /// Segments with records, oldest first; the last one is being written.
  var segments: [Segment] = []
  var table: ShardTable
  var recovered: [RecoveredShard]
  /// What had rotted when the log was opened; nil: nothing.
  public private(set) var damage: LogDamage?
  /// Where the next batch goes in the last segment.
  var position = LogFormat.blockBytes
  public private(set) var lastBatch: UInt64
  /// Shards, by their place in the table, whose facts stand in the last batch: the next one repeats them, so that no one
  /// bad batch loses a vote, or that a replica is gone.
  var repeats: [Int] = []
  private(set) var isUnsynced = false
  /// How far which segment has been written again: see `rewriteOldest`.
  var rewritten: (segment: UInt64, offset: Int) = (0, 0)
  /// A segment was filled since the last look at what may be recycled.
  var hasRotated = false
  /// After this nothing may be written: the process is to end.
  private(set) var failure: StorageError?
  private var batch = BatchEncoder()
  /// Places in the table of the records being appended; reused.
  private var places: [Int] = []

  /// A batch is cut at this size; only one record, with states before it, may make it larger.
  static let softBatchBytes = 4 << 20

  /// Opens the log, or begins one. Verifies every byte of it; cuts a torn tail; refuses newer formats (`.tooNew`). The
  /// last segment, for whose last sync nobody vouches, is copied to a fresh one and synced before this returns. Costs a
  /// read of the whole log, and a write of up to one segment.
  ///
  /// If the log has rotted, `damage` says where. What is left of it is then written anew, and the old segments go; the
  /// shards concerned are `isDamaged`.
  /// - Parameter marking: gives the state of such a shard that is to be kept from now on. The log forgets that it was
  ///   damaged: whoever opens it does not, and durably, by this.
  public init(
    directory: String, fileSystem: any FileSystem, options: Options = Options(),
    marking: (RecoveredShard) -> [UInt8] = { $0.state }
  ) throws(StorageError) {
    precondition(
      options.segmentBytes >= 4 * LogFormat.blockBytes && options.segmentBytes % LogFormat.blockBytes == 0,
      "a segment has at least four blocks")
    self.directory = directory
    self.fileSystem = fileSystem
    self.options = options
    try fileSystem.createDirectory(directory)
    try LogRenewal.complete(directory, fileSystem)
    var recovery: LogRecovery
    do throws(StorageError) {
      recovery = try LogRecovery(directory: directory, fileSystem: fileSystem)
      recovered = try recovery.finish(directory: directory)
    } catch {
      guard error.kind == .damaged else { throw error }
      let salvage = try LogSalvage(directory: directory, fileSystem: fileSystem)
      recovered = salvage.shards
      for i in recovered.indices where recovered[i].isDamaged { recovered[i].state = marking(recovered[i]) }
      damage = LogDamage(error: error, lost: salvage.lost, areStatesInDoubt: salvage.areStatesInDoubt)
      table = ShardTable()
      lastBatch = salvage.highestBatch
      pool = SegmentPool(
        directory: directory, fileSystem: fileSystem, segmentBytes: options.segmentBytes,
        nextNumber: salvage.highestNumber + 1)
      try renew()
      return
    }
    table = recovery.table
    lastBatch = recovery.lastBatch?.number ?? 0
    pool = SegmentPool(
      directory: directory, fileSystem: fileSystem, segmentBytes: options.segmentBytes,
      nextNumber: recovery.highestNumber + 1)
    segments = recovery.used.map(Segment.init)
    try discardLeftovers(recovery.unused)
    try copyTail()
    repeatAllFacts()
    for segment in recovery.superseded { pool.retire(Segment(segment)) }
  }

  /// What was read when the log was opened, sorted by shard. The log keeps no copy: a second call gives nothing.
  public func takeRecovered() -> [RecoveredShard] {
    defer { recovered = [] }
    return recovered
  }

  /// Writes one batch: one `pwrite` on blocks written before, at the next 4 KiB boundary. Durable after `sync`.
  ///
  /// Records take effect in order. A batch of up to some 4 MiB is kept as a whole or not at all; a larger one may be
  /// cut between records by a crash. A batch that has not been synced yet is synced first. An empty batch is written
  /// too: a probe of the disk. Throws `.refused`, having written nothing, for a record above the limit or an entry
  /// that leaves a gap; `.noSpace` if a new segment is needed and cannot be made: the same records may be appended
  /// again later.
  public func append(_ records: [LogRecord]) throws(StorageError) {
    try append(records, durably: false)
  }

  /// As `append` and `sync`, in one system call where the file system can.
  public func write(_ records: [LogRecord]) throws(StorageError) {
    try append(records, durably: true)
    try tidy()
  }

  func append(_ records: [LogRecord], durably: Bool) throws(StorageError) {
    if let failure { throw failure }
    try check(records)
    var first = 0
    repeat {
      if isUnsynced { try sync() }
      var bytes = 0
      var end = first
      while end < records.count {
        let size = records[end].byteCount
        if end > first && bytes + size > batchLimit { break }
        bytes += size
        end += 1
      }
      // A state goes with what follows it: it may say that the entries after it, which replace others, are committed.
      while end < records.count, end > first + 1, records[end - 1].isState {
        end -= 1
        bytes -= records[end].byteCount
      }
      while end < records.count, records[end - 1].isState {
        bytes += records[end].byteCount
        end += 1
      }
      try beginBatch(bytes + repeatedBytes)
      for place in repeats { addFacts(of: table.shards[place]) }
      for i in first..<end { add(records[i]) }
      try finishBatch(durably: durably)
      repeats.removeAll(keepingCapacity: true)
      for i in first..<end {
        table.note(records[i], place: places[i], segment: current.number)
        if records[i].isFact, table.noteFact(in: lastBatch, place: places[i]) { repeats.append(places[i]) }
      }
      first = end
    } while first < records.count
  }

  private var repeatedBytes: Int {
    repeats.reduce(0) { $0 + table.shards[$1].factBytes }
  }
  /// Tells again what no entry tells of a shard; see `LogRecord.isFact`.
  func addFacts(of shard: ShardTable.Shard) {
    let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
    if shard.gone > 0 { add(RecordHead(kind: .tombstone, shard: shard.id, index: LogIndex(shard.gone)), nothing) }
    if !shard.state.isEmpty { shard.state.withBytes { add(RecordHead(kind: .state, shard: shard.id), $0) } }
  }

  /// fdatasync. When it returns, everything appended is durable. An error is fatal: the process must end.
  public func sync() throws(StorageError) {
    if let failure { throw failure }
    try syncCurrent()
    try tidy()
  }

  func syncCurrent() throws(StorageError) {
    do throws(StorageError) {
      try current.file.syncData()
    } catch {
      failure = error.asFatal()
      throw error.asFatal()
    }
    isUnsynced = false
  }

  /// Makes the next segment ready, so that `append` need never make one. Call it from a background thread, now and then
  /// and after `release`. Gives whether there was something to do. Costs a zero-fill of a segment, or with a
  /// recycled one two small syncs.
  /// - Parameter pacer: who makes it wait in between, as long as the next segment is well ahead of this one.
  @discardableResult public func prepareSpare(_ pacer: (any WritePacer)? = nil) throws(StorageError) -> Bool {
    try pool.prepare(pacer)
  }

  /// Bytes of all segment files, spare ones included.
  public var bytes: UInt64 { pinnedBytes + pool.spareBytes }
  /// Bytes of the segments that hold records.
  public var pinnedBytes: UInt64 { segments.reduce(0) { $0 + UInt64($1.byteCount) } }
  /// How many segments hold records.
  public var segmentCount: Int { segments.count }

  // MARK: Batches

  /// The segment being written.
  var current: Segment { segments[segments.count - 1] }
  /// Bytes of records that a segment of the usual size has room for.
  private var segmentRoom: Int { options.segmentBytes - 2 * LogFormat.blockBytes - LogFormat.batchHeadBytes }
  private var largestRecord: Int { min(options.maxRecordBytes, segmentRoom) }
  var batchLimit: Int { min(WriteAheadLog.softBatchBytes, segmentRoom) }

  /// Refuses what could not be read back, before anything is written.
  private func check(_ records: [LogRecord]) throws(StorageError) {
    places.removeAll(keepingCapacity: true)
    for record in records { places.append(table.beginExpecting(record.shard)) }
    var refusal: String?
    for (i, record) in records.enumerated() where refusal == nil {
      if record.byteCount > largestRecord {
        refusal = "a record of \(record.byteCount) bytes is larger than the limit of \(largestRecord)"
      } else if let last = table.gap(before: record, place: places[i]) {
        refusal = "an entry of shard \(record.shard.rawValue) does not follow entry \(last)"
      }
    }
    if let refusal { throw StorageError(.refused, path: directory, operation: "append to", reason: refusal) }
  }

  /// Starts a batch whose records take `bytes`, in a segment with room for it.
  func beginBatch(_ bytes: Int) throws(StorageError) {
    let size = BatchEncoder.size(records: bytes)
    if position + size > current.byteCount { try beginSegment(atLeast: size + LogFormat.blockBytes) }
    batch.begin(lastBatch + 1, segment: current.number, offset: position, records: bytes)
  }

  /// Ends the segment that is written, and begins another.
  func beginSegment(atLeast byteCount: Int) throws(StorageError) {
    let next: Segment
    do throws(StorageError) {
      next = try pool.take(atLeast: byteCount)
    } catch {
      throw fail(error)
    }
    segments[segments.count - 1].end = position
    segments.append(next)
    position = LogFormat.blockBytes
    pool.noteUsed(position)
    hasRotated = true
  }

  @inline(__always)
  func add(_ head: RecordHead, _ payload: UnsafeRawBufferPointer) { batch.add(head, payload) }
  private func add(_ record: LogRecord) {
    let head = record.head
    switch record.body {
    case .entry(let entry): entry.payload.withBytes { add(head, $0) }
    case .state(let state): state.withBytes { add(head, $0) }
    case .reset, .gone: add(head, UnsafeRawBufferPointer(start: nil, count: 0))
    }
  }

  func finishBatch(durably: Bool = false) throws(StorageError) {
    let bytes = batch.finish()
    do throws(StorageError) {
      if durably {
        try current.file.writeDurably(bytes, at: UInt64(position))
      } else {
        try current.file.write(bytes, at: UInt64(position))
      }
    } catch {
      throw fail(error)
    }
    position += bytes.count
    pool.noteUsed(position)
    lastBatch += 1
    if current.firstBatch == 0 { segments[segments.count - 1].firstBatch = lastBatch }
    isUnsynced = !durably
  }

  /// A full disk, or a want of descriptors, may be waited out; anything else leaves the log in doubt.
  private func fail(_ error: StorageError) -> StorageError {
    if error.isShortage { return error }
    failure = error.asFatal()
    return error.asFatal()
  }
}
