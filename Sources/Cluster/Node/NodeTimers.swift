/// When a node's next heartbeat is, and what else is done now and then; on the monotonic clock.
///
/// While no replica takes a turn but for heartbeats of groups at rest, time alone can change something of them. Then what looks at all of
/// them waits for the next beat of idle groups: an idle node looks through them three times a second and not a hundred.
struct NodeTimers {
  /// What is due with a tick.
  struct Due {
    /// A heartbeat of the node.
    var isBeat = false
    /// Heartbeats of idle groups go with it.
    var isIdleBeat = false
    /// No replica has taken a turn that says something since the last tick, or since the last beat; and this is no beat of idle groups.
    var isCalm = false
    var isBeatCalm = false
    var isSecond = false
  }

  private var nextHeartbeat: UInt64 = 0
  private var nextSecond: UInt64 = 0
  private var beats = 0
  private var hasTurnedSinceTick = true
  private var hasTurnedSinceBeat = true
  private var hasTurnedSinceStatus = true

  /// Some replica has taken a turn, and not for heartbeats of a group at rest alone.
  mutating func noteTurn() {
    hasTurnedSinceTick = true
    hasTurnedSinceBeat = true
    hasTurnedSinceStatus = true
  }
  /// Whether none has since this was asked last, nor was there a beat of idle groups.
  mutating func takeStatusCalm() -> Bool {
    defer { hasTurnedSinceStatus = false }
    return !hasTurnedSinceStatus
  }

  mutating func tick(now: UInt64, _ configuration: NodeConfiguration) -> Due {
    var due = Due()
    due.isBeat = NodeTimers.isDue(&nextHeartbeat, now, configuration.heartbeatInterval)
    due.isSecond = NodeTimers.isDue(&nextSecond, now, 1_000_000)
    if due.isBeat {
      beats = (beats + 1) % configuration.idleBeats
      due.isIdleBeat = beats == 0
      if due.isIdleBeat { hasTurnedSinceStatus = true }
      due.isBeatCalm = !hasTurnedSinceBeat && !due.isIdleBeat
      hasTurnedSinceBeat = false
    }
    due.isCalm = !hasTurnedSinceTick && !due.isIdleBeat
    hasTurnedSinceTick = false
    return due
  }

  private static func isDue(_ next: inout UInt64, _ now: UInt64, _ interval: UInt64) -> Bool {
    guard now >= next else { return false }
    next = now + interval
    return true
  }
}
