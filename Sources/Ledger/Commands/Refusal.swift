import Base
import Vocabulary

/// Why a command is refused: the error that is answered. Whether that is kept under the request's id, `ErrorCode.isKept` says.
struct Refusal: Error {
  typealias Bytes = UnsafeRawBufferPointer
  let code: ErrorCode
  private(set) var text: String
  /// Whom or what it is about.
  var subject = ErrorCode.Subject.own
  /// `left=`, which may be money, or `available=`; and `needed=`.
  var left: Int64?
  var available: Points?
  var needed: Points?
  var which: StaticString?
  // One field more, and the compiler of debug builds destroys what it throws with garbage (Swift 6.3).

  init(_ code: ErrorCode, _ text: String) {
    self.code = code
    self.text = text
  }
  /// `no such merchant 'shop'`
  @inline(never) static func notFound(_ what: StaticString, _ name: Bytes) -> Refusal {
    let said = String(decoding: name, as: UTF8.self)
    guard !name.isIdentifier else { return Refusal(.notFound, "no such \(what) '\(said)'") }
    return Refusal(.notFound, AliasKey.isKey(name) ? "no such alias '\(said)'" : "no such \(what)")
  }
  @inline(never) static func notFound(_ transaction: TransactionID) -> Refusal {
    Refusal(.notFound, "no such transaction '\(transaction.slot.rawValue)-\(transaction.sequence)'")
  }
  @inline(never) static func insufficient(available: Points, needed: Points) -> Refusal {
    var refusal = Refusal(.insufficient, "not enough points available")
    refusal.available = available
    refusal.needed = needed
    return refusal
  }
  /// A member who is closed was merged into that one.
  static func merged(into member: [UInt8]) -> Refusal {
    var refusal = Refusal(.closed, String(decoding: member, as: UTF8.self))
    refusal.subject = .merged
    return refusal
  }
  static var merging: Refusal { Refusal(.busy, "the member is being merged with another") }
  static var replaced: Refusal { Refusal(.lost, "the card is lost for ever: another has replaced it") }
  @inline(never) static func limit(_ which: StaticString, _ text: String = bare) -> Refusal {
    var refusal = Refusal(.limit, text)
    refusal.which = which
    return refusal
  }
  @inline(never) static func reversed(_ text: String, left: some Amount) -> Refusal {
    var refusal = Refusal(.reversed, text)
    refusal.left = left.rawValue
    return refusal
  }

  /// Says which bound was reached, where that is not said yet.
  mutating func explain() {
    guard text == Refusal.bare, let which else { return }
    let known = Refusal.bounds.first { $0.which.bytes.elementsEqual(which.bytes) }
    if let known { text = known.text }
  }
  private static let bare = "over a limit"
  private static let bounds: [(which: StaticString, text: String)] = [
    ("at", "at= is more than 5 minutes ahead"),
    ("points", "a rule gives more than \(Ledger.largestAmount) points"),
    ("balance", "a member has at most \(Ledger.largestBalance) points of a program, and owes no more"),
    ("lots", "the member's points end at too many different moments: some are to be spent or lapse first"),
    ("holds", "the member has as many open holds as there may be: CAPTURE or RELEASE one"),
    ("members", "the shard has as many members as there may be: split it (tally shard split)"),
    ("accounts", "the shard has as many accounts as there may be: split it (tally shard split)"),
    (
      "aliases",
      "a member has at most \(CardRecord.mostAliases) aliases, and \(CardRecord.mostAliasesEver) with those removed; a pool has none"
    ),
    ("pool", "the recipient's own points rest while it is in a pool: name the pool"),
    ("cards", "the member has as many cards as there may be: CARD REMOVE one"),
  ]

  func write(into reply: inout ReplyWriter) {
    let isMerged = subject == .merged
    reply.error(code, isMerged ? "the member was merged into another" : text)
    if let left { reply.field(.left, left) }
    if let available { reply.field(.available, available) }
    if let needed { reply.field(.needed, needed) }
    if let which { reply.field(.which, which.bytes) }
    if isMerged { reply.field(named: "merged", text) }
  }
}

extension Ledger {
  func write(_ refusal: Refusal, into reply: inout ReplyWriter) {
    var refusal = refusal
    if core.semantics >= Semantics.checked { refusal.explain() }
    refusal.write(into: &reply)
  }
}

/// What ends a command before it is done.
enum Stop: Error {
  case refused(Refusal)
  /// It was decided before, or cannot be decided here.
  case decided(Outcome)
  /// No node of a sound cluster builds such a command, and no terminal can ask for it.
  case malformed(String)
}
