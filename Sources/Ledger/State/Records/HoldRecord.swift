import Base

/// An open hold, in its member's list, which is in the order of the deadlines.
struct HoldRecord: StateRecord, ReusedRecord {
  var id: TransactionID
  var deadline: Stamp
  var member: Ref<MemberRecord>
  var next: Ref<HoldRecord>
  /// Of the first: the last.
  var previous = Ref<HoldRecord>.none
  /// Of the first: how many the member has.
  var count: UInt32 = 0

  static var tag: TableTag { TableTag(19, "holds") }
  /// Their transactions tell all of them.
  static var belonging: Belonging { .owner }
  static var free: HoldRecord { HoldRecord(id: .none, deadline: .zero, member: .none, next: .none) }
}

/// A hold in the queue by deadline. Stale once the hold is closed: its number then has another id, or none.
struct HoldDeadline: TableRecord {
  var deadline: Stamp
  var id: TransactionID
  var hold: Ref<HoldRecord>
  var reserved: UInt32 = 0
  @inline(__always) func isBefore(_ other: HoldDeadline) -> Bool {
    deadline != other.deadline ? deadline < other.deadline : id.rawValue < other.id.rawValue
  }

  static var tag: TableTag { TableTag(20, "deadlines of holds") }
}
