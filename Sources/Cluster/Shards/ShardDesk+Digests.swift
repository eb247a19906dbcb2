import Base
import Protocol
import Raft

// Replicas at the same index must be in the same state. Each tells its leader a digest at some entries (audits' markers,
// and indices that are multiples of `DigestComparison.interval`); the leader compares, and who differs from a majority
// stops itself.
extension ShardDesk {
  /// What a replica's turn has for its leader to compare, and for the operator.
  func take(of replica: Replica) {
    if replica.isLeader, replica.leading.giving.wanted != nil { replica.giveSlots() }
    for marker in replica.outbox.markers { noteDigest(replica, marker) }
    replica.outbox.markers.removeAll(keepingCapacity: true)
    for alarm in replica.outbox.alarms { log(.error, alarm) }
    replica.outbox.alarms.removeAll(keepingCapacity: true)
    if replica.outbox.isRepaired {
      replica.outbox.isRepaired = false
      log(.warning, "shard \(replica.shard.rawValue) is repaired: its peers have supplied what was lost")
    }
  }

  /// An entry at which replicas are compared has been applied here.
  private func noteDigest(_ replica: Replica, _ marker: MarkerDigest) {
    if replica.isLeader {
      compare(replica, marker, of: peers.id)
    } else if let peer = peers[replica.leader], peer.outgoing != nil {
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
    guard let replica = replicas[shard], replica.isLeader else { return }
    compare(replica, MarkerDigest(index: index, digest: digest), of: peer.id)
  }

  private func compare(_ replica: Replica, _ marker: MarkerDigest, of node: NodeID) {
    let shard = replica.shard
    let verdict = replica.digests.note(
      marker.digest, at: marker.index, of: node, voters: replica.raft.configuration.voters.map(\.node),
      now: now.monotonic)
    switch verdict {
    case .agreement: return
    case .split:
      if replicas.divergent.insert(shard).inserted {
        log(
          .error,
          "replicas differ and no majority agrees yet shard=\(shard.rawValue) index=\(marker.index.rawValue)"
            + " node=\(peers.name(of: node, membership))")
      }
    case .deviants(let deviants):
      replicas.divergent.insert(shard)
      for deviant in deviants { stopDeviant(replica, deviant, at: marker.index) }
    }
  }

  private func stopDeviant(_ replica: Replica, _ deviant: NodeID, at index: LogIndex) {
    log(
      .error,
      "replica differs from the majority shard=\(replica.shard.rawValue) index=\(index.rawValue)"
        + " node=\(peers.name(of: deviant, membership))")
    if deviant == peers.id {
      replica.quarantine("its state at entry \(index.rawValue) differs from the majority's")
    } else if let peer = peers[deviant], peer.outgoing != nil {
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
    guard let replica = replicas[shard], replica.leader == peer.id, replica.quarantined == nil else { return }
    replica.quarantine("its state at entry \(index.rawValue) differs from the majority's")
  }
}
