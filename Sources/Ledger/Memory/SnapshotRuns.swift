import Base

/// Cuts the body of a whole snapshot of a ledger where its writer did: a table's page, or what stands between pages. So pages that
/// have not changed from one snapshot to the next are the same runs.
public enum SnapshotRuns {
  /// The ledger's writer cuts what comes behind the tables into runs of this size: one page.
  public static let runBytes = pageByteCount

  /// Gives all bytes of the body to `each`, in order, and throws what the source and `each` throw, and `MalformedBytes` where the
  /// bytes are no whole snapshot of a ledger.
  public static func cut(
    _ source: some SnapshotSource, byteCount: UInt64, each: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let passed = Passed()
    var reader = try SnapshotReader(Recording(source: source, passed: passed))
    guard !reader.hasChangesOnly else { throw MalformedBytes("a snapshot of changes only") }
    var given: UInt64 = 0
    func give() throws {
      guard passed.bytes.count > 0 else { return }
      try each(passed.bytes.bytes)
      given += UInt64(passed.bytes.count)
      passed.bytes.removeAll()
    }
    while let section = try reader.nextSection() {
      try give()
      if section.kind.hasPages { try reader.passPages(of: section, each: give) }
    }
    try give()
    try cutEvenly(reader.source.source, byteCount: byteCount - min(byteCount, given), each: each)
  }

  /// Gives so many bytes, in runs of `runBytes`.
  public static func cutEvenly(
    _ source: some SnapshotSource, byteCount: UInt64, each: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    var source = source
    var left = byteCount
    var room = [UInt8](repeating: 0, count: runBytes)
    while left > 0 {
      let count = Int(min(left, UInt64(runBytes)))
      try room.withUnsafeMutableBytes { room in
        try source.read(into: UnsafeMutableRawBufferPointer(rebasing: room[..<count]))
        try each(UnsafeRawBufferPointer(rebasing: room[..<count]))
      }
      left -= UInt64(count)
    }
  }

  private final class Passed {
    var bytes = ByteBuffer(capacity: 2 * pageByteCount)
  }
  /// A source that keeps what was read of it.
  private struct Recording<Source: SnapshotSource>: SnapshotSource {
    var source: Source
    let passed: Passed

    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws {
      try source.read(into: buffer)
      passed.bytes.append(UnsafeRawBufferPointer(buffer))
    }
  }
}

extension SnapshotReader {
  /// Reads a section's pages and keeps none.
  /// - Parameter each: called before each page, and at the end.
  mutating func passPages(of section: RestoredSection, each: () throws -> Void) throws {
    let total = Int(section.pages)
    var end = 0
    var room = [UInt8](repeating: 0, count: pageByteCount)
    for run in try readRuns() {
      guard run.lowerBound == end, run.upperBound <= total else { throw MalformedBytes("a run of pages out of place") }
      end = run.upperBound
      for page in run {
        try each()
        try room.withUnsafeMutableBytes { try readBytes($0, page == total - 1 ? section.tail : pageByteCount) }
      }
    }
    guard end == total else { throw MalformedBytes("a section without all of its pages") }
    try each()
  }
  private mutating func readBytes(_ room: UnsafeMutableRawBufferPointer, _ count: Int) throws {
    try source.read(into: UnsafeMutableRawBufferPointer(rebasing: room[..<count]))
  }
}
