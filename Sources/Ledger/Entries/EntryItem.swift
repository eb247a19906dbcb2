import Base
import Vocabulary

/// One entry: its key and its changes, in the order in which they were made. A change holds from its moment on, over what
/// earlier ones say of the same fields: so a `SET` made while a later change is announced changes that one too, in the
/// fields that it names (A8). Kept are those that requests need; each is in the directory's journal, for ever.
struct EntryItem: Hashable, Sendable {
  /// What one `SET` changed.
  struct Change: Hashable, Sendable {
    /// From 1: the version that it made.
    var number: UInt32
    /// The moment from which it holds, not before `set`.
    var from: Stamp
    /// The moment from which it holds no more; `.never`: it holds for good.
    var until = Stamp.never
    /// When it was made: not before those of lower numbers.
    var set: Stamp
    /// The user's name; empty for nobody.
    var by: [UInt8]
    var values: EntryValues
    /// What holds of all else while this change is the one that decides, and no other change says it: of an entry with bounds,
    /// where what was said before may end sooner.
    var rest = EntryValues()

    func holds(at moment: Stamp) -> Bool { from <= moment && (moment < until || until == .never) }
  }
  var tenant: TenantID
  /// How many changes were made of it, which is the newest one's number.
  var newest: UInt32 = 0
  /// Parts are divided by a 0.
  var key: [UInt8]
  /// Of those that are not kept each by itself, the first has in it what they said.
  var changes: [Change] = []
  /// From this moment on the changes here say what it is, and which version decides; zero: at every moment. The
  /// journal tells what it was before.
  var knownSince = Stamp.zero
  /// The earliest moment from which a change holds or held.
  var firstBeginning = Stamp.never
  /// Where the journal has the newest change, and the newest that is a mark (see `ChangeRecord`).
  var record = JournalPosition.none
  var mark = JournalPosition.none

  init(tenant: TenantID, key: [UInt8]) {
    self.tenant = tenant
    self.key = key
  }

  var hasForgotten: Bool { knownSince > .zero }

  mutating func append(_ change: Change) {
    changes.append(change)
    newest = change.number
    firstBeginning = min(firstBeginning, change.from)
  }

  /// What a field is at a moment; nil if nothing says so.
  func value(_ number: Int, at moment: Stamp) -> [UInt8]? {
    with(number, at: moment) { $0.map { Array($0) } }
  }
  func with<R>(_ number: Int, at moment: Stamp, _ body: (UnsafeRawBufferPointer?) -> R) -> R {
    for change in changes.reversed() where change.holds(at: moment) {
      let found: R? = change.values.with(number) { value in
        value.map { body($0.isEmpty ? nil : $0) }
      }
      if let found { return found }
    }
    guard hasBounds, let change = version(at: moment) else { return body(nil) }
    return change.rest.with(number) { value in body(value.flatMap { $0.isEmpty ? nil : $0 }) }
  }
  /// Some change ends.
  var hasBounds: Bool { changes.contains { $0.until < .never || !$0.rest.isEmpty } }
  func isInForce(at moment: Stamp) -> Bool { changes.contains { $0.holds(at: moment) } }
  /// Whether it is in force all the time. O(changes²), of one that has bounds.
  func isInForce(from start: Stamp, until end: Stamp) -> Bool {
    beginnings(from: start).allSatisfy { $0 >= end || isInForce(at: $0) }
  }
  /// When it was in force last before a moment, else first after it; nil: never.
  func momentInForce(near moment: Stamp) -> Stamp? {
    if isInForce(at: moment) { return moment }
    let last = changes.filter { $0.until <= moment && $0.from < $0.until }.map(\.until).max()
    if let last { return Stamp(microseconds: last.microseconds - 1) }
    return changes.map(\.from).filter { $0 > moment }.min()
  }
  /// `x.NAME=VALUE` at a moment, by name.
  func attributes(at moment: Stamp) -> EntryAttributes {
    var all = EntryAttributes()
    for change in changes where change.holds(at: moment) {
      if let more = change.values[EntryRequest.Number.attributes] { all = all.overlaid(by: EntryAttributes(more)) }
    }
    all.pairs.removeAll { $0.value.isEmpty }
    return all
  }

  /// The version that decides at a moment: that with the latest beginning, of several the newest; nil: the entry is not in
  /// force yet.
  func version(at moment: Stamp) -> Change? {
    var best: Change?
    for change in changes where change.holds(at: moment) {
      if best.map({ change.decides(over: $0) }) ?? true { best = change }
    }
    return best
  }
  /// When the next version after a moment begins, or the one in force ends.
  func nextBeginning(after moment: Stamp) -> Stamp? {
    let next = changes.lazy.map(\.from).filter { $0 > moment }.min() ?? .never
    let end = min(next, version(at: moment)?.until ?? .never)
    return end < .never ? end : nil
  }
  /// Moments from one on at which something may change, that one first.
  func beginnings(from moment: Stamp) -> [Stamp] {
    var all = Set(changes.lazy.map(\.from).filter { $0 > moment })
    for change in changes where change.until < .never && change.until > moment { all.insert(change.until) }
    return [moment] + all.sorted()
  }

  /// Whether changes that begin at just that moment say all this, and those made since say nothing else of it there.
  func announces(_ values: EntryValues, from moment: Stamp) -> Bool {
    var said = EntryValues()
    for change in changes where change.from <= moment {
      said = change.from == moment ? said.overlaid(by: change.values) : said.without(change.values)
    }
    return said.overlaid(by: values) == said
  }

  // MARK: Snapshots

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(tenant.rawValue))
    buffer.append(field: 2, key)
    if hasForgotten { buffer.append(field: 3, zigzag: knownSince.microseconds) }
    buffer.append(field: 4) { list in for change in changes { change.encode(into: &list) } }
    if record != .none { buffer.append(field: 5, zigzag: Int64(bitPattern: record.rawValue)) }
    if mark != .none { buffer.append(field: 6, zigzag: Int64(bitPattern: mark.rawValue)) }
    if hasForgotten {
      buffer.append(field: 7, zigzag: firstBeginning.microseconds)
      buffer.append(field: 8, zigzag: Int64(newest))
    }
    buffer.appendEndOfFields()
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(tenant: TenantID(0), key: [])
    var forgotten: (firstBeginning: Stamp, newest: UInt32) = (.never, 0)
    try reader.readFields(of: "an entry") { number, value throws(MalformedBytes) in
      switch number {
      case 1: tenant = TenantID(try value.readSmall())
      case 2: key = Array(try value.readBytes(value.remaining))
      case 3: knownSince = Stamp(microseconds: try value.readZigzag())
      case 4: while !value.isAtEnd { append(try Change(decoding: &value)) }
      case 5: record = JournalPosition(rawValue: UInt64(bitPattern: try value.readZigzag()))
      case 6: mark = JournalPosition(rawValue: UInt64(bitPattern: try value.readZigzag()))
      case 7: forgotten.firstBeginning = Stamp(microseconds: try value.readZigzag())
      case 8: forgotten.newest = try value.readSmall()
      default: return false
      }
      return true
    }
    guard !changes.isEmpty else { throw MalformedBytes("an entry without a version") }
    firstBeginning = min(firstBeginning, forgotten.firstBeginning)
    newest = max(newest, forgotten.newest)
  }
}

extension EntryItem.Change {
  /// Which of two changes that both hold decides what is left unsaid: the version that is shown.
  func decides(over other: EntryItem.Change) -> Bool { (other.from, other.number) < (from, number) }

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(number))
    buffer.append(field: 2, zigzag: from.microseconds)
    buffer.append(field: 3, zigzag: set.microseconds)
    if !by.isEmpty { buffer.append(field: 4, by) }
    buffer.append(field: 5, values.bytes)
    if until < .never { buffer.append(field: 6, zigzag: until.microseconds) }
    if !rest.isEmpty { buffer.append(field: 7, rest.bytes) }
    buffer.appendEndOfFields()
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(number: 0, from: .zero, set: .zero, by: [], values: EntryValues())
    try reader.readFields(of: "a change of an entry") { number, value throws(MalformedBytes) in
      switch number {
      case 1: self.number = try value.readSmall()
      case 2: from = Stamp(microseconds: try value.readZigzag())
      case 3: set = Stamp(microseconds: try value.readZigzag())
      case 4: by = Array(try value.readBytes(value.remaining))
      case 5: values = try EntryValues(decoding: &value)
      case 6: until = Stamp(microseconds: try value.readZigzag())
      case 7: rest = try EntryValues(decoding: &value)
      default: return false
      }
      return true
    }
    let range = Stamp.zero...CivilTime.latest
    guard range.contains(from), range.contains(set), until == .never || range.contains(until) else {
      throw MalformedBytes("a moment out of range")
    }
  }
}
