import Base

/// One comparison, ready: which fact, how, with what, and where to go on.
struct Test: BitwiseCopyable, Sendable {
  enum Kind: UInt8, Sendable {
    case wordIs, wordIsNot, wordIn
    /// Of org and tag: the facts that have several words.
    case setHas, setLacks, setHasAny
    case number, numberIn
    case attributeIs, attributeIsNot, attributeIn, attributeNumber, attributeDate
  }
  var kind: Kind
  var comparator: Comparison.Comparator
  var jump: Condition.Jump
  /// The fact's number, or the attribute's; of a set, 0 is org and 1 is tag.
  var subject: UInt32
  /// A number, a word's number, or where in `RuleSet.values` the list lies: its length, then what is in it.
  var value: Int64

  var isList: Bool {
    switch kind {
    case .wordIn, .setHasAny, .numberIn, .attributeIn: true
    default: false
    }
  }

  @inline(__always) static func compare(_ a: Int64, _ comparator: Comparison.Comparator, _ b: Int64) -> Bool {
    switch comparator {
    case .equal, .among: a == b
    case .notEqual: a != b
    case .less: a < b
    case .lessOrEqual: a <= b
    case .greater: a > b
    case .greaterOrEqual: a >= b
    }
  }
}

/// Where a part of an array lies.
struct Run: BitwiseCopyable, Sendable {
  var start: UInt32 = 0
  var count: UInt32 = 0
  var range: Range<Int> { Int(start)..<Int(start) + Int(count) }
}

/// A version of a rule as evaluations read it.
struct RuleRecord: BitwiseCopyable, Sendable {
  static let noCampaign = UInt32.max

  /// By this candidates are sorted: stage, priority, the first bytes of the id.
  var order: UInt64
  var from: Stamp
  var until: Stamp
  /// Of `RuleSet.tests`.
  var tests = Run()
  /// Numbers of the attributes that it compares, of `RuleSet.values`.
  var attributes = Run()
  var facts: FactSet = []
  var stage: Stage
  var stop: Bool
  var window: CapWindow.Kind
  var merchant = Word.unknown
  var org = Word.unknown
  var campaign: UInt32
  /// What it does: points, a cap's limit, or a fraction's numerator; and its denominator.
  var amount: Int64
  var denominator: Int64
  /// The rule's.
  var number: UInt32
  var version: UInt32
  var id: Word
  var event = Word.unknown
  /// What it stands under in the index: merchants, and words of a dimension, both of `RuleSet.values`.
  var dimension = Dimension.all
  var keyMerchants = Run()
  var keyWords = Run()
  /// The next version of the same rule; −1: none.
  var next: Int32 = -1

  /// What it compares, its scope included.
  var uses: FactSet {
    facts.union(org == .unknown ? [] : .org).union(merchant == .unknown ? [] : FactSet(.merchant))
  }
  var usesLines: Bool { !facts.isDisjoint(with: .ofLines) }

  static func order(_ stage: Stage, _ priority: Int, _ id: UnsafeRawBufferPointer) -> UInt64 {
    var key = UInt64(stage.rawValue) << 58 | UInt64(priority) << 48
    for (place, byte) in id.prefix(6).enumerated() { key |= UInt64(byte) << UInt64(40 - 8 * place) }
    return key
  }
}

/// What a rule is found by beside its event and merchant: a fact that its condition demands. The most telling one first.
enum Dimension: UInt8, CaseIterable, Sendable {
  case all, sku, terminal, category, brand, org, channel, type, region
}
