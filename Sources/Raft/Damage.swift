import Base

/// What a replica knows of its own losses. Bytes of its log, or its snapshot, that were durable once could not be read
/// back: entries that it acknowledged may be gone, and what is left is what its log was at some earlier moment.
///
/// Others counted on those entries. So a damaged replica gives no vote and does not campaign, until a leader has
/// supplied again all that it can ever have acknowledged: see `RaftGroup+Repair.swift`.
public struct Damage: Hashable, Sendable {
  /// Tells the replica's lives apart: 0 until it is damaged first, then higher with each damage, and kept ever after.
  /// What was acknowledged in an earlier life counts no more.
  public var life: UInt64
  /// Not yet repaired.
  public var isOpen: Bool
  /// The vote itself may be lost, or the term: this replica may have promised what it does not know. It takes what
  /// leaders send, and counts in no majority ever again.
  public var isFenced: Bool

  public init(life: UInt64 = 0, isOpen: Bool = false, isFenced: Bool = false) {
    self.life = life
    self.isOpen = isOpen
    self.isFenced = isFenced
  }
  /// Of a replica that never lost anything.
  public static let none = Damage()

  /// Whether the replica may give its vote, or ask for others'.
  public var mayVote: Bool { !isOpen && !isFenced }
}

extension HardState {
  /// The state after a loss, in a new life. What was known to be committed may not be what is left in the log: it is
  /// learned anew.
  /// - Parameter isVoteLost: this state may not be the last that was written.
  public func damaged(life: UInt64, isVoteLost: Bool) -> HardState {
    precondition(life > damage.life, "a life is later than those before")
    var state = self
    state.commit = LogIndex(0)
    state.damage = Damage(life: life, isOpen: true, isFenced: damage.isFenced || isVoteLost)
    return state
  }
}
