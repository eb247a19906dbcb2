import Base

/// How far a log is known to be committed, how far of that it was handed out to be applied, and how far it is applied:
/// `applied` ≤ `handedOut` ≤ `committed`. None of them falls.
struct CommitCursor: Sendable {
  private(set) var committed: LogIndex
  private(set) var handedOut: LogIndex
  private(set) var applied: LogIndex

  /// At a snapshot, which holds what is applied through `index`.
  init(at index: LogIndex) {
    committed = index
    handedOut = index
    applied = index
  }
  /// The entries through `index` are known to be committed.
  mutating func commit(through index: LogIndex) {
    precondition(index >= committed, "what is committed stays so")
    committed = index
  }
  /// Hands out what is committed and was not handed out before.
  /// - Returns: the first entry of it, the last is at `committed`; nil if there is none.
  mutating func handOut() -> LogIndex? {
    guard handedOut < committed else { return nil }
    defer { handedOut = committed }
    return handedOut + 1
  }
  /// The entries through `index` are applied. False if that is no news.
  mutating func apply(through index: LogIndex) -> Bool {
    precondition(index <= handedOut, "only what was handed out is applied")
    guard index > applied else { return false }
    applied = index
    return true
  }
}
