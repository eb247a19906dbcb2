import Checker
import Testing

/// The test that matters most: the fast checker and every permutation agree.
@Suite struct BruteForceTests {
  @Test(arguments: 0..<8) func everyTinyHistoryGetsTheVerdictOfAllPermutations(part: UInt64) {
    var possible = 0
    var impossible = 0
    for seed in part * 2500..<(part + 1) * 2500 {
      let operations = TinyHistory(seed: seed).operations
      let expected = BruteForce.allows(operations, member: "ann")
      if expected { possible += 1 } else { impossible += 1 }
      // The other side of transfers knows no points at all: only the one member is judged.
      let fast = report(operations)
      if fast != (expected ? "ok" : "violation") {
        Issue.record("seed \(seed): \(fast), not \(expected)\n\(operations.map(\.line).joined(separator: "\n"))")
        return
      }
    }
    #expect(possible > 500 && impossible > 500, "\(possible) possible, \(impossible) not")
  }

  private func report(_ operations: [Operation]) -> String {
    // Bob is rich from before, so that his side of a transfer is possible whatever Ann's is.
    var rich = Operation(.earn, member: "bob", client: "bank", begin: 0, end: 0, result: .ok)
    rich.points = 1000
    return LinearizabilityChecker.check([rich] + operations).name
  }
}
