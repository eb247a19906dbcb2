import Base

/// By slot, where the records lie that go with it. A cache: made in steps while slots are to move, kept up as records are added.
/// The past keeps its own (`PastTable.census`).
struct Census {
  var members = SlotChains()
  var cards = SlotChains()
  var transactions: SlotTrails
  var requests: SlotTrails
  var lapsed: SlotTrails
}

extension Ledger {
  /// Whether a census is being made or kept: since an `export` said that slots move.
  public var isCounting: Bool { census != nil }
  /// Drops it: no slots are to move any more.
  public mutating func dropCensus() {
    census = nil
    tables.past.census = nil
  }
  mutating func beginCensus() {
    guard census == nil else { return }
    census = Census(
      transactions: SlotTrails(first: tables.transactions.first, count: tables.transactions.count),
      requests: SlotTrails(first: tables.dedupe.first, count: tables.dedupe.count),
      lapsed: SlotTrails(first: tables.lapsed.first, count: tables.lapsed.count))
    tables.past.census = SlotChains()
  }

  /// Makes some more of the census: looks at about `limit` records. True: it is whole. A cache: changes no state.
  public mutating func advanceCensus(limit: Int) -> Bool {
    guard census != nil else { return false }
    var left = limit
    for place in range(from: census?.members.cursor, to: tables.members.count, &left) {
      let member = tables.members.read(Ref(place: place)).pointee
      census?.members.pass(member.isUsed ? member.slot : nil)
    }
    for place in range(from: census?.cards.cursor, to: tables.cardEntries.count, &left) {
      let entry = tables.cardEntries.read(Ref(place: place)).pointee
      census?.cards.pass(entry.isUsed ? Slot(hash: entry.hash) : nil)
    }
    for number in range(from: census?.transactions.cursor, to: tables.transactions.end, &left) {
      let isGone = number < tables.transactions.first || tables.transactions.read(number).pointee.isGone
      census?.transactions.pass(isGone ? nil : tables.transactions.read(number).pointee.id.slot)
    }
    for number in range(from: census?.requests.cursor, to: tables.dedupe.end, &left) {
      let isGone = number < tables.dedupe.first || tables.dedupe.read(number).pointee.isForgotten
      census?.requests.pass(isGone ? nil : tables.dedupe.read(number).pointee.slot)
    }
    for number in range(from: census?.lapsed.cursor, to: tables.lapsed.end, &left) {
      var slot: Slot?
      if number >= tables.lapsed.first, tables.lapsed.read(number).pointee.points > 0 {
        slot = self.slot(ofMember: tables.lapsed.read(number).pointee.member)
      }
      census?.lapsed.pass(slot)
    }
    return tables.past.advanceCensus(limit: left) == 0 && left > 0
  }
  /// What is next to be looked at.
  private func range<Number: FixedWidthInteger>(
    from first: Number?, to end: Number, _ left: inout Int
  ) -> Range<Number> where Number.Stride: SignedInteger {
    guard let first, first < end else { return 0..<0 }
    let last = Number(clamping: min(UInt64(end), UInt64(first) + UInt64(left)))
    left -= Int(last - first)
    return first..<last
  }

  /// Where the records of a slot lie, by a whole census; not those of steps between shards.
  func places(of slot: Slot) -> SlotPlaces {
    var found = SlotPlaces()
    guard let census else { return found }
    census.members.forEach(slot) { found.members.append(Ref(place: $0)) }
    census.cards.forEach(slot) { found.cards.append(Ref(place: $0)) }
    tables.past.census?.forEach(slot) { found.blocks.append(Ref(place: $0)) }
    census.transactions.forEach(slot, from: tables.transactions.first) { number in
      if tables.transactions.read(number).pointee.id.slot == slot, !tables.transactions.read(number).pointee.isGone {
        found.transactions.append(number)
      }
    }
    census.requests.forEach(slot, from: tables.dedupe.first) { number in
      let record = tables.dedupe.read(number).pointee
      if !record.isForgotten { found.requests.append(number) }
    }
    census.lapsed.forEach(slot, from: tables.lapsed.first) { number in
      if tables.lapsed.read(number).pointee.points > 0 { found.lapsed.append(number) }
    }
    return found
  }
  /// The slot has gone.
  mutating func forgetPlaces(of slot: Slot) {
    census?.members.forgetAll(of: slot)
    census?.cards.forgetAll(of: slot)
    census?.transactions.forgetAll(of: slot)
    census?.requests.forgetAll(of: slot)
    census?.lapsed.forgetAll(of: slot)
    tables.past.census?.forgetAll(of: slot)
  }

  /// The slots of the next batch, the highest of `wanted` that are this shard's: as many as come to about `bytes` of parcel, one at
  /// least, at most 512, next to each other. Nil: none of them is this shard's. Only with a whole census.
  public func nextBatch(of wanted: Range<Int>, bytes: Int) -> Range<Int>? {
    guard let run = core.ranges.ranges.last(where: { $0.overlaps(wanted) })?.clamped(to: wanted) else { return nil }
    var first = run.upperBound
    var left = bytes
    while first > run.lowerBound, run.upperBound - first < Ledger.mostSlotsAtOnce {
      let next = byteCount(of: Slot(UInt16(first - 1)))
      if left < next, first < run.upperBound { break }
      left -= next
      first -= 1
    }
    return first..<run.upperBound
  }
  private static var mostSlotsAtOnce: Int { 512 }
  /// About how many bytes a slot is in a parcel.
  private func byteCount(of slot: Slot) -> Int {
    var count = 16
    census?.members.forEach(slot) { place in
      let member = tables.members.read(Ref(place: place))
      count += 64 + 40 * Int(member.pointee.lotCount) + 32 * Int(member.pointee.cardCount)
      if member.pointee.hasFile {
        count += 64 + Int(tables.files.read(member.pointee.file).pointee.byteCount)
      } else if member.pointee.profile != 0 {
        count += tables.texts.read(member.pointee.profile).count
      }
      forEachAccount(member) { _ in count += 24 }
      let newest = newestNote(of: Ref(place: place))
      if newest != .none { count += 64 * Int(tables.notes.read(newest).pointee.number) }
    }
    census?.cards.forEach(slot) { _ in count += 64 }
    tables.past.census?.forEach(slot) { _ in count += 136 }
    census?.transactions.forEach(slot, from: tables.transactions.first) { _ in count += 80 }
    census?.requests.forEach(slot, from: tables.dedupe.first) { _ in count += 32 }
    census?.lapsed.forEach(slot, from: tables.lapsed.first) { _ in count += 12 }
    return count
  }
}
