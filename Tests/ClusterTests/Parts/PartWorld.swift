import Base
import Ledger
import Raft
import Testing

@testable import Cluster

/// What coordinators of a node share, with no node about them: its peers 2 and 3, its replicas, and the turn. Node 1 is this
/// one. The directory and shard 1, with the lower half of the slots, are at home here; shard 2 is not.
final class PartWorld {
  static let me = NodeID(1)
  static let one = ShardID(1)
  static let two = ShardID(2)

  let turn = Turn(now: Moment(monotonic: 1_000_000, wall: Stamp(microseconds: 1_000_000_000)))
  let membership = Membership(me: .for(PartWorld.me))
  let peers: PeerTable
  let replicas = ReplicaTable()

  init() {
    peers = PeerTable(own: PartWorld.hello(1))
    for id in [2, 3] as [UInt64] {
      let peer = peers.add(PartWorld.hello(id), isMember: true)
      (peer.outgoing, peer.incoming) = (LinkID(id), LinkID(100 + id))
      peer.isSpeaking = true
      peer.lastHeard = turn.now.monotonic
    }
  }
  private static func hello(_ id: UInt64) -> Hello {
    var hello = Hello(
      node: NodeID(id), name: "n\(id)", region: "r\(id)", clientAddress: "n\(id):1", peerAddress: "n\(id):2",
      version: "0", cluster: 0)
    hello.semantics = Semantics.newest
    return hello
  }

  /// - Parameters:
  ///   - voters: of the directory and of shard 1.
  ///   - from: the first slot of shard 2.
  static func topology(
    voters: [UInt64] = [1], from half: Int = Slot.count / 2, epoch: UInt64 = 1, version: UInt64 = 1
  ) -> Topology {
    let members = (1...3).map { id in
      NodeRecord(
        id: NodeID(id), name: "n\(id)", region: "r\(id)", clientAddress: "n\(id):1", peerAddress: "n\(id):2", state: .up
      )
    }
    func placement(_ shard: ShardID, _ slots: Range<Int>, _ voters: [UInt64]) -> ShardPlacement {
      ShardPlacement(
        shard: shard, slots: SlotRanges([slots]) ?? .none, epoch: epoch, voters: voters.map { NodeID($0) },
        preferredLeader: NodeID(voters[0]))
    }
    return Topology(
      cluster: 9, hashKey: HashKey(low: 3, high: 4), nodes: members, directoryVoters: voters.map { NodeID($0) },
      shards: [placement(one, 0..<half, voters), placement(two, half..<Slot.count, [2, 3])], version: version)
  }
  func follow(_ topology: Topology) { _ = membership.follow(topology, first: topology) }

  func wait(_ microseconds: UInt64) {
    turn.now.monotonic += microseconds
    turn.now.wall.microseconds += Int64(microseconds)
    for peer in peers.others { peer.lastHeard = turn.now.monotonic }
  }

  // MARK: Replicas

  /// A replica does all that it can by itself: its disk is as quick as it is good.
  func quiesce(_ replica: Replica?) {
    guard let replica else { return }
    replica.applying.allowance = .max
    for _ in 0..<20 {
      replica.turn(clock: turn.now.wall, earliest: nil)
      let written = replica.outbox.persist
      replica.outbox.persist.removeAll()
      if written.isEmpty { return }
      for persist in written { replica.persisted(persist.sequence) }
    }
  }
  /// Has a replica lead its group, whoever else is in it.
  func lead(_ replica: Replica?) throws {
    let replica = try #require(replica)
    replica.campaign()
    quiesce(replica)
    for kind in [Message.Kind.preVote, .vote] where !replica.isLeader {
      for asked in replica.outbox.messages where asked.kind == kind {
        let answer: Message.Kind = kind == .vote ? .voteReply : .preVoteReply
        replica.step(Message(answer, from: asked.to, to: asked.from, term: asked.term))
      }
      quiesce(replica)
    }
    replica.outbox.messages.removeAll()
    try #require(replica.isLeader)
  }
  /// Has a replica follow a peer.
  func follow(_ leader: UInt64, by replica: Replica?) throws {
    let replica = try #require(replica)
    replica.step(
      Message(
        .heartbeat, from: ReplicaID(node: NodeID(leader), born: 1), to: replica.raft.id,
        term: Term(replica.term.rawValue + 1)))
    quiesce(replica)
    try #require(replica.leader == NodeID(leader))
  }

  // MARK: What is said to peers

  /// What a peer is told, and no more: each with its body.
  func said(to id: UInt64) throws -> [(kind: PeerMessageKind, body: [UInt8])] {
    guard let peer = peers[NodeID(id)] else { return [] }
    var messages = PeerMessages(peer.outbox.bytes, ofStrangersOnly: false)
    var all: [(PeerMessageKind, [UInt8])] = []
    while let (kind, body) = try messages.next() { all.append((kind, Array(body))) }
    peer.outbox.removeAll()
    return all
  }
  func logged(_ level: LogLevel) -> [String] {
    defer { turn.out.logLines.removeAll { $0.level == level } }
    return turn.out.logLines.filter { $0.level == level }.map(\.text)
  }
}

/// What a test says of leaders.
struct SaidLeaders: KnowsLeaders {
  var known: [ShardID: KnownLeader] = [:]
  func isLed(_ shard: ShardID) -> Bool { leader(of: shard).node != .none }
  func isServed(_ shard: ShardID) -> Bool { leader(of: shard).hasTakenOver }
  func leader(of shard: ShardID) -> KnownLeader { known[shard] ?? KnownLeader() }
}
