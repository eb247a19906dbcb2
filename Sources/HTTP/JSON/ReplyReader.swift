import Base
import Replies

/// Replies of the protocol (RESP3) to JSON, from bytes to bytes: a record is an object whose values have the types that
/// `tally --json` gives them, an error an object `{"error":{"code","text",…}}`, all else what it is in JSON.
struct ReplyReader {
  /// Bytes that are no reply.
  struct Malformed: Error {}
  enum Outcome: Equatable {
    case value
    /// With the error's code.
    case error(String)
  }
  private let bytes: UnsafeRawBufferPointer
  private(set) var offset = 0
  private static let maximumDepth = 10
  /// What records say of themselves is noted.
  private var isNoting = false
  private var cursor: String?
  private var kind: String?

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// Appends the next reply to `output`. Nil: it is not there as a whole; then nothing is appended. O(bytes).
  mutating func next(into output: inout [UInt8]) throws(Malformed) -> Outcome? {
    let (start, mark) = (offset, output.count)
    if let outcome = try value(depth: 0, into: &output) { return outcome }
    offset = start
    output.removeSubrange(mark...)
    return nil
  }

  /// A record of a list, as JSON, with what it says of its place and its kind.
  struct Noted {
    var json: [UInt8]
    var cursor: String?
    var kind: String?
  }
  /// Gives the records of the next reply, a list, each in turn. Nil: it is not there as a whole; then some may have been given, and
  /// are given again. O(bytes).
  /// - Parameter error: what it says, as JSON, if it is none.
  mutating func nextRecords(
    error: inout [UInt8], _ body: (Noted) -> Void
  ) throws(Malformed) -> Outcome? {
    let start = offset
    guard let (mark, text) = try line() else { return nil }
    guard mark == UInt8(ascii: "*") else {
      offset = start
      guard let outcome = try next(into: &error) else { return nil }
      guard case .error = outcome else { throw Malformed() }
      return outcome
    }
    isNoting = true
    defer { isNoting = false }
    for _ in 0..<max(0, try count(text)) {
      var json: [UInt8] = []
      json.reserveCapacity(512)
      (cursor, kind) = (nil, nil)
      guard try value(depth: 1, into: &json) != nil else {
        offset = start
        return nil
      }
      body(Noted(json: json, cursor: cursor, kind: kind))
    }
    return .value
  }

  // MARK: Parts

  /// What stands behind the mark of a line, up to its end.
  private mutating func line() throws(Malformed) -> (mark: UInt8, text: UnsafeRawBufferPointer)? {
    guard offset < bytes.count else { return nil }
    var end = offset
    while end < bytes.count, bytes[end] != 0x0A { end += 1 }
    guard end < bytes.count else { return nil }
    guard end > offset, bytes[end - 1] == 0x0D else { throw Malformed() }
    let text = UnsafeRawBufferPointer(rebasing: bytes[min(offset + 1, end - 1)..<end - 1])
    let mark = bytes[offset]
    offset = end + 1
    return (mark, text)
  }
  private func count(_ text: UnsafeRawBufferPointer) throws(Malformed) -> Int {
    guard let count = Int(String(decoding: text, as: UTF8.self)), count >= -1, count <= 1 << 24 else {
      throw Malformed()
    }
    return count
  }
  /// The bytes of a bulk string, whose length has been read. Nil: they are not all there.
  private mutating func bulk(_ count: Int) throws(Malformed) -> UnsafeRawBufferPointer? {
    guard bytes.count - offset >= count + 2 else { return nil }
    let text = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
    offset += count + 2
    return text
  }
  /// A text, in whichever of its forms.
  private mutating func text() throws(Malformed) -> UnsafeRawBufferPointer? {
    guard let (mark, text) = try line() else { return nil }
    switch mark {
    case UInt8(ascii: "+"): return text
    case UInt8(ascii: "$"): return try bulk(max(0, try length(text)))
    default: throw Malformed()
    }
  }
  /// That of a bulk string: it may be longer than what is there.
  private func length(_ text: UnsafeRawBufferPointer) throws(Malformed) -> Int {
    guard let length = Int(String(decoding: text, as: UTF8.self)), length >= -1, length <= 1 << 30 else {
      throw Malformed()
    }
    return length
  }

  // MARK: Values

  private mutating func value(depth: Int, into output: inout [UInt8]) throws(Malformed) -> Outcome? {
    guard depth < ReplyReader.maximumDepth else { throw Malformed() }
    guard let (mark, text) = try line() else { return nil }
    switch mark {
    case UInt8(ascii: "+"): output.appendQuoted(text)
    case UInt8(ascii: ":"): output += text
    case UInt8(ascii: "_"): output += Array("null".utf8)
    case UInt8(ascii: "-"): return .error(ReplyReader.error(text, into: &output))
    case UInt8(ascii: "$"):
      let length = try length(text)
      guard length >= 0 else {
        output += Array("null".utf8)
        break
      }
      guard let text = try bulk(length) else { return nil }
      output.appendQuoted(text)
    case UInt8(ascii: "*"):
      output.append(UInt8(ascii: "["))
      for i in 0..<max(0, try count(text)) {
        if i > 0 { output.append(UInt8(ascii: ",")) }
        guard try value(depth: depth + 1, into: &output) != nil else { return nil }
      }
      output.append(UInt8(ascii: "]"))
    case UInt8(ascii: "%"):
      output.append(UInt8(ascii: "{"))
      for i in 0..<max(0, try count(text)) {
        if i > 0 { output.append(UInt8(ascii: ",")) }
        guard let key = try self.text() else { return nil }
        guard try field(key, depth, into: &output) != nil else { return nil }
      }
      output.append(UInt8(ascii: "}"))
    default: throw Malformed()
    }
    return .value
  }

  /// A key, and the value behind it.
  private mutating func field(
    _ name: UnsafeRawBufferPointer, _ depth: Int, into output: inout [UInt8]
  ) throws(Malformed) -> Outcome? {
    let key = String(decoding: name, as: UTF8.self)
    if name.contains(UInt8(ascii: "-")) {
      output.appendQuoted(FieldKind.normal(key))
    } else {
      output.appendQuoted(name)
    }
    output.append(UInt8(ascii: ":"))
    guard offset < bytes.count else { return nil }
    switch bytes[offset] {
    case UInt8(ascii: "+"), UInt8(ascii: "$"):
      guard let text = try text() else { return nil }
      if isNoting, depth == 1 {
        if key == "cursor" { cursor = String(decoding: text, as: UTF8.self) }
        if key == "kind" { kind = String(decoding: text, as: UTF8.self) }
      }
      output.appendValue(of: key, text)
      return .value
    case UInt8(ascii: ":"):
      guard let (_, digits) = try line() else { return nil }
      // A name of digits is a name.
      if FieldKind.of(key) == .text { output.appendQuoted(digits) } else { output += digits }
      return .value
    default: return try value(depth: depth + 1, into: &output)
    }
  }

  // MARK: Errors

  private static let fieldKeys = Set(Field.allCases.map { "\($0.key)" })

  /// `CODE text key=value …`, as an object; the code. Only what a ledger says of its own has fields: the texts of others may
  /// end with words that look like them.
  private static func error(_ line: UnsafeRawBufferPointer, into output: inout [UInt8]) -> String {
    let parts = String(decoding: line, as: UTF8.self).split(
      separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
    let code = parts.first.map(String.init) ?? ""
    var words = (parts.count > 1 ? parts[1] : "").split(separator: " ", omittingEmptySubsequences: false)
    var fields: [(key: Substring, value: Substring)] = []
    while code != "ERR", let word = words.last, let equals = word.firstIndex(of: "="),
      fieldKeys.contains(String(word[..<equals])), !word.contains("\"")
    {
      fields.insert((word[..<equals], word[word.index(after: equals)...]), at: 0)
      words.removeLast()
    }
    output.appendError(code, words.joined(separator: " "), fields.map { (String($0.key), String($0.value)) })
    return code
  }
}

extension [UInt8] {
  /// Text in quotes.
  mutating func appendQuoted(_ text: UnsafeRawBufferPointer) {
    let isPlain = text.allSatisfy { $0 >= 0x20 && $0 < 0x80 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
    guard isPlain else { return appendQuoted(String(decoding: text, as: UTF8.self)) }
    append(UInt8(ascii: "\""))
    self += text
    append(UInt8(ascii: "\""))
  }
  mutating func appendQuoted(_ text: String) { self += Array(JSON.text(text).compact.utf8) }

  /// A value by its field's kind; of a key that has none it is text, as the node said.
  fileprivate mutating func appendValue(of key: String, _ text: UnsafeRawBufferPointer) {
    guard let kind = FieldKind.of(key) else { return appendQuoted(text) }
    if kind == .text && !text.elementsEqual("none".utf8) { return appendQuoted(text) }
    self += Array(FieldKind.json(key, String(decoding: text, as: UTF8.self)).compact.utf8)
  }

  mutating func appendError(_ code: String, _ text: String, _ fields: [(String, String)] = []) {
    let members =
      [("code", JSON.text(code)), ("text", .text(text))]
      + fields.map { (FieldKind.normal($0.0), FieldKind.json($0.0, $0.1)) }
    self += Array(JSON.object([("error", .object(members))]).compact.utf8)
  }
}
