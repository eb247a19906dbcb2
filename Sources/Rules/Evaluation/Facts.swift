import Base
import Vocabulary

/// A line of a purchase. Nothing is negative; amounts are minor units.
@frozen public struct FactLine: Hashable, Sendable, BitwiseCopyable {
  public var sku: Word
  public var category: Word
  public var brand: Word
  public var quantity: Int64
  public var amount: Int64
  public init(sku: Word, category: Word = .unknown, brand: Word = .unknown, quantity: Int64, amount: Int64) {
    (self.sku, self.category, self.brand, self.quantity, self.amount) = (sku, category, brand, quantity, amount)
  }
}

/// What is known of a request, its merchant and its member, before anything is booked. Its owner keeps it and clears it for each
/// request, so that nothing is allocated anew.
public struct Facts: Sendable {
  public enum Request: Hashable, Sendable, BitwiseCopyable {
    /// Minor units, in all.
    case purchase(spend: Int64)
    /// An `EARN` that says how many points.
    case points(Int64)
    /// An event's value, if it has one. Its name is `facts[.event]`.
    case event(value: Int64?)
  }
  /// What no number is.
  static let unknown = Int64.min

  public var request = Request.purchase(spend: 0)
  /// The effective time, held within what calendars take.
  public private(set) var moment = Stamp.zero
  /// Microseconds ahead of UTC.
  public private(set) var offset: Int64 = 0
  /// Days since 1970-01-01; nil: unknown.
  public var birthday: Int64?
  /// Those of the merchant and all above them.
  public var orgs: [Word] = []
  public var tags: [Word] = []
  public var lines: [FactLine] = []
  var words = InlineArray<12, Word>(repeating: .unknown)
  var numbers = InlineArray<17, Int64>(repeating: Facts.unknown)
  private(set) var attributes: [Attribute] = []
  private(set) var factors: [Factor] = []
  private(set) var factorIDs: [UInt8] = []

  /// A value of `x.NAME` as conditions compare it.
  struct Attribute: BitwiseCopyable {
    var word = Word.unknown
    var number = Facts.unknown
    var date = Facts.unknown
    static let unknown = Attribute()
  }
  /// A `times` rule that is no rule of the program's.
  struct Factor: BitwiseCopyable {
    var source: Step.Source
    var factor: Fraction
    var number: UInt32
    var version: UInt32
    var id: Run
  }

  public init() {}

  public mutating func clear() {
    request = .purchase(spend: 0)
    (moment, offset, birthday) = (.zero, 0, nil)
    orgs.removeAll(keepingCapacity: true)
    tags.removeAll(keepingCapacity: true)
    lines.removeAll(keepingCapacity: true)
    words = InlineArray(repeating: .unknown)
    numbers = InlineArray(repeating: Facts.unknown)
    attributes.removeAll(keepingCapacity: true)
    factors.removeAll(keepingCapacity: true)
    factorIDs.removeAll(keepingCapacity: true)
  }
  /// The effective time and the program's zone: of what the calendar's facts and windows are made.
  public mutating func setMoment(_ moment: Stamp, offset: Int64) {
    self.moment = max(.zero, min(moment, CivilTime.latest))
    self.offset = max(-CivilTime.microsecondsPerDay, min(offset, CivilTime.microsecondsPerDay))
  }
  /// The day of the effective time, since 1970-01-01.
  var day: Int64 { CivilTime.day(of: moment, offset: offset) }

  /// A fact of the request, the merchant or the member. Those of lines are theirs alone.
  public subscript(fact: WordFact) -> Word {
    get { words[Int(fact.rawValue)] }
    set { words[Int(fact.rawValue)] = newValue }
  }
  /// A fact that the caller counts: visits, streak, since, stock, first (1 or 0). All others are made of the rest.
  public subscript(fact: NumberFact) -> Int64? {
    get { numbers[Int(fact.rawValue)] == Facts.unknown ? nil : numbers[Int(fact.rawValue)] }
    set { numbers[Int(fact.rawValue)] = newValue ?? Facts.unknown }
  }
  /// The value of an attribute that `RuleWork.attributes` names: the event's, else the member's.
  public mutating func setAttribute(_ number: Int, _ value: UnsafeRawBufferPointer, in rules: RuleSet) {
    guard number >= 0, !value.isEmpty else { return }
    while attributes.count <= number { attributes.append(.unknown) }
    attributes[number] = Attribute(
      word: rules.word(value), number: Comparison.wholeNumber(value) ?? Facts.unknown,
      date: MomentText.parseDate(value, earliest: 1) ?? Facts.unknown)
  }
  /// The factor of a tier or a card type: a `times` rule `tier:NAME`, `cardtype:ID`.
  /// - Parameters:
  ///   - id: that.
  ///   - number: the entry's, and its version, for the steps.
  public mutating func add(
    _ source: Step.Source, factor: Fraction, id: UnsafeRawBufferPointer, number: UInt32, version: UInt32
  ) {
    let run = Run(start: UInt32(factorIDs.count), count: UInt32(id.count))
    factorIDs.append(contentsOf: id)
    factors.append(Factor(source: source, factor: factor, number: number, version: version, id: run))
  }
  @inline(__always) func attribute(_ number: UInt32) -> Attribute {
    Int(number) < attributes.count ? attributes[Int(number)] : .unknown
  }
}
