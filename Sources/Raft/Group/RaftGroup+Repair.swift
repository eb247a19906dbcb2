import Base

/// How a damaged replica becomes whole again.
///
/// What it acknowledged and lost may be committed, now or later, by a count that includes it. Every leader that is
/// elected without its vote has all of that: for each majority that elects one has a member, other than the damaged
/// replica, in common with the majority that commits (Raft §5.4.3). So what it can have acknowledged is in the leader's
/// log at the moment when the leader hears of the damage. The end of the log at that moment is the *repair point*: once
/// the replica has everything up to there on its disk, and knows it to be committed, it is as if nothing had been lost.
///
/// The leader counts nothing of the replica's earlier life any more: its match falls back to 0. Heartbeats name the life
/// that they are about: until the leader has heard of the present one, what it says of the replica's log is about
/// another.
///
/// A lost write at the very end of a log looks as if a crash had torn it, and is no damage to whoever opens the log. It shows
/// when a leader knows of more than there is.
extension RaftGroup {
  /// Whether this replica lacks what it once acknowledged.
  public var isDamaged: Bool { damage.isOpen }
  /// Whether this replica counts in no majority any more: see `Damage.isFenced`.
  public var isFenced: Bool { damage.isFenced }

  // MARK: At the leader

  /// A member answered. Takes note of its life; false for an answer out of an earlier one, which means nothing now.
  mutating func noteLife(_ message: Message, _ at: Int) -> Bool {
    guard message.life >= peers[at].life else { return false }
    if message.life > peers[at].life { peers[at].beginLife(message.life, logEnd: log.lastIndex) }
    peers[at].isFenced = message.isFenced
    peers[at].isDamaged = message.isDamaged
    if !message.isDamaged {
      peers[at].repairPoint = LogIndex(0)
    } else if peers[at].repairPoint.rawValue == 0 {
      peers[at].repairPoint = log.lastIndex
    }
    return true
  }

  // MARK: At the damaged replica

  /// Entries through `index` were acknowledged in this life, to the leader of this term, and are not there: writes were
  /// lost without a trace, those at the log's end, as if a crash had torn them. A vote may have been among them.
  mutating func noticeLoss(through index: LogIndex) {
    repair.noticeLoss()
    pending.lossNoticed = index
  }
  /// The damage is on disk. Until it is, the replica says nothing: to its next life it would have been another's words.
  var isDamageDurable: Bool { durability.durableLife == damage.life }

  /// An answer carries what it must be read with.
  func answer(_ reply: Message) -> Message {
    var reply = reply
    reply.life = damage.life
    reply.isDamaged = damage.isOpen
    reply.isFenced = damage.isFenced
    return reply
  }

  /// The leader names the repair point.
  mutating func takeRepairPoint(_ message: Message) {
    if repair.take(point: message.index, life: message.life) { closeDamage() }
  }

  /// Whole again, once all up to the repair point is durable and committed. The state that says so is written like any
  /// other; a vote that is given after it leaves when both are durable.
  mutating func closeDamage() {
    guard leader != .none, repair.close(committed: commitIndex, stable: durability.stable) else { return }
    pending.isRepaired = true
  }
}
