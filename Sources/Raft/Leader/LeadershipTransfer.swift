import Base

/// Handing leadership to a chosen voter (thesis §3.10): while it is under way the leader takes no proposals, so that the
/// voter can catch up; once it has, it is told to take over. Given up when that takes longer than an election.
struct LeadershipTransfer: Sendable {
  /// To whom; `NodeID.none` while none is under way.
  private(set) var target = NodeID.none
  private var elapsedTicks = 0

  var isUnderWay: Bool { target != .none }

  mutating func begin(to target: NodeID) {
    self.target = target
    elapsedTicks = 0
  }
  mutating func giveUp() { target = .none }
  /// One tick passed; after `limit` of them it is given up.
  mutating func tick(limit: Int) {
    guard isUnderWay else { return }
    elapsedTicks += 1
    if elapsedTicks >= limit { giveUp() }
  }
  /// Whether this member is to be told now: it is the target, and its log is as long as the leader's.
  func isDue(_ member: Progress, logEnd: LogIndex) -> Bool { member.id.node == target && member.match == logEnd }
}
