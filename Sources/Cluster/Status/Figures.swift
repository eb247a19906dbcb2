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
  var certificates: [LoadedCertificate] = []

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

extension Figures {
  /// One metric that `/metrics` shows beside those of INFO, with its samples.
  struct Family: Sendable {
    let metric: Metric
    let write: @Sendable (Figures, inout Exposition) -> Void

    init(
      _ name: StaticString, _ section: Metric.Section, _ kind: Metric.Kind, _ unit: Metric.Unit, _ help: StaticString,
      labels: StaticString = "", write: @escaping @Sendable (Figures, inout Exposition) -> Void
    ) {
      metric = Metric(name: name, section: section, kind: kind, unit: unit, help: help, labels: labels)
      self.write = write
    }
    /// A figure of each shard's replica.
    init(
      ofShards name: StaticString, _ help: StaticString, _ figure: @escaping @Sendable (ShardFigures) -> UInt64
    ) {
      self.init(name, .cluster, .gauge, .none, help, labels: "shard") { figures, text in
        for shard in figures.shards { text.sample([("shard", "\(shard.shard.rawValue)")], "\(figure(shard))") }
      }
    }
  }

  static let families: [Family] = [
    Family("build_info", .cluster, .gauge, .none, "1, with what runs", labels: "version,semantics") {
      $1.sample($0.build, "1")
    },
    Family("node_info", .cluster, .gauge, .none, "1, with who the node is", labels: "cluster,node,name,region") {
      $1.sample($0.node, "1")
    },
    Family("alarm", .disk, .gauge, .none, "1 while the node has the alarm", labels: "alarm") { figures, text in
      for alarm in figures.alarms { text.sample([("alarm", alarm.word)], alarm.isOn ? "1" : "0") }
    },
    Family(
      "requests", .requests, .counter, .none, "requests answered, by verb and by OK or the error's code",
      labels: "verb,outcome"
    ) { figures, text in
      for row in figures.requests { text.sample([("verb", row.verb), ("outcome", row.outcome)], "\(row.count)") }
    },
    Family(
      "points", .requests, .counter, .none, "points moved by entries that this node proposed, by kind of movement",
      labels: "kind"
    ) { figures, text in
      for row in figures.kept.moved.byKind { text.sample([("kind", "\(row.kind)")], "\(row.points)") }
    },
    Family(
      "queue", .requests, .gauge, .bytes, "bytes that wait here: requests for their shards, answers for their clients",
      labels: "queue"
    ) { figures, text in
      for queue in figures.queues { text.sample([("queue", queue.name)], "\(queue.bytes)") }
    },
    Family(
      "certificate_expires", .clients, .gauge, .seconds, "when a certificate that the node shows ends, since 1970",
      labels: "use,name"
    ) { figures, text in
      for certificate in figures.certificates {
        text.sample([("use", certificate.use), ("name", certificate.name)], "\(certificate.ends)")
      }
    },
    Family("commit", .cluster, .histogram, .seconds, "from an entry's proposal by this node to its application") {
      $1.histogram($0.kept.commits)
    },
    Family("log_write", .disk, .histogram, .seconds, "batches written to the log, each with its sync") {
      $1.histogram($0.logWrites)
    },
    Family("shard_role", .cluster, .gauge, .none, "1, with what the replica is", labels: "shard,role") {
      figures, text in
      for shard in figures.shards {
        text.sample([("shard", "\(shard.shard.rawValue)"), ("role", shard.role)], "1")
      }
    },
    Family(ofShards: "shard_term", "the replica's term") { $0.term },
    Family(ofShards: "shard_commit_index", "the last entry known to be committed") { $0.commit },
    Family(ofShards: "shard_applied_index", "the last entry applied") { $0.applied },
    Family(ofShards: "shard_lag_entries", "entries known to be committed that the replica has not applied") { $0.lag },
  ]
}
