import Base

/// Linearizable reads (thesis §6.4): the commit index of now is safe to read at once a quorum has confirmed, after the
/// read was asked for, that this node still leads, and once the leader has committed in its own term.
extension RaftGroup {
  mutating func beginReadRound() {
    guard !reads.waiting.isEmpty, hasCommittedInOwnTerm, reads.underWay.count < maxReadRounds else { return }
    reads.begin(at: commitIndex)
    if let own = position(of: id) { confirmReads(round: reads.newest, own) }
    if !reads.underWay.isEmpty { sendHeartbeats(toLearners: false) }
  }
  /// The member at `at` confirmed all rounds through `round`.
  mutating func confirmReads(round: UInt64, _ at: Int) {
    guard round > peers[at].confirmedRound, round <= reads.newest else { return }
    peers[at].confirmedRound = round
    reads.confirm(through: quorumValue(\.confirmedRound), into: &readStates)
  }
}
