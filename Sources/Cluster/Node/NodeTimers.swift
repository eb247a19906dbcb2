/// When a node's next heartbeat is, and what else is done now and then; on the monotonic clock.
struct NodeTimers {
  private var nextHeartbeat: UInt64 = 0
  private var nextSecond: UInt64 = 0

  mutating func heartbeat(now: UInt64, interval: UInt64) -> Bool { NodeTimers.isDue(&nextHeartbeat, now, interval) }
  mutating func second(now: UInt64) -> Bool { NodeTimers.isDue(&nextSecond, now, 1_000_000) }

  private static func isDue(_ next: inout UInt64, _ now: UInt64, _ interval: UInt64) -> Bool {
    guard now >= next else { return false }
    next = now + interval
    return true
  }
}
