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
      guard let equals = word.utf8.firstIndex(of: UInt8(ascii: "=")), equals != word.startIndex else { return nil }
      let key = word[..<equals]
      guard key.utf8.allSatisfy(Record.isOfKey) else { return nil }
      fields.append(Field(key: String(key), value: String(word[word.utf8.index(after: equals)...])))
    }
  }
  /// Bytes, since looking up what a character is takes longer than all else of a record.
  private static func isOfKey(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
      true
    default: false
    }
  }

  public subscript(_ key: String) -> String? { fields.first { $0.key == key }?.value }
  public func integer(_ key: String) -> Int64? { self[key].flatMap { Int64($0) } }
}
