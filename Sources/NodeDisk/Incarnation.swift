import Base
import Cluster
import Storage

/// What tells a node's lives apart. It is the wall clock's microsecond of the start, unless the clock was set back since the
/// last one: peers refuse what comes of an earlier life, and a node whose clock was put right must not be taken for one.
///
/// `incarnation` has two slots, a block each: a number, the last life that took the node's seat in its cluster, and a CRC-32C,
/// 28 bytes. The one that is not the newest is written in its place, so that neither a crash nor rot in one of them loses the
/// number, and a disk that is full takes it.
enum Incarnation {
  /// Sequence numbers of requests begin at 1,024 times this: one life has fewer than that many.
  private static let stride: UInt64 = 1_000_000_000
  private static let slotBytes = 4096
  private static let slots = 2
  private static let byteCount = 28

  /// Begins a life.
  /// - Returns: its number, and the last life of this directory that took the seat: what is to follow it.
  static func next(
    directory: String, fileSystem: any FileSystem, wall: Stamp
  ) throws -> (number: UInt64, predecessor: LifeID) {
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
        reason:
          "it is not what was written, so that nobody can tell this node from a copy of it; give this node an empty"
          + " directory, or restore the file")
    }
    let now = UInt64(max(1, wall.microseconds))
    // What cannot be read may have been one step further.
    let next = now > last + (isAnyDamaged ? stride : 0) ? now : last + (isAnyDamaged ? 2 : 1) * stride
    let predecessor = newest?.element.seat ?? .none
    if isNew { try file.preallocate(UInt64(slots * slotBytes)) }
    for slot in isFirst ? [0, 1] : [1 - (newest?.offset ?? 0)] {
      try write(next, predecessor, slot: slot, of: file)
    }
    if isNew { try fileSystem.syncDirectory(directory) }
    return (next, predecessor)
  }

  /// Notes that a life has taken the node's seat, before it acts by that.
  static func keep(seat life: LifeID, directory: String, fileSystem: any FileSystem) throws {
    let file = try fileSystem.open(directory + "/incarnation", create: false)
    defer { file.close() }
    // Both: what was the seat before is worth nothing any more.
    for slot in 0..<slots { try write(life.incarnation, life, slot: slot, of: file) }
  }

  private static func write(_ number: UInt64, _ seat: LifeID, slot: Int, of file: any File) throws {
    var buffer = ByteBuffer(capacity: 64)
    buffer.append(number)
    seat.encode(into: &buffer)
    buffer.append(CRC32C.checksum(buffer.bytes))
    try file.write(buffer.bytes, at: UInt64(slot * slotBytes))
    try file.sync()
  }

  private enum Slot: Equatable {
    /// Nothing was ever written there.
    case empty
    case damaged
    case written(UInt64, seat: LifeID)
    var number: UInt64 { if case .written(let number, _) = self { number } else { 0 } }
    var seat: LifeID { if case .written(_, let seat) = self { seat } else { .none } }
  }
  private static func read(slot: Int, of file: any File) throws -> Slot {
    var bytes = [UInt8](repeating: 0, count: byteCount)
    let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: UInt64(slot * slotBytes)) }
    if count == 0 || bytes.allSatisfy({ $0 == 0 }) { return .empty }
    return try bytes.withUnsafeBytes { raw in
      let body = UnsafeRawBufferPointer(rebasing: raw[..<(byteCount - 4)])
      let crc = raw.loadUnaligned(fromByteOffset: byteCount - 4, as: UInt32.self)
      guard count == byteCount, CRC32C.checksum(body) == crc else { return .damaged }
      var reader = ByteReader(body)
      return .written(try reader.read(), seat: try LifeID(decoding: &reader))
    }
  }
}
