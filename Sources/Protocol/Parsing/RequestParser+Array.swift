import Base
import Glibc

extension RequestParser {
  /// Beyond these the sender is not worth following: as in Redis (`proto-max-bulk-len`, and its limit of an array).
  static let maximumSkippedBulkBytes: Int64 = 512 << 20
  static let maximumSkippedBulks: Int64 = 1 << 20

  /// The number in a header line `*N` or `$N`.
  private enum Number {
    case value(Int64)
    case incomplete
    case malformed
  }

  /// A request that is a RESP array of bulk strings.
  mutating func nextArray(_ bytes: UnsafeRawBufferPointer, _ framing: inout Framing) -> Step {
    guard let base = bytes.baseAddress else { return .incomplete }
    var at = 1
    let total: Int64
    switch RequestParser.number(bytes, &at) {
    case .value(let value): total = value
    case .incomplete: return .incomplete
    case .malformed: return fatal("protocol error: '*' without the number of words", &framing)
    }
    guard total > 0 else { return .empty(consumed: at) }
    guard total <= Int64(RequestParser.maximumWords) else {
      guard total <= RequestParser.maximumSkippedBulks else { return fatal(Refusal.tooManyWords, &framing) }
      framing.skip = .bulks
      framing.bulks = UInt32(total)
      return .refused(consumed: at, message: Refusal.tooManyWords)
    }
    let count = Int(total)
    for i in 0..<count {
      let header = at
      let length: Int
      switch RequestParser.bulkLength(bytes, &at) {
      case .value(let value): length = Int(value)
      case .incomplete:
        guard bytes.count >= RequestParser.maximumBufferedBytes else { return .incomplete }
        return skipRest(count - i, from: header, &framing)
      case .malformed: return fatal("protocol error: expected '$' and the length of a word", &framing)
      }
      guard at + length + 2 <= RequestParser.maximumBufferedBytes else {
        return skipRest(count - i, from: header, &framing)
      }
      guard at + length + 2 <= bytes.count else { return .incomplete }
      guard base.loadUnaligned(fromByteOffset: at + length, as: UInt16.self).littleEndian == 0x0A0D else {
        return fatal("protocol error: a word is not followed by CRLF", &framing)
      }
      words[i] = Word(start: base + at, count: length, equals: RequestParser.equals(base + at, length))
      at += length + 2
    }
    return step(words: count, consumed: at, form: .resp, &framing)
  }

  @inline(__always) private static func equals(_ start: UnsafeRawPointer, _ count: Int) -> Int {
    var i = 0
    while i < count {
      if start.load(fromByteOffset: i, as: UInt8.self) == UInt8(ascii: "=") { return i }
      i &+= 1
    }
    return -1
  }

  /// The digits behind `*` or `$`, and their CRLF. `at` is behind them then.
  @inline(__always) private static func number(_ bytes: UnsafeRawBufferPointer, _ at: inout Int) -> Number {
    guard let base = bytes.baseAddress else { return .incomplete }
    var i = at
    var value: Int64 = 0
    var isNegative = false
    if i < bytes.count, base.load(fromByteOffset: i, as: UInt8.self) == UInt8(ascii: "-") {
      isNegative = true
      i &+= 1
    }
    let first = i
    while i < bytes.count {
      let digit = base.load(fromByteOffset: i, as: UInt8.self) &- 48
      guard digit < 10 else { break }
      guard i &- first < 18 else { return .malformed }
      value = value &* 10 &+ Int64(digit)
      i &+= 1
    }
    guard i < bytes.count else { return .incomplete }
    guard i > first, base.load(fromByteOffset: i, as: UInt8.self) == 0x0D else { return .malformed }
    guard i &+ 1 < bytes.count else { return .incomplete }
    guard base.load(fromByteOffset: i &+ 1, as: UInt8.self) == 0x0A else { return .malformed }
    at = i &+ 2
    return .value(isNegative ? -value : value)
  }

  /// `$N` and its CRLF.
  @inline(__always) private static func bulkLength(_ bytes: UnsafeRawBufferPointer, _ at: inout Int) -> Number {
    guard at < bytes.count else { return .incomplete }
    guard bytes[at] == UInt8(ascii: "$") else { return .malformed }
    at &+= 1
    let length = number(bytes, &at)
    if case .value(let value) = length, value < 0 || value > maximumSkippedBulkBytes { return .malformed }
    return length
  }

  /// The request is too long: `bulks` of its words, from the header at `offset` on, are thrown away as they come.
  private func skipRest(_ bulks: Int, from offset: Int, _ framing: inout Framing) -> Step {
    framing.skip = .bulks
    framing.bulks = UInt32(bulks)
    framing.bytes = 0
    return .refused(consumed: offset, message: Refusal.tooLong)
  }

  /// Throws away what is left of a request that was too long. `bytes` are not empty.
  @inline(never) func skip(_ bytes: UnsafeRawBufferPointer, _ framing: inout Framing) -> Step {
    switch framing.skip {
    case .nothing: return .incomplete
    case .everything: return .empty(consumed: bytes.count)
    case .line:
      guard let end = bytes.firstIndex(of: 0x0A) else { return .empty(consumed: bytes.count) }
      framing.skip = .nothing
      return .empty(consumed: end + 1)
    case .bulks: return skipBulks(bytes, &framing)
    }
  }

  private func skipBulks(_ bytes: UnsafeRawBufferPointer, _ framing: inout Framing) -> Step {
    var at = 0
    while true {
      let part = min(framing.bytes, bytes.count - at)
      framing.bytes -= part
      at += part
      if framing.bytes == 0 && framing.bulks == 0 {
        framing.skip = .nothing
        return .empty(consumed: at)
      }
      guard framing.bytes == 0 else { return .empty(consumed: at) }
      let header = at
      switch RequestParser.bulkLength(bytes, &at) {
      case .value(let length):
        framing.bytes = Int(length) + 2
        framing.bulks -= 1
      case .incomplete: return header == 0 ? .incomplete : .empty(consumed: header)
      case .malformed: return fatal("protocol error: expected '$' and the length of a word", &framing)
      }
    }
  }
}
