import Base

/// What an evaluation works in: the candidates of a request, the facts of one line, and the points so far. Its owner keeps it, so
/// that nothing is allocated anew. It belongs to one rule set, as it was at `find`.
public struct RuleWork: Sendable {
  /// A version that may take part, or a factor of the facts.
  struct Candidate: BitwiseCopyable {
    var order: UInt64
    /// The record's place; of a factor −1 and its place less.
    var place: Int32
    var verdict = Verdict.open
  }
  /// Whether a condition that asks for no line is true.
  enum Verdict: UInt8 { case open, yes, no }

  /// Points of one rule that are still credited to it.
  struct Part: BitwiseCopyable {
    var stage: Stage
    var points: Int64
    var campaign: UInt32
    var number: UInt32
    var version: UInt32
  }

  /// The numbers of the attributes that candidates compare.
  public private(set) var attributes: [Int] = []
  /// What candidates compare.
  var needs: FactSet = []
  var candidates: [Candidate] = []
  var parts: [Part] = []
  /// The facts as conditions see them: those of the line that is looked at included.
  var words = InlineArray<12, Word>(repeating: .unknown)
  var numbers = InlineArray<17, Int64>(repeating: Facts.unknown)
  /// Of each line: which candidate has it (−1: the rate), and its own points.
  var owners: [Int32] = []
  var own: [Int64] = []
  var weights: [Int64] = []
  var remainders: [Remainder] = []
  /// When a record was last a candidate.
  private var marks: [UInt32] = []
  private var generation: UInt32 = 0

  public init() {}

  /// Begins anew, for a rule set with so many records.
  mutating func begin(_ records: Int) {
    needs = []
    attributes.removeAll(keepingCapacity: true)
    candidates.removeAll(keepingCapacity: true)
    generation &+= 1
    if marks.count < records || generation == 0 {
      marks = [UInt32](repeating: 0, count: max(records, marks.count))
      generation = 1
    }
  }
  /// Whether it has been looked at already.
  @inline(__always) mutating func isMarked(_ record: Int32) -> Bool {
    if marks[Int(record)] == generation { return true }
    marks[Int(record)] = generation
    return false
  }
  mutating func need(attribute: Int64) {
    if !attributes.contains(Int(attribute)) { attributes.append(Int(attribute)) }
  }

  // MARK: Facts

  /// Takes the facts of the whole request.
  mutating func load(_ facts: Facts, _ needed: FactSet) {
    words = facts.words
    numbers = facts.numbers
    for fact in [NumberFact.quantity, .amount, .spend, .points, .value] { self[fact] = Facts.unknown }
    switch facts.request {
    case .purchase(let spend):
      (self[.spend], self[.amount], self[.quantity]) = (spend, spend, 1)
      words[Int(WordFact.event.rawValue)] = .unknown
    case .points(let points): self[.points] = points
    case .event(let value): self[.value] = value ?? Facts.unknown
    }
    for fact in [WordFact.sku, .category, .brand] { words[Int(fact.rawValue)] = .unknown }
    if !needed.isDisjoint(with: .calendar) { loadCalendar(facts) }
  }
  @inline(__always) mutating func load(_ line: FactLine) {
    words[Int(WordFact.sku.rawValue)] = line.sku
    words[Int(WordFact.category.rawValue)] = line.category
    words[Int(WordFact.brand.rawValue)] = line.brand
    self[.quantity] = line.quantity
    self[.amount] = line.amount
  }
  private mutating func loadCalendar(_ facts: Facts) {
    let today = facts.day
    let date = CivilTime.date(day: today)
    let sinceMidnight = facts.moment.microseconds + facts.offset - today * CivilTime.microsecondsPerDay
    self[.hour] = sinceMidnight / (3600 * CivilTime.microsecondsPerSecond)
    self[.weekday] = CapWindow.weekday(today)
    (self[.date], self[.day], self[.month]) = (today, date.day, date.month)
    guard let birthday = facts.birthday, (-1_000_000...10_000_000).contains(birthday) else {
      (self[.age], self[.birthday]) = (Facts.unknown, Facts.unknown)
      return
    }
    let born = CivilTime.date(day: birthday)
    // 29 February is kept on 28 February in common years.
    let isLeap = date.year % 4 == 0 && (date.year % 100 != 0 || date.year % 400 == 0)
    let kept = born.month == 2 && born.day == 29 && !isLeap ? 28 : born.day
    let isBefore = (date.month, date.day) < (born.month, kept)
    self[.birthday] = date.month == born.month && date.day == kept ? 1 : 0
    let age = date.year - born.year - (isBefore ? 1 : 0)
    self[.age] = age < 0 ? Facts.unknown : age
  }
  private subscript(fact: NumberFact) -> Int64 {
    @inline(__always) get { numbers[Int(fact.rawValue)] }
    @inline(__always) set { numbers[Int(fact.rawValue)] = newValue }
  }

  // MARK: Points

  var total: Int64 { parts.reduce(0) { $0 + $1.points } }

  /// Takes points off, of the last part first. There are as many.
  mutating func cut(_ points: Int64) {
    var rest = points
    var at = parts.count
    while rest > 0, at > 0 {
      at -= 1
      let taken = min(rest, parts[at].points)
      parts[at].points -= taken
      rest -= taken
    }
  }
}
