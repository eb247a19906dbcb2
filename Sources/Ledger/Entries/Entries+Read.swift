import Base
import Vocabulary

extension Entries {
  /// The most records of one list.
  public static let longestList = 10_000
  /// One list looks at no more entries, and is no longer in bytes: what is behind is asked for anew.
  static let mostLookedAt = 16_384
  static let mostListBytes = 4 << 20

  /// `KIND SHOW`.
  /// - Parameter now: what is meant where the request names no moment.
  public func show(_ request: EntryRequest, tenant: TenantID, now: Stamp, into reply: inout ReplyWriter) {
    answer(into: &reply) { (reply) throws(EntryRefusal) in
      let table = try table(request.kind)
      let number = try found(table, request.key, tenant)
      let item = tables[table].items[number]
      let moment = request.moment.map { Entries.moment($0, zone: zone(table, item, at: now)) } ?? now
      try checkKnown(item, at: moment)
      let holders = holders(table, tenant, at: moment)
      record(table, number, at: moment, holders, into: &reply)
    }
  }
  /// `KIND LIST`: those in force, by key.
  public func list(
    _ request: EntryRequest, tenant: TenantID, now: Stamp, limit: Int, after key: UnsafeRawBufferPointer,
    into reply: inout ReplyWriter
  ) {
    answer(into: &reply) { (reply) throws(EntryRefusal) in
      let table = try table(request.kind)
      let moment = request.moment.map { Entries.moment($0, zone: 0) } ?? now
      let holders = holders(table, tenant, at: moment)
      let filters = try filters(request, table, tenant)
      var records = ReplyWriter(capacity: 4_096)
      var count = 0
      var looked = 0
      var last = ""
      for number in numbers(table, of: tenant, after: key.isEmpty ? nil : key).lazy.map({ Int($0) }) {
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
        guard item.firstBeginning <= moment, item.knownSince <= moment,
          filters.allSatisfy({ matches($0, table, number, item, at: moment, holders) })
        else { continue }
        record(table, number, at: moment, holders, into: &records)
        count += 1
      }
      reply.array(count: count)
      reply.buffer.append(records.buffer.bytes)
    }
  }
  /// `KIND HISTORY`: the changes, newest first.
  public func history(_ request: EntryRequest, tenant: TenantID, into reply: inout ReplyWriter) {
    answer(into: &reply) { (reply) throws(EntryRefusal) in
      let table = try table(request.kind)
      let item = tables[table].items[try found(table, request.key, tenant)]
      reply.array(count: item.changes.count)
      for (place, change) in item.changes.enumerated().reversed() {
        reply.record()
        key(table, item, into: &reply)
        reply.field(named: "version", Int64(change.number))
        reply.field(named: "from", change.from)
        reply.field(named: "set", change.set)
        reply.field(named: "by", String(decoding: change.by, as: UTF8.self))
        for field in tables[table].kind.fields {
          guard let value = change.values[field.number] else { continue }
          if field.traits.contains(.exclusive) {
            reply.field(named: field.name, "yes")
          } else {
            write(field, value, into: &reply)
          }
        }
        write(EntryAttributes(change.values[EntryRequest.Number.attributes] ?? []), into: &reply)
        // It has in it what older changes said, which are not kept.
        if place == 0, item.hasForgotten { reply.field(.more, "yes") }
      }
    }
  }

  private func answer(
    into reply: inout ReplyWriter, _ body: (inout ReplyWriter) throws(EntryRefusal) -> Void
  ) {
    do throws(EntryRefusal) {
      try body(&reply)
    } catch {
      error.write(into: &reply)
    }
  }
  private func found(_ table: Int, _ key: Bytes, _ tenant: TenantID) throws(EntryRefusal) -> Int {
    guard let number = find(table, key, tenant) else { throw .notFound(tables[table].kind, key) }
    return number
  }
  private func checkKnown(_ item: EntryItem, at moment: Stamp) throws(EntryRefusal) {
    guard moment >= item.knownSince else {
      throw .limit("at", "what held at that moment is not kept any more")
    }
    guard item.firstBeginning <= moment else {
      var refusal = EntryRefusal(.closed, "it is not in force at that moment")
      refusal.from = item.firstBeginning
      throw refusal
    }
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
    _ table: Int, _ number: Int, at moment: Stamp, _ holders: [Int: Int], into reply: inout ReplyWriter
  ) {
    let item = tables[table].items[number]
    reply.record()
    key(table, item, into: &reply)
    for field in tables[table].kind.fields {
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
    return all + request.attributes.map { .attribute(name: Array($0.name), Array($0.value)) }
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
    }
  }
}

extension EntryItem {
  /// The key as people see it.
  var keyText: String { String(decoding: key.map { $0 == 0 ? UInt8(ascii: "/") : $0 }, as: UTF8.self) }
}
