import Base
import Vocabulary

extension Entries {
  /// What came of a `SET`.
  public enum Decision {
    /// It says nothing new.
    case unchanged
    /// It was done. `delta` is for every shard, if shards need the kind.
    case changed(delta: [UInt8]?)
    /// The error was written.
    case refused
  }

  /// Sets an entry up, or changes it.
  /// - Parameters:
  ///   - by: who asks.
  ///   - stamp: the directory entry's: now.
  ///   - semantics: what all nodes know.
  ///   - journal: is told of each change.
  public mutating func set(
    _ request: EntryRequest, tenant: TenantID, by: UnsafeRawBufferPointer, stamp: Stamp, semantics: UInt8,
    journal: inout EntryJournal, into reply: inout ReplyWriter
  ) -> Decision {
    do throws(EntryRefusal) {
      let table = try table(request.kind)
      let setting = try setting(request, table, tenant, stamp, semantics)
      guard !setting.isNothingNew else { return .unchanged }
      try checkTree((setting.number, setting.from, setting.values), table, tenant)
      try checkMeaning(setting, table, tenant, stamp, semantics, key: request.key)
      if semantics >= Semantics.amended { try checkPolicies(setting, table, tenant, key: request.key) }
      try checkApproval(setting, table, tenant, stamp)
      let (number, horizon) = try place(setting, table, tenant, request.key, stamp)
      return .changed(
        delta: change(setting, table, number, by: by, stamp, horizon: horizon, semantics: semantics, &journal))
    } catch {
      error.write(into: &reply)
      return .refused
    }
  }

  /// A `SET` that was understood.
  struct Setting {
    /// The entry's; nil: it is new.
    var number: Int?
    var from: Stamp
    var until = Stamp.never
    /// What changes, of all that was said.
    var values: EntryValues
    /// See `EntryItem.Change.rest`.
    var rest = EntryValues()
    var isNothingNew = false
  }

  // MARK: What it says

  private func setting(
    _ request: EntryRequest, _ table: Int, _ tenant: TenantID, _ stamp: Stamp, _ semantics: UInt8
  ) throws(EntryRefusal) -> Setting {
    let kind = tables[table].kind
    guard kind.since <= semantics else { throw notYet(kind.name) }
    let parts = request.key.split(separator: 0, omittingEmptySubsequences: false)
    guard parts.count == kind.key.count, parts.allSatisfy({ Bytes(rebasing: $0).isIdentifier }) else {
      throw EntryRefusal(.malformed, "the key must be \(Shape.identifier.requirement)")
    }
    let number = find(table, request.key, tenant)
    if number == nil { try checkKey(parts, of: kind, tenant) }
    let item = number.map { tables[table].items[$0] }
    var said: [(field: EntryField, bytes: [UInt8])] = []
    for (fieldNumber, text) in request.fields {
      guard let field = kind.field(number: fieldNumber) else {
        throw EntryRefusal(.malformed, "field \(fieldNumber) of \(kind.name) is not known to this build")
      }
      guard field.since(text) <= semantics else { throw notYet(field.name) }
      said.append((field, try stored(field, text, tenant)))
    }
    let own = semantics >= Semantics.amended ? zone(ofKey: request.key, table, tenant, at: stamp) : nil
    var from = try beginning(request, table, item, said, stamp, zone: own)
    var until = try end(request, table, item, said, stamp, from: from)
    if kind.hasBounds, semantics >= Semantics.amended, let item, request.moment == nil,
      let kept = try bounds(of: item, said, stamp)
    {
      from = kept.from
      until = request.until == nil ? kept.until : try end(request, table, item, said, stamp, from: from)
    }
    var values: [(number: Int, bytes: [UInt8])] = []
    for (field, bytes) in said {
      guard let new = try changed(field, bytes, table, number, tenant, from, until) else {
        continue
      }
      values.append((field.number, new))
    }
    if item == nil,
      let lacking = kind.fields.first(where: { field in
        field.traits.contains(.required) && !values.contains { $0.number == field.number }
      })
    {
      throw EntryRefusal(.malformed, "a new \(kind.name) needs \(lacking.name)=")
    }
    if let attributes = try changedAttributes(request, kind, item, from) {
      values.append((EntryRequest.Number.attributes, attributes.bytes))
    }
    let new = EntryValues(values)
    // What was announced and is said again is done, also where something later was announced since.
    guard kind.hasBounds, let item else {
      let isRepeat = from > stamp && item?.announces(new, from: from) ?? false
      return Setting(
        number: number, from: from, until: until, values: isRepeat ? EntryValues() : new,
        isNothingNew: item != nil && (isRepeat || new.isEmpty))
    }
    let isSame = new.isEmpty && item.isInForce(from: from, until: until)
    let isRepeat = item.changes.contains { $0.from == from && $0.until == until && $0.values.says(new) }
    return Setting(
      number: number, from: from, until: until, values: new, rest: rest(of: item, kind, from: from),
      isNothingNew: isSame || from > stamp && isRepeat)
  }
  /// What a `SET` that names no beginning changes of an entry with bounds: the time in which it is in force, or is to be next, up to
  /// its end (A8). Nil: it is in force no more, and begins anew.
  private func bounds(
    of item: EntryItem, _ said: [(field: EntryField, bytes: [UInt8])], _ stamp: Stamp
  ) throws(EntryRefusal) -> (from: Stamp, until: Stamp)? {
    guard let from = item.momentInForce(near: stamp), from >= stamp else { return nil }
    let until = item.beginnings(from: from).first { !item.isInForce(at: $0) } ?? .never
    guard until < .never, item.changes.contains(where: { $0.from >= until && $0.from < $0.until }) else {
      return (from, until)
    }
    // To stop it once and for all is always possible.
    guard
      said.contains(where: {
        $0.field.number == EntryField.stateNumber && $0.bytes.withUnsafeBytes($0.field.text) == "stopped"
      })
    else {
      throw EntryRefusal(.malformed, "it is in force several times from now on: say which is meant by from= and until=")
    }
    return nil
  }
  /// What holds beside a change: see `EntryItem.Change.rest`.
  func rest(of item: EntryItem, _ kind: EntryKind, from: Stamp) -> EntryValues {
    guard item.hasBounds || !item.isInForce(at: from), let moment = item.momentInForce(near: from) else {
      return EntryValues()
    }
    return EntryValues(
      kind.fields.sorted { $0.number < $1.number }.compactMap { field in
        item.value(field.number, at: moment).map { (field.number, $0) }
      })
  }
  /// A new entry's key may name others, which must be there.
  private func checkKey(_ parts: [Bytes.SubSequence], of kind: EntryKind, _ tenant: TenantID) throws(EntryRefusal) {
    for (part, word) in zip(kind.key, parts) {
      guard let other = part.reference.flatMap({ table(word: $0) }) else { continue }
      let name = Bytes(rebasing: word)
      guard find(other, name, tenant) != nil else { throw .notFound(tables[other].kind, name) }
    }
  }
  private func notYet(_ what: String) -> EntryRefusal {
    EntryRefusal(.unavailable, "not every node knows \(what) yet: start this build on all of them; nothing was done")
  }

  /// What is kept of a value; empty if it takes the value back.
  private func stored(_ field: EntryField, _ text: Bytes, _ tenant: TenantID) throws(EntryRefusal) -> [UInt8] {
    guard field.accepts(text) else {
      throw EntryRefusal(.malformed, "\(field.name)= must be \(field.requirement)")
    }
    if field.isCleared(by: text) { return [] }
    guard case .reference(let word, _) = field.form else { return field.stored(text) ?? [] }
    guard let other = table(word: word) else { throw EntryRefusal(.malformed, "no such kind of entry") }
    var list = ByteBuffer(capacity: 16)
    for name in text.split(separator: UInt8(ascii: ",")) {
      let name = Bytes(rebasing: name)
      guard let number = find(other, name, tenant) else {
        throw .notFound(tables[other].kind, name, field: field.name)
      }
      list.append(varint: UInt64(number))
    }
    return list.array
  }

  /// The moment from which it is to hold.
  private func beginning(
    _ request: EntryRequest, _ table: Int, _ item: EntryItem?, _ said: [(field: EntryField, bytes: [UInt8])],
    _ stamp: Stamp, zone own: Int64?
  ) throws(EntryRefusal) -> Stamp {
    guard let number = request.moment else { return stamp }
    let item = item ?? EntryItem(tenant: TenantID(0), key: [])
    let known = item.momentInForce(near: stamp) ?? stamp
    let zone =
      own
      ?? zone(table, at: stamp) { field in
        said.first { $0.field.number == field.number }.map(\.bytes) ?? effective(table, item, field, at: known)
      }
    // A date of today means now.
    if number < 0, CivilTime.day(of: stamp, offset: zone) == -1 - number { return stamp }
    let moment = Entries.moment(number, zone: zone)
    guard moment >= stamp else { throw .limit("from", "from= is in the past: changes begin now or later") }
    guard moment < CivilTime.latest else { throw .limit("from", "from= is too far ahead") }
    return moment
  }

  /// The moment from which it is to hold no more.
  private func end(
    _ request: EntryRequest, _ table: Int, _ item: EntryItem?, _ said: [(field: EntryField, bytes: [UInt8])],
    _ stamp: Stamp, from: Stamp
  ) throws(EntryRefusal) -> Stamp {
    guard let number = request.until else { return .never }
    guard tables[table].kind.hasBounds else {
      throw EntryRefusal(.malformed, "\(tables[table].kind.name) takes no until=")
    }
    let item = item ?? EntryItem(tenant: TenantID(0), key: [])
    let known = item.momentInForce(near: stamp) ?? stamp
    let zone = zone(table, at: stamp) { field in
      said.first { $0.field.number == field.number }.map(\.bytes) ?? effective(table, item, field, at: known)
    }
    let moment = Entries.moment(number, zone: zone)
    guard moment > from else { throw .limit("until", "until= must be after from=, and after now") }
    guard moment < CivilTime.latest else { throw .limit("until", "until= is too far ahead") }
    return moment
  }

  /// What a field that was named changes; nil: nothing.
  private func changed(
    _ field: EntryField, _ bytes: [UInt8], _ table: Int, _ number: Int?, _ tenant: TenantID, _ from: Stamp,
    _ until: Stamp
  ) throws(EntryRefusal) -> [UInt8]? {
    if field.traits.contains(.exclusive) { return try claimed(field, bytes, table, number, tenant, from) }
    guard let number else { return bytes.isEmpty ? nil : bytes }
    let item = tables[table].items[number]
    if field.traits.contains(.fixed) {
      guard effective(table, item, field, at: .never) == bytes else {
        throw EntryRefusal(.malformed, "\(field.name) never changes")
      }
      return nil
    }
    // Also where it is that already and an announced change would make it something else.
    let changes = item.beginnings(from: from).contains {
      $0 < until && item.value(field.number, at: $0) ?? [] != bytes
    }
    return changes ? bytes : nil
  }
  /// `yes` of a field that one entry alone has: kept as the moment from which it is this one, later than all others that say
  /// the same. `no` changes nothing, and is refused where there would be none.
  private func claimed(
    _ field: EntryField, _ bytes: [UInt8], _ table: Int, _ number: Int?, _ tenant: TenantID, _ from: Stamp
  ) throws(EntryRefusal) -> [UInt8]? {
    let isHolder = number != nil && holder(table, field, tenant, at: from) == number
    guard bytes == field.stored(yes) else {
      guard !isHolder else {
        throw EntryRefusal(
          .malformed, "it is the \(field.name); say \(field.name)=yes of another \(tables[table].kind.name)")
      }
      return nil
    }
    var claims: Set<Int64> = []
    for other in numbers(table, of: tenant) {
      let item = tables[table].items[Int(other)]
      for moment in item.beginnings(from: from) {
        if let stored = item.value(field.number, at: moment) { claims.insert(EntryField.number(stored: stored)) }
      }
    }
    if isHolder {
      // Its own is of that very moment, or none is later.
      let own = number.flatMap { tables[table].items[$0].value(field.number, at: from) }
      let latest = own.map { EntryField.number(stored: $0) } ?? .min
      if latest >= from.microseconds || claims.allSatisfy({ $0 <= from.microseconds }) { return nil }
    }
    var claim = from.microseconds
    while claims.contains(claim) { claim += 1 }
    return EntryField.stored(claim)
  }
  private var yes: Bytes { StaticString("yes").bytes }

  private func changedAttributes(
    _ request: EntryRequest, _ kind: EntryKind, _ item: EntryItem?, _ from: Stamp
  ) throws(EntryRefusal) -> EntryAttributes? {
    guard !request.attributes.isEmpty else { return nil }
    guard kind.takesAttributes else { throw EntryRefusal(.malformed, "\(kind.name) takes no x.NAME=") }
    var changed = EntryAttributes()
    for (name, value) in request.attributes {
      guard name.isIdentifier, Shape.text.accepts(value) else {
        throw EntryRefusal(.malformed, "x.NAME= must be \(Shape.text.requirement)")
      }
      changed.pairs.append((Array(name), Array(value)))
    }
    guard let item else {
      changed.pairs.removeAll { $0.value.isEmpty }
      try checkAttributes(changed)
      return changed.pairs.isEmpty ? nil : changed
    }
    let known = item.attributes(at: from)
    let later = item.beginnings(from: from).map { item.attributes(at: $0) }
    changed.pairs.removeAll { name, value in later.allSatisfy { $0[name] ?? [] == value } }
    // Those that are announced count, too.
    try checkAttributes(item.attributes(at: .never).overlaid(by: changed))
    try checkAttributes(known.overlaid(by: changed))
    return changed.pairs.isEmpty ? nil : changed
  }
  private func checkAttributes(_ all: EntryAttributes) throws(EntryRefusal) {
    guard all.pairs.count(where: { !$0.value.isEmpty }) <= EntryKind.mostAttributes else {
      throw .limit("attributes", "more than \(EntryKind.mostAttributes) x.NAME=")
    }
  }

  // MARK: What it does

  /// Makes room for a change of an entry, which is made if it is new. Refuses what is over a bound. What of the entry had
  /// ended before `horizon` is not asked for any more.
  mutating func place(
    _ setting: Setting, _ table: Int, _ tenant: TenantID, _ key: Bytes, _ stamp: Stamp
  ) throws(EntryRefusal) -> (number: Int, horizon: Stamp) {
    let kind = tables[table].kind
    guard let number = setting.number else {
      guard count < EntryKind.mostEntries else {
        throw .limit("entries", "there are \(EntryKind.mostEntries) entries, which is the most")
      }
      guard tables[table].items.count < kind.most.all, numbers(table, of: tenant).count < kind.most.tenant else {
        throw .limit("\(kind.name)s", "there are as many entries of \(kind.name) as there may be")
      }
      let number = tables[table].items.count
      tables[table].items.append(EntryItem(tenant: tenant, key: Array(key)))
      let items = tables[table].items
      tables[table].order.add(number) { items[$0] }
      return (number, .zero)
    }
    let announced = tables[table].items[number].changes.count { $0.from > stamp }
    guard setting.from <= stamp || announced < EntryKind.mostAnnounced else {
      throw .limit("versions", "\(announced) changes of it are announced, which is the most")
    }
    var horizon = ago(EntryKind.longestBackdate * CivilTime.microsecondsPerDay, stamp)
    tables[table].items[number].forget(before: horizon, now: stamp, keeping: kind.backdated)
    if isFull(table, number) {
      horizon = ago(longestBackdate(), stamp)
      tables[table].items[number].forget(before: horizon, now: stamp, keeping: kind.backdated)
      guard !isFull(table, number) else {
        throw .limit("versions", "it was changed too often in the time that is kept")
      }
    }
    return (number, horizon)
  }
  private func isFull(_ table: Int, _ number: Int) -> Bool {
    tables[table].items[number].changes.count >= Entries.mostVersions
  }
  /// Changes that are kept of one entry.
  static let mostVersions = 4_096
  private func ago(_ microseconds: Int64, _ stamp: Stamp) -> Stamp {
    Stamp(microseconds: max(0, stamp.microseconds - microseconds))
  }
  /// How far back the programs that there are let a purchase be, in microseconds.
  private func longestBackdate() -> Int64 {
    var longest: Int64 = 0
    for table in tables.indices {
      for field in tables[table].kind.fields where field.isBackdate {
        for item in tables[table].items {
          for moment in item.beginnings(from: item.firstBeginning) {
            let days = effective(table, item, field, at: moment).map {
              $0.withUnsafeBytes { EntryField.number(stored: $0) }
            }
            longest = max(longest, days ?? 0)
          }
        }
      }
    }
    return longest * CivilTime.microsecondsPerDay
  }

  mutating func change(
    _ setting: Setting, _ table: Int, _ number: Int, by: Bytes, _ stamp: Stamp, horizon: Stamp, semantics: UInt8,
    _ journal: inout EntryJournal
  ) -> [UInt8]? {
    let isNew = tables[table].items[number].changes.isEmpty
    tables[table].items[number].append(
      EntryItem.Change(
        number: tables[table].items[number].newest &+ 1, from: setting.from, until: setting.until, set: stamp,
        by: Array(by), values: setting.values, rest: setting.rest))
    tables[table].write(number, to: &journal, at: stamp)
    for field in tables[table].kind.fields where field.traits.contains(.tree) {
      if let above = setting.values[field.number]?.withUnsafeBytes({ Entries.references($0) }).first {
        tables[table].parents.insert(above)
      }
    }
    guard isToldToShards(table, semantics) else { return nil }
    version += 1
    return delta(table, number, from: setting.from, isNew: isNew, stamp, horizon, semantics)
  }
  func isToldToShards(_ table: Int, _ semantics: UInt8) -> Bool {
    tables[table].kind.isForShards && tables[table].kind.toldSince <= semantics
  }
}

extension Entries.Table {
  /// Tells the journal of an entry's newest change.
  fileprivate mutating func write(_ number: Int, to journal: inout EntryJournal, at stamp: Stamp) {
    let item = items[number]
    guard let change = item.changes.last else { return }
    var record = ChangeRecord(
      of: change, kind: kind.number, entry: number, previous: item.record, mark: item.mark)
    let isMark = ChangeRecord.isMark(change.number)
    if isMark { record.folded = item.folded(at: stamp) }
    if !kind.unjournaled.isEmpty { record.keepOut(kind.unjournaled) }
    let position = journal.append(record)
    items[number].record = position
    if isMark { items[number].mark = position }
  }
}

extension EntryField {
  fileprivate var isBackdate: Bool {
    if case .shape(.backdate) = form { return true }
    return false
  }
}
