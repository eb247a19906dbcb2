#if arch(x86_64)
  internal import _Builtin_intrinsics.intel
#endif

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4), by the processor's instruction where it has one: some 0.15 µs a KiB.
public enum CRC32C {
  /// Eight tables of 256, made once and never freed.
  private nonisolated(unsafe) static let tables: UnsafePointer<UInt32> = makeTables()

  private static func makeTables() -> UnsafePointer<UInt32> {
    let table = UnsafeMutablePointer<UInt32>.allocate(capacity: 8 * 256)
    for i in 0..<256 {
      var crc = UInt32(i)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
      table[i] = crc
    }
    for i in 0..<256 {
      for slice in 1..<8 {
        let previous = table[(slice - 1) * 256 + i]
        table[slice * 256 + i] = previous >> 8 ^ table[Int(previous & 0xFF)]
      }
    }
    return UnsafePointer(table)
  }

  /// The checksum of `data`, or its continuation: `checksum(b, continuing: checksum(a)) == checksum(a + b)`.
  @inline(never)
  public static func checksum(_ data: UnsafeRawBufferPointer, continuing previous: UInt32 = 0) -> UInt32 {
    #if arch(x86_64)
      var crc = UInt64(~previous)
      var offset = 0
      let count = data.count
      while offset + 8 <= count {
        crc = _mm_crc32_u64(crc, data.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        offset += 8
      }
      var short = UInt32(truncatingIfNeeded: crc)
      while offset < count {
        short = _mm_crc32_u8(short, data[offset])
        offset += 1
      }
      return ~short
    #else
      return checksumByTables(data, continuing: previous)
    #endif
  }

  /// The same by slicing over eight bytes: some 0.5 µs a KiB.
  static func checksumByTables(_ data: UnsafeRawBufferPointer, continuing previous: UInt32 = 0) -> UInt32 {
    let t = tables
    var crc = ~previous
    var offset = 0
    let count = data.count
    while offset + 8 <= count {
      let word = data.loadUnaligned(fromByteOffset: offset, as: UInt64.self) ^ UInt64(crc)
      let low = t[1792 &+ Int(word & 0xFF)] ^ t[1536 &+ Int(word &>> 8 & 0xFF)]
      let middle = t[1280 &+ Int(word &>> 16 & 0xFF)] ^ t[1024 &+ Int(word &>> 24 & 0xFF)]
      let high = t[768 &+ Int(word &>> 32 & 0xFF)] ^ t[512 &+ Int(word &>> 40 & 0xFF)]
      crc = low ^ middle ^ high ^ t[256 &+ Int(word &>> 48 & 0xFF)] ^ t[Int(word &>> 56)]
      offset += 8
    }
    while offset < count {
      crc = crc &>> 8 ^ t[Int((crc ^ UInt32(data[offset])) & 0xFF)]
      offset += 1
    }
    return ~crc
  }
}
