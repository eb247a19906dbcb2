import Base
import Vocabulary

extension Entries {
  /// The most records of one list.
  public static let longestList = 10_000
  /// One list looks at no more entries, and is no longer in bytes: what is behind is asked for anew.
  static let mostLookedAt = 16_384
  static let mostListBytes = 4 << 20

  /// `KIND SHOW`: answered at once, or by the journal.
  /// - Parameters:
  ///   - now: what is meant where the request names no moment.
  ///   - end: where the journal ends.
  public func show(
    _ request: EntryRequest, tenant: TenantID, now: Stamp, journal end: JournalPosition, into reply: inout ReplyWriter
  ) -> ReadOutcome {
    answer(into: &reply) { (reply) throws(EntryRefusal) in
      let table = try table(request.kind)
      let number = try found(table, request.key, tenant)
      let item = tables[table].items[number]
      let moment = request.moment.map { Entries.moment($0, zone: zone(table, item, at: now)) } ?? now
      guard item.firstBeginning <= moment else { throw notInForce(from: item.firstBeginning) }
      var unknown = tables[table].kind.hasExclusive ? self.unknown(table, tenant, at: moment) : []
      if item.knownSince > moment, !unknown.contains(number) { unknown.append(number) }
      guard unknown.isEmpty else {
        return .journal(
          JournalQuery(
            EntryWalk(showing: number, table, in: self, at: moment, unknown: unknown), end: end))
      }
      show(table, number, at: moment, into: &reply)
      return .replied
    }
  }
  private func notInForce(from: Stamp? = nil) -> EntryRefusal {
    var refusal = EntryRefusal(.closed, "it is not in force at that moment")
    refusal.from = from
    return refusal
  }
  /// The record of an entry, if it is in force.
  /// - Parameter isPast: it was read from the journal.
  func show(_ table: Int, _ number: Int, at moment: Stamp, isPast: Bool = false, into reply: inout ReplyWriter) {
    let item = tables[table].items[number]
    guard item.isInForce(at: moment) else {
      return notInForce(from: item.nextBeginning(after: moment)).write(into: &reply)
    }
    let holders = holders(table, tables[table].items[number].tenant, at: moment)
    record(table, number, at: moment, holders, isPast: isPast, into: &reply)
  }
  /// A tenant's entries that were in force at a moment at which the journal alone knows what they were. O(entries).
  private func unknown(_ table: Int, _ tenant: TenantID, at moment: Stamp) -> [Int] {
    numbers(table, of: tenant).map { Int($0) }.filter { tables[table].items[$0].isForgotten(at: moment) }
  }
  /// What an entry was, as the journal has it.
  mutating func restore(_ changes: [EntryItem.Change], of number: Int, in table: Int) {
    tables[table].items[number].changes = changes
    tables[table].items[number].knownSince = .zero
  }
  /// What it takes to render records: a copy of it stays cheap, whatever becomes of these.
  var forRecords: Entries {
    var copy = self
    for table in copy.tables.indices { copy.tables[table].parents = [] }
    return copy
  }
  /// `KIND LIST`: those in force, by key.
  public func list(
    _ request: EntryRequest, tenant: TenantID, now: Stamp, limit: Int, after key: UnsafeRawBufferPointer,
    into reply: inout ReplyWriter
  ) {
    _ = answer(into: &reply) { (reply) throws(EntryRefusal) in
      let table = try table(request.kind)
      let moment = request.moment.map { Entries.moment($0, zone: 0) } ?? now
      if tables[table].kind.hasExclusive, let one = unknown(table, tenant, at: moment).first {
        throw notKept(table, tables[table].items[one])
      }
      let holders = holders(table, tenant, at: moment)
      let filters = try filters(request, table, tenant)
      var records = ReplyWriter(capacity: 4_096)
      var count = 0
      var looked = 0
      var last = ""
      let start = key.map { $0 == UInt8(ascii: "/") ? 0 : $0 }
      let rest = start.withUnsafeBytes { numbers(table, of: tenant, after: $0.isEmpty ? nil : $0) }
      for number in rest.lazy.map({ Int($0) }) {
        let item = tables[table].items[number]
        guard count < limit else { break }
        guard looked < Entries.mostLookedAt, records.buffer.count < Entries.mostListBytes else {
          // The request is to come again, behind the last that was looked at.
          records.record()
          records.field(.more, "yes")
          records.field(named: "after", last)
          count += 1
          break
        }
        looked += 1
        last = item.keyText
        if item.isForgotten(at: moment) { throw notKept(table, item) }
        guard item.isInForce(at: moment),
          filters.allSatisfy({ matches($0, table, number, item, at: moment, holders) })
        else { continue }
        record(table, number, at: moment, holders, into: &records)
        count += 1
      }
      reply.array(count: count)
      reply.buffer.append(records.buffer.bytes)
      return .replied
    }
  }
  /// A list reads no journal; without one of its records it would be wrong.
  private func notKept(_ table: Int, _ item: EntryItem) -> EntryRefusal {
    let name = tables[table].kind.name
    return .limit(
      "at", "what \(name) '\(item.keyText)' was at that moment is in the journal alone: ask for each \(name) by SHOW")
  }
  /// `KIND HISTORY`: the changes before a version, newest first. All of them are in the journal.
  public func history(
    _ request: EntryRequest, tenant: TenantID, limit: Int, journal end: JournalPosition, into reply: inout ReplyWriter
  ) -> ReadOutcome {
    answer(into: &reply) { (reply) throws(EntryRefusal) in
      let table = try table(request.kind)
      let number = try found(table, request.key, tenant)
      let walk = EntryWalk(historyOf: number, table, in: self, limit: limit, before: request.before ?? .max)
      return .journal(JournalQuery(walk, end: end))
    }
  }
  /// What a change said.
  func describe(_ record: ChangeRecord, _ table: Int, _ number: Int, into reply: inout ReplyWriter) {
    let change = record.change
    reply.record()
    key(table, tables[table].items[number], into: &reply)
    reply.field(named: "version", Int64(change.number))
    reply.field(named: "from", change.from)
    if change.until < .never { reply.field(named: "until", change.until) }
    reply.field(named: "set", change.set)
    reply.field(named: "by", String(decoding: change.by, as: UTF8.self))
    for field in tables[table].kind.fields {
      if record.hidden.contains(field.number) {
        reply.field(named: field.name, "changed")
      } else if let value = change.values[field.number] {
        if field.traits.contains(.exclusive) {
          reply.field(named: field.name, "yes")
        } else {
          write(field, value, into: &reply)
        }
      }
    }
    write(EntryAttributes(change.values[EntryRequest.Number.attributes] ?? []), into: &reply)
  }

  private func answer(
    into reply: inout ReplyWriter, _ body: (inout ReplyWriter) throws(EntryRefusal) -> ReadOutcome
  ) -> ReadOutcome {
    do throws(EntryRefusal) {
      return try body(&reply)
    } catch {
      error.write(into: &reply)
      return .replied
    }
  }
  private func found(_ table: Int, _ key: Bytes, _ tenant: TenantID) throws(EntryRefusal) -> Int {
    guard let number = find(table, key, tenant) else { throw .notFound(tables[table].kind, key) }
    return number
  }
  // MARK: Records

  /// Of each field that one entry alone has, which one that is.
  private func holders(_ table: Int, _ tenant: TenantID, at moment: Stamp) -> [Int: Int] {
    var all: [Int: Int] = [:]
    for field in tables[table].kind.fields where field.traits.contains(.exclusive) {
      all[field.number] = holder(table, field, tenant, at: moment)
    }
    return all
  }
  private func key(_ table: Int, _ item: EntryItem, into reply: inout ReplyWriter) {
    let parts = item.key.split(separator: 0, omittingEmptySubsequences: false)
    for (part, value) in zip(tables[table].kind.key, parts) {
      reply.field(named: part.name, String(decoding: value, as: UTF8.self))
    }
  }
  private func record(
    _ table: Int, _ number: Int, at moment: Stamp, _ holders: [Int: Int], isPast: Bool = false,
    into reply: inout ReplyWriter
  ) {
    let item = tables[table].items[number]
    reply.record()
    key(table, item, into: &reply)
    for field in tables[table].kind.fields where !isPast || !field.traits.contains(.unjournaled) {
      if let holder = holders[field.number] {
        reply.field(named: field.name, holder == number ? "yes" : "no")
      } else {
        write(field, effective(table, item, field, at: moment) ?? [], into: &reply)
      }
    }
    if tables[table].kind.takesAttributes { write(item.attributes(at: moment), into: &reply) }
    guard let version = item.version(at: moment) else { return }
    reply.field(named: "version", Int64(version.number))
    reply.field(named: "from", version.from)
    if let until = item.nextBeginning(after: moment) { reply.field(named: "until", until) }
    reply.field(named: "by", String(decoding: version.by, as: UTF8.self))
  }
  private func write(_ field: EntryField, _ value: [UInt8], into reply: inout ReplyWriter) {
    guard !value.isEmpty else { return reply.field(named: field.name, "") }
    value.withUnsafeBytes { value in
      if case .reference(let word, _) = field.form {
        reply.field(named: field.name, names(value, of: word))
      } else if field.isNumber {
        reply.field(named: field.name, EntryField.number(stored: value))
      } else {
        reply.field(named: field.name, field.text(value))
      }
    }
  }
  private func write(_ attributes: EntryAttributes, into reply: inout ReplyWriter) {
    for (name, value) in attributes.pairs {
      reply.field(named: "x." + String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self))
    }
  }
  private func names(_ references: Bytes, of word: String) -> String {
    guard let other = table(word: word) else { return "" }
    return Entries.references(references).filter { tables[other].items.indices.contains($0) }
      .map { tables[other].items[$0].keyText }.joined(separator: ",")
  }

  // MARK: Filters

  private enum Filter {
    case value(EntryField, [UInt8])
    case holder(EntryField, isHolder: Bool)
    /// Nil: there is no such entry.
    case reference(EntryField, Int?)
    case attribute(name: [UInt8], [UInt8])
    case key(place: Int, [UInt8])
  }
  private func filters(_ request: EntryRequest, _ table: Int, _ tenant: TenantID) throws(EntryRefusal) -> [Filter] {
    let kind = tables[table].kind
    var all: [Filter] = []
    for (number, text) in request.fields {
      guard let field = kind.field(number: number) else {
        throw EntryRefusal(.malformed, "field \(number) of \(kind.name) is not known to this build")
      }
      if field.traits.contains(.exclusive) {
        all.append(.holder(field, isHolder: text.elementsEqual("yes".utf8)))
      } else if case .reference(let word, _) = field.form, !text.isEmpty {
        all.append(.reference(field, self.table(word: word).flatMap { find($0, text, tenant) }))
      } else if text.isEmpty || field.isCleared(by: text) {
        all.append(.value(field, []))
      } else {
        guard let stored = field.stored(text) else {
          throw EntryRefusal(.malformed, "\(field.name)= must be \(field.requirement)")
        }
        all.append(.value(field, stored))
      }
    }
    all += request.attributes.map { .attribute(name: Array($0.name), Array($0.value)) }
    return all + request.keys.map { .key(place: $0.place, Array($0.word)) }
  }
  private func matches(
    _ filter: Filter, _ table: Int, _ number: Int, _ item: EntryItem, at moment: Stamp, _ holders: [Int: Int]
  ) -> Bool {
    switch filter {
    case .value(let field, let value): effective(table, item, field, at: moment) ?? [] == value
    case .holder(let field, let isHolder): (holders[field.number] == number) == isHolder
    case .reference(_, nil): false
    case .reference(let field, let other?):
      item.with(field.number, at: moment) { $0.map { Entries.references($0).contains(other) } ?? false }
    case .attribute(let name, let value): item.attributes(at: moment)[name] ?? [] == value
    case .key(let place, let word): item.keyPart(place).elementsEqual(word)
    }
  }
}

extension EntryItem {
  /// It was in force, or may have been, and the journal alone knows what it was.
  fileprivate func isForgotten(at moment: Stamp) -> Bool { firstBeginning <= moment && knownSince > moment }
  /// A word of its key.
  func keyPart(_ place: Int) -> ArraySlice<UInt8> {
    let parts = key.split(separator: 0, omittingEmptySubsequences: false)
    return parts.indices.contains(place) ? parts[place] : []
  }
  /// The key as people see it.
  var keyText: String { String(decoding: key.map { $0 == 0 ? UInt8(ascii: "/") : $0 }, as: UTF8.self) }
}
