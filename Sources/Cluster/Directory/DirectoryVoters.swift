import Base
import Raft

/// Who of the cluster's nodes are to vote in the directory's group: an odd number up to 7, as `Topology.plan` gives it, spread over the
/// regions; of those that vote now as many as may stay.
struct DirectoryVoters {
  /// Sorted.
  let wanted: [NodeID]

  /// - Parameters:
  ///   - leaving: nodes that are about to be removed.
  ///   - mayGrow: there may be more voters than now. Not while some node is silent: it and whoever has come in its place would both
  ///     count, and one loss more would leave no majority.
  ///   - mayVote: whether a node that does not vote yet has caught up, so that it may.
  init(
    _ topology: Topology, now voters: [NodeID], leaving: Set<NodeID>, mayGrow: Bool, mayVote: (NodeID) -> Bool
  ) {
    let staying = topology.nodes.filter { ($0.state == .up || $0.state == .draining) && !leaving.contains($0.id) }
    let most = staying.count % 2 == 1 ? staying.count : staying.count - 1
    let count = max(1, min(7, mayGrow ? most : min(most, voters.count)))
    func region(_ node: NodeID) -> String { topology.node(node)?.region ?? "" }
    var chosen = voters.filter { node in staying.contains { $0.id == node } }
    func crowd(_ node: NodeID) -> Int { chosen.count { $0 != node && region($0) == region(node) } }
    // Of the fullest region the last goes.
    while chosen.count > count, let last = chosen.max(by: { (crowd($0), $0) < (crowd($1), $1) }) {
      chosen.removeAll { $0 == last }
    }
    while chosen.count < count {
      let candidates = staying.filter { $0.state == .up && !chosen.contains($0.id) && mayVote($0.id) }.map(\.id)
      guard let next = candidates.min(by: { (crowd($0), $0) < (crowd($1), $1) }) else { break }
      chosen.append(next)
    }
    // Better the voters as they are than an even number of others: then somebody has yet to catch up.
    wanted = chosen.count % 2 == 0 ? voters : chosen.sorted()
  }
}
