import Checker

/// A scenario in which an account is nearly full: what comes is refused now and then, and what comes back must not be.
extension Scenario {
  /// What an account holds, and one command moves, at most: the product's own limits.
  static let largestBalance: Int64 = 1_000_000_000_000_000_000
  static let largestAmount: Int64 = 1_000_000_000_000_000

  /// Gives the first member all that an account may hold but for some hundred points.
  func fillAccount() {
    let count = Scenario.largestBalance / Scenario.largestAmount
    for first in stride(from: 0, to: count, by: 50) where failure == nil {
      let begin = simulation.now
      let operations = (first..<min(first + 50, count)).map { number in
        var operation = Operation(.earn, member: "m0", client: "fill/\(number % 50)", begin: begin)
        operation.id = "fill-\(number)"
        operation.points = number == count - 1 ? Scenario.largestAmount - 500 : Scenario.largestAmount
        return operation
      }
      let lines = operations.map { "EARN m0 merchant=east points=\($0.points) id=\($0.id)" }
      var answers: [String] = []
      for _ in 0..<20 where failure == nil {
        answers = askAll(0, lines)
        if answers.allSatisfy({ $0.hasPrefix("+tx=") }) { break }
        simulation.run(for: 500_000)
      }
      for (var operation, answer) in zip(operations, answers) {
        guard answer.hasPrefix("+tx=") else { return fail("at set-up, \(operation.id): \(answer)") }
        operation.end = simulation.now
        operation.result = .ok
        operation.balance = answer.number("balance")
        record.note(operation)
      }
    }
  }
}
