import Base
import Ledger
import Raft

/// Entries from the future.
extension ClockGuard {
  /// Takes from an append what is stamped too far ahead of this node's clock; false if nothing is left. It is not
  /// acknowledged, and so comes again: by then it may be of the past. What is known to be committed is taken, because it is
  /// so whatever the clock says.
  mutating func admit(
    _ message: inout Message, of shard: ShardID, applied: Stamp, from name: String, now: Moment, _ out: inout NodeOutput
  ) -> Bool {
    guard let last = message.entries.last(where: { $0.kind == .command }) else { return true }
    let limit = ClockGuard.limit(now: now, applied: applied)
    guard EntryHeader.stamp(of: last) > limit else { return true }
    let commit = message.commit
    let first = message.entries.firstIndex {
      $0.kind == .command && $0.index > commit && EntryHeader.stamp(of: $0) > limit
    }
    guard let refused = first else { return true }
    tellRefused(
      stamp: EntryHeader.stamp(of: message.entries[refused]), of: shard, from: name, now: now, &out)
    guard refused > 0 else { return false }
    message.entries.removeSubrange(refused...)
    return true
  }
}

extension EntryHeader {
  /// When an entry of commands was stamped, in microseconds.
  static func stamp(of entry: LogEntry) -> Int64 {
    entry.payload.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      // What cannot be read is refused by whoever applies it.
      return (try? EntryHeader(decoding: &reader))?.stamp.microseconds ?? .min
    }
  }
}
