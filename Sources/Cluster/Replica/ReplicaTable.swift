import Base
import Raft

/// The replicas that run at this node, in the order of their shards; and what was seen to be wrong with what they keep.
final class ReplicaTable {
  private struct Row {
    let replica: Replica
    /// It is still, and hears of no beat but those of idle groups: it is not so much as looked at, which takes longer than a tick.
    var isAtRest = false
    /// The last beat that it has heard of.
    var lastBeat: Int
  }
  private var rows: [Row] = []
  /// By shard number: its place among the rows.
  private var places: [Int?] = []
  /// Of the node, so many so far.
  private var beats = 0
  /// Those that have a turn to take.
  let marks = TurnMarks()
  /// Shards of which a replica was found on disk that has not begun yet.
  var waiting: Set<ShardID> = []
  /// Shards of which a replica's digest differed from its leader's.
  var divergent: Set<ShardID> = []
  /// Shards whose journal could not be read here in this life.
  var rottenJournals: Set<ShardID> = []
  /// Shards of which a segment in the archive is another than was sealed here.
  var damagedArchives: Set<ShardID> = []

  @inline(__always) private func place(of shard: ShardID) -> Int? {
    Int(shard.rawValue) < places.count ? places[Int(shard.rawValue)] : nil
  }
  @inline(__always) subscript(_ shard: ShardID) -> Replica? { place(of: shard).map { rows[$0].replica } }
  func add(_ replica: Replica) {
    remove(replica.shard)
    let place = rows.firstIndex { $0.replica.shard > replica.shard } ?? rows.endIndex
    rows.insert(Row(replica: replica, lastBeat: beats), at: place)
    replica.join(marks)
    findPlaces()
  }

  func remove(_ shard: ShardID) {
    guard let place = place(of: shard) else { return }
    rows.remove(at: place).replica.join(nil)
    findPlaces()
  }
  private func findPlaces() {
    places = [Int?](repeating: nil, count: rows.last.map { Int($0.replica.shard.rawValue) + 1 } ?? 0)
    for (place, row) in rows.enumerated() { places[Int(row.replica.shard.rawValue)] = place }
  }

  /// Those that have a turn to take, by rising shard.
  var dirty: some Sequence<Replica> { marks.marked.lazy.compactMap { self[$0] } }

  // MARK: What all of them hear

  /// With each beat of the node. One that is at rest hears of three at once: its leader's heartbeats come no more often.
  func tick(_ clock: Stamp, _ earliest: Stamp?, isIdleBeat: Bool) {
    beats += 1
    for place in rows.indices where isIdleBeat || !rows[place].isAtRest {
      let replica = rows[place].replica
      replica.tick(clock: clock, earliest: earliest, isIdleBeat: isIdleBeat, beats: beats - rows[place].lastBeat)
      rows[place].lastBeat = beats
      if !replica.isStill { rows[place].isAtRest = false }
    }
  }
  /// They have taken their turns. Whether that changed anything of one.
  func noteTurns(of turned: [Replica]) -> Bool {
    var isAnyChanged = false
    for replica in turned {
      if !replica.isStill { isAnyChanged = true }
      if let place = place(of: replica.shard) { rows[place].isAtRest = replica.isStill }
    }
    return isAnyChanged
  }

  /// What was lost on its way to a leader that is gone, or over a link that was, need not wait for its turn.
  func resendAllDeliveries() { for replica in self where replica.isLeader { replica.resendAllDeliveries() } }
  /// No answer of that node can come any more.
  func lost(_ node: NodeID, edge: UInt32?) {
    for replica in self {
      replica.unreachable(node)
      if let edge { replica.forget(edge: edge) }
    }
  }
  func forget(edge: UInt32) { for replica in self { replica.forget(edge: edge) } }
  /// Nobody answers at a leader's address: those who followed it need not wait until they miss its heartbeats.
  func campaign(insteadOf node: NodeID) { for replica in self where replica.leader == node { replica.campaign() } }

  // MARK: What is true of them together

  /// Whether a replica here may lack what it acknowledged, or has come to another state than the others.
  var isCorrupt: Bool {
    !rottenJournals.isEmpty || !damagedArchives.isEmpty
      || contains { $0.raft.isDamaged || $0.raft.isFenced || $0.quarantined != nil }
  }
  /// Whether one here has no room for more request ids.
  var isForgettingEarly: Bool { contains { $0.machine.isForgettingEarly } }
  /// Bytes that are kept for their states to grow into.
  var spareBytes: UInt64 { reduce(0) { $0 + UInt64($1.machine.spareByteCount) } }
}

extension ReplicaTable: RandomAccessCollection {
  var startIndex: Int { 0 }
  var endIndex: Int { rows.count }
  @inline(__always) subscript(_ place: Int) -> Replica { rows[place].replica }
}
