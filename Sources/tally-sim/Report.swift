import Glibc
import Simulator

/// What a child tells its parent of a life: `begin SEED` before it, one line after it.
struct Report {
  var seed: UInt64
  var simulated: UInt64
  var operations: Int
  var struck: [Int]
  var isUndecided = false
  /// Why it failed; nil if it did not.
  var failure: String?

  static func live(_ seed: UInt64) {
    print("begin \(seed)")
    fflush(nil)
    let life = Life(seed: seed)
    life.run()
    let struck = life.faultCounts.map(String.init).joined(separator: ",")
    let verdict = life.failure ?? (life.isUndecided ? "undecided" : "ok")
    print("end \(seed) \(life.simulation.now) \(life.operations.count) \(struck) \(verdict)")
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
    struck = words[4].split(separator: ",").compactMap { Int($0) }
    isUndecided = words[5] == "undecided"
    failure = words[5] == "ok" || isUndecided ? nil : String(words[5])
  }
}
