import Base
import Raft

/// What a peer says of groups, and with its beats: each part goes to whom it concerns.
struct GroupMessages {
  let node: Node
  let peer: Peer

  func receive(_ kind: PeerMessageKind, _ reader: inout ByteReader) throws(MalformedBytes) {
    // An older build knows one of them.
    guard kind == .raft || node.configuration.takesBeats else { throw MalformedBytes("a message of an unknown kind") }
    switch kind {
    case .beat: try receiveBeat(&reader)
    case .heartbeats: try receiveHeartbeats(&reader)
    default:
      let shard = ShardID(try reader.read())
      take(try Message(decoding: &reader), of: shard)
    }
  }

  private func receiveBeat(_ reader: inout ByteReader) throws(MalformedBytes) {
    let now = node.turn.now
    try reader.readFields(of: "a beat") { number, value throws(MalformedBytes) in
      switch number {
      case 1: node.requests.noteStatus(try NodeStatus(decoding: &value), of: peer)
      case 2: node.links.endUnheard(to: peer, heard: try peer.receiveClock(&value, now: now))
      case 3: if try node.status.receiveCondition(&value, of: peer) { node.health.judgeShedding() }
      case 4: try receiveHeartbeats(&value)
      case 5: peer.queue.budget.acknowledge(try value.read(), now: now.monotonic)
      default: break
      }
      // What a newer build says beside is no matter of this one.
      _ = try value.readBytes(value.remaining)
      return true
    }
  }

  /// Heartbeats, or answers to those, one after another.
  private func receiveHeartbeats(_ reader: inout ByteReader) throws(MalformedBytes) {
    while !reader.isAtEnd {
      let (shard, message) = try Message.decode(heartbeat: &reader, from: peer.id, to: node.peers.id)
      take(message, of: shard)
    }
  }

  private func take(_ message: Message, of shard: ShardID) {
    var message = message
    guard let replica = node.shards.replica(shard, for: message, node.beginning.mayJoin(peer)) else { return }
    guard node.health.admit(&message, replica, from: peer) else { return }
    if let answer = replica.answerAtRest(message) {
      node.peers.send(answer, of: shard)
    } else {
      replica.step(message)
    }
  }
}
