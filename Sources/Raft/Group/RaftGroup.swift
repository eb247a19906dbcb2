import Base

/// One member of one Raft group, as a value: events go in, `takeReady` says what is to be done. It does no IO and knows
/// no time but ticks. The algorithm is Ongaro's (thesis, 2014) with pre-vote and check-quorum (§9.6, §6.2), joint
/// configurations (§4.3), leadership transfer (§3.10) and ReadIndex (§6.4).
///
/// How a driver runs it: hand in what happened (`tick`, `step`, `propose`, …), any number of times; then `takeReady`
/// once, and do what it says: start the write of `persist`, send `messages`, apply `committed`. Report back by
/// `persisted` and `applied`. Then again.
///
/// What must stay true:
/// - *Promises wait for the disk.* Accepting replies, granted votes, the node's own vote and what it asks others for as a
///   candidate take effect only when `persisted` covers all that they speak of. A leader's appends do not wait: they leave
///   while it writes itself.
/// - *A membership counts from when it is known to be committed*, before the next vote or acknowledgement, because the
///   group reads it from its log by itself. An entry of a later configuration carries a commit index that covers the
///   earlier one, and both become durable together: so a node is never more than one configuration behind its own log,
///   and neighbouring configurations share a majority.
/// - *A leader commits only entries of its own term by counting* (Raft §5.4.2).
public struct RaftGroup: Sendable {
  /// This replica; its `born` is 0 until the first message has told it.
  public internal(set) var id: ReplicaID
  public let options: RaftOptions

  /// Whether this node may become leader: one that must not neither campaigns nor takes leadership that it is handed.
  public var mayLead = true
  /// How many read rounds may be under way; further reads wait and share the next.
  public var maxReadRounds: Int
  public internal(set) var role = Role.follower
  public internal(set) var term: Term
  /// The leader of `term`, as far as known; else `ReplicaID.none`.
  public internal(set) var leader = ReplicaID.none
  /// Whom it has voted for in this term; `none` for nobody.
  public internal(set) var vote: ReplicaID

  /// The entries since the last compaction.
  var log: Log
  /// How far they are committed and applied.
  var cursor: CommitCursor
  /// What of the log and of the hard state is on disk, and what waits for it.
  var durability: Durability
  /// The membership in force, and as of what is applied.
  var configurations: ConfigurationHistory
  /// One for each member of `configuration`.
  var peers = ProgressTracker()
  /// When a follower campaigns, and a candidate again.
  var electionTimer: ElectionTimer
  /// Means something while `role` is `leader`.
  var leadership = Leadership()
  /// What this replica has lost, and how it becomes whole.
  var repair: Repair
  /// What the next `takeReady` gives out, as far as it is known before.
  var pending = Ready()

  /// A group as found on disk, or a new one: of a founder with `HardState()` and a log that begins with the first
  /// configuration; of a later member with a hard state that says when it was born, or nothing, and no entries.
  ///
  /// - Parameters:
  ///   - seed: for the random part of election timeouts; should differ from node to node.
  ///   - snapshotIndex: of the newest durable snapshot, loaded; 0 for none.
  ///   - configuration: as of the snapshot.
  ///   - entries: the durable entries, without gaps, lowest first. They may begin before the snapshot; if the entry at
  ///     `snapshotIndex` is among them with another term than `snapshotTerm`, or they end before it, they are from
  ///     before an installed snapshot and are dropped: then `takeReady` asks for the restart to be written.
  /// - Throws: when the entries do not reach back to the snapshot or a configuration cannot be read.
  public init(
    node: NodeID, options: RaftOptions, seed: UInt64, hardState: HardState, snapshotIndex: LogIndex, snapshotTerm: Term,
    configuration: Configuration, entries: [LogEntry]
  ) throws(MalformedBytes) {
    precondition(node != .none, "a node has an id")
    options.check()
    id = ReplicaID(node: node, born: hardState.born)
    self.options = options
    maxReadRounds = options.maxReadRounds
    electionTimer = ElectionTimer(seed: seed ^ node.rawValue, options: options)
    let snapshot = LogPosition(index: snapshotIndex, term: snapshotTerm)
    let recovered = try RaftGroup.recoverLog(entries, snapshot: snapshot)
    log = recovered.log
    term = max(hardState.term, log.lastTerm)
    vote = term == hardState.term ? hardState.vote : .none
    repair = Repair(damage: hardState.damage)
    configurations = ConfigurationHistory(configuration)
    cursor = CommitCursor(at: snapshotIndex)
    durability = Durability(durable: hardState, stable: log.lastIndex)
    if recovered.isRestarted { durability.restarted(at: snapshot) }
    pending.roleChanged = true
    pending.configurationChanged = true
    try recoverCommit(through: max(foundedThrough, min(hardState.commit, log.lastIndex)))
  }

  // MARK: Reading

  /// Known to be committed through here.
  public var commitIndex: LogIndex { cursor.committed }
  /// As far as the driver has reported by `applied`.
  public var appliedIndex: LogIndex { cursor.applied }
  /// The newest committed configuration: the one in force.
  public var configuration: Configuration { configurations.current }
  /// The configuration as of `appliedIndex`: what belongs into a snapshot there.
  public var appliedConfiguration: Configuration { configurations.applied }
  /// What this replica knows of its own losses.
  public var damage: Damage { repair.damage }
  /// The entries after `index` that are in memory. O(their count).
  public func entries(after index: LogIndex) -> [LogEntry] {
    log.slice(from: max(index, log.start.index) + 1, through: log.lastIndex)
  }
  /// The end of the log, durable or not.
  public var lastIndex: LogIndex { log.lastIndex }
  /// The first entry still in memory, if there is one: followers that need an older one get a snapshot.
  public var firstIndex: LogIndex { log.firstIndex }
  /// Durable here through this index.
  public var stableIndex: LogIndex { durability.stable }
  /// Term and vote are on disk as they are in memory.
  public var isStateStable: Bool { durability.holds(term: term, vote: vote) }
  /// Whether this node leads and has committed an entry of its own term, so that it knows all that is committed.
  public var hasCommittedInOwnTerm: Bool { role == .leader && leadership.hasCommitted(through: commitIndex) }
  /// The cost of what is in the log and not known to be committed: payload and some 32 bytes an entry.
  public var uncommittedBytes: Int { Int(log.cost(after: commitIndex, through: log.lastIndex)) }
  /// The cost of the entries in memory.
  public var logBytes: Int { Int(log.cost(after: log.start.index, through: log.lastIndex)) }
  /// To whom leadership is being handed, or `NodeID.none`.
  public var transferringTo: NodeID { leadership.transfer.target }
  /// The term of the entry at `index`; nil if it is not in memory. For a snapshot's metadata.
  public func term(at index: LogIndex) -> Term? { log.term(at: index) }

  /// The newest entry with commands that is not known to be committed, if there is one.
  public var newestUncommittedCommand: LogEntry? {
    var index = log.lastIndex
    while index > commitIndex, index >= log.firstIndex {
      if log[index].kind == .command { return log[index] }
      index = index - 1
    }
    return nil
  }
  /// The first entry with commands after `index` that is in memory, if there is one near. O(1).
  public func firstCommand(after index: LogIndex) -> LogEntry? {
    var index = max(index + 1, log.firstIndex)
    for _ in 0..<16 where index <= log.lastIndex {
      if log[index].kind == .command { return log[index] }
      index = index + 1
    }
    return nil
  }
  /// Of each other member, sorted by id; empty unless leader. O(members).
  public var progress: [PeerProgress] {
    guard role == .leader else { return [] }
    // A loop: a closure that escapes would copy the whole group.
    var others: [PeerProgress] = []
    others.reserveCapacity(peers.indices.count)
    for peer in peers where peer.id != id {
      let state: PeerProgress.State =
        switch peer.state {
        case .probe: .probe
        case .replicate: .replicate
        case .snapshot: .snapshot
        }
      others.append(
        PeerProgress(
          id: peer.id.node, born: peer.id.born, state: state, match: peer.match,
          lagEntries: log.lastIndex.rawValue - peer.match.rawValue,
          lagBytes: log.cost(after: peer.match, through: log.lastIndex), isVoter: peer.isVoter,
          isActive: isActive(peer), isDamaged: peer.isDamaged || peer.isFenced))
    }
    return others
  }
}
