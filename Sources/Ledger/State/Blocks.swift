import Base

/// Writes a stream of items into a snapshot without having all of it in memory: blocks of whole items, each after its
/// length in bytes (u32), and an empty one at the end.
public struct BlockWriter: ~Copyable {
  private static let blockByteCount = 64 << 10
  private var buffer = ByteBuffer(capacity: blockByteCount * 2)

  public init() { buffer.append(UInt32(0)) }

  /// - Parameter encode: appends an item of at least a byte and at most `BlockReader.longestBlock` less 64 KiB.
  public mutating func item(
    to sink: (UnsafeRawBufferPointer) throws -> Void, _ encode: (inout ByteBuffer) -> Void
  ) rethrows {
    encode(&buffer)
    if buffer.count >= BlockWriter.blockByteCount { try flush(to: sink) }
  }
  public mutating func finish(to sink: (UnsafeRawBufferPointer) throws -> Void) rethrows {
    if buffer.count > 4 { try flush(to: sink) }
    try sink(buffer.bytes)
  }
  private mutating func flush(to sink: (UnsafeRawBufferPointer) throws -> Void) rethrows {
    buffer.patch(UInt32(buffer.count - 4), at: 0)
    try sink(buffer.bytes)
    buffer.removeAll()
    buffer.append(UInt32(0))
  }
}

/// Reads what a `BlockWriter` wrote.
public enum BlockReader {
  public static let longestBlock = 16 << 20

  /// Gives each item to `decode`, which reads it. Throws if the bytes are something else, and what the source throws.
  public static func read(
    from source: inout some SnapshotSource, _ decode: (inout ByteReader) throws -> Void
  ) throws {
    while true {
      var size: UInt32 = 0
      try withUnsafeMutableBytes(of: &size) { try source.read(into: $0) }
      let count = Int(UInt32(littleEndian: size))
      guard count > 0 else { return }
      guard count <= longestBlock else { throw MalformedBytes("a block of \(count) bytes") }
      var bytes = [UInt8](repeating: 0, count: count)
      try bytes.withUnsafeMutableBytes { try source.read(into: $0) }
      try bytes.withUnsafeBytes {
        var reader = ByteReader($0)
        while !reader.isAtEnd { try decode(&reader) }
      }
    }
  }
}
