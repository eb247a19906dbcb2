import Base

/// A majority is lost for ever: what no group mends by itself.
extension RaftGroup {
  /// Has this replica go on without those that are lost, by its own log alone, whatever its group had agreed on: as the only voter of a
  /// configuration of its own, with the other members that are left as learners. **Unsafe**: what only the lost ones acknowledged
  /// is gone, and should they come back, as many as make a majority, the group is there twice. It is an operator's decision.
  ///
  /// The configuration is in force at once, and is logged as the first entry of the term that this replica then wins by its own vote;
  /// with it all that is in its log is committed. Until that is durable a crash takes it back: then it is to be said again. What
  /// the replica itself had lost is lost with the rest: it counts as whole from here on. O(members + uncommitted entries).
  ///
  /// - Parameter lost: nodes.
  public mutating func recover(without lost: Set<NodeID>) {
    precondition(configuration.contains(id), "only a member goes on without the others")
    // Where the survivor has lost entries, other members may have newer ones: they leave, and come again.
    let others = damage.mayVote ? configuration.members : []
    let learners = others.filter { $0.node != id.node && !lost.contains($0.node) }
    becomeFollower(term, leader: .none)
    repair.acceptLoss()
    configurations.force(Configuration(voters: [id], learners: learners, version: newestVersion + 1))
    pending.configurationChanged = true
    rebuildPeers()
    campaign(force: true)
  }
  /// Takes what this replica has lost as lost for ever: it counts as whole again, by what is left, and what it had acknowledged beyond
  /// that nobody may have. **Unsafe**: an operator's decision, where so many of a group are damaged that none can be supplied.
  /// It votes again in the next term at the earliest: in its present one it may have voted.
  public mutating func acceptLoss() {
    guard !damage.mayVote else { return }
    repair.acceptLoss()
    becomeFollower(Term(term.rawValue + 1), leader: .none)
  }
  /// Takes all of the log as committed, since somebody who knows it says so: the group has ended, and nobody leads it who could. O(entries).
  public mutating func commitAll() {
    guard role != .leader, damage.mayVote else { return }
    commit(through: log.lastIndex)
  }
  /// Of all configurations in the log, committed or not.
  private var newestVersion: UInt64 {
    let index = log.newestConfiguration(after: commitIndex)
    guard index > LogIndex(0), let newest = try? Configuration(payload: log[index].payload) else {
      return configuration.version
    }
    return max(configuration.version, newest.version)
  }
}
