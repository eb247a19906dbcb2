import Base
import Checker
import Cluster

/// What must hold when a scenario is over.
extension Scenario {
  /// Hosts that are up and were never damaged.
  var up: [Int] { simulation.hosts.indices.filter { !down.contains($0) && !damage.hosts.contains($0) } }
  /// Hosts that were damaged, and run.
  private var damagedUp: [Int] {
    damage.hosts.sorted().filter {
      !down.contains($0) && !damage.wiped.contains($0) && simulation.hosts[$0].node != nil
    }
  }

  func verify() {
    for number in damage.wiped.sorted() {
      let views = simulation.hosts[number].node?.view.replicas ?? []
      if views.contains(where: { $0.shard != .directory }) { return fail("a node that is new holds a shard") }
    }
    guard waitForConvergence(), checkAudit() else { return }
    checkLogs()
    checkFeed()
    if plan.faultKinds.contains(.memory) { checkShortMemory() } else { repeatAnsweredRequests() }
    for number in up where failure == nil { checkCatalogue(at: number) }
    guard failure == nil else { return }
    for number in damagedUp where failure == nil { probeDamagedHost(number) }
    // A host that was damaged need not have been given all of it again, and leads nobody now.
    for number in damage.hosts.sorted() { simulation.kill(number) }
    down.formUnion(damage.hosts)
    if !damage.hosts.isEmpty { simulation.run(for: 5_000_000) }
    guard failure == nil, waitForConvergence() else { return }
    checkBooks()
    guard failure == nil else { return }
    if !damage.hosts.isEmpty { repair() }
    guard failure == nil else { return }
    checkLinearizability()
    passTime()
  }

  /// No log is much longer than it may be, whoever held it back.
  private func checkLogs() {
    for number in up where failure == nil {
      let pinned = simulation.hosts[number].node?.view.pinnedLogBytes ?? 0
      if pinned > UInt64(plan.sizes.logLimitBytes) * 2 {
        fail("\(simulation.hosts[number].name) has a log of \(pinned) bytes, and may have \(plan.sizes.logLimitBytes)")
      }
    }
  }

  /// Beyond the budget: what is still answered must be right.
  func verifySafety() {
    for number in up + damagedUp where failure == nil { probeDamagedHost(number) }
    checkLinearizability()
  }

  private func checkLinearizability() {
    // Where shards have halted, points may be on their way for good.
    let report = LinearizabilityChecker.check(operations, isQuiescent: !onlySafetyIsDue)
    switch report.finding {
    case .violation(let violation): reportViolation("not linearizable: \(violation)")
    case .undecided: isUndecided = true
    case .ok: break
    }
  }

  /// All replicas that are up come to the same place; a snapshot that has to be sent anew takes its time, and longer over
  /// a narrow link: as long as more comes, it is waited for, ten minutes at most.
  func waitForConvergence() -> Bool {
    let began = simulation.now
    var differing: String? = "nothing is known"
    for _ in 0..<10 where failure == nil && differing != nil {
      let (since, received) = (simulation.now, bytesReceived(by: up))
      while failure == nil, differing != nil, simulation.now - since < 60_000_000 {
        simulation.run(for: 10_000)
        differing = nil
        for shard in 0...newestShard where differing == nil { differing = difference(shard) }
      }
      if bytesReceived(by: up) <= received { break }
    }
    guard differing == nil, failure == nil else {
      fail("replicas do not agree after \((simulation.now - began) / 1_000_000) s of quiescence: \(differing ?? "")")
      return false
    }
    tell(-1, "replicas agree after \((simulation.now - began) / 1000) ms")
    for number in up {
      for view in simulation.hosts[number].node?.view.replicas ?? [] { observer.check(view) }
    }
    return failure == nil
  }

  private func difference(_ shard: UInt32) -> String? {
    let views = up.compactMap { number in
      simulation.hosts[number].node?.view.replicas.first { $0.shard.rawValue == shard }
    }
    let best = views.map(\.commitIndex).max() ?? LogIndex(0)
    let voters =
      up.compactMap { simulation.hosts[$0].node?.view.topology?.shards.first { $0.shard.rawValue == shard } }
      .first?.voters ?? []
    if let lacking = up.first(where: { voters.contains(founders[$0]) && !views.map(\.node).contains(founders[$0]) }) {
      return "shard \(shard): \(founders[lacking].rawValue) has no replica of it"
    }
    guard views.allSatisfy({ $0.appliedIndex == best && $0.lastIndex == best }) else {
      let places = views.map {
        "\($0.node.rawValue) has applied \($0.appliedIndex.rawValue) of \($0.lastIndex.rawValue)"
      }
      return "shard \(shard): " + places.joined(separator: ", ")
    }
    let digests = views.compactMap(\.digest)
    if let one = digests.first, !digests.allSatisfy({ $0 == one }) {
      reportViolation("shard \(shard): digests differ in quiescence")
    }
    if lacksSemantics(views) { return "shard \(shard): newer semantics have not begun" }
    return nil
  }

  func checkAudit() -> Bool {
    guard let number = up.first, let client = simulation.connect(to: number) else { return true }
    var total = ""
    // A transfer that nobody waits for any more is delivered when its leader sends it again.
    let end = simulation.now + patience
    repeat {
      client.clear()
      simulation.send("AUDIT\n", on: client)
      simulation.run(for: 20_000_000) {
        client.lines.last?.contains("total=yes") ?? false || client.lines.first?.hasPrefix("-") ?? false
      }
      total = client.lines.last ?? "no answer"
      if total.contains("balanced=no") || total.contains("intransit=0") { break }
      simulation.run(for: 1_000_000)
    } while simulation.now < end
    // A shard whose stamps once ran ahead of all clocks takes no marker until these have come as far.
    if total.hasPrefix("-UNAVAILABLE"), plan.faultKinds.contains(.clockJump) { return true }
    guard total.contains("balanced=yes"), total.contains("intransit=0") else {
      fail("the books do not balance: \(total)")
      return false
    }
    return true
  }
}
