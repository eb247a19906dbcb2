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
  /// Of an open hold. Of an earn, its raw value is what its lot is more than an expiry: `LotName.mark`.
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
  /// `state` of what is being returned at the member that its own was merged into.
  static let acting: UInt8 = 6
  /// `state` of a hold that went there with its points; `link` is what it is there, once that is known.
  static let carried: UInt8 = 7

  /// It stays in memory: something is to come.
  var isAwaited: Bool {
    switch state {
    case TransactionRecord.open, TransactionRecord.acting: true
    case TransactionRecord.carried: link == .none
    default: false
    }
  }

  /// Of an earn: the lot that it joined.
  var lot: LotName {
    get {
      var name = LotName(expiresAt: expiresAt, origin: origin)
      if kind == RecordKind.earn.rawValue { name.mark = hold.rawValue }
      return name
    }
    set {
      (expiresAt, origin) = (newValue.expiresAt, newValue.origin)
      hold = Ref(rawValue: newValue.mark)
    }
  }

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
  private var origin: UInt8
  private var lowMark: UInt8
  private var highMark: UInt16

  init(_ lot: LotName, earnedAt: Stamp, points: Points, next: Ref<TakeRecord> = .none) {
    (expiresAt, origin) = (lot.expiresAt, lot.origin)
    (lowMark, highMark) = (UInt8(truncatingIfNeeded: lot.mark), UInt16(truncatingIfNeeded: lot.mark >> 8))
    (self.earnedAt, self.points, self.next) = (earnedAt, points, next)
  }
  /// That from which they were taken.
  var lot: LotName {
    get {
      var name = LotName(expiresAt: expiresAt, origin: origin)
      name.mark = UInt32(highMark) << 8 | UInt32(lowMark)
      return name
    }
    set { self = TakeRecord(newValue, earnedAt: earnedAt, points: points, next: next, returned: returned) }
  }
  private init(_ lot: LotName, earnedAt: Stamp, points: Points, next: Ref<TakeRecord>, returned: Points) {
    self.init(lot, earnedAt: earnedAt, points: points, next: next)
    self.returned = returned
  }

  static var tag: TableTag { TableTag(8, "takes") }
  static var belonging: Belonging { .owner }
  static var free: TakeRecord { TakeRecord(LotName(expiresAt: .zero, origin: 0), earnedAt: .zero, points: 0) }
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
