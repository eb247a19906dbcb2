/// A JSON value that somebody sent (RFC 8259). Numbers stay as they were written: what they may be, the verb's row says.
indirect enum JSONInput: Equatable, Sendable {
  case text(String)
  case number(String)
  case flag(Bool)
  case null
  case array([JSONInput])
  /// In the order sent; names may be there twice.
  case object([Member])

  struct Member: Equatable, Sendable {
    var name: String
    var value: JSONInput
  }

  /// Where and why the bytes are no JSON.
  struct Malformed: Error, Equatable {
    var text: String
    var offset: Int
  }

  /// Arrays and objects lie at most so deep in each other.
  private static let maximumDepth = 8

  /// The one value that the bytes are. O(bytes).
  static func parse(_ bytes: [UInt8]) throws(Malformed) -> JSONInput {
    var reader = Reader(bytes: bytes)
    let value = try reader.value(depth: 0)
    reader.skipSpace()
    guard reader.at == bytes.count else { throw reader.malformed("more follows") }
    return value
  }

  private struct Reader {
    let bytes: [UInt8]
    var at = 0

    var peek: UInt8? { at < bytes.count ? bytes[at] : nil }
    func malformed(_ text: String) -> Malformed { Malformed(text: text, offset: at) }
    mutating func skipSpace() {
      while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { at += 1 }
    }
    mutating func take(_ byte: Unicode.Scalar) -> Bool {
      skipSpace()
      guard peek == UInt8(ascii: byte) else { return false }
      at += 1
      return true
    }

    mutating func value(depth: Int) throws(Malformed) -> JSONInput {
      guard depth < JSONInput.maximumDepth else { throw malformed("nested too deeply") }
      skipSpace()
      switch peek {
      case UInt8(ascii: "{"): return try object(depth)
      case UInt8(ascii: "["): return try array(depth)
      case UInt8(ascii: "\""): return .text(try string())
      case UInt8(ascii: "t"): return try word("true", .flag(true))
      case UInt8(ascii: "f"): return try word("false", .flag(false))
      case UInt8(ascii: "n"): return try word("null", .null)
      case .some(let byte) where byte == UInt8(ascii: "-") || isDigit(byte): return .number(try number())
      default: throw malformed("a value is missing")
      }
    }
    private mutating func object(_ depth: Int) throws(Malformed) -> JSONInput {
      at += 1
      var members: [Member] = []
      if take("}") { return .object(members) }
      repeat {
        skipSpace()
        guard peek == UInt8(ascii: "\"") else { throw malformed("a name in quotes is missing") }
        let name = try string()
        guard take(":") else { throw malformed("a colon is missing") }
        members.append(Member(name: name, value: try value(depth: depth + 1)))
      } while take(",")
      guard take("}") else { throw malformed("an object is not closed") }
      return .object(members)
    }
    private mutating func array(_ depth: Int) throws(Malformed) -> JSONInput {
      at += 1
      var values: [JSONInput] = []
      if take("]") { return .array(values) }
      repeat { values.append(try value(depth: depth + 1)) } while take(",")
      guard take("]") else { throw malformed("a list is not closed") }
      return .array(values)
    }
    private mutating func word(_ word: StaticString, _ value: JSONInput) throws(Malformed) -> JSONInput {
      let count = word.utf8CodeUnitCount
      guard bytes.count - at >= count,
        bytes[at..<at + count].elementsEqual(UnsafeBufferPointer(start: word.utf8Start, count: count))
      else { throw malformed("a value is missing") }
      at += count
      return value
    }
    private func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
    private mutating func digits() throws(Malformed) {
      let start = at
      while let byte = peek, isDigit(byte) { at += 1 }
      guard at > start else { throw malformed("a digit is missing") }
    }
    private mutating func number() throws(Malformed) -> String {
      let start = at
      if peek == UInt8(ascii: "-") { at += 1 }
      if peek == UInt8(ascii: "0") { at += 1 } else { try digits() }
      if peek == UInt8(ascii: ".") {
        at += 1
        try digits()
      }
      if let byte = peek, byte | 0x20 == UInt8(ascii: "e") {
        at += 1
        if let sign = peek, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { at += 1 }
        try digits()
      }
      return String(decoding: bytes[start..<at], as: UTF8.self)
    }

    // MARK: Text

    private mutating func string() throws(Malformed) -> String {
      at += 1
      var text: [UInt8] = []
      while let byte = peek {
        at += 1
        switch byte {
        case UInt8(ascii: "\""):
          guard let string = String(validating: text, as: UTF8.self) else { throw malformed("text that is not UTF-8") }
          return string
        case UInt8(ascii: "\\"): try escape(into: &text)
        case 0..<0x20: throw malformed("a control character in a text")
        default: text.append(byte)
        }
      }
      throw malformed("a text is not closed")
    }
    private mutating func escape(into text: inout [UInt8]) throws(Malformed) {
      guard let byte = peek else { throw malformed("a text is not closed") }
      at += 1
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
      case UInt8(ascii: "b"): text.append(0x08)
      case UInt8(ascii: "f"): text.append(0x0C)
      case UInt8(ascii: "n"): text.append(0x0A)
      case UInt8(ascii: "r"): text.append(0x0D)
      case UInt8(ascii: "t"): text.append(0x09)
      case UInt8(ascii: "u"): text += Array(String(Character(try scalar())).utf8)
      default: throw malformed("an unknown escape")
      }
    }
    /// What stands behind `\u`: one unit of UTF-16, or a pair that belongs together.
    private mutating func scalar() throws(Malformed) -> Unicode.Scalar {
      let high = try unit()
      if let scalar = Unicode.Scalar(UInt32(high)) { return scalar }
      guard high < 0xDC00, peek == UInt8(ascii: "\\") else { throw malformed("half of a pair of \\u") }
      at += 1
      guard peek == UInt8(ascii: "u") else { throw malformed("half of a pair of \\u") }
      at += 1
      let low = try unit()
      let value = 0x10000 + (UInt32(high) - 0xD800) << 10
      guard (0xDC00..<0xE000).contains(low), let scalar = Unicode.Scalar(value + UInt32(low) - 0xDC00) else {
        throw malformed("half of a pair of \\u")
      }
      return scalar
    }
    private mutating func unit() throws(Malformed) -> UInt16 {
      let digits = bytes[at..<min(at + 4, bytes.count)]
      let isHex = digits.allSatisfy { isDigit($0) || (0x61...0x66).contains($0 | 0x20) }
      guard digits.count == 4, isHex, let value = UInt16(String(decoding: digits, as: UTF8.self), radix: 16) else {
        throw malformed("\\u needs four hexadecimal digits")
      }
      at += 4
      return value
    }
  }
}
