import Base
import Cluster

/// Entries of which processes die: each node gives up after two deaths, serves the rest, and an operator, or another build,
/// tries again.
struct PoisonedEntry {
  var shard: ShardID
  var index: LogIndex
  /// How often each host still dies of it.
  var left: [Int]
  /// How often each has, in a row: until somebody lets it try again, or its machine loses its power.
  var deaths: [Death]
  struct Death {
    var count = 0
    var build: UInt64 = 0
    var powerLosses = 0
  }
  var isSpent: Bool { left.allSatisfy { $0 == 0 } }
  /// Each may try again once.
  mutating func forgive() {
    for i in deaths.indices { deaths[i].count = min(1, deaths[i].count) }
  }
}

extension Scenario {
  /// The next entry of a shard is poisoned on these hosts, a few times each.
  func poisonNextEntry(of shard: ShardID, on victims: [Int]) {
    let views = simulation.hosts.flatMap { $0.node?.view.replicas ?? [] }.filter { $0.shard == shard }
    let applied = views.map(\.appliedIndex).max() ?? LogIndex(0)
    var left = simulation.hosts.map { _ in 0 }
    for victim in victims { left[victim] = 1 + Int(random.below(4)) }
    poisoned = PoisonedEntry(
      shard: shard, index: applied + 1, left: left, deaths: simulation.hosts.map { _ in PoisonedEntry.Death() })
    tell(-1, "*** trap: entry \(applied.rawValue + 1) of shard \(shard.rawValue) is poisoned \(left)")
  }

  func dies(ofEntry index: LogIndex, of shard: ShardID, _ node: NodeID) -> Bool {
    guard isFaultPhase, let known = poisoned, known.shard == shard, known.index == index,
      let number = simulation.hosts.firstIndex(where: { $0.nodeID == node }), known.left.indices.contains(number),
      known.left[number] > 0
    else { return false }
    let host = simulation.hosts[number]
    var death = known.deaths[number]
    if death.build != host.build || death.powerLosses != host.powerLosses { death.count = 0 }
    death = PoisonedEntry.Death(count: death.count + 1, build: host.build, powerLosses: host.powerLosses)
    if death.count > 2 { fail("\(host.name) dies a third time of entry \(index.rawValue) of shard \(shard.rawValue)") }
    poisoned?.deaths[number] = death
    poisoned?.left[number] -= 1
    return true
  }

  /// An operator reads the alarm, after a while.
  func clearPoisonLater(at host: SimulatedHost) {
    simulation.call(after: isFaultPhase ? random.below(10_000_000) : 1_000) { [self] in clearPoison(at: host) }
  }
  func clearPoisons() {
    for host in simulation.hosts where !down.contains(host.number) { clearPoison(at: host) }
  }
  private func clearPoison(at host: SimulatedHost) {
    for view in host.node?.view.replicas ?? [] where view.poison != nil {
      // The node that is asked has all others in reach try again too. One whose directory is poisoned cannot know whether there are users: it
      // listens to its own machine alone.
      poisoned?.forgive()
      guard let client = simulation.connect(to: host.number, from: "127.0.0.1:4000") else { return }
      simulation.send("CLUSTER ALARM CLEAR POISON shard=\(view.shard.rawValue)\n", on: client)
    }
  }
}
