import Base
import Cluster

/// What nodes have told their operators.
struct NodeReports {
  /// When a snapshot was installed last.
  private(set) var lastInstall: UInt64 = 0
  /// Shards of which a node has said, since quiescence began, that they have no leader.
  private(set) var leaderless: Set<ShardID> = []
  /// Until then a node may say that it could not reach the archive.
  var archiveExcusedUntil: UInt64 = 0

  mutating func note(_ text: String, at now: UInt64) {
    if text.hasPrefix("snapshot installed") { lastInstall = now }
    guard text.contains("has had no leader") else { return }
    if text.hasPrefix("the directory") { leaderless.insert(.directory) }
    if let shard = text.field("shard").flatMap({ UInt32($0) }) { leaderless.insert(ShardID(shard)) }
  }
  mutating func quiescenceBegins() { leaderless = [] }
}

extension Scenario {
  /// Whether an operator knows why a request is not answered: its shard has no leader, or a replica of it is bad, or a
  /// node with one does not start.
  func isReported(_ pending: RetryingClient.Pending) -> Bool {
    guard let topology = simulation.hosts.compactMap({ $0.node?.view.topology }).first else { return true }
    var groups = topology.shards.map { ($0.shard, $0.voters) }
    // Cards and the catalogue are any shard's matter.
    if !pending.isSide {
      let owners = [pending.operation.member, pending.operation.to].map { topology.shard(ofMember: $0) }
      groups.removeAll { !owners.contains($0.0) }
    }
    groups.append((.directory, topology.directoryVoters))
    let out = founders.indices.filter { simulation.hosts[$0].node == nil || damage.wiped.contains($0) }
      .map { founders[$0] }
    let views = simulation.hosts.flatMap { $0.node?.view.replicas ?? [] }
    return groups.contains { shard, voters in
      reports.leaderless.contains(shard) || voters.contains { out.contains($0) }
        || views.contains { $0.shard == shard && $0.isBad }
    }
  }
}
