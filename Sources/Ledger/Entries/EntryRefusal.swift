import Base
import Vocabulary

/// Why a request about entries is refused.
struct EntryRefusal: Error {
  var code: ErrorCode
  var text: String
  /// `which=` of a limit.
  var which: String?
  /// `from=`: when the entry begins to be in force.
  var from: Stamp?

  init(_ code: ErrorCode, _ text: String) {
    self.code = code
    self.text = text
  }
  static func limit(_ which: String, _ text: String) -> EntryRefusal {
    var refusal = EntryRefusal(.limit, text)
    refusal.which = which
    return refusal
  }
  /// `no such merchant 'shop'`, `no such tier 'gold base'`, and by which field it was named.
  static func notFound(_ kind: EntryKind, _ key: UnsafeRawBufferPointer, field: String? = nil) -> EntryRefusal {
    let words = key.split(separator: 0, omittingEmptySubsequences: false).map { UnsafeRawBufferPointer(rebasing: $0) }
    let isNamed = words.allSatisfy(\.isIdentifier)
    let name = isNamed ? " '\(words.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " "))'" : ""
    return EntryRefusal(.notFound, (field.map { "\($0)=: " } ?? "") + "no such \(kind.name)\(name)")
  }

  func write(into reply: inout ReplyWriter) {
    reply.error(code, text)
    if let which { reply.field(.which, which) }
    if let from { reply.field(named: "from", from) }
  }
}
