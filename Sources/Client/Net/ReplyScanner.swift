import Glibc

/// Cuts a stream of RESP replies into whole replies at the cost of one `memchr` a line: nothing is copied, nothing
/// but the lengths of bulks and arrays is read. Some 10 ns a reply.
struct ReplyScanner {
  /// Elements that are still missing of the array under way.
  private var missing = 0

  /// Calls `body` with the first byte and the rest of the line (without its line break) of each whole reply: of an
  /// array with `*` and no bytes, once its last element is there. Gives the bytes consumed, or -1 where they are no
  /// RESP; the caller comes again with the rest and what has arrived behind it.
  @inline(__always)
  mutating func scan(_ bytes: UnsafeRawBufferPointer, _ body: (UInt8, UnsafeRawBufferPointer) -> Void) -> Int {
    guard let base = bytes.baseAddress else { return 0 }
    var offset = 0
    while offset < bytes.count {
      guard let newline = memchr(base + offset, 10, bytes.count - offset) else { break }
      var next = UnsafeRawPointer(newline) + 1 - base
      let kind = bytes[offset]
      var lineEnd = next - 1
      if lineEnd > offset, bytes[lineEnd - 1] == 13 { lineEnd -= 1 }
      let line = UnsafeRawBufferPointer(start: base + offset + 1, count: max(0, lineEnd - offset - 1))
      switch kind {
      case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: ":"): break
      case UInt8(ascii: "$"):
        guard let count = ReplyScanner.number(line) else { return -1 }
        if count >= 0 {
          guard next + count + 2 <= bytes.count else { return offset }
          next += count + 2
        }
      case UInt8(ascii: "*"):
        guard let count = ReplyScanner.number(line) else { return -1 }
        if count > 0 {
          missing += count - (missing > 0 ? 1 : 0)
          offset = next
          continue
        }
      default: return -1
      }
      offset = next
      if missing > 0 {
        missing -= 1
        if missing == 0 { body(UInt8(ascii: "*"), UnsafeRawBufferPointer(start: nil, count: 0)) }
      } else {
        body(kind, line)
      }
    }
    return offset
  }

  mutating func reset() { missing = 0 }

  private static func number(_ line: UnsafeRawBufferPointer) -> Int? {
    if line.count == 2, line[0] == UInt8(ascii: "-"), line[1] == UInt8(ascii: "1") { return -1 }
    guard !line.isEmpty, line.count < 10 else { return nil }
    var value = 0
    for byte in line {
      guard byte >= 48, byte <= 57 else { return nil }
      value = value * 10 + Int(byte - 48)
    }
    return value
  }
}
