import Base
import Checker
import Cluster

/// What rotted is fetched from peers again: then a node counts as before, and the others may be lost.
extension Scenario {
  /// Starts all that can be started, lets those that were damaged be given what they lost, and has them carry majorities.
  func repair() {
    down = []
    // Each start has what is known to have rotted given again; of one shard's journal the next place shows when it is read then.
    let shards = Set(simulation.hosts.flatMap { $0.node?.view.replicas.map(\.shard) ?? [] }).count
    for round in 0..<2 + shards where failure == nil {
      for (number, host) in simulation.hosts.enumerated() where !damage.wiped.contains(number) {
        // A journal that is found to have rotted is fetched at the next start.
        if round > 0, host.node?.view.lacksSomething == true { simulation.killProcess(number) }
        if host.node == nil { simulation.start(number) }
      }
      // What comes in pieces of a few bytes takes its time: as long as more comes, it is waited for, ten minutes at most.
      for _ in 0..<20 {
        let received = bytesReceived(by: damage.hosts.sorted())
        simulation.run(for: 30_000_000) { [self] in failure != nil || lacking().isEmpty }
        if failure != nil || lacking().isEmpty || bytesReceived(by: damage.hosts.sorted()) <= received { break }
      }
      for number in damage.hosts.sorted() where failure == nil { readJournals(at: number) }
      if lacking().isEmpty { break }
    }
    guard failure == nil else { return }
    let unrepaired = lacking()
    for number in unrepaired where !isExcused(number) {
      return fail("\(simulation.hosts[number].name) is not given again what it lost: \(why(number))")
    }
    let repaired = damage.hosts.sorted().filter { !unrepaired.contains($0) && !damage.wiped.contains($0) }
    tell(
      -1,
      "repaired: \(repaired.map { simulation.hosts[$0].name }); not: \(unrepaired.map { simulation.hosts[$0].name })")
    tally.repairedHosts = repaired.count
    if !repaired.isEmpty { relyOn(repaired, but: unrepaired) }
  }

  /// Those that never lost anything go first: what is left has its majorities by those that were repaired.
  private func relyOn(_ repaired: [Int], but unrepaired: [Int]) {
    let whole = simulation.hosts.indices.filter { !damage.hosts.contains($0) }
    damage.isRepaired(but: unrepaired)
    chooseDownHosts(first: whole)
    for number in down.union(unrepaired).sorted() { simulation.kill(number) }
    tell(-1, "down now: \(down.sorted().map { simulation.hosts[$0].name })")
    askEveryShard()
    waitForAnswers()
    guard failure == nil, waitForConvergence() else { return }
    for number in repaired where failure == nil && !down.contains(number) {
      repeatAnsweredRequests(record.answers, at: number)
    }
  }

  /// What nobody can give it again is who it is, and a vote; then it says that it must be replaced. And of a write that
  /// was lost without a trace nobody knows what else it should have held.
  private func isExcused(_ number: Int) -> Bool {
    let host = simulation.hosts[number]
    guard let node = host.node else {
      return ["restore the file", "replace the node"].contains { host.failure?.hasSuffix($0) == true }
    }
    if node.view.mustBeReplaced { return true }
    return hasLostWrites(host)
  }
  func hasLostWrites(_ host: SimulatedHost) -> Bool {
    host.disk.struckFaults.contains { $0.hasPrefix("lost write") || $0.hasPrefix("misdirected write") }
  }
  private func why(_ number: Int) -> String {
    let host = simulation.hosts[number]
    guard let node = host.node else { return host.failure ?? "it does not run" }
    return node.view.replicas.filter { $0.isBad || $0.lastIndex != $0.appliedIndex }
      .map { "shard \($0.shard.rawValue) bad=\($0.isBad) applied=\($0.appliedIndex.rawValue)" }.joined(separator: ", ")
  }

  func bytesReceived(by hosts: [Int]) -> UInt64 { hosts.reduce(0) { $0 + simulation.hosts[$1].bytesReceived } }

  /// What has rotted of a journal shows when it is read.
  private func readJournals(at number: Int) {
    guard let client = simulation.connect(to: number) else { return }
    defer { simulation.disconnect(client) }
    let entries = ["PROGRAM HISTORY main"] + catalogue.merchants.keys.sorted().map { "MERCHANT HISTORY \($0)" }
    for history in members.map({ "HISTORY \($0)" }) + entries {
      readHistory("\(history) limit=1000 read=local", on: client) { _ in }
    }
  }

  /// Hosts that do not run, lack something, or are behind.
  private func lacking() -> [Int] {
    let views = simulation.hosts.flatMap { $0.node?.view.replicas ?? [] }
    var newest: [ShardID: LogIndex] = [:]
    for view in views { newest[view.shard] = max(newest[view.shard] ?? LogIndex(0), view.commitIndex) }
    return simulation.hosts.indices.filter { number in
      guard !damage.wiped.contains(number) else { return false }
      let host = simulation.hosts[number]
      guard let node = host.node, !node.view.lacksSomething, let topology = node.view.topology else { return true }
      let groups = [topology.directoryVoters] + topology.shards.map(\.voters)
      guard node.view.replicas.count >= groups.count(where: { $0.contains(host.nodeID) }) else { return true }
      return node.view.replicas.contains { $0.isBad || $0.appliedIndex != newest[$0.shard] }
    }
  }
}
