import Glibc
import Simulator

/// What a child tells its parent of a scenario: `begin SEED` before it, one line after it.
struct Report {
  var seed: UInt64
  var simulated: UInt64
  var operations: Int
  var faultCounts: [Int]
  var isUndecided = false
  /// Why it failed; nil if it did not.
  var failure: String?

  static func run(_ seed: UInt64) {
    print("begin \(seed)")
    fflush(nil)
    let scenario = Scenario(seed: seed)
    scenario.run()
    let faultCounts = scenario.faultCounts.map(String.init).joined(separator: ",")
    let result = scenario.failure ?? (scenario.isUndecided ? "undecided" : "ok")
    print("end \(seed) \(scenario.simulation.now) \(scenario.operations.count) \(faultCounts) \(result)")
    fflush(nil)
  }

  init?(_ line: String) {
    let words = line.split(separator: " ", maxSplits: 5)
    guard words.count == 6, words[0] == "end", let seed = UInt64(words[1]), let simulated = UInt64(words[2]),
      let operations = Int(words[3])
    else { return nil }
    self.seed = seed
    self.simulated = simulated
    self.operations = operations
    faultCounts = words[4].split(separator: ",").compactMap { Int($0) }
    isUndecided = words[5] == "undecided"
    failure = words[5] == "ok" || isUndecided ? nil : String(words[5])
  }
}
