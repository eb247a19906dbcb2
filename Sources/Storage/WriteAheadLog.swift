import Base

/// One thing to keep in the node's write-ahead log.
public struct LogRecord: Hashable, Sendable {
  public enum Body: Hashable, Sendable {
    /// An entry of the shard's replicated log. One whose index is not above the last one cuts the log there first.
    case entry(LogEntry)
    /// The shard's hard state, encoded by Raft. The latest one wins.
    case state([UInt8])
    /// The shard's log now starts after this point, because a snapshot was installed; all its entries go.
    case reset(LogIndex, Term)
    /// The shard has left this node: entries and state go.
    case forget
  }
  public var shard: ShardID
  public var body: Body
  public init(shard: ShardID, body: Body) {
    self.shard = shard
    self.body = body
  }
}

/// What the log held of one shard when it was opened.
public struct RecoveredShard: Hashable, Sendable {
  public var shard: ShardID
  /// The latest hard state; empty if none was ever written.
  public var state: [UInt8]
  /// The point before the first entry: (0, 0), that of the last `reset`, or as far as releases are known. A snapshot at
  /// a higher index may exist: entries up to it are to be dropped, and `release`d.
  public var startIndex: LogIndex
  public var startTerm: Term
  /// Every entry after the start, without a gap; overwritten ones are gone.
  public var entries: [LogEntry]
  /// Batches of the log have rotted: what is here is the shard's log as it was at some earlier moment, and the latest
  /// state that could be found.
  public var isDamaged = false
  /// A later state may have been among what has rotted.
  public var isStateLost = false

  public init(shard: ShardID, state: [UInt8], startIndex: LogIndex, startTerm: Term, entries: [LogEntry]) {
    self.shard = shard
    self.state = state
    self.startIndex = startIndex
    self.startTerm = startTerm
    self.entries = entries
  }
}

/// What had rotted in a log that was opened.
public struct LogDamage: Sendable {
  /// The first place found.
  public var error: StorageError
  /// Batches that are lost. None: all was found elsewhere.
  public var lost: [ClosedRange<UInt64>]
  /// States of shards that left no other trace may be among them.
  public var areStatesInDoubt: Bool
}

/// How much of the log one shard holds back.
public struct ShardUsage: Hashable, Sendable {
  public var shard: ShardID
  /// Bytes of its records that are not yet released.
  public var liveBytes: UInt64
  /// Bytes of all segments from the oldest one it needs to the end: what it would cost to wait for this shard.
  public var pinnedBytes: UInt64
}

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
  private var recovered: [RecoveredShard]
  /// What had rotted when the log was opened; nil: nothing.
  public private(set) var damage: LogDamage?
  /// Where the next batch goes in the last segment.
  private var position = LogFormat.blockBytes
  private(set) var lastBatch: UInt64
  /// Shards, by their place in the table, whose states stand in the last batch: the next one repeats them, so that no one
  /// bad batch loses a vote.
  private var repeats: [Int] = []
  private(set) var isUnsynced = false
  /// A segment was filled since the last look at what may be recycled.
  private var hasRotated = false
  /// After this nothing may be written: the process is to end.
  private(set) var failure: StorageError?
  private var buffer = AlignedBuffer(capacity: WriteAheadLog.keptBufferBytes)
  /// The batch being encoded in `buffer`.
  private var batchBytes = 0
  private var recordCount = 0
  /// Places in the table of the records being appended; reused.
  private var places: [Int] = []

  /// A batch is cut at this size; only one record may make it larger.
  static let softBatchBytes = 4 << 20
  private static let keptBufferBytes = 1 << 20

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
    repeatAllStates()
    for segment in recovery.superseded { pool.retire(Segment(segment)) }
  }

  /// What was read when the log was opened, sorted by shard. The log keeps no copy: a second call gives nothing.
  public func takeRecovered() -> [RecoveredShard] {
    defer { recovered = [] }
    return recovered
  }

  /// Removes what an unfinished start or a crash left behind; one segment is kept to be used again.
  private func discardLeftovers(_ unused: [LogRecovery.Found]) throws(StorageError) {
    var doomed = unused.map(\.path)
    if let kept = unused.last(where: { $0.byteCount == options.segmentBytes }) {
      pool.retire(Segment(kept))
      doomed.removeAll { $0 == kept.path }
    }
    doomed += try fileSystem.list(directory).filter { $0.hasSuffix(".tmp") }.map { join(directory, $0) }
    for path in doomed { try fileSystem.remove(path) }
    if !doomed.isEmpty { try fileSystem.syncDirectory(directory) }
  }

  /// Copies the last segment to a fresh one, and syncs. That its last batch can be read does not prove that it is on
  /// the disk: the process may have ended because the sync failed. All of it is copied, and the old one goes, so that
  /// a node that starts over and over does not fill its disk.
  private func copyTail() throws(StorageError) {
    guard let old = segments.last else {
      segments = [try pool.take(isFirst: true, atLeast: options.segmentBytes)]
      return
    }
    let copy = try pool.take(atLeast: old.end)
    let bytes = AlignedBuffer(capacity: old.end)
    guard try old.file.read(into: bytes.mutablePrefix(old.end), at: 0) == old.end else {
      throw StorageError(.damaged, path: old.path, operation: "copy", offset: 0, reason: "it has become shorter")
    }
    try LogRecovery.renumber(bytes.mutablePrefix(old.end), from: old, to: copy.number)
    let start = LogFormat.blockBytes
    try copy.file.write(LogFormat.slice(bytes.prefix(old.end), start, old.end), at: UInt64(start))
    segments[segments.count - 1] = copy
    try syncCurrent()
    position = old.end
    segments[segments.count - 1].firstBatch = old.firstBatch
    table.renumber(old.number, to: copy.number)
    pool.retire(old)
  }

  /// What is left of a log that has rotted is written to fresh segments; once that is durable, the old ones go.
  private func renew() throws(StorageError) {
    segments = [try pool.take(isRenewal: true, atLeast: options.segmentBytes)]
    let first = lastBatch + 1
    for shard in recovered {
      var records: [LogRecord] = []
      if shard.startIndex.rawValue > 0 {
        records.append(LogRecord(shard: shard.shard, body: .reset(shard.startIndex, shard.startTerm)))
      }
      if !shard.state.isEmpty { records.append(LogRecord(shard: shard.shard, body: .state(shard.state))) }
      records += shard.entries.map { LogRecord(shard: shard.shard, body: .entry($0)) }
      if !records.isEmpty { try append(records, durably: false) }
    }
    try carryOver(origin: first)
    try LogRenewal.commit(directory, fileSystem, first: segments[0].number)
  }

  /// Which states the last batch changed is not known after a start: the next one repeats all.
  private func repeatAllStates() {
    repeats = table.shards.indices.filter { !table.shards[$0].state.isEmpty }
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

  private func append(_ records: [LogRecord], durably: Bool) throws(StorageError) {
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
      try beginBatch(bytes + repeatedBytes)
      for place in repeats { addState(of: place) }
      for i in first..<end { add(records[i]) }
      try finishBatch(durably: durably)
      repeats.removeAll(keepingCapacity: true)
      for i in first..<end {
        table.note(records[i], place: places[i], segment: current.number)
        if case .state = records[i].body, table.noteState(in: lastBatch, place: places[i]) { repeats.append(places[i]) }
      }
      first = end
    } while first < records.count
  }

  private var repeatedBytes: Int {
    repeats.reduce(0) { $0 + LogFormat.recordBytes(payload: table.shards[$1].state.count) }
  }
  private func addState(of place: Int) {
    let shard = table.shards[place]
    shard.state.withBytes { add(RecordHead(kind: .state, shard: shard.id), $0) }
  }

  /// fdatasync. When it returns, everything appended is durable. An error is fatal: the process must end.
  public func sync() throws(StorageError) {
    if let failure { throw failure }
    try syncCurrent()
    try tidy()
  }

  /// Recycles what a change of segments has made superfluous.
  private func tidy() throws(StorageError) {
    guard hasRotated else { return }
    do throws(StorageError) {
      try recycle()
    } catch {
      // The next release tries again; what was asked for has been done.
      if error.kind != .noSpace { throw error }
    }
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

  /// The shard's snapshot at `through` is durable: its entries up to there may go. Segments that nobody needs any more
  /// are recycled, oldest first; then, and only then, this costs a small batch and a sync.
  public func release(_ shard: ShardID, through: LogIndex) throws(StorageError) {
    if let failure { throw failure }
    table.release(shard, through: through)
    try recycle()
  }

  /// Makes the next segment ready, so that `append` need never make one. Call it from a background thread, now and then
  /// and after `release`. Gives whether there was something to do. Costs a zero-fill of a segment, or with a
  /// recycled one two small syncs.
  @discardableResult public func prepareSpare() throws(StorageError) -> Bool { try pool.prepare() }

  /// What each shard holds back, sorted by shard; shards that hold back nothing are left out.
  public func usage() -> [ShardUsage] {
    table.shards.filter { !$0.uses.isEmpty }.map { shard in
      let oldest = shard.uses[0].segment
      return ShardUsage(
        shard: shard.id, liveBytes: shard.uses.reduce(0) { $0 + $1.bytes },
        pinnedBytes: segments.reduce(0) { $0 + ($1.number >= oldest ? UInt64($1.byteCount) : 0) })
    }.sorted { $0.shard < $1.shard }
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
    let size = LogFormat.padded(LogFormat.batchHeadBytes + bytes, to: LogFormat.blockBytes)
    if position + size > current.byteCount {
      let next: Segment
      do throws(StorageError) {
        next = try pool.take(atLeast: size + LogFormat.blockBytes)
      } catch {
        throw fail(error)
      }
      segments[segments.count - 1].end = position
      segments.append(next)
      position = LogFormat.blockBytes
      hasRotated = true
    }
    if size > buffer.capacity { buffer.reset(capacity: max(size, min(2 * buffer.capacity, 8 << 20))) }
    batchBytes = LogFormat.batchHeadBytes
    recordCount = 0
  }

  @inline(__always)
  func add(_ head: RecordHead, _ payload: UnsafeRawBufferPointer) {
    var head = head
    head.batch = lastBatch + 1
    head.encode(
      at: buffer.base + batchBytes, payload, segment: current.number, offset: position + batchBytes)
    batchBytes += LogFormat.recordBytes(payload: payload.count)
    recordCount += 1
  }

  private func add(_ record: LogRecord) {
    let head = record.head
    switch record.body {
    case .entry(let entry): entry.payload.withBytes { add(head, $0) }
    case .state(let state): state.withBytes { add(head, $0) }
    case .reset, .forget: add(head, UnsafeRawBufferPointer(start: nil, count: 0))
    }
  }

  func finishBatch(durably: Bool = false) throws(StorageError) {
    let head = BatchHead(
      segment: current.number, number: lastBatch + 1, offset: position,
      byteCount: batchBytes - LogFormat.batchHeadBytes, recordCount: recordCount, isCopy: false)
    head.encode(at: buffer.base)
    let size = head.end - head.offset
    (buffer.base + batchBytes).initializeMemory(as: UInt8.self, repeating: 0, count: size - batchBytes)
    do throws(StorageError) {
      if durably {
        try current.file.writeDurably(buffer.prefix(size), at: UInt64(position))
      } else {
        try current.file.write(buffer.prefix(size), at: UInt64(position))
      }
    } catch {
      throw fail(error)
    }
    position += size
    lastBatch += 1
    if current.firstBatch == 0 { segments[segments.count - 1].firstBatch = lastBatch }
    isUnsynced = !durably
    if buffer.capacity > 2 * WriteAheadLog.softBatchBytes { buffer.reset(capacity: WriteAheadLog.keptBufferBytes) }
  }

  /// A full disk may be waited out; anything else leaves the log in doubt.
  private func fail(_ error: StorageError) -> StorageError {
    if error.kind == .noSpace { return error }
    failure = error.asFatal()
    return error.asFatal()
  }

  /// Gives back the segments that no shard needs, after what must outlive them was written again.
  func recycle() throws(StorageError) {
    hasRotated = false
    let needed = min(table.oldestNeeded ?? current.number, current.number)
    guard segments[0].number < needed else { return }
    try carryOver(origin: segments.lazy.filter { $0.number >= needed && $0.firstBatch > 0 }.first?.firstBatch ?? 0)
    while segments[0].number < needed { pool.retire(segments.removeFirst()) }
  }

  /// Writes every shard's state and start again, and syncs: they may stand in the segments that go. Twice, in batches of
  /// their own, so that no one bad batch loses them.
  /// - Parameter origin: the first batch that is needed still.
  private func carryOver(origin: UInt64) throws(StorageError) {
    if isUnsynced { try syncCurrent() }
    for _ in 0..<2 { try writeCarried(origin: origin) }
    repeats.removeAll(keepingCapacity: true)
  }
  private func writeCarried(origin: UInt64) throws(StorageError) {
    var next = 0
    repeat {
      var bytes = LogFormat.recordHeadBytes
      let first = next
      while next < table.shards.count {
        let size = 2 * LogFormat.recordHeadBytes + LogFormat.recordBytes(payload: table.shards[next].state.count)
        if next > first && bytes + size > batchLimit { break }
        bytes += size
        next += 1
      }
      try beginBatch(bytes)
      let head = RecordHead(kind: .origin, shard: ShardID(0), index: LogIndex(origin))
      add(head, UnsafeRawBufferPointer(start: nil, count: 0))
      for shard in table.shards[first..<next] where !shard.isForgettable {
        if !shard.state.isEmpty { shard.state.withBytes { add(RecordHead(kind: .state, shard: shard.id), $0) } }
        let start = RecordHead(kind: .start, shard: shard.id, index: LogIndex(shard.start), term: shard.startTerm)
        if shard.start > 0 { add(start, UnsafeRawBufferPointer(start: nil, count: 0)) }
      }
      try finishBatch()
      try syncCurrent()
    } while next < table.shards.count
  }
}

extension Segment {
  init(_ found: LogRecovery.Found) {
    self.init(
      number: found.number, path: found.path, file: found.file, byteCount: found.byteCount, end: found.end,
      firstBatch: found.firstBatch)
  }
}

extension LogRecord {
  /// Bytes in a batch.
  @inline(__always)
  var byteCount: Int {
    switch body {
    case .entry(let entry): LogFormat.recordBytes(payload: entry.payload.count)
    case .state(let state): LogFormat.recordBytes(payload: state.count)
    case .reset, .forget: LogFormat.recordHeadBytes
    }
  }
  @inline(__always)
  var head: RecordHead {
    switch body {
    case .entry(let entry):
      RecordHead(
        kind: .entry, entryKind: entry.kind.rawValue, shard: shard, payloadBytes: entry.payload.count,
        index: entry.index, term: entry.term)
    case .state(let state): RecordHead(kind: .state, shard: shard, payloadBytes: state.count)
    case .reset(let index, let term): RecordHead(kind: .reset, shard: shard, index: index, term: term)
    case .forget: RecordHead(kind: .forget, shard: shard)
    }
  }
}
