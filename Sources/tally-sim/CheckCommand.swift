import Checker
import Glibc

/// `tally-sim check FILE`: judges a history.
enum CheckCommand {
  /// 0: ok; 1: a violation, printed with its operations; 2: no such file, or not a history; 3: undecided.
  static func run(_ arguments: [String]) -> Int32 {
    guard arguments.count == 1 else {
      print("usage: tally-sim check FILE")
      return 2
    }
    guard let bytes = File.read(arguments[0]) else {
      print("\(arguments[0]): cannot be read: \(String(cString: strerror(errno)))")
      return 2
    }
    let start = seconds()
    let history: History
    do throws(HistoryError) { history = try History(parsing: bytes) } catch {
      print("\(arguments[0]): \(error)")
      return 2
    }
    let report = LinearizabilityChecker.check(history.operations)
    let tenths = Int((seconds() - start) * 10 + 0.5)
    print(
      "checked operations=\(report.operations) members=\(report.members) indoubt=\(report.inDoubt) "
        + "verdict=\(report.name) seconds=\(tenths / 10).\(tenths % 10)")
    switch report.finding {
    case .ok: return 0
    case .violation(let violation):
      if violation.violatingMembers > 1 { print("members with violations: \(violation.violatingMembers); the first:") }
      print(violation)
      return 1
    case .undecided(let members):
      print("undecided: \(members.prefix(20).joined(separator: " "))")
      return 3
    }
  }

  private static func seconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
