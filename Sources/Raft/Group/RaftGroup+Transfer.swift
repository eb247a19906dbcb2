import Base

/// Leadership transfer (thesis §3.10).
extension RaftGroup {
  /// If the target of a transfer has the whole log, it is told to take over.
  mutating func orderTransfer(_ at: Int) {
    guard leadership.transfer.isDue(peers[at], logEnd: log.lastIndex) else { return }
    pending.messages.append(Message(.timeoutNow, from: id, to: peers[at].id, term: term))
  }
  mutating func takeTimeoutNow() {
    guard role != .leader, isPromotable, mayLead else { return }
    campaign(force: true)
  }
}
