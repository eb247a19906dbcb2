import Base

// The records of the state. All are flat, without padding and without references that the language counts. A number of a
// record in another is its place plus 1; 0 is none. What each costs is in README.md.

/// The place of a member's first account and of its first lot: inside the member's own record.
let inlineNumber = UInt32.max

enum MemberState: UInt8, Sendable {
  case active = 1
  case frozen = 2
  case closed = 3
  var text: StaticString { self == .active ? "active" : self == .frozen ? "frozen" : "closed" }
}

/// Where points came from. Points of one account with one expiry and one origin are one lot.
enum Origin: UInt8, Sendable {
  case earned = 1
  case transferred = 2
  /// Given back after their own lot had expired (R9).
  case grace = 3
}

/// Points with one expiry and one origin. issued = available + held + consumed + reversed + expired.
struct LotRecord: BitwiseCopyable {
  var expiresAt = Stamp.zero
  var earnedAt = Stamp.zero
  var issued: Int64 = 0
  var available: Int64 = 0
  var held: Int64 = 0
  var consumed: Int64 = 0
  var reversed: Int64 = 0
  var expired: Int64 = 0
  /// Neighbours in the account's list, which is in the order of R1.
  var next: UInt32 = 0
  var previous: UInt32 = 0
  var origin: UInt8 = 0
  /// 1: in use.
  var isUsed: UInt8 = 0
  /// 1: what was available at the expiry is booked; what is held still waits.
  var isExpired: UInt8 = 0
  var reserved: UInt8 = 0
  var reserved2: UInt32 = 0
}

/// A member's points of one program. available is the sum of the lots' available; balance = available + held - debt.
struct AccountRecord: BitwiseCopyable {
  var available: Int64 = 0
  var held: Int64 = 0
  var debt: Int64 = 0
  /// Its newest journal record.
  var lastRecord = JournalPosition.none
  /// The program's number, or -1: not in use.
  var program: Int32 = -1
  var firstLot: UInt32 = 0
  var lastLot: UInt32 = 0
  var next: UInt32 = 0
  var balance: Int64 { available &+ held &- debt }
}

/// A member, its first account and that account's first lot: three cache lines, side by side.
struct MemberRecord: BitwiseCopyable {
  /// `Slot.hash` of the id: the slot is its top 14 bits.
  var hash: UInt64
  var id: ShortText
  /// When the member was added.
  var since: Stamp
  /// Name and region in the blob, one string: region counted, then the name. 0 is neither.
  var profile: UInt64 = 0
  var tenant: TenantID
  var firstCard: UInt32 = 0
  var firstHold: UInt32 = 0
  /// Accounts beyond the first.
  var nextAccount: UInt32 = 0
  var state: UInt8 = MemberState.active.rawValue
  var cardCount: UInt8 = 0
  var lotCount: UInt16 = 0
  /// What is on its way from the member's accounts to other shards.
  var firstTransit: UInt32 = 0
  var account = AccountRecord()
  var lot = LotRecord()

  static let accountOffset = 64
  static let lotOffset = 112
  var slot: Slot { Slot(hash: hash) }
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
  init(reference: UInt64) {
    low = reference
    high = 255 << 56
  }
}

/// A transaction while it is in memory (see `Ledger+Past.swift`): what a refund, a capture or a release has to know.
struct TransactionRecord: BitwiseCopyable {
  var id: TransactionID
  var position: JournalPosition
  /// Where the record is that last spoke about it: its own, that of its latest refund, that of a hold's capture.
  var latest: JournalPosition
  var stamp: Stamp
  /// Since when it has been in memory without a look at it.
  var keptSince = Stamp.zero
  /// Gross points moved, always positive.
  var points: Int64
  /// Minor units; -1 where there is none.
  var spend: Int64 = -1
  var reversedPoints: Int64 = 0
  var reversedSpend: Int64 = 0
  /// An earn's lot. A hold's deadline.
  var expiresAt = Stamp.zero
  /// The hold of a capture; the capture of a hold.
  var link = TransactionID.none
  /// The member's number.
  var member: UInt32
  var merchant: Int32 = -1
  var program: Int32
  /// What was taken from which lots, the last taken first.
  var firstTake: UInt32 = 0
  /// The record's number among the open holds.
  var hold: UInt32 = 0
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
}

/// Points taken from one lot by one transaction.
struct TakeRecord: BitwiseCopyable {
  var expiresAt: Stamp
  var earnedAt: Stamp
  var points: Int64
  var returned: Int64 = 0
  var next: UInt32 = 0
  var origin: UInt8
  var reserved: UInt8 = 0
  var reserved2: UInt16 = 0
}

/// An open hold, in its member's list, which is in the order of the deadlines.
struct HoldRecord: BitwiseCopyable {
  var id: TransactionID
  var deadline: Stamp
  var member: UInt32
  var next: UInt32
  /// Of the first: the last.
  var previous: UInt32 = 0
  /// Of the first: how many the member has.
  var count: UInt32 = 0
}

/// What is on its way from one account to other shards, and may come back. Not there where nothing is.
struct TransitRecord: BitwiseCopyable {
  var points: Int64 = 0
  /// -1: not in use.
  var program: Int32
  /// The member's other accounts of which something is on its way.
  var next: UInt32
  /// Lots that the points were taken from.
  var lots: UInt32 = 0
  var reserved: UInt32 = 0
}

/// A hold in the queue by deadline. Stale once the hold is closed: its number then has another id, or none.
struct HoldDeadline: BitwiseCopyable {
  var deadline: Stamp
  var id: TransactionID
  var hold: UInt32
  var reserved: UInt32 = 0
  @inline(__always) func isBefore(_ other: HoldDeadline) -> Bool {
    deadline != other.deadline ? deadline < other.deadline : id.rawValue < other.id.rawValue
  }
}

/// What a request id was answered: 32 bytes. When it came, the queue's `RetentionMarks` tell.
struct DedupeRecord: BitwiseCopyable, Equatable {
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
  /// What it waits for.
  var transaction: TransactionID { TransactionID(rawValue: (high >> 50) << 48 | place) }
  /// Where the answer is.
  var position: JournalPosition { JournalPosition(rawValue: place) }
  /// What tells it from another of the same `low`.
  var content: UInt64 { DigestSum.mix(fingerprint, high) }
}

/// A merchant's part accounts in this shard, for one program.
struct PartRecord: BitwiseCopyable {
  /// Points issued (negative: they came from here).
  var issues: Int128 = 0
  /// Points redeemed.
  var redeems: Int128 = 0
  var merchant: Int32
  var program: Int32
  /// The merchant's part for another program.
  var next: UInt32
  var reserved: UInt32 = 0
}

/// A program's accounts in this shard that are not a merchant's.
struct ProgramRecord: BitwiseCopyable {
  /// The sum of all members' balances, kept by the accounts' changes, not by the postings against them.
  var members: Int128 = 0
  var breakage: Int128 = 0
  var adjustments: Int128 = 0
  var inTransit: Int128 = 0
  var betweenShards: Int128 = 0
  var accounts: UInt64 = 0
  var reserved: UInt64 = 0
}

/// A card in its member's list.
struct CardRecord: BitwiseCopyable {
  var number: UInt64
  var next: UInt32
  var state: UInt8
  var reserved: UInt8 = 0
  var reserved2: UInt16 = 0
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
struct CardEntryRecord: BitwiseCopyable {
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
}

/// A step that waits for a verdict. What it says is kept inside, so that nothing outlives it.
struct OutboxRecord: BitwiseCopyable {
  var id: TransactionID
  var stamp: Stamp
  /// The sender's balance after the debit: part of the answer.
  var balance: Int64 = 0
  /// The request id's key, to store the answer under; `hasRequest` 0 where there is none.
  var requestLow: UInt64 = 0
  var requestHigh: UInt64 = 0
  var fingerprint: UInt64 = 0
  var next: UInt32 = 0
  var to: UInt16
  var kind: UInt8
  var hasRequest: UInt8 = 0
  var tenant: TenantID
  /// Card directory record, for card steps.
  var card: UInt32 = 0
  /// Bytes of `text` in use.
  var textCount: UInt32 = 0
  var reserved: UInt32 = 0
  /// Counted texts: what they are depends on the kind.
  var text = Block576()
}

/// A delivery applied here, until its source has recorded the verdict.
struct InboxRecord: BitwiseCopyable {
  var from: TransactionID
  var stamp: Stamp
  /// 0: done; else an `ErrorCode`.
  var code: UInt8
  /// Which limit, for `.limit`.
  var which: UInt8
  var step: UInt8
  var reserved: UInt8 = 0
  var next: UInt32 = 0
  /// Where the delivery was addressed to: where its settlement goes.
  var slot: UInt16
  var reserved2: UInt16 = 0
  var reserved3: UInt32 = 0
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
/// Room for the texts of a step: four ids or numbers of 64 bytes and a name of 256, each with its count.
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
