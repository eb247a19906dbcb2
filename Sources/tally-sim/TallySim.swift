import Simulator

@main enum TallySim {
  static func main() {
    let arguments = CommandLine.arguments
    let seed = arguments.count > 2 ? UInt64(arguments[2]) ?? 1 : 1
    let life = Life(seed: seed, transcript: arguments.contains("--trace") ? { print($0) } : nil)
    life.run()
    print("seed \(seed) trace \(life.simulation.trace) \(life.failure ?? "ok") \(life.operations.count)")
    print(life.simulation.report)
  }
}
