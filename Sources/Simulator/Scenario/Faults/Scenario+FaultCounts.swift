/// How often each fault has happened: not how often it was planned.
extension Scenario {
  public static let faultNames = FaultKind.allCases.map(\.name) + chances
  private static let chances = [
    "lostLink", "resent", "misdialled", "duplicated", "client", "clockDrift", "timerDrift", "repaired", "initFaults",
    "impostor",
  ]

  /// One count for each of `faultNames`.
  public var faultCounts: [Int] {
    let done = simulation.hosts.flatMap(\.disk.struckFaults)
    func count(_ kind: FaultKind) -> Int {
      switch kind {
      case .tear: simulation.faultCounts.torn
      case .failSync: done.count { $0.hasPrefix("failed sync") }
      case .failWrite: done.count { $0.hasPrefix("failed write") }
      case .lostWrite: done.count { $0.hasPrefix("lost write") }
      case .strayWrite: done.count { $0.hasPrefix("misdirected write") }
      case .failedRead: done.count { $0.hasPrefix("failed read") }
      default: injectedCounts[kind.rawValue]
      }
    }
    let network = simulation.faultCounts
    let drifts = [plan.drift > 0 ? 1 : 0, plan.timerDrift > 0 ? 1 : 0]
    return FaultKind.allCases.map(count) + [network.lost, network.resent, network.misdialled, duplicates, clientFaults]
      + drifts
      + [repairedCount, plan.hasInitFaults ? 1 : 0, impostorCount]
  }
  /// `kill=3 power=1`: what has happened at all.
  public static func describe(_ counts: [Int]) -> String {
    zip(faultNames, counts).filter { $0.1 > 0 }.map { "\($0.0)=\($0.1)" }.joined(separator: " ")
  }
}
