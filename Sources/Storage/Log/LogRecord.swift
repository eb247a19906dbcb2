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
    /// The shard's log starts here, at the point where it was split off another.
    case birth(ShardBirth)
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

/// Where a shard came from that was split off another: its state is its parent's as of that entry of the parent's log.
public struct ShardBirth: Hashable, Sendable {
  public var parent: ShardID
  public var index: LogIndex
  public var term: Term
  public init(parent: ShardID, index: LogIndex, term: Term) {
    self.parent = parent
    self.index = index
    self.term = term
  }

  static let payloadBytes = 4
  /// The shard that it is the birth of: `parent:u32` is the record's payload.
  func head(of shard: ShardID) -> RecordHead {
    RecordHead(kind: .birth, shard: shard, payloadBytes: Self.payloadBytes, index: index, term: term)
  }
  func withPayload<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
    withUnsafeBytes(of: parent.rawValue.littleEndian, body)
  }
  /// Nil: that is not the payload of a birth.
  init?(_ head: RecordHead, _ payload: UnsafeRawBufferPointer) {
    guard payload.count == Self.payloadBytes else { return nil }
    self.init(parent: ShardID(LogFormat.load(payload, 0)), index: head.index, term: head.term)
  }
}

extension LogRecord {
  var isState: Bool { if case .state = body { true } else { false } }
  /// Told again by the next batch, and whenever a segment is recycled: no entry tells of it.
  var isFact: Bool {
    switch body {
    case .state, .birth, .gone: true
    case .entry, .reset: false
    }
  }
  /// Bytes in a batch.
  @inline(__always)
  var byteCount: Int {
    switch body {
    case .entry(let entry): LogFormat.recordBytes(payload: entry.payload.count)
    case .state(let state): LogFormat.recordBytes(payload: state.count)
    case .birth: LogFormat.recordBytes(payload: ShardBirth.payloadBytes)
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
    case .birth(let birth): birth.head(of: shard)
    case .gone(let born): RecordHead(kind: .gone, shard: shard, index: LogIndex(born))
    }
  }
}
