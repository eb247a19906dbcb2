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
    guard let kind = CatalogueKind(number: delta.kind) else {
      throw MalformedBytes("kind \(delta.kind) is none that shards of this build know: a newer build wrote it")
    }
    try check(delta.versions, of: kind)
    let item = try changed(by: delta, kind, now)
    advance(to: now)
    try fillGap(before: delta.number, kind)
    try put(item, kind, at: delta.number)
    if delta.left ?? 0 == 0 { version = next }
    return true
  }
  private func changed(
    by delta: CatalogueDelta, _ kind: CatalogueKind, _ now: Stamp
  ) throws(MalformedBytes) -> CatalogueItem {
    var item: CatalogueItem
    if delta.number < records[kind].count, !records[kind][delta.number].versions.isEmpty {
      item = records[kind][delta.number]
    } else {
      guard let name = delta.name, delta.number <= records[kind].count || kind.mayHaveGaps else {
        throw MalformedBytes("an entry without a name")
      }
      item = CatalogueItem(tenant: name.tenant, name: name.key)
    }
    try item.take(delta, now: now, backdated: kind.entries.backdated)
    return item
  }
  /// Entries that were there before shards were told of their kind, and have not changed since, are of no name and say nothing.
  private mutating func fillGap(before number: Int, _ kind: CatalogueKind) throws(MalformedBytes) {
    guard number < EntryKind.mostEntries else { throw MalformedBytes("too many entries") }
    while records[kind].count < number { records[kind].append(CatalogueItem(tenant: .first, name: [])) }
  }
  /// Throws if versions say what this build does not know, or no `SET` can say.
  func check(_ versions: [CatalogueItem.Version], of kind: CatalogueKind) throws(MalformedBytes) {
    switch kind {
    case .program: for version in versions { _ = try ProgramTerms(version.values) }
    case .merchant: for version in versions { _ = try MerchantTerms(version.values, programCount: programs.count) }
    case .policy: try Catalogue.checkPolicy(versions.lazy.map(\.values))
    case .tier: for version in versions { _ = try TierTerms(version.values) }
    case .org, .product, .cardType, .campaign, .rule, .quota:
      for version in versions { _ = try TermsReader(version.values, kind.entries) }
    }
  }
  /// Takes an entry in, or what it is by now. Its versions are sound.
  mutating func put(_ item: CatalogueItem, _ kind: CatalogueKind, at number: Int) throws(MalformedBytes) {
    switch kind {
    case .program: try putProgram(item, at: number)
    case .merchant: try putMerchant(item, at: number)
    case .policy: try putPolicy(item, at: number)
    case .tier: try putTier(item, at: number)
    case .org, .product, .cardType, .campaign, .rule, .quota:
      guard number < kind.entries.most.all else { throw MalformedBytes("too many entries") }
      let isNew = number == records[kind].count
      let wasEmpty = isNew || records[kind][number].versions.isEmpty
      if isNew { records[kind].append(item) } else { records[kind][number] = item }
      if wasEmpty, !item.versions.isEmpty { index(item, kind, number) }
      if kind == .rule { setRule(number) }
      if kind == .campaign { setCampaign(number) }
      if kind == .cardType { noteCardFactors(item) }
      if kind == .quota { putQuota(number) }
    }
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
      case EntryKind.quota.number: refreshQuota(next.number)
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
