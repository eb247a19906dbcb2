/// XXH64, the 64-bit xxHash (Collet, xxHash fast digest algorithm, version 0.1.1): stable for ever, not
/// cryptographic. A key of 10 bytes costs some 5 ns.
@inlinable public func xxh64(_ data: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
  let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
  let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
  let prime3: UInt64 = 0x1656_67B1_9E37_79F9
  let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
  let prime5: UInt64 = 0x27D4_EB2F_1656_67C5
  @inline(__always) func rotate(_ x: UInt64, _ n: UInt64) -> UInt64 { x &<< n | x &>> (64 &- n) }
  @inline(__always) func round(_ accumulator: UInt64, _ lane: UInt64) -> UInt64 {
    rotate(accumulator &+ lane &* prime2, 31) &* prime1
  }
  @inline(__always) func merge(_ hash: UInt64, _ lane: UInt64) -> UInt64 {
    (hash ^ round(0, lane)) &* prime1 &+ prime4
  }
  var offset = 0
  let count = data.count
  var hash: UInt64
  if count >= 32 {
    var a = seed &+ prime1 &+ prime2
    var b = seed &+ prime2
    var c = seed
    var d = seed &- prime1
    while offset + 32 <= count {
      a = round(a, data.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      b = round(b, data.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self))
      c = round(c, data.loadUnaligned(fromByteOffset: offset + 16, as: UInt64.self))
      d = round(d, data.loadUnaligned(fromByteOffset: offset + 24, as: UInt64.self))
      offset += 32
    }
    hash = rotate(a, 1) &+ rotate(b, 7) &+ rotate(c, 12) &+ rotate(d, 18)
    hash = merge(merge(merge(merge(hash, a), b), c), d)
  } else {
    hash = seed &+ prime5
  }
  hash = hash &+ UInt64(count)
  while offset + 8 <= count {
    hash ^= round(0, data.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    hash = rotate(hash, 27) &* prime1 &+ prime4
    offset += 8
  }
  if offset + 4 <= count {
    hash ^= UInt64(data.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) &* prime1
    hash = rotate(hash, 23) &* prime2 &+ prime3
    offset += 4
  }
  while offset < count {
    hash ^= UInt64(data[offset]) &* prime5
    hash = rotate(hash, 11) &* prime1
    offset += 1
  }
  hash ^= hash &>> 33
  hash = hash &* prime2
  hash ^= hash &>> 29
  hash = hash &* prime3
  hash ^= hash &>> 32
  return hash
}

extension String {
  /// XXH64 of the UTF-8 bytes. Not for the hot path.
  public func xxh64(seed: UInt64 = 0) -> UInt64 {
    var copy = self
    return copy.withUTF8 { Base.xxh64(UnsafeRawBufferPointer($0), seed: seed) }
  }
}
