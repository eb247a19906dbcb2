import Base

/// Leadership transfer (thesis §3.10).
extension RaftGroup {
  /// If the target of a transfer has the whole log, it is told to take over.
  mutating func orderTransfer(_ at: Int) {
    guard peers[at].id.node == transferTarget, peers[at].match == log.lastIndex else { return }
    messages.append(Message(.timeoutNow, from: id, to: peers[at].id, term: term))
  }
  mutating func takeTimeoutNow() {
    guard role != .leader, isPromotable, mayLead else { return }
    campaign(force: true)
  }
}
