/// Byte strings of any length, kept for ever and never moved: ids, names, card numbers. Covered by snapshots.
///
/// A reference is the byte offset of the string; 0 is no string. References fit 32 bits up to 4 GiB (`referenceLimit`
/// checks nothing: store them in 40 or 64 bits). A string is its length (1 byte, or 255 and 2 bytes from 255 on), then its
/// bytes; it does not straddle a page.
///
/// Cost: reading is one load more than the bytes themselves; appending a copy. Snapshots never copy a page of it.
struct PagedBlob: ~Copyable {
  /// The longest string, in bytes.
  static let maximumLength = pageByteCount - 16
  /// Bytes used, counting lengths and what is left over at the ends of pages.
  private(set) var end: UInt64

  init(_ pool: borrowing PagePool)

  /// Keeps a copy of `bytes` (at most `maximumLength`) and returns its reference, never 0.
  mutating func append(_ bytes: UnsafeRawBufferPointer) -> UInt64
  /// The string of a reference, in place. Valid as long as the blob.
  @inline(__always) func read(_ reference: UInt64) -> UnsafeRawBufferPointer
  /// Whether the string of a reference is exactly `bytes`.
  @inline(__always) func equals(_ reference: UInt64, _ bytes: UnsafeRawBufferPointer) -> Bool

  borrowing func freeze(into snapshot: inout SnapshotBuilder)
  init<Source: SnapshotSource>(_ pool: borrowing PagePool, restoring source: inout SnapshotReader<Source>) throws
}
