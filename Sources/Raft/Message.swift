import Base

/// What one member of a group says to another. One struct for all kinds, as etcd's: which fields mean something
/// depends on the kind. The shard's id is in the envelope, not here.
public struct Message: Hashable, Sendable {
  /// The raw value is part of the peer protocol.
  public enum Kind: UInt8, CaseIterable, Sendable {
    /// Would you vote for me in `term`? `index`, `logTerm`: the end of my log. Changes no state.
    case preVote = 1
    /// `reject`. Granted: `term` is the one asked about; else the answerer's own.
    case preVoteReply = 2
    /// Vote for me in `term`. `index`, `logTerm`: the end of my log. `force`: by order of the leader that hands over.
    case vote = 3
    /// `reject`.
    case voteReply = 4
    /// `entries` follow (`index`, `logTerm`); `commit`: how far the leader has committed.
    case append = 5
    /// Accepted: the log is durable through `index` and equal to the leader's. Rejected: `index` is the append's own,
    /// (`hint`, `logTerm`) the last place where the logs may still agree.
    case appendReply = 6
    /// The leader lives. `commit`: min(match, commit). `context`: the newest read round, 0 for none. `life`: the
    /// follower's, as far as the leader knows; `index`: the repair point of that life, 0 for none.
    case heartbeat = 7
    /// `context`: the heartbeat's.
    case heartbeatReply = 8
    /// Campaign now, without a pre-vote: the leader hands over.
    case timeoutNow = 9
  }
  public var kind: Kind
  /// It brings no entries, and asks for no vote.
  @inlinable public var isHeartbeat: Bool { kind == .heartbeat || kind == .heartbeatReply }
  public var from: ReplicaID
  /// A replica that was born earlier, or later, is not meant.
  public var to: ReplicaID
  public var term: Term
  public var index: LogIndex
  public var logTerm: Term
  public var commit: LogIndex
  /// In everything about votes: the term of the entry at `commit`. A node that holds that entry knows from it that it is
  /// committed, and may need to: the configuration it would campaign in may be out of date.
  public var commitTerm: Term
  public var hint: LogIndex
  public var context: UInt64
  public var reject: Bool
  public var force: Bool
  /// In answers to appends and heartbeats: the sender's `Damage`, in three.
  public var life: UInt64 = 0
  public var isDamaged = false
  public var isFenced = false
  /// In heartbeats and their answers: nobody waits for the answer, so it may go with what its node says next. Not in what `encode`
  /// writes: who reads that answers at once.
  public var mayWait = false
  /// In order, the first at `index` + 1. Payloads are shared with the sender's log.
  public var entries: [LogEntry]

  public init(
    _ kind: Kind, from: ReplicaID, to: ReplicaID, term: Term, index: LogIndex = LogIndex(0), logTerm: Term = Term(0),
    commit: LogIndex = LogIndex(0), commitTerm: Term = Term(0), hint: LogIndex = LogIndex(0), context: UInt64 = 0,
    reject: Bool = false, force: Bool = false, entries: [LogEntry] = []
  ) {
    self.kind = kind
    self.from = from
    self.to = to
    self.term = term
    self.index = index
    self.logTerm = logTerm
    self.commit = commit
    self.commitTerm = commitTerm
    self.hint = hint
    self.context = context
    self.reject = reject
    self.force = force
    self.entries = entries
  }

  /// At least as many bytes as `encode` appends.
  public var encodedBound: Int {
    var bound = 140
    for entry in entries { bound += entry.payload.count + 24 }
    return bound
  }

  /// Appends the message:
  ///
  ///     message = kind:u8 flags:u8 from:replica to:replica term:varint index:varint logTerm:varint commit:varint
  ///               commitTerm:varint hint:varint context:varint life:varint count:varint entry*
  ///     replica = node:u64 born:varint
  ///     entry   = kind:u8 term:varint payload:counted          its index follows from its place
  ///     flags   = 1 reject | 2 force | 4 damaged | 8 fenced
  ///
  /// O(bytes); the payloads are copied once, into the buffer.
  public func encode(into buffer: inout ByteBuffer) {
    _ = buffer.reserve(encodedBound)
    buffer.append(kind.rawValue)
    buffer.append(UInt8(reject ? 1 : 0) | (force ? 2 : 0) | (isDamaged ? 4 : 0) | (isFenced ? 8 : 0))
    from.encode(into: &buffer)
    to.encode(into: &buffer)
    buffer.append(varint: term.rawValue)
    buffer.append(varint: index.rawValue)
    buffer.append(varint: logTerm.rawValue)
    buffer.append(varint: commit.rawValue)
    buffer.append(varint: commitTerm.rawValue)
    buffer.append(varint: hint.rawValue)
    buffer.append(varint: context)
    buffer.append(varint: life)
    buffer.append(varint: UInt64(entries.count))
    var expected = index
    for entry in entries {
      expected = expected + 1
      precondition(entry.index == expected, "a message's entries follow its index without a gap")
      buffer.append(entry.kind.rawValue)
      buffer.append(varint: entry.term.rawValue)
      buffer.append(counted: entry.payload)
    }
  }

  /// Reads what `encode` wrote. Allocates one array for the entries and one for each payload.
  public init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    guard let kind = Kind(rawValue: try reader.read(UInt8.self)) else {
      throw MalformedBytes("a message of unknown kind")
    }
    let flags = try reader.read(UInt8.self)
    guard flags < 16 else { throw MalformedBytes("a message with unknown flags") }
    let from = try ReplicaID(decoding: &reader)
    let to = try ReplicaID(decoding: &reader)
    guard from.born > 0, to.born > 0 else { throw MalformedBytes("a message of a replica that was never born") }
    let term = Term(try reader.readVarint())
    let index = LogIndex(try reader.readVarint())
    let logTerm = Term(try reader.readVarint())
    let commit = LogIndex(try reader.readVarint())
    let commitTerm = Term(try reader.readVarint())
    let hint = LogIndex(try reader.readVarint())
    let context = try reader.readVarint()
    let life = try reader.readVarint()
    let count = try reader.readVarint()
    guard count <= UInt64(reader.remaining / 3), kind == .append || count == 0 else {
      throw MalformedBytes("a message with more entries than bytes")
    }
    // Far from the end, so that no sum of an index and a count can overflow.
    guard index.rawValue < 1 << 62, hint.rawValue < 1 << 62, term.rawValue < 1 << 62 else {
      throw MalformedBytes("a message with an index or a term out of range")
    }
    var entries: [LogEntry] = []
    entries.reserveCapacity(Int(count))
    var last = logTerm
    for offset in 0..<count {
      guard let kind = LogEntry.Kind(rawValue: try reader.read(UInt8.self)) else {
        throw MalformedBytes("an entry of unknown kind")
      }
      let entryTerm = Term(try reader.readVarint())
      guard entryTerm >= last, entryTerm <= term else { throw MalformedBytes("entries with terms out of order") }
      last = entryTerm
      let payload = [UInt8](try reader.readCounted())
      guard kind != .configuration || (try? Configuration(payload: payload)) != nil else {
        throw MalformedBytes("a configuration that cannot be read")
      }
      entries.append(LogEntry(index: index + (offset + 1), term: entryTerm, kind: kind, payload: payload))
    }
    self.init(
      kind, from: from, to: to, term: term, index: index, logTerm: logTerm, commit: commit,
      commitTerm: commitTerm, hint: hint, context: context, reject: flags & 1 != 0, force: flags & 2 != 0,
      entries: entries)
    self.life = life
    isDamaged = flags & 4 != 0
    isFenced = flags & 8 != 0
  }
}
