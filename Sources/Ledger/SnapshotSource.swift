/// Where a snapshot is read from.
public protocol SnapshotSource {
  /// Fills the whole of `buffer` with the next bytes, or throws.
  mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws
}
