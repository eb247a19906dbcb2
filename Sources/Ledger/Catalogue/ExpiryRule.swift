import Base

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
