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
