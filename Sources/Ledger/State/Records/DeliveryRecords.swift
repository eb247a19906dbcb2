import Base

/// A step that waits for a verdict. What it says is kept inside, so that nothing outlives it.
struct OutboxRecord: SlotRecord, ReusedRecord {
  var id: TransactionID
  var stamp: Stamp
  /// The sender's balance after the debit: part of the answer.
  var balance: Points = 0
  /// The request id's key, to store the answer under; `hasRequest` 0 where there is none.
  var requestLow: UInt64 = 0
  var requestHigh: UInt64 = 0
  var fingerprint: UInt64 = 0
  var next = Ref<OutboxRecord>.none
  var to: UInt16
  var kind: UInt8
  var hasRequest: UInt8 = 0
  var tenant: TenantID
  /// Card directory record, for card steps.
  var card = Ref<CardEntryRecord>.none
  /// Bytes of what it says; those that `text` has no room for are in chunks.
  var textCount: UInt32 = 0
  var rest = Ref<FileChunk>.none
  /// Counted texts: what they are depends on the kind.
  var text = Block576()

  static var tag: TableTag { TableTag(30, "the outbox") }
  static var free: OutboxRecord {
    OutboxRecord(id: .none, stamp: .zero, to: 0, kind: 0, tenant: TenantID(0))
  }
  static func forEach(in ledger: borrowing Ledger, _ body: (UnsafePointer<OutboxRecord>) -> Void) {
    ledger.tables.outbox.forEach { if $1.pointee.id != .none { body($1) } }
  }
  static func slot(of record: UnsafePointer<OutboxRecord>, in ledger: borrowing Ledger) -> Slot? {
    record.pointee.id.slot
  }
  static func addDigest(
    of record: UnsafePointer<OutboxRecord>, in ledger: borrowing Ledger, to sum: inout DigestSum
  ) {
    record.pointee.count(1, in: &sum)
    ledger.countText(of: record.pointee, 1, in: &sum)
  }
  func count(_ sign: Int64, in sum: inout DigestSum) {
    sum.add(id.rawValue, DigestField.outbox, sign * Int64(kind))
  }
}

/// A delivery applied here, until its source has recorded the verdict.
struct InboxRecord: SlotRecord, ReusedRecord {
  var from: TransactionID
  var stamp: Stamp
  /// 0: done; else an `ErrorCode`.
  var code: UInt8
  /// Which limit, for `.limit`.
  var which: UInt8
  var step: UInt8
  var reserved: UInt8 = 0
  var next = Ref<InboxRecord>.none
  /// Where the delivery was addressed to: where its settlement goes.
  var slot: UInt16
  /// Bytes of what the verdict says beside its code, and where they are.
  var textCount: UInt16 = 0
  var text = Ref<FileChunk>.none

  static var tag: TableTag { TableTag(32, "the inbox") }
  static var free: InboxRecord { InboxRecord(from: .none, stamp: .zero, code: 0, which: 0, step: 0, slot: 0) }
  static func forEach(in ledger: borrowing Ledger, _ body: (UnsafePointer<InboxRecord>) -> Void) {
    ledger.tables.inbox.forEach { if $1.pointee.from != .none { body($1) } }
  }
  static func slot(of record: UnsafePointer<InboxRecord>, in ledger: borrowing Ledger) -> Slot? {
    Slot(record.pointee.slot)
  }
  static func addDigest(
    of record: UnsafePointer<InboxRecord>, in ledger: borrowing Ledger, to sum: inout DigestSum
  ) {
    record.pointee.count(1, in: &sum)
    ledger.countText(of: record.pointee, 1, in: &sum)
  }
  func count(_ sign: Int64, in sum: inout DigestSum) {
    sum.add(from.rawValue, DigestField.inbox, sign * (1 + Int64(code)))
  }
}

struct Block64: BitwiseCopyable {
  var a: UInt64 = 0
  var b: UInt64 = 0
  var c: UInt64 = 0
  var d: UInt64 = 0
  var e: UInt64 = 0
  var f: UInt64 = 0
  var g: UInt64 = 0
  var h: UInt64 = 0
}
/// Room for the texts of most steps: four ids or numbers of 64 bytes and a name of 256, each with its count.
struct Block576: BitwiseCopyable {
  var a = Block512()
  var b = Block64()
}
struct Block512: BitwiseCopyable {
  var a = Block64()
  var b = Block64()
  var c = Block64()
  var d = Block64()
  var e = Block64()
  var f = Block64()
  var g = Block64()
  var h = Block64()
}
