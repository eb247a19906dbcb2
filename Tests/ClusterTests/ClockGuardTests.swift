import Base
import Testing

@testable import Cluster

/// A clock's judgement from readings of others.
@Suite struct ClockGuardTests {
  private var clock = ClockGuard()
  private var out = NodeOutput()
  private static let start = Moment(monotonic: 1_000_000, wall: Stamp(microseconds: 50_000_000))

  private static func at(_ later: UInt64, wallMoved: Int64 = 0) -> Moment {
    Moment(
      monotonic: start.monotonic + later,
      wall: Stamp(microseconds: start.wall.microseconds + Int64(later) + wallMoved))
  }
  /// Another clock, so much ahead of ours, read to the millisecond.
  private static func other(_ ahead: Int64, isOff: Bool = false) -> ClockGuard.Reading {
    ClockGuard.Reading(
      ahead: .init(least: ahead - 1_000, most: ahead + 1_000),
      leastOffset: start.wall.microseconds - Int64(start.monotonic) + ahead - 1_000, isOff: isOff)
  }

  @Test mutating func aloneNobodyCanTell() {
    #expect(!clock.judge([], now: Self.start, &out) && !clock.isOff && clock.ahead == nil)
    #expect(!clock.judge([.init(), .init()], now: Self.start, &out) && !clock.isOff)
  }

  @Test(
    arguments: [
      ([700_000, 700_000], true), ([-700_000, -700_000], true), ([700_000, 0], false), ([400_000, 450_000], false),
      // Two against two is no verdict.
      ([700_000, 700_000, 0], false), ([700_000, 700_000, 700_000], true),
      ([-700_000, -700_000, 0], false), ([-700_000, -700_000, -700_000], true),
    ] as [([Int64], Bool)])
  mutating func theMedianDecides(_ ahead: [Int64], _ isOff: Bool) {
    #expect(clock.judge(ahead.map { Self.other($0) }, now: Self.start, &out) == isOff)
    #expect(clock.isOff == isOff)
  }

  @Test mutating func ofTwoThatDifferTheOneAheadIsOff() {
    #expect(!clock.judge([Self.other(700_000)], now: Self.start, &out))
    #expect(clock.judge([Self.other(-700_000)], now: Self.start, &out) && clock.isOff)
  }

  @Test mutating func nextToALiarAClockThatIsOffIsStillFound() {
    // The liar is further off, and knows it: between it and the other one this clock would be the median.
    let others = [Self.other(2_000_000, isOff: true), Self.other(-600_000)]
    #expect(clock.judge(others, now: Self.start, &out) && clock.isOff)
  }

  @Test mutating func aClockIsRightAgainOnlyWithinTheNearerBound() {
    _ = clock.judge([Self.other(700_000), Self.other(700_000)], now: Self.start, &out)
    #expect(clock.offSince == Self.start.monotonic)
    #expect(!clock.judge([Self.other(450_000), Self.other(450_000)], now: Self.at(1), &out) && clock.isOff)
    #expect(clock.judge([Self.other(390_000), Self.other(390_000)], now: Self.at(2), &out) && !clock.isOff)
    #expect(out.logLines.map(\.level) == [.error, .info])
  }

  @Test mutating func theOperatorIsToldNowAndThen() {
    let others = [Self.other(700_000), Self.other(700_000)]
    for later in [0, 1, Alarm.interval - 1, Alarm.interval] as [UInt64] {
      _ = clock.judge(others, now: Self.at(later), &out)
    }
    #expect(out.logLines.count == 2)
  }

  @Test mutating func aClockThatWasSetIsNoticed() {
    _ = clock.wasSet(now: Self.start)
    #expect(clock.wasSet(now: Self.at(10_000_000)) == false)
    #expect(clock.wasSet(now: Self.at(10_000_001, wallMoved: 100_000)) == false)
    #expect(clock.wasSet(now: Self.at(10_000_002, wallMoved: 200_001)) == true)
    #expect(clock.wasSet(now: Self.at(10_000_003, wallMoved: -1)) == true)
  }

  @Test mutating func promisesGoByTheEarliestClock() {
    _ = clock.judge([], now: Self.start, &out)
    #expect(clock.earliest(now: Self.start) == Self.start.wall)
    _ = clock.judge([.init()], now: Self.start, &out)
    #expect(clock.earliest(now: Self.start) == nil, "somebody is there and was not heard")
    _ = clock.judge([Self.other(200_000), Self.other(-300_000)], now: Self.start, &out)
    #expect(clock.earliest(now: Self.at(5)) == Stamp(microseconds: Self.at(5).wall.microseconds - 301_000))
    // One that is off stamps nothing; one further behind than two tolerances leads nothing.
    _ = clock.judge([Self.other(-300_000, isOff: true), Self.other(0)], now: Self.start, &out)
    #expect(clock.earliest(now: Self.start) == Stamp(microseconds: Self.start.wall.microseconds - 1_000))
    _ = clock.judge([Self.other(-9_000_000), Self.other(0)], now: Self.start, &out)
    #expect(clock.earliest(now: Self.start) == Stamp(microseconds: Self.start.wall.microseconds - 1_000_000))
  }

  @Test mutating func entriesOfTheFutureAreNotTakenUnlessTheyFollowFromWhatIsApplied() {
    let now = Self.start
    #expect(ClockGuard.limit(now: now, applied: .zero) == now.wall.microseconds + ClockGuard.tolerance)
    let ahead = Stamp(microseconds: now.wall.microseconds + 60_000_000)
    #expect(ClockGuard.limit(now: now, applied: ahead) == ahead.microseconds + 1_000)
  }
}
