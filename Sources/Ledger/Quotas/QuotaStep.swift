import Base
import Vocabulary

/// What leases and homes of quotas say to each other: see docs/quotas.md. Nobody waits for a verdict; what comes of a step is another.
enum QuotaStep: ShardStep {
  typealias Bytes = UnsafeRawBufferPointer
  enum Kind: UInt8 { case ask = 35, grant = 36, recall = 37, giveBack = 38 }
  static var kinds: ClosedRange<UInt8> { Kind.ask.rawValue...Kind.giveBack.rawValue }

  struct Content {
    var period: QuotaPeriod
    /// Where the lease lies.
    var slot: UInt16
    /// Granted, or given back.
    var points: Int64 = 0
    /// Of an ask: what the lease is to have, what it has, and how much more it would like.
    var need: Int64 = 0
    var have: Int64 = 0
    var want: Int64 = 0
    /// The ask, also where it is answered; none: it is none's answer.
    var ask = TransactionID.none
    /// Of a recall, and what answers it. 0: unasked.
    var round: UInt64 = 0
    /// Of a grant: there are no more; it is short.
    var isFinal = false
    var isDry = false
    /// More is given out than the limit is by now.
    var isShut = false
    /// The home's version of the catalogue, and its moment.
    var version: UInt32 = 0
    var stamp = Stamp.zero

    init(_ period: QuotaPeriod, slot: UInt16) { (self.period, self.slot) = (period, slot) }
    init(_ reader: inout ByteReader) throws(MalformedBytes) {
      period = try QuotaPeriod(&reader)
      slot = try reader.read()
      points = try reader.readZigzag()
      need = try reader.readZigzag()
      have = try reader.readZigzag()
      want = try reader.readZigzag()
      ask = TransactionID(rawValue: try reader.read())
      round = try reader.readVarint()
      let flags: UInt8 = try reader.read()
      (isFinal, isDry, isShut) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0)
      version = try reader.read()
      stamp = Stamp(microseconds: try reader.read())
      let bounds = 0...Int64(1) << 60
      guard slot < UInt16(Slot.count), bounds.contains(points), bounds.contains(need), bounds.contains(have),
        bounds.contains(want), ask.rawValue >> 48 < UInt64(Slot.count)
      else { throw MalformedBytes("a quota's step that cannot be") }
    }
    init(kept: Bytes) throws(MalformedBytes) {
      var reader = ByteReader(kept)
      try self.init(&reader)
    }
    var bytes: [UInt8] {
      var buffer = ByteBuffer(capacity: 96)
      period.encode(into: &buffer)
      buffer.append(slot)
      for number in [points, need, have, want] { buffer.append(zigzag: number) }
      buffer.append(ask.rawValue)
      buffer.append(varint: round)
      buffer.append(UInt8((isFinal ? 1 : 0) | (isDry ? 2 : 0) | (isShut ? 4 : 0)))
      buffer.append(version)
      buffer.append(stamp.microseconds)
      return buffer.array
    }
  }

  static func receive(
    _ origin: StepOrigin, _ reader: inout ByteReader, in ledger: inout Ledger
  ) throws(MalformedBytes) -> Verdict {
    let content = try Content(&reader)
    try reader.finish()
    // What it speaks of is yet to be heard of here: the source tries again.
    guard ledger.catalogue.quota(content.period.quota) != nil else { return Verdict(.busy) }
    switch Kind(rawValue: origin.kind) {
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
    let content = try Content(kept: kept)
    switch (Kind(rawValue: step.kind), verdict == .done) {
    case (.ask, false): ledger.endAsk(content, at: step.id.slot)
    case (.grant, true): ledger.grantArrived(content)
    case (.recall, false): ledger.recallFailed(content)
    case (.grant, false), (.giveBack, false):
      // The points are nowhere else.
      guard let kind = Kind(rawValue: step.kind) else { return ledger.fail(.records) }
      ledger.send(kind, content, ledger.nextTransaction(step.id.slot), to: Slot(step.to))
    default: break
    }
  }
  static func awaited(_ step: OutboxRecord, _ kept: Bytes, in ledger: borrowing Ledger) -> TransactionID { .none }
}

extension Ledger {
  /// At the lease: points have come.
  fileprivate mutating func receiveGrant(_ content: QuotaStep.Content) {
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
    if content.ask != .none { answeredAsks.append(content.ask) }
  }
  /// At the lease: an ask could not be taken in.
  fileprivate mutating func endAsk(_ content: QuotaStep.Content, at slot: Slot) {
    let lease = openLease(content.period, at: slot)
    change(lease) {
      // What it brought back has come back to it.
      $0.amount += content.points
      if $0.ask == content.ask { $0.ask = .none }
    }
    answeredAsks.append(content.ask)
  }
  /// At the lease: all of it goes home.
  fileprivate mutating func receiveRecall(_ content: QuotaStep.Content) {
    var points: Int64 = 0
    var own = Ref<LeaseRecord>.none
    forEachLease(of: content.period) { if $1.pointee.slot == content.slot { (own, points) = ($0, $1.pointee.amount) } }
    if own != .none, points > 0 { change(own) { $0.amount = 0 } }
    sendHome(points, content.period, round: content.round, from: Slot(content.slot))
  }
  /// What shards asked of quotas' homes and have an answer to, since last asked.
  public mutating func takeAnsweredAsks() -> [TransactionID] {
    guard !answeredAsks.isEmpty else { return [] }
    defer { answeredAsks = [] }
    return answeredAsks
  }
}
