import Base
import Storage

/// What tells a node's lives apart: `incarnation`, 12 bytes: a number and a CRC-32C. It is the wall clock's microsecond of
/// the start, unless the clock was set back since the last one: peers refuse what comes of an earlier life, and a node
/// whose clock was put right must not be taken for one.
enum Incarnation {
  /// Sequence numbers of requests begin at 1,024 times this: one life has fewer than that many.
  private static let stride: UInt64 = 1_000_000_000

  static func next(directory: String, fileSystem: any FileSystem, wall: Stamp) throws -> UInt64 {
    let path = directory + "/incarnation"
    let last = try fileSystem.exists(path) ? read(path, fileSystem) : 0
    let now = UInt64(max(1, wall.microseconds))
    let next = now > last ? now : last + stride
    var buffer = ByteBuffer(capacity: 64)
    buffer.append(next)
    buffer.append(CRC32C.checksum(buffer.bytes))
    do {
      try write(buffer.bytes, to: path + ".new", fileSystem)
      try fileSystem.rename(path + ".new", to: path)
      try fileSystem.syncDirectory(directory)
    } catch let error as StorageError where error.kind == .noSpace && last > 0 {
      // In its place, which needs no room: 12 bytes of one sector.
      try write(buffer.bytes, to: path, fileSystem)
    }
    return next
  }

  private static func write(
    _ bytes: UnsafeRawBufferPointer, to path: String, _ fileSystem: any FileSystem
  ) throws {
    let file = try fileSystem.open(path, create: true)
    defer { file.close() }
    try file.write(bytes, at: 0)
    try file.sync()
  }

  private static func read(_ path: String, _ fileSystem: any FileSystem) throws -> UInt64 {
    let file = try fileSystem.open(path, create: false)
    defer { file.close() }
    var bytes = [UInt8](repeating: 0, count: 12)
    let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
    return try bytes.withUnsafeBytes { raw in
      guard count == 12,
        CRC32C.checksum(UnsafeRawBufferPointer(rebasing: raw[..<8]))
          == raw.loadUnaligned(fromByteOffset: 8, as: UInt32.self)
      else {
        throw StorageError(
          .damaged, path: path, operation: "read",
          reason: "it is not what was written; remove it if the clock was not set back since the node last started")
      }
      return UInt64(littleEndian: raw.loadUnaligned(as: UInt64.self))
    }
  }
}
