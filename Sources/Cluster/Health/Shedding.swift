import Base
import Raft

/// Why commands of terminals are not taken by a replica.
struct SheddingReasons {
  /// Of all that come; nil: they are taken.
  var all: String?
  /// Of those that make state grow; nil: they are taken.
  var growing: String?

  var isAny: Bool { all != nil || growing != nil }
  /// - Parameter grows: whether the command makes state grow.
  func reason(_ grows: () -> Bool) -> String? { all ?? (growing != nil && grows() ? growing : nil) }
}

/// Whose writes are refused, and why: where this node, or too many of a shard's voters, lack room or memory, or have more to
/// do than they get through.
final class Shedding: Coordinator {
  let turn: Turn
  let peers: PeerTable
  let replicas: ReplicaTable

  /// How long a node that is full waits for others to take over before it refuses.
  private static let fullHandOver: UInt64 = 2_000_000
  /// What a voter told of its memory counts for so long after it was last heard: it comes back with what it had.
  private static let memoryWordHolds: UInt64 = 10_000_000

  /// What is true of this node.
  struct Facts {
    var disk: DiskHealth
    var memory: MemoryLevel
    /// Shards that hold back a log which is too long.
    var pinning: Set<ShardID>
    /// Bytes that wait to be written to journals.
    var journalBytes: Int
  }

  init(turn: Turn, peers: PeerTable, replicas: ReplicaTable) {
    self.turn = turn
    self.peers = peers
    self.replicas = replicas
  }

  /// With each heartbeat, and when this node's own state has changed.
  /// - Parameter hasHeir: whether somebody could take a shard over that this node serves badly.
  func judge(_ facts: Facts, hasHeir: (Replica) -> Bool) {
    let isAnyFull = facts.disk.isFull || facts.disk.refusesBatches || peers.others.contains { $0.condition.disk.isFull }
    guard isAnyFull || isMemoryShort(facts) || isBehind(facts) || !facts.pinning.isEmpty || isShedding else { return }
    for replica in replicas {
      replica.shedding = SheddingReasons(
        all: reason(replica, facts, hasHeir),
        growing: replica.isLeader ? memoryReason(replica, facts, from: .over) : nil)
    }
  }

  private var isShedding: Bool {
    replicas.contains { $0.shedding.isAny }
  }

  /// Why writes of a shard are refused here; nil if they are not.
  private func reason(_ replica: Replica, _ facts: Facts, _ hasHeir: (Replica) -> Bool) -> String? {
    guard replica.isLeader else { return nil }
    if facts.disk.refusesBatches {
      return facts.disk.batchLacksRoom
        ? "the disk of node \(peers.own.hello.name) is full; nothing was done"
        : "node \(peers.own.hello.name) has no file descriptor left; nothing was done"
    }
    // What admins do goes on as long as it can.
    if replica.shard == .directory { return nil }
    if let reason = memoryReason(replica, facts, from: .farOver) { return reason }
    if let reason = reasonOfBacklog(replica, facts) { return reason }
    if facts.disk.isFull, now.monotonic - facts.disk.fullSince >= Shedding.fullHandOver || !hasHeir(replica) {
      return "the disk of node \(peers.own.hello.name) is nearly full; nothing was done"
    }
    let voters = replica.raft.configuration
    let isEnough = hasRoom(voters.voters, facts) && (voters.outgoing.isEmpty || hasRoom(voters.outgoing, facts))
    if !isEnough {
      let names = peers.filter { isFull($0, facts) && voters.member(on: $0.id) != nil }.map(\.hello.name).sorted()
      return "the disk of \(names.joined(separator: ", ")) is nearly full; nothing was done"
    }
    if facts.pinning.contains(replica.shard) {
      return "the log of node \(peers.own.hello.name) is too long for shard \(replica.shard.rawValue); nothing was done"
    }
    return nil
  }
  /// Whether more waits here than may, to be applied or to be written to a journal.
  private func isBehind(_ facts: Facts) -> Bool {
    facts.journalBytes > Shedding.waitingBytesMax
      || replicas.contains { $0.applying.backlog.bytes > Shedding.waitingBytesMax }
  }
  private func reasonOfBacklog(_ replica: Replica, _ facts: Facts) -> String? {
    if facts.journalBytes > Shedding.waitingBytesMax {
      return "the journals of node \(peers.own.hello.name) wait for its disk; nothing was done"
    }
    return replica.applying.backlog.bytes > Shedding.waitingBytesMax
      ? "node \(peers.own.hello.name) is too far behind with shard \(replica.shard.rawValue); nothing was done" : nil
  }
  static let waitingBytesMax = 64 << 20

  private func isFull(_ peer: Peer, _ facts: Facts) -> Bool {
    peer.index == 0 ? facts.disk.isFull : peer.condition.disk.isFull
  }
  /// Whether so many have room as an entry needs. Who cannot be reached takes no entry either, but is no reason alone.
  private func hasRoom(_ voters: [ReplicaID], _ facts: Facts) -> Bool {
    let known = voters.compactMap { peers[$0.node] }
    guard known.contains(where: { isFull($0, facts) }) else { return true }
    let able = known.filter { !isFull($0, facts) && $0.isConnectedOrSelf }.count
    return able * 2 > voters.count
  }

  // MARK: Memory

  /// Whether anybody's memory is a reason to refuse anything.
  private func isMemoryShort(_ facts: Facts) -> Bool {
    facts.memory >= .over || peers.others.contains { $0.condition.memory >= .over }
  }

  private func memoryLevel(of peer: Peer, _ facts: Facts) -> MemoryLevel {
    if peer.index == 0 { return facts.memory }
    return peer.isConnected || !peer.isSilent(for: Shedding.memoryWordHolds, now: now) ? peer.condition.memory : .ok
  }

  /// Why a shard led here takes no writes, or none that makes its state grow; nil: it takes them.
  private func memoryReason(_ replica: Replica, _ facts: Facts, from level: MemoryLevel) -> String? {
    guard isMemoryShort(facts) else { return nil }
    let members = replica.raft.configuration.members.map(\.node)
    let short = peers.filter { members.contains($0.id) && memoryLevel(of: $0, facts) >= level }.map(\.hello.name)
      .sorted()
    guard !short.isEmpty else { return nil }
    return
      "the memory of \(short.joined(separator: ", ")) is \(level == .over ? "at" : "over") its limit; nothing was done"
  }
}
