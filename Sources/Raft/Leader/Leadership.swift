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
  private var ticksSinceHeartbeat = 0

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

  /// One tick passed; a transfer may be given up. True if heartbeats are due.
  mutating func tick(_ options: RaftOptions) -> Bool {
    transfer.tick(limit: options.electionTicks)
    ticksSinceHeartbeat += 1
    return ticksSinceHeartbeat >= options.heartbeatTicks
  }
  mutating func sentHeartbeats() { ticksSinceHeartbeat = 0 }
}
