import Base
import Ledger

/// Journals stay at a node after their shards' replicas: while a shard here may refer to one.
extension ShardDesk {
  /// Whether records of others may refer to a replica's journal: slots have gone from its shard, by what it or one here knows.
  func mayBeReferredTo(_ replica: Replica) -> Bool {
    // The first epoch is that of the beginning: each slot that comes or goes makes it rise.
    if replica.machine.holdings.epoch > 1 { return true }
    return replicas.contains { $0.machine.holdings.lineage.contains { $0.position.journal == replica.shard } }
  }

  /// With each heartbeat: has the disk remove those that nobody here refers to, once that is known.
  func sweepJournals() {
    guard absent.isSweepDue, let needed = journalsNeeded else { return }
    absent.isSweepDue = false
    turn.out.jobs.append(.sweepJournals(needed))
  }

  /// Nil: it is not known yet. A replica that is behind may come to refer to a journal whose shard has ended, or has left this node, by an
  /// entry that it has yet to apply. Such a shard leaves only after the map had the epochs of those that took slots from it: so
  /// what this node's map says of where shards are holds for them once replicas here have the epochs of the same map.
  private var journalsNeeded: JournalsNeeded? {
    guard let topology = membership.topology, absent.found.isEmpty, !absent.isAnyLeaving else { return nil }
    var journals: Set<ShardID> = [.directory]
    for placement in topology.shards where placement.voters.contains(peers.id) { journals.insert(placement.shard) }
    for replica in replicas {
      let holdings = replica.machine.holdings
      if let placement = topology.placement(of: replica.shard), holdings.epoch < placement.epoch { return nil }
      journals.insert(replica.shard)
      journals.formUnion(holdings.lineage.map(\.position.journal))
    }
    return JournalsNeeded(newest: topology.newestShard, journals: journals)
  }
}
