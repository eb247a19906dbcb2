import Base
import Raft

/// What stands in the way of an operation and is not in the map: who is there, as far as this node hears.
extension RequestDesk {
  /// Members of the cluster that are not in reach: nothing is given to them.
  var nodesAway: Set<NodeID> {
    Set((membership.topology?.nodes ?? []).map(\.id).filter { !peers.isUp($0, now: now) })
  }

  /// Why a shard's members and slots cannot change now: no majority of its voters was heard of late. Nil: one was.
  func lackOfVoters(_ shard: ShardID) -> String? {
    guard let placement = membership.topology?.placement(of: shard) else { return nil }
    let voters = peers.groups[shard]?.configuration.voters.map(\.node) ?? placement.voters
    let heard = voters.filter { !peers.isSilent($0, now: now) }
    let needed = voters.count / 2 + 1
    guard heard.count < needed else { return nil }
    let names = heard.map { peers.name(of: $0, membership) }.sorted().joined(separator: ", ")
    return
      "shard \(shard.rawValue) needs \(needed) of its \(voters.count) voters alive, and only \(heard.count)"
      + (heard.isEmpty ? "" : " (\(names))")
      + " was heard within \(NodeRemove.silence / 1_000_000) s: start the others again, or,"
      + " where they are lost for ever, see tally unsafe recover"
  }
  /// The same of the first of several that has none.
  func lackOfVoters(among shards: some Sequence<ShardID>) -> String? {
    shards.lazy.compactMap { self.lackOfVoters($0) }.first
  }

  /// Why a node cannot be drained that votes in shards which nobody else could lead now; nil: others could.
  func lackOfLeaders(without node: NodeID) -> String? {
    guard let topology = membership.topology else { return nil }
    for placement in topology.shards where placement.voters.contains(node) {
      let others = placement.voters.filter { $0 != node && topology.node($0)?.state == .up && peers.isUp($0, now: now) }
      guard others.isEmpty else { continue }
      return
        "shard \(placement.shard.rawValue) would have no eligible leader: none of its \(placement.voters.count) voters but"
        + " \(topology.name(of: node)) is in reach and not draining"
    }
    return nil
  }
}
