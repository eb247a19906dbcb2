import Base
import Ledger

/// What waits at the leader, in the order in which it came: see `DeferredRequests`.
extension Replica {
  typealias DeferredCommand = (place: Int, deferral: Deferral, replyTo: ReplyTo)

  /// Has requests wait that the ledger has deferred. They stand in that entry; `places` rise.
  func keepDeferred(_ deferred: [DeferredCommand], of payload: [UInt8]) {
    guard isLeader, leading.isLeading else { return }
    payload.withUnsafeBytes { bytes in
      guard var reader = try? EntryReader(bytes) else { return }
      var place = 0
      var next = 0
      while next < deferred.count, let command = (try? reader.next()) ?? nil {
        if place == deferred[next].place {
          keepDeferred(command, deferred[next].deferral, deferred[next].replyTo)
          next += 1
        }
        place += 1
      }
    }
  }
  private func keepDeferred(_ command: UnsafeRawBufferPointer, _ deferral: Deferral, _ replyTo: ReplyTo) {
    guard let slot = Command.orderedSlot(of: command) else { return }
    let isFirst = deferral != .behind
    let again = hasRoomToDefer && !replyTo.isNobody ? Command.carrying(deferral, command) : nil
    if isFirst || !leading.deferred.holds(slot) {
      leading.deferred.hold(slot, awaiting: again == nil ? .none : deferral.awaited, isPaused: true)
      leading.deferred.unsaid = machine.lastStamp
      isDirty = true
    }
    guard let again else {
      if !replyTo.isNobody { refuse(replyTo, deferral) }
      return
    }
    leading.deferred.add(
      .init(deferral: isFirst ? deferral : nil, isQuery: false, bytes: again, replyTo: replyTo), in: slot,
      wasProposed: true)
  }
  private var hasRoomToDefer: Bool { leading.deferred.bytes < limits.gatherBytes }

  /// Has a request wait behind what waits in its slot. False: nothing does.
  /// - Parameter wasProposed: it is a query whose turn has come.
  func deferBehind(
    _ envelope: UnsafeRawBufferPointer, _ replyTo: ReplyTo, isQuery: Bool, wasProposed: Bool = false
  ) -> Bool {
    guard let slot = Command.orderedSlot(of: envelope), leading.deferred.holds(slot) else { return false }
    keep(envelope, nil, replyTo, in: slot, isQuery: isQuery, wasProposed: wasProposed)
    return true
  }
  /// Has a query wait for a transaction that is to come to an end in another shard.
  func `defer`(query: UnsafeRawBufferPointer, until transaction: TransactionID, _ replyTo: ReplyTo) {
    guard let slot = Command.orderedSlot(of: query) else { return }
    leading.deferred.hold(slot, awaiting: transaction, isPaused: false)
    keep(query, Deferral(awaiting: transaction), replyTo, in: slot, isQuery: true, wasProposed: true)
  }
  private func keep(
    _ envelope: UnsafeRawBufferPointer, _ deferral: Deferral?, _ replyTo: ReplyTo, in slot: Slot, isQuery: Bool,
    wasProposed: Bool
  ) {
    guard hasRoomToDefer else { return refuse(replyTo, deferral) }
    leading.deferred.add(
      .init(deferral: deferral, isQuery: isQuery, bytes: Array(envelope), replyTo: replyTo), in: slot,
      wasProposed: wasProposed)
  }

  /// As one who leads begins to propose: what earlier leaders left paused.
  func meetPausedSlots() {
    leading.hasMetPausedSlots = true
    for slot in machine.pausedSlots {
      leading.deferred.hold(slot, awaiting: .none, isPaused: true)
      leading.deferred.unsaid = machine.lastStamp
    }
  }
  /// Logs that this leader knows what waits: from here on it holds back itself what comes.
  func sayDeferred() {
    guard let stamp = leading.deferred.unsaid, hasTakenOver, !applying.isMidEntry else { return }
    var buffer = ByteBuffer(capacity: 64)
    Command.appendResume(to: &buffer, slot: firstSlot, through: stamp)
    if addInternal(buffer.bytes) { leading.deferred.unsaid = nil }
  }

  /// Between entries: has go on what waited for transactions that are over, or for slots that have gone.
  func releaseDeferred(_ answered: [TransactionID] = []) {
    guard leading.isLeading, !leading.deferred.isEmpty else { return }
    let epoch = machine.holdings.epoch
    if epoch != leading.deferredEpoch {
      leading.deferredEpoch = epoch
      leading.deferred.answered(nil)
    } else if !answered.isEmpty {
      leading.deferred.answered(answered)
    }
    let ready = leading.deferred.takeReady { machine.isPaused($0) }
    for item in ready { item.bytes.withUnsafeBytes { add($0, item.isQuery ? .query : [], item.replyTo) } }
    if !ready.isEmpty { isDirty = true }
  }
  /// Answers those that have waited too long.
  func expireDeferred(now: UInt64, patience: UInt64) {
    guard leading.isLeading else { return }
    let late = leading.deferred.expired(now: now, patience: patience)
    guard !late.isEmpty else { return }
    for item in late { refuse(item.replyTo, item.deferral) }
    if !applying.isMidEntry { releaseDeferred() }
  }
  private func refuse(_ replyTo: ReplyTo, _ deferral: Deferral?) {
    var writer = ReplyWriter(capacity: 128)
    if let quota = deferral?.quota {
      writer.error(
        .unavailable, "the shards that hold the rest of the quota did not answer in time; nothing was done")
      machine.quotaName(quota).withUnsafeBytes { writer.field(.which, $0) }
    } else {
      writer.error(.unavailable, "what was asked for before it was not decided in time; nothing was done")
    }
    outbox.result(shard, replyTo, writer.buffer.bytes)
    isDirty = true
  }
}
