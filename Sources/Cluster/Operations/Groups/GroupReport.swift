import Base
import Ledger
import Raft

/// What a shard's leader tells of its group: all nodes once a second if it has changed, the directory's leader with each
/// heartbeat while an operation holds the shard.
struct GroupReport: Hashable, Sendable {
  struct MemberProgress: Hashable, Sendable {
    var node: NodeID
    /// Durable there through this entry.
    var match = LogIndex(0)
    /// Entries that the leader has and the member may not have.
    var lag: UInt64 = 0
    /// How old the first of these is (µs); at least so old, if memory has it no more.
    var lagTime: UInt64 = 0
    /// Heard of within an election timeout.
    var isActive = true
    /// It lost what it acknowledged, or its vote.
    var isDamaged = false
    /// A snapshot is on its way.
    var isLoading = false
    /// It has said where its log agrees with the leader's, and follows.
    var isFollowing = true
    /// Of a snapshot on its way.
    var copy = CopyProgress()
  }
  var shard: ShardID
  var term: Term
  /// In force: committed.
  var configuration: Configuration
  /// All but the leader, sorted by node.
  var members: [MemberProgress]
  /// Bytes of the state in memory, and of the journal: what a copy takes.
  var bytes: UInt64 = 0
  /// Of its slots, as its log has them.
  var epoch: UInt64 = 0
  var slots = SlotRanges.none
  /// Some of them, or its books, are on their way to another shard.
  var isMoving = false
  /// It has no slots, and something in its books.
  var hasBooks = false

  /// So many entries are caught up with in a moment, if the oldest is no older than so (µs).
  static let nearEntries: UInt64 = 1_000
  static let nearTime: UInt64 = 1_000_000
  /// Members that a report may name.
  private static let mostMembers = Configuration.maxNodes * 3

  init(shard: ShardID, term: Term, configuration: Configuration, members: [MemberProgress]) {
    (self.shard, self.term, self.configuration, self.members) = (shard, term, configuration, members)
  }
  /// - Parameter copy: how far a snapshot on its way to a node is.
  init(of replica: Replica, now: Stamp, segmentBytes: UInt64, copy: (NodeID) -> CopyProgress?) {
    self.init(shard: replica.shard, term: replica.term, configuration: replica.raft.configuration, members: [])
    members = replica.raft.progress.map {
      MemberProgress(
        node: $0.id, match: $0.match, lag: $0.lagEntries, lagTime: GroupReport.lagTime(of: $0, replica, now),
        isActive: $0.isActive, isDamaged: $0.isDamaged, isLoading: $0.state == .snapshot,
        isFollowing: $0.state == .replicate || $0.lagEntries == 0,
        copy: $0.state == .snapshot ? copy($0.id) ?? CopyProgress() : CopyProgress())
    }
    let holdings = replica.machine.holdings
    (epoch, slots, isMoving) = (holdings.epoch, holdings.slots, holdings.moving != nil)
    hasBooks = holdings.hasBooks
    bytes =
      UInt64(replica.machine.memoryByteCount)
      + replica.machine.journal.position.distance(
        from: JournalPosition(beginningOf: replica.shard), segmentBytes: segmentBytes)
  }
  private static func lagTime(of member: PeerProgress, _ replica: Replica, _ now: Stamp) -> UInt64 {
    guard member.lagEntries > 0, let entry = replica.raft.firstCommand(after: member.match) else { return 0 }
    return UInt64(max(0, now.microseconds - max(0, EntryHeader.stamp(of: entry))))
  }

  /// Whether a learner has got on since another report, or the group's members are others. What voters do says nothing of it.
  func isAhead(of other: GroupReport) -> Bool {
    guard configuration == other.configuration else { return true }
    return members.contains { member in
      guard has(learner: member.node) else { return false }
      guard let known = other.members.first(where: { $0.node == member.node }) else { return true }
      return member.match > known.match || member.isLoading != known.isLoading
        || member.copy.isWaiting != known.copy.isWaiting || member.copy.copied > known.copy.copied
    }
  }
  func has(learner node: NodeID) -> Bool { configuration.learners.contains { $0.node == node } }
  func has(voter node: NodeID) -> Bool { configuration.voters.contains { $0.node == node } }
  func member(_ node: NodeID) -> MemberProgress? { members.first { $0.node == node } }

  /// Whether a node counts: it is the leader, or answers and has lost nothing. Nobody else reports.
  func isSound(_ node: NodeID) -> Bool {
    guard let member = member(node) else { return configuration.member(on: node) != nil }
    return member.isActive && !member.isDamaged
  }
  /// Whether a member has all but the newest entries, so that it may become a voter.
  func isNear(_ node: NodeID) -> Bool {
    guard let member = member(node) else { return false }
    return member.isActive && !member.isDamaged && member.isFollowing && member.lag <= GroupReport.nearEntries
      && member.lagTime <= GroupReport.nearTime
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
    buffer.append(field: 1, zigzag: Int64(shard.rawValue))
    buffer.append(field: 2, zigzag: Int64(bitPattern: term.rawValue))
    buffer.append(field: 3) { configuration.encode(into: &$0) }
    buffer.append(field: 4) { list in for member in members { member.encode(into: &list) } }
    buffer.append(field: 5, zigzag: Int64(bitPattern: bytes))
    buffer.append(field: 6, zigzag: Int64(bitPattern: epoch))
    buffer.append(field: 7) { slots.encode(into: &$0) }
    if isMoving { buffer.append(field: 8, zigzag: 1) }
    if hasBooks { buffer.append(field: 9, zigzag: 1) }
    buffer.appendEndOfFields()
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(shard: ShardID(0), term: Term(0), configuration: .empty, members: [])
    try reader.readFields(of: "a report of a group") { number, value throws(MalformedBytes) in
      switch number {
      case 1: shard = ShardID(try value.readSmall())
      case 2: term = Term(UInt64(bitPattern: try value.readZigzag()))
      case 3: configuration = try Configuration(decoding: &value)
      case 4:
        while !value.isAtEnd {
          guard members.count < GroupReport.mostMembers else { throw MalformedBytes("a report of too many members") }
          members.append(try MemberProgress(decoding: &value))
        }
      case 5: bytes = UInt64(bitPattern: try value.readZigzag())
      case 6: epoch = UInt64(bitPattern: try value.readZigzag())
      case 7: slots = try SlotRanges(decoding: &value)
      case 8: isMoving = try value.readZigzag() != 0
      case 9: hasBooks = try value.readZigzag() != 0
      default: _ = try value.readBytes(value.remaining)
      }
      return true
    }
  }
}

extension GroupReport.MemberProgress {
  private struct Flags: OptionSet {
    let rawValue: Int64
    static let active = Flags(rawValue: 1)
    static let damaged = Flags(rawValue: 2)
    static let loading = Flags(rawValue: 4)
    static let following = Flags(rawValue: 8)
    static let waiting = Flags(rawValue: 16)
  }
  fileprivate func encode(into buffer: inout ByteBuffer) {
    var flags: Flags = []
    if isActive { flags.insert(.active) }
    if isDamaged { flags.insert(.damaged) }
    if isLoading { flags.insert(.loading) }
    if isFollowing { flags.insert(.following) }
    if copy.isWaiting { flags.insert(.waiting) }
    buffer.append(field: 1, zigzag: Int64(bitPattern: node.rawValue))
    buffer.append(field: 2, zigzag: Int64(bitPattern: match.rawValue))
    buffer.append(field: 3, zigzag: flags.rawValue)
    if lag > 0 { buffer.append(field: 4, zigzag: Int64(bitPattern: lag)) }
    if lagTime > 0 { buffer.append(field: 5, zigzag: Int64(bitPattern: lagTime)) }
    if copy.bytes > 0 {
      buffer.append(field: 6, zigzag: Int64(bitPattern: copy.copied))
      buffer.append(field: 7, zigzag: Int64(bitPattern: copy.bytes))
    }
    buffer.appendEndOfFields()
  }
  /// What a newer build says beside is no matter of this one.
  fileprivate init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(node: .none)
    try reader.readFields(of: "a member of a group") { number, value throws(MalformedBytes) in
      switch number {
      case 1: node = NodeID(UInt64(bitPattern: try value.readZigzag()))
      case 2: match = LogIndex(UInt64(bitPattern: try value.readZigzag()))
      case 3:
        let flags = Flags(rawValue: try value.readZigzag())
        (isActive, isDamaged) = (flags.contains(.active), flags.contains(.damaged))
        (isLoading, isFollowing) = (flags.contains(.loading), flags.contains(.following))
        copy.isWaiting = flags.contains(.waiting)
      case 4: lag = UInt64(bitPattern: try value.readZigzag())
      case 5: lagTime = UInt64(bitPattern: try value.readZigzag())
      case 6: copy.copied = UInt64(bitPattern: try value.readZigzag())
      case 7: copy.bytes = UInt64(bitPattern: try value.readZigzag())
      default: _ = try value.readBytes(value.remaining)
      }
      return true
    }
  }
}

/// How far a copy is, in bytes of its snapshot and of the journal that goes with it.
struct CopyProgress: Hashable, Sendable, BitwiseCopyable {
  var copied: UInt64 = 0
  /// 0: not known yet.
  var bytes: UInt64 = 0
  /// The receiver has no slot for it yet.
  var isWaiting = false
}
