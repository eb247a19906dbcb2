import Base

/// What a leader knows of one member's log. On other nodes only the flags and the vote mean something.
struct Progress: Sendable {
  enum State: UInt8, Sendable {
    /// Where the logs agree is not known: one append at a time, until one is accepted.
    case probe
    /// Appends are pipelined, `next` runs ahead of `match`.
    case replicate
    /// A snapshot is on its way; nothing is appended.
    case snapshot
  }
  let id: ReplicaID
  /// In `Configuration.voters`.
  var isIncoming = false
  /// In `Configuration.outgoing`.
  var isOutgoing = false

  /// The log of the member is durable and equal to ours through here.
  var match = LogIndex(0)
  /// The next entry to send. Always above `match`.
  var next = LogIndex(1)
  var state = State.probe
  /// In `.probe`: an append is under way; cleared by any answer, so that a lost one does not stall.
  var isPaused = false
  /// Send an append even if it is empty: something was lost, and the answer tells what.
  var isNudged = false
  /// `match` when the last heartbeat was answered: if it stood still since, something may be lost.
  var matchAtHeartbeat = LogIndex(0)
  /// The tick of the last answer.
  var heardAtTick: UInt64 = 0
  /// The newest read round that the member confirmed.
  var confirmedRound: UInt64 = 0
  /// The answer to this node's campaign.
  var vote: Bool?
  /// The member's `Damage`, as it last said.
  var life: UInt64 = 0
  var isDamaged = false
  var isFenced = false
  /// The end of our log when we heard that the member is damaged; 0 for none.
  var repairPoint = LogIndex(0)

  init(id: ReplicaID) { self.id = id }

  var isVoter: Bool { isIncoming || isOutgoing }

  /// Stops the pipeline and asks where the logs agree.
  mutating func becomeProbe(next: LogIndex) {
    state = .probe
    self.next = max(next, match + 1)
    isPaused = false
    isNudged = false
  }
  mutating func becomeReplicate() {
    state = .replicate
    next = match + 1
    isPaused = false
  }
  /// The member was damaged: nothing of what it said before counts.
  mutating func beginLife(_ life: UInt64, logEnd: LogIndex) {
    self.life = life
    match = LogIndex(0)
    matchAtHeartbeat = LogIndex(0)
    repairPoint = LogIndex(0)
    // A snapshot on its way is still wanted, or refused by the member; its end is reported.
    if state != .snapshot { becomeProbe(next: logEnd + 1) }
  }
  mutating func becomeSnapshot() {
    state = .snapshot
    isPaused = false
    isNudged = false
  }
}

/// What a leader knows of one member, for those who watch.
public struct PeerProgress: Hashable, Sendable {
  public enum State: UInt8, Sendable { case probe, replicate, snapshot }
  public var id: NodeID
  /// See `ReplicaID`.
  public var born: UInt64
  public var state: State
  /// Durable there through this index.
  public var match: LogIndex
  /// Entries that the leader has and the member may not have.
  public var lagEntries: UInt64
  /// Their payload, as far as it is in memory.
  public var lagBytes: UInt64
  public var isVoter: Bool
  /// Heard of within the last election timeout.
  public var isActive: Bool
  /// It has said that it lost what it acknowledged, or its vote: it cannot lead.
  public var isDamaged: Bool
}
