/// How often each fault has happened: not how often it was planned.
public struct FaultTally {
  private var injected = [Int](repeating: 0, count: FaultKind.allCases.count)
  /// Copies of requests that reached another node.
  var duplicates = 0
  /// Attempts of clients that went wrong on their own line.
  var clientFaults = 0
  /// Hosts that were damaged and lack nothing any more.
  var repairedHosts = 0
  /// Operations by which leadership of a shard was moved.
  var leaderMoves = 0
  /// Operations by which a replica moved, and by which a node was removed.
  var moves = 0
  var removals = 0
  /// Operations by which a shard was split, and by which two were merged.
  var splits = 0
  var merges = 0
  /// How often the archive lost its power.
  var outages = 0
  /// Members that have left their group and come back.
  var returns = 0

  subscript(kind: FaultKind) -> Int { injected[kind.rawValue] }
  mutating func count(_ kind: FaultKind) { injected[kind.rawValue] += 1 }

  public static let names = FaultKind.allCases.map(\.name) + chances
  private static let chances = [
    "lostLink", "resent", "misdialled", "duplicated", "client", "clockDrift", "timerDrift", "repaired", "initFaults",
    "impostor", "leaderMoves", "returns", "moves", "removals", "splits", "merges",
    "archived", "outages",
  ]
  /// `kill=3 power=1`: what has happened at all.
  public static func describe(_ counts: [Int]) -> String {
    zip(names, counts).filter { $0.1 > 0 }.map { "\($0.0)=\($0.1)" }.joined(separator: " ")
  }
}

extension Scenario {
  /// One count for each of `FaultTally.names`.
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
      default: tally[kind]
      }
    }
    let network = simulation.faultCounts
    let chances = [
      network.lost, network.resent, network.misdialled, tally.duplicates, tally.clientFaults,
      plan.clocks.drift > 0 ? 1 : 0, plan.clocks.timerDrift > 0 ? 1 : 0, tally.repairedHosts,
      plan.hasInitFaults ? 1 : 0, impostors.count, tally.leaderMoves, tally.returns,
      tally.moves, tally.removals, tally.splits, tally.merges,
      simulation.archive.map(Scenario.segments) ?? 0, tally.outages,
    ]
    return FaultKind.allCases.map(count) + chances
  }
}
