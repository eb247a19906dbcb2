import Base
import Raft

/// The replicas that run at this node, in the order of their shards; and what was seen to be wrong with what they keep.
final class ReplicaTable {
  /// By shard number.
  private var table: [Replica?] = []
  private var all: [Replica] = []
  /// Some of them may have a turn to take.
  let wakes = Wakes()
  /// Shards of which a replica was found on disk that has not begun yet.
  var waiting: Set<ShardID> = []
  /// Shards of which a replica's digest differed from its leader's.
  var divergent: Set<ShardID> = []
  /// Shards whose journal could not be read here in this life.
  var rottenJournals: Set<ShardID> = []
  /// Shards of which a segment in the archive is another than was sealed here.
  var damagedArchives: Set<ShardID> = []

  @inline(__always) subscript(_ shard: ShardID) -> Replica? {
    Int(shard.rawValue) < table.count ? table[Int(shard.rawValue)] : nil
  }
  func add(_ replica: Replica) {
    while table.count <= Int(replica.shard.rawValue) { table.append(nil) }
    table[Int(replica.shard.rawValue)] = replica
    replica.wakes = wakes
    wakes.note()
    all = table.compactMap { $0 }
  }

  func remove(_ shard: ShardID) {
    guard Int(shard.rawValue) < table.count else { return }
    table[Int(shard.rawValue)] = nil
    all = table.compactMap { $0 }
  }

  // MARK: What all of them hear

  /// With each beat of the node.
  func tick(_ clock: Stamp, _ earliest: Stamp?, isIdleBeat: Bool) {
    for replica in all { replica.tick(clock: clock, earliest: earliest, isIdleBeat: isIdleBeat) }
  }

  /// What was lost on its way to a leader that is gone, or over a link that was, need not wait for its turn.
  func resendAllDeliveries() { for replica in all where replica.isLeader { replica.resendAllDeliveries() } }
  /// No answer of that node can come any more.
  func lost(_ node: NodeID, edge: UInt32?) {
    for replica in all {
      replica.unreachable(node)
      if let edge { replica.forget(edge: edge) }
    }
  }
  func forget(edge: UInt32) { for replica in all { replica.forget(edge: edge) } }
  /// Nobody answers at a leader's address: those who followed it need not wait until they miss its heartbeats.
  func campaign(insteadOf node: NodeID) { for replica in all where replica.leader == node { replica.campaign() } }

  // MARK: What is true of them together

  /// Whether a replica here may lack what it acknowledged, or has come to another state than the others.
  var isCorrupt: Bool {
    !rottenJournals.isEmpty || !damagedArchives.isEmpty
      || contains { $0.raft.isDamaged || $0.raft.isFenced || $0.quarantined != nil }
  }
  /// Whether one here has no room for more request ids.
  var isForgettingEarly: Bool { contains { $0.machine.isForgettingEarly } }
  /// What this node does not apply, by rising shard.
  var poisons: [PoisonedShard] {
    compactMap { replica in
      replica.poison.map { PoisonedShard(shard: replica.shard, index: $0.index, kind: $0.kind) }
    }
  }
  /// Bytes that are kept for their states to grow into.
  var spareBytes: UInt64 { reduce(0) { $0 + UInt64($1.machine.spareByteCount) } }
}

extension ReplicaTable: RandomAccessCollection {
  var startIndex: Int { 0 }
  var endIndex: Int { all.count }
  @inline(__always) subscript(_ place: Int) -> Replica { all[place] }
}
