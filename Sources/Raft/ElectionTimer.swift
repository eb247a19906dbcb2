import Base

/// How long a replica has heard nothing of a leader, in ticks, and how long it waits until it campaigns: some wait longer
/// than others, and each a random time, so that few campaign at once (Raft §5.2).
struct ElectionTimer: Sendable {
  private(set) var elapsed = 0
  private(set) var timeout: Int
  private var generator: SeededGenerator

  init(seed: UInt64, options: RaftOptions) {
    generator = SeededGenerator(seed: seed)
    timeout = 0
    restart(options)
  }
  /// Begins a wait of another length.
  mutating func restart(_ options: RaftOptions) {
    elapsed = 0
    let spread = Int(generator.next() % UInt64(options.electionSpreadTicks + 1))
    timeout = options.electionTicks + options.electionStaggerTicks + spread
  }
  /// Begins the wait again: the leader was heard of, or a vote was given.
  mutating func heard() { elapsed = 0 }
  mutating func tick() { elapsed += 1 }

  /// Whether it is time to campaign.
  var isOver: Bool { elapsed >= timeout }
  /// Whether nobody could have campaigned yet who began to wait with this replica: the shortest wait is not over.
  func isWithinShortest(_ options: RaftOptions) -> Bool { elapsed < options.electionTicks }
  /// Whether not even half of the shortest wait is over.
  func isWithinHalf(_ options: RaftOptions) -> Bool { 2 * elapsed < options.electionTicks }
  /// Whether the wait has only begun: what makes all campaign at once has done so within this time.
  func hasJustBegun(_ options: RaftOptions) -> Bool { elapsed < max(2, options.electionTicks / 4) }
}
