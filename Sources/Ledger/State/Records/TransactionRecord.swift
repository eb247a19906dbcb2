import Base

/// A transaction while it is in memory (see `Ledger+Past.swift`): what a refund, a capture or a release has to know.
struct TransactionRecord: SlotRecord {
  var id: TransactionID
  var position: JournalPosition
  /// Where the record is that last spoke about it: its own, that of its latest refund, that of a hold's capture.
  var latest: JournalPosition
  var stamp: Stamp
  /// Since when it has been in memory without a look at it.
  var keptSince = Stamp.zero
  /// Gross points moved, always positive.
  var points: Points
  /// `.none` where nothing was paid in money.
  var spend = Money.none
  var reversedPoints: Points = 0
  var reversedSpend: Money = 0
  /// An earn's lot. A hold's deadline.
  var expiresAt = Stamp.zero
  /// The hold of a capture; the capture of a hold.
  var link = TransactionID.none
  var member: Ref<MemberRecord>
  var merchant = MerchantRef.none
  var program: ProgramRef
  /// What was taken from which lots, the last taken first.
  var firstTake = Ref<TakeRecord>.none
  /// Of an open hold.
  var hold = Ref<HoldRecord>.none
  var kind: UInt8
  var state: UInt8 = 0
  var origin: UInt8 = 0
  var reserved: UInt8 = 0

  /// `state` of a hold or a transfer that waits.
  static let open: UInt8 = 1
  static let captured: UInt8 = 2
  static let released: UInt8 = 3
  static let returned: UInt8 = 4
  /// `state` of an earn of no points for no money, once it was refunded.
  static let undone: UInt8 = 5

  /// It went to another shard: nothing finds it.
  var isGone: Bool { id == .none }

  static var tag: TableTag { TableTag(11, "transactions") }
  static func forEach(in ledger: borrowing Ledger, _ body: (UnsafePointer<TransactionRecord>) -> Void) {
    ledger.tables.transactions.forEach { if !$1.pointee.isGone { body($1) } }
  }
  static func slot(of record: UnsafePointer<TransactionRecord>, in ledger: borrowing Ledger) -> Slot? {
    record.pointee.id.slot
  }
  /// With what it took.
  static func addDigest(
    of record: UnsafePointer<TransactionRecord>, in ledger: borrowing Ledger, to sum: inout DigestSum
  ) {
    let t = record.pointee
    ledger.count(t, 1, in: &sum)
    var next = t.firstTake
    while next != .none {
      let take = ledger.tables.takes.read(next).pointee
      sum.add(ledger.takeKey(t.id, take), DigestField.takePoints, take.points)
      sum.add(ledger.takeKey(t.id, take), DigestField.takeReturned, take.returned)
      next = take.next
    }
  }
  static func check(_ ledger: borrowing Ledger) throws(BrokenInvariant) { try ledger.checkTransactions() }
}

/// Points taken from one lot by one transaction.
struct TakeRecord: StateRecord, ReusedRecord {
  var expiresAt: Stamp
  var earnedAt: Stamp
  var points: Points
  var returned: Points = 0
  var next = Ref<TakeRecord>.none
  var origin: UInt8
  var reserved: UInt8 = 0
  var reserved2: UInt16 = 0

  static var tag: TableTag { TableTag(8, "takes") }
  static var belonging: Belonging { .owner }
  static var free: TakeRecord { TakeRecord(expiresAt: .zero, earnedAt: .zero, points: 0, origin: 0) }
}

extension PastTable.Block: SlotRecord {
  static func forEach(in ledger: borrowing Ledger, _ body: (UnsafePointer<PastTable.Block>) -> Void) {
    ledger.tables.past.forEachBlock { body($0) }
  }
  static func slot(of block: UnsafePointer<PastTable.Block>, in ledger: borrowing Ledger) -> Slot? {
    block.pointee.slot
  }
  static func addDigest(
    of block: UnsafePointer<PastTable.Block>, in ledger: borrowing Ledger, to sum: inout DigestSum
  ) {
    block.pointee.forEach { sum.add($0.rawValue, DigestField.past, Int64(bitPattern: $1.word)) }
  }
}

/// The last sequence number of a slot's transactions. There is one for each slot, in their order.
/// That of a slot which went to another shard stays, so that it never falls; it counts for nothing.
struct SequenceRecord: SlotRecord {
  var last: UInt64 = 0

  static var tag: TableTag { TableTag(10, "sequences") }
  static func addDigest(in ledger: borrowing Ledger, of slots: (Slot?) -> Bool, to sum: inout DigestSum) {
    ledger.tables.sequences.forEach { ref, record in
      let slot = Slot(UInt16(ref.place))
      guard ledger.owns(slot), slots(slot) else { return }
      sum.add(UInt64(slot.rawValue), DigestField.sequence, Int64(bitPattern: record.pointee.last))
    }
  }
}
