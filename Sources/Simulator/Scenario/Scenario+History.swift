import Checker

/// What clients saw, in the form that docs/testing.md lays down.
extension Scenario {
  public var history: [UInt8] { History(operations.sorted { $0.begin < $1.begin }).rendered() }

  /// One line on what happened.
  public var summary: String {
    let counts = [Operation.Result.ok, .refused, .rejected, .inDoubt].map { result in
      "\(result)=\(operations.count { $0.result == result })"
    }
    return "operations=\(operations.count) \(counts.joined(separator: " ")) applied=\(observer.appliedCount)"
      + " leaderships=\(observer.leaderships)"
  }
}
