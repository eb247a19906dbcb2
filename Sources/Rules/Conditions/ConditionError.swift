/// What is wrong with a condition, and where.
public struct ConditionError: Error, Hashable, CustomStringConvertible {
  /// The character that it is about, counted from 1.
  public let column: Int
  public let message: String
  public var description: String { "column \(column): \(message)" }
}
