import Base

/// An audit's cut: everything before its marker has an earlier stamp, everything after a later one.
struct Marker {
  var stamp: Stamp
  var envelope: [UInt8]
  var replyTo: ReplyTo
}

/// Audits' markers that wait until the clock has come near their stamp: what is proposed meanwhile is of earlier stamps, and
/// no follower takes a marker's for one of the future.
struct Markers {
  /// So far ahead of the clock a marker is proposed: longer than from one tick to the next (µs).
  static let lead: Int64 = 25_000
  /// So far ahead of the clock a stamp may be asked for (µs).
  static let reach: Int64 = 5_000_000
  static let limit = 64

  private var waiting: [Marker] = []

  @inline(__always) var isEmpty: Bool { waiting.isEmpty }

  /// False: there are too many, or its stamp is too far ahead.
  mutating func add(_ marker: Marker, clock: Stamp) -> Bool {
    guard waiting.count < Markers.limit, marker.stamp.microseconds &- clock.microseconds <= Markers.reach else {
      return false
    }
    waiting.append(marker)
    return true
  }
  /// Those that are to be proposed now, in the order in which they came.
  mutating func takeDue(clock: Stamp) -> [Marker] {
    guard !waiting.isEmpty else { return [] }
    let horizon = clock.microseconds &+ Markers.lead
    let due = waiting.filter { $0.stamp.microseconds <= horizon }
    waiting.removeAll { $0.stamp.microseconds <= horizon }
    return due
  }
}
