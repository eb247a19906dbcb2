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
}
