import Base

/// The reads under way at a leader, in rounds: all reads of a round share one exchange of heartbeats (thesis §6.4).
struct ReadRounds: Sendable {
  struct Round: Sendable {
    var number: UInt64
    /// The commit index when the round began.
    var index: LogIndex
    var contexts: [UInt64]
  }
  /// Asked for and not yet in a round.
  private(set) var waiting: [UInt64] = []
  /// Oldest first; never more than `RaftGroup.maxReadRounds`.
  private(set) var underWay: [Round] = []
  /// The newest round's number; counts from 1 in a leader's term.
  private(set) var newest: UInt64 = 0

  mutating func add(_ context: UInt64) { waiting.append(context) }

  /// What a heartbeat carries, so that a lost one does not stall a round.
  var heartbeatContext: UInt64 { underWay.last?.number ?? 0 }

  /// Puts all that wait into a new round.
  mutating func begin(at index: LogIndex) {
    newest += 1
    underWay.append(Round(number: newest, index: index, contexts: waiting))
    waiting = []
  }
  /// Ends the rounds through `number`, and appends their reads to `states`.
  mutating func confirm(through number: UInt64, into states: inout [ReadState]) {
    var count = 0
    while count < underWay.count, underWay[count].number <= number {
      for context in underWay[count].contexts {
        states.append(ReadState(context: context, index: underWay[count].index))
      }
      count += 1
    }
    if count > 0 { underWay.removeFirst(count) }
  }
  /// Ends everything: leadership is lost.
  mutating func refuseAll(into contexts: inout [UInt64]) {
    for round in underWay { contexts.append(contentsOf: round.contexts) }
    contexts.append(contentsOf: waiting)
    self = ReadRounds()
  }
}
