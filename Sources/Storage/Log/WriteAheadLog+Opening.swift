import Base

// What opening a log does to its segments.
extension WriteAheadLog {
  /// What an unfinished start or a crash left behind is overwritten like all that is given back; what was never a segment
  /// is removed.
  func discardLeftovers(_ unused: [LogRecovery.Found]) throws(StorageError) {
    let left = try fileSystem.list(directory).filter { $0.hasSuffix(".tmp") }
    for name in left where SegmentPool.isFreed(name) {
      let file = try fileSystem.open(join(directory, name), create: false)
      pool.retire(Segment(number: 0, path: join(directory, name), file: file, byteCount: Int(try file.size())))
    }
    for found in unused { pool.retire(Segment(found)) }
    let doomed = left.filter { !SegmentPool.isFreed($0) }.map { join(directory, $0) }
    for path in doomed { try fileSystem.remove(path) }
    if !doomed.isEmpty { try fileSystem.syncDirectory(directory) }
  }

  /// Copies the last segment to a fresh one, and syncs. That its last batch can be read does not prove that it is on
  /// the disk: the process may have ended because the sync failed. All of it is copied, and the old one goes, so that
  /// a node that starts over and over does not fill its disk.
  func copyTail() throws(StorageError) {
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
  func renew() throws(StorageError) {
    segments = [try pool.take(isRenewal: true, atLeast: options.segmentBytes)]
    let first = lastBatch + 1
    for shard in recovered {
      var records: [LogRecord] = []
      if shard.gone > 0 { records.append(LogRecord(shard: shard.shard, body: .gone(born: shard.gone))) }
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

  /// Which facts the last batch changed is not known after a start: the next one repeats all.
  func repeatAllFacts() {
    repeats = table.shards.indices.filter { table.shards[$0].hasFacts }
  }
}

extension Segment {
  init(_ found: LogRecovery.Found) {
    self.init(
      number: found.number, path: found.path, file: found.file, byteCount: found.byteCount, end: found.end,
      firstBatch: found.firstBatch)
  }
}
