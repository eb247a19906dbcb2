import Base
import Checker
import Cluster

/// How a scenario begins: the cluster, its catalogue and members, and the faults that its plan lets happen.
extension Scenario {
  func setUp() -> Bool {
    simulation.run(for: 2_000_000)
    guard let first = simulation.connect(to: 0) else {
      fail("a node does not start: \(simulation.log)")
      return false
    }
    guard plan.hasInitFaults ? makeClusterUnderFaults() : makeCluster(by: first) else { return false }
    guard let admin = simulation.connect(to: 0) else { return false }
    for _ in 0..<600 where failure == nil {
      simulation.run(for: 50_000)
      let isLed = simulation.hosts.allSatisfy { host in
        host.node?.view.topology != nil && host.node?.view.replicas.allSatisfy { $0.commitIndex > LogIndex(0) } == true
      }
      if isLed { break }
    }
    if let topology = simulation.hosts.compactMap({ $0.node?.view.topology }).first {
      shardMembers = Scenario.membersOfShards(topology)
    }
    var lines = ["PROGRAM SET main earn=1/100 expire=\(plan.traffic.sideMembers > 0 ? "1d backdate=5d" : "never")"]
    for merchant in ["east", "north", "west"] {
      lines.append("MERCHANT SET \(merchant) program=main region=\(merchant)")
    }
    for member in members { lines.append("MEMBER ADD \(member)") }
    for i in 0..<plan.traffic.sideMembers { lines.append("CARD ADD c\(i) member=s\(i)") }
    if let programme = plan.traffic.programme { lines += programme.lines }
    if let tiers = plan.traffic.tiers { lines += tiers.lines }
    if plan.traffic.budget > 0 {
      lines += [
        "QUOTA SET gifts limit=\(plan.traffic.budget)", "CAMPAIGN SET gifts state=running budget=gifts",
        "RULE SET gift program=main stage=bonus campaign=gifts when=\"channel = gift\" points=7 state=running",
      ]
    }
    if plan.traffic.hasBonds { lines += bondSetUp }
    if plan.traffic.hasFrozen { lines += ["MEMBER ADD frozen", "MEMBER FREEZE frozen"] }
    for line in lines {
      var answer = ""
      for _ in 0..<20 {
        answer = ask(admin, line)
        if answer == "+OK" { break }
        simulation.run(for: 500_000)
      }
      guard answer == "+OK" else {
        fail("at set-up, \(line): \(answer)")
        return false
      }
    }
    if plan.traffic.isNearBounds { fillAccount() }
    chooseDamageable()
    return failure == nil
  }

  /// A minority of every group at most.
  private func chooseDamageable() {
    guard let topology = simulation.hosts.compactMap({ $0.node?.view.topology }).first else { return }
    founders = simulation.hosts.map(\.nodeID)
    let groups = topology.shards.map(\.voters) + [topology.directoryVoters]
    var order = Array(simulation.hosts.indices)
    for i in order.indices.reversed() { order.swapAt(i, Int(random.below(UInt64(i + 1)))) }
    for number in order {
      let more = (damage.candidates + [number]).map { simulation.hosts[$0].nodeID }
      let isMinority = groups.allSatisfy { voters in voters.filter { more.contains($0) }.count * 2 < voters.count }
      if isMinority || plan.isSafetyOnly { damage.candidates.append(number) }
    }
  }

  /// Sends a line and waits for its one-line answer.
  func ask(_ client: SimulatedClient, _ line: String, for limit: UInt64 = 20_000_000) -> String {
    client.clear()
    simulation.send(line + "\n", on: client)
    simulation.run(for: limit) { client.lineCount > 0 || client.isClosed }
    return client.lines.first ?? "no answer"
  }

  // MARK: Fault phase

  func beginFaultPhase() {
    tell(-1, "fault phase begins")
    isFaultPhase = true
    simulation.faults.lossPerMille = plan.network.lossPerMille
    simulation.faults.resendPerMille = plan.network.resendPerMille
    simulation.faults.dialPerMille = plan.network.dialPerMille
    for host in simulation.hosts {
      if plan.clocks.spread > 0 {
        host.clock.offset = Int64(random.below(UInt64(plan.clocks.spread))) - plan.clocks.spread / 2
      }
      if plan.clocks.drift > 0 {
        host.clock.drift = Int64(random.below(UInt64(plan.clocks.drift) * 2)) - plan.clocks.drift
      }
    }
    for number in 0..<plan.clients {
      let client = RetryingClient(self, number)
      clients.append(client)
      simulation.call(after: random.below(200_000)) { client.wake() }
    }
    scheduleFault()
    scheduleAudit()
    scheduleFollower()
    scheduleTransaction()
    scheduleCatalogue()
    scheduleRates()
    scheduleImpostor()
    scheduleUpgrades()
    scheduleLeaderMoves()
    scheduleReturns()
    scheduleResizing()
    scheduleSplits()
    scheduleOutages()
    watchReplicas()
  }

  /// All members with points: those of all clients, one for each shard, those of the side traffic, and those of which one
  /// client alone asks.
  var members: [String] {
    (0..<plan.members).map { plan.member(UInt64($0)) } + shardMembers
      + (0..<plan.traffic.sideMembers).map { "s\($0)" } + (plan.traffic.hasBonds ? Scenario.mergedMembers : [])
      + (plan.traffic.hasOwnMembers ? (0..<plan.clients).map(ScenarioPlan.ownMember) : []) + waitingMembers
  }
}
