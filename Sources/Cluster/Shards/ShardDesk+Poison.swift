import Base
import Raft

/// Entries at which the process has died: see `Poison`.
extension ShardDesk {
  /// Entries of which earlier processes died, if they are still to be applied: when a node starts, and when a shard comes back to it.
  func judgeDeaths(of replica: Replica, _ entries: [LogEntry]) {
    let shard = replica.shard
    guard let death = deaths.removeValue(forKey: shard) else { return }
    guard death.index > replica.machine.lastIndex else { return note.forget(shard) }
    replica.halt.suspect(death.index)
    let kind = Poison.kind(of: entries.first { $0.index == death.index }, at: Int(death.place), in: shard)
    guard death.isPoison else {
      log(
        .warning,
        "the process died while it applied entry \(death.index.rawValue) of shard=\(shard.rawValue) kind=\(kind): it is"
          + " tried again")
      return
    }
    replica.halt.stop(at: Poison(index: death.index, kind: kind))
    log(
      .error,
      "alarm=POISON shard=\(shard.rawValue) index=\(death.index.rawValue) kind=\(kind) the process has died"
        + " \(death.count) times while it applied that entry: nothing from there on is applied here, other shards are"
        + " served; report this, keep the data directory, and start another build, or say"
        + " CLUSTER ALARM CLEAR POISON shard=\(shard.rawValue) to try it again once")
  }

  /// Tries once more an entry that is not applied here.
  func tryPoison(_ shard: ShardID) {
    guard let replica = replicas[shard], let poison = replica.poison else { return }
    do {
      try note.retry(shard)
    } catch {
      return log(.error, "the alarm of shard=\(shard.rawValue) is not cleared: \(error)")
    }
    replica.halt.resume()
    replica.isDirty = true
    log(.warning, "entry \(poison.index.rawValue) of shard=\(shard.rawValue) is tried again")
  }

  /// `CLUSTER ALARM CLEAR POISON shard=S`: every peer in reach that does not apply an entry of that shard tries it again
  /// once. False: nobody has that alarm, nor has this node.
  func clearPoison(_ shard: ShardID) -> Bool {
    let others = peers.others.filter { $0.isConnected && $0.condition.isPoisoned(shard) }
    for peer in others { peer.say(.clearPoison) { $0.append(shard.rawValue) } }
    return !others.isEmpty || replicas[shard]?.poison != nil
  }
}
