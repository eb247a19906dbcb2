import Base

/// What is on disk, what is on its way there, and the replies that wait for it.
struct Durability: Sendable {
  private struct Outstanding: Sendable {
    var sequence: UInt64
    /// Through here the log will be durable; lowered when the log is cut meanwhile. Without that, an entry written, cut
    /// and written again would seem durable while the cut is still on its way to the disk.
    var stable: LogIndex
    var hardState: HardState?
    var replies: [Message]
  }

  /// The log is durable through here, as it is now.
  private(set) var stable: LogIndex
  private(set) var durableTerm: Term
  private(set) var durableVote: ReplicaID
  /// Of the replica's `Damage`.
  private(set) var durableLife: UInt64
  /// Handed out for writing through here.
  private var handedOut: LogIndex
  /// The hard state as last handed out.
  private var written: HardState
  /// A configuration is in force that nothing written says to be committed.
  private var isCommitOwed = false
  private var restart: LogPosition?
  private var lastSequence: UInt64 = 0
  private var outstanding: [Outstanding] = []
  /// Replies that speak of what is not yet handed out.
  private var replies: [Message] = []

  init(durable: HardState, stable: LogIndex) {
    self.stable = stable
    handedOut = stable
    written = durable
    durableTerm = durable.term
    durableVote = durable.vote
    durableLife = durable.damage.life
  }

  /// Whether the hard state on disk has this term, and this vote in it.
  func holds(term: Term, vote: ReplicaID) -> Bool { durableTerm == term && durableVote == vote }

  /// A reply that may leave once all that is in memory now is durable.
  mutating func hold(_ reply: Message) { replies.append(reply) }

  /// The log was cut: it ends before `index`, for now.
  mutating func truncated(from index: LogIndex) {
    let last = index - 1
    stable = min(stable, last)
    handedOut = min(handedOut, last)
    for i in outstanding.indices { outstanding[i].stable = min(outstanding[i].stable, last) }
  }
  /// The log was replaced by a snapshot, which is durable; the restart is not yet.
  mutating func restarted(at position: LogPosition) {
    for i in outstanding.indices { outstanding[i].stable = min(outstanding[i].stable, position.index) }
    stable = position.index
    handedOut = position.index
    restart = position
  }

  /// A configuration is in force from here on. A start that did not know it would go by the one before, and might need the
  /// votes of members that are gone for ever.
  mutating func adopted(at index: LogIndex) {
    if index > written.commit { isCommitOwed = true }
  }

  /// What is to be written, if anything; replies that need not wait for it go to `messages`. A commit index alone is no
  /// reason to write, unless it brings a configuration into force, but goes along with anything else.
  mutating func take(_ state: HardState, from log: Log, messages: inout [Message]) -> Persist? {
    let isStateNew =
      state.term != written.term || state.vote != written.vote || state.damage != written.damage
      || state.born != written.born
    guard isStateNew || isCommitOwed || restart != nil || handedOut < log.lastIndex else {
      release(into: &messages)
      return nil
    }
    lastSequence += 1
    let persist = Persist(
      sequence: lastSequence, restart: restart, hardState: state == written ? nil : state,
      entries: log.slice(from: handedOut + 1, through: log.lastIndex))
    restart = nil
    isCommitOwed = false
    written = state
    handedOut = log.lastIndex
    outstanding.append(
      Outstanding(sequence: lastSequence, stable: handedOut, hardState: persist.hardState, replies: replies))
    replies = []
    return persist
  }
  /// Nothing new is to be written: replies wait for the last write under way, or for nothing.
  private mutating func release(into messages: inout [Message]) {
    guard !replies.isEmpty else { return }
    if outstanding.isEmpty {
      messages.append(contentsOf: replies)
    } else {
      outstanding[outstanding.count - 1].replies.append(contentsOf: replies)
    }
    replies = []
  }

  /// The writes through `sequence` are done; the replies that waited go to `messages`. O(writes done).
  mutating func persisted(_ sequence: UInt64, messages: inout [Message]) {
    precondition(sequence <= lastSequence, "a sequence that was never handed out")
    var count = 0
    while count < outstanding.count, outstanding[count].sequence <= sequence {
      stable = max(stable, outstanding[count].stable)
      if let state = outstanding[count].hardState {
        durableTerm = state.term
        durableVote = state.vote
        durableLife = state.damage.life
      }
      messages.append(contentsOf: outstanding[count].replies)
      count += 1
    }
    if count > 0 { outstanding.removeFirst(count) }
  }
}
