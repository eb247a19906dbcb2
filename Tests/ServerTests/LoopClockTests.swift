import Base
import Cluster
import Testing

@testable import Server

@Suite struct LoopClockTests {
  private func moment(_ time: UInt64) -> Moment { Moment(monotonic: time, wall: .zero) }
  private let interval = LoopOptions.tickInterval

  @Test func theLoopSleepsUntilTheNextTickAndNoLonger() {
    let clock = LoopClock(now: moment(1_000_000))
    #expect(!clock.isTickDue(at: 1_000_000 + interval - 1) && clock.isTickDue(at: 1_000_000 + interval))
    #expect(clock.millisecondsToTick(from: 1_000_000) == Int32(interval / 1000))
    // Rounded up: a loop that wakes too early would turn for nothing.
    #expect(clock.millisecondsToTick(from: 1_000_000 + interval - 1) == 1)
    #expect(clock.millisecondsToTick(from: 1_000_000 + interval) == 0)
    #expect(clock.millisecondsToTick(from: 9_000_000) == 0)
  }
  @Test func aTickThatWasMissedIsNotMadeUpFor() {
    var clock = LoopClock(now: moment(0))
    clock.turnBegins(at: moment(10 * interval))
    #expect(clock.isTickDue(at: clock.now.monotonic))
    clock.ticked()
    #expect(!clock.isTickDue(at: 11 * interval - 1) && clock.isTickDue(at: 11 * interval))
  }
  @Test func aStopThatIsAskedForTwiceHasTheFirstDeadline() {
    var clock = LoopClock(now: moment(5_000_000))
    #expect(!clock.isStopOverdue)
    let first = clock.beginStop(within: 10)
    clock.turnBegins(at: moment(12_000_000))
    let second = clock.beginStop(within: 10)
    #expect(first && !second && !clock.isStopOverdue)
    clock.turnBegins(at: moment(14_999_999))
    #expect(!clock.isStopOverdue)
    clock.turnBegins(at: moment(15_000_000))
    #expect(clock.isStopOverdue)
  }
}
