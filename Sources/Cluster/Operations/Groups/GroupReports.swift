import Base
import Raft

/// What leaders have told of the groups that operations hold. Only the directory's leader looks at it.
struct GroupReports {
  private struct Heard {
    var report: GroupReport
    /// Moments are monotonic, in microseconds.
    var at: UInt64
    /// When a learner had last got on.
    var changedAt: UInt64
    /// By learner: since when each report has found it near.
    var nearSince: [NodeID: UInt64] = [:]
  }
  private var heard: [ShardID: Heard] = [:]

  /// For so long a report counts.
  static let limit: UInt64 = 5_000_000

  mutating func note(_ report: GroupReport, now: UInt64) {
    // What nobody has told of for a while is watched from the beginning.
    let known = heard[report.shard].flatMap { GroupReports.isRecent($0, now) ? $0 : nil }
    if let known, known.report.term > report.term { return }
    let since = known.flatMap { report.isAhead(of: $0.report) ? nil : $0.changedAt }
    var next = Heard(report: report, at: now, changedAt: since ?? now)
    for learner in report.configuration.learners where report.isNear(learner.node) {
      next.nearSince[learner.node] = known?.nearSince[learner.node] ?? now
    }
    heard[report.shard] = next
  }
  private static func isRecent(_ known: Heard, _ now: UInt64) -> Bool { now - min(now, known.at) < limit }

  func report(of shard: ShardID, now: UInt64) -> GroupReport? {
    heard[shard].flatMap { GroupReports.isRecent($0, now) ? $0.report : nil }
  }
  /// For how long no learner of a shard has got on.
  func idle(of shard: ShardID, now: UInt64) -> UInt64 { heard[shard].map { now - min(now, $0.changedAt) } ?? 0 }
  /// By learner of a shard: for how long it has been near, on end.
  func near(of shard: ShardID, now: UInt64) -> [NodeID: UInt64] {
    heard[shard]?.nearSince.mapValues { now - min(now, $0) } ?? [:]
  }
  /// Forgets all of shards that no operation holds.
  mutating func keep(_ shards: Set<ShardID>) { heard = heard.filter { shards.contains($0.key) } }
}

/// What leaders have told last of each shard's group: what operators are shown, and what copies will take.
struct GroupTable {
  private var reports: [ShardID: GroupReport] = [:]

  subscript(shard: ShardID) -> GroupReport? { reports[shard] }
  mutating func note(_ report: GroupReport) {
    if let known = reports[report.shard], known.term > report.term { return }
    reports[report.shard] = report
  }
  /// What a copy of these takes; 0 for what nobody has told of yet.
  func bytes(of shards: [ShardID]) -> UInt64 { shards.reduce(0) { $0 + (reports[$1]?.bytes ?? 0) } }
}

/// What a node has told all others of the groups that it leads.
struct ToldGroups {
  private var reports: [ShardID: GroupReport] = [:]
  /// On which link each peer was told all.
  private var links: [NodeID: LinkID] = [:]
  private var toldAt: UInt64?

  /// Once in so long (µs).
  static let interval: UInt64 = 1_000_000

  func isDue(now: UInt64) -> Bool { toldAt.map { now - min(now, $0) >= ToldGroups.interval } ?? true }
  /// - Returns: by peer, what it is to be told: what has changed, or all where its link is another.
  mutating func tell(_ led: [GroupReport], to peers: [(node: NodeID, link: LinkID)], now: UInt64) -> [[GroupReport]] {
    toldAt = now
    let changed = led.filter { reports[$0.shard] != $0 }
    reports = Dictionary(uniqueKeysWithValues: led.map { ($0.shard, $0) })
    defer { links = Dictionary(uniqueKeysWithValues: peers.map { ($0.node, $0.link) }) }
    return peers.map { links[$0.node] == $0.link ? changed : led }
  }
}
