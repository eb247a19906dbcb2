import Testing

@testable import Cluster

@Suite struct RecentTimesTests {
  private static let second: UInt64 = 1_000_000

  @Test func ninetyNineOfAHundredStayWithinIt() {
    var times = Histogram()
    var recent = RecentTimes()
    #expect(recent.p99(of: times, now: 0) == nil)
    for _ in 0..<99 { times.note(900) }
    times.note(40_000)
    #expect(recent.p99(of: times, now: 1) == 1_000)
    times.note(40_000)
    #expect(recent.p99(of: times, now: 2) == 50_000, "98 of 101 are fewer than 99 of 100")
  }

  /// A disk that was slow an hour ago is not told to be slow.
  @Test func whatIsLongAgoDoesNotCount() {
    var times = Histogram()
    var recent = RecentTimes()
    for _ in 0..<1_000 { times.note(20_000_000) }
    #expect(recent.p99(of: times, now: 30 * Self.second) == 10_000_000, "no bound is higher")
    for minute in 1...3 {
      times.note(200)
      _ = recent.p99(of: times, now: UInt64(minute) * 61 * Self.second)
    }
    #expect(recent.p99(of: times, now: 190 * Self.second) == 250)
    for minute in 4...6 { _ = recent.p99(of: times, now: UInt64(minute) * 61 * Self.second) }
    #expect(recent.p99(of: times, now: 370 * Self.second) == nil, "nothing was written")
  }
}
