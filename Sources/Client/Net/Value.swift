/// One reply, parsed (RESP2).
public enum Value: Equatable, Sendable {
  case text(String)
  case error(code: String, text: String)
  case integer(Int64)
  /// A bulk string; `nil` is RESP's null.
  case bulk(String?)
  case array([Value])

  /// The value of a `+` line that is a record, `nil` of anything else.
  public var record: Record? {
    if case .text(let text) = self { Record(text) } else { nil }
  }

  /// The records of an array; a lone record counts as an array of one.
  public var records: [Record] {
    if case .array(let values) = self { values.compactMap(\.record) } else { record.map { [$0] } ?? [] }
  }

  /// The value, or `.refused` where it is an error line.
  public func orThrow() throws(ClientError) -> Value {
    if case .error(let code, let text) = self { throw .refused(code: code, text: text) }
    return self
  }

  /// Reads one reply at the front of `bytes`. Gives `nil` while it is incomplete, else the value and its length.
  static func parse(_ bytes: UnsafeRawBufferPointer) throws(ClientError) -> (value: Value, count: Int)? {
    var offset = 0
    guard let value = try parse(bytes, &offset, depth: 0) else { return nil }
    return (value, offset)
  }

  private static func parse(
    _ bytes: UnsafeRawBufferPointer, _ offset: inout Int, depth: Int
  ) throws(ClientError) -> Value? {
    guard depth < 8 else { throw .malformedReply("arrays nested too deeply") }
    guard let newline = bytes[offset...].firstIndex(of: UInt8(ascii: "\n")) else { return nil }
    guard newline > offset else { throw .malformedReply("an empty line") }
    var end = newline
    if end > offset, bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
    let text = String(decoding: bytes[(offset + 1)..<max(end, offset + 1)], as: UTF8.self)
    let kind = bytes[offset]
    switch kind {
    case UInt8(ascii: "+"):
      offset = newline + 1
      return .text(text)
    case UInt8(ascii: "-"):
      offset = newline + 1
      let parts = text.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
      return .error(code: parts.first.map(String.init) ?? "", text: parts.count > 1 ? String(parts[1]) : "")
    case UInt8(ascii: ":"):
      guard let number = Int64(text) else { throw .malformedReply("':\(text)'") }
      offset = newline + 1
      return .integer(number)
    case UInt8(ascii: "$"):
      guard let count = Int(text), count >= -1, count <= 512 << 20 else { throw .malformedReply("'$\(text)'") }
      if count == -1 {
        offset = newline + 1
        return .bulk(nil)
      }
      guard newline + 1 + count + 2 <= bytes.count else { return nil }
      offset = newline + 1 + count + 2
      return .bulk(String(decoding: bytes[(newline + 1)..<(newline + 1 + count)], as: UTF8.self))
    case UInt8(ascii: "*"):
      guard let count = Int(text), count >= -1, count <= 16 << 20 else { throw .malformedReply("'*\(text)'") }
      var at = newline + 1
      var values: [Value] = []
      for _ in 0..<max(0, count) {
        guard let value = try parse(bytes, &at, depth: depth + 1) else { return nil }
        values.append(value)
      }
      offset = at
      return .array(values)
    default:
      throw .malformedReply("a line that begins with byte \(kind)")
    }
  }
}

/// A line of `key=value` fields, in the order of the line.
public struct Record: Equatable, Sendable {
  public struct Field: Equatable, Sendable {
    public var key: String
    public var value: String
  }
  public var fields: [Field]

  public init(_ fields: [(String, String)]) { self.fields = fields.map { Field(key: $0.0, value: $0.1) } }

  /// `nil` unless every word of the line is `key=value`, and there is at least one.
  public init?(_ line: String) {
    guard let words = Words.split(line), !words.isEmpty else { return nil }
    fields = []
    for word in words {
      guard let equals = word.firstIndex(of: "="), equals != word.startIndex else { return nil }
      let key = word[..<equals]
      guard key.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" || $0 == ".") }) else {
        return nil
      }
      fields.append(Field(key: String(key), value: String(word[word.index(after: equals)...])))
    }
  }

  public subscript(_ key: String) -> String? { fields.first { $0.key == key }?.value }
  public func integer(_ key: String) -> Int64? { self[key].flatMap { Int64($0) } }
}

/// The words of a line, as the protocol splits and quotes them.
public enum Words {
  /// `nil` where a quote is left open or an escape is none.
  public static func split(_ line: String) -> [String]? {
    var words: [String] = []
    var word: [UInt8] = []
    var isInWord = false
    var bytes = Array(line.utf8)[...]
    while let byte = bytes.popFirst() {
      switch byte {
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"):
        if isInWord { words.append(String(decoding: word, as: UTF8.self)) }
        word.removeAll(keepingCapacity: true)
        isInWord = false
      case UInt8(ascii: "'"), UInt8(ascii: "\""):
        isInWord = true
        guard quoted(by: byte, &bytes, into: &word) else { return nil }
      default:
        isInWord = true
        word.append(byte)
      }
    }
    if isInWord { words.append(String(decoding: word, as: UTF8.self)) }
    return words
  }

  private static func quoted(by quote: UInt8, _ bytes: inout ArraySlice<UInt8>, into word: inout [UInt8]) -> Bool {
    while let byte = bytes.popFirst() {
      if byte == quote { return true }
      guard byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") else {
        word.append(byte)
        continue
      }
      switch bytes.popFirst() {
      case UInt8(ascii: "n"): word.append(10)
      case UInt8(ascii: "r"): word.append(13)
      case UInt8(ascii: "t"): word.append(9)
      case UInt8(ascii: "\""): word.append(UInt8(ascii: "\""))
      case UInt8(ascii: "\\"): word.append(UInt8(ascii: "\\"))
      case UInt8(ascii: "x"):
        let digits = String(decoding: bytes.prefix(2), as: UTF8.self)
        guard digits.utf8.count == 2, let value = UInt8(digits, radix: 16) else { return false }
        word.append(value)
        bytes = bytes.dropFirst(2)
      default: return false
      }
    }
    return false
  }

  /// The word as it must be written in a line: quoted where that is needed.
  public static func quote(_ word: String) -> String {
    let isPlain = !word.isEmpty && word.utf8.allSatisfy { $0 > 32 && $0 != 34 && $0 != 39 && $0 != 92 && $0 != 127 }
    guard !isPlain else { return word }
    var text = "\""
    for scalar in word.unicodeScalars {
      switch scalar {
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case _ where scalar.value < 32 || scalar.value == 127:
        let digits = String(scalar.value, radix: 16)
        text += "\\x" + (digits.count == 1 ? "0" : "") + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text + "\""
  }
}
