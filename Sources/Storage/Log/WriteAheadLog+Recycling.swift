import Base

/// How much of the log one shard holds back.
public struct ShardUsage: Hashable, Sendable {
  public var shard: ShardID
  /// Bytes of its records that are not yet released.
  public var liveBytes: UInt64
  /// Bytes of all segments from the oldest one it needs to the end: what it would cost to wait for this shard.
  public var pinnedBytes: UInt64
}

// Which segments are needed still, and what must be written again before one goes.
extension WriteAheadLog {
  /// The shard's snapshot at `through` is durable: its entries up to there may go. Segments that nobody needs any more
  /// are recycled, oldest first; then, and only then, this costs a small batch and a sync.
  public func release(_ shard: ShardID, through: LogIndex) throws(StorageError) {
    if let failure { throw failure }
    table.release(shard, through: through)
    try recycle()
  }

  /// Ends the segment that is written, if it has anything: a log that grows slowly does not keep for ever, in a segment that is
  /// never full, what was released long ago. Costs a segment; the room that is left in the old one stays unused.
  public func roll() throws(StorageError) {
    if let failure { throw failure }
    guard current.firstBatch > 0 else { return }
    if isUnsynced { try syncCurrent() }
    try beginSegment(atLeast: options.segmentBytes)
    try recycle()
  }

  /// What each shard holds back, sorted by shard; shards that hold back nothing are left out.
  public func usage() -> [ShardUsage] {
    table.shards.filter { !$0.uses.isEmpty }.map { shard in
      let oldest = shard.uses[0].segment
      return ShardUsage(
        shard: shard.id, liveBytes: shard.uses.reduce(0) { $0 + $1.bytes },
        pinnedBytes: segments.reduce(0) { $0 + ($1.number >= oldest ? UInt64($1.byteCount) : 0) })
    }.sorted { $0.shard < $1.shard }
  }

  /// Recycles what a change of segments has made superfluous.
  func tidy() throws(StorageError) {
    guard hasRotated else { return }
    do throws(StorageError) {
      try recycle()
    } catch {
      // The next release tries again; what was asked for has been done.
      if !error.isShortage { throw error }
    }
  }

  /// Gives back the segments that no shard needs, after what must outlive them was written again.
  func recycle() throws(StorageError) {
    hasRotated = false
    let needed = min(table.oldestNeeded ?? current.number, current.number)
    guard segments[0].number < needed else { return }
    // Where none that stays has a batch yet, what is carried over is the first.
    let first = segments.lazy.filter { $0.number >= needed && $0.firstBatch > 0 }.first?.firstBatch
    try carryOver(origin: first ?? lastBatch + 1)
    while segments[0].number < needed { pool.retire(segments.removeFirst()) }
  }

  /// Writes every shard's facts and start again, and syncs: they may stand in the segments that go. Twice, in batches of
  /// their own, so that no one bad batch loses them.
  /// - Parameter origin: the first batch that is needed still.
  func carryOver(origin: UInt64) throws(StorageError) {
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
        let size = table.shards[next].factBytes + LogFormat.recordHeadBytes
        if next > first && bytes + size > batchLimit { break }
        bytes += size
        next += 1
      }
      try beginBatch(bytes)
      let head = RecordHead(kind: .origin, shard: ShardID(0), index: LogIndex(origin))
      add(head, UnsafeRawBufferPointer(start: nil, count: 0))
      for shard in table.shards[first..<next] {
        addFacts(of: shard)
        let start = RecordHead(kind: .start, shard: shard.id, index: LogIndex(shard.start), term: shard.startTerm)
        if shard.start > 0 { add(start, UnsafeRawBufferPointer(start: nil, count: 0)) }
      }
      try finishBatch()
      try syncCurrent()
    } while next < table.shards.count
  }
}
