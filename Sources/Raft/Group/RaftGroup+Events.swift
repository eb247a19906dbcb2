import Base

/// What happens to a group.
extension RaftGroup {
  /// One tick of time: heartbeats, election timeouts, check-quorum. O(members).
  /// - Parameter isIdleBeat: the leader of an idle group sends its heartbeats with this tick. There should be three such ticks
  ///   within `electionTicks`; those of all groups of a node may be the same, so that their heartbeats leave together.
  @discardableResult
  public mutating func tick(isIdleBeat: Bool = true) -> TickOutcome {
    peers.tick()
    electionTimer.tick()
    if role == .leader { checkQuorum() }
    if role == .leader {
      leadership.tick(options, isQuiet: isQuiet, isIdleBeat: isIdleBeat)
    } else if electionTimer.isOver {
      if isPromotable && mayLead {
        preCampaign()
      } else if leader != .none {
        becomeFollower(term, leader: .none)
      }
    }
    return TickOutcome(
      isReady: !pending.isEmpty || role == .leader && leadership.heartbeatsDue != .none, isIdle: isIdle,
      isWaiting: role != .leader && !electionTimer.isWithinHalf(options))
  }

  /// A message arrived. One from a node that is no member, or of an old term, is dealt with; the caller checks only that
  /// it was meant for this group. O(entries in it).
  public mutating func step(_ message: Message) {
    guard message.to.node == id.node, message.from.node != id.node, isDamageDurable, isMeant(message) else { return }
    switch message.kind {
    case .preVote, .preVoteReply, .vote, .voteReply: learnCommit(message)
    default: break
    }
    guard adoptTerm(message) else { return }
    switch message.kind {
    case .preVote, .vote: answerVote(message)
    case .preVoteReply, .voteReply: takeVoteReply(message)
    case .append: takeAppend(message)
    case .appendReply: takeAppendReply(message)
    case .heartbeat: takeHeartbeat(message)
    case .heartbeatReply: takeHeartbeatReply(message)
    case .timeoutNow: takeTimeoutNow()
    }
  }
  /// Whether a message is for this replica, and not for one that its node had in the group before or has to have next.
  private mutating func isMeant(_ message: Message) -> Bool {
    let born = message.to.born
    guard born > id.born else { return born == id.born }
    // A fenced replica may have been born later than it knows, and may have voted since: it cannot begin anew.
    guard id.born == 0 || damage.isFenced else {
      pending.successor = max(pending.successor ?? 0, born)
      return false
    }
    id.born = born
    rebuildPeers()
    return true
  }
  /// Compares a message's term with ours (Raft §5.1). False: there is no more to do.
  private mutating func adoptTerm(_ message: Message) -> Bool {
    let isRequestForVote = message.kind == .preVote || message.kind == .vote
    if isRequestForVote, message.term > term, isLeaderAlive, !message.force {
      if message.kind == .preVote {
        pending.messages.append(voteReply(to: message, in: term, reject: true))
      }
      return false
    }
    if message.term > term {
      let isAboutTheFuture = message.kind == .preVote || message.kind == .preVoteReply && !message.reject
      if !isAboutTheFuture {
        let isFromLeader = message.kind == .append || message.kind == .heartbeat
        becomeFollower(message.term, leader: isFromLeader ? message.from : .none)
      }
    } else if message.term < term {
      switch message.kind {
      // Tells a leader of the past, or a node that fell behind, of our term.
      case .append, .heartbeat:
        pending.messages.append(Message(.appendReply, from: id, to: message.from, term: term, reject: true))
      case .preVote, .vote: pending.messages.append(voteReply(to: message, in: term, reject: true))
      default: break
      }
      return false
    }
    return true
  }

  /// Appends a command at the leader. Nothing leaves before `takeReady`, which puts all that was proposed since into one
  /// append for each follower. O(1).
  /// - Returns: where the command will be, unless leadership is lost: then another entry may appear there, and its term
  ///   tells. Compare `term` at the proposal with the committed entry's.
  public mutating func propose(_ payload: [UInt8]) throws(ProposalRefused) -> LogIndex {
    try checkLeading()
    let uncommitted = uncommittedBytes
    guard uncommitted == 0 || uncommitted + payload.count <= options.maxUncommittedBytes else {
      throw .tooMuchUncommitted
    }
    return append(.command, payload)
  }
  private func checkLeading() throws(ProposalRefused) {
    guard role == .leader else { throw .notLeader(leader: leader.node) }
    guard !leadership.transfer.isUnderWay else { throw .transferring(to: leadership.transfer.target) }
  }

  /// Changes the membership to these voters and learners. Nodes that are members stay the members that they are; the
  /// others are born by this change. A change of voters goes through a joint configuration, and the leader leaves it by
  /// itself. Takes effect when committed; one at a time.
  /// - Parameter version: the change is refused unless `configuration.version` is this.
  public mutating func propose(
    voters: [NodeID], learners: [NodeID] = [], ifVersion version: UInt64
  ) throws(ProposalRefused) -> LogIndex {
    try checkLeading()
    guard hasCommittedInOwnTerm else { throw .termNotCommitted }
    guard !configuration.isJoint, !leadership.isChanging(committed: commitIndex) else { throw .changeInFlight }
    guard configuration.version == version else { throw .wrongVersion(current: configuration.version) }
    let next = nextConfiguration(voters: voters, learners: learners)
    guard next.isWellFormed, !next.voters.isEmpty, next.isJoint || next.learners != configuration.learners
    else { throw .invalidConfiguration }
    return appendConfiguration(next)
  }

  /// Asks for a linearizable read at the leader: `context` comes back in `Ready.readStates` or `Ready.readsRefused`. All
  /// reads asked for before a `takeReady` share one round of heartbeats. A leader that has not yet committed in its term
  /// keeps the read until it has. O(1).
  /// - Parameter mayWait: nobody waits for it: the group may stay idle.
  public mutating func readIndex(context: UInt64, mayWait: Bool = false) throws(ProposalRefused) {
    guard role == .leader else { throw .notLeader(leader: leader.node) }
    if !mayWait { leadership.wake() }
    leadership.reads.add(context)
  }

  /// Hands leadership to a voter: proposals are refused until it has caught up and taken over, or until an election
  /// timeout passed and the transfer is given up. Repeating the call for the same target changes nothing.
  public mutating func transferLeadership(to target: NodeID) throws(ProposalRefused) {
    if role == .leader, target == leadership.transfer.target { return }
    try checkLeading()
    guard target != id.node, let at = peers.position(on: target), peers[at].isIncoming, !peers[at].isDamaged,
      !peers[at].isFenced
    else { throw .notAVoter }
    leadership.wake()
    leadership.transfer.begin(to: target)
    orderTransfer(at)
  }

  /// The leader is suspected to be dead (say its connection was reset): asks for pre-votes now and not when the timeout
  /// is over. Does nothing at a leader or a node that is no voter.
  public mutating func campaign() {
    guard role == .follower, isPromotable, mayLead else { return }
    preCampaign()
  }

  /// Lays leadership down: others will elect somebody. What is proposed and not committed may be lost.
  public mutating func stepDown() {
    if role == .leader { becomeFollower(term, leader: .none) }
  }

  /// `Persist` of this sequence and of all before are durable.
  public mutating func persisted(_ sequence: UInt64) {
    durability.persisted(sequence, messages: &pending.messages)
    countOwnVote()
    closeDamage()
    guard role == .leader, let own = peers.position(of: id), peers[own].match < durability.stable else { return }
    peers[own].match = durability.stable
    advanceCommit()
  }

  /// The entries through `index` are applied. Never falls, never passes what was handed out.
  public mutating func applied(through index: LogIndex) {
    if cursor.apply(through: index) { configurations.apply(through: index) }
  }

  /// A snapshot at `index` is durable: forgets the entries through it, except that the newest of them, up to `bytes`, are
  /// kept for followers that are just behind. Entries that are not durable here stay.
  /// - Returns: the log now starts after this index: older entries may go from the disk.
  @discardableResult
  public mutating func compact(through index: LogIndex, keepingTail bytes: Int) -> LogIndex {
    precondition(index <= appliedIndex, "a snapshot holds what is applied")
    let cut = log.cut(before: min(index, durability.stable), keeping: bytes)
    log.compact(through: cut)
    return log.start.index
  }

  /// Whether a snapshot at `index` would bring this node forward. Ask before loading one, and again just before
  /// `installed`.
  public func wantsSnapshot(at index: LogIndex) -> Bool { index > commitIndex && role != .leader }

  /// A snapshot from the leader is durable here and loaded: the state machine is at `snapshot.index`, which
  /// `wantsSnapshot` approved. If the log holds the entry there, what follows is kept; else the log restarts after it and
  /// the next `Persist` says so. The leader is told when that is durable.
  public mutating func installed(_ snapshot: LogPosition, configuration: Configuration) {
    precondition(wantsSnapshot(at: snapshot.index), "a snapshot leads forward")
    if !log.holds(snapshot.index, snapshot.term) {
      log.restart(at: snapshot)
      durability.restarted(at: snapshot)
    }
    cursor = CommitCursor(at: snapshot.index)
    configurations = ConfigurationHistory(configuration)
    pending.configurationChanged = true
    rebuildPeers()
    if leader != .none { acceptAppend(from: leader, through: snapshot.index) }
  }

  /// As leader: a member that has nothing is sent a snapshot that has this entry at least, even if the log reaches back to its
  /// beginning: what entries up to it need, a newcomer would lack. 0: the log will do. O(1).
  public mutating func beginMembers(withSnapshotThrough index: LogIndex) { leadership.leastBeginning = index }
  /// The entry that a snapshot has at least that a follower is sent.
  public var snapshotStart: LogIndex { max(log.start.index, leadership.leastBeginning ?? LogIndex(0)) }
  /// Nobody has said yet how members begin that have nothing.
  public var awaitsBeginning: Bool { role == .leader && options.waitsForBeginning && leadership.leastBeginning == nil }

  /// The out-of-band transfer that `Ready.snapshotNeeded` asked for is over. Must be called for each.
  public mutating func snapshotSent(to peer: NodeID, index: LogIndex, succeeded: Bool) {
    guard role == .leader, let at = peers.position(on: peer), peers[at].state == .snapshot else { return }
    peers[at].becomeProbe(next: succeeded ? min(index, log.lastIndex) + 1 : peers[at].match + 1)
    // Until the next answer of any kind: a failure is not repeated at once, a success is given time.
    peers[at].isPaused = true
  }

  /// The link to a peer was lost, and messages with it: stops the pipeline and probes.
  public mutating func reportUnreachable(_ peer: NodeID) {
    guard role == .leader, let at = peers.position(on: peer), peers[at].state == .replicate else { return }
    peers[at].becomeProbe(next: peers[at].match + 1)
  }

  /// Drains all that is to be done. May be called at any time; costs little when there is nothing. O(members + entries
  /// handed out).
  public mutating func takeReady() -> Ready {
    if role == .leader {
      beginReadRound()
      sendDueHeartbeats()
      sendAppends()
    }
    let state = HardState(term: term, vote: vote, commit: commitIndex, damage: damage, born: id.born)
    pending.persist = durability.take(state, from: log, messages: &pending.messages)
    if let first = cursor.handOut() { pending.committed = log.slice(from: first, through: commitIndex) }
    var ready = Ready()
    swap(&ready, &pending)
    ready.isIdle = isIdle
    return ready
  }
}
