import Base

#if canImport(Glibc)
  import Glibc
#endif

/// Byte strings, kept for ever and never moved: ids, names, card numbers. Covered by snapshots.
///
/// A reference is the byte offset of the string; 0 is no string. It takes 40 bits for a terabyte. A string is its length
/// (1 byte, or 255 and 2 bytes from 255 on), then its bytes; it does not straddle a page.
///
/// Cost: reading is one dependent load more than the bytes themselves; appending a copy. A snapshot never makes it copy a
/// page: what is appended lies behind what the snapshot's writer reads.
struct PagedBlob: StateTable, ~Copyable {
  static let recordSize = 1
  /// The longest string, in bytes.
  static let maximumLength = pageByteCount - 16

  private var table = PageTable()
  /// Bytes used, counting lengths and what is left over at the ends of pages.
  private(set) var end: UInt64 = 0

  mutating func attach(_ pool: UnsafeMutablePointer<PoolState>) { table.attach(pool) }

  /// Keeps a copy of `bytes` (at most `maximumLength`) and returns its reference, never 0.
  mutating func append(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    precondition(bytes.count <= Self.maximumLength, "a string fits a page")
    let prefix = bytes.count < 255 ? 1 : 3
    if end == 0 {
      table.append()
      end = 1
    }
    if Int(end % UInt64(pageByteCount)) + prefix + bytes.count > pageByteCount
      || end == UInt64(table.count * pageByteCount)
    {
      end = UInt64(table.count * pageByteCount)
      table.append()
    }
    let reference = end
    table.noteChange(table.count - 1)
    let place = table.read(table.count - 1) + Int(end % UInt64(pageByteCount))
    if prefix == 1 {
      place.storeBytes(of: UInt8(bytes.count), as: UInt8.self)
    } else {
      place.storeBytes(of: 255, as: UInt8.self)
      place.storeBytes(of: UInt16(bytes.count).littleEndian, toByteOffset: 1, as: UInt16.self)
    }
    if let start = bytes.baseAddress { memcpy(place + prefix, start, bytes.count) }
    end += UInt64(prefix + bytes.count)
    return reference
  }

  /// The string of a reference, in place. Valid as long as the blob.
  @inline(__always) func read(_ reference: UInt64) -> UnsafeRawBufferPointer {
    precondition(reference &- 1 < end &- 1 && end > 0, "a reference within the blob")
    let place = table.read(Int(reference / UInt64(pageByteCount))) + Int(reference % UInt64(pageByteCount))
    let short = place.load(as: UInt8.self)
    if short < 255 { return UnsafeRawBufferPointer(start: place + 1, count: Int(short)) }
    let long = UInt16(littleEndian: place.loadUnaligned(fromByteOffset: 1, as: UInt16.self))
    return UnsafeRawBufferPointer(start: place + 3, count: Int(long))
  }

  /// Overwrites the string of a reference by zeros: nothing of it is left, and nothing refers to it any more.
  mutating func erase(_ reference: UInt64) {
    let string = read(reference)
    guard let start = string.baseAddress, !string.isEmpty else { return }
    let number = Int(reference / UInt64(pageByteCount))
    let offset = start - UnsafeRawPointer(table.read(number))
    memset(table.rewrite(number) + offset, 0, string.count)
  }

  /// Whether the string of a reference is exactly `bytes`.
  @inline(__always) func equals(_ reference: UInt64, _ bytes: UnsafeRawBufferPointer) -> Bool {
    let kept = read(reference)
    guard kept.count == bytes.count, let a = kept.baseAddress, let b = bytes.baseAddress else {
      return kept.count == bytes.count
    }
    return memcmp(a, b, bytes.count) == 0
  }

  /// See `PageTable.share`.
  mutating func share(in view: PoolView) -> PagedBlob {
    var other = PagedBlob()
    other.table = table.share(in: view)
    other.end = end
    return other
  }

  /// Adds the blob as it is to a snapshot.
  mutating func freeze(_ tag: TableTag, into snapshot: inout SnapshotBuilder) {
    let tail = table.count == 0 ? 0 : Int(end - UInt64((table.count - 1) * pageByteCount))
    withUnsafeBytes(of: end.littleEndian) { meta in
      table.freeze(snapshot.header(tag, .blob, recordSize: Self.recordSize), meta, tail: tail, into: &snapshot)
    }
  }

  mutating func restore<Source: SnapshotSource>(
    _ section: RestoredSection, from reader: inout SnapshotReader<Source>
  ) throws {
    try section.expect(.blob, metaCount: 8)
    let end = section.metaInteger(at: 0)
    guard end < 1 << 48, (end + UInt64(pageByteCount) - 1) / UInt64(pageByteCount) == section.pages else {
      throw MalformedBytes("a blob's length differs from its pages")
    }
    try reader.readPages(of: section, into: &table)
    self.end = end
  }
  func finishRestoring() {}
  var isToGrow: Bool { false }
}
