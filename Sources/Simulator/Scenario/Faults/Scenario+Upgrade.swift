import Cluster

/// Nodes of an older build are upgraded, one by one, while the cluster works, and an operator ends the upgrade. What some node
/// does not know must not begin before, and what nobody has asked for neither.
extension Scenario {
  static func makeOlder(_ configuration: inout NodeConfiguration) {
    configuration.semantics = 1
    configuration.takesBeats = false
    configuration.asksForSeat = false
  }

  func scheduleUpgrades() {
    for number in 0..<plan.olderNodes { scheduleUpgrade(of: number, within: plan.faultPhase) }
    if plan.olderNodes > 0 { scheduleFinish() }
  }
  private func scheduleUpgrade(of number: Int, within time: UInt64) {
    simulation.call(after: random.below(time)) { [self] in
      guard isFaultPhase, failure == nil else { return }
      // A copy runs in its place, or its disk is about to fail: later.
      guard impostors.realDisks[number] == nil, !simulation.hosts[number].disk.isArmed else {
        return scheduleUpgrade(of: number, within: 2_000_000)
      }
      let host = simulation.hosts[number]
      host.configuration.semantics = NodeConfiguration.newestSemantics
      host.configuration.takesBeats = true
      host.configuration.asksForSeat = true
      tell(number, "*** it is upgraded")
      guard host.node != nil else { return }
      simulation.killProcess(number)
      restart(number)
    }
  }

  /// Asked for again and again, for nobody can see from outside whether all are up; before the last node is upgraded it is refused.
  private func scheduleFinish() {
    simulation.call(after: random.wait(4_000_000)) { [self] in
      guard failure == nil, !hasNewestSemantics else { return }
      operate("CLUSTER UPGRADE FINISH", on: Int(random.below(UInt64(simulation.hosts.count))))
      scheduleFinish()
    }
  }

  private var hasNewestSemantics: Bool {
    simulation.hosts.allSatisfy { host in
      host.node?.view.replicas.allSatisfy { $0.semantics == NodeConfiguration.newestSemantics } ?? false
    }
  }

  /// What is left of the upgrade, where every node is up and knows the newest semantics: they are to begin.
  func lacksSemantics(_ views: [ReplicaView]) -> Bool {
    guard up.count == simulation.hosts.count, damage.wiped.isEmpty,
      simulation.hosts.allSatisfy({ $0.configuration.semantics == NodeConfiguration.newestSemantics })
    else { return false }
    return views.contains { $0.semantics < NodeConfiguration.newestSemantics }
  }
}
