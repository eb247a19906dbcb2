import Base

/// The clocks by which a replica stamps entries and promises in a turn.
struct TurnClock {
  /// Stamps of others, deliveries' and markers', that are further ahead are not proposed: followers would not take them (µs).
  private static let tolerance: Int64 = 1_000_000

  /// This node's: stamps are never earlier than the last. It is the same for all shards, so that one stamp tells of many of
  /// them how far their past is closed.
  var own = Stamp.zero
  /// What the earliest clock of the cluster says: what is promised to readers goes by that. Nil: not known.
  var earliest: Stamp?

  /// Whether followers would take an entry of that stamp.
  /// - Parameter last: of the entries that are applied.
  func isWithinReach(_ stamp: Stamp, last: Stamp) -> Bool {
    stamp <= last || stamp.microseconds &- own.microseconds <= TurnClock.tolerance
  }
  /// So long ago something was stamped (µs); below 0 if this clock is behind.
  @inline(__always) func age(of stamp: Stamp) -> Int64 { own.microseconds &- stamp.microseconds }
}
