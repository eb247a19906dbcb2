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
  /// Back at the source, once: completes what was begun, or gives back, and ends the request.
  static func complete(
    _ step: OutboxRecord, _ kept: Bytes, _ verdict: Verdict, in ledger: inout Ledger, _ reply: inout ReplyWriter
  ) throws(MalformedBytes)
  /// What of the account `inTransit` it stands for, until it is completed.
  static func pointsUnderWay(_ step: OutboxRecord, in ledger: borrowing Ledger) -> Points
}

extension ShardStep {
  static func pointsUnderWay(_ step: OutboxRecord, in ledger: borrowing Ledger) -> Points { 0 }
}

/// Where a delivery comes from.
struct StepOrigin {
  var kind: UInt8
  var transaction: TransactionID
  var tenant: TenantID
}

/// The steps by their kinds.
struct StepTable: Sendable {
  private(set) var types: [any ShardStep.Type]
  static let all = StepTable(types: [TransferStep.self, CardStep.self])

  init(types: [any ShardStep.Type]) { self.types = types }
  func find(_ kind: UInt8) -> (any ShardStep.Type)? { types.first { $0.kinds.contains(kind) } }
}
