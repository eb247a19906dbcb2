import Base

/// Whether this node's wall clock can be trusted, by comparison with those that it hears. Every entry is stamped by its
/// leader's clock, and points expire by the stamps; so a node whose clock is off neither leads nor proposes, and a follower
/// does not take entries from the future. Both are the node's judgement, not the ledger's: what is committed is applied by
/// its stamp, whatever the clock says. Durations are in microseconds.
struct ClockGuard {
  /// A clock is off when it is further from the median than the first, and right again when it is within the second.
  static let tolerance: Int64 = 500_000
  static let recovery: Int64 = 400_000
  /// A wall clock that has moved by so much against the monotonic one was set.
  private static let step: Int64 = 100_000

  private(set) var isOff = false
  /// Since when (monotonic).
  private(set) var offSince: UInt64 = 0
  /// By how much this node's clock was ahead of the median when last judged; nil without a verdict.
  private(set) var ahead: Int64?
  /// The wall clock less the monotonic one: changes when the wall clock is set.
  private var skew: Int64 = 0
  /// What the earliest of all clocks that may stamp entries says at least, less this node's monotonic clock.
  private var earliestOffset: Int64?
  /// When the operator was last told, of this node's clock and of a peer's entries.
  private var toldOff: UInt64?
  private var toldRefused: UInt64?

  /// What is known of another node's clock.
  struct Reading: Hashable {
    /// By how much it is ahead of this node's; nil if it was not heard lately.
    var ahead: Bounds?
    /// What it says at least, less this node's monotonic clock; nil if it was not heard lately.
    var leastOffset: Int64?
    /// It says of itself that it is off.
    var isOff = false
  }
  struct Bounds: Hashable {
    var least: Int64
    var most: Int64
  }

  // MARK: The verdict

  /// Whether the wall clock was set since this was last asked: then it is judged before it stamps anything.
  mutating func wasSet(now: Moment) -> Bool {
    let skew = now.wall.microseconds &- Int64(now.monotonic)
    let moved = skew &- self.skew
    self.skew = skew
    return moved > ClockGuard.step || moved < -ClockGuard.step
  }

  /// Judges this node's clock by all that are heard, and by those of them that are believed: next to a clock that is further
  /// off, one that is off looks like the one in the middle. Either verdict tells that it is off, both that it is right.
  /// - Parameter others: of all other nodes that are known; empty where there is none.
  /// - Returns: whether it is off now and was not, or the other way round.
  mutating func judge(_ others: [Reading], now: Moment, _ out: inout NodeOutput) -> Bool {
    findEarliest(others, now: now)
    guard let all = ClockGuard.compare(others) else {
      ahead = nil
      return false
    }
    let believed = ClockGuard.compare(others.filter { !$0.isOff }) ?? all
    ahead = (believed.isOff ? believed : all).ahead
    if all.isOff || believed.isOff { return turnOff(now: now, &out) }
    guard isOff, all.isRight, believed.isRight else { return false }
    isOff = false
    toldOff = nil
    out.isStatusDue = true
    out.log(.info, "the clock is right again")
    return true
  }

  private struct Deviation {
    /// By how much this node's clock is ahead; nil where two that differ are all there is.
    var ahead: Int64?
    var isOff: Bool
    /// Within what a clock that was off must come to.
    var isRight: Bool
  }

  /// Compares this node's clock with the median of all that are heard, its own among them: with three nodes the one that
  /// is off is found by the two that agree. Of two that differ nobody knows which is right; the one that is ahead does not
  /// lead, for the other would not take its stamps, and what was stamped once stays in the log. Nil: nobody is heard.
  private static func compare(_ others: [Reading]) -> Deviation? {
    let heard = others.compactMap(\.ahead)
    var least = [0] + heard.map(\.least)
    var most = [0] + heard.map(\.most)
    if least.count < 2 { return nil }
    if least.count == 2 {
      let isOff = -most[1] > tolerance
      return Deviation(ahead: isOff ? -(least[1] + most[1]) / 2 : nil, isOff: isOff, isRight: most[1] >= -recovery)
    }
    least.sort()
    most.sort()
    // Of an even number the median that speaks for this node: two against two is no verdict.
    let behindBy = least[(least.count - 1) / 2]
    let aheadBy = -most[most.count / 2]
    return Deviation(
      ahead: (aheadBy - behindBy) / 2, isOff: max(behindBy, aheadBy) > tolerance,
      isRight: max(behindBy, aheadBy) <= recovery)
  }

  private mutating func turnOff(now: Moment, _ out: inout NodeOutput) -> Bool {
    let isNew = !isOff
    if isNew {
      isOff = true
      offSince = now.monotonic
      out.isStatusDue = true
    }
    guard toldOff.map({ now.monotonic - $0 >= Alarm.interval }) ?? true else { return isNew }
    toldOff = now.monotonic
    let milliseconds = (ahead ?? 0) / 1000
    out.log(
      .error,
      "alarm=CLOCK this node's clock is \(abs(milliseconds)) ms \(milliseconds < 0 ? "behind" : "ahead of") the others':"
        + " it does not lead until the clock is right; set it (chronyc makestep) and see that it is kept so")
    return isNew
  }

  // MARK: The earliest and the latest clock

  /// Whoever leads next may have a clock that is behind all others, and what is committed then is older by that clock than
  /// what this node would promise by its own. So promises (`asof=`) go by the earliest of the clocks that are heard. One
  /// that is further behind than two tolerances leads nothing.
  private mutating func findEarliest(_ others: [Reading], now: Moment) {
    let own = now.wall.microseconds &- Int64(now.monotonic)
    earliestOffset = others.isEmpty ? own : nil
    for other in others where !other.isOff {
      guard let offset = other.leastOffset else { continue }
      earliestOffset = min(earliestOffset ?? own, max(offset, own - 2 * ClockGuard.tolerance))
    }
  }
  /// A moment that no clock which may stamp entries has yet to come to; nil while no peer's clock is known.
  func earliest(now: Moment) -> Stamp? {
    earliestOffset.map { min(now.wall, Stamp(microseconds: Int64(now.monotonic) &+ $0)) }
  }
  /// By how much the clock that is most ahead of ours is, of those that may stamp entries.
  func mostAhead(of others: [Reading]) -> Int64 {
    guard !isOff else { return 0 }
    let most = others.lazy.filter { !$0.isOff }.compactMap { $0.ahead?.most }.reduce(0) { max($0, $1) }
    return min(most, 2 * ClockGuard.tolerance)
  }

  // MARK: Entries from the future

  /// Up to which stamp entries are taken from a leader. Stamps that only follow from those before are taken, or a shard whose
  /// time once ran ahead would stand still until then.
  static func limit(now: Moment, applied: Stamp) -> Int64 {
    max(now.wall.microseconds &+ tolerance, applied.microseconds &+ 1_000)
  }
  /// Entries of a peer were not taken: the operator hears of it now and then.
  mutating func tellRefused(
    stamp: Int64, of shard: ShardID, from peer: String, now: Moment, _ out: inout NodeOutput
  ) {
    guard toldRefused.map({ now.monotonic - $0 >= Alarm.interval }) ?? true else { return }
    toldRefused = now.monotonic
    out.log(
      .error,
      "alarm=CLOCK shard=\(shard.rawValue) entries of node=\(peer) are stamped \((stamp - now.wall.microseconds) / 1000) ms"
        + " ahead of this node's clock: they are not taken; set the clock that is wrong, there or here")
  }
}
