import Base

/// A card, or another alias, in its member's list.
struct CardRecord: StateRecord, ReusedRecord {
  /// Its key in the blob (see `AliasKey`); where it has a type, `=` and that behind it.
  var number: UInt64
  var next: Ref<CardRecord>
  var state: UInt8
  var reserved: UInt8 = 0
  var reserved2: UInt16 = 0

  static var tag: TableTag { TableTag(24, "cards") }
  static var belonging: Belonging { .owner }
  static var free: CardRecord { CardRecord(number: 0, next: .none, state: 0) }

  /// Aliases that a member has at most beside its cards; and with those that were removed.
  static let mostAliases = 16
  static let mostAliasesEver = 128
  /// Cards of a member that others have replaced: they are remembered, beside those that it has.
  static let mostReplaced = 128
  static let divider = UInt8(ascii: "=")
  static func text(_ key: UnsafeRawBufferPointer, type: [UInt8]) -> [UInt8] {
    type.isEmpty ? Array(key) : Array(key) + [divider] + type
  }
}

enum CardState: UInt8, Sendable {
  /// Bound by nobody yet: a claim waits for the member's shard.
  case claimed = 0
  case active = 1
  case lost = 2
  case removed = 3
  /// Lost for ever: its member has another in its place.
  case replaced = 4
  var text: StaticString {
    switch self {
    case .claimed: "claimed"
    case .active: "active"
    case .lost: "lost"
    case .removed: "removed"
    case .replaced: "replaced"
    }
  }
  var isLost: Bool { self == .lost || self == .replaced }
}

/// A card number, or the key of another alias, in its own slot: whose it is. Both are hashed alike, so a card's slot is what it
/// always was.
struct CardEntryRecord: SlotRecord, ReusedRecord {
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
  static var free: CardEntryRecord { CardEntryRecord(hash: 0, number: 0, member: 0, tenant: TenantID(0), state: 0) }
  var isUsed: Bool { number != 0 }
  /// Of a free one. No blob of texts has 2^32 records.
  var next: Ref<CardEntryRecord> {
    get { Ref(rawValue: UInt32(truncatingIfNeeded: member)) }
    set { member = UInt64(newValue.rawValue) }
  }
  static func forEach(in ledger: borrowing Ledger, _ body: (UnsafePointer<CardEntryRecord>) -> Void) {
    ledger.tables.cardEntries.forEach { if $1.pointee.isUsed { body($1) } }
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
