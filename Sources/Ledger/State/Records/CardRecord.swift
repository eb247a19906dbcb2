import Base

/// A card in its member's list.
struct CardRecord: StateRecord {
  var number: UInt64
  var next: Ref<CardRecord>
  var state: UInt8
  var reserved: UInt8 = 0
  var reserved2: UInt16 = 0

  static var tag: TableTag { TableTag(24, "cards") }
}

enum CardState: UInt8, Sendable {
  /// Bound by nobody yet: a claim waits for the member's shard.
  case claimed = 0
  case active = 1
  case lost = 2
  case removed = 3
  var text: StaticString {
    self == .active ? "active" : self == .lost ? "lost" : self == .removed ? "removed" : "claimed"
  }
}

/// A card number in its own slot: whose it is.
struct CardEntryRecord: StateRecord {
  /// `Slot.hash` of the number.
  var hash: UInt64
  /// References in the blob.
  var number: UInt64
  var member: UInt64
  /// A change that waits for the member's verdict.
  var pending = TransactionID.none
  /// Who held it before: a `FormerHolders` in the blob; 0 is nobody.
  var former: UInt64 = 0
  var tenant: TenantID
  var state: UInt8
  var reserved: UInt8 = 0
  var reserved2: UInt16 = 0

  static var tag: TableTag { TableTag(25, "card numbers") }
  static func forEach(in ledger: borrowing Ledger, _ body: (UnsafePointer<CardEntryRecord>) -> Void) {
    ledger.tables.cardEntries.forEach { body($1) }
  }
  static func slot(of entry: UnsafePointer<CardEntryRecord>, in ledger: borrowing Ledger) -> Slot? {
    Slot(hash: entry.pointee.hash)
  }
  static func addDigest(
    of entry: UnsafePointer<CardEntryRecord>, in ledger: borrowing Ledger, to sum: inout DigestSum
  ) {
    sum.add(entry.pointee.hash, DigestField.cardEntry, Int64(bitPattern: ledger.cardContent(entry)))
    sum.add(entry.pointee.hash, DigestField.link, Int64(bitPattern: entry.pointee.pending.rawValue))
  }
}
