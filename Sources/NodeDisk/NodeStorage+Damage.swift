import Base
import Cluster
import Ledger
import Raft
import Storage

/// What a node does about bytes on its disk that are not what it wrote. A replica that lost what it acknowledged starts
/// all the same: marked, durably, before anything else, so that it gives no vote and its peers supply it again (see
/// `RaftGroup+Repair.swift`). What has rotted is set aside, and met only once.
extension NodeStorage {
  /// The state of a shard that the log's rot concerns.
  static func markedState(of shard: RecoveredShard, life: UInt64) -> [UInt8] {
    // One that cannot be read is none that was ever written: its checksum was right.
    let state = (try? hardState(shard.state)) ?? HardState(born: 0)
    return damaged(state, life: life, isVoteLost: shard.isStateLost).encoded
  }
  /// - Parameter life: this start's. A clock that was set back makes it no earlier than the last.
  private static func damaged(_ state: HardState, life: UInt64, isVoteLost: Bool) -> HardState {
    state.damaged(life: max(life, state.damage.life + 1), isVoteLost: isVoteLost)
  }
  static func hardState(_ bytes: [UInt8]) throws -> HardState {
    // When the replica was born stood there, too.
    guard !bytes.isEmpty else { return HardState(born: 0) }
    return try bytes.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      return try HardState(decoding: &reader)
    }
  }

  func warn(_ text: String) { warnings.append("CORRUPT \(text)") }

  // MARK: States that are lost

  /// If the log has lost states that may have been of shards without any other trace, that is kept for good in a file,
  /// `fenced`: the number of that life, and a CRC-32C. Gives it, or 0.
  func raiseFence() throws -> UInt64 {
    let path = directory + "/fenced"
    if let damage = log.damage {
      warn(damage.description)
      if damage.areStatesInDoubt, try !fileSystem.exists(path) {
        var buffer = ByteBuffer(capacity: 64)
        buffer.append(incarnation)
        buffer.append(CRC32C.checksum(buffer.bytes))
        let file = try fileSystem.open(path + ".new", create: true)
        try file.truncate(0)
        try file.write(buffer.bytes, at: 0)
        try file.sync()
        file.close()
        try fileSystem.rename(path + ".new", to: path)
        try fileSystem.syncDirectory(directory)
      }
    }
    guard try fileSystem.exists(path) else { return 0 }
    warn("the votes that this node gave may be lost: replace this node, with an empty data directory")
    // Whatever is in it, that it is there says enough.
    return incarnation
  }

  // MARK: Journals

  /// Whether a journal's call failed because it is not what was written: other bytes, or fewer, or none to be read.
  static func isRot(_ error: any Error) -> Bool {
    guard let error = fault(error) else { return false }
    return error.kind == .damaged || error.kind == .refused || error.isUnreadable
  }
  /// Whether the process must end: what a sync that failed has dropped, no later one would miss.
  static func breaks(_ error: any Error) -> Bool {
    guard let error = fault(error) else { return false }
    return error.isFatal || error.isOfTheDevice && !error.isUnreadable
  }
  private static func fault(_ error: any Error) -> StorageError? {
    (error as? JournalFault)?.error ?? error as? StorageError
  }
  static func broken(_ shard: ShardID, _ error: any Error) -> Completion {
    .broken("the journal of shard \(shard.rawValue) cannot be kept, look at the disk: \(error)")
  }

  private func rotPath(_ shard: ShardID) -> String { directory + "/journal/\(shard.rawValue).bad" }

  /// Sees to it that the shard's journal is fetched anew when the node starts next. False if that is known already.
  func noteRot(inJournalOf shard: ShardID) -> Bool {
    do {
      guard try !fileSystem.exists(rotPath(shard)) else { return false }
      let file = try fileSystem.open(rotPath(shard), create: true)
      file.close()
      try fileSystem.syncDirectory(directory + "/journal")
    } catch {
      // It is met again, and told again.
    }
    return true
  }

  /// The same of a journal that a shard's replica met: its own, or another's, which concerns whoever refers to it. False if that replica
  /// knows it already.
  func noteRot(_ error: any Error, metBy shard: ShardID) -> Bool {
    guard let journal = (error as? JournalFault)?.journal, journal != shard else { return noteRot(inJournalOf: shard) }
    _ = noteRot(inJournalOf: journal)
    return duty.toldRot.insert(shard).inserted
  }
  /// The journals of which an earlier life has noted it.
  func rottenJournals() throws -> [ShardID] {
    try fileSystem.list(directory + "/journal").compactMap { name in
      name.hasSuffix(".bad") ? UInt32(name.dropLast(4)).map { ShardID($0) } : nil
    }
  }

  func forgetRot(inJournalOf shard: ShardID) throws {
    guard try fileSystem.exists(rotPath(shard)) else { return }
    try fileSystem.remove(rotPath(shard))
    try fileSystem.syncDirectory(directory + "/journal")
  }

  // MARK: Recovery of one shard

  /// What is left of a shard: its snapshot, the journal that belongs to it, and the log as far as it joins them.
  func recover(_ shard: ShardID, _ logged: RecoveredShard?) throws -> RecoveredReplica {
    var state = try NodeStorage.hardState(logged?.state ?? [])
    let loaded = try loadNewest(shard)
    let base = loaded?.file.index ?? LogIndex(0)
    var entries = logged?.entries ?? []
    let begin = entries.first?.index ?? (logged?.startIndex ?? LogIndex(0)) + 1
    let isOlder = entries.first.map { $0.index == base + 1 && $0.term < (loaded?.file.term ?? Term(0)) } ?? false
    if begin > base + 1 || isOlder {
      // What is between was in a snapshot that is gone; or the log is what it was before the snapshot's entry came.
      entries = []
      if logged?.isDamaged != true { state = NodeStorage.damaged(state, life: incarnation, isVoteLost: false) }
      var records = [LogRecord(shard: shard, body: .state(state.encoded))]
      records.insert(LogRecord(shard: shard, body: .reset(base, loaded?.file.term ?? Term(0))), at: 0)
      try log.write(records)
      warn(
        "shard \(shard.rawValue) is not whole here: its log begins at \(begin.rawValue) and its state at \(base.rawValue)"
      )
    }
    try forgetRot(inJournalOf: shard)
    if state.damage.isOpen {
      warn("shard \(shard.rawValue) lost what it acknowledged: it gives no vote until a peer has supplied it again")
    }
    if state.damage.isFenced {
      warn("shard \(shard.rawValue) may have lost its vote: it counts in no majority any more; replace this node")
    }
    return RecoveredReplica(
      shard: shard, hardState: state, snapshotIndex: base, snapshotTerm: loaded?.file.term ?? Term(0),
      configuration: loaded?.configuration, entries: entries, machine: loaded?.machine)
  }

  /// The newest snapshot that can be read and whose journal is there; what cannot be read is set aside.
  private func loadNewest(
    _ shard: ShardID
  ) throws -> (file: SnapshotFile, machine: RestoredMachine, configuration: Configuration)? {
    var isRotten = try fileSystem.exists(rotPath(shard))
    while true {
      do {
        guard !isRotten else {
          throw StorageError(
            .damaged, path: directory + "/journal", operation: "open",
            reason: "the journal of shard \(shard.rawValue) could not be read")
        }
        guard let file = try snapshots.newest(shard) else {
          try truncateJournal(shard, to: .none)
          return nil
        }
        let loaded = try load(file)
        do {
          try truncateJournal(shard, to: loaded.machine.journal.position)
        } catch let error as StorageError where error.kind == .damaged || error.kind == .refused {
          isRotten = true
          throw error
        }
        try requireJournals(loaded.machine.lineage, of: shard)
        return (file, loaded.machine, loaded.configuration)
      } catch let error as StorageError where error.kind == .damaged || isRotten {
        warn("\(error)")
        // A snapshot without its journal is of no use.
        if isRotten { try journals.removeAll(shard) }
        try snapshots.setAsideNewest(shard)
        if isRotten, try !snapshots.shards().contains(shard) {
          isRotten = false
        }
      }
    }
  }
}

extension LogDamage {
  /// For the operator.
  var description: String {
    let batches = lost.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound) to \($0.upperBound)" }
    return "\(error); " + (lost.isEmpty ? "nothing is lost" : "lost: batches \(batches.joined(separator: ", "))")
  }
}
