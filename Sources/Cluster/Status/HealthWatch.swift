import Base
import Raft

/// Whether the cluster is healthy as one node knows it: why not, and since when that is so.
struct HealthWatch {
  /// What is wrong, in sentences for an operator; nothing in a healthy cluster.
  private(set) var reasons: [String]
  /// When it last became healthy, or ceased to be.
  private(set) var since: Stamp
  var isHealthy: Bool { reasons.isEmpty }

  /// Of a process that has just started.
  init(now: Stamp) {
    reasons = ["the node has just started"]
    since = now
  }

  mutating func note(_ found: [String], now: Stamp) {
    if found.isEmpty != reasons.isEmpty { since = now }
    reasons = found
  }
}
