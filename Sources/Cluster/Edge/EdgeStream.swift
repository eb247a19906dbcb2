import Base
import Ledger

/// One request that the edge has taken in and that is not answered yet.
struct EdgeItem: BitwiseCopyable {
  /// Whose answer it is: a client's reply slot, or a step of the node's own (see `Continuation`).
  var owner: Owner
  /// Where its bytes begin in the stream's queue, in the form in which they travel.
  var start: UInt64
  /// The microsecond, on the monotonic clock, at which waiting ends.
  var deadline: UInt64
  /// The message of this epoch that carried it.
  var message: UInt64
  var flags: Flags
  var state: State

  struct Owner: BitwiseCopyable {
    /// The client's place in the table and its generation there; or 0 and a continuation's number.
    var client: UInt32
    var generation: UInt32
    /// The client's reply slot, or the continuation.
    var slot: UInt64
  }
  struct Flags: OptionSet, BitwiseCopyable {
    let rawValue: UInt8
    /// Reads nothing but state: never in doubt.
    static let query = Flags(rawValue: 1)
    /// Carries a request id, so that it may be sent again after a doubt.
    static let repeatable = Flags(rawValue: 2)
    /// The owner is a continuation of the node.
    static let continuation = Flags(rawValue: 4)
    /// An audit's marker: the leader logs it alone, at exactly the stamp it names.
    static let marker = Flags(rawValue: 8)
  }
  enum State: UInt8, BitwiseCopyable {
    /// Not passed on in this epoch.
    case waiting
    /// Passed on; the leader may have proposed it.
    case sent
    /// Its slot leaves: it goes on to the shard that has that now, once nobody can answer it here. See `EdgeStream.leave`.
    case held
    /// Answered, or given up.
    case completed
  }
  /// A leader took it and was lost since: it may have taken effect, and only its request id can tell.
  var inDoubt: Bool
  /// A query: how many leaders were lost while they had it. What ends one may end the next.
  var losses: UInt8 = 0
  /// It is not handed on after so many.
  static let lossLimit: UInt8 = 2
  /// A query: in how many epochs it was sent before. See `EdgeStream.recognise`.
  var epochs: UInt8 = 0
}

/// The requests of this node for one shard, in the order in which they arrived, until each is answered.
///
/// Order is kept across re-routing by *epochs*: within one epoch the leader accepts messages strictly in sequence, and
/// once it has refused one it refuses all that follow. After a refusal, a doubt or a lost link a new epoch begins and
/// everything unanswered is sent again, in the old order; what a leader may already have proposed is safe to repeat by
/// its request id, and answered `UNKNOWN` if it has none.
///
/// A command's first answer counts, of whatever epoch: its request id makes all of them the same. A query's counts if it is of the
/// present epoch: a command before it that was refused in an earlier one, with an answer that was lost, may be taken in this one.
final class EdgeStream {
  let shard: ShardID
  private(set) var items: Ring<EdgeItem>
  private var bytes = ByteRing()
  private(set) var epoch: UInt32
  private var nextMessage: UInt64 = 0
  /// The first item that has not been passed on in this epoch.
  private(set) var unsent: UInt64
  /// Not before this moment (monotonic µs) is anything sent again after a refusal.
  var notBefore: UInt64 = 0
  /// To whom this epoch's messages go.
  var target = NodeID.none
  /// By slot: whether it leaves; empty while none does.
  private var leaving: [Bool] = []
  /// From this item on deadlines rise with the order of arrival.
  private var orderedFrom: UInt64 = 0

  /// Noted whenever there may be something to be passed on: several streams share it.
  private let sends: Wakes

  init(shard: ShardID, firstSequence: UInt64, epoch: UInt32, sends: Wakes = Wakes()) {
    self.shard = shard
    self.sends = sends
    self.epoch = epoch
    items = Ring(firstSequence: firstSequence)
    unsent = firstSequence
  }

  /// Bytes of requests kept.
  var byteCount: Int { bytes.count }
  var hasUnsent: Bool { unsent < items.next }

  /// Takes in a request: `write` appends its envelope. Returns its sequence number.
  @inline(__always) func append(
    owner: EdgeItem.Owner, flags: EdgeItem.Flags, deadline: UInt64, isInDoubt: Bool = false, losses: UInt8 = 0,
    write: (inout ByteBuffer) -> Void
  ) {
    let start = bytes.end
    let sequence = items.next
    bytes.withBuffer { buffer in
      buffer.append(sequence)
      buffer.append(flags.rawValue)
      write(&buffer)
    }
    items.append(
      EdgeItem(
        owner: owner, start: start, deadline: deadline, message: 0, flags: flags, state: .waiting, inDoubt: isInDoubt,
        losses: losses))
    sends.note()
  }

  /// A copy of a request that is not answered yet, framed as it was taken in; empty if there is none.
  func command(of sequence: UInt64) -> [UInt8] {
    guard items.contains(sequence), items[sequence].state != .completed else { return [] }
    // Its sequence number and flags stand before it.
    return Array(bytes.bytes(from: items[sequence].start + 9, to: end(of: sequence)))
  }

  /// The next message of this epoch: up to `limit` bytes of items not yet passed on. `body` is given the message's
  /// number, the count of items and their bytes. The caller has checked `hasUnsent`.
  func sendNext(limit: Int, _ body: (_ message: UInt64, _ count: UInt32, _ items: UnsafeRawBufferPointer) -> Void) {
    precondition(hasUnsent, "nothing to send")
    if isLeaving { holdWaiting() }
    let message = nextMessage
    nextMessage += 1
    // Completed and held items are skipped; a run between two of them is contiguous and leaves with one copy.
    while hasUnsent && items[unsent].state != .waiting { unsent += 1 }
    guard hasUnsent else {
      nextMessage = message
      return
    }
    let from = items[unsent].start
    var count: UInt32 = 0
    while hasUnsent {
      let sequence = unsent
      guard items[sequence].state == .waiting else { break }
      let end = self.end(of: sequence)
      if count > 0 && end - from > UInt64(limit) { break }
      items[sequence].state = .sent
      items[sequence].message = message
      count += 1
      unsent += 1
    }
    let to = unsent < items.next ? items[unsent].start : bytes.end
    body(message, count, bytes.bytes(from: from, to: to))
  }

  private func end(of sequence: UInt64) -> UInt64 {
    sequence + 1 < items.next ? items[sequence + 1].start : bytes.end
  }

  /// The number of the item that an answer names, if the answer is one that counts. Two bits above the number, which microseconds
  /// since 1970 leave free for a century, tell of a query the epoch: the one who answers repeats what it was sent.
  @inline(__always) func recognise(_ answered: UInt64) -> UInt64? {
    let sequence = answered & ~EdgeStream.epochBits
    guard items.contains(sequence) else { return nil }
    guard items[sequence].flags.contains(.query) else { return sequence }
    return answered == EdgeStream.named(sequence, items[sequence].epochs) ? sequence : nil
  }
  private static let epochBits: UInt64 = 3 << 62
  private static func named(_ sequence: UInt64, _ epochs: UInt8) -> UInt64 { sequence | UInt64(epochs & 3) << 62 }

  /// An answer has come. Returns the item if it was still waited for; the first answer wins.
  func complete(_ sequence: UInt64) -> EdgeItem? {
    guard items.contains(sequence), items[sequence].state != .completed else { return nil }
    let item = items[sequence]
    items[sequence].state = .completed
    while !items.isEmpty && items[items.first].state == .completed { items.removeFirst() }
    bytes.release(before: items.isEmpty ? bytes.end : items[items.first].start)
    if unsent < items.first { unsent = items.first }
    return item
  }

  /// Begins a new epoch. Items of messages from `refusedFrom` on were certainly not proposed; earlier ones that were
  /// sent are in doubt. `giveUp` is told of those in doubt that must not be sent again, of queries that these have overtaken, and, if the
  /// leader was lost with its link, of queries that have lost too many.
  func beginEpoch(
    refusedFrom: UInt64, isLeaderLost: Bool = false, giveUp: (_ sequence: UInt64, _ item: EdgeItem) -> Void
  ) {
    epoch &+= 1
    nextMessage = 0
    target = .none
    var lost: [UInt64] = []
    for sequence in items.first..<items.next {
      guard items[sequence].state == .sent else { continue }
      items[sequence].state = .waiting
      if items[sequence].flags.contains(.query) {
        items[sequence].epochs &+= 1
        bytes.patch(EdgeStream.named(sequence, items[sequence].epochs), at: items[sequence].start)
      }
      if isLeaderLost, items[sequence].flags.contains(.query) {
        items[sequence].losses += 1
        if items[sequence].losses >= EdgeItem.lossLimit { lost.append(sequence) }
        continue
      }
      guard items[sequence].message < refusedFrom, !items[sequence].flags.contains(.query) else { continue }
      items[sequence].inDoubt = true
      if !items[sequence].flags.contains(.repeatable) { lost.append(sequence) }
    }
    unsent = items.first
    sends.note()
    for sequence in lost + overtaken() { giveUp(sequence, items[sequence]) }
  }

  /// Queries behind which the same connection has asked for a change of the same slot, which is in doubt: sent again they might be answered with
  /// what that has left, though requests of one connection to one member take effect in their order. O(items).
  private func overtaken() -> [UInt64] {
    struct Place: Hashable {
      var client: UInt32
      var generation: UInt32
      var slot: Int
    }
    var inDoubt: Set<Place> = []
    var found: [UInt64] = []
    for sequence in (items.first..<items.next).reversed() {
      let item = items[sequence]
      guard item.state != .completed, !item.flags.contains(.continuation), let slot = slot(of: sequence) else {
        continue
      }
      let place = Place(client: item.owner.client, generation: item.owner.generation, slot: slot)
      if !item.flags.contains(.query) {
        if item.inDoubt { inDoubt.insert(place) }
      } else if item.losses < EdgeItem.lossLimit, inDoubt.contains(place) {
        found.append(sequence)
      }
    }
    return found.reversed()
  }

  /// Tells of every item whose deadline has passed.
  func expire(now: UInt64, _ body: (_ sequence: UInt64, _ item: EdgeItem) -> Void) {
    var expired: [UInt64] = []
    for sequence in items.first..<items.next {
      let item = items[sequence]
      if item.deadline > now {
        // Where deadlines rise with the order of arrival, none behind it has passed.
        if sequence >= orderedFrom { break }
        continue
      }
      if item.state != .completed { expired.append(sequence) }
    }
    for sequence in expired { body(sequence, items[sequence]) }
  }

  // MARK: Slots that leave

  // A slot that another shard owns leaves the stream. Until it has left, its requests stay here, new ones too: those that were
  // sent are waited for, the others are held. Once none of them is with a leader, what is held goes over in its order, and
  // new requests follow it. So requests to one member stay in order, and nothing is in doubt that was not.

  var isLeaving: Bool { !leaving.isEmpty }
  func isLeaving(_ slot: Int) -> Bool { isLeaving && leaving[slot] }

  func leave(_ slot: Int) {
    if leaving.isEmpty { leaving = [Bool](repeating: false, count: Slot.count) }
    leaving[slot] = true
  }

  /// The slot that an item is for; nil: it is for the shard itself.
  private func slot(of sequence: UInt64) -> Int? {
    guard !items[sequence].flags.contains(.marker) else { return nil }
    let start = items[sequence].start + EdgeStream.slotOffset
    guard start + 2 <= end(of: sequence) else { return nil }
    let raw = bytes.bytes(from: start, to: start + 2).loadUnaligned(as: UInt16.self)
    return Int(UInt16(littleEndian: raw))
  }
  /// Behind the item's sequence and flags.
  private static let slotOffset = UInt64(9 + CommandHeader.slotOffset)

  private func isLeaving(item sequence: UInt64) -> Bool {
    slot(of: sequence).map { $0 < leaving.count && leaving[$0] } ?? false
  }
  /// Holds what was not passed on and is for a slot that leaves.
  private func holdWaiting() {
    for sequence in unsent..<items.next where items[sequence].state == .waiting && isLeaving(item: sequence) {
      items[sequence].state = .held
    }
  }
  /// Holds a request whose leader answered that the slot is not its shard's.
  /// - Parameter wasTaken: that took it, and only its answer has moved. Else nothing was done, and an earlier doubt stays.
  /// - Returns: the request as it is then, held if its slot leaves; nil: nobody waits for it.
  func moved(_ sequence: UInt64, wasTaken: Bool) -> Leaver? {
    guard items.contains(sequence), items[sequence].state != .completed else { return nil }
    if wasTaken { items[sequence].inDoubt = true }
    if isLeaving(item: sequence) { items[sequence].state = .held }
    return leaver(sequence)
  }
  private func leaver(_ sequence: UInt64) -> Leaver? {
    guard let slot = slot(of: sequence) else { return nil }
    return Leaver(slot: slot, sequence: sequence, item: items[sequence], command: command(of: sequence))
  }
  /// A leader may still answer, or may have taken, something for a slot that leaves. O(items).
  var isLeavingAwaited: Bool {
    isLeaving && (items.first..<items.next).contains { items[$0].state == .sent && isLeaving(item: $0) }
  }
  /// Lets the slots that leave go, and gives out their requests in order. The caller has looked at `isLeavingAwaited`.
  func takeLeaving() -> (slots: [Int], requests: [Leaver]) {
    let slots = leaving.indices.filter { leaving[$0] }
    var requests: [Leaver] = []
    for sequence in items.first..<items.next where items[sequence].state != .completed {
      if isLeaving(item: sequence), let request = leaver(sequence) { requests.append(request) }
    }
    leaving = []
    for request in requests { _ = complete(request.sequence) }
    return (slots, requests)
  }
  /// A request that goes on to another shard.
  struct Leaver {
    var slot: Int
    var sequence: UInt64
    var item: EdgeItem
    var command: [UInt8]
  }
  /// Takes in a request that comes from another stream, as what it was there.
  func append(_ leaver: Leaver) {
    append(
      owner: leaver.item.owner, flags: leaver.item.flags, deadline: leaver.item.deadline,
      isInDoubt: leaver.item.inDoubt,
      losses: leaver.item.losses
    ) { $0.append(leaver.command) }
    orderedFrom = items.next
  }
}
