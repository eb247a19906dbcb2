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
    /// The replica of the shard that was born by that version of its configuration has left this node, and so have all
    /// before it: entries and state go. That it did is kept for ever.
    case gone(born: UInt64)
  }
  public var shard: ShardID
  public var body: Body
  public init(shard: ShardID, body: Body) {
    self.shard = shard
    self.body = body
  }
}

extension LogRecord {
  var isState: Bool { if case .state = body { true } else { false } }
  /// Told again by the next batch, and whenever a segment is recycled: no entry tells of it.
  var isFact: Bool {
    switch body {
    case .state, .gone: true
    case .entry, .reset: false
    }
  }
  /// Bytes in a batch.
  @inline(__always)
  var byteCount: Int {
    switch body {
    case .entry(let entry): LogFormat.recordBytes(payload: entry.payload.count)
    case .state(let state): LogFormat.recordBytes(payload: state.count)
    case .reset, .gone: LogFormat.recordHeadBytes
    }
  }
  @inline(__always)
  var head: RecordHead {
    switch body {
    case .entry(let entry):
      RecordHead(
        kind: .entry, entryKind: entry.kind.rawValue, shard: shard, payloadBytes: entry.payload.count,
        index: entry.index, term: entry.term)
    case .state(let state): RecordHead(kind: .state, shard: shard, payloadBytes: state.count)
    case .reset(let index, let term): RecordHead(kind: .reset, shard: shard, index: index, term: term)
    case .gone(let born): RecordHead(kind: .gone, shard: shard, index: LogIndex(born))
    }
  }
}
