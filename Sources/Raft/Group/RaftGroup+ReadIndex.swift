import Base

/// Linearizable reads (thesis §6.4): the commit index of now is safe to read at once a quorum has confirmed, after the
/// read was asked for, that this node still leads, and once the leader has committed in its own term.
extension RaftGroup {
  mutating func beginReadRound() {
    guard !leadership.reads.waiting.isEmpty, hasCommittedInOwnTerm, leadership.reads.underWay.count < maxReadRounds
    else { return }
    leadership.reads.begin(at: commitIndex)
    if let own = peers.position(of: id) { confirmReads(round: leadership.reads.newest, own) }
    if !leadership.reads.underWay.isEmpty { leadership.callHeartbeats(.voters) }
  }
  /// The member at `at` confirmed all rounds through `round`.
  mutating func confirmReads(round: UInt64, _ at: Int) {
    guard round > peers[at].confirmedRound, round <= leadership.reads.newest else { return }
    peers[at].confirmedRound = round
    leadership.reads.confirm(through: peers.quorumValue(\.confirmedRound), into: &pending.readStates)
  }
}
