import Base

/// When the states of shards, frozen at one stamp, are a cut.
package enum BackupCut {
  /// Why they are none; nil: together they own every slot once.
  package static func reasonAgainst(_ slots: [SlotRanges]) -> String? {
    var owners = [UInt8](repeating: 0, count: Slot.count)
    for range in slots.flatMap(\.ranges) {
      for slot in range { owners[slot] = min(owners[slot] + 1, 2) }
    }
    if let slot = owners.firstIndex(of: 0) { return "slot \(slot) is in no shard" }
    if let slot = owners.firstIndex(of: 2) { return "slot \(slot) is in two shards" }
    return nil
  }
}
