import Base

/// Replication (Raft §5.3), pipelined.
extension RaftGroup {
  // MARK: At the leader

  /// Appends an entry of the leader's term. What is sent of it, and when, is up to `takeReady`.
  mutating func append(_ kind: LogEntry.Kind, _ payload: [UInt8]) -> LogIndex {
    leadership.wake()
    let index = log.lastIndex + 1
    log.append(LogEntry(index: index, term: term, kind: kind, payload: payload))
    return index
  }
  /// Appends a change of membership.
  mutating func appendConfiguration(_ configuration: Configuration) -> LogIndex {
    let index = append(.configuration, configuration.payload)
    leadership.appendedConfiguration(at: index)
    return index
  }

  /// Sends each member what it lacks and its window admits.
  mutating func sendAppends() {
    for at in peers.indices where peers[at].id != id { fillPipeline(at) }
    leadership.commitNeedsAnnouncing = false
  }
  private mutating func fillPipeline(_ at: Int) {
    let sent = pending.messages.count
    pipeline: while true {
      switch peers[at].state {
      case .snapshot: break pipeline
      case .probe:
        guard !peers[at].isPaused, peers[at].match < log.lastIndex else { break pipeline }
        guard sendAppend(at, entries: true) != nil else { break pipeline }
        peers[at].isPaused = true
        break pipeline
      case .replicate:
        guard peers[at].next <= log.lastIndex, !isWindowFull(peers[at]) else { break pipeline }
        guard let next = sendAppend(at, entries: true) else { break pipeline }
        peers[at].next = next
      }
    }
    guard pending.messages.count == sent, peers[at].state == .replicate else {
      peers[at].isNudged = false
      return
    }
    if peers[at].isNudged || leadership.commitNeedsAnnouncing {
      peers[at].isNudged = false
      _ = sendAppend(at, entries: false)
    }
  }
  private func isWindowFull(_ peer: Progress) -> Bool {
    log.cost(after: peer.match, through: peer.next - 1) >= UInt64(options.maxInflightBytes)
  }
  /// Sends one append from `next` on. Returns the index after what it carries; nil when the log does not reach back so far:
  /// then a snapshot is asked for.
  private mutating func sendAppend(_ at: Int, entries: Bool) -> LogIndex? {
    let peer = peers[at]
    let previous = peer.next - 1
    if previous == LogIndex(0), options.waitsForBeginning, leadership.leastBeginning == nil { return nil }
    let isToBegin = previous == LogIndex(0) && leadership.leastBeginning ?? LogIndex(0) > LogIndex(0)
    guard let previousTerm = log.term(at: previous), !isToBegin else {
      if isActive(peer) {
        peers[at].becomeSnapshot()
        pending.snapshotNeeded.append(SnapshotNeed(peer: peer.id.node, afterIndex: snapshotStart))
      }
      return nil
    }
    let carried = entries ? log.slice(from: peer.next, bytes: options.maxMessageBytes) : []
    pending.messages.append(
      Message(
        .append, from: id, to: peer.id, term: term, index: previous, logTerm: previousTerm, commit: commitIndex,
        entries: carried))
    return peer.next + UInt64(carried.count)
  }

  /// Sends the heartbeats that a tick or a round of reads has called for; where both have, one serves both.
  mutating func sendDueHeartbeats() {
    let due = leadership.heartbeatsDue
    guard due != .none else { return }
    leadership.sentHeartbeats()
    let context = leadership.reads.heartbeatContext
    let mayWait = leadership.isIdle(options)
    for peer in peers where peer.id != id && (due == .all || peer.isVoter) {
      var heartbeat = Message(
        .heartbeat, from: id, to: peer.id, term: term, index: peer.repairPoint, commit: min(peer.match, commitIndex),
        context: context)
      heartbeat.life = peer.life
      heartbeat.mayWait = mayWait
      pending.messages.append(heartbeat)
    }
  }

  mutating func takeAppendReply(_ message: Message) {
    guard role == .leader, let at = peers.position(of: message.from), message.index <= log.lastIndex,
      noteLife(message, at)
    else { return }
    peers.heard(at)
    if message.reject {
      takeRejection(message, at)
      return
    }
    let isNews = message.index > peers[at].match
    if isNews {
      peers[at].match = message.index
      peers[at].next = max(peers[at].next, message.index + 1)
    }
    switch peers[at].state {
    case .replicate: break
    case .probe: if message.index >= peers[at].match { peers[at].becomeReplicate() }
    case .snapshot: if peers[at].match >= log.start.index { peers[at].becomeReplicate() }
    }
    guard isNews else { return }
    orderTransfer(at)
    advanceCommit()
  }
  /// The follower's log differs at the append's `index`. Its answer names where the logs may agree, so that one exchange
  /// passes over a whole term (Raft §5.3, end; etcd's findConflictByTerm).
  private mutating func takeRejection(_ message: Message, _ at: Int) {
    switch peers[at].state {
    case .snapshot: break
    case .replicate:
      if message.index > peers[at].match { peers[at].becomeProbe(next: peers[at].match + 1) }
    case .probe:
      guard message.index == peers[at].next - 1 else { return }
      let agreement = log.agreement(at: message.hint, term: message.logTerm)
      peers[at].becomeProbe(next: min(message.index, agreement.index + 1))
    }
  }

  mutating func takeHeartbeatReply(_ message: Message) {
    guard role == .leader, let at = peers.position(of: message.from), noteLife(message, at) else { return }
    peers.heard(at)
    peers[at].isPaused = false
    let match = peers[at].match
    if peers[at].state == .replicate, match < log.lastIndex, match == peers[at].matchAtHeartbeat {
      peers[at].isNudged = true
    }
    peers[at].matchAtHeartbeat = match
    orderTransfer(at)
    confirmReads(round: message.context, at)
  }

  /// Commits what a quorum has, if it is of the own term (Raft §5.4.2). O(members + newly committed).
  mutating func advanceCommit() {
    guard role == .leader else { return }
    let index = LogIndex(peers.quorumValue(\.match.rawValue))
    guard index > commitIndex, log.term(at: index) == term else { return }
    commit(through: index)
    if options.announcesCommits { leadership.commitNeedsAnnouncing = true }
    followUpConfiguration()
  }

  /// What is committed through `index` may be applied; configurations in it are in force at once.
  mutating func commit(through index: LogIndex) {
    guard index > commitIndex else { return }
    precondition(index <= log.lastIndex, "what is committed is in the log")
    var at = commitIndex
    cursor.commit(through: index)
    while at < index {
      at = at + 1
      if log.kind(at: at) == .configuration { adopt(log[at]) }
    }
  }

  // MARK: At a follower

  /// A message of the term's leader arrived. False if this replica leads that term too: somebody lost a vote, or lies.
  mutating func acknowledgeLeader(_ replica: ReplicaID) -> Bool {
    guard role != .leader else {
      pending.rival = replica.node
      return false
    }
    if role != .follower || leader != replica { becomeFollower(term, leader: replica) }
    electionTimer.heard()
    return true
  }

  mutating func takeAppend(_ message: Message) {
    guard acknowledgeLeader(message.from) else { return }
    guard message.index >= commitIndex else {
      // Late or repeated; or the leader does not know yet how far we are.
      acceptAppend(from: message.from, through: commitIndex)
      return
    }
    guard log.holds(message.index, message.logTerm) else {
      let agreement = log.agreement(at: message.index, term: message.logTerm)
      pending.messages.append(
        answer(
          Message(
            .appendReply, from: id, to: message.from, term: term, index: message.index, logTerm: agreement.term,
            hint: agreement.index, reject: true)))
      return
    }
    for entry in message.entries {
      if entry.index <= log.lastIndex {
        if log.term(at: entry.index) == entry.term { continue }
        precondition(entry.index > commitIndex, "what is committed never changes")
        log.truncate(from: entry.index)
        durability.truncated(from: entry.index)
      }
      log.append(entry)
    }
    let last = message.index + UInt64(message.entries.count)
    commit(through: min(message.commit, last))
    acceptAppend(from: message.from, through: last)
  }
  mutating func acceptAppend(from leader: ReplicaID, through index: LogIndex) {
    durability.hold(answer(Message(.appendReply, from: id, to: leader, term: term, index: index)))
    closeDamage()
  }

  mutating func takeHeartbeat(_ message: Message) {
    guard acknowledgeLeader(message.from) else { return }
    // Of another life of this replica the leader may know more than there is now, or otherwise.
    if message.life == damage.life {
      // A leader names no more than what was acknowledged to it.
      guard message.commit <= log.lastIndex else { return noticeLoss(through: message.commit) }
      commit(through: message.commit)
    }
    takeRepairPoint(message)
    pending.messages.append(reply(to: message))
  }
  private func reply(to heartbeat: Message) -> Message {
    var reply = answer(Message(.heartbeatReply, from: id, to: heartbeat.from, term: term, context: heartbeat.context))
    reply.mayWait = heartbeat.mayWait
    return reply
  }

  /// A heartbeat that tells a sound follower nothing but that its leader is there: takes it, and gives the answer that `step` and
  /// `takeReady` would give. Nil: it tells more, or is no such message; nothing was done. O(1).
  public mutating func answerAtRest(_ message: Message) -> Message? {
    guard message.kind == .heartbeat, role == .follower, leader == message.from, message.to == id, message.term == term,
      message.life == damage.life, message.commit <= commitIndex, !damage.isOpen, isDamageDurable
    else { return nil }
    electionTimer.heard()
    return reply(to: message)
  }
}
