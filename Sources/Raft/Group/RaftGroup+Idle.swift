import Base

/// A group in which nothing is under way costs heartbeats and nothing else; so its leader sends fewer of them. Each
/// heartbeat proves what it proved before: followers wait as long for one before they campaign, and a leader as long for answers.
extension RaftGroup {
  /// Whether nothing was under way here for `RaftOptions.idleAfterTicks`, so that heartbeats may be rare: a proposal, a read that
  /// somebody waits for, a change of membership, a transfer or a member that lacks something ends that at once. Never, unless leader.
  public var isIdle: Bool { role == .leader && leadership.isIdle(options) }

  /// Whether nothing is under way that a heartbeat could help along. O(members).
  var isQuiet: Bool {
    guard hasCommittedInOwnTerm, commitIndex == log.lastIndex, !configuration.isJoint, !leadership.transfer.isUnderWay
    else { return false }
    for peer in peers where peer.id != id {
      guard peer.match == log.lastIndex, peer.state != .snapshot, !peer.isDamaged else { return false }
    }
    return true
  }
}
