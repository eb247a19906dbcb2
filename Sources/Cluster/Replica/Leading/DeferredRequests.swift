import Base
import Ledger

/// Requests that wait at the leader: for points of a quota, for a movement that is on its way to a pool, or behind one of those in their slot.
/// Each is proposed again once that is over.
///
/// So requests of one connection to one member take effect in the order sent: while something waits in a slot, what comes for that slot stands
/// behind it. What was proposed before the leader knew the ledger defers by itself (`PausedSlots`), until it applies the leader's word
/// that it knows (`RESUME`). Nothing of a slot goes on before that: by then all that was under way has come back.
struct DeferredRequests {
  struct Item {
    /// What it waits for by itself; nil: those before it.
    var deferral: Deferral?
    var isQuery: Bool
    /// As it is to be proposed, or asked, again.
    var bytes: [UInt8]
    var replyTo: ReplyTo
    /// On the monotonic clock; nil: since the last look.
    var since: UInt64?
  }
  private struct Key: Hashable {
    var edge: UInt32
    var sequence: UInt64
    init(_ replyTo: ReplyTo) { (edge, sequence) = (replyTo.edge, replyTo.sequence) }
  }
  /// Of a slot.
  private struct Queue {
    var awaited: [TransactionID] = []
    /// The ledger defers what comes for the slot.
    var isPaused = false
    /// Those that were proposed; then those that came since.
    var returned: [Item] = []
    var held: [Item] = []

    mutating func remove(where isWanted: (Item) -> Bool) -> [Item] {
      let taken = (returned + held).filter(isWanted)
      guard !taken.isEmpty else { return [] }
      returned.removeAll(where: isWanted)
      held.removeAll(where: isWanted)
      awaited.removeAll { one in !returned.contains { $0.deferral?.awaited == one } }
      return taken
    }
  }
  private var queues: [UInt16: Queue] = [:]
  /// In which order they began.
  private var slots: [UInt16] = []
  private(set) var bytes = 0
  /// Of those that were proposed again: since when they wait, should they have to go on waiting.
  private var waiting: [Key: UInt64] = [:]
  /// The leader knows what waits up to this stamp, and has yet to log that.
  var unsaid: Stamp?

  @inline(__always) var isEmpty: Bool { slots.isEmpty }
  func holds(_ slot: Slot) -> Bool { queues[slot.rawValue] != nil }

  /// What comes for a slot waits from now on.
  /// - Parameters:
  ///   - awaited: for what it waits; `.none`: for what the ledger has deferred to come back.
  ///   - isPaused: the ledger defers what comes for it.
  mutating func hold(_ slot: Slot, awaiting awaited: TransactionID, isPaused: Bool) {
    if queues[slot.rawValue] == nil { slots.append(slot.rawValue) }
    var queue = queues[slot.rawValue] ?? Queue()
    if awaited != .none, !queue.awaited.contains(awaited) { queue.awaited.append(awaited) }
    if isPaused { queue.isPaused = true }
    queues[slot.rawValue] = queue
  }
  /// - Parameter wasProposed: it comes back; else it has come since the slot is held.
  mutating func add(_ item: Item, in slot: Slot, wasProposed: Bool) {
    bytes += item.bytes.count
    var item = item
    item.since = waiting.removeValue(forKey: Key(item.replyTo))
    if wasProposed {
      queues[slot.rawValue]?.returned.append(item)
    } else {
      queues[slot.rawValue]?.held.append(item)
    }
  }

  /// Transactions are over. Nil: nothing that was waited for counts any more.
  mutating func answered(_ ended: [TransactionID]?) {
    for slot in slots where queues[slot]?.awaited.isEmpty == false {
      queues[slot]?.awaited.removeAll { ended?.contains($0) ?? true }
    }
  }
  /// Those that may go on, slot by slot, each slot's in their order. The slots are held no longer.
  /// - Parameter isPaused: the ledger defers what comes for a slot.
  mutating func takeReady(isPaused: (Slot) -> Bool) -> [Item] {
    var ready: [Item] = []
    var kept: [UInt16] = []
    for slot in slots {
      if queues[slot]?.isPaused == true, !isPaused(Slot(slot)) { queues[slot]?.isPaused = false }
      guard let queue = queues[slot], !queue.isPaused, queue.awaited.isEmpty else {
        kept.append(slot)
        continue
      }
      queues[slot] = nil
      ready += queue.returned + queue.held
    }
    slots = kept
    for item in ready {
      bytes -= item.bytes.count
      if let since = item.since { waiting[Key(item.replyTo)] = since }
    }
    return ready
  }
  /// Those that have waited longer than `patience`. Called now and then.
  mutating func expired(now: UInt64, patience: UInt64) -> [Item] {
    if !waiting.isEmpty { waiting = waiting.filter { now < $0.value + 4 * patience } }
    var late: [Item] = []
    for slot in slots {
      guard var queue = queues[slot] else { continue }
      for place in queue.returned.indices where queue.returned[place].since == nil { queue.returned[place].since = now }
      for place in queue.held.indices where queue.held[place].since == nil { queue.held[place].since = now }
      late += queue.remove { $0.since.map { now >= $0 + patience } ?? false }
      queues[slot] = queue
    }
    for item in late { bytes -= item.bytes.count }
    return late
  }
  mutating func forget(edge: UInt32) {
    for slot in slots {
      for item in queues[slot]?.remove(where: { $0.replyTo.edge == edge }) ?? [] { bytes -= item.bytes.count }
    }
  }
}
