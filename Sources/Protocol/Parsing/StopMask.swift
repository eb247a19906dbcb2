/// Where words may end, by arithmetic on eight bytes at a time (Warren, "Hacker's Delight", §6-1).
enum StopMask {
  private static let ones: UInt64 = 0x0101_0101_0101_0101
  private static let highs: UInt64 = 0x8080_8080_8080_8080

  /// Bit i is set if byte i of the first `count`, at most 64, is `=` or below `(`: spaces, quotes, controls, and a few
  /// that stop nothing. Reads nothing at or behind `readable`.
  @inline(__always) static func of(_ start: UnsafeRawPointer, _ count: Int, _ readable: UnsafeRawPointer) -> UInt64 {
    var mask: UInt64 = 0
    var offset = 0
    while offset < count {
      let here = start + offset
      let eight = readable - here >= 8 ? here.loadUnaligned(as: UInt64.self) : tail(here, readable - here)
      mask |= ofEight(UInt64(littleEndian: eight)) &<< UInt64(truncatingIfNeeded: offset)
      offset &+= 8
    }
    return mask & (UInt64.max &>> UInt64(truncatingIfNeeded: 64 &- count))
  }

  @inline(__always) private static func ofEight(_ bytes: UInt64) -> UInt64 {
    let isBelow = ~((bytes & ~highs &+ (0x80 &- 0x28) &* ones) | bytes)
    let difference = bytes ^ 0x3D &* ones
    let isEquals = ~((difference & ~highs &+ ~highs) | difference)
    let found = ((isBelow | isEquals) & highs) &>> 7
    return (found &* 0x0102_0408_1020_4080) &>> 56
  }

  /// Fewer than eight bytes, filled up with zeros.
  @inline(never) private static func tail(_ start: UnsafeRawPointer, _ count: Int) -> UInt64 {
    var bytes: UInt64 = 0
    for i in 0..<count { bytes |= UInt64(start.load(fromByteOffset: i, as: UInt8.self)) &<< UInt64(8 &* i) }
    return bytes.littleEndian
  }
}
