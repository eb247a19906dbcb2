import Base

/// Up to which moment nothing that was committed is missing from what is applied here.
///
/// The leader asks a quorum now and then whether it still leads: what was committed when it asked is all that anyone can have
/// been told by then. Its followers hear of the round, and know as much once they have applied what it covers. Moments are
/// of the clock that was furthest behind of all: stamps may be ahead of it, and so may be the clocks of those who lead.
struct ClosedTime {
  /// Of the last round: everything up to that moment is in the log up to `index`.
  private(set) var stamp = Stamp.zero
  private(set) var index = LogIndex(0)
  /// What was known before that round, and what entries tell that were applied since.
  private var present = Stamp.zero
  /// The leader's round that is under way.
  private var round: (context: UInt64, stamp: Stamp, index: LogIndex)?

  var isAsking: Bool { round != nil }
  /// - Parameter applied: the last entry that is.
  func time(applied: LogIndex) -> Stamp { applied >= index ? max(stamp, present) : present }

  // MARK: As leader

  /// - Parameter last: the end of the log.
  mutating func ask(_ context: UInt64, at moment: Stamp, last: LogIndex) { round = (context, moment, last) }
  /// A quorum has confirmed a round, this one or another. It covers what was committed when it began.
  mutating func confirmed(_ context: UInt64, committed: LogIndex, applied: LogIndex) {
    guard let round, round.context == context else { return }
    self.round = nil
    close(round.stamp, max(committed, round.index), applied)
  }
  mutating func refused(_ context: UInt64) {
    if round?.context == context { round = nil }
  }
  mutating func giveUp() { round = nil }

  // MARK: As any replica

  /// The leader's word of its last round.
  mutating func heard(_ stamp: Stamp, _ index: LogIndex, applied: LogIndex) {
    guard stamp > self.stamp else { return }
    close(stamp, index, applied)
  }
  /// An entry was applied that its leader proposed at that moment.
  @inline(__always) mutating func passed(_ moment: Stamp) { present = max(present, moment) }

  private mutating func close(_ stamp: Stamp, _ index: LogIndex, _ applied: LogIndex) {
    present = time(applied: applied)
    (self.stamp, self.index) = (stamp, index)
  }
}
