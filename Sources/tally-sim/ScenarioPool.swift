import Dispatch
import Glibc
import Simulator
import Synchronization

/// Many scenarios, each in a child process that runs some one after another: a trap is one failed scenario and not the end.
final class ScenarioPool: Sendable {
  private struct State {
    var next: UInt64
    var scenarios = 0
    var operations = 0
    var simulated: UInt64 = 0
    var faultCounts = [Int](repeating: 0, count: FaultTally.names.count)
    var undecided: [UInt64] = []
    var failures: [(seed: UInt64, reason: String)] = []
    var toldAt = 0
    var isExhausted = false
  }
  private let seeds: ClosedRange<UInt64>
  private let jobs: Int
  private let state: Mutex<State>
  /// What a child is given at once.
  private static let share: UInt64 = 20
  /// Scenarios between two lines of progress, where no person watches.
  private static let tellEvery = 100
  private let isWatched = isatty(2) == 1

  init(_ seeds: ClosedRange<UInt64>, jobs: Int) {
    self.seeds = seeds
    self.jobs = jobs
    state = Mutex(State(next: seeds.lowerBound))
  }

  /// False if any scenario failed.
  func run() -> Bool {
    let began = ScenarioPool.seconds()
    DispatchQueue.concurrentPerform(iterations: jobs) { _ in
      while let share = nextShare() { run(share) }
    }
    return state.withLock { state in
      let took = max(ScenarioPool.seconds() - began, 0.001)
      let hours = Double(state.simulated) / 3_600_000_000
      if isWatched { TallySim.tell("\n") }
      print(
        "\(state.scenarios) scenarios, \(state.failures.count) failed, \(state.operations) operations,"
          + " \(ScenarioPool.rounded(hours)) simulated hours in \(ScenarioPool.rounded(took)) s"
          + " (\(ScenarioPool.rounded(hours / took, digits: 4)) hours a second)")
      print("faults \(FaultTally.describe(state.faultCounts))")
      if !state.undecided.isEmpty {
        let seeds = state.undecided.sorted().map(String.init).joined(separator: ", ")
        print("not decided whether linearizable: seeds \(seeds)")
      }
      for failure in state.failures.sorted(by: { $0.seed < $1.seed }) {
        print("FAILED seed \(failure.seed): \(failure.reason)\n  tally-sim --seed \(failure.seed) --trace")
      }
      return state.failures.isEmpty
    }
  }

  private func nextShare() -> ClosedRange<UInt64>? {
    state.withLock { state in
      guard !state.isExhausted else { return nil }
      let last = min(seeds.upperBound, state.next + ScenarioPool.share - 1)
      let share = state.next...last
      if last == seeds.upperBound { state.isExhausted = true } else { state.next = last + 1 }
      return share
    }
  }

  /// Runs a range, in as many children as it takes.
  private func run(_ share: ClosedRange<UInt64>) {
    var first = share.lowerBound
    while first <= share.upperBound {
      let (last, words, isWhole) = child(first...share.upperBound)
      if isWhole { return }
      note(Report(crashed: last ?? first, words.isEmpty ? "the process ended without a word" : words))
      first = (last ?? first) + 1
    }
  }

  /// - Returns: the scenario that was begun last, what was said beside reports, and whether all scenarios came to an end.
  private func child(_ share: ClosedRange<UInt64>) -> (UInt64?, String, Bool) {
    var path = [CChar](repeating: 0, count: 4096)
    let length = readlink("/proc/self/exe", &path, path.count - 1)
    let program = String(decoding: path.prefix(max(0, length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard let pipe = popen("'\(program)' --worker \(share.lowerBound)..\(share.upperBound) 2>&1", "r") else {
      return (nil, "cannot start a child", false)
    }
    var begun: UInt64?
    var isOpen = false
    var words: [String] = []
    var line: UnsafeMutablePointer<CChar>?
    var capacity = 0
    while getline(&line, &capacity, pipe) > 0 {
      guard let line else { break }
      let text = String(String(cString: line).dropLast())
      if let seed = text.hasPrefix("begin ") ? UInt64(text.dropFirst(6)) : nil {
        begun = seed
        isOpen = true
        words.removeAll()
      } else if let report = Report(text) {
        isOpen = false
        note(report)
      } else if words.count < 3 {
        words.append(text)
      }
    }
    free(line)
    let status = pclose(pipe)
    return (begun, words.joined(separator: " | "), !isOpen && status == 0)
  }

  private func note(_ report: Report) {
    state.withLock { state in
      state.scenarios += 1
      state.operations += report.operations
      state.simulated += report.simulated
      for (i, count) in report.faultCounts.enumerated() where i < state.faultCounts.count {
        state.faultCounts[i] += count
      }
      if report.isUndecided { state.undecided.append(report.seed) }
      if let failure = report.failure {
        state.failures.append((report.seed, failure))
        TallySim.tell("\(isWatched ? "\r" : "")seed \(report.seed): \(failure.prefix(200))\n")
      }
      let soFar = "\(state.scenarios) of \(seeds.count) scenarios, \(state.failures.count) failed"
      if !isWatched {
        if state.scenarios % ScenarioPool.tellEvery == 0 { TallySim.tell(soFar + "\n") }
      } else if case let now = time(nil), now != state.toldAt {
        state.toldAt = now
        TallySim.tell("\r" + soFar)
      }
    }
  }

  private static func seconds() -> Double {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
  }
  private static func rounded(_ value: Double, digits: Int = 2) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    return "\((value * scale).rounded() / scale)"
  }
}

extension Report {
  init(crashed seed: UInt64, _ reason: String) {
    self.seed = seed
    simulated = 0
    operations = 0
    faultCounts = []
    failure = "crashed: \(reason)"
  }
}
