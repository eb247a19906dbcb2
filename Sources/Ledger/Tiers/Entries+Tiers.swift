import Base
import Vocabulary

extension Entries {
  /// Refuses a tier that counts otherwise than the others of its program, more than there may be, and a gift or a price that is none.
  func checkTier(
    _ setting: Setting, _ table: Int, _ tenant: TenantID, _ stamp: Stamp, _ semantics: UInt8, key: Bytes
  ) throws(EntryRefusal) {
    var item = setting.number.map { tables[table].items[$0] } ?? EntryItem(tenant: tenant, key: [])
    item.append(
      EntryItem.Change(
        number: item.newest &+ 1, from: setting.from, until: setting.until, set: stamp, by: [], values: setting.values,
        rest: setting.rest))
    for moment in item.beginnings(from: setting.from) where item.isInForce(at: moment) {
      if let gift = item.value(TierField.gift, at: moment), gift.withUnsafeBytes({ TierGift.points($0) }) == nil {
        throw EntryRefusal(
          .malformed, "gift= must be points:N, of \(Shape.points.requirement): there are no vouchers yet")
      }
      let days = item.value(TierField.days, at: moment).map { EntryField.number(stored: $0) }
      guard days ?? 1 <= TierField.mostDays else {
        throw EntryRefusal(.malformed, "days= must be a whole number from 1 to \(TierField.mostDays)")
      }
      guard (item.value(TierField.price, at: moment) == nil) == (days == nil) else {
        throw EntryRefusal(.malformed, "price= and days= go together: what a tier costs, and for how long")
      }
    }
    guard let program = key.split(separator: 0, maxSplits: 1).first else { return }
    if semantics >= Semantics.checked {
      try checkRank(item, setting, table, tenant, program: Bytes(rebasing: program))
    }
    guard setting.number == nil else { return }
    try checkFellows(item, setting.from, table, tenant, program: Bytes(rebasing: program))
  }
  /// Refuses a rank that another tier of the program has at some moment: of two, nobody could say which is higher. One that is stopped
  /// has none. What was so before rests: it can be mended one tier at a time.
  private func checkRank(
    _ item: EntryItem, _ setting: Setting, _ table: Int, _ tenant: TenantID, program: Bytes
  ) throws(EntryRefusal) {
    let old = setting.number.map { tables[table].items[$0] }
    for number in fellows(table, tenant, program: program) where number != setting.number {
      let fellow = tables[table].items[number]
      for moment in item.beginnings(from: setting.from) + fellow.beginnings(from: setting.from) {
        guard let rank = fellow.rank(at: moment), item.rank(at: moment) == rank, old?.rank(at: moment) != rank else {
          continue
        }
        let name = String(decoding: fellow.key.dropFirst(program.count + 1), as: UTF8.self)
        throw EntryRefusal(
          .malformed, "rank= must be another: tier \(name) of the program has rank \(EntryField.number(stored: rank))")
      }
    }
  }
  /// The numbers of a program's tiers, by name.
  private func fellows(_ table: Int, _ tenant: TenantID, program: Bytes) -> [Int] {
    numbers(table, of: tenant, after: program).prefix { number in
      let key = tables[table].items[Int(number)].key
      return key.starts(with: program) && key.dropFirst(program.count).first == 0
    }.map { Int($0) }
  }
  /// Of a new tier: those of the same program, which are side by side.
  private func checkFellows(
    _ item: EntryItem, _ from: Stamp, _ table: Int, _ tenant: TenantID, program: Bytes
  ) throws(EntryRefusal) {
    var count = 0
    for number in fellows(table, tenant, program: program) {
      let fellow = tables[table].items[number]
      count += 1
      for field in [TierField.by, TierField.period]
      where fellow.value(field, at: .never) != item.value(field, at: from) {
        let name = EntryKind.tier.field(number: field)?.name ?? ""
        throw EntryRefusal(.malformed, "\(name)= must be the same of all tiers of a program")
      }
    }
    guard count < EntryKind.mostTiers else {
      throw .limit("tiers", "the program has \(count) tiers, which is the most")
    }
  }
}

extension EntryItem {
  /// Of a tier, what is kept of its rank at a moment; nil: it is stopped, or not in force.
  fileprivate func rank(at moment: Stamp) -> [UInt8]? {
    let state = value(EntryField.stateNumber, at: moment).map { EntryField.number(stored: $0) } ?? 0
    return isInForce(at: moment) && state == 0 ? value(TierField.rank, at: moment) : nil
  }
}

/// Numbers of a tier's fields: see `EntryKind.tier`.
enum TierField {
  static let rank = 2
  static let by = 4
  static let period = 5
  static let gift = 9
  static let price = 10
  static let days = 11
  static let mostDays: Int64 = 36_500
}
