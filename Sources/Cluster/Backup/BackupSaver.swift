import Base
import Ledger

/// One attempt of this node to save: who is to freeze what, what is frozen, and what of it is here. The desk does what it wants.
final class BackupSaver {
  enum Phase: Equatable {
    /// The directory of backups is being opened.
    case opening
    /// Sources are told the stamp.
    case arming
    /// Markers are on their way.
    case cutting
    /// Every shard is frozen: the directory is to be.
    case frozen
    case copying
    case finishing
    /// The record is to say how it ended.
    case over
  }
  /// Parts that one node has, and the link on which they come.
  struct Session {
    var request: UInt64?
    var link: LinkID?
    var isReady = false
    /// By their numbers; the first is under way.
    var shards: [ShardID]
    var isAdding = false
    var pull: BackupPull
    /// When its state may be asked for again.
    var nextHead: UInt64 = 0
  }

  let op: UInt64
  let save: UInt64
  typealias Plan = BackupSave
  let plan: Plan
  let attempt: Int
  var phase = Phase.opening
  /// When the phase began, or something came.
  var lastProgress: UInt64
  var stamp = Stamp.zero
  /// Who freezes each shard.
  var chosen: [ShardID: NodeID] = [:]
  /// Whose word is missing.
  var waiting: Set<NodeID> = []
  var parts: [ShardID: BackupPart] = [:]
  private var journals: [ShardID: JournalPosition] = [:]
  var sessions: [NodeID: Session] = [:]
  var added = 0
  /// How often sources were told a stamp, and when they are told the next.
  var armings = 0
  var armAgainAt: UInt64 = 0
  /// When the record is told next, and how it ended.
  var nextReport: UInt64 = 0
  var ending: (state: Operation.State, text: String)?

  init(op: UInt64, save: UInt64, plan: Plan, attempt: Int, now: UInt64) {
    self.op = op
    self.save = save
    self.plan = plan
    self.attempt = attempt
    lastProgress = now
  }
  /// Of the operation's steps, how many are done.
  var step: UInt32 {
    switch phase {
    case .opening, .arming, .cutting, .frozen: 0
    case .copying: 1
    case .finishing, .over: 2
    }
  }

  func begun(_ journals: [ShardID: JournalPosition]) {
    guard phase == .opening else { return }
    self.journals = journals
    phase = .arming
  }
  /// From where on journals are wanted of whoever has a shard's part: of its own, and of those that it refers to and whose shards are
  /// no more. Each is wanted once: of the one that refers to most of it.
  func journalStarts(_ shard: ShardID) -> [JournalPosition] {
    let others = (parts[shard]?.lineage ?? []).map(\.position).filter { end in
      parts[end.journal] == nil && bringer(of: end.journal) == shard
    }
    return ([shard] + others.map(\.journal)).map { journals[$0] ?? JournalPosition(beginningOf: $0) }
  }
  private func bringer(of journal: ShardID) -> ShardID? {
    var found: (shard: ShardID, end: JournalPosition)?
    for shard in parts.keys.sorted() {
      for end in parts[shard]?.lineage ?? [] where end.position.journal == journal {
        if found?.end.isBefore(end.position) ?? true { found = (shard, end.position) }
      }
    }
    return found?.shard
  }

  // MARK: Sessions

  func begin(_ nodes: [NodeID: [ShardID]], pieceBytes: Int) {
    for (node, shards) in nodes {
      let sorted = shards.sorted()
      guard let first = sorted.first else { continue }
      sessions[node] = Session(shards: sorted, pull: BackupPull(first, pieceBytes: pieceBytes))
    }
  }
  func linkOpened(_ link: LinkID, request: UInt64) -> Bool {
    guard let node = node(ofRequest: request) else { return false }
    sessions[node]?.link = link
    return true
  }
  func linkReady(_ link: LinkID) {
    if let node = node(on: link) { sessions[node]?.isReady = true }
  }
  func node(ofRequest request: UInt64) -> NodeID? { sessions.first { $0.value.request == request }?.key }
  func node(on link: LinkID) -> NodeID? { sessions.first { $0.value.link == link }?.key }
  func node(pulling shard: ShardID) -> NodeID? { sessions.first { $0.value.shards.first == shard }?.key }
  func pull(_ shard: ShardID, _ body: (inout BackupPull, BackupSaver) -> Void) {
    guard let node = node(pulling: shard), var session = sessions[node] else { return }
    body(&session.pull, self)
    sessions[node] = session
  }
  func added(_ shard: ShardID) {
    guard let node = node(pulling: shard), var session = sessions[node] else { return }
    added += 1
    session.shards.removeFirst()
    session.isAdding = false
    if let next = session.shards.first { session.pull = BackupPull(next, pieceBytes: session.pull.pieceBytes) }
    sessions[node] = session
  }
  var isCopied: Bool { added == parts.count && sessions.values.allSatisfy(\.shards.isEmpty) }
}
