import Base
import Vocabulary

// An entry joins changes that nobody can ask for each by itself. Its values, versions and beginnings stay exact from
// `knownSince` on.
extension EntryItem {
  /// Of the changes that need not be kept, the latest that are all the same.
  static let mostPast = 64

  /// Joins changes to the first that nobody can ask for any more: those of before `horizon`, and of those that say nothing of
  /// the fields `kept`, all but the latest `EntryItem.mostPast`.
  mutating func forget(before horizon: Stamp, now: Stamp, keeping kept: [Int]) {
    guard !hasBounds else { return dropEnded(before: horizon) }
    var place = 1
    while place < changes.count, changes[place].set <= horizon {
      if changes[place].from > horizon || !join(place, by: horizon) { place += 1 }
    }
    // What is before these was looked at when it was as new.
    let first = max(1, changes.count - EntryItem.mostPast - EntryKind.mostAnnounced - 1)
    let past = (first..<max(first, changes.count)).filter { changes[$0].from <= now }.dropLast(EntryItem.mostPast)
    var joined = 0
    for place in past where !kept.contains(where: changes[place - joined].values.has) {
      if join(place - joined, by: now) { joined += 1 }
    }
  }

  /// Drops changes that ended before `horizon`. One that ends cannot be joined with others: these stay as they are.
  private mutating func dropEnded(before horizon: Stamp) {
    var ended = changes.filter { $0.until <= horizon }
    if ended.count == changes.count { ended.removeLast() }
    for change in ended { knownSince = max(knownSince, change.until) }
    changes.removeAll { change in ended.contains { $0.number == change.number } }
  }
  /// Joins a change that holds by a moment to the first. If that one begins later the change takes its place before it
  /// instead. True: there is one less.
  private mutating func join(_ place: Int, by moment: Stamp) -> Bool {
    let change = changes.remove(at: place)
    let isJoined = changes[0].from <= moment
    for earlier in (isJoined ? 1 : 0)..<place { changes[earlier].giveWay(to: change) }
    knownSince = max(knownSince, change.from)
    guard isJoined else {
      changes.insert(change, at: 0)
      return false
    }
    knownSince = max(knownSince, changes[0].from)
    changes[0].absorb(change)
    return true
  }

  /// What answers for every moment from `now` on, and needs nothing else: all that holds by then as one change, and those
  /// that are announced. O(changes). Nil of one with bounds: a walk through the journal goes on to its first change.
  func folded(at now: Stamp) -> EntryItem? {
    guard !hasBounds else { return nil }
    var base: Change?
    var announced: [Change] = []
    for change in changes {
      guard change.from <= now else {
        announced.append(change)
        continue
      }
      for place in announced.indices { announced[place].giveWay(to: change) }
      if base == nil { base = change } else { base?.absorb(change) }
    }
    var folded = EntryItem(tenant: tenant, key: key)
    for change in (base.map { [$0] } ?? []) + announced { folded.append(change) }
    folded.knownSince = now
    folded.firstBeginning = firstBeginning
    folded.newest = newest
    return folded
  }
}

extension EntryItem.Change {
  /// Takes in a later change that holds as well. Nothing is before this one, so nothing need say that a value was taken back.
  mutating func absorb(_ later: EntryItem.Change) {
    values = values.overlaid(by: later.values).withoutTakenBack
    guard later.decides(over: self) else { return }
    (number, from, set, by) = (later.number, later.from, later.set, later.by)
  }
  /// A later change, which holds when this one does, says the same fields.
  fileprivate mutating func giveWay(to later: EntryItem.Change) {
    if later.values.fields.contains(where: { values.has($0.number) }) { values = values.without(later.values) }
  }
}
