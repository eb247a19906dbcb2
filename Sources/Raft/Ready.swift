import Base

/// What a group must find again after a crash, beside its log.
public struct HardState: Hashable, Sendable {
  public var term: Term
  /// Whom this node voted for in `term`.
  public var vote: ReplicaID
  /// A lower bound of what is committed: written along with other changes, and for its own sake where it brings a
  /// configuration into force.
  public var commit: LogIndex
  public var damage: Damage
  /// This node's own in the group, see `ReplicaID`; 0: it becomes what the first message says.
  public var born: UInt64

  public init(
    term: Term = Term(0), vote: ReplicaID = .none, commit: LogIndex = LogIndex(0), damage: Damage = .none,
    born: UInt64 = 1
  ) {
    self.term = term
    self.vote = vote
    self.commit = commit
    self.damage = damage
    self.born = born
  }
  /// As `encode` writes it.
  public var encoded: [UInt8] {
    var buffer = ByteBuffer(capacity: 64)
    encode(into: &buffer)
    return buffer.array
  }
  private static let format: UInt8 = 1
  /// `format:u8 flags:u8 born:u64 term:u64 vote:(node:u64 born:u64) commit:u64 life:u64`; flags = 1 damaged | 2 fenced.
  public func encode(into buffer: inout ByteBuffer) {
    buffer.append(Self.format)
    buffer.append(UInt8(damage.isOpen ? 1 : 0) | (damage.isFenced ? 2 : 0))
    buffer.append(born)
    buffer.append(term.rawValue)
    buffer.append(vote.node.rawValue)
    buffer.append(vote.born)
    buffer.append(commit.rawValue)
    buffer.append(damage.life)
  }
  public init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    guard try reader.read(UInt8.self) == Self.format else { throw MalformedBytes("a hard state of unknown format") }
    let flags = try reader.read(UInt8.self)
    guard flags < 4 else { throw MalformedBytes("a hard state with unknown flags") }
    born = try reader.read()
    term = Term(try reader.read())
    vote = ReplicaID(node: NodeID(try reader.read()), born: try reader.read())
    commit = LogIndex(try reader.read())
    damage = Damage(life: try reader.read(), isOpen: flags & 1 != 0, isFenced: flags & 2 != 0)
  }
}

/// What must become durable, as one unit with everything of lower sequence.
public struct Persist: Sendable {
  /// Counts from 1 in a `RaftGroup`'s life; to be given to `RaftGroup.persisted`.
  public var sequence: UInt64
  /// Not nil: a snapshot was installed and the log restarts after this place; earlier entries on disk are void. Write it
  /// before `entries`.
  public var restart: LogPosition?
  /// Not nil: replaces the hard state.
  public var hardState: HardState?
  /// In order without gaps. The first may have an index that the log on disk has passed: everything from there on is
  /// then overwritten. Payloads are shared with the log.
  public var entries: [LogEntry]
}

/// A place in the log, and the term of the entry there.
public struct LogPosition: Hashable, Sendable {
  public var index: LogIndex
  public var term: Term
  public init(index: LogIndex, term: Term) {
    self.index = index
    self.term = term
  }
}

/// A confirmed read: this node was the leader after the read was asked for.
public struct ReadState: Hashable, Sendable {
  /// What the caller gave to `RaftGroup.readIndex`.
  public var context: UInt64
  /// Once this index is applied, the read may be evaluated.
  public var index: LogIndex
  public init(context: UInt64, index: LogIndex) {
    self.context = context
    self.index = index
  }
}

/// A follower that is behind the log's start.
public struct SnapshotNeed: Hashable, Sendable {
  public var peer: NodeID
  /// The snapshot must be of this index or a later one.
  public var afterIndex: LogIndex
}

/// Everything a group wants done, in one value. The parts are independent: messages need not wait for `persist` (what
/// promises durability was held back inside the group), nor `committed` for either.
public struct Ready: Sendable {
  /// To be made durable; then call `persisted`. Several may be under way; they complete in order.
  public var persist: Persist?
  /// To send now, in order. A message may be lost, repeated or late.
  public var messages: [Message] = []
  /// To apply, in order, each exactly once; then call `applied`. They may not be durable *here* yet.
  public var committed: [LogEntry] = []
  public var readStates: [ReadState] = []
  /// Contexts of reads that will not be confirmed: leadership was lost.
  public var readsRefused: [UInt64] = []
  /// Stream the newest snapshot out of band, then call `snapshotSent`.
  public var snapshotNeeded: [SnapshotNeed] = []
  /// Role, term or known leader changed.
  public var roleChanged = false
  /// `RaftGroup.configuration` changed.
  public var configurationChanged = false
  /// This replica was damaged and is whole again.
  public var isRepaired = false
  /// This replica lacks entries, through here, that it acknowledged: it is damaged from now on.
  public var lossNoticed: LogIndex?
  /// Another leads the term that this replica leads, which must never be (Raft §5.2): the replica is to stop.
  public var rival: NodeID?
  /// The group has removed this replica and added its node again, as a member born then. This replica takes no message
  /// that is meant for that one.
  public var successor: UInt64?
  /// This replica leads a group at rest: see `RaftGroup.isIdle`. Says nothing that is to be done.
  public var isIdle = false

  public init() {}
  /// Whether there is nothing to do but to send heartbeats or answers to them, and to take confirmations of reads.
  public var isOnlyHeartbeats: Bool {
    persist == nil && committed.isEmpty && readsRefused.isEmpty && snapshotNeeded.isEmpty && !roleChanged
      && !configurationChanged && !isRepaired && lossNoticed == nil && rival == nil && successor == nil
      && messages.allSatisfy(\.isHeartbeat)
  }
  /// Whether there is nothing to do.
  public var isEmpty: Bool {
    isOnlyHeartbeats && messages.isEmpty && readStates.isEmpty
  }
}

/// What came of a tick.
public struct TickOutcome: Sendable {
  /// `takeReady` has something to give out.
  public var isReady: Bool
  /// See `RaftGroup.isIdle`.
  public var isIdle: Bool
  /// This replica does not lead, and has heard nothing of a leader for half of the shortest election timeout: each tick counts.
  public var isWaiting: Bool
}
