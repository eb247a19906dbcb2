import Base

/// One thing to keep in the node's write-ahead log.
public struct LogRecord: Hashable, Sendable {
  public enum Body: Hashable, Sendable {
    /// An entry of the shard's replicated log. One whose index is not above the last one cuts the log there first.
    case entry(LogEntry)
    /// The shard's hard state, encoded by Raft. The latest one wins.
    case state([UInt8])
    /// The shard's log now starts after this point, because a snapshot was installed; all its entries go.
    case reset(LogIndex, Term)
    /// The shard has left this node: entries and state go.
    case forget
  }
  public var shard: ShardID
  public var body: Body
  public init(shard: ShardID, body: Body) {
    self.shard = shard
    self.body = body
  }
}

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
}

/// How much of the log one shard holds back.
public struct ShardUsage: Hashable, Sendable {
  public var shard: ShardID
  /// Bytes of its records that are not yet released.
  public var liveBytes: UInt64
  /// Bytes of all segments from the oldest one it needs to the end: what it would cost to wait for this shard.
  public var pinnedBytes: UInt64
}

/// The node's one write-ahead log, shared by its shards. `README.md` in this folder has the format and the rules.
///
/// All calls come from one thread, the log thread, but for `prepareSpare`, which any other may call. Every error but
/// `.noSpace` and `.refused` means that the process must end.
public final class WriteAheadLog: @unchecked Sendable {
  public struct Options: Sendable {
    /// Size of a segment file. A multiple of 4 KiB, at least 16 KiB.
    public var segmentBytes: Int
    /// The largest record, payload and head; cut to what fits a segment.
    public var maxRecordBytes: Int
    public init(segmentBytes: Int = 64 << 20, maxRecordBytes: Int = 32 << 20) {
      self.segmentBytes = segmentBytes
      self.maxRecordBytes = maxRecordBytes
    }
  }

  /// Opens the log, or begins one. Verifies every byte of it; cuts a torn tail; refuses rot (`.damaged`, with file and
  /// offset) and newer formats (`.tooNew`). The last batch, whose sync nobody vouches for, is copied to a fresh segment
  /// and synced before this returns. Costs one read of the whole log.
  public init(directory: String, fileSystem: any FileSystem, options: Options = Options()) throws(StorageError) {
    preconditionFailure("stub")
  }
  /// What was read when the log was opened, sorted by shard. The log keeps no copy: a second call gives nothing.
  public func takeRecovered() -> [RecoveredShard] { preconditionFailure("stub") }

  /// Writes one batch: one `pwrite` on blocks written before, at the next 4 KiB boundary. Durable after `sync`.
  ///
  /// Records take effect in order. A batch of up to some 4 MiB is kept as a whole or not at all; a larger one may be cut
  /// between records by a crash. A batch that has not been synced yet is synced first. Throws `.refused`, having
  /// written nothing, for a record above the limit; `.noSpace` if a new segment is needed and cannot be made: the
  /// same records may be appended again later.
  public func append(_ records: [LogRecord]) throws(StorageError) { preconditionFailure("stub") }
  /// fdatasync. When it returns, everything appended is durable. An error is fatal: the process must end.
  public func sync() throws(StorageError) { preconditionFailure("stub") }

  /// The shard's snapshot at `through` is durable: its entries up to there may go. Segments that nobody needs any more are
  /// recycled, oldest first; then, and only then, this costs a small batch and a sync.
  public func release(_ shard: ShardID, through: LogIndex) throws(StorageError) { preconditionFailure("stub") }
  /// Writes the shard's live entries in older segments again at the log's end, so that it holds back no other shard's
  /// segments. Costs a read of those segments and a write of `liveBytes`; they are recycled at once if nobody else
  /// needs them.
  public func rewriteTail(_ shard: ShardID) throws(StorageError) { preconditionFailure("stub") }

  /// Makes the next segment ready, so that `append` need never make one. Call it from a background thread, now and then
  /// and after `release`. Gives whether there was something to do. Costs a zero-fill of a segment, or with a
  /// recycled one two small syncs.
  @discardableResult public func prepareSpare() throws(StorageError) -> Bool { preconditionFailure("stub") }

  /// What each shard holds back, sorted by shard; shards that hold back nothing are left out.
  public func usage() -> [ShardUsage] { preconditionFailure("stub") }
  /// Bytes of all segment files, spare ones included.
  public var bytes: UInt64 { preconditionFailure("stub") }
}
