import Base
import Cluster
import Ledger
import Raft
import Storage
import Synchronization

/// The node's disk: one write-ahead log, a journal and snapshots for each shard, and the identity. The shell runs it on
/// threads of its own: `write` on the log thread, each lane of jobs on another.
public final class NodeStorage: DiskRunner, @unchecked Sendable {
  public typealias Work = NodeWork

  let directory: String
  let fileSystem: any FileSystem
  private let lock: any FileLock
  let log: WriteAheadLog
  /// Rises with each start.
  let incarnation: UInt64
  let predecessor: LifeID
  /// The number of the last batch in the log that is durable.
  let logPosition = Atomic<UInt64>(0)
  /// See `RecoveredNode`.
  var warnings: [String] = []
  let note: ApplyingNote
  let journals: JournalStore
  let archive: JournalArchive?
  let snapshots: SnapshotStore
  let ledgerLimits: LedgerLimits
  let reserve: DiskReserve
  let ballast: Ballast
  /// Written by the log thread.
  let usage = Mutex(LogUsage())
  let wantsUsage = Atomic<Bool>(true)
  /// Of `maintain`.
  var rounds: UInt64 = 0
  var nextPreparation: UInt64 = 0
  /// Of lane 0.
  var duty = JournalDuty()
  /// Of transfers: files that are sent, of lane 1; those that come, of lane 4; the journals that come with them, of lane 0.
  var outgoing: [UInt64: RawSnapshot] = [:]
  var parts: [UInt64: SnapshotReceiver] = [:]
  var incoming: [UInt64: IncomingJournals] = [:]
  let backups = BackupFiles()
  /// Of lane 6.
  private let secrets: any SecretKeeper

  /// Opens a data directory, or begins one. `newIdentity` and `newProof` are random, and used if the directory has none yet;
  /// a node whose proof is unset cannot link to others. `wall` is what the clock says; `descriptorsMax`, how many
  /// descriptors the process may have. On a disk that is full the ballast makes the room that a start needs. `build` is a
  /// number of this very program: see `ApplyingNote`. `archive` gives the archive of a node; nil: it has none.
  /// `secrets` works on users' secrets: what is usual here keeps none from anybody, and is for tests alone.
  public static func open(
    dataDirectory: String, fileSystem: any FileSystem, newIdentity: UInt64, newProof: Proof = .unset,
    wall: Stamp, logOptions: WriteAheadLog.Options = .init(), ledgerLimits: LedgerLimits = .init(),
    reserve: DiskReserve = .init(byteCount: 0), build: UInt64 = 0, descriptorsMax: Int = 4096,
    archive: ((NodeID) -> JournalArchive)? = nil,
    secrets: any SecretKeeper = RememberingKeeper(.simulated)
  ) throws -> (storage: NodeStorage, recovered: RecoveredNode) {
    func attempt() throws -> (storage: NodeStorage, recovered: RecoveredNode) {
      try openOnce(
        dataDirectory, fileSystem, newIdentity, newProof, wall, logOptions, ledgerLimits, reserve, build,
        descriptorsMax,
        archive, secrets)
    }
    do {
      return try attempt()
    } catch let error as StorageError where error.kind == .noSpace {
      let ballast = try Ballast(path: dataDirectory + "/ballast", fileSystem: fileSystem, byteCount: 0)
      guard try ballast.release() else { throw error }
      return try attempt()
    }
  }

  private static func openOnce(
    _ dataDirectory: String, _ fileSystem: any FileSystem, _ newIdentity: UInt64, _ newProof: Proof, _ wall: Stamp,
    _ logOptions: WriteAheadLog.Options, _ ledgerLimits: LedgerLimits, _ reserve: DiskReserve, _ build: UInt64,
    _ descriptorsMax: Int, _ archive: ((NodeID) -> JournalArchive)?, _ secrets: any SecretKeeper
  ) throws -> (storage: NodeStorage, recovered: RecoveredNode) {
    let storage = try NodeStorage(
      directory: dataDirectory, fileSystem: fileSystem, newIdentity: newIdentity, newProof: newProof, wall: wall,
      logOptions: logOptions, ledgerLimits: ledgerLimits, reserve: reserve, descriptorsMax: descriptorsMax,
      archive: archive, secrets: secrets)
    let identity = try Identity.load(directory: dataDirectory, fileSystem: fileSystem)
    let fence = try storage.raiseFence()
    let deaths = try storage.note.takeDeaths(build: build)
    let (shards, tombstones) = try storage.recover()
    let promise = try storage.promise()
    let recovered = RecoveredNode(
      identity: identity.id, proof: identity.proof, incarnation: storage.incarnation, predecessor: storage.predecessor,
      logPosition: storage.log.lastBatch, promise: promise, shards: shards, tombstones: tombstones,
      warnings: storage.warnings, fence: fence, note: storage.note, deaths: deaths)
    return (storage, recovered)
  }

  private init(
    directory: String, fileSystem: any FileSystem, newIdentity: UInt64, newProof: Proof, wall: Stamp,
    logOptions: WriteAheadLog.Options, ledgerLimits: LedgerLimits, reserve: DiskReserve, descriptorsMax: Int,
    archive: ((NodeID) -> JournalArchive)?, secrets: any SecretKeeper
  ) throws {
    self.secrets = secrets
    self.ledgerLimits = ledgerLimits
    self.reserve = reserve
    self.directory = directory
    self.fileSystem = fileSystem
    try fileSystem.createDirectory(directory)
    lock = try fileSystem.lock(directory + "/lock")
    if archive == nil, try JournalStore.needsArchive(directory + "/journal", fileSystem: fileSystem) {
      throw StorageError(
        .refused, path: directory + "/journal", operation: "open",
        reason: "segments of its journals are in an archive: start with journal-archive and journal-keep, as before")
    }
    try Identity.prepare(directory: directory, fileSystem: fileSystem, new: newIdentity, proof: newProof)
    let (incarnation, predecessor) = try Incarnation.next(directory: directory, fileSystem: fileSystem, wall: wall)
    self.incarnation = incarnation
    note = try NodeStorage.openNote(directory: directory, fileSystem: fileSystem)
    self.predecessor = predecessor
    log = try WriteAheadLog(
      directory: directory + "/wal", fileSystem: fileSystem, options: logOptions,
      marking: { NodeStorage.markedState(of: $0, life: incarnation) })
    // Not before the log is there: the identity gets its name by that.
    let identity = try Identity.load(directory: directory, fileSystem: fileSystem).id
    self.archive = archive.map { $0(identity) }
    journals = try JournalStore(
      directory: directory + "/journal", fileSystem: fileSystem,
      openFilesMax: NodeStorage.journalFilesMax(of: descriptorsMax), hasArchive: archive != nil)
    snapshots = try SnapshotStore(directory: directory + "/snapshots", fileSystem: fileSystem)
    ballast = try Ballast(
      path: directory + "/ballast", fileSystem: fileSystem,
      byteCount: reserve.ballastByteCount(segmentBytes: logOptions.segmentBytes))
  }

  /// A disk without room for it is no reason not to start: then no death is counted.
  private static func openNote(
    directory: String, fileSystem: any FileSystem
  ) throws(StorageError) -> ApplyingNote {
    do throws(StorageError) {
      let memory = try fileSystem.map(directory + "/applying", byteCount: ApplyingNote.byteCount)
      try fileSystem.syncDirectory(directory)
      return ApplyingNote(memory)
    } catch {
      guard error.kind == .noSpace else { throw error }
      return ApplyingNote(PrivateMemory(byteCount: ApplyingNote.byteCount))
    }
  }
  /// Where a signal handler stores the signal that ends the process.
  public var trap: UnsafeMutablePointer<UInt32> { note.trap }
  /// How many descriptors of all that the process may have the journals may take.
  private static func journalFilesMax(of descriptors: Int) -> Int { min(max(8, descriptors / 8 * 5), 8192) }

  // MARK: DiskRunner

  public func run(_ job: Job) -> Completion { run(job, pacer: nil) }
  public func run(_ job: Job, pacer: any WritePacer) -> Completion { run(job, pacer: Optional(pacer)) }
  private func run(_ job: Job, pacer: (any WritePacer)?) -> Completion {
    switch job {
    case .journalAppend(let shard, let position, let bytes):
      return .journalKept(bytes.count, keepJournal(shard, position, bytes))
    case .journalQueries(let shard, let queries), .journalRepeats(let shard, let queries):
      var rot: String?
      try? writeBacklog(of: shard)
      let answers = answer(shard, queries, in: journalView(shard)) { error in
        if NodeStorage.isRot(error), noteRot(error, metBy: shard) { rot = "\(error)" }
        return "the journal of shard \(shard.rawValue) cannot be read here: \(error)"
      }
      guard let rot else { return .answered(answers) }
      return .journalRotten(answers, reason: rot)
    case .archiveQueries(let shard, let queries, let cluster): return answer(shard, queries, cluster: cluster)
    case .archive(let order): return .archived(run(order))
    case .journalSync(let order):
      do {
        try syncJournals(for: order)
        return .journalSynced(SnapshotResult(order: order, failure: nil))
      } catch {
        if NodeStorage.breaks(error) { return NodeStorage.broken(order.shard, error) }
        return .journalSynced(SnapshotResult(order: order, failure: "\(error)"))
      }
    case .snapshotWrite(let order):
      do {
        let file = try write(order, pacer)
        return .snapshotWritten(SnapshotResult(order: order, file: file, failure: nil))
      } catch {
        return .snapshotWritten(SnapshotResult(order: order, failure: "\(error)"))
      }
    case .transfer(let transfer):
      return run(transfer)
    case .backup(let backup):
      return run(backup)
    case .clearAway(let shard):
      do {
        try clearAway(shard)
        return .clearedAway(shard, failure: nil)
      } catch {
        return .clearedAway(shard, failure: "\(error)")
      }
    case .closeJournal(let shard):
      do {
        try closeJournal(shard)
        return .journalClosed(shard, failure: nil)
      } catch {
        if NodeStorage.breaks(error) { return NodeStorage.broken(shard, error) }
        return .journalClosed(shard, failure: "\(error)")
      }
    case .sweepJournals(let needed):
      do { try sweepJournals(needed) } catch {
        return .failed("journals that nobody needs cannot be removed: \(error)")
      }
      return .nothing
    case .keepSeat(let life): return keepSeat(life)
    case .keepPromise(let promise): return keepPromise(promise)
    case .keepSettings(let text): return keepSettings(text)
    case .secret(let secret): return .secret(secrets.run(secret))
    }
  }

  /// - Parameter complaint: what is answered where a read fails.
  func answer(
    _ shard: ShardID, _ queries: [ReplyToQuery], in view: JournalView, complaint: (any Error) -> String
  ) -> JournalAnswers {
    var found = JournalAnswers(shard: shard, cost: queries.reduce(0) { $0 + $1.query.cost })
    var edges: [(edge: UInt32, results: EdgeResults)] = []
    var reply = ReplyWriter(capacity: 4096)
    for (replyTo, query) in queries {
      reply.buffer.removeAll()
      do {
        if let rest = try query.step(view, into: &reply) {
          found.unfinished.append((replyTo, rest))
          continue
        }
      } catch is ArchivedSegment {
        found.archived.append((replyTo, query))
        continue
      } catch let lacking as JournalNotHere {
        reply.buffer.removeAll()
        reply.error(
          .unavailable,
          "the journal of shard \(lacking.journal.rawValue) is not here as far as the records of shard \(shard.rawValue) refer to"
            + " it: it comes by itself; repeat the request")
      } catch {
        reply.buffer.removeAll()
        reply.error(.unavailable, complaint(error))
      }
      if !edges.contains(where: { $0.edge == replyTo.edge }) { edges.append((replyTo.edge, EdgeResults())) }
      for (edge, results) in edges where edge == replyTo.edge {
        results.append(shard, replyTo.sequence, reply.buffer.bytes)
      }
    }
    found.answers = edges.map { EdgeAnswers(edge: $0.edge, results: $0.results.buffer.array) }
    return found
  }

  private func write(_ order: SnapshotOrder, _ pacer: (any WritePacer)?) throws -> SnapshotFile {
    let base = order.isWhole ? nil : extensibleBase(of: order)
    let writer = try snapshots.create(
      shard: order.shard, index: order.index, term: order.term, base: base, metadata: order.metadata,
      pacer: pacer)
    do {
      try order.snapshot.write(base != nil) { try writer.append($0) }
      let file = try writer.finish()
      try snapshots.removeOlder(order.shard, than: file)
      return file
    } catch {
      writer.abandon()
      throw error
    }
  }

  /// So many snapshots in a row have changes only, at most: a start reads them all.
  private static let changesInARow = 8

  /// The snapshot to which this one may have the changes. All changes together have at most half as many bytes as the whole
  /// one before them: so a start reads at most one and a half times the state, and the disk holds at most that, and the
  /// next whole one. Nil: there is none, or it is time for a whole one.
  private func extensibleBase(of order: SnapshotOrder) -> SnapshotFile? {
    guard let base = order.snapshot.base, base.index < order.index else { return nil }
    // What cannot be read now is not to be built on.
    guard let chain = try? snapshots.chain(of: base), chain.count <= NodeStorage.changesInARow else { return nil }
    let changes = chain.dropFirst().reduce(0) { $0 + $1.byteCount } + UInt64(order.snapshot.changedByteCount)
    return changes <= chain[0].byteCount / 2 ? base : nil
  }

  // MARK: Recovery

  private func recover() throws -> (shards: [RecoveredReplica], tombstones: [ShardID: UInt64]) {
    let rotten = try rottenJournals()
    for journal in rotten { try journals.removeAll(journal) }
    duty.inherited = try inheritedEnds(atStart: true)
    var found: [ShardID: RecoveredShard] = [:]
    var tombstones: [ShardID: UInt64] = [:]
    for shard in log.takeRecovered() {
      if shard.gone > 0 { tombstones[shard.shard] = shard.gone }
      if shard.isGone { try clearAway(shard.shard) } else { found[shard.shard] = shard }
    }
    var shards = Array(found.keys)
    for shard in try snapshots.shards() where found[shard] == nil { shards.append(shard) }
    shards.sort()
    let recovered = try shards.map { try recover($0, found[$0]) }
    for journal in Set(try journals.shards()).subtracting(shards) {
      duty.unproved[journal] = duty.inherited[journal] ?? JournalPosition(beginningOf: journal)
    }
    duty.inherited = [:]
    for journal in rotten { try forgetRot(inJournalOf: journal) }
    return (recovered, tombstones)
  }
  /// Removes what is left of a replica that has left: its log went with its tombstone, before all else. A journal that was closed, or
  /// to which a snapshot here refers, stays until it is known that nobody here does (`sweepJournals`).
  private func clearAway(_ shard: ShardID) throws {
    try snapshots.removeAll(shard)
    duty.unwritten[shard] = nil
    duty.waiting.remove(shard)
    duty.written.remove(shard)
    duty.toldRot.remove(shard)
    guard try !isKept(shard) else { return }
    guard try journals.shards().contains(shard) else { return try forgetRot(inJournalOf: shard) }
    if try inheritedEnds(atStart: true)[shard] == nil { try removeJournal(shard) }
  }

  /// Reads a snapshot, with those before it whose changes it has, verified.
  func load(_ file: SnapshotFile) throws -> (machine: RestoredMachine, configuration: Configuration) {
    try load(file, chain: try snapshots.chain(of: file))
  }
  /// - Parameter chain: a whole snapshot and the changes since, in order, down to this one.
  func load(
    _ file: SnapshotFile, chain: [SnapshotFile]
  ) throws -> (machine: RestoredMachine, configuration: Configuration) {
    guard let metadata = SnapshotMetadata(file.metadata) else {
      throw StorageError(.damaged, path: file.path, operation: "read", reason: "its metadata cannot be read")
    }
    let configuration = metadata.configuration
    let readers = try chain.map { try snapshots.open($0) }
    let machine = try RestoredMachine(file, from: readers.map { SnapshotBody(reader: $0) }, limits: ledgerLimits)
    for reader in readers { try reader.finish() }
    return (machine, configuration)
  }
}

/// A snapshot's body as the ledger wants it.
struct SnapshotBody: SnapshotSource {
  let reader: SnapshotFileReader
  func read(into buffer: UnsafeMutableRawBufferPointer) throws { try reader.read(into: buffer) }
}
