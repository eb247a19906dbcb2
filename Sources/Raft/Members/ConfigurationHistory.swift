import Base

/// The membership at two moments: in force, which is the newest that is known to be committed, and as of what is applied.
/// The first may be several entries ahead of the second.
struct ConfigurationHistory: Sendable {
  /// In force.
  private(set) var current: Configuration
  /// As of what is applied: what belongs into a snapshot there.
  private(set) var applied: Configuration
  /// In force by an operator's word, and not committed yet: see `RaftGroup.recover(without:)`.
  private(set) var forced: Configuration?
  /// Committed and not yet applied, lowest first.
  private var unapplied: [(index: LogIndex, configuration: Configuration)] = []

  /// As of a snapshot, behind which nothing is known to be committed.
  init(_ configuration: Configuration) {
    current = configuration
    applied = configuration
  }
  /// The entry at `index`, which is later than those before, is committed.
  mutating func commit(_ configuration: Configuration, at index: LogIndex) {
    current = configuration
    if let forced, configuration.version >= forced.version { self.forced = nil }
    unapplied.append((index, configuration))
  }
  /// In force from now on, whatever was; it is to be logged.
  mutating func force(_ configuration: Configuration) {
    current = configuration
    forced = configuration
  }
  /// The entries through `index` are applied. O(1) unless there are configurations among them.
  mutating func apply(through index: LogIndex) {
    while let first = unapplied.first, first.index <= index {
      applied = first.configuration
      unapplied.removeFirst()
    }
  }
}
