/// How long things took: how many took at most so long, by bounds that stay.
public struct Histogram: Sendable {
  /// In microseconds.
  static let bounds: [UInt64] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
  ]
  /// By bound, each without those below; the last: more than all bounds.
  private(set) var counts = InlineArray<17, UInt64>(repeating: 0)
  /// Of all durations, in microseconds.
  private(set) var sum: UInt64 = 0

  public init() {}

  /// - Parameter duration: in microseconds.
  public mutating func note(_ duration: UInt64) {
    var place = 0
    while place < Histogram.bounds.count, duration > Histogram.bounds[place] { place += 1 }
    counts[place] &+= 1
    sum &+= duration
  }

  /// Of all that was noted since `earlier`, which this goes on from: the least bound that `permille` of it stayed within, in
  /// microseconds; over the highest bound, that one. Nil: nothing was noted since.
  func bound(permille: UInt64, since earlier: Histogram) -> UInt64? {
    let count = counts.indices.reduce(0) { $0 &+ (counts[$1] &- earlier.counts[$1]) }
    guard count > 0 else { return nil }
    var within: UInt64 = 0
    for place in Histogram.bounds.indices {
      within &+= counts[place] &- earlier.counts[place]
      if within &* 1_000 >= count &* permille { return Histogram.bounds[place] }
    }
    return Histogram.bounds.last
  }
}

/// How long things took of late: within the last one to two minutes.
struct RecentTimes {
  /// As it was up to two minutes ago, and up to one.
  private var marks = (older: Histogram(), newer: Histogram())
  private var markedAt: UInt64 = 0
  private static let interval: UInt64 = 60_000_000

  /// The bound that 99 of 100 stayed within, in microseconds; nil: there was none.
  /// - Parameters:
  ///   - all: of all times since the start.
  ///   - now: on the monotonic clock.
  mutating func p99(of all: Histogram, now: UInt64) -> UInt64? {
    if now &- markedAt >= RecentTimes.interval {
      marks = (marks.newer, all)
      markedAt = now
    }
    return all.bound(permille: 990, since: marks.older)
  }
}
