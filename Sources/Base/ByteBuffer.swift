#if canImport(Glibc)
  import Glibc
#endif

/// A growing run of bytes with one owner. Integers are little-endian. Appending is amortised O(1) and allocates only
/// to double; nothing here is reference counted.
@frozen public struct ByteBuffer: ~Copyable, @unchecked Sendable {
  @usableFromInline var base: UnsafeMutableRawPointer
  @usableFromInline var used: Int
  @usableFromInline var room: Int
  @inlinable public var count: Int { used }
  @inlinable public var capacity: Int { room }

  /// An empty buffer with room for `capacity` bytes (at least 64).
  public init(capacity: Int = 256) {
    self.room = max(64, capacity)
    self.base = UnsafeMutableRawPointer.allocate(byteCount: max(64, capacity), alignment: 16)
    self.used = 0
  }
  deinit { base.deallocate() }

  @inlinable public var isEmpty: Bool { count == 0 }
  /// The bytes written. Valid until the next mutation.
  @inlinable public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }
  /// A copy of the bytes written.
  public var array: [UInt8] { Array(bytes) }

  @inlinable public mutating func removeAll() { used = 0 }
  /// Forgets everything after the first `newCount` bytes.
  @inlinable public mutating func truncate(to newCount: Int) {
    precondition(newCount >= 0 && newCount <= count)
    used = newCount
  }
  /// Moves the bytes from `offset` on to the front. O(remaining).
  @inlinable public mutating func removeFirst(_ n: Int) {
    precondition(n >= 0 && n <= count)
    if n < count { memmove(base, base + n, count - n) }
    used -= n
  }
  /// Gives memory back when a burst is over.
  public mutating func shrink(to newCapacity: Int) {
    guard count <= newCapacity, capacity > newCapacity else { return }
    reallocate(max(64, newCapacity))
  }

  /// Makes room for `n` more bytes, and gives the place where they go; `commit(n)` then counts them.
  @inlinable @inline(__always) public mutating func reserve(_ n: Int) -> UnsafeMutableRawPointer {
    if used &+ n > room { reallocate(max(capacity * 2, count + n)) }
    return base + count
  }
  @inlinable @inline(__always) public mutating func commit(_ n: Int) {
    precondition(n >= 0 && count + n <= capacity)
    used &+= n
  }
  @usableFromInline mutating func reallocate(_ newCapacity: Int) {
    let bigger = UnsafeMutableRawPointer.allocate(byteCount: newCapacity, alignment: 16)
    memcpy(bigger, base, count)
    base.deallocate()
    base = bigger
    room = newCapacity
  }

  @inlinable @inline(__always) public mutating func append(_ byte: UInt8) {
    reserve(1).storeBytes(of: byte, as: UInt8.self)
    used &+= 1
  }
  @inlinable @inline(__always) public mutating func append<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
    reserve(MemoryLayout<T>.size).storeBytes(of: value.littleEndian, as: T.self)
    used &+= MemoryLayout<T>.size
  }
  @inlinable @inline(__always) public mutating func append(_ data: UnsafeRawBufferPointer) {
    guard let start = data.baseAddress, data.count > 0 else { return }
    ByteBuffer.copy(start, data.count, to: reserve(data.count))
    used &+= data.count
  }
  /// Most of what is copied is short: two loads that overlap are cheaper than a call.
  @inlinable @inline(__always) static func copy(
    _ start: UnsafeRawPointer, _ count: Int, to place: UnsafeMutableRawPointer
  ) {
    guard count >= 8, count <= 16 else {
      memcpy(place, start, count)
      return
    }
    let low = start.loadUnaligned(as: UInt64.self)
    let high = start.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
    place.storeBytes(of: low, as: UInt64.self)
    place.storeBytes(of: high, toByteOffset: count &- 8, as: UInt64.self)
  }
  @inlinable public mutating func append(_ data: [UInt8]) { data.withUnsafeBytes { append($0) } }
  @inlinable public mutating func append(_ text: StaticString) {
    append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }
  public mutating func append(utf8 text: String) {
    var copy = text
    copy.withUTF8 { append(UnsafeRawBufferPointer($0)) }
  }
  /// Length as LEB128, then the bytes.
  @inlinable public mutating func append(counted data: UnsafeRawBufferPointer) {
    let count = data.count
    guard count < 0x80 else {
      append(varint: UInt64(count))
      append(data)
      return
    }
    let place = reserve(count &+ 1)
    place.storeBytes(of: UInt8(truncatingIfNeeded: count), as: UInt8.self)
    if let start = data.baseAddress, count > 0 { ByteBuffer.copy(start, count, to: place + 1) }
    used &+= count &+ 1
  }
  public mutating func append(counted data: [UInt8]) { data.withUnsafeBytes { append(counted: $0) } }
  public mutating func append(counted text: String) {
    var copy = text
    copy.withUTF8 { append(counted: UnsafeRawBufferPointer($0)) }
  }
  /// Unsigned LEB128: 7 bits a byte, low first.
  @inlinable @inline(__always) public mutating func append(varint value: UInt64) {
    let place = reserve(10)
    guard value >= 0x80 else {
      place.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
      used &+= 1
      return
    }
    var rest = value
    var n = 0
    while rest >= 0x80 {
      place.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: n, as: UInt8.self)
      rest &>>= 7
      n &+= 1
    }
    place.storeBytes(of: UInt8(truncatingIfNeeded: rest), toByteOffset: n, as: UInt8.self)
    used &+= n &+ 1
  }
  /// A signed integer, zigzag then LEB128.
  @inlinable @inline(__always) public mutating func append(zigzag value: Int64) {
    append(varint: UInt64(bitPattern: value &<< 1 ^ value &>> 63))
  }
  /// Decimal digits of a number.
  @inlinable public mutating func append(decimal value: Int64) {
    if value < 0 { append(UInt8(ascii: "-")) }
    append(decimal: value.magnitude)
  }
  @inlinable public mutating func append(decimal value: UInt64) {
    var rest = value
    var digits = 1
    while rest >= 10 {
      rest /= 10
      digits &+= 1
    }
    let place = reserve(digits)
    rest = value
    var at = digits
    while at > 0 {
      at &-= 1
      place.storeBytes(of: UInt8(truncatingIfNeeded: rest % 10) &+ 48, toByteOffset: at, as: UInt8.self)
      rest /= 10
    }
    used &+= digits
  }
  /// Counts in a byte already written, which is below 255.
  @inlinable @inline(__always) mutating func increment(at offset: Int) {
    precondition(offset >= 0 && offset < used)
    let value = base.load(fromByteOffset: offset, as: UInt8.self)
    precondition(value < 255, "a byte counts to 255")
    base.storeBytes(of: value &+ 1, toByteOffset: offset, as: UInt8.self)
  }
  /// Overwrites bytes already written, for lengths known only afterwards.
  @inlinable @inline(__always) public mutating func patch<T: FixedWidthInteger & BitwiseCopyable>(
    _ value: T, at offset: Int
  ) {
    precondition(offset >= 0 && offset + MemoryLayout<T>.size <= count)
    base.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
  }
}

/// What a `ByteReader` throws: the bytes end early, or hold what no writer wrote.
public struct MalformedBytes: Error, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}

/// A bounds-checked cursor over bytes that somebody else owns: valid only while they are.
@frozen public struct ByteReader {
  public let bytes: UnsafeRawBufferPointer
  @usableFromInline var position: Int
  /// How many bytes have been read.
  @inlinable public var offset: Int { position }

  @inlinable @inline(__always) public init(_ bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
    self.position = 0
  }
  @inlinable public var remaining: Int { bytes.count - offset }
  @inlinable public var isAtEnd: Bool { offset == bytes.count }

  @inlinable @inline(__always) public mutating func read<T: FixedWidthInteger & BitwiseCopyable>(
    _ type: T.Type = T.self
  ) throws(MalformedBytes) -> T {
    guard bytes.count &- position >= MemoryLayout<T>.size else {
      throw MalformedBytes("bytes end within an integer")
    }
    let value = bytes.loadUnaligned(fromByteOffset: position, as: T.self)
    position &+= MemoryLayout<T>.size
    return T(littleEndian: value)
  }
  @inlinable @inline(__always) public mutating func readVarint() throws(MalformedBytes) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      guard offset < bytes.count, shift < 64 else {
        throw MalformedBytes("a variable-length integer is cut or too long")
      }
      let byte = bytes[offset]
      position &+= 1
      value |= UInt64(byte & 0x7F) &<< shift
      if byte < 0x80 { return value }
      shift &+= 7
    }
  }
  @inlinable @inline(__always) public mutating func readZigzag() throws(MalformedBytes) -> Int64 {
    let raw = try readVarint()
    return Int64(bitPattern: raw &>> 1) ^ -Int64(bitPattern: raw & 1)
  }
  /// The next `n` bytes, in place.
  @inlinable @inline(__always) public mutating func readBytes(_ n: Int) throws(MalformedBytes) -> UnsafeRawBufferPointer
  {
    guard n >= 0, remaining >= n else { throw MalformedBytes("bytes end within a field") }
    let slice = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset &+ n])
    position &+= n
    return slice
  }
  /// A LEB128 length, then that many bytes, in place.
  @inlinable @inline(__always) public mutating func readCounted() throws(MalformedBytes) -> UnsafeRawBufferPointer {
    // One byte says the length of what is short.
    guard let base = bytes.baseAddress, position < bytes.count, case let n = Int(bytes[position]), n < 0x80 else {
      return try readLong()
    }
    guard n < bytes.count &- position else { throw MalformedBytes("a field is longer than what is left") }
    let start = base + (position &+ 1)
    position &+= n &+ 1
    return UnsafeRawBufferPointer(start: start, count: n)
  }
  @inlinable @inline(never) mutating func readLong() throws(MalformedBytes) -> UnsafeRawBufferPointer {
    let n = try readVarint()
    guard n <= UInt64(remaining) else { throw MalformedBytes("a field is longer than what is left") }
    return try readBytes(Int(n))
  }
  public mutating func readString() throws(MalformedBytes) -> String {
    String(decoding: try readCounted(), as: UTF8.self)
  }
}
