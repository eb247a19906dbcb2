import Base

extension WriteAheadLog {
  /// Writes what is live in the oldest segment again at the log's end, and recycles it: so many shards that need a little
  /// each hold back no more than that. Nothing if the log has one segment only. Costs a read of the segment and a write
  /// of what is live in it.
  ///
  /// The copies are marked as moved: they cut nothing when they are read back, so a crash half-way does no harm.
  public func rewriteOldest() throws(StorageError) {
    if let failure { throw failure }
    if isUnsynced { try syncCurrent() }
    guard let oldest = segments.first, oldest.number < current.number else { return }
    try move(try liveEntries(in: oldest))
    table.dropUses(below: oldest.number + 1)
    try recycle()
  }

  /// The entries in a segment that have been neither released nor overwritten: index and term tell (Raft §5.3).
  private func liveEntries(in segment: Segment) throws(StorageError) -> [(head: RecordHead, payload: [UInt8])] {
    let bytes = AlignedBuffer(capacity: segment.byteCount)
    let count = try segment.file.read(into: bytes.mutablePrefix(segment.byteCount), at: 0)
    var live: [(head: RecordHead, payload: [UInt8])] = []
    var offset = LogFormat.blockBytes
    while offset < segment.end {
      guard let batch = BatchHead.decode(bytes.prefix(count), segment: segment.number, offset: offset),
        LogRecovery.firstBadRecord(bytes.prefix(count), batch) == nil
      else {
        throw StorageError(
          .damaged, path: segment.path, operation: "read", offset: UInt64(offset),
          reason: "a batch that was valid is not what was written")
      }
      try LogRecovery.forEachRecord(bytes.prefix(count), batch) { head, payload, _ throws(StorageError) in
        guard head.kind == .entry || head.kind == .moved, let shard = table.find(head.shard),
          head.index.rawValue > shard.start, shard.term(at: head.index.rawValue) == head.term
        else { return }
        live.append((head, Array(payload)))
      }
      offset = batch.end
    }
    return live
  }

  private func move(_ entries: [(head: RecordHead, payload: [UInt8])]) throws(StorageError) {
    var first = 0
    while first < entries.count {
      var bytes = 0
      var end = first
      while end < entries.count, end == first || bytes + entries[end].head.totalBytes <= batchLimit {
        bytes += entries[end].head.totalBytes
        end += 1
      }
      try beginBatch(bytes)
      for (head, payload) in entries[first..<end] {
        var moved = head
        moved.kind = .moved
        payload.withBytes { add(moved, $0) }
      }
      try finishBatch()
      try syncCurrent()
      for (head, _) in entries[first..<end] {
        var moved = head
        moved.kind = .moved
        table.note(moved, UnsafeRawBufferPointer(start: nil, count: 0), segment: current.number)
      }
      first = end
    }
  }
}

extension LogRecovery {
  /// Makes a segment's bytes those of another segment, in place: every batch becomes a copy of itself. Verifies each
  /// record once more before its checksum is made anew.
  static func renumber(
    _ bytes: UnsafeMutableRawBufferPointer, from old: Segment, to number: UInt64
  ) throws(StorageError) {
    guard let base = bytes.baseAddress else { return }
    let view = UnsafeRawBufferPointer(bytes)
    var offset = LogFormat.blockBytes
    while offset < old.end {
      guard var head = BatchHead.decode(view, segment: old.number, offset: offset), firstBadRecord(view, head) == nil
      else {
        throw StorageError(
          .damaged, path: old.path, operation: "copy", offset: UInt64(offset),
          reason: "a batch that was valid is not what was written")
      }
      try forEachRecord(view, head) { record, _, place throws(StorageError) in
        RecordHead.seal(base + place, count: record.totalBytes, segment: number, offset: place)
      }
      head.segment = number
      head.isCopy = true
      head.encode(at: base + offset)
      offset = head.end
    }
  }
}
