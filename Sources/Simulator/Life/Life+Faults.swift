/// How often each fault has happened: not how often it was planned.
extension Life {
  public static let faultWords = StrikeKind.allCases.map(\.word) + chances
  private static let chances = [
    "lostLink", "resent", "misdialled", "copied", "terminal", "clockDrift", "timerDrift", "mended", "initTrouble",
    "impostor",
  ]

  /// One count for each of `faultWords`.
  public var faultCounts: [Int] {
    let done = simulation.hosts.flatMap(\.disk.struckFaults)
    func count(_ kind: StrikeKind) -> Int {
      switch kind {
      case .tear: simulation.faultCounts.torn
      case .failSync: done.count { $0.hasPrefix("failed sync") }
      case .failWrite: done.count { $0.hasPrefix("failed write") }
      case .lostWrite: done.count { $0.hasPrefix("lost write") }
      case .strayWrite: done.count { $0.hasPrefix("misdirected write") }
      case .failedRead: done.count { $0.hasPrefix("failed read") }
      default: struck[kind.rawValue]
      }
    }
    let network = simulation.faultCounts
    let drifts = [plan.drift > 0 ? 1 : 0, plan.timerDrift > 0 ? 1 : 0]
    return StrikeKind.allCases.map(count) + [network.lost, network.resent, network.misdialled, copies, mishaps] + drifts
      + [mendedCount, plan.hasInitTrouble ? 1 : 0, impostorCount]
  }
  /// `kill=3 power=1`: what has happened at all.
  public static func words(_ counts: [Int]) -> String {
    zip(faultWords, counts).filter { $0.1 > 0 }.map { "\($0.0)=\($0.1)" }.joined(separator: " ")
  }
}
