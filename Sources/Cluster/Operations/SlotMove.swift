import Base
import Ledger
import Raft

/// What operations that move slots have in common: see docs/splitting.md.
enum SlotMove {
  /// Nothing is in its way within this, or it fails; a shard begins within this, or it fails (µs).
  static let patience: Int64 = 60_000_000
  static let limit: Int64 = 120_000_000

  /// Why slots may not move yet, as far as the directory knows; nil: they may.
  static func refusal(in topology: Topology, of shards: [ShardID]) -> String? {
    guard topology.semantics >= Semantics.splits else {
      return
        "the cluster goes by semantics \(topology.semantics), and slots move by \(Semantics.splits): tally cluster upgrade finish"
    }
    return shards.first { topology.placement(of: $0) == nil }.map { "there is no shard \($0.rawValue)" }
  }

  /// What is in the way at a shard's group; nil: nothing.
  static func obstacle(_ group: GroupReport, _ name: (NodeID) -> String) -> String? {
    let shard = group.shard.rawValue
    guard !group.configuration.isJoint, group.configuration.learners.isEmpty else {
      return "the members of shard \(shard) change"
    }
    for member in group.members where !group.isNear(member.node) {
      let what =
        !member.isActive
        ? "was not heard of late" : member.isDamaged ? "is damaged" : "is \(member.lag) entries behind"
      let well = 1 + group.members.count { group.isNear($0.node) }
      return
        "shard \(shard) needs all of its \(group.members.count + 1) members well, and has \(well): node \(name(member.node)) \(what)"
    }
    return nil
  }
  /// The same with what the directory's leader knows. Slots take their room once more, until the next snapshots.
  static func obstacle(_ group: GroupReport, bytes: UInt64, _ view: OperationView) -> String? {
    let shard = group.shard
    if let reason = obstacle(group, { view.name(of: $0) }) { return reason }
    // The map says who holds it.
    guard group.configuration.voters.map(\.node) == view.topology.placement(of: shard)?.voters else {
      return "the members of shard \(shard.rawValue) change"
    }
    for member in group.configuration.members {
      let shortage = view.room[member.node].flatMap {
        ShardMove.shortage(of: view.name(of: member.node), room: $0, for: [shard], bytes: bytes)
      }
      if let shortage { return shortage }
    }
    return nil
  }
  static func isSilent(_ shard: ShardID) -> OperationAction {
    .wait("shard \(shard.rawValue) has no leader that tells of its group")
  }
  /// How many of some slots a shard has, as its leader has told.
  static func left(_ group: GroupReport, of slots: Range<Int>) -> Int {
    group.slots.ranges.reduce(0) { $0 + $1.clamped(to: slots).count }
  }
}

/// Which slots a shard owns, as its leader has told the directory's.
struct SlotClaim: Hashable, Sendable {
  var shard: ShardID
  var epoch: UInt64
  var slots: SlotRanges

  init(shard: ShardID, epoch: UInt64, slots: SlotRanges) {
    (self.shard, self.epoch, self.slots) = (shard, epoch, slots)
  }
  func encode(into buffer: inout ByteBuffer) {
    buffer.append(shard.rawValue)
    buffer.append(epoch)
    slots.encode(into: &buffer)
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    shard = ShardID(try reader.read())
    epoch = try reader.read()
    slots = try SlotRanges(decoding: &reader)
  }
}

extension Topology {
  /// What shards' leaders have told that is newer than the map, if all of it fits together: each slot has one owner, and none is on
  /// its way. Else none: what they tell next may fit.
  func newerClaims(_ groups: GroupTable) -> [SlotClaim] {
    let newer = shards.compactMap { placement in
      groups[placement.shard].flatMap { $0.epoch > placement.epoch ? $0 : nil }
    }
    guard !newer.isEmpty, newer.allSatisfy({ !$0.isMoving }) else { return [] }
    let claims = newer.map { SlotClaim(shard: $0.shard, epoch: $0.epoch, slots: $0.slots) }
    var changed = self
    changed.take(claims)
    var owned = [Bool](repeating: false, count: Slot.count)
    for slot in changed.shards.lazy.flatMap(\.slots.ranges).joined() {
      guard !owned[slot] else { return [] }
      owned[slot] = true
    }
    return owned.allSatisfy { $0 } ? claims : []
  }
  /// Takes down what shards own by now.
  mutating func take(_ claims: [SlotClaim]) {
    for claim in claims {
      guard let place = shards.firstIndex(where: { $0.shard == claim.shard }), shards[place].epoch < claim.epoch else {
        continue
      }
      shards[place].slots = claim.slots
      shards[place].epoch = claim.epoch
    }
  }
}
