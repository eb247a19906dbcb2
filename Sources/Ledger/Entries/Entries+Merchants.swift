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

  /// A merchant and all that are below it, by name; empty: there is no such one. O(merchants of the tenant × depth).
  public func family(of name: UnsafeRawBufferPointer) -> [[UInt8]] {
    guard let table = entries.table(word: "MERCHANT"), entries.find(table, name, tenant) != nil else { return [] }
    let top = String(decoding: name, as: UTF8.self)
    return entries.numbers(table, of: tenant).map { entries.tables[table].items[Int($0)].key }
      .filter { key in key.withUnsafeBytes { isAtOrBelow($0, top) } }
  }
  /// A merchant's region; nil: it has none.
  public func region(of name: UnsafeRawBufferPointer) -> [UInt8]? {
    guard let table = entries.table(word: "MERCHANT"), let number = entries.find(table, name, tenant),
      let field = entries.tables[table].kind.field("region"),
      let stored = entries.effective(table, entries.tables[table].items[number], field, at: moment), !stored.isEmpty
    else { return nil }
    return Array(stored.withUnsafeBytes { field.text($0) }.utf8)
  }
  /// The first of the organisations that a merchant belongs to; nil: it belongs to none.
  public func org(of name: UnsafeRawBufferPointer) -> [UInt8]? { key(of: "ORG", by: "org", of: "MERCHANT", name) }
  /// Whose terminal one is: the name of its merchant; nil if there is no such terminal.
  public func owner(ofTerminal id: UnsafeRawBufferPointer) -> [UInt8]? {
    key(of: "MERCHANT", by: "merchant", of: "TERMINAL", id)
  }
  /// The first entry of the kind `target` that an entry names in a field.
  private func key(
    of target: String, by field: String, of word: String, _ name: UnsafeRawBufferPointer
  ) -> [UInt8]? {
    guard let table = entries.table(word: word), let targets = entries.table(word: target),
      let number = entries.find(table, name, tenant), let field = entries.tables[table].kind.field(field),
      let stored = entries.effective(table, entries.tables[table].items[number], field, at: moment),
      let found = stored.withUnsafeBytes({ Entries.references($0).first }),
      entries.tables[targets].items.indices.contains(found)
    else { return nil }
    return entries.tables[targets].items[found].key
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
