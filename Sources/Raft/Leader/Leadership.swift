import Base

/// What a leader keeps of its term, beside what it knows of each member (`ProgressTracker`). On other replicas it means
/// nothing, and begins anew with each term that is won.
struct Leadership: Sendable {
  /// The index of the no-op that began the term: all that is committed is known to be, once this is (Raft §8).
  private(set) var termStart = LogIndex(0)
  /// The newest configuration entry in the log; above the commit index while a change is under way; 0 if there is none
  /// above what was committed when the term began.
  private(set) var newestConfiguration = LogIndex(0)
  var transfer = LeadershipTransfer()
  var reads = ReadRounds()
  /// Followers are to hear of a commit by the next append, even if that has nothing else to say.
  var commitNeedsAnnouncing = false
  /// A member that has nothing begins with a snapshot that has this entry, whatever the log has; 0: it may begin with the log; nil:
  /// nobody has said yet.
  var leastBeginning: LogIndex?
  /// To whom the next `takeReady` sends heartbeats.
  private(set) var heartbeatsDue = HeartbeatsDue.none
  private var ticksSinceHeartbeat = 0
  /// So many ticks on end nothing was under way.
  private var quietTicks = 0

  enum HeartbeatsDue: UInt8, Comparable, Sendable {
    case none, voters, all
    static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
  }

  /// Of a replica that does not lead.
  init() {}
  /// - Parameter newestConfiguration: that was found in the log above its commit index; 0 for none.
  init(termStart: LogIndex, newestConfiguration: LogIndex) {
    self.termStart = termStart
    self.newestConfiguration = newestConfiguration
  }

  /// Whether an entry of the leader's own term is committed.
  func hasCommitted(through index: LogIndex) -> Bool { index >= termStart }
  /// Whether a change of membership is in the log and not committed: there is one at a time.
  func isChanging(committed index: LogIndex) -> Bool { newestConfiguration > index }
  /// A change of membership was appended.
  mutating func appendedConfiguration(at index: LogIndex) { newestConfiguration = index }

  /// One tick passed; a transfer may be given up, heartbeats may be due.
  /// - Parameters:
  ///   - isQuiet: nothing is under way that a heartbeat could help along.
  ///   - isIdleBeat: heartbeats of idle groups go with this tick.
  mutating func tick(_ options: RaftOptions, isQuiet: Bool = false, isIdleBeat: Bool = true) {
    transfer.tick(limit: options.electionTicks)
    ticksSinceHeartbeat += 1
    quietTicks = isQuiet ? min(quietTicks + 1, options.idleAfterTicks) : 0
    if ticksSinceHeartbeat >= options.heartbeatTicks, isIdleBeat || !isIdle(options) { callHeartbeats(.all) }
  }
  /// Heartbeats are to go to these, if not to more.
  mutating func callHeartbeats(_ due: HeartbeatsDue) { heartbeatsDue = max(heartbeatsDue, due) }
  mutating func sentHeartbeats() {
    heartbeatsDue = .none
    ticksSinceHeartbeat = 0
  }

  /// Whether nothing was under way for so long that heartbeats may be rare.
  func isIdle(_ options: RaftOptions) -> Bool { quietTicks >= options.idleAfterTicks }
  /// Something is under way.
  mutating func wake() { quietTicks = 0 }
}
