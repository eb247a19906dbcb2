import Base
import Cluster

/// How a scenario's cluster is made.
extension Scenario {
  private var initLine: String { "CLUSTER INIT shards=\(plan.shards) replicas=\(plan.replicas)" }

  func makeCluster(by admin: SimulatedClient) -> Bool {
    let made = ask(admin, initLine)
    if !made.hasPrefix("+cluster=") { fail("the cluster is not made: \(made)") }
    return failure == nil
  }

  /// It is asked for at several nodes, and one of all dies meanwhile: then there is one cluster of all, or none; those who
  /// asked others are answered in time; and asking again makes it.
  func makeClusterUnderFaults() -> Bool {
    let count = simulation.hosts.count
    let victim = Int(random.below(UInt64(count)))
    var asked: [(host: Int, client: SimulatedClient)] = []
    for host in 0..<count where random.chance(600) || host == 0 {
      guard let client = simulation.connect(to: host) else { continue }
      asked.append((host, client))
      simulation.send(initLine + "\n", on: client)
      simulation.run(for: random.below(2) * random.below(60_000))
    }
    simulation.run(for: random.below(random.pick([2_000, 20_000, 300_000])))
    if random.chance(500) { simulation.killProcess(victim) } else { simulation.cutPower(victim) }
    simulation.run(for: random.pick([0, 1_000_000, 4_000_000, 8_000_000]))
    guard simulation.start(victim) else { return false }
    simulation.run(for: 5_000_000)
    for (host, client) in asked where host != victim && client.lineCount == 0 {
      fail("CLUSTER INIT is not answered within 5 s at \(simulation.hosts[host].name)")
    }
    // Whoever missed it hears of it.
    simulation.run(for: 5_000_000)
    guard hasOneCluster() else { return false }
    var answer = ""
    for _ in 0..<20 where failure == nil {
      guard let admin = simulation.connect(to: 0) else { return false }
      answer = ask(admin, initLine)
      if answer.hasPrefix("+cluster=") { break }
      simulation.run(for: 2_000_000)
    }
    if !answer.hasPrefix("+cluster=") { fail("after faults the cluster is not made: \(answer)") }
    simulation.run(for: 2_000_000)
    return hasOneCluster() && failure == nil
  }

  private func hasOneCluster() -> Bool {
    let clusters = simulation.hosts.map { $0.node?.view.topology?.cluster ?? 0 }
    if Set(clusters).count > 1 { reportViolation("nodes of one CLUSTER INIT are in different clusters: \(clusters)") }
    return failure == nil
  }
}
