import Base
import Vocabulary

/// All that operators have set up: the entries of every kind, with their changes. A value, the same on every replica of the
/// directory: changed by `set` alone, which is given what the directory's log says. Entries of a kind are numbered in the
/// order in which they came, for ever; nothing is removed.
///
/// What shards need of it they are told by deltas (`CatalogueDelta`), one for each change of a kind that they need.
public struct Entries: Sendable {
  typealias Bytes = UnsafeRawBufferPointer

  /// The entries of one kind.
  struct Table: Sendable {
    let kind: EntryKind
    /// By number. A copy is cheap, and so is the first change after it: copies are made for other threads.
    var items = ChunkedQueue<EntryItem>()
    /// Numbers, by tenant and key.
    var order = EntryOrder()
    /// Numbers of those that others have been below.
    var parents: Set<Int> = []
  }
  /// In the order of kinds.
  var tables: [Table]
  /// How many deltas there have been: the version of the catalogue that shards have.
  public internal(set) var version: UInt32 = 0
  var count: Int { tables.reduce(0) { $0 + $1.items.count } }

  public init(kinds: [EntryKind] = EntryKind.all) { tables = kinds.map { Table(kind: $0) } }

  /// Whether shards need the kind that a request is about.
  public func isForShards(_ request: EntryRequest) -> Bool {
    tables.contains { $0.kind.number == Int(request.kind) && $0.kind.isForShards }
  }
  /// Where the table of a kind is.
  func table(_ number: UInt16) throws(EntryRefusal) -> Int {
    guard let found = tables.firstIndex(where: { $0.kind.number == Int(number) }) else {
      throw EntryRefusal(.malformed, "no such kind of entry")
    }
    return found
  }
  /// Where the table of the kind is that a reference is to.
  func table(word: String) -> Int? { tables.firstIndex { $0.kind.word == word } }

  func find(_ table: Int, _ key: Bytes, _ tenant: TenantID) -> Int? {
    tables[table].order.find(tenant, key) { tables[table].items[$0] }
  }
  /// The numbers of a tenant's entries, by key.
  func numbers(_ table: Int, of tenant: TenantID, after key: Bytes? = nil) -> ArraySlice<UInt32> {
    tables[table].order.slice(of: tenant, after: key) { tables[table].items[$0] }
  }

  // MARK: Values

  /// What a field is at a moment, with what stands for it where nothing was said; nil if that is nothing. Of a field that one
  /// entry alone has: when this one said so.
  func effective(_ table: Int, _ item: EntryItem, _ field: EntryField, at moment: Stamp) -> [UInt8]? {
    if let value = item.value(field.number, at: moment) { return value }
    guard let standard = field.standard, !field.traits.contains(.exclusive) else { return nil }
    return stored(standard, of: field, tables[table].kind) { item.value($0, at: moment) }
  }
  private func stored(
    _ standard: EntryField.Standard, of field: EntryField, _ kind: EntryKind, _ value: (Int) -> [UInt8]?
  ) -> [UInt8]? {
    let text = standard.text { name in
      guard let other = kind.field(name) else { return nil }
      return value(other.number).map { $0.withUnsafeBytes { other.text($0) } } ?? other.standard?.text { _ in nil }
    }
    return Array(text.utf8).withUnsafeBytes { field.stored($0) }
  }

  /// The numbers of the entries that a value names.
  static func references(_ stored: Bytes) -> [Int] {
    var reader = ByteReader(stored)
    var all: [Int] = []
    while !reader.isAtEnd, let number = try? reader.readVarint() { all.append(Int(truncatingIfNeeded: number)) }
    return all
  }

  /// Which of a tenant's entries has the `yes` that one alone has; nil if there are none. O(entries of the tenant).
  func holder(_ table: Int, _ field: EntryField, _ tenant: TenantID, at moment: Stamp) -> Int? {
    var best: (number: Int, claim: Int64)?
    var first: Int?
    for number in numbers(table, of: tenant).lazy.map({ Int($0) }) {
      first = min(first ?? number, number)
      let item = tables[table].items[number]
      guard let stored = item.value(field.number, at: moment) else { continue }
      let claim = EntryField.number(stored: stored)
      if claim > best?.claim ?? .min { best = (number, claim) }
    }
    return best?.number ?? first
  }

  // MARK: Moments

  /// The offset of the zone in which dates of an entry begin, in microseconds.
  /// - Parameter value: a field of it.
  func zone(_ table: Int, at moment: Stamp, _ value: (EntryField) -> [UInt8]?) -> Int64 {
    guard let field = tables[table].kind.fields.first(where: { $0.traits.contains(.zone) }), let stored = value(field)
    else { return 0 }
    guard case .reference(let word, _) = field.form else {
      return stored.withUnsafeBytes { EntryField.number(stored: $0) } * 60 * CivilTime.microsecondsPerSecond
    }
    guard let other = self.table(word: word), let number = stored.withUnsafeBytes({ Entries.references($0) }).first,
      tables[other].items.indices.contains(number)
    else { return 0 }
    let item = tables[other].items[number]
    return zone(other, at: moment) { effective(other, item, $0, at: moment) }
  }
  func zone(_ table: Int, _ item: EntryItem, at moment: Stamp) -> Int64 {
    let own = item.key.withUnsafeBytes { zone(ofKey: $0, table, item.tenant, at: moment) }
    return own ?? zone(table, at: moment) { effective(table, item, $0, at: moment) }
  }
  /// The zone of the program that an entry's key begins with, as that of a policy or a tier does; nil: it names none.
  func zone(ofKey key: Bytes, _ table: Int, _ tenant: TenantID, at moment: Stamp) -> Int64? {
    guard tables[table].kind.key.first?.reference == EntryKind.program.word,
      let programs = self.table(word: EntryKind.program.word), let name = key.split(separator: 0, maxSplits: 1).first,
      let number = find(programs, Bytes(rebasing: name), tenant)
    else { return nil }
    return zone(programs, tables[programs].items[number], at: moment)
  }
  /// The moment that a number of `Shape.dateOrMoment` is, in a zone.
  static func moment(_ number: Int64, zone: Int64) -> Stamp {
    number >= 0 ? Stamp(microseconds: number) : CivilTime.midnight(ofDay: -1 - number, offset: zone)
  }
}

/// The numbers of a kind's entries in the order of their tenants and keys.
struct EntryOrder: Sendable {
  private(set) var numbers: [UInt32] = []

  /// Takes in an entry, the newest. A search, and a move of 4 bytes for each that is behind it.
  mutating func add(_ number: Int, _ item: (Int) -> EntryItem) {
    let new = item(number)
    let place = new.key.withUnsafeBytes { key in firstPlace { EntryOrder.precedes(item($0), new.tenant, key) } }
    numbers.insert(UInt32(number), at: place)
  }
  /// All of so many, at once.
  init() {}
  init(count: Int, _ item: (Int) -> EntryItem) {
    numbers = (0..<UInt32(count)).sorted { left, right in
      let other = item(Int(right))
      return other.key.withUnsafeBytes { EntryOrder.precedes(item(Int(left)), other.tenant, $0) }
    }
  }
  func find(_ tenant: TenantID, _ key: UnsafeRawBufferPointer, _ item: (Int) -> EntryItem) -> Int? {
    let place = firstPlace { EntryOrder.precedes(item($0), tenant, key) }
    guard place < numbers.count else { return nil }
    let found = item(Int(numbers[place]))
    return found.tenant == tenant && found.key.elementsEqual(key) ? Int(numbers[place]) : nil
  }
  /// A tenant's, behind a key if one is given.
  func slice(
    of tenant: TenantID, after key: UnsafeRawBufferPointer?, _ item: (Int) -> EntryItem
  ) -> ArraySlice<UInt32> {
    let start = firstPlace { number in
      let item = item(number)
      guard item.tenant == tenant else { return item.tenant.rawValue < tenant.rawValue }
      return key.map { !$0.lexicographicallyPrecedes(item.key) } ?? false
    }
    let end = firstPlace { item($0).tenant.rawValue <= tenant.rawValue }
    return numbers[start..<max(start, end)]
  }

  /// The first place whose number is not before.
  private func firstPlace(_ isBefore: (Int) -> Bool) -> Int {
    var low = 0
    var high = numbers.count
    while low < high {
      let middle = low + (high - low) / 2
      if isBefore(Int(numbers[middle])) { low = middle + 1 } else { high = middle }
    }
    return low
  }
  private static func precedes(_ item: EntryItem, _ tenant: TenantID, _ key: UnsafeRawBufferPointer) -> Bool {
    item.tenant == tenant ? item.key.lexicographicallyPrecedes(key) : item.tenant.rawValue < tenant.rawValue
  }
}
