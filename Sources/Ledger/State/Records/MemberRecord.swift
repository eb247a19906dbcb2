import Base

enum MemberState: UInt8, Sendable {
  case active = 1
  case frozen = 2
  case closed = 3
  /// It is being merged into another: it does nothing until that is over.
  case merging = 4
  var text: StaticString {
    switch self {
    case .active: "active"
    case .frozen: "frozen"
    case .closed: "closed"
    case .merging: "merging"
    }
  }
}

/// A member, its first account and that account's first lot: three cache lines, side by side.
struct MemberRecord: SlotRecord, ReusedRecord {
  /// `Slot.hash` of the id: the slot is its top 14 bits.
  var hash: UInt64
  var id: ShortText
  /// When the member was added.
  var since: Stamp
  /// Name and region in the blob, one string: region counted, then the name. 0 is neither. With its top bit: the place of its file, which
  /// has these, too; and the bit below says that the file has bonds.
  var profile: UInt64 = 0
  var tenant: TenantID
  var firstCard = Ref<CardRecord>.none
  var firstHold = Ref<HoldRecord>.none
  /// Accounts beyond the first.
  var nextAccount = Ref<AccountRecord>.none
  var state: UInt8 = MemberState.active.rawValue
  var cardCount: UInt8 = 0
  var lotCount: UInt16 = 0
  /// What is on its way from the member's accounts to other shards.
  var firstTransit = Ref<TransitRecord>.none
  var account = AccountRecord()
  var lot = LotRecord()

  var hasFile: Bool { profile >> 63 != 0 }
  /// `.none`: it has none.
  var file: Ref<FileRecord> {
    get { hasFile ? Ref(rawValue: UInt32(truncatingIfNeeded: profile)) : .none }
    set { profile = 1 << 63 | UInt64(newValue.rawValue) }
  }
  /// It is tied to others: being merged, in a pool, a pool.
  var hasBonds: Bool {
    get { profile >> 62 == 3 }
    set { if hasFile { profile = profile & ~(1 << 62) | (newValue ? 1 << 62 : 0) } }
  }

  static let accountOffset = 64
  static let lotOffset = 112
  var slot: Slot { Slot(hash: hash) }
  static var free: MemberRecord {
    var record = MemberRecord(hash: 0, id: ShortText(low: 0, high: 0), since: .zero, tenant: TenantID(0))
    record.state = 0
    return record
  }
  var isUsed: Bool { state != 0 }
  /// Of a free one.
  var next: Ref<MemberRecord> {
    get { Ref(rawValue: firstCard.rawValue) }
    set { firstCard = Ref<CardRecord>(rawValue: newValue.rawValue) }
  }

  static var tag: TableTag { TableTag(4, "members") }
  static func forEach(in ledger: borrowing Ledger, _ body: (UnsafePointer<MemberRecord>) -> Void) {
    ledger.tables.members.forEach { if $1.pointee.isUsed { body($1) } }
  }
  static func slot(of member: UnsafePointer<MemberRecord>, in ledger: borrowing Ledger) -> Slot? { member.pointee.slot }
  /// With its cards, accounts and lots.
  static func addDigest(
    of member: UnsafePointer<MemberRecord>, in ledger: borrowing Ledger, to sum: inout DigestSum
  ) {
    let hash = member.pointee.hash
    sum.add(hash, DigestField.memberContent, Int64(bitPattern: ledger.memberContent(member)))
    sum.add(hash, DigestField.memberState, Int64(member.pointee.state))
    var card = member.pointee.firstCard
    while card != .none {
      let record = ledger.tables.cards.read(card).pointee
      sum.add(ledger.cardKey(hash, ledger.tables.texts.read(record.number)), DigestField.card, Int64(record.state))
      card = record.next
    }
    ledger.addAccounts(of: member, to: &sum)
  }
  static func check(_ ledger: borrowing Ledger) throws(BrokenInvariant) { try ledger.checkBalances() }
}

/// An id of up to 15 bytes in place, a longer one by its reference in the blob.
struct ShortText: BitwiseCopyable, Equatable {
  var low: UInt64
  /// The top byte is the length, or 255: `low` is a reference.
  var high: UInt64
  @inline(__always) var isInline: Bool { high >> 56 != 255 }

  /// The text in place; nil if it is too long for that.
  @inline(__always) init?(inline text: UnsafeRawBufferPointer) {
    guard text.count <= 15 else { return nil }
    let words = text.words
    low = words.low
    high = words.high | UInt64(text.count) &<< 56
  }
  init(low: UInt64, high: UInt64) {
    self.low = low
    self.high = high
  }
  init(reference: UInt64) {
    low = reference
    high = 255 << 56
  }
}
