import Base

/// What happens to a group.
extension RaftGroup {
  /// One tick of time: heartbeats, election timeouts, check-quorum. O(members).
  public mutating func tick() {}

  /// A message arrived. One from a node that is no member, or of an old term, is dealt with; the caller checks only that
  /// it was meant for this group. O(entries in it).
  public mutating func step(_ message: Message) {}

  /// Appends a command at the leader. Nothing leaves before `takeReady`, which puts all that was proposed since into one
  /// append for each follower. O(1).
  /// - Returns: where the command will be, unless leadership is lost: then another entry may appear there, and its term
  ///   tells. Compare `term` at the proposal with the committed entry's.
  public mutating func propose(_ payload: [UInt8]) throws(ProposalRefused) -> LogIndex { LogIndex(0) }

  /// Changes the membership: to `target`'s voters and learners (its `version` is ignored, `outgoing` must be empty).
  /// A change of voters goes through a joint configuration, and the leader leaves it by itself. Takes effect when
  /// committed; one at a time.
  /// - Parameter ifVersion: the change is refused unless `configuration.version` is this.
  public mutating func propose(
    _ target: Configuration, ifVersion: UInt64
  ) throws(ProposalRefused) -> LogIndex { LogIndex(0) }

  /// Asks for a linearizable read at the leader: `context` comes back in `Ready.readStates` or `Ready.readsRefused`. All
  /// reads asked for before a `takeReady` share one round of heartbeats. A leader that has not yet committed in its term
  /// keeps the read until it has. O(1).
  public mutating func readIndex(context: UInt64) throws(ProposalRefused) {}

  /// Hands leadership to a voter: proposals are refused until it has caught up and taken over, or until an election
  /// timeout passed and the transfer is given up. Repeating the call for the same target changes nothing.
  public mutating func transferLeadership(to target: NodeID) throws(ProposalRefused) {}

  /// The leader is suspected to be dead (say its connection was reset): asks for pre-votes now and not when the timeout
  /// is over. Does nothing at a leader or a node that is no voter.
  public mutating func campaign() {}

  /// `Persist` of this sequence and of all before are durable.
  public mutating func persisted(_ sequence: UInt64) {}

  /// The entries through `index` are applied. Never falls, never passes what was handed out.
  public mutating func applied(through index: LogIndex) {}

  /// A snapshot at `index` is durable: forgets the entries through it, except that the newest of them, up to `bytes`, are
  /// kept for followers that are just behind. Entries that are not durable here stay.
  /// - Returns: the log now starts after this index: older entries may go from the disk.
  @discardableResult
  public mutating func compact(through index: LogIndex, keepingTail bytes: Int) -> LogIndex { LogIndex(0) }

  /// Whether a snapshot at `index` would bring this node forward. Ask before loading one, and again just before
  /// `installed`.
  public func wantsSnapshot(at index: LogIndex) -> Bool { false }

  /// A snapshot from the leader is durable here and loaded: the state machine is at `snapshot.index`, which
  /// `wantsSnapshot` approved. If the log holds the entry there, what follows is kept; else the log restarts after it and
  /// the next `Persist` says so. The leader is told when that is durable.
  public mutating func installed(_ snapshot: LogPosition, configuration: Configuration) {}

  /// The out-of-band transfer that `Ready.snapshotNeeded` asked for is over. Must be called for each.
  public mutating func snapshotSent(to peer: NodeID, index: LogIndex, succeeded: Bool) {}

  /// The link to a peer was lost, and messages with it: stops the pipeline and probes.
  public mutating func reportUnreachable(_ peer: NodeID) {}

  /// Drains all that is to be done. May be called at any time; costs little when there is nothing. O(members + entries
  /// handed out).
  public mutating func takeReady() -> Ready { Ready() }
}
