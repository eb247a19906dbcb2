import Base
import Vocabulary

// What shards are told of entries.
extension Entries {
  /// The catalogue as it is now, for a shard that has nothing of it: a delta for each entry, which all are of the newest version.
  public func wholeCatalogue(at stamp: Stamp, semantics: UInt8) -> [[UInt8]] {
    let rows = tables.indices.filter { isToldToShards($0, semantics) }.flatMap { table in
      tables[table].items.indices.map { (table: table, number: $0) }
    }
    return rows.enumerated().map { place, row in
      let item = tables[row.table].items[row.number]
      let from = max(item.firstBeginning, item.knownSince)
      return delta(
        row.table, row.number, from: from, isNew: true, stamp, .zero, semantics, left: rows.count - 1 - place)
    }
  }

  /// What shards have not been told of entries because not all nodes knew it: fields that were set before semantics rose. O(entries).
  public mutating func retell(from before: UInt8, to semantics: UInt8, at stamp: Stamp) -> [[UInt8]] {
    var deltas: [[UInt8]] = []
    for table in tables.indices where tables[table].kind.isForShards {
      let kind = tables[table].kind
      let told = kind.fields.filter {
        $0.traits.contains(.shards) && $0.since <= before && (before + 1...semantics).contains($0.toldSince)
      }
      guard !told.isEmpty else { continue }
      for number in tables[table].items.indices {
        let item = tables[table].items[number]
        let first = max(item.firstBeginning, item.knownSince)
        let hasAny = item.beginnings(from: first).contains { moment in
          told.contains { item.value($0.number, at: moment) != nil }
        }
        guard hasAny else { continue }
        version += 1
        deltas.append(
          delta(table, number, from: first, isNew: kind.toldSince > before, stamp, .zero, semantics))
      }
    }
    return deltas
  }

  /// What shards are told of a change: what its fields are from its moment on.
  func delta(
    _ table: Int, _ number: Int, from: Stamp, isNew: Bool, _ stamp: Stamp, _ horizon: Stamp, _ semantics: UInt8,
    left: Int? = nil
  ) -> [UInt8] {
    let item = tables[table].items[number]
    let hasBounds = tables[table].kind.hasBounds
    let fields = tables[table].kind.fields.filter { $0.traits.contains(.shards) && $0.toldSince <= semantics }
      .sorted { $0.number < $1.number }
    var delta = CatalogueDelta(
      version: version, stamp: stamp, kind: tables[table].kind.number, number: number, horizon: horizon)
    // Shards have not heard of one that was there before they were told of its kind.
    if isNew || tables[table].kind.toldSince > tables[table].kind.since { delta.name = (item.tenant, item.key) }
    for moment in item.beginnings(from: from) {
      let number = hasBounds ? item.version(at: moment)?.number ?? 0 : 0
      guard !hasBounds || number > 0 else {
        delta.versions.append(.init(from: moment, values: EntryValues(), number: 0))
        continue
      }
      let values = EntryValues(
        fields.compactMap { field in
          // Nodes that do not know a field yet are not told what stands for it: shards know that themselves.
          let value =
            field.toldSince == Semantics.first
            ? effective(table, item, field, at: moment) : item.value(field.number, at: moment)
          return value.map { (field.number, $0) }
        })
      let last = delta.versions.last
      if last?.values != values || last?.number != number {
        delta.versions.append(.init(from: moment, values: values, number: number))
      }
    }
    delta.left = left
    return delta.encoded
  }
}
