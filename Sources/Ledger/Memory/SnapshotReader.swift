import Base

#if canImport(Glibc)
  import Glibc
#endif

/// Where a snapshot is read from.
public protocol SnapshotSource {
  /// Fills the whole of `buffer` with the next bytes, or throws.
  mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws
}

/// Reads the sections of a snapshot. What does not fit is `MalformedBytes`; what is
/// not detected here, the digest over the whole file does detect.
struct SnapshotReader<Source: SnapshotSource> {
  var source: Source
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

  /// Reads the next section's beginning and meta; nil at the end.
  mutating func nextSection() throws -> RestoredSection? {
    let number = try integer(UInt16.self)
    let volume = try integer(UInt16.self)
    let version = try integer(UInt16.self)
    let rawKind = try integer(UInt16.self)
    let recordSize = try integer(UInt32.self)
    let reserved = try integer(UInt32.self)
    guard volume == 0, reserved == 0, let kind = SectionHeader.Kind(rawValue: rawKind) else {
      throw MalformedBytes("a section of a kind that this build does not know")
    }
    let metaCount = try integer(UInt64.self)
    let first = try integer(UInt64.self)
    let pages = try integer(UInt64.self)
    let tail = try integer(UInt64.self)
    guard metaCount <= kind.mostMeta, tail <= UInt64(pageByteCount), (tail > 0) == (pages > 0),
      pages < 1 << 32, first == 0 || (kind == .queue && first < 1 << 62), pages == 0 || kind.hasPages,
      (number == 0) == (kind == .end), recordSize <= UInt32(pageByteCount)
    else { throw MalformedBytes("a section of impossible size") }
    var meta = [UInt8](repeating: 0, count: Int(metaCount))
    try meta.withUnsafeMutableBytes { try source.read(into: $0) }
    if !kind.hasPages, try integer(UInt32.self) != 0 { throw MalformedBytes("a section with pages that it has not") }
    guard kind != .end else { return nil }
    return RestoredSection(
      number: number, version: version, kind: kind, recordSize: Int(recordSize), meta: meta, first: first, pages: pages,
      tail: Int(tail))
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
  mutating func readRuns() throws -> [Range<Int>] {
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

/// What a section's records are, as its beginning says.
struct SectionForm: Equatable {
  var number: UInt16
  var version: UInt16
  var recordSize: Int
}

/// The beginning of a section that was read.
struct RestoredSection {
  /// That of a `TableTag`.
  var number: UInt16
  var version: UInt16
  var kind: SectionHeader.Kind
  var recordSize: Int
  var meta: [UInt8]
  /// The number of the first page.
  var first: UInt64
  var pages: UInt64
  /// Bytes of the last page.
  var tail: Int

  var form: SectionForm { SectionForm(number: number, version: version, recordSize: recordSize) }

  /// Checks that it is of this kind, with that much meta.
  func expect(_ kind: SectionHeader.Kind, metaCount: Int? = nil) throws(MalformedBytes) {
    guard kind == self.kind else { throw MalformedBytes("a section of another kind") }
    guard metaCount == nil || metaCount == meta.count else {
      throw MalformedBytes("a section's meta has another length")
    }
  }

  /// A 32-bit integer of the meta.
  func metaNumber(at offset: Int) -> UInt32 {
    meta.withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
  }
  /// A 64-bit integer of the meta. The caller has asked for that much meta.
  func metaInteger(at offset: Int) -> UInt64 {
    meta.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
  }
}

extension SectionHeader.Kind {
  var hasPages: Bool {
    switch self {
    case .array, .queue, .index, .blob: true
    case .bytes, .record, .end: false
    }
  }
  /// The most bytes that a section may have beside its pages.
  fileprivate var mostMeta: UInt64 {
    switch self {
    case .array: 12
    case .blob: 8
    case .queue: 16
    case .index: 1 << 32
    case .bytes: 1 << 30
    case .record: UInt64(pageByteCount)
    case .end: 0
    }
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
