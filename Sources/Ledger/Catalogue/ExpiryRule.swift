import Base
import Vocabulary

/// How long points live (R3). The end is exclusive and falls on 00:00 in the program's zone (R2).
struct ExpiryRule: Hashable, Sendable, BitwiseCopyable {
  typealias Unit = ExpiryText.Unit
  private var rawUnit: UInt8
  var unit: Unit { Unit(rawValue: Int64(rawUnit)) ?? .never }
  var count: Int32
  /// Days that are added to the end.
  var grace: Int32 = 0
  static let never = ExpiryRule(unit: .never, count: 0)

  /// The first moment at which points earned at `moment` are no longer good. Days: the end of the day of the earning and
  /// `count` days more. Months, quarters, years: so many after the end of that of the earning. Activity: as days, from the latest.
  func end(earnedAt moment: Stamp, offset: Int64) -> Stamp {
    let day = CivilTime.day(of: moment, offset: offset)
    let last: Int64
    switch unit {
    case .never: return .never
    case .days, .activity: last = day + Int64(count) + 1
    case .months: last = firstDay(ofPeriod: 1, day)
    case .quarters: last = firstDay(ofPeriod: 3, day)
    case .years: last = firstDay(ofPeriod: 12, day)
    }
    return CivilTime.midnight(ofDay: last + Int64(grace), offset: offset)
  }
  /// The day after the last of the period `count` periods after that of a day.
  private func firstDay(ofPeriod months: Int64, _ day: Int64) -> Int64 {
    let (year, month) = CivilTime.yearAndMonth(day: day)
    let period = CivilTime.floorDivide(year * 12 + month - 1, months)
    let index = (period + Int64(count) + 1) * months
    return CivilTime.days(year: CivilTime.floorDivide(index, 12), month: index % 12 + 1, day: 1)
  }

  init(unit: Unit, count: Int32, grace: Int32 = 0) {
    rawUnit = UInt8(unit.rawValue)
    self.count = count
    self.grace = grace
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
