import Base
import Glibc

/// The bytes of the write-ahead log: encoding and verification, no IO. `README.md` has the layout.
enum LogFormat {
  static let version: UInt32 = 2
  static let blockBytes = 4096
  static let batchHeadBytes = 48
  static let recordHeadBytes = 40
  static let segmentMagic: UInt64 = 0x4C41_5759_4C4C_4154  // "TALLYWAL"
  static let batchMagic: UInt32 = 0x4843_5442  // "BTCH"
  static let recordMagic: UInt16 = 0x4352  // "RC"

  static func padded(_ count: Int, to unit: Int) -> Int { (count + unit - 1) & ~(unit - 1) }
  /// Bytes that a record takes in a batch.
  static func recordBytes(payload: Int) -> Int { recordHeadBytes + padded(payload, to: 8) }

  static func load<T: FixedWidthInteger & BitwiseCopyable>(
    _ bytes: UnsafeRawBufferPointer, _ offset: Int, as type: T.Type = T.self
  ) -> T {
    T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
  }
  static func slice(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: bytes[start..<end])
  }

  /// Where a record lies, as the seed of its CRC: the same bytes anywhere else are not a record.
  static func placeChecksum(segment: UInt64, offset: Int) -> UInt32 {
    let place = (segment.littleEndian, UInt64(offset).littleEndian)
    return withUnsafeBytes(of: place) { CRC32C.checksum($0) }
  }
}

/// The first block of a segment file.
struct SegmentHeader: Equatable {
  var number: UInt64
  /// The log begins here: no batch was ever written before this segment.
  var isFirst: Bool
  /// The log was written anew from here on, because what was before has rotted. While older segments are there without
  /// `LogRenewal.Mark`, that was not finished, and they are the log.
  var isRenewal = false

  /// One block, zeros behind the fields.
  func encoded() -> [UInt8] {
    var block = [UInt8](repeating: 0, count: LogFormat.blockBytes)
    block.withUnsafeMutableBytes { bytes in
      bytes.storeBytes(of: LogFormat.segmentMagic.littleEndian, as: UInt64.self)
      bytes.storeBytes(of: LogFormat.version.littleEndian, toByteOffset: 8, as: UInt32.self)
      bytes.storeBytes(of: number.littleEndian, toByteOffset: 16, as: UInt64.self)
      bytes.storeBytes(
        of: ((isFirst ? 1 : 0) | (isRenewal ? 2 : 0) as UInt32).littleEndian, toByteOffset: 24, as: UInt32.self)
      let crc = CRC32C.checksum(UnsafeRawBufferPointer(bytes))
      bytes.storeBytes(of: crc.littleEndian, toByteOffset: 12, as: UInt32.self)
    }
    return block
  }

  /// The header in a file's first block; nil if there is none, or it is damaged. Throws `.tooNew`.
  ///
  /// Magic, version and CRC (over the block, itself taken as 0) keep their places in all versions to come.
  static func decode(_ bytes: UnsafeRawBufferPointer, path: String) throws(StorageError) -> SegmentHeader? {
    guard bytes.count >= LogFormat.blockBytes, LogFormat.load(bytes, 0, as: UInt64.self) == LogFormat.segmentMagic
    else {
      return nil
    }
    let block = LogFormat.slice(bytes, 0, LogFormat.blockBytes)
    var crc = CRC32C.checksum(LogFormat.slice(block, 0, 12))
    crc = withUnsafeBytes(of: UInt32(0)) { CRC32C.checksum($0, continuing: crc) }
    crc = CRC32C.checksum(LogFormat.slice(block, 16, block.count), continuing: crc)
    guard crc == LogFormat.load(block, 12, as: UInt32.self) else { return nil }
    let version = LogFormat.load(block, 8, as: UInt32.self)
    try checkVersion(version, known: LogFormat.version, path: path)
    let flags = LogFormat.load(block, 24, as: UInt32.self)
    return SegmentHeader(number: LogFormat.load(block, 16), isFirst: flags & 1 != 0, isRenewal: flags & 2 != 0)
  }
}

/// Refuses a format that is newer than this program.
func checkVersion(_ version: UInt32, known: UInt32, path: String) throws(StorageError) {
  if version <= known { return }
  throw StorageError(
    .tooNew, path: path, operation: "open",
    reason: "written in format \(version), and this program knows formats up to \(known): use a newer program")
}

/// The head of a batch: what one append wrote, at a block boundary.
struct BatchHead: Equatable {
  var segment: UInt64
  var number: UInt64
  /// In the segment's file.
  var offset: Int
  /// Bytes of the records, without head and padding.
  var byteCount: Int
  var recordCount: Int
  /// Part of the copy that a log that is opened makes of its last segment, under the same number.
  var isCopy: Bool

  var end: Int { LogFormat.padded(offset + LogFormat.batchHeadBytes + byteCount, to: LogFormat.blockBytes) }

  func encode(at place: UnsafeMutableRawPointer) {
    place.storeBytes(of: LogFormat.batchMagic.littleEndian, as: UInt32.self)
    place.storeBytes(of: segment.littleEndian, toByteOffset: 8, as: UInt64.self)
    place.storeBytes(of: number.littleEndian, toByteOffset: 16, as: UInt64.self)
    place.storeBytes(of: UInt64(offset).littleEndian, toByteOffset: 24, as: UInt64.self)
    place.storeBytes(of: UInt32(byteCount).littleEndian, toByteOffset: 32, as: UInt32.self)
    place.storeBytes(of: UInt32(recordCount).littleEndian, toByteOffset: 36, as: UInt32.self)
    place.storeBytes(of: (isCopy ? 1 : 0 as UInt64).littleEndian, toByteOffset: 40, as: UInt64.self)
    let crc = CRC32C.checksum(UnsafeRawBufferPointer(start: place + 8, count: LogFormat.batchHeadBytes - 8))
    place.storeBytes(of: crc.littleEndian, toByteOffset: 4, as: UInt32.self)
  }

  /// The head at `offset`, if one was written to that very place.
  static func decode(_ bytes: UnsafeRawBufferPointer, segment: UInt64, offset: Int) -> BatchHead? {
    guard offset + LogFormat.batchHeadBytes <= bytes.count,
      LogFormat.load(bytes, offset, as: UInt32.self) == LogFormat.batchMagic,
      LogFormat.load(bytes, offset + 8, as: UInt64.self) == segment,
      LogFormat.load(bytes, offset + 24, as: UInt64.self) == UInt64(offset)
    else { return nil }
    let checked = LogFormat.slice(bytes, offset + 8, offset + LogFormat.batchHeadBytes)
    guard CRC32C.checksum(checked) == LogFormat.load(bytes, offset + 4, as: UInt32.self) else { return nil }
    return BatchHead(
      segment: segment, number: LogFormat.load(bytes, offset + 16), offset: offset,
      byteCount: Int(LogFormat.load(bytes, offset + 32, as: UInt32.self)),
      recordCount: Int(LogFormat.load(bytes, offset + 36, as: UInt32.self)),
      isCopy: LogFormat.load(bytes, offset + 40, as: UInt64.self) == 1)
  }
}

/// The head of a record, and its payload's size.
struct RecordHead: Equatable {
  enum Kind: UInt8 {
    case entry = 1
    case state = 2
    case reset = 3
    /// The replica that was born by version `index`, and all before it, have left this node: entries and state go.
    case gone = 4
    /// Entries up to (index, term) are released: written before a segment that held some is recycled.
    case start = 5
    /// An entry that is already in the log, moved to its end; cuts nothing.
    case moved = 6
    /// Of no shard: batches below `index` are no longer needed. Written before a segment is recycled.
    case origin = 7
    /// As `gone`, told again: takes away nothing.
    case tombstone = 8
  }
  var kind: Kind
  var entryKind: UInt8 = 0
  var shard: ShardID
  var payloadBytes: Int = 0
  var batch: UInt64 = 0
  var index = LogIndex(0)
  var term = Term(0)

  var totalBytes: Int { LogFormat.recordBytes(payload: payloadBytes) }

  /// Writes head, payload, padding and CRC. `offset` is the record's place in the segment's file.
  @inline(__always)
  func encode(at place: UnsafeMutableRawPointer, _ payload: UnsafeRawBufferPointer, segment: UInt64, offset: Int) {
    place.storeBytes(of: LogFormat.recordMagic.littleEndian, toByteOffset: 4, as: UInt16.self)
    place.storeBytes(of: kind.rawValue, toByteOffset: 6, as: UInt8.self)
    place.storeBytes(of: entryKind, toByteOffset: 7, as: UInt8.self)
    place.storeBytes(of: shard.rawValue.littleEndian, toByteOffset: 8, as: UInt32.self)
    place.storeBytes(of: UInt32(payload.count).littleEndian, toByteOffset: 12, as: UInt32.self)
    place.storeBytes(of: batch.littleEndian, toByteOffset: 16, as: UInt64.self)
    place.storeBytes(of: index.rawValue.littleEndian, toByteOffset: 24, as: UInt64.self)
    place.storeBytes(of: term.rawValue.littleEndian, toByteOffset: 32, as: UInt64.self)
    let total = LogFormat.recordBytes(payload: payload.count)
    if let source = payload.baseAddress, !payload.isEmpty {
      place.storeBytes(of: 0, toByteOffset: total - 8, as: UInt64.self)
      memcpy(place + LogFormat.recordHeadBytes, source, payload.count)
    }
    RecordHead.seal(place, count: total, segment: segment, offset: offset)
  }

  /// Writes the CRC of a record of `count` bytes that is whole but for it.
  @inline(__always)
  static func seal(_ place: UnsafeMutableRawPointer, count: Int, segment: UInt64, offset: Int) {
    let crc = CRC32C.checksum(
      UnsafeRawBufferPointer(start: place + 4, count: count - 4),
      continuing: LogFormat.placeChecksum(segment: segment, offset: offset))
    place.storeBytes(of: crc.littleEndian, as: UInt32.self)
  }

  /// The record at `offset`, if one was written to that very place; nothing before `end` is left out of the CRC.
  static func decode(_ bytes: UnsafeRawBufferPointer, segment: UInt64, offset: Int, end: Int) -> RecordHead? {
    guard offset + LogFormat.recordHeadBytes <= end, end <= bytes.count,
      LogFormat.load(bytes, offset + 4, as: UInt16.self) == LogFormat.recordMagic,
      let kind = Kind(rawValue: bytes[offset + 6])
    else { return nil }
    let payload = Int(LogFormat.load(bytes, offset + 12, as: UInt32.self))
    let total = LogFormat.recordBytes(payload: payload)
    guard total <= end - offset else { return nil }
    let crc = CRC32C.checksum(
      LogFormat.slice(bytes, offset + 4, offset + total),
      continuing: LogFormat.placeChecksum(segment: segment, offset: offset))
    guard crc == LogFormat.load(bytes, offset, as: UInt32.self) else { return nil }
    return RecordHead(
      kind: kind, entryKind: bytes[offset + 7], shard: ShardID(LogFormat.load(bytes, offset + 8)),
      payloadBytes: payload, batch: LogFormat.load(bytes, offset + 16),
      index: LogIndex(LogFormat.load(bytes, offset + 24)),
      term: Term(LogFormat.load(bytes, offset + 32)))
  }
}

/// Memory aligned to a block, reused from batch to batch.
struct AlignedBuffer: ~Copyable {
  private(set) var base: UnsafeMutableRawPointer
  private(set) var capacity: Int

  init(capacity: Int) {
    self.capacity = LogFormat.padded(max(capacity, LogFormat.blockBytes), to: LogFormat.blockBytes)
    self.base = UnsafeMutableRawPointer.allocate(byteCount: self.capacity, alignment: LogFormat.blockBytes)
  }
  deinit { base.deallocate() }

  /// Makes room for `newCapacity` bytes, or gives memory back. What was in it is lost.
  mutating func reset(capacity newCapacity: Int) {
    base.deallocate()
    capacity = LogFormat.padded(max(newCapacity, LogFormat.blockBytes), to: LogFormat.blockBytes)
    base = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: LogFormat.blockBytes)
  }
  func prefix(_ count: Int) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }
  func mutablePrefix(_ count: Int) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: base, count: count)
  }
}
