import Base

/// What one shard asks of another, as a type: what it says, what the destination does, what becomes of the verdict. A new one is
/// its file and a line of `StepTable.all`; that it is kept, sent again, applied once, acknowledged and checked follows.
protocol ShardStep: SendableMetatype {
  typealias Bytes = UnsafeRawBufferPointer
  /// They stand in logs and in the outbox: for ever.
  static var kinds: ClosedRange<UInt8> { get }
  /// Appends what the delivery says, made of what the source has `kept` and of its state; false: that does not know it.
  static func append(
    _ step: OutboxRecord, _ kept: Bytes, in ledger: borrowing Ledger, to buffer: inout ByteBuffer
  ) -> Bool
  /// At the destination, once: does its part, or says why not. Throws if the bytes are something else or
  /// go on, and has changed nothing then.
  static func receive(
    _ origin: StepOrigin, _ reader: inout ByteReader, in ledger: inout Ledger
  ) throws(MalformedBytes) -> Verdict
  /// Which delivery of its transaction it is: 1 to 3. Each of them is applied once.
  static func number(_ kind: UInt8) -> UInt8
  /// Back at the source, once: where one verdict is not all, what it asks next, in the same transaction, which is not completed then.
  static func next(
    _ step: OutboxRecord, _ kept: Bytes, _ verdict: Verdict, in ledger: borrowing Ledger
  ) throws(MalformedBytes) -> NextStep?
  /// Back at the source, once: completes what was begun, or gives back, and ends the request.
  static func complete(
    _ step: OutboxRecord, _ kept: Bytes, _ verdict: Verdict, in ledger: inout Ledger, _ reply: inout ReplyWriter
  ) throws(MalformedBytes)
  /// For which transaction terminals wait that `complete` has written the answer for; none: it has written none.
  static func awaited(_ step: OutboxRecord, _ kept: Bytes, in ledger: borrowing Ledger) -> TransactionID
  /// What of the account `inTransit` it stands for, by program, until it is completed.
  static func forEachUnderWay(
    _ step: OutboxRecord, in ledger: borrowing Ledger, _ body: (ProgramRef, Points) -> Void
  )
}

/// What the source of a step asks when it has the verdict.
struct NextStep {
  var kind: UInt8
  var to: Slot
  /// What is kept of it.
  var text: [UInt8]
}

extension ShardStep {
  /// A delivery says what was kept.
  static func append(
    _ step: OutboxRecord, _ kept: Bytes, in ledger: borrowing Ledger, to buffer: inout ByteBuffer
  ) -> Bool {
    buffer.append(kept)
    return true
  }
  static func number(_ kind: UInt8) -> UInt8 { 1 }
  static func next(
    _ step: OutboxRecord, _ kept: Bytes, _ verdict: Verdict, in ledger: borrowing Ledger
  ) throws(MalformedBytes) -> NextStep? { nil }
  static func awaited(_ step: OutboxRecord, _ kept: Bytes, in ledger: borrowing Ledger) -> TransactionID { step.id }
  static func forEachUnderWay(
    _ step: OutboxRecord, in ledger: borrowing Ledger, _ body: (ProgramRef, Points) -> Void
  ) {}
}

/// Where a delivery comes from.
struct StepOrigin {
  var kind: UInt8
  var transaction: TransactionID
  var tenant: TenantID
  /// Where it is addressed to.
  var slot: Slot
}

/// The steps by their kinds.
struct StepTable: Sendable {
  private(set) var types: [any ShardStep.Type]
  static let all = StepTable(types: [
    TransferStep.self, CardStep.self, ReplaceStep.self, EraseStep.self, ReferralStep.self, RaiseStep.self,
    QuotaStep.self,
    MergeStep.self,
    ActStep.self, PoolStep.self, BookStep.self, UncountStep.self,
  ])

  init(types: [any ShardStep.Type]) { self.types = types }
  func find(_ kind: UInt8) -> (any ShardStep.Type)? { types.first { $0.kinds.contains(kind) } }
}
