import Base
import Cluster

/// What is looked at once a virtual second, of all replicas together.
extension Scenario {
  struct ReplicaPlace: Hashable {
    var node: NodeID
    var shard: ShardID
  }

  func watchReplicas() {
    simulation.call(after: 1_000_000) { [self] in
      guard failure == nil else { return }
      checkReplicas()
      watchReplicas()
    }
  }
  private func checkReplicas() {
    let views = simulation.hosts.flatMap { $0.node?.replicaViews ?? [] }
    for shard in 0...plan.shards {
      observer.checkLogs(views.filter { $0.shard.rawValue == UInt32(shard) })
    }
    checkLeaders(views)
    checkTerms(views)
    checkVotes(views)
    let rotten = damaged.union(everDamaged).map { simulation.hosts[$0].nodeID }
    for view in views where !rotten.contains(view.node) {
      if let reason = view.quarantined { fail("shard \(view.shard.rawValue) is quarantined: \(reason)") }
    }
  }

  /// Two may lead a shard in different terms, but the older hears before long that a majority follows the newer, or that
  /// nobody answers it (Raft §6.2).
  private func checkLeaders(_ views: [ReplicaView]) {
    let frozen = simulation.hosts.filter(\.isFrozen).map(\.nodeID)
    for shard in 0...plan.shards {
      let leaders = views.filter { $0.shard.rawValue == UInt32(shard) && $0.isLeader && !frozen.contains($0.node) }
      guard leaders.count > 1, let oldest = leaders.min(by: { $0.term < $1.term }) else {
        deposedLeaders[shard] = nil
        continue
      }
      let known = deposedLeaders[shard].flatMap { $0.node == oldest.node ? $0 : nil }
      let seconds = (known?.seconds ?? 0) + 1
      deposedLeaders[shard] = (oldest.node, seconds)
      if seconds > 10 {
        fail(
          "shard \(shard): \(oldest.node.rawValue) leads on in term \(oldest.term.rawValue), long after it was deposed")
      }
    }
  }

  // MARK: Terms

  /// Who hears no other from now on, and who does again.
  func noteReachability() {
    var found: [ReplicaPlace: Term] = [:]
    for host in simulation.hosts where !host.isFrozen {
      let heard = simulation.hosts.filter { $0 !== host && simulation.isHeard($0.number, by: host.number) }
        .map(\.nodeID)
      for view in host.node?.replicaViews ?? [] where !view.voters.contains(where: heard.contains) {
        let place = ReplicaPlace(node: view.node, shard: view.shard)
        found[place] = termsWhenIsolated[place] ?? view.term
      }
    }
    termsWhenIsolated = found
  }

  /// Who hears nobody does not raise the term (Raft §9.6, pre-vote); but by what was on its way.
  private func checkTerms(_ views: [ReplicaView]) {
    for view in views where view.votedForItself {
      guard let term = termsWhenIsolated[ReplicaPlace(node: view.node, shard: view.shard)],
        view.term.rawValue > term.rawValue + 3
      else { continue }
      fail(
        "shard \(view.shard.rawValue): \(view.node.rawValue) raised its term from \(term.rawValue) to"
          + " \(view.term.rawValue), and heard nobody")
    }
  }

  /// Term and vote are on disk before long, unless the disk does nothing (Raft §5.2: a vote speaks from there alone).
  private func checkVotes(_ views: [ReplicaView]) {
    let excused = simulation.hosts.filter {
      $0.isFrozen || $0.diskStalledUntil + 5_000_000 > simulation.now || $0.diskSlowness > 1
        || faultyDisks.contains($0.number)
        || isFaultPhase && (fullDisks.contains($0.number) || hostsWithoutDescriptors.contains($0.number))
    }
    let idle = excused.map(\.nodeID)
    var found: [ReplicaPlace: Int] = [:]
    for view in views where !view.isStateStable && !idle.contains(view.node) {
      let place = ReplicaPlace(node: view.node, shard: view.shard)
      let seconds = (unwrittenVotes[place] ?? 0) + 1
      found[place] = seconds
      if seconds > 5 { fail("shard \(view.shard.rawValue): the vote of \(view.node.rawValue) never comes to disk") }
    }
    unwrittenVotes = found
  }
}
