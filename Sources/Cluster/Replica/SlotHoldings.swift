import Base
import Ledger

/// What slots a shard owns, as its log has it.
struct SlotHoldings: Hashable, Sendable {
  /// Rises with each change: of two shards that claim a slot, the one with the higher epoch has it.
  var epoch: UInt64 = 0
  var slots = SlotRanges.none
  /// On their way to another shard, which may have them by now.
  var moving: Ledger.OpenExport?
  /// It has no slots, and something in its books, which a shard that ends gives away last.
  var hasBooks = false
  /// The journals that its records refer to beside its own.
  var lineage: [JournalChain] = []
}

/// What a leader knows of the slots that its shard is to give away.
struct SlotsGiven: Hashable, Sendable {
  /// As the directory's record has it; nil: none.
  var wanted: ShardOrder.Give?
  /// Replicas have been told to begin their census.
  var isAnnounced = false
  /// The census has been made, tick by tick, as the followers make theirs.
  var isCounted = false
  /// From which epoch the next slots have been proposed to go: once from each.
  var proposedFrom: UInt64?
  /// The parcel of which parts have gone out, and up to which; of all: nil.
  var sentOf: UInt64?
  var nextPart: Int?
  /// The shard's in the directory's map, as this node knows it.
  var mapped: UInt64 = 0

  /// So many epochs, of which each batch takes two at most, slots go ahead of the map: half of what a shard remembers of those it gave
  /// (`GivenSlots.most`). A node that asks for none of them meanwhile would find out from nobody where they are. The map follows while none is
  /// on its way.
  static let mostAhead: UInt64 = 256
}

/// Slots go from shard to shard: see docs/splitting.md. What is decided is decided by the ledgers; here the source's leader has the next
/// batch go once the one before has arrived.
extension Replica {
  /// As leader: what the directory wants of its slots.
  /// - Parameter mapped: the shard's epoch in the directory's map.
  func give(_ wanted: ShardOrder.Give?, mapped: UInt64) {
    if leading.giving.wanted != wanted { leading.giving = SlotsGiven(wanted: wanted) }
    leading.giving.mapped = mapped
  }
  /// As leader: has the next slots go, if some are to and none are on their way.
  func giveSlots() {
    guard let wanted = leading.giving.wanted, hasTakenOver, semantics >= Semantics.splits, !applying.isMidEntry,
      let ledger = machine as? LedgerMachine, !ledger.isMoving
    else { return }
    let epoch = ledger.epoch
    guard ledger.isCounting else {
      guard !leading.giving.isAnnounced else { return }
      leading.giving.isAnnounced = propose(export: 0..<0, to: wanted.heir, from: epoch)
      return
    }
    guard leading.giving.isCounted, leading.giving.proposedFrom != epoch, ledger.advanceCensus(leading: true) else {
      return
    }
    guard epoch < leading.giving.mapped &+ SlotsGiven.mostAhead else { return }
    var batch = ledger.nextBatch(of: wanted.slots)
    if batch == nil, wanted.isAll, ledger.hasBooks { batch = Slot.count..<Slot.count }
    guard let batch else { return }
    if propose(export: batch, to: wanted.heir, from: epoch) { leading.giving.proposedFrom = epoch }
  }
  /// As leader, with each tick: of a parcel that has more parts than go out with its export the next ones, each once. What is lost on the way
  /// is sent again, as any delivery.
  func sendParts() {
    guard hasTakenOver, !applying.isMidEntry, let ledger = machine as? LedgerMachine, let epoch = ledger.openParcel
    else {
      return
    }
    if leading.giving.sentOf != epoch {
      // The first ones went as the export was applied, if this leader had it applied.
      let isOwn = leading.giving.proposedFrom == epoch - 1
      (leading.giving.sentOf, leading.giving.nextPart) = (epoch, isOwn ? ledger.partsAtOnce : 0)
    }
    guard var part = leading.giving.nextPart else { return }
    let before = outbox.deliveries.count
    ledger.parts(ofParcel: epoch, from: &part, into: &outbox)
    leading.giving.nextPart = part == 0 ? nil : part
    isDirty = isDirty || outbox.deliveries.count > before
  }
  private func propose(export slots: Range<Int>, to heir: ShardID, from epoch: UInt64) -> Bool {
    var buffer = ByteBuffer(capacity: 64)
    Command.appendExport(to: &buffer, heir: heir, slots: slots, epoch: epoch)
    guard addInternal(buffer.bytes) else { return false }
    isDirty = true
    return true
  }

  /// As leader: a newcomer begins with a snapshot where records refer to journals of other shards, which the log brings it none of.
  /// Until what was committed is applied here, that is not known.
  func beginMembers() {
    let lineage = machine.holdings.lineage
    guard machine.lastIndex >= leading.foundCommit, raft.awaitsBeginning || lineage != leading.lineage else { return }
    leading.lineage = lineage
    raft.beginMembers(withSnapshotThrough: lineage.isEmpty ? LogIndex(0) : machine.lastIndex)
    isDirty = true
  }

  /// After each entry. Whoever waits for another shard's word on a transaction that has gone is to ask there; and hears so once it
  /// has arrived.
  @inline(__always) func followSlots() {
    guard machine.isMoving != (outbox.departing.slots != nil) else { return }
    if machine.isMoving { beginDeparture() } else { endDeparture() }
  }
  private func beginDeparture() {
    outbox.departing.slots = machine.holdings.moving?.slots
    for (transaction, waiting) in leading.waiters.takeAll(where: { machine.successor(of: $0.slot) != nil }) {
      var reply = ReplyWriter(capacity: 64)
      reply.moved(Moved(to: machine.successor(of: transaction.slot), wasTaken: true))
      for replyTo in waiting { outbox.departing.keep(replyTo, reply.buffer.bytes) }
    }
  }
  private func endDeparture() {
    outbox.departing.slots = nil
    for (replyTo, bytes) in outbox.departing.take() {
      bytes.withUnsafeBytes { outbox.result(shard, replyTo, $0) }
    }
    isDirty = true
  }
  /// Says that a slot is another shard's: at once, or when it has arrived there. It may be said in the midst of an entry, where the state
  /// is not looked at.
  func tellMoved(_ slot: Slot, _ replyTo: ReplyTo, _ reply: UnsafeRawBufferPointer) {
    guard !replyTo.isNobody else { return }
    if outbox.departing.slots?.contains(Int(slot.rawValue)) == true {
      outbox.departing.keep(replyTo, reply)
    } else {
      outbox.result(shard, replyTo, reply)
    }
  }
}

/// Answers that slots have moved, kept back while these are on their way: whoever asks where they go would not find them.
struct DepartingAnswers {
  /// The batch that is on its way, as of the last entry that is over; nil: none is. Books alone are an empty one.
  var slots: Range<Int>?
  private var kept: [(ReplyTo, [UInt8])] = []

  mutating func keep(_ replyTo: ReplyTo, _ reply: UnsafeRawBufferPointer) { kept.append((replyTo, Array(reply))) }
  /// Each once, in the order in which they came.
  mutating func take() -> [(ReplyTo, [UInt8])] {
    defer { kept.removeAll() }
    return kept
  }
}
