import Base

/// By slot, the places of a table's records: a list through all places, 8 bytes each. A cache.
struct SlotChains {
  private var heads = [UInt32](repeating: 0, count: Slot.count)
  /// Of each place the neighbours in its slot's list, counted from 1.
  private var next: [UInt32] = []
  private var previous: [UInt32] = []
  /// Places below it have been looked at.
  var cursor: Int { next.count }

  /// Looks at the next place: it has a record of this slot, or none.
  mutating func pass(_ slot: Slot?) {
    next.append(0)
    previous.append(0)
    if let slot { link(cursor - 1, slot) }
  }
  /// A record has come to a place. Behind the cursor it is yet to be looked at.
  mutating func note(_ place: Int, _ slot: Slot) { if place < cursor { link(place, slot) } }
  /// A record has gone from a place.
  mutating func forget(_ place: Int, _ slot: Slot) {
    guard place < cursor else { return }
    let (after, before) = (next[place], previous[place])
    if before == 0 { heads[Int(slot.rawValue)] = after } else { next[Int(before) - 1] = after }
    if after != 0 { previous[Int(after) - 1] = before }
  }
  private mutating func link(_ place: Int, _ slot: Slot) {
    let first = heads[Int(slot.rawValue)]
    (next[place], previous[place]) = (first, 0)
    if first != 0 { previous[Int(first) - 1] = UInt32(place + 1) }
    heads[Int(slot.rawValue)] = UInt32(place + 1)
  }
  /// The slot has no records any more.
  mutating func forgetAll(of slot: Slot) { heads[Int(slot.rawValue)] = 0 }
  func forEach(_ slot: Slot, _ body: (Int) -> Void) {
    var at = heads[Int(slot.rawValue)]
    while at != 0 {
      body(Int(at) - 1)
      at = next[Int(at) - 1]
    }
  }
}

/// The same of a queue, whose records come at the end and leave at the front: 4 bytes each.
struct SlotTrails {
  private var heads = [UInt32](repeating: 0, count: Slot.count)
  private var next: [UInt32] = []
  /// The number of the first record that was looked at.
  private let first: UInt64
  /// Records below it have been looked at.
  var cursor: UInt64 { first + UInt64(next.count) }

  init(first: UInt64, count: Int) {
    self.first = first
    next.reserveCapacity(count + count / 8)
  }
  mutating func pass(_ slot: Slot?) {
    guard let slot else { return next.append(0) }
    next.append(heads[Int(slot.rawValue)])
    heads[Int(slot.rawValue)] = UInt32(next.count)
  }
  mutating func forgetAll(of slot: Slot) { heads[Int(slot.rawValue)] = 0 }
  /// Those that are still in a queue which begins at `begin`; the newest first.
  func forEach(_ slot: Slot, from begin: UInt64, _ body: (UInt64) -> Void) {
    var at = heads[Int(slot.rawValue)]
    while at != 0, first + UInt64(at) - 1 >= begin {
      body(first + UInt64(at) - 1)
      at = next[Int(at) - 1]
    }
  }
}
