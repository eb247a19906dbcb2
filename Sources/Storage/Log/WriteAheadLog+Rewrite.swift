import Base

extension WriteAheadLog {
  /// Writes what is live in the oldest segment again at the log's end, and recycles it: so many shards that need a little
  /// each hold back no more than that. Nothing if the log has one segment only. Costs a read of so many bytes of the segment, and
  /// a write of what is live in them.
  ///
  /// The copies are marked as moved: they cut nothing when they are read back, so a crash half-way does no harm, and entries may be
  /// written in between.
  /// - Parameter limit: bytes of the segment, and at least one batch: other writes wait meanwhile.
  /// - Returns: whether all of it is done; else the next call goes on.
  @discardableResult
  public func rewriteOldest(atMost limit: Int = .max) throws(StorageError) -> Bool {
    if let failure { throw failure }
    if isUnsynced { try syncCurrent() }
    guard let oldest = segments.first, oldest.number < current.number else { return true }
    let start = rewritten.segment == oldest.number ? rewritten.offset : LogFormat.blockBytes
    let (live, end) = try liveEntries(in: oldest, from: start, atMost: limit)
    try move(live)
    rewritten = (oldest.number, end)
    guard end >= oldest.end else { return false }
    table.dropUses(below: oldest.number + 1)
    try recycle()
    return true
  }

  /// The entries in a part of a segment that have been neither released nor overwritten: index and term tell (Raft §5.3). And where the
  /// next part begins.
  private func liveEntries(
    in segment: Segment, from start: Int, atMost limit: Int
  ) throws(StorageError) -> (live: [(head: RecordHead, payload: [UInt8])], end: Int) {
    // Only what is read of it takes memory.
    let bytes = AlignedBuffer(capacity: segment.byteCount)
    var loaded = start
    func load(through end: Int) throws(StorageError) {
      let end = min(end, segment.byteCount)
      guard end > loaded else { return }
      let part = UnsafeMutableRawBufferPointer(rebasing: bytes.mutablePrefix(end)[loaded...])
      loaded += try segment.file.read(into: part, at: UInt64(loaded))
    }
    var live: [(head: RecordHead, payload: [UInt8])] = []
    var offset = start
    while offset < segment.end, offset == start || offset - start < limit {
      try load(through: offset + LogFormat.blockBytes)
      var batch = BatchHead.decode(bytes.prefix(loaded), segment: segment.number, offset: offset)
      if let found = batch {
        try load(through: found.end)
        if LogRecovery.firstBadRecord(bytes.prefix(loaded), found) != nil { batch = nil }
      }
      guard let batch else {
        throw StorageError(
          .damaged, path: segment.path, operation: "read", offset: UInt64(offset),
          reason: "a batch that was valid is not what was written")
      }
      try LogRecovery.forEachRecord(bytes.prefix(loaded), batch) { head, payload, _ throws(StorageError) in
        guard head.kind == .entry || head.kind == .moved, let shard = table.find(head.shard),
          head.index.rawValue > shard.start, shard.term(at: head.index.rawValue) == head.term
        else { return }
        live.append((head, Array(payload)))
      }
      offset = batch.end
    }
    return (live, offset)
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
