import Base
import Vocabulary

extension Catalogue {
  /// The version of a delta.
  public static func version(ofDelta delta: Bytes) throws(MalformedBytes) -> UInt32 {
    var reader = ByteReader(delta)
    return try reader.read()
  }
  /// Applies a delta (see `CatalogueDelta`). One of a version it has already is ignored (false), so that sending twice is
  /// harmless; throws if it is malformed or not the next, and changes nothing then.
  @discardableResult public mutating func apply(_ bytes: Bytes) throws(MalformedBytes) -> Bool {
    let next = try Catalogue.version(ofDelta: bytes)
    guard next > version else { return false }
    let delta = try CatalogueDelta(decoding: bytes)
    guard next == version + 1 || delta.left != nil && version == 0 else {
      throw MalformedBytes("delta \(next) does not follow version \(version)")
    }
    let now = max(records.moment, delta.stamp)
    switch delta.kind {
    case EntryKind.program.number:
      for version in delta.versions { _ = try ProgramTerms(version.values) }
      let item = try changed(programs, by: delta, EntryKind.program, now)
      advance(to: now)
      try putProgram(item, at: delta.number)
    case EntryKind.merchant.number:
      for version in delta.versions { _ = try MerchantTerms(version.values, programCount: programs.count) }
      let item = try changed(merchants, by: delta, EntryKind.merchant, now)
      advance(to: now)
      try putMerchant(item, at: delta.number)
    case EntryKind.policy.number:
      try Catalogue.checkPolicy(delta.versions.map(\.values))
      let item = try changed(policies, by: delta, EntryKind.policy, now)
      advance(to: now)
      try putPolicy(item, at: delta.number)
    default: throw MalformedBytes("kind \(delta.kind) is none that shards of this build know: a newer build wrote it")
    }
    if delta.left ?? 0 == 0 { version = next }
    return true
  }
  private func changed(
    _ items: ChunkedQueue<CatalogueItem>, by delta: CatalogueDelta, _ kind: EntryKind, _ now: Stamp
  ) throws(MalformedBytes) -> CatalogueItem {
    var item: CatalogueItem
    if delta.number < items.count {
      item = items[delta.number]
    } else {
      guard let name = delta.name, delta.number == items.count else { throw MalformedBytes("an entry without a name") }
      item = CatalogueItem(tenant: name.tenant, name: name.key)
    }
    try item.take(delta, now: now, backdated: kind.backdated)
    return item
  }

  /// What was announced for moments up to this one is in force now. Changes nothing, in a compare, if there is nothing.
  @inline(__always) mutating func advance(to moment: Stamp) {
    if moment >= nextBeginning { begin(upTo: moment) } else if moment > records.moment { records.moment = moment }
  }
  @inline(never) private mutating func begin(upTo moment: Stamp) {
    records.moment = moment
    while let next = announced.last, next.from <= moment {
      announced.removeLast()
      switch next.kind {
      case EntryKind.program.number: refreshProgram(next.number)
      // Policies are looked at as they are at the moment.
      default: refreshMerchant(next.number)
      }
    }
    nextBeginning = announced.last?.from ?? .never
  }
  /// Remembers when rows have to be made anew.
  mutating func announce(_ item: CatalogueItem, _ kind: EntryKind, _ number: Int) {
    for version in item.versions.reversed() {
      guard version.from > records.moment else { break }
      let new = Announced(from: version.from, kind: kind.number, number: number)
      // By their moments, the next one last.
      var low = 0
      var high = announced.count
      while low < high {
        let middle = (low + high) / 2
        if announced[middle].precedes(new) { low = middle + 1 } else { high = middle }
      }
      if low < announced.count, announced[low] == new { continue }
      announced.insert(new, at: low)
    }
    nextBeginning = announced.last?.from ?? .never
  }

  /// That a row has to be made anew at a moment.
  struct Announced: Hashable, Sendable, BitwiseCopyable {
    var from: Stamp
    /// That of its entry.
    var kind: Int
    var number: Int
    fileprivate func precedes(_ other: Announced) -> Bool {
      (other.from.microseconds, other.kind, other.number) < (from.microseconds, kind, number)
    }
  }
}
