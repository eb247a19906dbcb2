import Base
import Vocabulary

/// A tenant's merchants at a moment, as a node asks that has to know who acts where.
public struct MerchantView: Sendable {
  let entries: Entries
  let tenant: TenantID
  let moment: Stamp

  public func isThere(_ name: String) -> Bool { number(of: Array(name.utf8)) != nil }

  /// Whether a merchant is another one, or below it. O(depth).
  public func isAtOrBelow(_ name: UnsafeRawBufferPointer, _ above: String) -> Bool {
    if name.elementsEqual(above.utf8) { return true }
    guard let table = entries.table(word: "MERCHANT"), let top = number(of: Array(above.utf8)),
      var next = entries.find(table, name, tenant), let parent = entries.tables[table].kind.field("parent")
    else { return false }
    for _ in 0..<EntryKind.deepest {
      let item = entries.tables[table].items[next]
      guard let stored = entries.effective(table, item, parent, at: moment),
        let number = stored.withUnsafeBytes({ Entries.references($0).first }),
        entries.tables[table].items.indices.contains(number)
      else { return false }
      if number == top { return true }
      next = number
    }
    return false
  }

  /// Whose terminal one is: the name of its merchant; nil if there is no such terminal.
  public func owner(ofTerminal id: UnsafeRawBufferPointer) -> [UInt8]? {
    guard let table = entries.table(word: "TERMINAL"), let merchants = entries.table(word: "MERCHANT"),
      let number = entries.find(table, id, tenant), let field = entries.tables[table].kind.field("merchant"),
      let stored = entries.effective(table, entries.tables[table].items[number], field, at: moment),
      let owner = stored.withUnsafeBytes({ Entries.references($0).first }),
      entries.tables[merchants].items.indices.contains(owner)
    else { return nil }
    return entries.tables[merchants].items[owner].key
  }

  private func number(of name: [UInt8]) -> Int? {
    guard let table = entries.table(word: "MERCHANT") else { return nil }
    return name.withUnsafeBytes { entries.find(table, $0, tenant) }
  }
}

extension Entries {
  public func merchants(of tenant: TenantID, at moment: Stamp) -> MerchantView {
    MerchantView(entries: self, tenant: tenant, moment: moment)
  }
}
