import Base

/// Where points came from. Points of one account with one expiry and one origin are one lot.
enum Origin: UInt8, Sendable {
  case earned = 1
  case transferred = 2
  /// Given back after their own lot had expired (R9).
  case grace = 3
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

/// Points with one expiry and one origin. issued = available + held + consumed + reversed + expired.
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
  /// 1: in use.
  var isUsed: UInt8 = 0
  /// 1: what was available at the expiry is booked; what is held still waits.
  var isExpired: UInt8 = 0
  var reserved: UInt8 = 0
  var reserved2: UInt32 = 0

  static var tag: TableTag { TableTag(7, "lots") }
  static var belonging: Belonging { .owner }
  static var free: LotRecord { LotRecord() }
}

extension Ref<LotRecord> {
  /// The first lot of a member's first account, which lies inside the member's own record.
  static var inline: Ref { Ref(rawValue: .max) }
}
