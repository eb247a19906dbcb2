import Base
import Vocabulary

/// One entry: its key and its changes, in the order in which they were made. A change holds from its moment on, over what
/// earlier ones say of the same fields: so a `SET` made while a later change is announced changes that one too, in the
/// fields that it names (A8).
struct EntryItem: Hashable, Sendable {
  /// What one `SET` changed.
  struct Change: Hashable, Sendable {
    /// From 1: the version that it made.
    var number: UInt32
    /// The moment from which it holds, not before `set`.
    var from: Stamp
    /// When it was made.
    var set: Stamp
    /// The user's name; empty for nobody.
    var by: [UInt8]
    var values: EntryValues
  }
  var tenant: TenantID
  /// Parts are divided by a 0.
  var key: [UInt8]
  /// The first has in it what older ones said, if there are such.
  var changes: [Change] = []
  /// All changes that hold from later moments are there; zero: all are.
  var knownSince = Stamp.zero

  var hasForgotten: Bool { knownSince > .zero }

  /// What a field is at a moment; nil if nothing says so.
  func value(_ number: Int, at moment: Stamp) -> [UInt8]? {
    with(number, at: moment) { $0.map { Array($0) } }
  }
  func with<R>(_ number: Int, at moment: Stamp, _ body: (UnsafeRawBufferPointer?) -> R) -> R {
    for change in changes.reversed() where change.from <= moment {
      let found: R? = change.values.with(number) { value in
        value.map { body($0.isEmpty ? nil : $0) }
      }
      if let found { return found }
    }
    return body(nil)
  }
  /// `x.NAME=VALUE` at a moment, by name.
  func attributes(at moment: Stamp) -> EntryAttributes {
    var all = EntryAttributes()
    for change in changes where change.from <= moment {
      if let more = change.values[EntryRequest.Number.attributes] { all = all.overlaid(by: EntryAttributes(more)) }
    }
    all.pairs.removeAll { $0.value.isEmpty }
    return all
  }

  /// The version that decides at a moment: that with the latest beginning; nil: the entry is not in force yet.
  func version(at moment: Stamp) -> Change? {
    var best: Change?
    for change in changes where change.from <= moment {
      if change.from >= best?.from ?? .zero { best = change }
    }
    return best
  }
  /// When the next version after a moment begins.
  func nextBeginning(after moment: Stamp) -> Stamp? {
    changes.lazy.map(\.from).filter { $0 > moment }.min()
  }
  var firstBeginning: Stamp { changes.lazy.map(\.from).min() ?? .never }
  /// Moments from one on at which something may change, that one first.
  func beginnings(from moment: Stamp) -> [Stamp] {
    [moment] + Set(changes.map(\.from).filter { $0 > moment }).sorted()
  }

  // MARK: Forgetting

  /// Joins changes to the first that nobody can ask for any more: those of before `horizon`, and of those that say nothing of
  /// the fields `kept`, all but the latest `EntryItem.mostPast`.
  mutating func forget(before horizon: Stamp, now: Stamp, keeping kept: [Int]) {
    var i = 1
    while i < changes.count, changes[i].set <= horizon {
      if changes[i].from <= horizon { join(i) } else { i += 1 }
    }
    // What is before these was looked at when it was as new.
    let first = max(1, changes.count - EntryItem.mostPast - EntryKind.mostAnnounced - 1)
    let past = (first..<max(first, changes.count)).filter { changes[$0].from <= now }.dropLast(EntryItem.mostPast)
    var joined = 0
    for place in past where !kept.contains(where: changes[place - joined].values.has) {
      join(place - joined)
      joined += 1
    }
  }
  static let mostPast = 64

  private mutating func join(_ place: Int) {
    let change = changes.remove(at: place)
    let numbers = change.values.fields.map(\.number)
    for j in 1..<max(1, place) where numbers.contains(where: changes[j].values.has) {
      changes[j].values = changes[j].values.without(change.values)
    }
    changes[0].values = changes[0].values.overlaid(by: change.values)
    knownSince = max(knownSince, change.from)
    guard place == 1 else { return }
    changes[0].number = max(changes[0].number, change.number)
    guard change.from >= changes[0].from else { return }
    changes[0].from = change.from
    changes[0].set = change.set
    changes[0].by = change.by
  }

  // MARK: Snapshots

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(tenant.rawValue))
    buffer.append(field: 2, key)
    if hasForgotten { buffer.append(field: 3, zigzag: knownSince.microseconds) }
    buffer.append(field: 4) { list in for change in changes { change.encode(into: &list) } }
    buffer.appendEndOfFields()
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(tenant: TenantID(0), key: [])
    try reader.readFields(of: "an entry") { number, value throws(MalformedBytes) in
      switch number {
      case 1: tenant = TenantID(try value.readSmall())
      case 2: key = Array(try value.readBytes(value.remaining))
      case 3: knownSince = Stamp(microseconds: try value.readZigzag())
      case 4: while !value.isAtEnd { changes.append(try Change(decoding: &value)) }
      default: return false
      }
      return true
    }
    guard !changes.isEmpty else { throw MalformedBytes("an entry without a version") }
  }
  init(tenant: TenantID, key: [UInt8]) {
    self.tenant = tenant
    self.key = key
  }
}

extension EntryItem.Change {
  fileprivate func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(number))
    buffer.append(field: 2, zigzag: from.microseconds)
    buffer.append(field: 3, zigzag: set.microseconds)
    if !by.isEmpty { buffer.append(field: 4, by) }
    buffer.append(field: 5, values.bytes)
    buffer.appendEndOfFields()
  }
  fileprivate init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(number: 0, from: .zero, set: .zero, by: [], values: EntryValues())
    try reader.readFields(of: "a change of an entry") { number, value throws(MalformedBytes) in
      switch number {
      case 1: self.number = try value.readSmall()
      case 2: from = Stamp(microseconds: try value.readZigzag())
      case 3: set = Stamp(microseconds: try value.readZigzag())
      case 4: by = Array(try value.readBytes(value.remaining))
      case 5: values = try EntryValues(decoding: &value)
      default: return false
      }
      return true
    }
    let range = Stamp.zero...CivilTime.latest
    guard range.contains(from), range.contains(set) else { throw MalformedBytes("a moment out of range") }
  }
}
