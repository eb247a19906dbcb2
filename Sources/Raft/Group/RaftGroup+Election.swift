import Base

/// Elections (Raft §5.2, §5.4.1), with pre-vote (thesis §9.6): a node first asks whether it would win, and only then
/// raises the term; and nobody answers while its leader lives, except when the leader itself hands over.
extension RaftGroup {
  /// Whether a leader was heard of within the shortest election timeout.
  var isLeaderAlive: Bool {
    role == .leader || leader != .none && electionTimer.isWithinShortest(options)
  }

  mutating func becomeFollower(_ newTerm: Term, leader newLeader: ReplicaID) {
    precondition(newTerm >= term, "terms never fall")
    if role == .leader { loseLeadership() }
    if newTerm > term {
      term = newTerm
      vote = .none
    }
    repair.forgetPoint()
    if role != .follower || leader != newLeader { pending.roleChanged = true }
    role = .follower
    leader = newLeader
    electionTimer.restart(options)
  }
  private mutating func loseLeadership() {
    leadership.reads.refuseAll(into: &pending.readsRefused)
    leadership.transfer.giveUp()
    pending.snapshotNeeded = []
    for i in peers.indices { peers[i].becomeProbe(next: log.lastIndex + 1) }
  }

  mutating func preCampaign() {
    role = .preCandidate
    leader = .none
    pending.roleChanged = true
    electionTimer.restart(options)
    peers.clearVotes()
    if let own = peers.position(of: id) { peers[own].vote = true }
    requestVotes(.preVote, in: Term(term.rawValue + 1), force: false)
    countVotes()
  }
  /// - Parameter force: by order of the leader, so that voters need not wait until they miss it.
  mutating func campaign(force: Bool) {
    term = Term(term.rawValue + 1)
    vote = id
    role = .candidate
    leader = .none
    pending.roleChanged = true
    electionTimer.restart(options)
    // The own vote counts only once it is durable: see `countOwnVote`.
    peers.clearVotes()
    requestVotes(.vote, in: term, force: force)
  }
  private mutating func requestVotes(_ kind: Message.Kind, in term: Term, force: Bool) {
    for peer in peers where peer.isVoter && peer.id != id {
      let request = voteRequest(kind, to: peer.id, in: term, force: force)
      // It speaks of a term and of entries that a crash must not take back: a vote that comes late would else be
      // counted again in the same term, for a log without them.
      if kind == .vote { durability.hold(request) } else { pending.messages.append(request) }
    }
  }
  private func voteRequest(_ kind: Message.Kind, to peer: ReplicaID, in term: Term, force: Bool) -> Message {
    Message(
      kind, from: id, to: peer, term: term, index: log.lastIndex, logTerm: log.lastTerm, commit: commitIndex,
      commitTerm: commitTerm, force: force)
  }

  /// A candidate's vote for itself became durable. Nobody leads before: a leader that forgot its term in a crash could
  /// be elected to the same term again.
  mutating func countOwnVote() {
    guard role == .candidate, durability.holds(term: term, vote: id),
      let own = peers.position(of: id), peers[own].vote == nil
    else { return }
    peers[own].vote = true
    countVotes()
  }
  private mutating func countVotes() {
    guard let own = peers.position(of: id), peers[own].vote == true else { return }
    switch peers.voteResult {
    case .won: if role == .preCandidate { campaign(force: false) } else { becomeLeader() }
    case .lost: becomeFollower(term, leader: .none)
    case .open: break
    }
  }

  private mutating func becomeLeader() {
    precondition(role == .candidate && vote == id && durability.durableTerm == term, "a leader was elected")
    role = .leader
    leader = id
    pending.roleChanged = true
    electionTimer.heard()
    peers.beginTerm(logEnd: log.lastIndex, own: id, stable: durability.stable)
    let change = log.newestConfiguration(after: commitIndex)
    // It comes first in the term: with it, and not before, what earlier terms left is committed.
    let forced = configurations.forced.map { append(.configuration, $0.payload) }
    leadership = Leadership(termStart: append(.noop, []), newestConfiguration: forced ?? change)
  }

  /// A node asks for a vote, or whether it would get one.
  mutating func answerVote(_ message: Message) {
    let isPreVote = message.kind == .preVote
    let isFree = vote == message.from || vote == .none && leader == .none || isPreVote && message.term > term
    let isUpToDate = log.isUpToDate(index: message.index, term: message.logTerm)
    let isOutranked = isPreVote && outranks(message)
    guard damage.mayVote, isFree, isUpToDate, !isOutranked else {
      pending.messages.append(voteReply(to: message, in: term, reject: true))
      // When it was asked, its leader may have seemed alive; now it does not.
      if isOutranked {
        pending.messages.append(voteRequest(.preVote, to: message.from, in: Term(term.rawValue + 1), force: false))
      }
      return
    }
    let reply = voteReply(to: message, in: message.term, reject: false)
    if isPreVote {
      pending.messages.append(reply)
    } else {
      vote = message.from
      electionTimer.heard()
      durability.hold(reply)
    }
  }
  func voteReply(to message: Message, in term: Term, reject: Bool) -> Message {
    Message(
      message.kind == .preVote ? .preVoteReply : .voteReply, from: id, to: message.from, term: term,
      commit: commitIndex, commitTerm: commitTerm, reject: reject)
  }
  private var commitTerm: Term { log.term(at: commitIndex) ?? Term(0) }

  /// What is committed once is committed for ever, whoever says so, and the entry's term vouches that ours is the same.
  /// Without this an election may be impossible: a candidate that has not heard that a joint configuration was left
  /// would need votes of nodes that were removed, whose logs may be longer.
  mutating func learnCommit(_ message: Message) {
    guard role != .leader, message.commit > commitIndex, log.holds(message.commit, message.commitTerm) else { return }
    commit(through: message.commit)
  }

  /// When a leader's crash is seen by all at once, all ask for pre-votes at once. If each got them the real votes would
  /// split; so for a moment a pre-candidate denies its pre-vote to one of lower id whose log is no better.
  private func outranks(_ message: Message) -> Bool {
    role == .preCandidate && electionTimer.hasJustBegun(options) && message.from < id
      && message.term.rawValue == term.rawValue + 1 && message.index == log.lastIndex
      && message.logTerm == log.lastTerm
  }

  mutating func takeVoteReply(_ message: Message) {
    let isExpected =
      message.kind == .preVoteReply
      ? role == .preCandidate && (message.reject || message.term.rawValue == term.rawValue + 1)
      : role == .candidate
    guard isExpected, let at = peers.position(of: message.from) else { return }
    peers[at].vote = !message.reject
    countVotes()
  }

  /// A leader that a quorum does not answer any more steps down: it could not commit, and should not keep clients.
  mutating func checkQuorum() {
    if !peers.hasQuorum({ isActive($0) }) { becomeFollower(term, leader: .none) }
  }
}
