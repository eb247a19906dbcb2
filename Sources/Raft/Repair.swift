import Base

/// What a replica knows of its own losses, and how far it is to be supplied again: see `RaftGroup+Repair.swift`.
struct Repair: Sendable {
  private(set) var damage: Damage
  /// While damaged: the end of what it can ever have acknowledged, as the leader of this term has named it; 0 for
  /// nothing yet.
  private(set) var point = LogIndex(0)

  init(damage: Damage) { self.damage = damage }

  /// What was acknowledged in this life is gone, without a trace; a vote may have been among it. A new life begins.
  mutating func noticeLoss() {
    damage = Damage(life: damage.life + 1, isOpen: true, isFenced: true)
    point = LogIndex(0)
  }
  /// Nobody is left who could supply what is gone: it counts as if it had never been. Another life begins.
  mutating func acceptLoss() {
    guard !damage.mayVote else { return }
    damage = Damage(life: damage.life + 1)
    point = LogIndex(0)
  }
  /// Another leader, or another term: what was named is that leader's word, in that term.
  mutating func forgetPoint() { point = LogIndex(0) }
  /// The leader names the repair point of a life, 0 for none. False if that says nothing to this replica.
  mutating func take(point: LogIndex, life: UInt64) -> Bool {
    guard damage.isOpen, life == damage.life, point.rawValue > 0 else { return false }
    self.point = point
    return true
  }
  /// Ends the damage once all up to the repair point is durable and known to be committed. True if it did.
  mutating func close(committed: LogIndex, stable: LogIndex) -> Bool {
    guard damage.isOpen, point.rawValue > 0, committed >= point, stable >= point else { return false }
    damage.isOpen = false
    point = LogIndex(0)
    return true
  }
}
