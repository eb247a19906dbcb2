import Base

#if canImport(Glibc)
  import Glibc
#endif

/// Where a snapshot is read from.
public protocol SnapshotSource {
  /// Fills the whole of `buffer` with the next bytes, or throws.
  mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws
}

/// Reads the sections of a snapshot, in the order in which they were added. What does not fit is `MalformedBytes`; what is
/// not detected here, the digest over the whole file does detect.
struct SnapshotReader<Source: SnapshotSource> {
  private(set) var source: Source

  /// Reads and checks the beginning.
  init(_ source: Source) throws {
    self.source = source
    guard try integer(UInt64.self) == SectionHeader.magic else {
      throw MalformedBytes("not a snapshot of a ledger's memory")
    }
    guard try integer(UInt32.self) == SectionHeader.version else {
      throw MalformedBytes("a snapshot of another version")
    }
    guard try integer(UInt32.self) == UInt32(pageByteCount) else {
      throw MalformedBytes("a snapshot of another page size")
    }
  }

  /// The next section, which must be plain bytes of at most `limit`.
  mutating func readBytes(limit: Int = 1 << 30) throws -> [UInt8] {
    try beginSection(.bytes, recordSize: 1, metaLimit: limit).meta
  }

  /// Checks that nothing is left of the snapshot.
  mutating func finish() throws { _ = try beginSection(.end, recordSize: 0, metaLimit: 0) }

  /// Reads a section's beginning, which must be of this kind, with records of this size and this much meta.
  mutating func beginSection(_ kind: SectionHeader.Kind, recordSize: Int, metaCount: Int) throws -> RestoredSection {
    let section = try beginSection(kind, recordSize: recordSize, metaLimit: metaCount)
    guard section.meta.count == metaCount else { throw MalformedBytes("a section's meta has another length") }
    return section
  }

  mutating func beginSection(_ kind: SectionHeader.Kind, recordSize: Int, metaLimit: Int) throws -> RestoredSection {
    guard try integer(UInt32.self) == kind.rawValue else { throw MalformedBytes("a section of another kind") }
    guard try integer(UInt32.self) == UInt32(recordSize) else {
      throw MalformedBytes("a section of another record size")
    }
    let metaCount = try integer(UInt64.self)
    let pages = try integer(UInt64.self)
    let tail = try integer(UInt64.self)
    guard metaCount <= UInt64(metaLimit), tail <= UInt64(pageByteCount), (tail > 0) == (pages > 0),
      pages == 0 || (kind != .bytes && kind != .end)
    else { throw MalformedBytes("a section of impossible size") }
    var meta = [UInt8](repeating: 0, count: Int(metaCount))
    try meta.withUnsafeMutableBytes { try source.read(into: $0) }
    return RestoredSection(meta: meta, pages: pages, tail: Int(tail))
  }

  /// Reads a section's pages to the end of a table. What the last page lacks is zeros.
  mutating func readPages(of section: RestoredSection, into table: inout PageTable) throws {
    var page: UInt64 = 0
    while page < section.pages {
      page += 1
      table.append()
      let count = page == section.pages ? section.tail : pageByteCount
      try source.read(into: UnsafeMutableRawBufferPointer(start: table.write(table.count - 1), count: count))
    }
  }

  private mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) throws -> T {
    var value: T = 0
    try withUnsafeMutableBytes(of: &value) { try source.read(into: $0) }
    return T(littleEndian: value)
  }
}

/// The beginning of a section that was read.
struct RestoredSection {
  var meta: [UInt8]
  var pages: UInt64
  /// Bytes of the last page.
  var tail: Int

  /// A 64-bit integer of the meta. The caller has asked for that much meta.
  func metaInteger(at offset: Int) -> UInt64 {
    meta.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
  }
}

/// A snapshot in memory as a source, for tests and small states.
struct MemorySnapshotSource: SnapshotSource {
  private let bytes: [UInt8]
  private var offset = 0
  /// How many bytes have not been read.
  var remaining: Int { bytes.count - offset }

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws {
    guard buffer.count <= remaining else { throw MalformedBytes("a snapshot ends early") }
    guard let place = buffer.baseAddress else { return }
    bytes.withUnsafeBytes { all in
      if let start = all.baseAddress { memcpy(place, start + offset, buffer.count) }
    }
    offset += buffer.count
  }
}
