import Base

/// Reads a log that has rotted: takes up again at the next batch that is whole, and tells which are missing.
///
/// Batches are numbered, so what is missing is known however it was lost: by a bad record, a bad head, a segment that is
/// garbage or not there at all. A shard's log is what it was before the first batch that is missing: a later record may
/// overwrite an earlier one, so what comes behind a gap cannot be joined to what was before it. Only states are taken
/// from behind gaps, the latest that can be found. A batch repeats the states of the one before: so a gap of one batch
/// loses none.
struct LogSalvage: ~Copyable {
  /// What was recovered, sorted by shard.
  private(set) var shards: [RecoveredShard] = []
  /// Batches that are needed and cannot be read.
  private(set) var lost: [ClosedRange<UInt64>] = []
  /// Shards of which nothing else was found may have had states in what is lost.
  private(set) var areStatesInDoubt = false
  /// Of all batches of which anything was found.
  private(set) var highestBatch: UInt64 = 0
  private(set) var highestNumber: UInt64 = 0

  private struct Place {
    var segment: Int
    var head: BatchHead
    var isWhole: Bool
  }
  private var places: [UInt64: Place] = [:]
  private var replay = LogReplay()

  init(directory: String, fileSystem: any FileSystem) throws(StorageError) {
    let (found, _) = try LogRecovery.findSegments(directory, fileSystem, highest: &highestNumber)
    let buffer = AlignedBuffer(capacity: found.map(\.byteCount).max() ?? 0)
    var isFromFirst = false
    for (i, segment) in found.enumerated() {
      let count = try segment.file.read(into: buffer.mutablePrefix(segment.byteCount), at: 0)
      note(buffer.prefix(count), segment.number, i)
      if segment.header?.isFirst == true && segment.header?.number == segment.number { isFromFirst = true }
    }
    var loaded: (segment: Int, count: Int)?
    let numbers = places.keys.sorted()
    let last = numbers.last { places[$0]?.isWhole == true } ?? 0
    // What is above the last whole batch was torn, unless something of a later one is there.
    let end = highestBatch > last + 1 ? highestBatch : last + 1
    var next = isFromFirst || numbers.first == 1 ? 1 : try findOrigin(found, numbers, buffer)
    if next == 0 {
      // Where the log begins is not known: anything may be missing in front.
      next = numbers.first ?? 1
      miss(0...max(next - 1, 0), isStateLost: true)
    }
    while next < end {
      var gapEnd = next
      while gapEnd < end, places[gapEnd]?.isWhole != true { gapEnd += 1 }
      if gapEnd > next {
        if !replay.hasGap, let bad = places[next] { try apply(bad, found, buffer, &loaded) }
        // The batch behind a gap repeats the states of the last in it, and no others.
        miss(next...gapEnd - 1, isStateLost: gapEnd - next > 1 || gapEnd == end)
      }
      if gapEnd < end, let place = places[gapEnd] { try apply(place, found, buffer, &loaded) }
      next = gapEnd + 1
    }
    shards = replay.salvage()
  }

  private mutating func miss(_ batches: ClosedRange<UInt64>, isStateLost: Bool) {
    lost.append(batches)
    replay.passGap(isStateLost: isStateLost)
    areStatesInDoubt = replay.areStatesInDoubt
  }

  /// Takes note of all batches of a segment, wherever they are.
  private mutating func note(_ bytes: UnsafeRawBufferPointer, _ number: UInt64, _ segment: Int) {
    var offset = LogFormat.blockBytes
    var last: BatchHead?
    while offset + LogFormat.batchHeadBytes <= bytes.count {
      guard let head = BatchHead.decode(bytes, segment: number, offset: offset), LogSalvage.mayFollow(head, last)
      else {
        // No head here: a record may tell all the same that there was a batch.
        let end = min(offset + LogFormat.blockBytes, bytes.count)
        while let record = LogRecovery.findRecord(
          bytes, segment: number, from: offset, to: end, above: highestBatch)
        {
          highestBatch = record.batch
        }
        offset += LogFormat.blockBytes
        continue
      }
      let isWhole = LogRecovery.firstBadRecord(bytes, head) == nil
      if isWhole || places[head.number]?.isWhole != true {
        places[head.number] = Place(segment: segment, head: head, isWhole: isWhole)
      }
      highestBatch = max(highestBatch, head.number)
      last = head
      offset = head.end
    }
  }

  /// Each batch takes a block at least: a number that has risen by more than the blocks between is not the log's.
  private static func mayFollow(_ head: BatchHead, _ last: BatchHead?) -> Bool {
    guard let last else { return true }
    return head.number > last.number
      && head.number - last.number <= UInt64((head.offset - last.end) / LogFormat.blockBytes) + 1
  }

  /// The first batch that is needed, if that is told anywhere and it is there, or any before; else 0.
  private mutating func findOrigin(
    _ found: [LogRecovery.Found], _ numbers: [UInt64], _ buffer: borrowing AlignedBuffer
  ) throws(StorageError) -> UInt64 {
    var origin: UInt64 = 0
    for (i, segment) in found.enumerated() {
      let count = try segment.file.read(into: buffer.mutablePrefix(segment.byteCount), at: 0)
      for place in places.values where place.segment == i && place.isWhole {
        try LogRecovery.forEachRecord(buffer.prefix(count), place.head) { record, _, _ in
          if record.kind == .origin { origin = max(origin, record.index.rawValue) }
        }
      }
    }
    return origin
  }

  /// Replays a batch, as far as its records are valid.
  private mutating func apply(
    _ place: Place, _ found: [LogRecovery.Found], _ buffer: borrowing AlignedBuffer,
    _ loaded: inout (segment: Int, count: Int)?
  ) throws(StorageError) {
    if loaded?.segment != place.segment {
      let segment = found[place.segment]
      loaded = (place.segment, try segment.file.read(into: buffer.mutablePrefix(segment.byteCount), at: 0))
    }
    let bytes = buffer.prefix(loaded?.count ?? 0)
    try LogRecovery.forEachRecord(bytes, place.head) { record, payload, offset throws(StorageError) in
      guard record.batch == place.head.number else { return }
      if replay.hasGap { return replay.applyBehindGap(record, payload) }
      do throws(LogReplay.Missing) {
        try replay.apply(record, payload)
      } catch {
        // Batches without a gap whose entries have one: nothing behind can be trusted to be the shard's log.
        replay.passGap(isStateLost: false)
        replay.applyBehindGap(record, payload)
      }
    }
  }
}

/// The step from a log that has rotted to what was written anew of it.
enum LogRenewal {
  private static let magic: UInt64 = 0x574E_5259_4C4C_4154  // "TALLYRNW"

  private static func path(_ directory: String) -> String { join(directory, "renewed") }

  /// What is in segment `first` and behind it is durable, and is the log from now on: all older segments go.
  static func commit(_ directory: String, _ fileSystem: any FileSystem, first: UInt64) throws(StorageError) {
    var buffer = ByteBuffer(capacity: 64)
    buffer.append(magic)
    buffer.append(LogFormat.version)
    buffer.append(first)
    buffer.append(CRC32C.checksum(buffer.bytes))
    let temporary = path(directory) + ".tmp"
    let file = try fileSystem.open(temporary, create: true)
    try file.truncate(0)
    try buffer.array.withBytes { bytes throws(StorageError) in try file.write(bytes, at: 0) }
    try file.sync()
    file.close()
    try fileSystem.rename(temporary, to: path(directory))
    try fileSystem.syncDirectory(directory)
    try complete(directory, fileSystem)
  }

  /// Removes the older segments, if that was begun or is to be.
  static func complete(_ directory: String, _ fileSystem: any FileSystem) throws(StorageError) {
    guard try fileSystem.exists(path(directory)) else { return }
    let file = try fileSystem.open(path(directory), create: false)
    var bytes = [UInt8](repeating: 0, count: 24)
    let count = try file.readBytes(into: &bytes, at: 0)
    file.close()
    let first: UInt64? = bytes.withBytes { bytes in
      guard count == 24, LogFormat.load(bytes, 0, as: UInt64.self) == magic,
        CRC32C.checksum(LogFormat.slice(bytes, 0, 20)) == LogFormat.load(bytes, 20, as: UInt32.self)
      else { return nil }
      return LogFormat.load(bytes, 12, as: UInt64.self)
    }
    guard let first else {
      throw StorageError(
        .damaged, path: path(directory), operation: "open", offset: 0,
        reason: "it is not what was written, and says which segments are the log; replace the node")
    }
    for name in try fileSystem.list(directory) where SegmentPool.number(name).map({ $0 < first }) == true {
      try fileSystem.remove(join(directory, name))
    }
    try fileSystem.syncDirectory(directory)
    try fileSystem.remove(path(directory))
    try fileSystem.syncDirectory(directory)
  }
}
