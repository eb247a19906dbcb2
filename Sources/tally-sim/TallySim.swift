import Glibc
import Simulator

/// Runs clusters through scenarios of faults: see docs/testing.md.
@main enum TallySim {
  static func main() {
    let words = Array(CommandLine.arguments.dropFirst())
    switch words.first {
    case "check": exit(CheckCommand.run(Array(words.dropFirst())))
    case "story": exit(StoryCommand.run(Array(words.dropFirst())))
    default: break
    }
    do {
      let arguments = try Arguments(words)
      switch arguments.wish {
      case .one(let seed): exit(run(seed, arguments) ? 0 : 1)
      case .many(let seeds): exit(ScenarioPool(seeds, jobs: arguments.jobs).run() ? 0 : 1)
      case .worker(let seeds): for seed in seeds { Report.run(seed) }
      }
    } catch {
      complain(error.text)
      exit(1)
    }
  }

  static func complain(_ text: String) { tell("tally-sim: \(text)\n") }
  /// To standard error, at once.
  static func tell(_ text: String) {
    var text = text
    _ = text.withUTF8 { Glibc.write(2, $0.baseAddress, $0.count) }
  }

  private static func run(_ seed: UInt64, _ arguments: Arguments) -> Bool {
    let scenario = Scenario(seed: seed, transcript: arguments.isTraced ? { print($0) } : nil)
    scenario.run()
    if arguments.isTraced && scenario.failure != nil { print(scenario.simulation.report) }
    print("seed \(seed) trace \(String(scenario.simulation.trace, radix: 16))")
    print(scenario.plan.summary)
    print("faults \(FaultTally.describe(scenario.faultCounts))")
    print("\(scenario.summary) simulated=\(scenario.simulation.now / 1_000_000)s")
    if let path = arguments.history, !write(scenario.history, to: path) {
      complain("cannot write \(path)")
      return false
    }
    let end = scenario.isUndecided ? "undecided: not all histories could be judged" : "ok"
    print(scenario.failure.map { "FAILED: \($0)" } ?? end)
    return scenario.failure == nil
  }

  private static func write(_ text: [UInt8], to path: String) -> Bool {
    guard let file = fopen(path, "w") else { return false }
    let written = fwrite(text, 1, text.count, file)
    return fclose(file) == 0 && written == text.count
  }
}
