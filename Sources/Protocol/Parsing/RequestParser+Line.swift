import Base
import Glibc

extension RequestParser {
  /// A request that is one line.
  mutating func nextLine(_ bytes: UnsafeRawBufferPointer, _ framing: inout Framing) -> Step {
    guard let base = bytes.baseAddress else { return .incomplete }
    let limit = min(bytes.count, RequestParser.maximumBufferedBytes)
    let known = min(Int(framing.scanned), limit)
    guard let found = memchr(base + known, 0x0A, limit - known) else {
      guard limit == RequestParser.maximumBufferedBytes else {
        framing.scanned = UInt32(limit)
        return .incomplete
      }
      framing.scanned = 0
      framing.skip = .line
      return .refused(consumed: limit, message: Refusal.tooLong)
    }
    framing.scanned = 0
    let consumed = UnsafeRawPointer(found) - base + 1
    var count = consumed - 1
    if count > 0 && base.load(fromByteOffset: count - 1, as: UInt8.self) == 0x0D { count -= 1 }
    guard count <= RequestParser.maximumLineBytes else {
      return .refused(consumed: consumed, message: Refusal.tooLong)
    }
    do throws(Refusal) {
      let words = try split(base, base + count, base + bytes.count)
      return words == 0 ? .empty(consumed: consumed) : step(words: words, consumed: consumed, form: .line, &framing)
    } catch {
      return refusal(error, consumed, .line, &framing)
    }
  }

  /// Splits a line into words: how many. `readable` is where the caller's bytes end, at or behind the line's end.
  ///
  /// Blocks of 64 bytes become masks of the bytes that may end, divide or quote a word, so that the loop takes a turn
  /// for each of those instead of for each byte.
  @inline(__always) private mutating func split(
    _ start: UnsafeRawPointer, _ end: UnsafeRawPointer, _ readable: UnsafeRawPointer
  ) throws(Refusal) -> Int {
    var block = start
    var word = start
    var equals = -1
    var count = 0
    scratchUsed = 0
    nextBlock: while block < end {
      var stops = StopMask.of(block, min(64, end - block), readable)
      while stops != 0 {
        let at = block + stops.trailingZeroBitCount
        stops &= stops &- 1
        let byte = at.load(as: UInt8.self)
        if RequestParser.isSpace(byte) {
          if at > word { count = try note(Word(start: word, count: at - word, equals: equals), count) }
          word = at + 1
          equals = -1
        } else if byte == UInt8(ascii: "=") {
          if equals < 0 { equals = at - word }
        } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
          block = word
          count = try note(try unquote(word, &block, end), count)
          word = block
          equals = -1
          continue nextBlock
        }
      }
      block += 64
    }
    if end > word { count = try note(Word(start: word, count: end - word, equals: equals), count) }
    return count
  }

  @inline(__always) private func note(_ word: Word, _ count: Int) throws(Refusal) -> Int {
    guard count < RequestParser.maximumWords else { throw Refusal(Refusal.tooManyWords) }
    (words + count).initialize(to: word)
    return count &+ 1
  }

  @inline(__always) private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

  /// A word with quotes in it, from its start to its end, into scratch. `at` is behind it then.
  @inline(never) private mutating func unquote(
    _ start: UnsafeRawPointer, _ at: inout UnsafeRawPointer, _ end: UnsafeRawPointer
  ) throws(Refusal) -> Word {
    let begin = scratchUsed
    var quote: UInt8 = 0
    at = start
    while at < end {
      var byte = at.load(as: UInt8.self)
      at += 1
      if quote == 0 {
        if RequestParser.isSpace(byte) { break }
        if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
          quote = byte
          continue
        }
      } else if byte == quote {
        quote = 0
        continue
      } else if byte == UInt8(ascii: "\\") && quote == UInt8(ascii: "\"") {
        byte = try RequestParser.escape(&at, end)
      } else if byte == UInt8(ascii: "\\") && at < end && at.load(as: UInt8.self) == UInt8(ascii: "'") {
        byte = UInt8(ascii: "'")
        at += 1
      }
      scratch.storeBytes(of: byte, toByteOffset: scratchUsed, as: UInt8.self)
      scratchUsed += 1
    }
    let count = scratchUsed - begin
    let word = UnsafeRawPointer(scratch + begin)
    guard quote == 0 else {
      throw Refusal(
        "a quote is not closed in \(Refusal.quoted(UnsafeRawBufferPointer(start: start, count: end - start)))")
    }
    let equals = memchr(word, Int32(UInt8(ascii: "=")), count).map { UnsafeRawPointer($0) - word } ?? -1
    return Word(start: word, count: count, equals: equals)
  }

  /// What stands behind a backslash in double quotes.
  private static func escape(_ at: inout UnsafeRawPointer, _ end: UnsafeRawPointer) throws(Refusal) -> UInt8 {
    guard at < end else { throw Refusal("a quote is not closed behind a backslash") }
    let byte = at.load(as: UInt8.self)
    at += 1
    switch byte {
    case UInt8(ascii: "n"): return 0x0A
    case UInt8(ascii: "r"): return 0x0D
    case UInt8(ascii: "t"): return 0x09
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): return byte
    case UInt8(ascii: "x"):
      guard end - at >= 2, let high = hex(at.load(as: UInt8.self)),
        let low = hex(at.load(fromByteOffset: 1, as: UInt8.self))
      else { throw Refusal("\\x in quotes needs two hexadecimal digits") }
      at += 2
      return high << 4 | low
    default:
      let name = withUnsafeBytes(of: byte) { Refusal.quoted($0) }
      throw Refusal("unknown escape \(name) in quotes; there are \\n \\r \\t \\\" \\\\ \\xHH")
    }
  }

  private static func hex(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
