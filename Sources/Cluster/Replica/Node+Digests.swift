import Base
import Protocol
import Raft

// Replicas at the same index must be in the same state. Each tells its leader a digest at some entries (audits' markers,
// and indices that are multiples of `DigestComparison.interval`); the leader compares, and who differs from a majority
// stops itself.
extension Node {
  /// An entry at which replicas are compared has been applied here.
  func noteDigest(_ replica: Replica, _ marker: MarkerDigest) {
    if replica.isLeader {
      compare(replica, marker, of: id)
    } else if let peer = peer(replica.leader), peer.outgoing != nil {
      let start = peer.outbox.beginMessage(.digest)
      peer.outbox.append(replica.shard.rawValue)
      peer.outbox.append(marker.index.rawValue)
      peer.outbox.append(marker.digest.a)
      peer.outbox.append(marker.digest.b)
      peer.outbox.append(marker.digest.chain)
      peer.outbox.endMessage(start)
    }
  }

  func receiveDigest(_ reader: inout ByteReader, of peer: Peer) throws(MalformedBytes) {
    let shard = ShardID(try reader.read())
    let index = LogIndex(try reader.read())
    let digest = StateDigest(a: try reader.read(), b: try reader.read(), chain: try reader.read())
    guard let replica = replica(shard), replica.isLeader else { return }
    compare(replica, MarkerDigest(index: index, digest: digest), of: peer.id)
  }

  private func compare(_ replica: Replica, _ marker: MarkerDigest, of node: NodeID) {
    let shard = replica.shard
    let verdict = replica.digests.note(
      marker.digest, at: marker.index, of: node, voters: replica.raft.configuration.voters.map(\.node))
    switch verdict {
    case .agreement: return
    case .split:
      if divergent.insert(shard).inserted {
        log(
          .error,
          "replicas differ and no majority agrees yet shard=\(shard.rawValue) index=\(marker.index.rawValue)"
            + " node=\(name(of: node))")
      }
    case .deviants(let deviants):
      divergent.insert(shard)
      for deviant in deviants { stopDeviant(replica, deviant, at: marker.index) }
    }
  }

  private func stopDeviant(_ replica: Replica, _ deviant: NodeID, at index: LogIndex) {
    log(
      .error,
      "replica differs from the majority shard=\(replica.shard.rawValue) index=\(index.rawValue)"
        + " node=\(name(of: deviant))")
    if deviant == id {
      replica.quarantine("its state at entry \(index.rawValue) differs from the majority's")
    } else if let peer = peer(deviant), peer.outgoing != nil {
      let start = peer.outbox.beginMessage(.deviant)
      peer.outbox.append(replica.shard.rawValue)
      peer.outbox.append(index.rawValue)
      peer.outbox.endMessage(start)
    }
  }

  /// The leader says that a majority has come to another state than this replica.
  func receiveDeviant(_ reader: inout ByteReader, of peer: Peer) throws(MalformedBytes) {
    let shard = ShardID(try reader.read())
    let index = LogIndex(try reader.read())
    guard let replica = replica(shard), replica.leader == peer.id, replica.quarantined == nil else { return }
    replica.quarantine("its state at entry \(index.rawValue) differs from the majority's")
  }
}
