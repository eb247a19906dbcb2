import Base
import Raft

/// What waits for room on a link.
enum LinkFlow: Hashable, Sendable {
  /// Entries of a shard for its follower there.
  case appends(ShardID)
  /// Requests for a shard's leader there.
  case requests(ShardID)
}

/// Appends of one shard that wait, oldest first. They share their payloads with the log, and Raft bounds their bytes.
struct HeldAppends {
  private var messages: [Message] = []
  private var head = 0

  var isEmpty: Bool { head == messages.count }

  /// One that does not go on where the last ended is of a pipeline that was begun anew: what waited is of no use.
  mutating func append(_ message: Message) {
    if let last = messages.last, head < messages.count,
      last.term != message.term || last.index + UInt64(last.entries.count) != message.index
    {
      messages.removeAll()
      head = 0
    }
    messages.append(message)
  }
  mutating func removeFirst() -> Message? {
    guard !isEmpty else { return nil }
    let first = messages[head]
    head += 1
    if head == messages.count || head > 64 {
      messages.removeFirst(head)
      head = 0
    }
    return first
  }
}

/// A link's bytes are shared: entries for followers and requests for leaders leave while its budget has room, and wait for
/// their turn else. All other messages, elections and heartbeats among them, leave at once, with no more than the budget's
/// bytes before them.
extension Node {
  /// Bytes that were received are told at once when they are so many, and with the next frame else.
  static let untoldBytes: UInt64 = UInt64(LinkBudget.floor) / 2

  func hasRoom(_ peer: Peer) -> Bool { peer.budget.inFlight + peer.outbox.count < peer.budget.allowance }

  func send(_ message: Message, of shard: ShardID) {
    guard let peer = peer(message.to.node), peer.outgoing != nil else { return }
    if message.kind == .append {
      let isBehindOthers = !peer.held.isEmpty && peer.held[shard] != nil
      // What asks where the logs agree speaks of what waits here.
      if isBehindOthers && message.entries.isEmpty { return }
      if !message.entries.isEmpty && (isBehindOthers || !peer.turns.isEmpty || !hasRoom(peer)) {
        peer.held[shard, default: HeldAppends()].append(message)
        peer.turns.join(.appends(shard))
        return
      }
    }
    encode(message, of: shard, to: peer)
  }
  private func encode(_ message: Message, of shard: ShardID, to peer: Peer) {
    let start = peer.outbox.beginMessage(.raft)
    peer.outbox.append(shard.rawValue)
    message.encode(into: &peer.outbox)
    peer.outbox.endMessage(start)
  }

  /// At each turn's end: as much of what waits as there is room for.
  func useRoom(of peer: Peer) {
    guard !peer.turns.isEmpty, peer.outgoing != nil else { return }
    peer.budget.isWanted()
    while hasRoom(peer), let flow = peer.turns.next() {
      let before = peer.outbox.count
      let hasMore =
        switch flow {
        case .appends(let shard): sendHeldAppend(of: shard, to: peer)
        case .requests(let shard): sendRequests(of: stream(shard), to: peer, limit: FairTurns<LinkFlow>.quantum)
        }
      peer.turns.served(flow, bytes: peer.outbox.count - before, hasMore: hasMore)
    }
  }

  /// The next append that waits, if it still says what this node would say. Whether there are more.
  private func sendHeldAppend(of shard: ShardID, to peer: Peer) -> Bool {
    guard let message = peer.held[shard]?.removeFirst() else {
      peer.held[shard] = nil
      return false
    }
    if let replica = replica(shard), replica.isLeader, replica.term == message.term {
      encode(message, of: shard, to: peer)
    }
    guard peer.held[shard]?.isEmpty == true else { return true }
    peer.held[shard] = nil
    return false
  }

  /// Whether a voter has nearly all of a shard's log: what it lacks goes over its link in a moment.
  func isNear(_ node: NodeID, _ replica: Replica) -> Bool {
    guard let peer = peer(node) else { return false }
    return replica.isNear(node, within: min(1 << 20, max(64 << 10, 2 * peer.budget.limit)))
  }

  // MARK: What was received

  /// Told along with what leaves anyway, or for its own sake: see `untoldBytes`.
  func tellReceived(to peer: Peer) {
    guard peer.received != peer.receivedTold else { return }
    peer.receivedTold = peer.received
    let start = peer.outbox.beginMessage(.received)
    peer.outbox.append(peer.received)
    peer.outbox.endMessage(start)
  }
  func owesWord(to peer: Peer) -> Bool { peer.received - peer.receivedTold >= Node.untoldBytes }
}
