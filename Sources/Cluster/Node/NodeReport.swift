import Base
import Raft

/// A node as a person sees it who looks into a failure.
enum NodeReport {
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
          + " edges=\(replica.edges.report)"
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
