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
  /// It has only the pages that have changed since another snapshot, and is to be restored into what that one gave.
  private(set) var hasChangesOnly = false

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
    let kind = try integer(UInt32.self)
    guard kind <= 1 else { throw MalformedBytes("a snapshot of an unknown kind") }
    hasChangesOnly = kind == 1
  }

  /// The next section, which must be plain bytes of at most `limit`.
  mutating func readBytes(limit: Int = 1 << 30) throws -> [UInt8] {
    try beginSection(.bytes, recordSize: 1, metaLimit: limit, areRunsNext: true).meta
  }

  /// Checks that nothing is left of the snapshot.
  mutating func finish() throws { _ = try beginSection(.end, recordSize: 0, metaLimit: 0, areRunsNext: true) }

  /// Reads a section's beginning, which must be of this kind, with records of this size and this much meta.
  mutating func beginSection(_ kind: SectionHeader.Kind, recordSize: Int, metaCount: Int) throws -> RestoredSection {
    let section = try beginSection(kind, recordSize: recordSize, metaLimit: metaCount)
    guard section.meta.count == metaCount else { throw MalformedBytes("a section's meta has another length") }
    return section
  }

  /// - Parameter areRunsNext: the section has no pages, and so ends with no runs of them.
  mutating func beginSection(
    _ kind: SectionHeader.Kind, recordSize: Int, metaLimit: Int, areRunsNext: Bool = false
  ) throws -> RestoredSection {
    guard try integer(UInt32.self) == kind.rawValue else { throw MalformedBytes("a section of another kind") }
    guard try integer(UInt32.self) == UInt32(recordSize) else {
      throw MalformedBytes("a section of another record size")
    }
    let metaCount = try integer(UInt64.self)
    let first = try integer(UInt64.self)
    let pages = try integer(UInt64.self)
    let tail = try integer(UInt64.self)
    guard metaCount <= UInt64(metaLimit), tail <= UInt64(pageByteCount), (tail > 0) == (pages > 0),
      pages < 1 << 32, first == 0 || (kind == .queue && first < 1 << 62),
      pages == 0 || (kind != .bytes && kind != .end)
    else { throw MalformedBytes("a section of impossible size") }
    var meta = [UInt8](repeating: 0, count: Int(metaCount))
    try meta.withUnsafeMutableBytes { try source.read(into: $0) }
    if areRunsNext, try integer(UInt32.self) != 0 { throw MalformedBytes("a section with pages that it has not") }
    return RestoredSection(meta: meta, first: first, pages: pages, tail: Int(tail))
  }

  /// Reads a section's pages into a table: all of them, or those that have changed, beside what is there. What the last page
  /// lacks is zeros.
  mutating func readPages(of section: RestoredSection, into table: inout PageTable) throws {
    let total = Int(section.pages)
    if hasChangesOnly && section.first < table.removed { throw MalformedBytes("changes of another snapshot") }
    if !hasChangesOnly || section.first - table.removed >= UInt64(table.count) {
      table.removeAll(beginningAt: section.first)
    }
    while table.removed < section.first { table.removeFirst() }
    while table.count > total { table.removeLast() }
    let kept = table.count
    var end = 0
    for run in try readRuns() {
      guard run.lowerBound >= end, run.upperBound <= total, run.lowerBound == end || run.lowerBound <= kept else {
        throw MalformedBytes("a run of pages out of place")
      }
      end = run.upperBound
      for page in run { try readPage(page, page == total - 1 ? section.tail : pageByteCount, into: &table) }
    }
    guard end == total || kept == total else { throw MalformedBytes("a section without all of its pages") }
  }
  private mutating func readRuns() throws -> [Range<Int>] {
    var runs: [Range<Int>] = []
    for _ in 0..<(try integer(UInt32.self)) {
      let first = Int(try integer(UInt32.self))
      runs.append(first..<first + Int(try integer(UInt32.self)))
    }
    return runs
  }
  private mutating func readPage(_ page: Int, _ count: Int, into table: inout PageTable) throws {
    if page == table.count { table.append() }
    let bytes = table.write(page)
    try source.read(into: UnsafeMutableRawBufferPointer(start: bytes, count: count))
    if count < pageByteCount { memset(bytes + count, 0, pageByteCount - count) }
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
  /// The number of the first page.
  var first: UInt64
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
