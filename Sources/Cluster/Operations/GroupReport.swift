import Base
import Raft

/// What a shard's leader tells the directory's leader of its group, with each heartbeat while an operation holds the shard.
struct GroupReport: Hashable, Sendable {
  struct MemberProgress: Hashable, Sendable {
    var node: NodeID
    /// Durable there through this entry.
    var match: LogIndex
    /// Entries that the leader has and the member may not have.
    var lag: UInt64
    /// Heard of within an election timeout.
    var isActive: Bool
    /// It lost what it acknowledged, or its vote.
    var isDamaged: Bool
    /// A snapshot is on its way.
    var isLoading: Bool
    /// It has said where its log agrees with the leader's, and follows.
    var isFollowing: Bool
  }
  var shard: ShardID
  var term: Term
  /// In force: committed.
  var configuration: Configuration
  /// All but the leader, sorted by node.
  var members: [MemberProgress]

  /// So many entries are caught up with in a moment.
  static let nearEntries: UInt64 = 1_000
  /// Members that a report may name.
  private static let mostMembers = UInt64(Configuration.maxNodes * 3)

  init(of replica: Replica) {
    shard = replica.shard
    term = replica.term
    configuration = replica.raft.configuration
    members = replica.raft.progress.map {
      MemberProgress(
        node: $0.id, match: $0.match, lag: $0.lagEntries, isActive: $0.isActive, isDamaged: $0.isDamaged,
        isLoading: $0.state == .snapshot, isFollowing: $0.state == .replicate || $0.lagEntries == 0)
    }
  }

  /// Whether a learner has got on since another report, or the group's members are others. What voters do says nothing of it.
  func isAhead(of other: GroupReport) -> Bool {
    guard configuration == other.configuration else { return true }
    return members.contains { member in
      guard has(learner: member.node) else { return false }
      guard let known = other.members.first(where: { $0.node == member.node }) else { return true }
      return member.match > known.match || member.isLoading != known.isLoading
    }
  }
  func has(learner node: NodeID) -> Bool { configuration.learners.contains { $0.node == node } }
  func has(voter node: NodeID) -> Bool { configuration.voters.contains { $0.node == node } }

  /// Whether a node counts: it is the leader, or answers and has lost nothing. Nobody else reports.
  func isSound(_ node: NodeID) -> Bool {
    guard let member = members.first(where: { $0.node == node }) else {
      return configuration.member(on: node) != nil
    }
    return member.isActive && !member.isDamaged
  }
  /// Whether a member has all but the newest entries, so that it may become a voter.
  func isNear(_ node: NodeID) -> Bool {
    guard let member = members.first(where: { $0.node == node }) else { return false }
    return member.isActive && !member.isDamaged && member.isFollowing && member.lag <= GroupReport.nearEntries
  }
  /// Who of the voters must answer before one is exchanged, and does not, as a joint configuration needs both majorities. Of
  /// three and more the newcomer is not counted on. Empty: it may be.
  func missing(exchanging out: NodeID, for incoming: NodeID) -> [NodeID] {
    let before = configuration.voters.map(\.node)
    let after = before.filter { $0 != out } + [incoming]
    let soundBefore = before.count { isSound($0) }
    let soundAfter = after.count { isSound($0) && ($0 != incoming || after.count < 3) }
    let isEnough = soundBefore * 2 > before.count && soundAfter * 2 > after.count
    return isEnough ? [] : (before + [incoming]).filter { !isSound($0) }
  }

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(shard.rawValue)
    buffer.append(term.rawValue)
    configuration.encode(into: &buffer)
    buffer.append(varint: UInt64(members.count))
    for member in members {
      buffer.append(member.node.rawValue)
      buffer.append(varint: member.match.rawValue)
      buffer.append(varint: member.lag)
      let flags: [UInt8] = [
        member.isActive ? 1 : 0, member.isDamaged ? 2 : 0, member.isLoading ? 4 : 0, member.isFollowing ? 8 : 0,
      ]
      buffer.append(flags.reduce(0, |))
    }
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    shard = ShardID(try reader.read())
    term = Term(try reader.read())
    configuration = try Configuration(decoding: &reader)
    let count = try reader.readVarint()
    guard count <= GroupReport.mostMembers else { throw MalformedBytes("a report of too many members") }
    members = []
    for _ in 0..<count {
      let node = NodeID(try reader.read())
      let match = LogIndex(try reader.readVarint())
      let lag = try reader.readVarint()
      let flags = try reader.read(UInt8.self)
      members.append(
        MemberProgress(
          node: node, match: match, lag: lag, isActive: flags & 1 != 0, isDamaged: flags & 2 != 0,
          isLoading: flags & 4 != 0,
          isFollowing: flags & 8 != 0))
    }
  }
}

/// What leaders have told of the groups that operations hold. Only the directory's leader looks at it.
struct GroupReports {
  private struct Heard {
    var report: GroupReport
    /// Moments are monotonic, in microseconds.
    var at: UInt64
    /// When a learner had last got on.
    var changedAt: UInt64
  }
  private var heard: [ShardID: Heard] = [:]

  /// For so long a report counts.
  static let limit: UInt64 = 5_000_000

  mutating func note(_ report: GroupReport, now: UInt64) {
    let known = heard[report.shard]
    if let known, known.report.term > report.term { return }
    let since = known.flatMap { report.isAhead(of: $0.report) ? nil : $0.changedAt }
    heard[report.shard] = Heard(report: report, at: now, changedAt: since ?? now)
  }
  func report(of shard: ShardID, now: UInt64) -> GroupReport? {
    guard let known = heard[shard], now - min(now, known.at) < GroupReports.limit else { return nil }
    return known.report
  }
  /// For how long no learner of a shard has got on.
  func idle(of shard: ShardID, now: UInt64) -> UInt64 { heard[shard].map { now - min(now, $0.changedAt) } ?? 0 }
  /// Forgets all of shards that no operation holds.
  mutating func keep(_ shards: Set<ShardID>) { heard = heard.filter { shards.contains($0.key) } }
}
