import Base
import Cluster

/// An operator splits and merges shards while faults go on, and whoever leads or follows one dies in the midst of it.
extension Scenario {
  /// No scenario has more shards.
  private static let mostShards = 40

  func scheduleSplits() {
    guard plan.operations.splits else { return }
    simulation.call(after: random.wait(3_000_000)) { [self] in
      guard isFaultPhase, failure == nil else { return }
      split()
      scheduleSplits()
    }
  }
  private func split() {
    guard let map = newestMap, map.shards.count < Scenario.mostShards else { return }
    let asked = Int(random.below(UInt64(simulation.hosts.count)))
    if random.chance(60) { return operate("CLUSTER OP CANCEL \(1 + random.below(20))", on: asked) }
    if random.chance(400) { return merge(map, asked) }
    // Mostly so that members are on both sides.
    let member = random.pick(members)
    let shard = map.shard(ofMember: member) ?? random.pick(map.shards).shard
    let slot = Int(Topology.slot(ofMember: member).rawValue) + (random.chance(500) ? 1 : 0)
    let at = random.chance(800) ? " at=\(max(1, min(16_383, slot)))" : ""
    operate("CLUSTER SHARD SPLIT \(shard.rawValue)\(at)", on: asked)
    strikeSoon([shard, shard, ShardID(map.newestShard.rawValue + 1), .directory])
  }
  /// Of any two: one comes to the nodes of the other.
  private func merge(_ map: Topology, _ asked: Int) {
    let shard = random.pick(map.shards)
    let others = map.shards.filter { $0.shard != shard.shard }
    guard !others.isEmpty else { return }
    let ending = random.pick(others).shard
    operate("CLUSTER SHARD MERGE \(shard.shard.rawValue) \(ending.rawValue)", on: asked)
    strikeSoon([shard.shard, ending, ending, .directory])
  }
  /// At each of an operation's steps.
  private func strikeSoon(_ shards: [ShardID]) {
    guard random.chance(500) else { return }
    let target = random.pick(shards)
    callInFaultPhase(after: 50_000 + random.below(random.pick([200_000, 800_000, 3_000_000]))) { [self] in
      strike(oneOf: target, leads: random.chance(500))
    }
  }
  /// Somebody who holds a shard dies.
  private func strike(oneOf shard: ShardID, leads: Bool) {
    let holding = simulation.hosts.filter { host in
      host.node?.view.replicas.contains { $0.shard == shard && (!leads || $0.isLeader) } ?? false
    }
    guard let host = holding.isEmpty ? nil : random.pick(holding), impostors.realDisks[host.number] == nil else {
      return
    }
    tell(host.number, "*** dies as \(leads ? "the leader" : "one") of shard \(shard.rawValue)")
    if random.chance(500) { simulation.killProcess(host.number) } else { simulation.cutPower(host.number) }
    restart(host.number)
  }

  /// Of those that there are, as far as somebody knows.
  func anyShard() -> ShardID { newestMap.map { random.pick($0.shards).shard } ?? ShardID(1) }
  var newestMap: Topology? {
    simulation.hosts.compactMap { $0.node?.view.topology }.max { $0.version < $1.version }
  }
  /// The highest number of a shard that somebody holds or knows of.
  var newestShard: UInt32 {
    let held = simulation.hosts.flatMap { $0.node?.view.replicas ?? [] }.map(\.shard).max()
    return max(UInt32(plan.shards), held?.rawValue ?? 0, newestMap?.newestShard.rawValue ?? 0)
  }
}
