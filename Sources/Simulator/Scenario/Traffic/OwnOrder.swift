/// The order of a client's requests to its own member, of whom nobody else asks anything.
///
/// Requests of one connection to one member take effect in the order sent. Only a read that its node has to ask again, of
/// another leader or on another link, or of a pool, may see what was asked for behind it.
struct OwnOrder {
  /// What is asked of is a pool, by a member who is in it. Nothing is spent there.
  var isOfPool = false
  /// What the member had after the last answer of this attempt, and after the last write, if that is certain.
  private var balance: Int64?
  private var floor: Int64?
  /// See `Scenario.disturbances`: when this attempt began.
  private var disturbances = 0
  /// Something that was asked may take effect at any time.
  var isInDoubt = false

  mutating func attemptBegins(_ disturbances: Int) {
    balance = nil
    floor = nil
    self.disturbances = disturbances
  }

  /// What the member had before, if this answer is not what comes next.
  mutating func breach(by pending: RetryingClient.Pending, _ line: String, _ disturbances: Int) -> Int64? {
    let before = balance
    balance = nil
    let kind = pending.operation.kind
    guard !isInDoubt, !pending.inDoubt, pending.attempts == 1, let now = line.number("balance") else { return nil }
    let isRead = kind == .balance
    // A budget may have less than was asked for.
    let change = isRead ? 0 : line.number("points") ?? pending.operation.points
    let isCalm = self.disturbances == disturbances
    let isExact = isCalm && !(isRead && isOfPool)
    let isWrong = floor.map { now < $0 + change } ?? false || isExact && before.map { now != $0 + change } ?? false
    let had = before ?? floor ?? 0
    if !isRead || !isOfPool { balance = now }
    if !isRead { floor = now }
    return isWrong ? had : nil
  }
}
