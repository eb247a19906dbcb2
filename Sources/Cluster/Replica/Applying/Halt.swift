import Base

/// Whether a replica goes on: without an end, up to an entry that it does not apply, or not at all.
struct Halt {
  /// Why it takes no further part: a broken invariant was found here.
  private(set) var quarantined: String?
  /// An entry at which the process has died, and that has not been applied yet.
  private(set) var suspect: LogIndex?
  /// An entry that is not tried any more: nothing from there on is applied here, and nothing is led. Else the replica takes
  /// its part.
  private(set) var poison: Poison?
  /// In a simulation: the process has died in the middle of an entry.
  private(set) var hasTrapped = false

  /// While it does not apply, what it is sent would only gather: so much is taken, in bytes of entries. Beyond that the
  /// leader's log moves on without it, and a snapshot is what brings it forward.
  static let waitingBytesMax = 256 << 20

  /// It takes turns.
  var goesOn: Bool { quarantined == nil && !hasTrapped }
  /// The entry of that index is not to be begun.
  @inline(__always) func stops(before index: LogIndex) -> Bool {
    guard let end = poison?.index else { return false }
    return index >= end
  }
  /// No more entries are taken in.
  func isFull(waiting bytes: Int) -> Bool { poison != nil && bytes > Halt.waitingBytesMax }

  /// False: it was out before.
  mutating func quarantine(_ reason: String) -> Bool {
    guard quarantined == nil else { return false }
    quarantined = reason
    return true
  }
  mutating func trap() { hasTrapped = true }
  /// The process has died at that entry.
  mutating func suspect(_ index: LogIndex) { suspect = index }
  mutating func stop(at entry: Poison) { poison = entry }
  /// The entry is to be tried once more.
  mutating func resume() { poison = nil }
  /// Entries through `index` are applied, or are in a snapshot that is. True: one at which the process died is among them,
  /// and nothing is held against it any more.
  mutating func passed(through index: LogIndex) -> Bool {
    guard let suspect, suspect <= index else { return false }
    self.suspect = nil
    poison = nil
    return true
  }
}
