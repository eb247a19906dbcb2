/// Whether any stream of an edge has something to send, so that the edge looks through them only then.
final class Wakes {
  private var isAny = true

  func note() { isAny = true }
  /// Whether any was noted since this was asked last.
  func take() -> Bool {
    defer { isAny = false }
    return isAny
  }
}
