import Base

/// Where points came from. Points of one account with one expiry and one origin are one lot.
enum Origin: UInt8, Sendable {
  case earned = 1
  case transferred = 2
  /// Given back after their own lot had expired (R9).
  case grace = 3
}

/// What the points of one lot have in common, beside their account: by this a lot is found.
struct LotName: Hashable, BitwiseCopyable {
  var expiresAt: Stamp
  var origin: UInt8
  /// The day on which they become active, or became, in the program's zone since 1970; 0: they were at once. 22 bits.
  var activeDay: UInt32 = 0
  /// They end so many days after the member's last activity, and `expiresAt` moves with that; 0: they end at `expiresAt`. Of a take that
  /// knows no more than that they do: 1.
  var activityDays: UInt16 = 0

  var isActivity: Bool { activityDays > 0 }
  var isPlain: Bool { activeDay == 0 && activityDays == 0 }
  /// It is the same lot. One that moves with the member's activity has no date of its own.
  @inline(__always) func isSame(_ other: LotName) -> Bool {
    origin == other.origin && activeDay == other.activeDay && isActivity == other.isActivity
      && (isActivity || expiresAt == other.expiresAt)
  }
  /// What is more than an expiry, in 23 bits.
  var mark: UInt32 {
    get { activeDay & 0x3F_FFFF | (isActivity ? 1 << 22 : 0) }
    set { (activeDay, activityDays) = (newValue & 0x3F_FFFF, newValue >> 22 & 1 == 1 ? 1 : 0) }
  }
  static let mostMark: UInt32 = 1 << 23 - 1
  /// What digests know it by, in an account that they know by `account`.
  func key(_ account: UInt64) -> UInt64 {
    let own = DigestSum.mix(account &+ UInt64(origin), isActivity ? 0 : UInt64(bitPattern: expiresAt.microseconds))
    return isPlain ? own : DigestSum.mix(own, UInt64(mark))
  }
  func activeAt(offset: Int64) -> Stamp { CivilTime.midnight(ofDay: Int64(activeDay), offset: offset) }
}

/// A member's points of one program. available is the sum of the lots' available; balance = available + held - debt.
struct AccountRecord: StateRecord, ReusedRecord {
  var available: Points = 0
  var held: Points = 0
  var debt: Points = 0
  /// Its newest journal record.
  var lastRecord = JournalPosition.none
  /// `.none`: not in use.
  var program = ProgramRef.none
  var firstLot = Ref<LotRecord>.none
  var lastLot = Ref<LotRecord>.none
  var next = Ref<AccountRecord>.none
  var balance: Points { available &+ held &- debt }

  static var tag: TableTag { TableTag(6, "accounts") }
  static var belonging: Belonging { .owner }
  static var free: AccountRecord { AccountRecord() }
}

/// Points with one name. issued = available + held + consumed + reversed + expired. While it is pending, its `available` is no part of what
/// its account has.
struct LotRecord: StateRecord, ReusedRecord {
  var expiresAt = Stamp.zero
  var earnedAt = Stamp.zero
  var issued: Points = 0
  var available: Points = 0
  var held: Points = 0
  var consumed: Points = 0
  var reversed: Points = 0
  var expired: Points = 0
  /// Neighbours in the account's list, which is in the order of R1.
  var next = Ref<LotRecord>.none
  var previous = Ref<LotRecord>.none
  var origin: UInt8 = 0
  /// 1: in use; 3: and pending.
  private var use: UInt8 = 0
  /// 1: what was available at the expiry is booked; what is held still waits.
  var isExpired: UInt8 = 0
  /// Of `activityDays` the low byte; the rest of it is above 22 bits of `activeDay`.
  private var lowDays: UInt8 = 0
  private var days: UInt32 = 0

  var isUsed: Bool { use != 0 }
  var isPending: Bool {
    get { use == 3 }
    set { use = newValue ? 3 : 1 }
  }
  var name: LotName {
    get {
      LotName(
        expiresAt: expiresAt, origin: origin, activeDay: days & 0x3F_FFFF,
        activityDays: UInt16(truncatingIfNeeded: days >> 22) << 8 | UInt16(lowDays))
    }
    set {
      (expiresAt, origin) = (newValue.expiresAt, newValue.origin)
      lowDays = UInt8(truncatingIfNeeded: newValue.activityDays)
      days = newValue.activeDay & 0x3F_FFFF | UInt32(newValue.activityDays >> 8) << 22
    }
  }
  /// When something is to be booked of it: that it becomes active, or ends.
  func due(offset: Int64) -> Stamp { isPending ? name.activeAt(offset: offset) : expiresAt }

  init() {}
  /// One in use.
  init(_ name: LotName, earnedAt: Stamp) {
    self.earnedAt = earnedAt
    self.name = name
    isPending = false
  }

  static var tag: TableTag { TableTag(7, "lots") }
  static var belonging: Belonging { .owner }
  static var free: LotRecord { LotRecord() }
}

extension Ref<LotRecord> {
  /// The first lot of a member's first account, which lies inside the member's own record.
  static var inline: Ref { Ref(rawValue: .max) }
}
