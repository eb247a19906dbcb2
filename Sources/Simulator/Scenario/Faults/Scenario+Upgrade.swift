import Cluster

/// Nodes of an older build are upgraded, one by one, while the cluster works. What they do not know must not begin before.
extension Scenario {
  static let olderSemantics: UInt8 = 1

  func scheduleUpgrades() {
    for number in 0..<plan.olderNodes { scheduleUpgrade(of: number, within: plan.faultPhase) }
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
      tell(number, "*** it is upgraded")
      guard host.node != nil else { return }
      simulation.killProcess(number)
      restart(number)
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
