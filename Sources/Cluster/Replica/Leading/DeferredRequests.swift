import Base
import Ledger

/// Requests that wait, at the leader, for points of a quota: each is proposed again, with what it has waited for, once the ask is answered.
/// Those that wait for one are proposed in the order in which they came.
struct DeferredRequests {
  struct Item {
    var deferral: Deferral
    /// As it is to be proposed again.
    var command: [UInt8]
    var replyTo: ReplyTo
    /// On the monotonic clock; nil: since the last look.
    var since: UInt64?
  }
  private struct Key: Hashable {
    var edge: UInt32
    var sequence: UInt64
    init(_ replyTo: ReplyTo) { (edge, sequence) = (replyTo.edge, replyTo.sequence) }
  }
  private(set) var items: [Item] = []
  private(set) var bytes = 0
  /// Of those that were proposed again: since when they wait, should they have to go on waiting.
  private var waiting: [Key: UInt64] = [:]

  var isEmpty: Bool { items.isEmpty }

  mutating func add(_ deferral: Deferral, _ command: [UInt8], _ replyTo: ReplyTo) {
    bytes += command.count
    items.append(
      Item(
        deferral: deferral, command: command, replyTo: replyTo, since: waiting.removeValue(forKey: Key(replyTo))))
  }
  /// Those that are to be proposed again.
  mutating func take(where isWanted: (Item) -> Bool) -> [Item] {
    guard !items.isEmpty else { return [] }
    let taken = items.filter(isWanted)
    guard !taken.isEmpty else { return [] }
    items.removeAll(where: isWanted)
    for item in taken {
      bytes -= item.command.count
      if let since = item.since { waiting[Key(item.replyTo)] = since }
    }
    return taken
  }
  /// Those that have waited longer than `patience`. Called now and then.
  mutating func expired(now: UInt64, patience: UInt64) -> [Item] {
    if !waiting.isEmpty { waiting = waiting.filter { now < $0.value + 4 * patience } }
    guard !items.isEmpty else { return [] }
    for place in items.indices where items[place].since == nil { items[place].since = now }
    return take { $0.since.map { now >= $0 + patience } ?? false }
  }
  mutating func forget(edge: UInt32) { _ = take { $0.replyTo.edge == edge } }
}

extension Replica {
  /// Has requests wait whose quotas are short. `open` is the entry that they stand in; `places` rise.
  func keepDeferred(_ deferred: [(place: Int, deferral: Deferral, replyTo: ReplyTo)], of payload: [UInt8]) {
    guard isLeader, leading.isLeading else { return }
    payload.withUnsafeBytes { bytes in
      guard var reader = try? EntryReader(bytes) else { return }
      var place = 0
      var next = 0
      while next < deferred.count, let command = (try? reader.next()) ?? nil {
        if place == deferred[next].place {
          keepDeferred(deferred[next].deferral, command, deferred[next].replyTo)
          next += 1
        }
        place += 1
      }
    }
  }
  private func keepDeferred(_ deferral: Deferral, _ command: UnsafeRawBufferPointer, _ replyTo: ReplyTo) {
    guard leading.deferred.bytes < limits.gatherBytes, let again = Command.carrying(deferral, command) else {
      return refuseDeferred(replyTo, deferral)
    }
    leading.deferred.add(deferral, again, replyTo)
  }
  /// Proposes again what waited for asks that are answered, or for slots that have gone.
  func releaseDeferred(_ answered: [TransactionID]) {
    guard leading.isLeading, !leading.deferred.isEmpty else { return }
    let epoch = machine.holdings.epoch
    let hasMoved = epoch != leading.deferredEpoch
    leading.deferredEpoch = epoch
    guard hasMoved || !answered.isEmpty else { return }
    for item in leading.deferred.take(where: { hasMoved || answered.contains($0.deferral.ask) }) {
      item.command.withUnsafeBytes { add($0, [], item.replyTo) }
    }
    isDirty = true
  }
  /// Answers those that have waited too long.
  func expireDeferred(now: UInt64, patience: UInt64) {
    guard leading.isLeading else { return }
    for item in leading.deferred.expired(now: now, patience: patience) { refuseDeferred(item.replyTo, item.deferral) }
  }
  private func refuseDeferred(_ replyTo: ReplyTo, _ deferral: Deferral) {
    var writer = ReplyWriter(capacity: 128)
    writer.error(.unavailable, "the shards that hold the rest of the quota did not answer in time; nothing was done")
    machine.quotaName(deferral.quota).withUnsafeBytes { writer.field(.which, $0) }
    outbox.result(shard, replyTo, writer.buffer.bytes)
    isDirty = true
  }
}
