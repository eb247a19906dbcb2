import Base

/// Slots that the shard gave to another, and since which epoch that has them.
struct GivenSlots: StateRecord, ReusedRecord {
  var slots: SlotRanges
  /// The shard's after the export; 0: the place is free.
  var epoch: UInt64
  var shard: ShardID
  var next = Ref<GivenSlots>.none

  /// So many are kept; of slots that went before, the cluster's map tells.
  static let most = 512
  static var tag: TableTag { TableTag(35, "slots given away", since: Semantics.splits) }
  static var belonging: Belonging { .shard }
  static var free: GivenSlots { GivenSlots(slots: .none, epoch: 0, shard: ShardID(0)) }
}

extension Ledger {
  /// Whether a command is this shard's to decide. Asked as it is applied, not when it comes: the entry before it may have given
  /// its slot away.
  @inline(__always) func owns(_ call: borrowing Call) -> Bool {
    if core.ranges.contains(call.slot) { return true }
    return call.rule.pointee.traits.contains(.ofShard)
  }

  /// What is for a slot of another shard's is sent on.
  @inline(never) func moved(_ slot: Slot, _ reply: inout ReplyWriter) -> Outcome {
    reply.moved(Moved(to: successor(of: slot)))
    return .moved(slot)
  }
  /// To whom the shard gave a slot, also while it is on its way; nil: it never had it, has it, or it went long ago.
  /// O(`GivenSlots.most`).
  public func successor(of slot: Slot) -> Whereabouts? {
    guard !core.ranges.contains(slot) else { return nil }
    for place in 0..<tables.moves.given.count {
      let given = tables.moves.given.read(Ref(place: place))
      if given.pointee.epoch > 0, given.pointee.slots.contains(slot) {
        return Whereabouts(shard: given.pointee.shard, epoch: given.pointee.epoch, slots: given.pointee.slots)
      }
    }
    return nil
  }
  public func owns(_ slot: Slot) -> Bool { core.ranges.contains(slot) }
  private var givenRows: [(ref: Ref<GivenSlots>, row: GivenSlots)] {
    (0..<tables.moves.given.count).map { (Ref(place: $0), tables.moves.given.read(Ref(place: $0)).pointee) }
      .filter { $0.1.epoch > 0 }
  }

  /// Notes that slots go. Each batch keeps its own epoch: a claim with a later one could outdo what the heir did with them since.
  mutating func noteGiven(_ slots: SlotRanges, to heir: ShardID, epoch: UInt64) {
    let rows = givenRows
    if rows.count >= GivenSlots.most, let oldest = rows.min(by: { $0.row.epoch < $1.row.epoch }) {
      tables.moves.given.remove(oldest.ref)
    }
    _ = tables.moves.given.add(GivenSlots(slots: slots, epoch: epoch, shard: heir))
  }
  /// Notes that slots have come back.
  mutating func noteTaken(_ slots: Range<Int>) {
    for (ref, row) in givenRows where row.slots.ranges.contains(where: { $0.overlaps(slots) }) {
      if let rest = row.slots.removing(slots), !rest.isEmpty {
        tables.moves.given.write(ref).pointee.slots = rest
      } else {
        tables.moves.given.remove(ref)
      }
    }
  }
}
