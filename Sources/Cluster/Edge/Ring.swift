import Base

/// A growing double-ended queue of plain values, addressed by a sequence number that never restarts: the first element
/// ever appended has number `firstSequence`, and each keeps its number while the front moves on. Amortised O(1).
struct Ring<Element: BitwiseCopyable>: ~Copyable {
  private var storage: UnsafeMutablePointer<Element>
  private var mask: Int
  /// The number of the oldest element kept.
  private(set) var first: UInt64
  /// The number that the next element appended will have.
  private(set) var next: UInt64

  init(capacity: Int = 16, firstSequence: UInt64 = 0) {
    var size = 16
    while size < capacity { size *= 2 }
    storage = .allocate(capacity: size)
    mask = size - 1
    first = firstSequence
    next = firstSequence
  }
  deinit { storage.deallocate() }

  var count: Int { Int(next - first) }
  var isEmpty: Bool { next == first }
  func contains(_ sequence: UInt64) -> Bool { sequence >= first && sequence < next }

  /// The element with that number, which must be kept still.
  subscript(sequence: UInt64) -> Element {
    @inline(__always) get {
      precondition(sequence >= first && sequence < next, "a sequence number outside the ring")
      return storage[Int(truncatingIfNeeded: sequence) & mask]
    }
    @inline(__always) set {
      precondition(sequence >= first && sequence < next, "a sequence number outside the ring")
      storage[Int(truncatingIfNeeded: sequence) & mask] = newValue
    }
  }
  @inline(__always) mutating func append(_ element: Element) {
    if count > mask { grow() }
    storage[Int(truncatingIfNeeded: next) & mask] = element
    next += 1
  }
  @inline(__always) mutating func removeFirst() {
    precondition(first < next, "the ring is empty")
    first += 1
  }
  /// Forgets all elements; numbers go on from where they were.
  mutating func removeAll() { first = next }

  private mutating func grow() {
    let bigger = UnsafeMutablePointer<Element>.allocate(capacity: (mask + 1) * 2)
    let biggerMask = (mask + 1) * 2 - 1
    for sequence in first..<next {
      bigger[Int(truncatingIfNeeded: sequence) & biggerMask] = storage[Int(truncatingIfNeeded: sequence) & mask]
    }
    storage.deallocate()
    storage = bigger
    mask = biggerMask
  }
}

/// A queue of bytes addressed by a position that never restarts: bytes keep theirs while the front moves on.
struct ByteRing: ~Copyable {
  private var buffer = ByteBuffer(capacity: 4096)
  /// The position of the oldest byte in the buffer; bytes before `front` are dead but not yet moved away.
  private var base: UInt64 = 0
  private var front: UInt64 = 0

  var end: UInt64 { base + UInt64(buffer.count) }
  /// How many bytes are kept.
  var count: Int { Int(end - front) }

  /// Where to append. Its end is the position `end`.
  mutating func withBuffer<R>(_ body: (inout ByteBuffer) throws -> R) rethrows -> R { try body(&buffer) }
  mutating func append(_ bytes: UnsafeRawBufferPointer) { buffer.append(bytes) }
  /// Writes another number in the place of one that was appended.
  mutating func patch(_ number: UInt64, at position: UInt64) {
    precondition(position >= front && position + 8 <= end, "positions outside the queue")
    buffer.patch(number, at: Int(position - base))
  }
  /// The bytes from one position to another, in place, until the next mutation.
  func bytes(from: UInt64, to: UInt64) -> UnsafeRawBufferPointer {
    precondition(from >= front && from <= to && to <= end, "positions outside the queue")
    return UnsafeRawBufferPointer(rebasing: buffer.bytes[Int(from - base)..<Int(to - base)])
  }
  /// Drops everything before a position. Amortised O(1) a byte: the rest is moved only when the dead part outweighs it.
  mutating func release(before position: UInt64) {
    precondition(position >= front && position <= end, "a position outside the queue")
    front = position
    if front == end {
      base = end
      buffer.removeAll()
      buffer.shrink(to: 1 << 20)
    } else if front - base > 65_536 && front - base > UInt64(buffer.count) / 2 {
      buffer.removeFirst(Int(front - base))
      base = front
    }
  }
}
