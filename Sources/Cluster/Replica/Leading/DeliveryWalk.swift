import Base
import Ledger

/// When open deliveries to other shards are sent again: after a while in which an answer should have come, then after twice
/// that, and so on, up to a longest wait. What is known of a delivery is its age, so nothing is kept of each.
struct DeliveryRetry {
  /// The wait between two times in the long run, in microseconds.
  static let longestWait: UInt64 = 4_000_000
  /// So many microseconds before this walk over all open deliveries the one before began; nil: there was none, and each
  /// delivery is due.
  var sinceLastWalk: UInt64?
  /// What an answer takes at most when all is well, in microseconds.
  var patience: UInt64

  /// Whether a delivery that was made `age` µs ago is to be sent again in this walk.
  func isDue(age: Int64) -> Bool {
    guard let sinceLastWalk else { return true }
    return times(at: age) > times(at: age - Int64(clamping: sinceLastWalk))
  }

  /// How many times one of that age was due, or some more. One of the future counts by the longest wait: clocks differ by
  /// less than that, but a shard's time may have run ahead.
  private func times(at age: Int64) -> Int64 {
    let patience = Int64(clamping: max(1, patience))
    let longest = max(Int64(DeliveryRetry.longestWait), patience)
    if age < 0 { return age / longest }
    if age < patience { return 0 }
    if age >= longest { return 64 + age / longest }
    return 64 - Int64((age / patience).leadingZeroBitCount)
  }
}

/// Walks of a leader over the deliveries that are not acknowledged, one after another, each in one or more parts. Moments are
/// monotonic, in microseconds.
struct DeliveryWalk {
  /// Where among them it goes on.
  var places = DeliveryPlaces()
  /// When the last part was, when this walk began and when the one before did; nil before the first.
  private var last: (part: UInt64, began: UInt64, before: UInt64?)?

  /// The next part of the walk; nil: it is too early for one.
  /// - Parameter interval: between two parts; `patience`: what an answer takes when all is well.
  mutating func next(now: UInt64, interval: UInt64, patience: UInt64) -> DeliveryRetry? {
    if let last, now - last.part < interval { return nil }
    let isNewWalk = places.isAtStart
    let before = isNewWalk ? last?.began : last?.before
    last = (now, isNewWalk ? now : last?.began ?? now, before)
    return DeliveryRetry(sinceLastWalk: before.map { now - $0 }, patience: patience)
  }
}
