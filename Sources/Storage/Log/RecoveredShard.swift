import Base

/// What the log held of one shard when it was opened.
public struct RecoveredShard: Hashable, Sendable {
  public var shard: ShardID
  /// The latest hard state; empty if none was ever written.
  public var state: [UInt8]
  /// The point before the first entry: (0, 0), that of the last `reset`, or as far as releases are known. A snapshot at
  /// a higher index may exist: entries up to it are to be dropped, and `release`d.
  public var startIndex: LogIndex
  public var startTerm: Term
  /// Every entry after the start, without a gap; overwritten ones are gone.
  public var entries: [LogEntry]
  /// The replica of the shard that was born by this version, and all before it, have left this node; 0: none has.
  public var gone: UInt64 = 0
  /// Batches of the log have rotted: what is here is the shard's log as it was at some earlier moment, and the latest
  /// state that could be found.
  public var isDamaged = false
  /// A later state may have been among what has rotted.
  public var isStateLost = false

  public init(shard: ShardID, state: [UInt8], startIndex: LogIndex, startTerm: Term, entries: [LogEntry]) {
    self.shard = shard
    self.state = state
    self.startIndex = startIndex
    self.startTerm = startTerm
    self.entries = entries
  }
  /// Nothing of the shard is here but that it was.
  public var isGone: Bool {
    gone > 0 && state.isEmpty && startIndex == LogIndex(0) && entries.isEmpty && !isStateLost
  }
}

/// What had rotted in a log that was opened.
public struct LogDamage: Sendable {
  /// The first place found.
  public var error: StorageError
  /// Batches that are lost. None: all was found elsewhere.
  public var lost: [ClosedRange<UInt64>]
  /// States of shards that left no other trace may be among them.
  public var areStatesInDoubt: Bool
}
