import Base
import Raft

/// A node as a person sees it who looks into a failure.
enum NodeReport {
  /// What a leader's shard has of slots, what its peers know of that, and what the map has.
  private static func slots(of replica: Replica, in node: Node) -> String {
    guard replica.shard != .directory else { return "" }
    let holdings = replica.machine.holdings
    let told =
      node.peers.groups[replica.shard].map { "\($0.epoch)/\($0.slots)\($0.isMoving ? "/moving" : "")" } ?? "none"
    let map = node.membership.topology?.placement(of: replica.shard).map { "\($0.epoch)/\($0.slots)" } ?? "none"
    return " slots=\(holdings.epoch)/\(holdings.slots) moving=\(holdings.moving != nil) told=\(told) map=\(map)"
  }

  static func text(of node: Node) -> String {
    let (peers, replicas, edge) = (node.peers, node.replicas, node.requests.edge)
    var lines: [String] = []
    for peer in peers where peer.index != 0 {
      lines.append("peer \(peer.hello.name) out=\(peer.outgoing != nil) in=\(peer.incoming != nil)")
    }
    for replica in replicas {
      let raft = replica.raft
      lines.append(
        "shard \(replica.shard.rawValue) \(raft.role) term=\(raft.term.rawValue) leader=\(raft.leader.node.hex)"
          + " first=\(raft.firstIndex.rawValue) last=\(raft.lastIndex.rawValue) stable=\(raft.stableIndex.rawValue)"
          + " commit=\(raft.commitIndex.rawValue) applied=\(replica.machine.lastIndex.rawValue)"
          + " transferring=\(raft.transferringTo.hex)"
          + " edges=\(replica.edges.report)" + (replica.isLeader ? slots(of: replica, in: node) : "")
          + (raft.damage == .none ? "" : " \(raft.damage)") + (replica.quarantined.map { " quarantined: \($0)" } ?? "")
          + " peers=\(raft.progress.map { "\($0.id.hex):\($0.state):\($0.match.rawValue):\($0.isActive)" })"
      )
    }
    for stream in edge.streams where !stream.items.isEmpty {
      let known = edge.leader(of: stream.shard)
      lines.append(
        "  stream \(stream.shard.rawValue) epoch=\(stream.epoch) target=\(stream.target.hex)"
          + " leader=\(known.node.hex) term=\(known.term.rawValue) items=\(stream.items.first)..<\(stream.items.next)"
          + " unsent=\(stream.unsent) reachable=\(peers.isReachable(known.node))")
    }
    lines.append("log busy=\(node.health.disk.writer.isBusy) pending=\(node.health.disk.writer.recordCount)")
    return lines.joined(separator: "\n  ")
  }
}
