// What is done to short texts, a word at a time.
extension UnsafeRawBufferPointer {
  /// Up to 15 bytes as two numbers, low first; what is missing is 0.
  @inlinable @inline(__always) public var words: (low: UInt64, high: UInt64) {
    precondition(count <= 15, "a short text has at most 15 bytes")
    guard let start = baseAddress, count >= 8 else { return (SipHash.word(self), 0) }
    // The last eight bytes, of which the second word has those behind the first eight.
    let last = SipHash.load(start, count &- 8)
    return (SipHash.load(start, 0), (last &>> 8) &>> UInt64(truncatingIfNeeded: 8 &* (15 &- count)))
  }
  /// Whether the bytes are those of `other`. For short texts: eight at a time, without a call.
  @inlinable @inline(__always) public func hasSameBytes(as other: UnsafeRawBufferPointer) -> Bool {
    guard count == other.count else { return false }
    guard let a = baseAddress, let b = other.baseAddress, count >= 8 else {
      return SipHash.word(self) == SipHash.word(other)
    }
    var differences =
      a.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
      ^ b.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
    var at = 0
    while at < count &- 8 {
      differences |=
        a.loadUnaligned(fromByteOffset: at, as: UInt64.self) ^ b.loadUnaligned(fromByteOffset: at, as: UInt64.self)
      at &+= 8
    }
    return differences == 0
  }

  /// Whether the bytes are an identifier: 1 to 64 of `A-Za-z0-9._-`. Eight at a time, without a branch that depends on one.
  @inlinable @inline(__always) public var isIdentifier: Bool {
    guard let start = baseAddress, count >= 1, count <= 64 else { return false }
    let top: UInt64 = 0x8080_8080_8080_8080
    guard count >= 8 else {
      // As many digits as are missing.
      let filled = SipHash.word(self) | 0x3030_3030_3030_3030 &<< UInt64(truncatingIfNeeded: 8 &* count)
      return IdentifierText.marks(filled) & top == top
    }
    // The last eight overlap those before.
    var good = IdentifierText.marks(start.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self))
    var at = 0
    while at < count &- 8 {
      good &= IdentifierText.marks(start.loadUnaligned(fromByteOffset: at, as: UInt64.self))
      at &+= 8
    }
    return good & top == top
  }
}

@usableFromInline enum IdentifierText {
  /// Of eight bytes: the top bit is set of each that an identifier may have, whatever the others are.
  @inlinable @inline(__always) static func marks(_ bytes: UInt64) -> UInt64 {
    // Without their top bits no byte of a sum runs over into the next.
    let low = bytes & 0x7F7F_7F7F_7F7F_7F7F
    let letters = range(low | 0x2020_2020_2020_2020, 0x61, 0x7A)
    // From "-" to "9" there is but "/" that is none.
    let signs = range(low, 0x2D, 0x39) & others(low, 0x2F)
    return (letters | signs | ~others(low, 0x5F)) & ~bytes
  }
  /// The top bit of each byte, all below 0x80, that lies between two, both included. The other bits are anything.
  @inlinable @inline(__always) static func range(_ bytes: UInt64, _ first: UInt64, _ last: UInt64) -> UInt64 {
    (bytes &+ each &* (0x80 &- first)) & (each &* (0x80 &+ last) &- bytes)
  }
  /// The top bit of each byte, all below 0x80, that is not this one.
  @inlinable @inline(__always) static func others(_ bytes: UInt64, _ one: UInt64) -> UInt64 {
    (bytes ^ each &* one) &+ each &* 0x7F
  }
  @inlinable @inline(__always) static var each: UInt64 { 0x0101_0101_0101_0101 }
}
