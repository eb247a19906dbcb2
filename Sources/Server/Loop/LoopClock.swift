import Base
import Cluster

/// The loop's time: of this turn, of the next tick, and by when a stop must be over. It reads no clock: the loop tells it.
/// All in microseconds.
struct LoopClock {
  /// When this turn began.
  private(set) var now: Moment
  private var nextTick: UInt64
  /// Nil: the loop is not asked to stop.
  private var stopDeadline: UInt64?

  init(now: Moment) {
    self.now = now
    nextTick = now.monotonic + LoopOptions.tickInterval
  }
  mutating func turnBegins(at now: Moment) { self.now = now }

  /// Whether the next tick is due, at a monotonic time.
  func isTickDue(at time: UInt64) -> Bool { time >= nextTick }
  /// Until the next tick, in milliseconds, rounded up: how long the loop may sleep; 0 once it is due.
  func millisecondsToTick(from time: UInt64) -> Int32 {
    time >= nextTick ? 0 : Int32((nextTick - time + 999) / 1000)
  }
  /// A tick was done in this turn. One that was missed is not made up for.
  mutating func ticked() { nextTick = now.monotonic + LoopOptions.tickInterval }

  /// The loop is asked to stop within so many seconds. False if it was before: the first deadline stays.
  mutating func beginStop(within seconds: Int) -> Bool {
    guard stopDeadline == nil else { return false }
    stopDeadline = now.monotonic + UInt64(seconds) * 1_000_000
    return true
  }
  /// Whether a stop has taken too long.
  var isStopOverdue: Bool { stopDeadline.map { now.monotonic >= $0 } ?? false }
}
