import Base

/// What a replica knows of each member of the configuration in force, and what a majority of the voters comes to; while
/// joint, of both halves. How far a member's log is means something at a leader, its vote at a candidate.
///
/// A sequence of `Progress`, sorted by id. A place in it is good until `rebuild`. The cut is that of etcd's tracker.
struct ProgressTracker: Sendable {
  private var members: [Progress] = []
  /// Counts from the group's first tick: the clock by which an answer is recent or not.
  private(set) var ticks: UInt64 = 0

  // MARK: Who they are

  /// One progress for each member; those that stay keep theirs. O(members²) of a handful.
  /// - Parameters:
  ///   - logEnd: of this replica's log: where a leader begins to look for agreement.
  ///   - own: this replica.
  ///   - stable: its log is durable through here.
  mutating func rebuild(for configuration: Configuration, logEnd: LogIndex, own: ReplicaID, stable: LogIndex) {
    let old = members
    members = configuration.members.map { replica in
      var member =
        old.first { $0.id == replica } ?? newProgress(of: replica, logEnd: logEnd, own: own, stable: stable)
      member.isIncoming = configuration.voters.contains(replica)
      member.isOutgoing = configuration.outgoing.contains(replica)
      return member
    }
  }
  /// A leader's term begins: of the members it knows nothing but who they are.
  mutating func beginTerm(logEnd: LogIndex, own: ReplicaID, stable: LogIndex) {
    for at in members.indices {
      var member = newProgress(of: members[at].id, logEnd: logEnd, own: own, stable: stable)
      member.isIncoming = members[at].isIncoming
      member.isOutgoing = members[at].isOutgoing
      members[at] = member
    }
  }
  private func newProgress(of replica: ReplicaID, logEnd: LogIndex, own: ReplicaID, stable: LogIndex) -> Progress {
    var member = Progress(id: replica)
    member.next = logEnd + 1
    member.heardAtTick = ticks
    if replica == own { member.match = stable }
    return member
  }

  /// Where a member's progress is; nil for one that is none, or none any more. O(members).
  func position(of replica: ReplicaID) -> Int? { members.firstIndex { $0.id == replica } }
  /// Where the progress of a node's member is; nil for a node that has none. O(members).
  func position(on node: NodeID) -> Int? { members.firstIndex { $0.id.node == node } }
  /// Whether the replica counts in a majority. O(members).
  func isVoter(_ replica: ReplicaID) -> Bool { members.contains { $0.id == replica && $0.isVoter } }

  // MARK: Who answers

  mutating func tick() { ticks += 1 }
  /// The member answered.
  mutating func heard(_ at: Int) { members[at].heardAtTick = ticks }
  /// Whether the member answered within the last `limit` ticks, or became one within them.
  func isRecent(_ member: Progress, within limit: Int) -> Bool { ticks - member.heardAtTick < UInt64(limit) }

  // MARK: Votes

  enum VoteResult: Sendable { case won, lost, open }

  /// A campaign begins: nobody has answered.
  mutating func clearVotes() {
    for at in members.indices { members[at].vote = nil }
  }
  /// What the answers to the campaign come to so far: lost once no majority can agree any more. O(members).
  var voteResult: VoteResult {
    if hasQuorum({ $0.vote == true }) { return .won }
    return hasQuorum { $0.vote != false } ? .open : .lost
  }

  // MARK: Majorities

  /// Whether a majority of the incoming voters satisfies `test`, and of the outgoing if there are any. One that is fenced
  /// counts as against. O(members).
  func hasQuorum(_ test: (Progress) -> Bool) -> Bool {
    var (incoming, outgoing, incomingYes, outgoingYes) = (0, 0, 0, 0)
    for member in members where member.isVoter {
      let yes = !member.isFenced && test(member)
      if member.isIncoming {
        incoming += 1
        if yes { incomingYes += 1 }
      }
      if member.isOutgoing {
        outgoing += 1
        if yes { outgoingYes += 1 }
      }
    }
    return incoming > 0 && incomingYes * 2 > incoming && (outgoing == 0 || outgoingYes * 2 > outgoing)
  }

  /// The highest value that a quorum has reached. O(members²) of a handful.
  func quorumValue(_ value: (Progress) -> UInt64) -> UInt64 {
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: members.count + 1) { sorted in
      func reached(_ belongs: (Progress) -> Bool) -> UInt64? {
        var count = 0
        for member in members where belongs(member) {
          let new = member.isFenced ? 0 : value(member)
          var at = count
          while at > 0, sorted[at - 1] > new {
            sorted[at] = sorted[at - 1]
            at -= 1
          }
          sorted[at] = new
          count += 1
        }
        return count == 0 ? nil : sorted[(count - 1) / 2]
      }
      guard let incoming = reached(\.isIncoming) else { return 0 }
      return Swift.min(incoming, reached(\.isOutgoing) ?? .max)
    }
  }
}

extension ProgressTracker: Sequence {
  func makeIterator() -> IndexingIterator<[Progress]> { members.makeIterator() }
  var indices: Range<Int> { members.indices }
  subscript(at: Int) -> Progress {
    _read { yield members[at] }
    _modify { yield &members[at] }
  }
}
