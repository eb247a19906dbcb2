import Vocabulary

/// Cuts a condition into words, values and signs.
struct ConditionTokens {
  enum Token: Equatable {
    case word([UInt8])
    /// Without its quotes.
    case quoted([UInt8])
    case comparator(Comparison.Comparator)
    case open, close, comma, end
  }
  private let bytes: UnsafeRawBufferPointer
  private var offset = 0
  /// Where the token that was read last begins.
  private(set) var start = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// The column of the token that was read last, or of an offset.
  func error(_ message: String, at offset: Int? = nil) -> ConditionError {
    // Bytes that continue a character are no columns of their own.
    let column = bytes[..<min(offset ?? start, bytes.count)].reduce(1) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) }
    return ConditionError(column: column, message: message)
  }

  mutating func next() throws(ConditionError) -> Token {
    while offset < bytes.count, bytes[offset] == UInt8(ascii: " ") { offset += 1 }
    start = offset
    guard offset < bytes.count else { return .end }
    let byte = bytes[offset]
    if ByteClass.table[Int(byte)] != 0 { return .word(take { ByteClass.table[Int($0)] != 0 }) }
    offset += 1
    switch byte {
    case UInt8(ascii: "("): return .open
    case UInt8(ascii: ")"): return .close
    case UInt8(ascii: ","): return .comma
    case UInt8(ascii: "'"), UInt8(ascii: "\""): return try quoted(byte)
    case UInt8(ascii: "="): return .comparator(.equal)
    case UInt8(ascii: "<"): return .comparator(takesEqual() ? .lessOrEqual : .less)
    case UInt8(ascii: ">"): return .comparator(takesEqual() ? .greaterOrEqual : .greater)
    case UInt8(ascii: "!") where takesEqual(): return .comparator(.notEqual)
    default: break
    }
    throw error("unexpected \(character(byte)): a value with other characters than A-Za-z0-9._- is put in quotes")
  }
  private mutating func take(_ belongs: (UInt8) -> Bool) -> [UInt8] {
    let first = offset
    while offset < bytes.count, belongs(bytes[offset]) { offset += 1 }
    return Array(bytes[first..<offset])
  }
  private mutating func takesEqual() -> Bool {
    guard offset < bytes.count, bytes[offset] == UInt8(ascii: "=") else { return false }
    offset += 1
    return true
  }
  private mutating func quoted(_ quote: UInt8) throws(ConditionError) -> Token {
    let text = take { $0 != quote }
    guard offset < bytes.count else { throw error("the quote that begins here does not end") }
    offset += 1
    guard !text.isEmpty else { throw error("a value must not be empty") }
    guard text.count <= Condition.longestValue else {
      throw error("a value has at most \(Condition.longestValue) bytes")
    }
    return .quoted(text)
  }
  private func character(_ byte: UInt8) -> String {
    (0x21...0x7E).contains(byte) ? "'\(Character(UnicodeScalar(byte)))'" : "character"
  }
}
