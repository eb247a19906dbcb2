import Base
import Testing

@testable import Ledger

/// A member's way through the tiers of a program, day by day, as the contract tells it: slow, and made of nothing of the ledger's.
struct TierOracle {
  enum By: String, CaseIterable { case points, spend, visits }
  enum Span: String, CaseIterable {
    case year
    case months = "12m"
    case ever
  }
  enum Down: String, CaseIterable { case earned, one, never }
  struct Tier {
    var name: String
    var at: Int64
    var gift: Int64
  }
  let by: By
  let span: Span
  let down: Down
  let activate: Int64
  let tiers: [Tier]
  /// Since 1970, as all days here.
  let joined: Int64

  /// By the first days of periods.
  private var figures: [Int64: Int64] = [:]
  private var pending: [Int64: Int64] = [:]
  private(set) var tier = 0
  private var floor = 0
  private var today: Int64
  private var given: Set<String> = []
  private(set) var gifts: Int64 = 0

  init(by: By, span: Span, down: Down, activate: Int64, tiers: [Tier], joined: Int64) {
    (self.by, self.span, self.down, self.activate, self.tiers) = (by, span, down, activate, tiers)
    (self.joined, today) = (joined, joined)
  }

  /// The first day of the period that a day is in.
  func start(_ day: Int64) -> Int64 {
    guard span != .ever else { return 0 }
    var first = day
    while true {
      let (year, month, dayOfMonth) = CivilTime.date(day: first)
      if span == .year, month == 1, dayOfMonth == 1 { return first }
      if span == .months {
        let own = CivilTime.date(day: joined)
        let (_, nextMonth, _) = CivilTime.date(day: first + 1)
        let isLeapless = own.month == 2 && own.day == 29 && month == 2 && dayOfMonth == 28 && nextMonth == 3
        if (month, dayOfMonth) == (own.month, own.day) || isLeapless { return first }
      }
      precondition(year > 1960, "a period begins somewhere")
      first -= 1
    }
  }
  private func reached(_ figure: Int64) -> Int { tiers.lastIndex { $0.at <= figure } ?? 0 }
  var qualifying: Int64 { figures[start(today)] ?? 0 }
  var name: String { tiers[tier].name }
  var needed: Int64? { tier + 1 < tiers.count ? max(0, tiers[tier + 1].at - qualifying) : nil }

  mutating func goOn(to day: Int64) {
    while today < day {
      today += 1
      let begun = start(today)
      if begun == today, span != .ever {
        let closed = reached(figures[start(today - 1)] ?? 0)
        if closed < tier {
          switch down {
          case .earned: tier = closed
          case .one: tier -= 1
          case .never: break
          }
        }
        floor = tier
      }
      if let active = pending.removeValue(forKey: today) { count(active, on: today) }
    }
  }
  private mutating func count(_ amount: Int64, on day: Int64) {
    let before = tier
    let period = start(day)
    figures[period, default: 0] += amount
    let now = reached(figures[period] ?? 0)
    if period == start(today) {
      tier = max(floor, now)
    } else {
      floor = max(floor, now)
      tier = max(tier, floor)
    }
    if tier > before, tiers[tier].gift > 0, given.insert("\(tier) \(period)").inserted { gifts += tiers[tier].gift }
  }
  /// The day that points of a sale become active.
  private func activeDay(_ day: Int64) -> Int64 { activate > 0 ? day + activate : day }

  mutating func sell(points: Int64, spend: Int64, on day: Int64) {
    switch by {
    case .points:
      let active = activeDay(day)
      if active > today { pending[active, default: 0] += points } else { count(points, on: active) }
    case .spend: count(spend, on: day)
    case .visits: count(1, on: day)
    }
  }
  mutating func giveBack(points: Int64, spend: Int64, of day: Int64) {
    switch by {
    case .points:
      let active = activeDay(day)
      guard active <= today else {
        pending[active, default: 0] -= points
        return
      }
      take(points, from: start(active))
    case .spend: take(spend, from: start(day))
    case .visits: break
    }
  }
  private mutating func take(_ amount: Int64, from period: Int64) {
    figures[period, default: 0] = max(0, (figures[period] ?? 0) - amount)
    if period == start(today), amount > 0 { tier = max(floor, reached(figures[period] ?? 0)) }
  }
}
