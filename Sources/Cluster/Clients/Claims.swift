/// Requests of one connection that claim a card for a member each, and are under way together. Each is decided where its card lies, and
/// then where its member does: what is about the same member, the same card, or anything else, waits for all of them.
struct Claims {
  /// By their stable hashes; two that are alike by chance wait for each other.
  struct Claim: Hashable {
    var member: UInt64
    var card: UInt64
  }
  /// So many are known apart; then all are waited for.
  static let most = 4_096
  private var members: Set<UInt64> = []
  private var cards: Set<UInt64> = []

  /// Whether a request may be sent while others wait for answers.
  /// - Parameters:
  ///   - claim: what it claims; nil: it is another request.
  ///   - isBarrier: it waits for all that was asked before.
  mutating func mayFollow(_ claim: Claim?, isBarrier: Bool, outstanding: Int) -> Bool {
    if outstanding == 0 {
      if !members.isEmpty { self = Claims() }
      return true
    }
    guard let claim else { return members.isEmpty && !isBarrier }
    return !members.isEmpty && members.count < Claims.most && !members.contains(claim.member)
      && !cards.contains(claim.card)
  }
  mutating func add(_ claim: Claim) {
    members.insert(claim.member)
    cards.insert(claim.card)
  }
}
