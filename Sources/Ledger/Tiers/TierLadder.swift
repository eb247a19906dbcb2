import Base
import Rules
import Vocabulary

/// The tiers of a program as they are from a moment on, the lowest rank first.
struct TierLadder: Sendable {
  enum Down: Int64, Sendable {
    /// To the tier that the period's counter reaches.
    case earned = 0
    /// One rank, where it reaches less than the present one.
    case one = 1
    case never = 2
  }
  struct Rung: Sendable, BitwiseCopyable {
    /// Among the tiers of the catalogue.
    var number: Int
    var rank: Int64
    /// Who has so much is in it.
    var at: Int64
    var down = Down.earned
    var isActive = true
    /// Points that who reaches it is given; 0: none.
    var gift: Points = 0
    /// What purchases of its members earn times; nil: once.
    var factor: Fraction?
  }
  var from: Stamp
  /// In force; those that are stopped, too.
  var rungs: [Rung] = []

  /// Somebody can be in one.
  var isInForce: Bool { rungs.contains { $0.isActive } }
  var lowest: Int { rungs.firstIndex { $0.isActive } ?? 0 }
  /// Where a tier stands. One that is not in force is as the lowest.
  func place(of number: Int) -> Int { rungs.firstIndex { $0.number == number } ?? lowest }
  /// The highest that a figure reaches.
  func place(reachedBy figure: Int64) -> Int {
    rungs.lastIndex { $0.isActive && $0.at <= figure } ?? lowest
  }
  /// Who holds a tier that is stopped is in the next lower one.
  func place(heldBy number: Int) -> Int {
    let own = place(of: number)
    return rungs[...own].lastIndex { $0.isActive } ?? lowest
  }
  /// The next above a place; nil: there is none.
  func next(above place: Int) -> Rung? {
    rungs[(place + 1)...].first { $0.isActive }
  }
  /// Where who is at a place goes at the end of a period in which the counter came to `figure`.
  func place(after place: Int, figure: Int64) -> Int {
    let reached = self.place(reachedBy: figure)
    guard reached < place else { return reached }
    switch rungs[place].down {
    case .earned: return reached
    case .one: return rungs[..<place].lastIndex { $0.isActive } ?? lowest
    case .never: return place
    }
  }
}

/// All tiers of a program, with what they have in common for ever.
struct TierSet: Sendable {
  enum Measure: Int64, Sendable { case points = 0, spend, recharge, visits }
  enum Span: Int64, Sendable {
    case year = 0
    /// Twelve calendar months, counted from joining.
    case months
    case ever
  }
  var by: Measure
  var span: Span
  /// Among the tiers of the catalogue.
  var numbers: [Int] = []
  /// By their moments.
  var ladders: [TierLadder] = []

  /// Nil: no tier is in force then.
  func ladder(at moment: Stamp) -> TierLadder? {
    guard let found = ladders.last(where: { $0.from <= moment }), found.isInForce else { return nil }
    return found
  }

  /// A period: its first day, and the first of the next; days since 1970 in the program's zone. `ever` has no end: 0 and 0.
  struct Period: Hashable, BitwiseCopyable {
    var start: Int32
    var end: Int32
  }
  /// - Parameter joined: the day on which the member was added.
  func period(of day: Int64, joined: Int64) -> Period {
    switch span {
    case .ever: return Period(start: 0, end: 0)
    case .year:
      let (year, _) = CivilTime.yearAndMonth(day: day)
      return period(CivilTime.days(year: year, month: 1, day: 1), CivilTime.days(year: year + 1, month: 1, day: 1))
    case .months:
      let (_, month, dayOfMonth) = CivilTime.date(day: joined)
      let (year, _) = CivilTime.yearAndMonth(day: day)
      let this = CivilTime.day(year: year, month: month, day: dayOfMonth)
      if this <= day { return period(this, CivilTime.day(year: year + 1, month: month, day: dayOfMonth)) }
      return period(CivilTime.day(year: year - 1, month: month, day: dayOfMonth), this)
    }
  }
  private func period(_ start: Int64, _ end: Int64) -> Period {
    Period(start: Int32(clamping: start), end: Int32(clamping: end))
  }
}

extension CivilTime {
  /// The day of a year that a month and a day of it name: 28 February for the 29th in common years.
  static func day(year: Int64, month: Int64, day: Int64) -> Int64 {
    // The last of February.
    if month == 2, day == 29 { return days(year: year, month: 3, day: 1) - 1 }
    return days(year: year, month: month, day: day)
  }
}

/// What a version of a tier says.
struct TierTerms {
  private(set) var by = TierSet.Measure.points
  private(set) var span = TierSet.Span.year
  private(set) var rung = TierLadder.Rung(number: 0, rank: 0, at: 0)

  /// Throws if it says what this build does not know, or what no `TIER SET` can say.
  init(_ values: EntryValues) throws(MalformedBytes) {
    for (name, number, bytes) in try TermsReader(values, EntryKind.tier).terms {
      switch name {
      case "rank": rung.rank = try number.within(0...1_000)
      case "at": rung.at = try number.within(0...Shape.maximumAmount)
      case "by": by = TierSet.Measure(rawValue: try number.within(0...3)) ?? .points
      case "period": span = TierSet.Span(rawValue: try number.within(0...2)) ?? .year
      case "down": rung.down = TierLadder.Down(rawValue: try number.within(0...2)) ?? .earned
      case "earn-times": rung.factor = Fraction(number >> 32, number & 0xFFFF_FFFF)
      case "gift":
        guard let points = bytes.withUnsafeBytes({ TierGift.points($0) }) else {
          throw MalformedBytes("an unknown gift")
        }
        rung.gift = Points(points)
      case "state": rung.isActive = try number.within(0...1) == 0
      default: throw MalformedBytes("\(name) of a tier is not known to this build")
      }
    }
  }
}

/// `points:N`.
enum TierGift {
  static func points(_ text: UnsafeRawBufferPointer) -> Int64? {
    let word: StaticString = "points:"
    guard text.count > word.utf8CodeUnitCount, text.starts(with: word.bytes) else { return nil }
    let digits = UnsafeRawBufferPointer(rebasing: text[word.utf8CodeUnitCount...])
    guard digits.count <= 16, digits.allSatisfy({ (48...57).contains($0) }) else { return nil }
    let number = digits.reduce(Int64(0)) { $0 * 10 + Int64($1) - 48 }
    return (1...Shape.maximumAmount).contains(number) ? number : nil
  }
}
