import Synchronization

/// Whether something has happened to any replica of a node, so that it looks for those that have a turn to take only then. A replica
/// says so from the thread that its turn is on.
final class Wakes: Sendable {
  private let isAny = Atomic(true)

  func note() { isAny.store(true, ordering: .relaxed) }
  var areNoted: Bool { isAny.load(ordering: .relaxed) }
  /// Whether any was noted since this was asked last.
  func take() -> Bool { isAny.exchange(false, ordering: .relaxed) }
}
