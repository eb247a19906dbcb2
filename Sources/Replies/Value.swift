/// One reply, parsed: RESP2, and RESP3 (https://github.com/redis/redis-specifications) in the words of RESP2. A map becomes the line of a
/// record, a boolean `yes` or `no`, a set or a push an array.
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

  /// As a word of a record.
  private var word: String {
    switch self {
    case .text(let text): text
    case .error(let code, let text): "\(code) \(text)"
    case .integer(let number): String(number)
    case .bulk(let text): text ?? ""
    case .array(let values): values.map(\.word).joined(separator: ",")
    }
  }

  /// The records of an array; a lone record counts as an array of one.
  public var records: [Record] {
    if case .array(let values) = self { values.compactMap(\.record) } else { record.map { [$0] } ?? [] }
  }

  /// Reads one reply at the front of `bytes`. Gives `nil` while it is incomplete, else the value and its length.
  public static func parse(_ bytes: UnsafeRawBufferPointer) throws(MalformedReply) -> (value: Value, count: Int)? {
    var offset = 0
    guard let value = try parse(bytes, &offset, depth: 0) else { return nil }
    return (value, offset)
  }

  private static func parse(
    _ bytes: UnsafeRawBufferPointer, _ offset: inout Int, depth: Int
  ) throws(MalformedReply) -> Value? {
    guard depth < 8 else { throw MalformedReply(text: "arrays nested too deeply") }
    guard let newline = bytes[offset...].firstIndex(of: UInt8(ascii: "\n")) else { return nil }
    guard newline > offset else { throw MalformedReply(text: "an empty line") }
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
      guard let number = Int64(text) else { throw MalformedReply(text: "':\(text)'") }
      offset = newline + 1
      return .integer(number)
    case UInt8(ascii: "$"):
      guard let count = Int(text), count >= -1, count <= 512 << 20 else { throw MalformedReply(text: "'$\(text)'") }
      if count == -1 {
        offset = newline + 1
        return .bulk(nil)
      }
      guard newline + 1 + count + 2 <= bytes.count else { return nil }
      offset = newline + 1 + count + 2
      return .bulk(String(decoding: bytes[(newline + 1)..<(newline + 1 + count)], as: UTF8.self))
    case UInt8(ascii: "%"):
      guard let count = Int(text), count >= 0, count <= 1 << 20 else { throw MalformedReply(text: "'%\(text)'") }
      var at = newline + 1
      var words: [String] = []
      for _ in 0..<count {
        guard let key = try parse(bytes, &at, depth: depth + 1), let value = try parse(bytes, &at, depth: depth + 1)
        else { return nil }
        words.append("\(key.word)=\(Words.quote(value.word))")
      }
      offset = at
      return .text(words.joined(separator: " "))
    case UInt8(ascii: "_"):
      offset = newline + 1
      return .bulk(nil)
    case UInt8(ascii: "#"):
      offset = newline + 1
      return .text(text == "t" ? "yes" : "no")
    case UInt8(ascii: ","), UInt8(ascii: "("):
      offset = newline + 1
      return .text(text)
    case UInt8(ascii: "*"), UInt8(ascii: "~"), UInt8(ascii: ">"):
      guard let count = Int(text), count >= -1, count <= 16 << 20 else { throw MalformedReply(text: "'*\(text)'") }
      var at = newline + 1
      var values: [Value] = []
      for _ in 0..<max(0, count) {
        guard let value = try parse(bytes, &at, depth: depth + 1) else { return nil }
        values.append(value)
      }
      offset = at
      return .array(values)
    default:
      throw MalformedReply(text: "a line that begins with byte \(kind)")
    }
  }
}

/// Bytes that are no reply of the protocol, and why.
public struct MalformedReply: Error {
  public let text: String
}
