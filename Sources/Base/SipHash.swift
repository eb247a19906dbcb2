/// A cluster's secret: 128 random bits. A stranger cannot choose keys that collide. It describes itself as
/// hidden, so that no line of a log shows it by accident.
@frozen public struct HashKey: Hashable, Sendable, BitwiseCopyable, CustomStringConvertible, CustomReflectable {
  public var low: UInt64
  public var high: UInt64
  @inlinable public init(low: UInt64, high: UInt64) {
    self.low = low
    self.high = high
  }
  /// Of a state that has not been told its key yet.
  public static let none = HashKey(low: 0, high: 0)
  public var description: String { "(hidden)" }
  public var customMirror: Mirror { Mirror(self, children: []) }

  public func encode(into buffer: inout ByteBuffer) {
    buffer.append(low)
    buffer.append(high)
  }
  public init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    low = try reader.read()
    high = try reader.read()
  }
}

/// SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012), and its variant of 128 bits. A value is
/// the state after what it has absorbed: a copy can be finished, or go on.
///
/// Standard as long as the bytes end by `absorbEnd` once, right before `finish`. What absorbs more behind that is the
/// standard hash of a longer message, in which each end stands as the block that it is.
///
/// Cost: two rounds of 14 instructions for each 8 bytes and for the end, four to finish 64 bits, eight for 128.
@frozen public struct SipHash: BitwiseCopyable, Sendable {
  @usableFromInline var v0: UInt64
  @usableFromInline var v1: UInt64
  @usableFromInline var v2: UInt64
  @usableFromInline var v3: UInt64
  /// Bytes absorbed, a multiple of 8.
  @usableFromInline var count: UInt64 = 0

  /// To be finished with 64 bits.
  @inlinable @inline(__always) public init(_ key: HashKey) {
    v0 = key.low ^ 0x736F_6D65_7073_6575
    v1 = key.high ^ 0x646F_7261_6E64_6F6D
    v2 = key.low ^ 0x6C79_6765_6E65_7261
    v3 = key.high ^ 0x7465_6462_7974_6573
  }
  /// To be finished with 128 bits, or with the first 64 of these.
  @inlinable @inline(__always) public init(wide key: HashKey) {
    self.init(key)
    v1 ^= 0xEE
  }

  @inlinable @inline(__always) mutating func round() {
    v0 &+= v1
    v1 = (v1 &<< 13 | v1 &>> 51) ^ v0
    v0 = v0 &<< 32 | v0 &>> 32
    v2 &+= v3
    v3 = (v3 &<< 16 | v3 &>> 48) ^ v2
    v0 &+= v3
    v3 = (v3 &<< 21 | v3 &>> 43) ^ v0
    v2 &+= v1
    v1 = (v1 &<< 17 | v1 &>> 47) ^ v2
    v2 = v2 &<< 32 | v2 &>> 32
  }
  @inlinable @inline(__always) mutating func compress(_ word: UInt64) {
    v3 ^= word
    round()
    round()
    v0 ^= word
  }

  /// Eight bytes, low first.
  @inlinable @inline(__always) public mutating func absorb(_ word: UInt64) {
    compress(word)
    count &+= 8
  }
  /// Bytes, and the block that ends them: what is left of them, and in the top byte how many there were since the
  /// beginning.
  @inlinable @inline(__always) public mutating func absorbEnd(_ bytes: UnsafeRawBufferPointer) {
    guard let start = bytes.baseAddress, bytes.count >= 8 else {
      compress(SipHash.word(bytes) | (count &+ UInt64(bytes.count)) &<< 56)
      count &+= 8
      return
    }
    absorbEnd(start, from: 0, to: bytes.count)
  }
  /// The same of the bytes from `first` to before `end`, which is at least 8.
  @inlinable @inline(__always) mutating func absorbEnd(_ start: UnsafeRawPointer, from first: Int, to end: Int) {
    var at = first
    while end &- at >= 8 {
      compress(SipHash.load(start, at))
      at &+= 8
    }
    // One load that ends where the bytes do; of its 8, those that are left.
    let last = (SipHash.load(start, end &- 8) &>> 8) &>> UInt64(truncatingIfNeeded: 56 &- 8 &* (end &- at))
    compress(last | (count &+ UInt64(truncatingIfNeeded: end &- first)) &<< 56)
    count &+= UInt64(truncatingIfNeeded: at &- first &+ 8)
  }
  @inlinable @inline(__always) static func load(_ start: UnsafeRawPointer, _ offset: Int) -> UInt64 {
    UInt64(littleEndian: start.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }
  /// Fewer than 8 bytes as a number, low first.
  @inlinable @inline(__always) static func word(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    let count = bytes.count
    guard let start = bytes.baseAddress, count > 0 else { return 0 }
    if count >= 4 {
      // Two loads, which may overlap.
      let low = UInt32(littleEndian: start.loadUnaligned(as: UInt32.self))
      let high = UInt32(littleEndian: start.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self))
      return UInt64(low) | UInt64(high) &<< UInt64(truncatingIfNeeded: 8 &* (count &- 4))
    }
    let first = start.load(as: UInt8.self)
    let middle = start.load(fromByteOffset: count &>> 1, as: UInt8.self)
    let last = start.load(fromByteOffset: count &- 1, as: UInt8.self)
    return UInt64(first) | UInt64(middle) &<< UInt64(truncatingIfNeeded: 8 &* (count &>> 1))
      | UInt64(last) &<< UInt64(truncatingIfNeeded: 8 &* (count &- 1))
  }
  /// One value of a sequence: its tag and its length stand before its bytes, so that no two sequences are absorbed alike.
  /// A value of up to 5 bytes takes one block.
  @inlinable @inline(__always) public mutating func absorb(_ bytes: UnsafeRawBufferPointer, tag: UInt8) {
    let head = UInt64(tag) | UInt64(UInt16(truncatingIfNeeded: bytes.count)) &<< 8
    guard let start = bytes.baseAddress, bytes.count >= 8 else {
      // What does not fit into the first block is at most two bytes.
      let word = SipHash.word(bytes)
      absorb(head | word &<< 24)
      guard bytes.count > 5 else { return }
      compress(word &>> 40 | (count &+ UInt64(bytes.count &- 5)) &<< 56)
      count &+= 8
      return
    }
    absorb(head | SipHash.load(start, 0) &<< 24)
    absorbEnd(start, from: 5, to: bytes.count)
  }

  @inlinable @inline(__always) mutating func finish(_ mark: UInt64) -> UInt64 {
    v2 ^= mark
    round()
    round()
    round()
    round()
    return v0 ^ v1 ^ v2 ^ v3
  }
  /// The hash of what was absorbed, of a state made with `init(_:)`.
  @inlinable @inline(__always) public func finished() -> UInt64 {
    var copy = self
    return copy.finish(0xFF)
  }
  /// The first 64 bits of the hash of 128, of a state made with `init(wide:)`.
  @inlinable @inline(__always) public func finishedLow() -> UInt64 {
    var copy = self
    return copy.finish(0xEE)
  }
  /// The hash of 128 bits, of a state made with `init(wide:)`.
  @inlinable @inline(__always) public func finishedWide() -> (low: UInt64, high: UInt64) {
    var copy = self
    let low = copy.finish(0xEE)
    copy.v1 ^= 0xDD
    return (low, copy.finish(0))
  }
}
