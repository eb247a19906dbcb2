import Base
import Cluster
import Ledger
import Storage

/// What lane 0 knows of journals, beside their files.
struct JournalDuty {
  /// What the disk had no room for.
  var unwritten: [ShardID: JournalBacklog] = [:]
  /// Of which the operator was told.
  var waiting: Set<ShardID> = []
  /// Those that a replica here has written since the start.
  var written: Set<ShardID> = []
  /// While a start recovers: up to where snapshots of other shards here refer to a journal.
  var inherited: [ShardID: JournalPosition] = [:]
  /// Those that a start found without their shard's replica: what is there counts up to there, as snapshots here say. The rest may
  /// have come and not been synced.
  var unproved: [ShardID: JournalPosition] = [:]
  /// Shards whose replica knows that a journal of another, which it refers to, is rotten here.
  var toldRot: Set<ShardID> = []
}

/// Journals: all of it on lane 0.
extension NodeStorage {
  func journalView(_ shard: ShardID) -> JournalView {
    JournalView(store: journals, shard: shard, unwritten: duty.unwritten)
  }

  /// Writes what a shard's entries have decided. What cannot be written is kept until it can: a replica applies no more
  /// than its log has taken, and a log without room takes nothing, so this is bounded by what room the log still had.
  func keepJournal(_ shard: ShardID, _ position: JournalPosition, _ bytes: [UInt8]) -> Completion {
    var lacking = (start: position, bytes: bytes[...])
    do {
      duty.written.insert(shard)
      try writeBacklog(of: shard)
      lacking = try missing(of: shard, position, bytes[...])
      try append(lacking.start, lacking.bytes)
    } catch {
      duty.unwritten[shard, default: JournalBacklog()].add(lacking.start, Array(lacking.bytes))
      if NodeStorage.isRot(error), noteRot(inJournalOf: shard) {
        return .journalRotten(JournalAnswers(shard: shard), reason: "\(error)")
      }
      if NodeStorage.breaks(error) { return NodeStorage.broken(shard, error) }
      guard duty.waiting.insert(shard).inserted else { return .nothing }
      return .failed("the journal of shard \(shard.rawValue) cannot be written, it waits in memory: \(error)")
    }
    guard duty.waiting.remove(shard) != nil else { return .nothing }
    return .recovered("the journal of shard \(shard.rawValue) is written again")
  }

  /// Writes what waits, before anything else is done to the shard's journal. Throws if there is still no room.
  func writeBacklog(of shard: ShardID) throws {
    guard var waiting = duty.unwritten[shard] else { return }
    while let (position, bytes) = waiting.pieces.first {
      // An append that failed may have left a part, and not vouch for what was synced before it.
      let end = try journals.end(shard)
      if position == end || position.isBefore(end), position.offset > 0 { try journals.truncate(shard, to: position) }
      try appendJournal(position, bytes[...])
      waiting.removeFirst()
      duty.unwritten[shard] = waiting.isEmpty ? nil : waiting
    }
  }

  /// Appends to a journal what it has not got yet: the same bytes may come from a peer, for more than one shard, and from our own log.
  func appendJournal(_ position: JournalPosition, _ bytes: ArraySlice<UInt8>) throws {
    let lacking = try missing(of: position.journal, position, bytes)
    try append(lacking.start, lacking.bytes)
  }
  private func append(_ position: JournalPosition, _ bytes: ArraySlice<UInt8>) throws {
    if bytes.isEmpty { return }
    try bytes.withUnsafeBytes { try journals.append(position.journal, at: position, $0) }
  }
  /// What of a run of bytes is not there yet.
  private func missing(
    of shard: ShardID, _ position: JournalPosition, _ bytes: ArraySlice<UInt8>
  ) throws -> (start: JournalPosition, bytes: ArraySlice<UInt8>) {
    let end = try journals.end(shard)
    guard position.isBefore(end) else { return (position, bytes) }
    // A run lies in one segment, and those before the last are whole.
    guard position.segment == end.segment else { return (end, []) }
    let skip = Int(min(end.offset - position.offset, UInt64(bytes.count)))
    return (position.advanced(by: skip), bytes.dropFirst(skip))
  }

  // MARK: What a snapshot refers to

  /// A snapshot lets go of the log from which the journal could be made again: so all that it refers to must be there, also in the
  /// journals of other shards.
  func syncJournals(for order: SnapshotOrder) throws {
    let metadata = SnapshotMetadata(order.metadata)
    try writeBacklog(of: order.shard)
    try journals.sync(order.shard)
    for wanted in (metadata?.lineage ?? []) + [metadata?.journalEnd ?? .none] where wanted != .none {
      let journal = wanted.journal
      if journal != order.shard {
        try writeBacklog(of: journal)
        try journals.sync(journal)
      }
      let end = try journals.end(journal)
      guard end.isBefore(wanted), wanted != end.nextSegment else { continue }
      throw StorageError(
        .refused, path: directory + "/journal", operation: "take a snapshot without what is missing in",
        reason:
          "the journal of shard \(journal.rawValue) ends too soon: it is tried again; if that does not help, start"
          + " the node again, it makes it anew from the log, or gets it from another")
    }
  }

  /// A replica has left, and its tombstone is to be written, with which its log goes. What its entries have decided stays in the
  /// journal, as records of other shards may refer to it: all is made durable, and a file, `S.kept`, says that it is not to go with the
  /// rest. Throws for want of room or of a descriptor.
  func closeJournal(_ shard: ShardID) throws {
    do {
      try writeBacklog(of: shard)
      try journals.sync(shard)
    } catch  where NodeStorage.isRot(error) {
      // Whoever refers to it finds it lacking at the next start, and gets it from a peer.
      _ = noteRot(inJournalOf: shard)
    }
    let file = try fileSystem.open(keptPath(shard), create: true)
    file.close()
    try fileSystem.syncDirectory(directory + "/journal")
  }
  private func keptPath(_ shard: ShardID) -> String { directory + "/journal/\(shard.rawValue).kept" }
  func isKept(_ shard: ShardID) throws -> Bool { try fileSystem.exists(keptPath(shard)) }
  /// Nobody here refers to it, or all of it is to come anew.
  func removeJournal(_ shard: ShardID) throws {
    try journals.removeAll(shard)
    try forgetRot(inJournalOf: shard)
    duty.unproved[shard] = nil
    guard try isKept(shard) else { return }
    try fileSystem.remove(keptPath(shard))
    try fileSystem.syncDirectory(directory + "/journal")
  }

  /// Removes the journals that nobody here refers to.
  func sweepJournals(_ needed: JournalsNeeded) throws {
    var coming: Set<ShardID> = []
    if needed != .none { for transfer in incoming.values { coming.formUnion(transfer.receivers.map(\.journal)) } }
    let idle = try journals.shards().filter { journal in
      journal <= needed.newest && !needed.journals.contains(journal) && !coming.contains(journal)
    }
    guard !idle.isEmpty else { return }
    let inherited = try inheritedEnds()
    for journal in idle where try inherited[journal] == nil && snapshots.newest(journal) == nil {
      try removeJournal(journal)
    }
  }
  /// By journal: up to where snapshots of other shards here refer to it, and so say that it is durable.
  /// - Parameter isStart: one that cannot be read is to be set aside, and says nothing.
  func inheritedEnds(atStart isStart: Bool = false) throws -> [ShardID: JournalPosition] {
    var ends: [ShardID: JournalPosition] = [:]
    for shard in try snapshots.shards() {
      let file: SnapshotFile?
      if isStart { file = try? snapshots.newest(shard) } else { file = try snapshots.newest(shard) }
      let lineage = file.flatMap { SnapshotMetadata($0.metadata)?.lineage } ?? []
      for end in lineage where ends[end.journal]?.isBefore(end) ?? true { ends[end.journal] = end }
    }
    return ends
  }

  // MARK: Recovery

  /// Cuts a shard's journal where its state has its end, or removes it; but for what other shards here refer to, which was synced
  /// before their snapshots were written.
  func truncateJournal(_ shard: ShardID, to position: JournalPosition) throws {
    let inherited = duty.inherited[shard] ?? JournalPosition(beginningOf: shard)
    if position != .none {
      let end = try journals.end(shard)
      // Where it is shorter than the state says, that is found out here.
      let last = position.isBefore(inherited) && !end.isBefore(position) ? earlier(inherited, end) : position
      try journals.truncate(shard, to: last)
    } else if duty.inherited[shard] == nil || !isReadable(shard) {
      try journals.removeAll(shard)
    } else if try inherited.isBefore(journals.end(shard)) {
      try journals.truncate(shard, to: inherited)
    }
  }
  private func isReadable(_ journal: ShardID) -> Bool { (try? journals.end(journal)) != nil }
  private func earlier(_ a: JournalPosition, _ b: JournalPosition) -> JournalPosition { a.isBefore(b) ? a : b }
  /// A snapshot without the journals that it refers to is of no use.
  func requireJournals(_ lineage: [JournalChain], of shard: ShardID) throws {
    for wanted in lineage {
      let journal = wanted.position.journal
      let end = (try? journals.end(journal)) ?? JournalPosition(beginningOf: journal)
      guard end.isBefore(wanted.position) else { continue }
      throw StorageError(
        .damaged, path: directory + "/journal", operation: "open",
        reason:
          "the journal of shard \(journal.rawValue), which shard \(shard.rawValue) refers to up to \(wanted.position), ends at \(end)"
      )
    }
  }
}
