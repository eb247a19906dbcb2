import Base
import Storage

/// What tells a node's lives apart. It is the wall clock's microsecond of the start, unless the clock was set back since the
/// last one: peers refuse what comes of an earlier life, and a node whose clock was put right must not be taken for one.
///
/// `incarnation` has two slots, a block each: a number and a CRC-32C, 12 bytes. The one that is not the newest is written in
/// its place, so that neither a crash nor rot in one of them loses the number, and a disk that is full takes it.
enum Incarnation {
  /// Sequence numbers of requests begin at 1,024 times this: one life has fewer than that many.
  private static let stride: UInt64 = 1_000_000_000
  private static let slotBytes = 4096
  private static let slots = 2

  static func next(directory: String, fileSystem: any FileSystem, wall: Stamp) throws -> UInt64 {
    let path = directory + "/incarnation"
    let isNew = try !fileSystem.exists(path)
    let file = try fileSystem.open(path, create: true)
    defer { file.close() }
    let found = try (0..<slots).map { try read(slot: $0, of: file) }
    // A first start writes both, one after the other: cut off in the first, it was no life yet.
    let isFirst = found[1] == .empty && found[0].number == 0
    let isAnyDamaged = !isFirst && found.contains(.damaged)
    let newest = found.enumerated().max { $0.element.number < $1.element.number }
    let last = newest?.element.number ?? 0
    guard last > 0 || !isAnyDamaged else {
      throw StorageError(
        .damaged, path: path, operation: "read",
        reason: "it is not what was written; remove it if the clock was not set back since the node last started")
    }
    let now = UInt64(max(1, wall.microseconds))
    // What cannot be read may have been one step further.
    let next = now > last + (isAnyDamaged ? stride : 0) ? now : last + (isAnyDamaged ? 2 : 1) * stride
    var buffer = ByteBuffer(capacity: 64)
    buffer.append(next)
    buffer.append(CRC32C.checksum(buffer.bytes))
    if isNew { try file.preallocate(UInt64(slots * slotBytes)) }
    for slot in isFirst ? [0, 1] : [1 - (newest?.offset ?? 0)] {
      try file.write(buffer.bytes, at: UInt64(slot * slotBytes))
      try file.sync()
    }
    if isNew { try fileSystem.syncDirectory(directory) }
    return next
  }

  private enum Slot: Equatable {
    /// Nothing was ever written there.
    case empty
    case damaged
    case written(UInt64)
    var number: UInt64 { if case .written(let number) = self { number } else { 0 } }
  }
  private static func read(slot: Int, of file: any File) throws -> Slot {
    var bytes = [UInt8](repeating: 0, count: 12)
    let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: UInt64(slot * slotBytes)) }
    if count == 0 || bytes.allSatisfy({ $0 == 0 }) { return .empty }
    return bytes.withUnsafeBytes { raw in
      let crc = raw.loadUnaligned(fromByteOffset: 8, as: UInt32.self)
      guard count == 12, CRC32C.checksum(UnsafeRawBufferPointer(rebasing: raw[..<8])) == crc else { return .damaged }
      return .written(UInt64(littleEndian: raw.loadUnaligned(as: UInt64.self)))
    }
  }
}
