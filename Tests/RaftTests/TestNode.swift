import Base

@testable import Raft

/// What a node's disk holds: what was persisted, and nothing else.
struct Disk {
  struct Snapshot {
    var position: LogPosition
    var configuration: Configuration
    /// Of the state machine: a chain over all applied entries.
    var digest: UInt64
  }
  var hardState = HardState()
  var snapshot: Snapshot
  var entries: [LogEntry] = []
  /// What the log was after each of the last writes, oldest first: a disk that rots gives back one of these.
  private var past: [[LogEntry]] = []
  /// What was durable and is lost.
  private var lost: Set<LogPosition> = []

  init(configuration: Configuration, born: UInt64) {
    hardState = HardState(born: born)
    snapshot = Snapshot(
      position: LogPosition(index: LogIndex(0), term: Term(0)), configuration: configuration, digest: 0)
  }

  /// Loses all that came after the moment when the log was `past[moment]`, but not the vote.
  mutating func rot(to moment: Int, isVoteLost: Bool = false) {
    keep(moment < past.count ? past[moment] : entries)
    hardState = hardState.damaged(life: hardState.damage.life + 1, isVoteLost: isVoteLost)
    past = []
  }
  var moments: Int { past.count }
  /// Loses the snapshot, and with it all.
  mutating func rotSnapshot() {
    keep([])
    lostThrough = max(lostThrough, snapshot.position.index.rawValue)
    snapshot = Snapshot(position: LogPosition(index: LogIndex(0), term: Term(0)), configuration: .empty, digest: 0)
    hardState = hardState.damaged(life: hardState.damage.life + 1, isVoteLost: false)
    past = []
  }
  private var lostThrough: UInt64 = 0
  private mutating func keep(_ kept: [LogEntry]) {
    for entry in entries { lost.insert(LogPosition(index: entry.index, term: entry.term)) }
    entries = kept.first.map { $0.index <= snapshot.position.index + 1 } ?? false ? kept : []
  }

  /// Writes the first `records` records of a `Persist`, in the order that its documentation demands.
  mutating func write(_ persist: Persist, records: Int = .max) {
    past.append(entries)
    if past.count > 12 { past.removeFirst() }
    var left = records
    func take() -> Bool {
      left -= 1
      return left >= 0
    }
    if persist.restart != nil {
      guard take() else { return }
      entries = []
    }
    if let state = persist.hardState {
      guard take() else { return }
      hardState = state
    }
    for entry in persist.entries {
      guard take() else { return }
      if let first = entries.first, entry.index >= first.index {
        let keep = Int(entry.index.rawValue - first.index.rawValue)
        precondition(keep <= entries.count, "a log is written without gaps")
        entries.removeLast(entries.count - keep)
      } else {
        entries = []
      }
      entries.append(entry)
    }
  }
  mutating func release(through index: LogIndex) { entries.removeAll { $0.index <= index } }
  /// Whether the entry is durable here, or was until it was lost.
  func holds(_ entry: LogEntry) -> Bool {
    if lostThrough >= entry.index.rawValue || lost.contains(LogPosition(index: entry.index, term: entry.term)) {
      return true
    }
    if snapshot.position.index >= entry.index { return true }
    guard let first = entries.first, entry.index >= first.index else { return false }
    let at = Int(entry.index.rawValue - first.index.rawValue)
    return at < entries.count && entries[at].term == entry.term
  }
}

/// A group with its disk and its state machine.
struct TestNode {
  let id: NodeID
  var group: RaftGroup
  var disk: Disk
  var isUp = true
  /// Handed out and not yet durable.
  var writing: [Persist] = []
  /// Handed out and not yet applied.
  var toApply: [LogEntry] = []
  var applied = LogIndex(0)
  var digest: UInt64 = 0
  var restarts: UInt64 = 0

  /// A node that has the configuration from the start; or is no member yet.
  init(id: NodeID, options: RaftOptions, configuration: Configuration) throws {
    self.id = id
    disk = Disk(configuration: configuration, born: configuration.member(on: id)?.born ?? 0)
    group = try Self.open(id, options, disk, seed: id.rawValue)
  }
  private static func open(_ id: NodeID, _ options: RaftOptions, _ disk: Disk, seed: UInt64) throws -> RaftGroup {
    try RaftGroup(
      node: id, options: options, seed: seed, hardState: disk.hardState, snapshotIndex: disk.snapshot.position.index,
      snapshotTerm: disk.snapshot.position.term, configuration: disk.snapshot.configuration, entries: disk.entries)
  }
  /// A founder: its log begins with the configuration.
  init(id: NodeID, options: RaftOptions, founding: LogEntry) throws {
    self.id = id
    disk = Disk(configuration: .empty, born: 1)
    disk.hardState.term = founding.term
    disk.hardState.commit = founding.index
    disk.entries = [founding]
    group = try Self.open(id, options, disk, seed: id.rawValue)
  }
  /// The node was removed from the group and added again: what it had of the group goes.
  mutating func beginAnew(born: UInt64) throws {
    disk = Disk(configuration: .empty, born: born)
    try restart()
  }
  /// Comes back with what is on the disk.
  mutating func restart() throws {
    restarts += 1
    group = try Self.open(id, group.options, disk, seed: id.rawValue &+ restarts &* 7919)
    writing = []
    toApply = []
    applied = disk.snapshot.position.index
    digest = disk.snapshot.digest
    isUp = true
  }
  /// Completes the oldest write.
  mutating func completeWrite() {
    guard !writing.isEmpty else { return }
    let persist = writing.removeFirst()
    disk.write(persist)
    group.persisted(persist.sequence)
  }
  /// Applies the oldest entry.
  mutating func applyOne() -> LogEntry? {
    guard !toApply.isEmpty else { return nil }
    let entry = toApply.removeFirst()
    precondition(entry.index == applied + 1, "entries are applied in order, each once")
    digest = Self.chain(digest, entry)
    applied = entry.index
    group.applied(through: applied)
    return entry
  }
  static func chain(_ digest: UInt64, _ entry: LogEntry) -> UInt64 {
    let seed = digest &* 31 &+ entry.term.rawValue &* 7 &+ entry.index.rawValue &* 3 &+ UInt64(entry.kind.rawValue)
    return entry.payload.withUnsafeBytes { xxh64($0, seed: seed) }
  }
  /// Makes a snapshot of what is applied, and cuts the log.
  mutating func makeSnapshot(keepingTail bytes: Int) {
    guard applied > disk.snapshot.position.index, let term = group.term(at: applied) else { return }
    disk.snapshot = Disk.Snapshot(
      position: LogPosition(index: applied, term: term), configuration: group.appliedConfiguration, digest: digest)
    disk.release(through: group.compact(through: applied, keepingTail: bytes))
  }
  /// Loads another node's snapshot, if it leads forward.
  mutating func install(_ snapshot: Disk.Snapshot) -> Bool {
    guard group.wantsSnapshot(at: snapshot.position.index) else { return false }
    disk.snapshot = snapshot
    toApply = []
    applied = snapshot.position.index
    digest = snapshot.digest
    group.installed(snapshot.position, configuration: snapshot.configuration)
    return true
  }
}
