import Base

/// What a request id was answered: 32 bytes. When it came, the queue's `RetentionMarks` tell.
struct DedupeRecord: SlotRecord, Equatable {
  /// `RequestKey`: 128 bits of who asked, and under which id.
  var low: UInt64 = 0
  var high: UInt64 = 0
  /// A hash of what was asked for.
  var fingerprint: UInt64 = 0
  /// The first answer's place in the journal; or, where it is pending, the sequence of the transaction that it waits for.
  var place: UInt64 = 0

  /// In `high`, between the slot and the hash: see `RequestKey`.
  private static let pendingBit: UInt64 = 1 << 49
  var isPending: Bool { high & Self.pendingBit != 0 }

  init() {}
  /// In the place of one that went to another shard: nothing finds it, and no digest knows it.
  static let gone: DedupeRecord = {
    var record = DedupeRecord()
    record.place = .max
    return record
  }()
  var isGone: Bool { place == .max && low | high == 0 }
  /// In the place of one whose refusal is not kept. It is of no slot.
  var isForgotten: Bool { low | high == 0 }
  init(_ key: RequestKey, _ position: JournalPosition) {
    self.init(key)
    place = position.rawValue
  }
  /// Pending: `transaction` is one of the key's slot.
  init(_ key: RequestKey, pending transaction: TransactionID) {
    self.init(key)
    high |= Self.pendingBit
    place = transaction.sequence
  }
  private init(_ key: RequestKey) {
    low = key.low
    high = key.high
    fingerprint = key.fingerprint
  }
  @inline(__always) func isOf(_ key: RequestKey) -> Bool { low == key.low && high & ~Self.pendingBit == key.high }
  var slot: Slot { Slot(UInt16(high >> 50)) }
  /// What it waits for.
  var transaction: TransactionID { TransactionID(rawValue: (high >> 50) << 48 | place) }
  /// Where the answer is.
  var position: JournalPosition { JournalPosition(rawValue: place) }
  /// What tells it from another of the same `low`.
  var content: UInt64 { DigestSum.mix(fingerprint, high) }

  static var tag: TableTag { TableTag(17, "request ids") }
  static func forEach(in ledger: borrowing Ledger, _ body: (UnsafePointer<DedupeRecord>) -> Void) {
    ledger.tables.dedupe.forEach { if !$1.pointee.isGone { body($1) } }
  }
  static func slot(of record: UnsafePointer<DedupeRecord>, in ledger: borrowing Ledger) -> Slot? {
    record.pointee.isForgotten ? nil : record.pointee.slot
  }
  static func addDigest(
    of record: UnsafePointer<DedupeRecord>, in ledger: borrowing Ledger, to sum: inout DigestSum
  ) {
    record.pointee.count(1, in: &sum)
  }
  /// The digest knows a request by its hash, content and state, not by where its answer lies.
  @inline(__always) func count(_ sign: Int64, in sum: inout DigestSum) {
    sum.add(low, DigestField.request, sign &* Int64(bitPattern: content))
  }
}
