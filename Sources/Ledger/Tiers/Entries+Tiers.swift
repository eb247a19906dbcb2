import Base
import Vocabulary

extension Entries {
  /// Refuses a tier that counts otherwise than the others of its program, more than there may be, and a gift or a price that is none.
  func checkTier(
    _ setting: Setting, _ table: Int, _ tenant: TenantID, _ stamp: Stamp, key: Bytes
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
    guard setting.number == nil, let program = key.split(separator: 0, maxSplits: 1).first else { return }
    try checkFellows(item, setting.from, table, tenant, program: Bytes(rebasing: program))
  }
  /// Of a new tier: those of the same program, which are side by side.
  private func checkFellows(
    _ item: EntryItem, _ from: Stamp, _ table: Int, _ tenant: TenantID, program: Bytes
  ) throws(EntryRefusal) {
    var count = 0
    for number in numbers(table, of: tenant, after: program) {
      let fellow = tables[table].items[Int(number)]
      guard fellow.key.starts(with: program), fellow.key.dropFirst(program.count).first == 0 else { break }
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

/// Numbers of a tier's fields: see `EntryKind.tier`.
enum TierField {
  static let by = 4
  static let period = 5
  static let gift = 9
  static let price = 10
  static let days = 11
  static let mostDays: Int64 = 36_500
}
