import Base

extension Ledger {
  /// There is no room for more request ids: each new one pushes out the oldest, though it is younger than the retention, or
  /// is refused if that is younger than a day. O(1).
  public var isRequestRoomFull: Bool { UInt64(tables.dedupe.count) - core.goneRequests >= limits.requestIDs }
}
