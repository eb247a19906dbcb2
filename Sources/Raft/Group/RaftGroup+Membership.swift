import Base

/// Membership (thesis §4.3): a change of voters is a joint configuration, then the plain one.
extension RaftGroup {
  /// Whether this node may become leader.
  var isPromotable: Bool { damage.mayVote && peers.isVoter(id) }
  /// Whether the member was heard of within an election timeout.
  func isActive(_ peer: Progress) -> Bool { peer.id == id || peers.isRecent(peer, within: options.electionTicks) }
  /// The configuration in force is another, or this replica has learned who it is.
  mutating func rebuildPeers() {
    peers.rebuild(for: configuration, logEnd: log.lastIndex, own: id, stable: durability.stable)
  }
  /// The group has removed this replica: a configuration that it applied, of its birth or a later one, does not have it.
  /// That is committed, and nothing makes it a member again: who is added later is another. O(members).
  public var isRemoved: Bool {
    id.born > 0 && appliedConfiguration.version >= id.born && !appliedConfiguration.contains(id)
  }

  /// The next configuration on the way to these members.
  func nextConfiguration(voters: [NodeID], learners: [NodeID]) -> Configuration {
    let version = configuration.version + 1
    func member(_ node: NodeID) -> ReplicaID {
      configuration.member(on: node) ?? ReplicaID(node: node, born: version)
    }
    let incoming = voters.map(member).sorted()
    return Configuration(
      voters: incoming, outgoing: incoming == configuration.voters ? [] : configuration.voters,
      learners: learners.map(member), version: version)
  }

  /// A committed configuration entry is in force.
  mutating func adopt(_ entry: LogEntry) {
    let next: Configuration
    do {
      next = try Configuration(payload: entry.payload)
    } catch {
      preconditionFailure("a committed configuration cannot be read: \(error)")
    }
    if role == .leader {
      // Those who leave hear of it now or never.
      for peer in peers where !next.contains(peer.id) && peer.id.node != id.node { sendFarewell(to: peer) }
    }
    configurations.commit(next, at: entry.index)
    durability.adopted(at: entry.index)
    pending.configurationChanged = true
    rebuildPeers()
    let target = peers.position(on: leadership.transfer.target)
    if target.map({ !peers[$0].isVoter }) ?? true { leadership.transfer.giveUp() }
  }
  private mutating func sendFarewell(to peer: Progress) {
    let previous = peer.match
    guard let previousTerm = log.term(at: previous) else { return }
    pending.messages.append(
      Message(
        .append, from: id, to: peer.id, term: term, index: previous, logTerm: previousTerm, commit: commitIndex,
        entries: log.slice(from: previous + 1, bytes: options.maxMessageBytes)))
  }

  /// After a commit: a leader leaves the joint configuration, and a leader that is no voter any more steps down.
  mutating func followUpConfiguration() {
    if configuration.isJoint, !leadership.isChanging(committed: commitIndex), hasCommittedInOwnTerm {
      let plain = Configuration(
        voters: configuration.voters, learners: configuration.learners, version: configuration.version + 1)
      _ = appendConfiguration(plain)
    }
    guard !isPromotable else { return }
    // Others must know that it is committed; and one of them should not wait for a timeout.
    for peer in peers where peer.id.node != id.node { sendFarewell(to: peer) }
    if let heir = peers.filter({ $0.isIncoming }).max(by: { $0.match < $1.match }) {
      pending.messages.append(Message(.timeoutNow, from: id, to: heir.id, term: term))
    }
    becomeFollower(term, leader: .none)
  }
}
