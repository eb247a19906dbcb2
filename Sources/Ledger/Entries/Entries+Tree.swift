import Base
import Vocabulary

// Trees: entries of a kind below each other. At every moment, announced ones too, there is no circle, and no more than
// `EntryKind.deepest` are above each other.
extension Entries {
  /// Refuses what would make a circle, or be too deep. O(depth); of an entry that others are below O(entries of the tenant).
  func checkTree(
    _ setting: (number: Int?, from: Stamp, values: EntryValues), _ table: Int, _ tenant: TenantID
  ) throws(EntryRefusal) {
    for field in tables[table].kind.fields where field.traits.contains(.tree) {
      guard let above = setting.values[field.number]?.withUnsafeBytes({ Entries.references($0) }).first else {
        continue
      }
      var climb = Climb(items: tables[table].items, field: field.number, changed: setting.number, to: above)
      try refuse(climb.check(above, from: setting.from, until: .never, below: 1), field)
      guard let number = setting.number, tables[table].parents.contains(number) else { continue }
      for other in numbers(table, of: tenant) where Int(other) != number {
        try refuse(climb.check(Int(other), from: setting.from, until: .never, below: 0, isCircle: false), field)
      }
    }
  }
  private func refuse(_ fault: Climb.Fault?, _ field: EntryField) throws(EntryRefusal) {
    switch fault {
    case .circle: throw EntryRefusal(.malformed, "\(field.name)= would make a circle")
    case .depth: throw .limit("depth", "more than \(EntryKind.deepest) above each other")
    case nil: return
    }
  }
}

/// A way up a tree as it will be once an entry has another above it.
private struct Climb {
  enum Fault { case circle, depth }
  let items: ChunkedQueue<EntryItem>
  let field: Int
  /// Which entry has another above it, and which.
  let changed: Int?
  let to: Int
  /// Who looks at more in one change is refused: nobody's tree changes so often.
  private var left = 4_000_000

  init(items: ChunkedQueue<EntryItem>, field: Int, changed: Int?, to above: Int) {
    self.items = items
    self.field = field
    self.changed = changed
    to = above
  }

  /// Looks at all that are above an entry at any moment of a time.
  /// - Parameters:
  ///   - below: how many are below it on this way.
  ///   - isCircle: whether the way began at the changed entry.
  mutating func check(
    _ number: Int, from start: Stamp, until end: Stamp, below: Int, isCircle: Bool = true
  ) -> Fault? {
    if isCircle, number == changed { return .circle }
    left -= 1
    guard below < EntryKind.deepest, left > 0 else { return .depth }
    if number == changed { return check(to, from: start, until: end, below: below + 1, isCircle: isCircle) }
    let item = items[number]
    let beginnings = item.beginnings(from: start).filter { $0 < end }
    for (i, beginning) in beginnings.enumerated() {
      let above = item.with(field, at: beginning) { $0.flatMap { Entries.references($0).first } }
      guard let above else { continue }
      let next = i + 1 < beginnings.count ? beginnings[i + 1] : end
      if let fault = check(above, from: beginning, until: next, below: below + 1, isCircle: isCircle) { return fault }
    }
    return nil
  }
}
