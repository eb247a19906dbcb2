import Glibc
import Simulator

/// Lives clusters' lives: see docs/testing.md.
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
      case .one(let seed): exit(live(seed, arguments) ? 0 : 1)
      case .many(let seeds): exit(ManyLives(seeds, jobs: arguments.jobs).run() ? 0 : 1)
      case .worker(let seeds): for seed in seeds { Report.live(seed) }
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

  private static func live(_ seed: UInt64, _ arguments: Arguments) -> Bool {
    let life = Life(seed: seed, transcript: arguments.isTraced ? { print($0) } : nil)
    life.run()
    if arguments.isTraced && life.failure != nil { print(life.simulation.report) }
    print("seed \(seed) trace \(String(life.simulation.trace, radix: 16))")
    print(life.plan.summary)
    print("struck \(Life.words(life.faultCounts))")
    print("\(life.summary) simulated=\(life.simulation.now / 1_000_000)s")
    if let path = arguments.history, !write(life.history, to: path) {
      complain("cannot write \(path)")
      return false
    }
    let end = life.isUndecided ? "undecided: not all histories could be judged" : "ok"
    print(life.failure.map { "FAILED: \($0)" } ?? end)
    return life.failure == nil
  }

  private static func write(_ text: [UInt8], to path: String) -> Bool {
    guard let file = fopen(path, "w") else { return false }
    let written = fwrite(text, 1, text.count, file)
    return fclose(file) == 0 && written == text.count
  }
}
