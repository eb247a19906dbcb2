import Base
import Ledger
import Raft

/// All figures of a node at one moment. To take them costs the node some 100 µs and 1 µs a shard; to show them takes longer, and
/// is for another thread.
public struct Figures: Sendable {
  var build: [(String, String)] = []
  var node: [(String, String)] = []
  var alarms: [(word: String, isOn: Bool)] = []
  /// Those of INFO.
  var plain: [(metric: Metric, value: String)] = []
  var requests: [(verb: String, outcome: String, count: UInt64)] = []
  var kept = KeptFigures()
  var logWrites = Histogram()
  /// Bytes that wait.
  var queues: [(name: String, bytes: Int)] = []
  var shards: [ShardFigures] = []

  public init() {}
}

/// Of a shard's replica.
struct ShardFigures: Sendable {
  var shard: ShardID
  var role: String
  var term: UInt64
  var commit: UInt64
  var applied: UInt64
  /// Entries known to be committed that it has not applied.
  var lag: UInt64 { commit > applied ? commit - applied : 0 }

  /// - Parameter known: how far the shard is committed, as its leader has told.
  init(of replica: Replica, known: LogIndex) {
    shard = replica.shard
    role =
      switch replica.raft.role {
      case .leader: replica.isLeader ? "leader" : "quarantined"
      case .candidate, .preCandidate: "candidate"
      case .follower: "follower"
      }
    term = replica.term.rawValue
    commit = max(replica.commitIndex, known).rawValue
    applied = replica.machine.lastIndex.rawValue
  }
}

extension Metric {
  static let build = Metric(
    name: "build_info", section: .cluster, kind: .gauge, unit: .none, help: "1, with what runs",
    labels: "version,semantics")
  static let node = Metric(
    name: "node_info", section: .cluster, kind: .gauge, unit: .none, help: "1, with who the node is",
    labels: "cluster,node,name,region")
  static let alarm = Metric(
    name: "alarm", section: .disk, kind: .gauge, unit: .none, help: "1 while the node has the alarm", labels: "alarm")
  static let requests = Metric(
    name: "requests", section: .requests, kind: .counter, unit: .none,
    help: "requests answered, by verb and by OK or the error's code", labels: "verb,outcome")
  static let points = Metric(
    name: "points", section: .requests, kind: .counter, unit: .none,
    help: "points moved by entries that this node proposed, by kind of movement", labels: "kind")
  static let queue = Metric(
    name: "queue", section: .requests, kind: .gauge, unit: .bytes,
    help: "bytes that wait here: requests for their shards, answers for their clients", labels: "queue")
  static let commits = Metric(
    name: "commit", section: .cluster, kind: .histogram, unit: .seconds,
    help: "from an entry's proposal by this node to its application")
  static let logWrites = Metric(
    name: "log_write", section: .disk, kind: .histogram, unit: .seconds,
    help: "batches written to the log, each with its sync")
  static let shardRole = Metric(
    name: "shard_role", section: .cluster, kind: .gauge, unit: .none, help: "1, with what the replica is",
    labels: "shard,role")
  static let shardTerm = Metric(
    name: "shard_term", section: .cluster, kind: .gauge, unit: .none, help: "the replica's term", labels: "shard")
  static let shardCommit = Metric(
    name: "shard_commit_index", section: .cluster, kind: .gauge, unit: .none,
    help: "the last entry known to be committed", labels: "shard")
  static let shardApplied = Metric(
    name: "shard_applied_index", section: .cluster, kind: .gauge, unit: .none, help: "the last entry applied",
    labels: "shard")
  static let shardLag = Metric(
    name: "shard_lag_entries", section: .cluster, kind: .gauge, unit: .none,
    help: "entries known to be committed that the replica has not applied", labels: "shard")

  /// Those that `/metrics` shows beside the figures of INFO.
  static let families: [Metric] = [
    .build, .node, .alarm, .requests, .points, .queue, .commits, .logWrites, .shardRole, .shardTerm, .shardCommit,
    .shardApplied, .shardLag,
  ]
}
