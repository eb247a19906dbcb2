/// Why a file is not a history.
public struct HistoryError: Error, Equatable, CustomStringConvertible {
  /// From 1.
  public var line: Int
  public var reason: String
  public init(line: Int, reason: String) {
    self.line = line
    self.reason = reason
  }
  public var description: String { "line \(line): \(reason)" }
}
