import Base

/// Reads the whole log when it is opened: verifies every batch, tells a torn tail from rot, and replays the records.
///
/// Batches are numbered without a gap, across segments. A batch was begun only after the one before was synced; so a
/// bad batch is *torn*, and may be cut, only if no record of a later batch is valid anywhere. Else it is *rot*, and
/// may have been acknowledged: this throws, and `LogSalvage` reads what is left.
struct LogRecovery {
  /// A segment file as found.
  struct Found {
    var number: UInt64
    var path: String
    var file: any File
    var byteCount: Int
    /// Nil if the file's header is not that of a segment of this number: it was being made.
    var header: SegmentHeader?
    /// Where its last valid batch ends.
    var end = LogFormat.blockBytes
    /// The number of its first batch.
    var firstBatch: UInt64 = 0
  }
  /// A place where a batch should be and is not.
  private struct Gap {
    var path: String
    var offset: Int
    var reason: String
  }

  /// Segments that hold batches, in order.
  private(set) var used: [Found] = []
  /// Segments of which a later one holds a whole copy. The copy may be in memory only, so they are not to go before the
  /// next copy is durable.
  private(set) var superseded: [Found] = []
  /// Segments behind them: made ready, or torn in their first batch.
  private(set) var unused: [Found] = []
  private(set) var table = ShardTable()
  /// Where the last batch is; nil in an empty log.
  private(set) var lastBatch: BatchHead?
  private(set) var highestNumber: UInt64 = 0
  private var replay = LogReplay()
  private var gap: Gap?

  init(directory: String, fileSystem: any FileSystem) throws(StorageError) {
    let (found, unfinished) = try LogRecovery.findSegments(directory, fileSystem, highest: &highestNumber)
    let buffer = AlignedBuffer(capacity: found.map(\.byteCount).max() ?? 0)
    for (i, segment) in found.enumerated() {
      let count = try segment.file.read(into: buffer.mutablePrefix(segment.byteCount), at: 0)
      try scan(segment, buffer.prefix(count), isOldest: i == 0)
      if let last = lastBatch, last.segment == segment.number {
        used += unused + [segment]
        unused = []
        used[used.count - 1].end = last.end
        used[used.count - 1].firstBatch =
          BatchHead.decode(buffer.prefix(count), segment: segment.number, offset: LogFormat.blockBytes)?.number ?? 0
      } else {
        unused.append(segment)
      }
    }
    unused += unfinished
    try refuseMissingFront()
  }

  /// Throws if the log does not reach back to its first batch, or to the first that is needed still.
  private func refuseMissingFront() throws(StorageError) {
    guard let oldest = used.first(where: { $0.firstBatch > 0 }), oldest.firstBatch != 1,
      replay.origin < oldest.firstBatch
    else { return }
    throw LogRecovery.rot(
      Gap(
        path: oldest.path, offset: LogFormat.blockBytes,
        reason: "the log begins with batch \(oldest.firstBatch) here, and what was before is missing"))
  }

  /// What was recovered, sorted by shard; the table then knows the terms of all entries.
  mutating func finish(directory: String) throws(StorageError) -> [RecoveredShard] {
    let shards = try replay.finish(path: used.first?.path ?? directory)
    for shard in shards { table.setEntries(shard.shard, shard.entries) }
    return shards
  }

  /// The log's segments by number; and those in which it was to be written anew, had that been finished.
  /// - Parameter highest: raised to the highest number ever given.
  static func findSegments(
    _ directory: String, _ fileSystem: any FileSystem, highest: inout UInt64
  ) throws(StorageError) -> (log: [Found], unfinished: [Found]) {
    var found: [Found] = []
    for name in try fileSystem.list(directory) {
      guard let number = SegmentPool.number(name) else { continue }
      let path = join(directory, name)
      let file = try fileSystem.open(path, create: false)
      var block = [UInt8](repeating: 0, count: LogFormat.blockBytes)
      let count = try file.readBytes(into: &block, at: 0)
      let header = try block.withBytes { bytes throws(StorageError) in
        try SegmentHeader.decode(LogFormat.slice(bytes, 0, count), path: path)
      }
      found.append(Found(number: number, path: path, file: file, byteCount: Int(try file.size()), header: header))
    }
    for segment in found { highest = max(highest, segment.number, segment.header?.number ?? 0) }
    let renewal = found.indices.dropFirst().first { found[$0].header?.isRenewal == true }
    guard let renewal, found[renewal].header?.number == found[renewal].number else { return (found, []) }
    return (Array(found[..<renewal]), Array(found[renewal...]))
  }

  /// Reads one segment's batches, as far as they go.
  private mutating func scan(
    _ segment: Found, _ bytes: UnsafeRawBufferPointer, isOldest: Bool
  ) throws(StorageError) {
    var offset = LogFormat.blockBytes
    var reason = "the file's header is not that of segment \(segment.number)"
    if let header = segment.header, header.number == segment.number {
      reason = "there is no valid batch"
      let copied = try supersede(segment, bytes)
      while let head = BatchHead.decode(bytes, segment: segment.number, offset: offset), copied != .torn {
        if copied == .none || head.number > (lastBatch?.number ?? 0) { try accept(head, in: segment) }
        if let bad = LogRecovery.firstBadRecord(bytes, head) {
          reason = "a record of batch \(head.number) is not what was written"
          offset = bad
          break
        }
        if head.number > (lastBatch?.number ?? 0) { try replayBatch(bytes, head, segment) }
        if head.number >= (lastBatch?.number ?? 0) { lastBatch = head }
        gap = nil
        offset = head.end
      }
    } else {
      offset = 0
    }
    // The first gap is where a batch is missing; those in later segments only follow from it.
    if gap == nil { gap = Gap(path: segment.path, offset: offset, reason: reason) }
    try refuseRot(segment, bytes, from: max(offset, LogFormat.blockBytes), isOldest: isOldest)
  }

  private enum Copied { case none, whole, torn }

  /// Whether the segment begins with a copy of the one before it, as a log that is opened makes; if the copy is whole,
  /// it takes that one's place.
  private mutating func supersede(_ segment: Found, _ bytes: UnsafeRawBufferPointer) throws(StorageError) -> Copied {
    guard let last = lastBatch, let copied = used.last,
      let first = BatchHead.decode(bytes, segment: segment.number, offset: LogFormat.blockBytes),
      first.isCopy, first.number <= last.number
    else { return .none }
    guard first.number == copied.firstBatch else { throw LogRecovery.outOfOrder(first, last, segment) }
    var next = first.number
    var offset = LogFormat.blockBytes
    while next <= last.number, let head = BatchHead.decode(bytes, segment: segment.number, offset: offset),
      head.number == next, LogRecovery.firstBadRecord(bytes, head) == nil
    {
      next += 1
      offset = head.end
    }
    if next <= last.number { return .torn }
    superseded.append(used.removeLast())
    table.renumber(copied.number, to: segment.number)
    return .whole
  }

  /// Throws unless the batch is the next one.
  private func accept(_ head: BatchHead, in segment: Found) throws(StorageError) {
    guard let last = lastBatch else {
      let isFirst = segment.header?.isFirst == true
      if (isFirst || gap != nil) && head.number != 1 || gap != nil && !head.isCopy {
        var place = gap ?? Gap(path: segment.path, offset: head.offset, reason: "there is no valid batch")
        place.reason += "; the log's first batch is missing here, yet \(segment.path) has batch \(head.number)"
        throw LogRecovery.rot(place)
      }
      return
    }
    if head.number <= last.number { throw LogRecovery.outOfOrder(head, last, segment) }
    if head.number > last.number + 1 {
      var place = gap ?? Gap(path: segment.path, offset: head.offset, reason: "there is no valid batch")
      place.reason += "; batch \(last.number + 1) is missing here, yet \(segment.path) has batch \(head.number)"
      throw LogRecovery.rot(place)
    }
  }

  private static func outOfOrder(_ head: BatchHead, _ last: BatchHead, _ segment: Found) -> StorageError {
    rot(
      Gap(path: segment.path, offset: head.offset, reason: "batch \(head.number) stands behind batch \(last.number)"))
  }

  /// The offset of the first record of the batch that is not valid, if any.
  static func firstBadRecord(_ bytes: UnsafeRawBufferPointer, _ head: BatchHead) -> Int? {
    let end = head.offset + LogFormat.batchHeadBytes + head.byteCount
    guard end <= bytes.count else { return head.offset }
    var offset = head.offset + LogFormat.batchHeadBytes
    for _ in 0..<head.recordCount {
      guard let record = RecordHead.decode(bytes, segment: head.segment, offset: offset, end: end),
        record.batch == head.number
      else { return offset }
      offset += record.totalBytes
    }
    return offset == end ? nil : offset
  }

  private mutating func replayBatch(
    _ bytes: UnsafeRawBufferPointer, _ head: BatchHead, _ segment: Found
  ) throws(StorageError) {
    try LogRecovery.forEachRecord(bytes, head) { record, payload, offset throws(StorageError) in
      table.note(record, payload, segment: segment.number)
      do throws(LogReplay.Missing) {
        try replay.apply(record, payload)
      } catch {
        throw LogRecovery.rot(Gap(path: segment.path, offset: offset, reason: error.reason))
      }
    }
  }

  /// Calls `body` with each record of a batch that has been verified: head, payload, offset in the file.
  static func forEachRecord(
    _ bytes: UnsafeRawBufferPointer, _ head: BatchHead,
    _ body: (RecordHead, UnsafeRawBufferPointer, Int) throws(StorageError) -> Void
  ) throws(StorageError) {
    let end = head.offset + LogFormat.batchHeadBytes + head.byteCount
    var offset = head.offset + LogFormat.batchHeadBytes
    while offset < end, let record = RecordHead.decode(bytes, segment: head.segment, offset: offset, end: end) {
      let start = offset + LogFormat.recordHeadBytes
      try body(record, LogFormat.slice(bytes, start, start + record.payloadBytes), offset)
      offset += record.totalBytes
    }
  }

  /// Throws if anything behind a gap proves that the batch missing there had been synced.
  private func refuseRot(
    _ segment: Found, _ bytes: UnsafeRawBufferPointer, from offset: Int, isOldest: Bool
  ) throws(StorageError) {
    guard let gap else { return }
    let missing = lastBatch.map { $0.number + 1 }
    // The oldest segment of a log that was recycled, or one without a header, holds nothing only if it never did.
    let threshold = missing ?? (segment.header?.isFirst == true ? 1 : 0)
    if let later = LogRecovery.findRecord(
      bytes, segment: segment.number, from: offset, to: bytes.count, above: threshold)
    {
      let name = missing.map { "batch \($0)" } ?? "a batch"
      let proof = "\(name) is missing here, yet a later one is valid at byte \(later.offset) of \(segment.path)"
      throw LogRecovery.rot(Gap(path: gap.path, offset: gap.offset, reason: "\(gap.reason); \(proof)"))
    }
    if isOldest, lastBatch == nil, let header = segment.header, header.number == segment.number, !header.isFirst {
      throw LogRecovery.rot(gap)
    }
  }

  /// The first place from `offset` on, and before `limit`, with a valid batch head or record of a batch above `batch`.
  static func findRecord(
    _ bytes: UnsafeRawBufferPointer, segment: UInt64, from offset: Int, to limit: Int, above batch: UInt64
  ) -> (offset: Int, batch: UInt64)? {
    var block = offset & ~(LogFormat.blockBytes - 1)
    while block < limit {
      let end = min(block + LogFormat.blockBytes, bytes.count)
      if !isZero(LogFormat.slice(bytes, block, end)) {
        if let head = BatchHead.decode(bytes, segment: segment, offset: block), head.number > batch {
          return (block, head.number)
        }
        for place in stride(from: block, to: end - LogFormat.recordHeadBytes, by: 8) {
          guard LogFormat.load(bytes, place + 4, as: UInt16.self) == LogFormat.recordMagic,
            LogFormat.load(bytes, place + 16, as: UInt64.self) > batch,
            let record = RecordHead.decode(bytes, segment: segment, offset: place, end: bytes.count)
          else { continue }
          return (place, record.batch)
        }
      }
      block += LogFormat.blockBytes
    }
    return nil
  }

  private static func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let start = bytes.baseAddress, bytes.count >= 8 else { return bytes.allSatisfy { $0 == 0 } }
    var offset = 0
    while offset + 8 <= bytes.count {
      if (start + offset).loadUnaligned(as: UInt64.self) != 0 { return false }
      offset += 8
    }
    return bytes[offset...].allSatisfy { $0 == 0 }
  }

  private static func rot(_ gap: Gap) -> StorageError {
    StorageError(.damaged, path: gap.path, operation: "open", offset: UInt64(gap.offset), reason: gap.reason)
  }
}

extension File {
  /// Reads into an array that has its size already.
  func readBytes(into array: inout [UInt8], at offset: UInt64) throws(StorageError) -> Int {
    try array.withUnsafeMutableBufferPointer { buffer throws(StorageError) in
      try read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
    }
  }
}
