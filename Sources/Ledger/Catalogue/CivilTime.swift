import Base

/// Calendar arithmetic in integers: the proleptic Gregorian calendar at a fixed offset from UTC. The conversions are
/// those of Howard Hinnant, "chrono-compatible low-level date algorithms". No time zone, no leap second.
enum CivilTime {
  static let microsecondsPerSecond: Int64 = 1_000_000
  static let microsecondsPerDay: Int64 = 86_400_000_000
  /// Stamps are held within this, 9999-12-31, so that no sum of a stamp and a period overflows.
  static let latest = Stamp(microseconds: 253_402_214_400_000_000)

  /// Days since 1970-01-01 of a civil date. `month` is 1 to 12.
  static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
    let y = month <= 2 ? year - 1 : year
    let era = floorDivide(y, 400)
    let yearOfEra = y - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }
  /// Year and month (1 to 12) of a day counted from 1970-01-01.
  static func yearAndMonth(day: Int64) -> (year: Int64, month: Int64) {
    let z = day + 719_468
    let era = floorDivide(z, 146_097)
    let dayOfEra = z - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month)
  }
  /// The civil day that a moment falls in, at an offset.
  static func day(of moment: Stamp, offset: Int64) -> Int64 {
    floorDivide(moment.microseconds + offset, microsecondsPerDay)
  }
  /// 00:00 of a day, at an offset.
  static func midnight(ofDay day: Int64, offset: Int64) -> Stamp {
    Stamp(microseconds: day * microsecondsPerDay - offset)
  }
  @inline(__always) static func floorDivide(_ a: Int64, _ b: Int64) -> Int64 {
    let quotient = a / b
    return a % b < 0 ? quotient - 1 : quotient
  }
}

/// How long points live (R3). The end is exclusive and falls on 00:00 in the program's zone (R2).
struct ExpiryRule: Hashable, Sendable, BitwiseCopyable {
  enum Unit: UInt8, Sendable { case never = 0, days = 1, months = 2 }
  var unit: Unit
  var count: Int32
  static let never = ExpiryRule(unit: .never, count: 0)

  /// The first moment at which points earned at `moment` are no longer good. Days: the end of the day of the earning and
  /// `count` days more. Months: `count` months after the end of the calendar month of the earning.
  func end(earnedAt moment: Stamp, offset: Int64) -> Stamp {
    switch unit {
    case .never: return .never
    case .days:
      return CivilTime.midnight(ofDay: CivilTime.day(of: moment, offset: offset) + Int64(count) + 1, offset: offset)
    case .months:
      let (year, month) = CivilTime.yearAndMonth(day: CivilTime.day(of: moment, offset: offset))
      let index = year * 12 + month - 1 + Int64(count) + 1
      let first = CivilTime.days(year: CivilTime.floorDivide(index, 12), month: index % 12 + 1, day: 1)
      return CivilTime.midnight(ofDay: first, offset: offset)
    }
  }

  init(unit: Unit, count: Int32) {
    self.unit = unit
    self.count = count
  }
}

/// Points for money: `points` for every `money` minor units. `money` of 0 is no rate.
struct EarnRate: Hashable, Sendable, BitwiseCopyable {
  var points: Points
  var money: Money
  static let none = EarnRate(points: 0, money: 0)
  /// Both terms are bounded, so that an amount times a rate fits 128 bits.
  static let largestTerm: UInt64 = 1_000_000_000

  /// Floor of `spend` × points / money, one rounding (R12); nil if it is over `largest`.
  @inline(__always) func points(forSpend spend: Money, largest: Points) -> Points? {
    let (money, largest) = (self.money.rawValue, largest.rawValue)
    let product = spend.rawValue.multipliedFullWidth(by: points.rawValue)
    guard product.high < money else { return nil }
    if product.high == 0 && product.low <= UInt64(Int64.max) {
      let result = Int64(product.low) / money
      return result <= largest ? Points(result) : nil
    }
    let (quotient, _) = UInt64(money).dividingFullWidth((UInt64(product.high), product.low))
    return quotient <= UInt64(largest) ? Points(Int64(quotient)) : nil
  }
  init(points: Points, money: Money) {
    self.points = points
    self.money = money
  }
}
