import Base
import Vocabulary

/// What leases and homes of quotas say to each other: see docs/quotas.md. Nobody waits for a verdict; what comes of a step is another.
enum QuotaStep: ShardStep {
  typealias Bytes = UnsafeRawBufferPointer
  static var kinds: ClosedRange<UInt8> {
    QuotaMessage.Kind.ask.rawValue...QuotaMessage.Kind.giveBack.rawValue
  }

  static func receive(
    _ origin: StepOrigin, _ reader: inout ByteReader, in ledger: inout Ledger
  ) throws(MalformedBytes) -> Verdict {
    let content = try QuotaMessage(&reader)
    try reader.finish()
    // What it speaks of is yet to be heard of here: the source tries again.
    guard ledger.catalogue.quota(content.period.quota) != nil else { return Verdict(.busy) }
    switch QuotaMessage.Kind(rawValue: origin.kind) {
    case .ask: ledger.receiveAsk(content)
    case .grant: ledger.receiveGrant(content)
    case .recall: ledger.receiveRecall(content)
    case .giveBack, nil: ledger.receiveReturn(content)
    }
    return .done
  }
  static func complete(
    _ step: OutboxRecord, _ kept: Bytes, _ verdict: Verdict, in ledger: inout Ledger, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) {
    let content = try QuotaMessage(kept: kept)
    switch (QuotaMessage.Kind(rawValue: step.kind), verdict == .done) {
    case (.ask, false): ledger.endAsk(content, at: step.id.slot)
    case (.grant, true): ledger.grantArrived(content)
    case (.recall, false): ledger.recallFailed(content)
    case (.grant, false), (.giveBack, false):
      // The points are nowhere else.
      guard let kind = QuotaMessage.Kind(rawValue: step.kind) else { return ledger.fail(.records) }
      ledger.send(kind, content, ledger.nextTransaction(step.id.slot), to: Slot(step.to))
    default: break
    }
  }
  static func awaited(_ step: OutboxRecord, _ kept: Bytes, in ledger: borrowing Ledger) -> TransactionID { .none }
}

extension Ledger {
  /// At the lease: points have come.
  fileprivate mutating func receiveGrant(_ content: QuotaMessage) {
    let lease = openLease(content.period, at: Slot(content.slot))
    let heads = quotaHeads(content.period.quota)
    // Granted before the limit fell, as far as this shard knows.
    let isOld = content.version < heads.loweredBy || content.stamp < heads.loweredAt
    change(lease) {
      $0.amount += content.points
      $0.granted = content.points
      $0.isShut = isOld || content.isShut ? 1 : 0
      $0.isDry = content.isDry ? 1 : 0
      guard content.ask != .none, $0.ask == content.ask else { return }
      $0.ask = .none
      if content.isFinal { $0.finalAsk = content.ask }
    }
    if content.ask != .none { answeredWaits.append(content.ask) }
  }
  /// At the lease: an ask could not be taken in.
  fileprivate mutating func endAsk(_ content: QuotaMessage, at slot: Slot) {
    let lease = openLease(content.period, at: slot)
    change(lease) {
      // What it brought back has come back to it.
      $0.amount += content.points
      if $0.ask == content.ask { $0.ask = .none }
    }
    answeredWaits.append(content.ask)
  }
  /// At the lease: all of it goes home.
  fileprivate mutating func receiveRecall(_ content: QuotaMessage) {
    var points: Int64 = 0
    var own = Ref<LeaseRecord>.none
    forEachLease(of: content.period) { if $1.pointee.slot == content.slot { (own, points) = ($0, $1.pointee.amount) } }
    if own != .none, points > 0 { change(own) { $0.amount = 0 } }
    sendHome(points, content.period, round: content.round, from: Slot(content.slot))
  }
  /// What requests may have waited for and is over, since last taken.
  public mutating func takeAnsweredWaits() -> [TransactionID] {
    guard !answeredWaits.isEmpty else { return [] }
    defer { answeredWaits = [] }
    return answeredWaits
  }
}
