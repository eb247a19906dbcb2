import Base
import Raft

/// The nodes that this one knows, by their places; number 0 is this node itself. What is to be said to one stands in its
/// outbox, and leaves with the turn.
final class PeerTable {
  private var table: [Peer]
  private var places: [NodeID: UInt32]
  /// What leaders have told of their groups.
  var groups = GroupTable()
  /// What replicas without a leader say of themselves.
  var stranded = StrandedTable()
  /// Peers that are not of the cluster, at most.
  static let strangersMax = 64

  /// - Parameters:
  ///   - own: what this node says of itself.
  ///   - now: when the node starts (µs).
  init(own: Hello, now: UInt64 = 0) {
    table = [Peer(id: own.node, index: 0, hello: own)]
    places = [own.node: 0]
    table[0].lastHeard = now
  }

  var own: Peer { table[0] }
  var id: NodeID { table[0].id }
  /// All but this node itself.
  var others: ArraySlice<Peer> { table[1...] }
  @inline(__always) subscript(_ id: NodeID) -> Peer? { places[id].map { table[Int($0)] } }

  // MARK: Who is there

  /// Whether a question gets there, and its answer back.
  func isReachable(_ node: NodeID) -> Bool {
    node == id || self[node].map { $0.isConnected && $0.isSpeaking } == true
  }
  /// Peers that this long have not said a word count as down.
  static let downAfter: UInt64 = 1_500_000
  func isUp(_ node: NodeID, now: Moment) -> Bool {
    if node == id { return true }
    guard let peer = self[node] else { return false }
    return peer.isConnected && !peer.isSilent(for: PeerTable.downAfter, now: now)
  }
  /// Whether a node was not heard for so long that it may be gone for good: `NodeRemove.silence`. One that was never heard counts
  /// from this node's start.
  func isSilent(_ node: NodeID, now: Moment) -> Bool {
    node != id && (self[node] ?? own).isSilent(for: NodeRemove.silence, now: now)
  }
  /// A peer that is in a cluster while this node is in none.
  var nodeInCluster: Hello? { others.first { $0.isConnected && $0.hello.cluster != 0 }?.hello }

  func add(_ hello: Hello, isMember: Bool) -> Peer {
    let peer = Peer(id: hello.node, index: UInt32(table.count), hello: hello)
    peer.isMember = isMember
    table.append(peer)
    places[hello.node] = peer.index
    return peer
  }
  /// Gives the place of a peer to another.
  func replace(_ old: Peer, by hello: Hello) -> Peer {
    places[old.id] = nil
    let peer = Peer(id: hello.node, index: old.index, hello: hello)
    table[Int(old.index)] = peer
    places[hello.node] = old.index
    return peer
  }

  // MARK: Clocks

  /// How long the nearest majority of a shard's voters takes to answer this node, in microseconds.
  func majorityTrip(of voters: [NodeID], now: Moment) -> UInt64 {
    let trips = voters.filter { $0 != id }.map { self[$0]?.clock.roundTrip(now: now) ?? .max }.sorted()
    let needed = voters.contains(id) ? voters.count / 2 : voters.count / 2 + 1
    return needed == 0 ? 0 : needed <= trips.count ? trips[needed - 1] : .max
  }
  /// How long the peer that is furthest away takes to answer; of those that have answered lately.
  func longestTrip(now: Moment) -> UInt64 { others.map { $0.clock.roundTrip(now: now) ?? 0 }.max() ?? 0 }

  func clockReadings(now: Moment) -> [ClockGuard.Reading] {
    others.map { peer in
      let bounds = peer.clock.ahead(now: now).map { ClockGuard.Bounds(least: $0.least, most: $0.most) }
      return ClockGuard.Reading(ahead: bounds, leastOffset: peer.clock.leastOffset(now: now), isOff: peer.clock.isOff)
    }
  }

  // MARK: Entries for followers

  /// Sends what a replica's turn has for its group.
  func take(of replica: Replica) {
    for message in replica.outbox.messages { send(message, of: replica.shard) }
    replica.outbox.messages.removeAll(keepingCapacity: true)
  }
  /// Sends a message of a shard's group on its way. Entries wait for their turn where the link has no room; elections and
  /// heartbeats never do.
  func send(_ message: Message, of shard: ShardID) {
    guard let peer = self[message.to.node], peer.outgoing != nil else { return }
    if message.isHeartbeat && peer.hello.takesBeats { return peer.heartbeats.add(message, of: shard) }
    if message.kind == .append && peer.queue.holds(message, of: shard, outbox: peer.outbox.count) { return }
    encode(message, of: shard, to: peer)
  }
  private func encode(_ message: Message, of shard: ShardID, to peer: Peer) {
    peer.say(.raft) {
      $0.append(shard.rawValue)
      message.encode(into: &$0)
    }
  }

  /// Something waits that the next turn may send.
  var wantTurn: Bool { others.contains { $0.outgoing != nil && $0.queue.wantsTurn } }
  /// At each turn's end: as much of what waits for a peer as there is room for.
  /// - Parameters:
  ///   - leads: whether this node leads a shard in a term still: what it would not say now is left out.
  ///   - requests: sends some requests of a shard to the peer; whether there are more.
  func useRoom(of peer: Peer, leads: (ShardID, Term) -> Bool, requests: (ShardID) -> Bool) {
    guard !peer.queue.isEmpty, peer.outgoing != nil else { return }
    peer.queue.budget.isWanted()
    while let flow = peer.queue.next(outbox: peer.outbox.count) {
      let before = peer.outbox.count
      let hasMore: Bool
      switch flow {
      case .appends(let shard):
        let (message, isLast) = peer.queue.takeAppend(of: shard)
        if let message, leads(shard, message.term) { encode(message, of: shard, to: peer) }
        hasMore = !isLast
      case .requests(let shard): hasMore = requests(shard)
      }
      peer.queue.served(flow, bytes: peer.outbox.count - before, hasMore: hasMore)
    }
  }
}

extension PeerTable: RandomAccessCollection {
  var startIndex: Int { 0 }
  var endIndex: Int { table.count }
  @inline(__always) subscript(_ place: Int) -> Peer { table[place] }
}

extension NodeID {
  /// As operators see it.
  var hex: String { String(rawValue, radix: 16) }
}
