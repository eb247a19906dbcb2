import Base
import Ledger
import Raft
import Storage

/// A shard's wish to hear that something is durable.
public struct LogAck: Sendable {
  var shard: ShardID
  var sequence: UInt64
}

/// All that a node wants in its log at one moment: one write, one sync.
public struct LogBatch: Sendable {
  var number: UInt64
  var records: [LogRecord]
  var acks: [LogAck]
  /// Log that snapshots have made superfluous.
  var releases: [LogRelease] = []
}
public struct LogRelease: Sendable {
  var shard: ShardID
  var through: LogIndex
}

/// Work beside the log, in lanes: the journals' (0), snapshots' (1).
public enum Job: Sendable {
  case journalAppend(shard: ShardID, position: JournalPosition, bytes: [UInt8])
  case journalQueries(shard: ShardID, queries: [(origin: Origin, query: JournalQuery)])
  /// Before a snapshot that refers to the journal is written.
  case journalSync(SnapshotOrder)
  case snapshotWrite(SnapshotOrder)
  case transfer(TransferJob)
}

/// A snapshot that is to be written.
public struct SnapshotOrder: Sendable {
  var shard: ShardID
  var index: LogIndex
  var term: Term
  /// See `SnapshotMetadata`.
  var metadata: [UInt8]
  let snapshot: MachineSnapshot
}
public struct SnapshotResult: Sendable {
  var order: SnapshotOrder
  /// Nil: it has been written and is durable.
  var failure: String?
}

/// Answers for one edge, as they travel: see `EdgeResults`.
public struct EdgeAnswers: Sendable {
  var edge: UInt32
  var results: [UInt8]
}

/// What the disk has done.
public enum Completion: Sendable {
  case logged(UInt64, [LogAck])
  /// Answers to journal queries, and what these cost.
  case answered([EdgeAnswers], cost: Int)
  /// A read found what was not written there; the answers to others are with it, and the transfer that is over by it.
  case journalRotten([EdgeAnswers], cost: Int, shard: ShardID, reason: String, transfer: UInt64? = nil)
  case journalSynced(SnapshotResult)
  case snapshotWritten(SnapshotResult)
  case transferred(TransferStep)
  case nothing
  case failed(String)
}

/// A shard as found on disk when the node started.
public struct RecoveredReplica {
  var shard: ShardID
  var hardState: HardState
  var snapshotIndex: LogIndex
  var snapshotTerm: Term
  /// Nil: there was no snapshot; what the shard began with holds.
  var configuration: Configuration?
  var entries: [LogEntry]
  /// Nil: an empty one.
  var machine: (any Machine)?
}

/// All that a node finds on its disk when it starts.
public struct RecoveredNode: @unchecked Sendable {
  public let identity: NodeID
  /// Rises with each start, whatever the wall clock does.
  let incarnation: UInt64
  let shards: [RecoveredReplica]
  /// What had rotted, a line each for the operator.
  var warnings: [String] = []
  /// Not 0: the log lost states, perhaps of shards that left no other trace: a replica that is not among `shards` may have
  /// voted all the same. The life of such a replica.
  var fence: UInt64 = 0
}

/// The node's disk: one write-ahead log, a journal and snapshots for each shard, and the identity. The shell runs it on
/// threads of its own: `write` on the log thread, each lane of jobs on another.
public final class NodeStorage: NodeDisk, @unchecked Sendable {
  let directory: String
  let fileSystem: any FileSystem
  private let lock: any FileLock
  let log: WriteAheadLog
  /// Rises with each start.
  let incarnation: UInt64
  /// See `RecoveredNode`.
  var warnings: [String] = []
  let journals: JournalStore
  let snapshots: SnapshotStore
  let ledgerLimits: LedgerLimits
  /// Files of transfers: the former belong to lane 1, the latter to lane 0.
  var outgoing: [UInt64: RawSnapshot] = [:]
  var incoming: [UInt64: IncomingSnapshot] = [:]

  public static var lanes: Int { 2 }
  public static func lane(of job: Job) -> Int {
    switch job {
    case .journalAppend, .journalQueries, .journalSync: 0
    case .snapshotWrite: 1
    case .transfer(let transfer): transfer.lane
    }
  }

  /// Opens a data directory, or begins one. `newIdentity` is random, and used if the directory has none yet; `wall` is
  /// what the clock says.
  public static func open(
    dataDirectory: String, fileSystem: any FileSystem, newIdentity: UInt64,
    wall: Stamp, logOptions: WriteAheadLog.Options = .init(), ledgerLimits: LedgerLimits = .init()
  ) throws -> (storage: NodeStorage, recovered: RecoveredNode) {
    let storage = try NodeStorage(
      directory: dataDirectory, fileSystem: fileSystem, newIdentity: newIdentity, wall: wall, logOptions: logOptions,
      ledgerLimits: ledgerLimits)
    let identity = try Identity.load(directory: dataDirectory, fileSystem: fileSystem)
    let fence = try storage.raiseFence()
    let shards = try storage.recover()
    var recovered = RecoveredNode(identity: identity, incarnation: storage.incarnation, shards: shards)
    recovered.warnings = storage.warnings
    recovered.fence = fence
    return (storage, recovered)
  }

  private init(
    directory: String, fileSystem: any FileSystem, newIdentity: UInt64, wall: Stamp,
    logOptions: WriteAheadLog.Options, ledgerLimits: LedgerLimits
  ) throws {
    self.ledgerLimits = ledgerLimits
    self.directory = directory
    self.fileSystem = fileSystem
    try fileSystem.createDirectory(directory)
    lock = try fileSystem.lock(directory + "/lock")
    try Identity.prepare(directory: directory, fileSystem: fileSystem, new: newIdentity)
    let incarnation = try Incarnation.next(directory: directory, fileSystem: fileSystem, wall: wall)
    self.incarnation = incarnation
    log = try WriteAheadLog(
      directory: directory + "/wal", fileSystem: fileSystem, options: logOptions,
      marking: { NodeStorage.markedState(of: $0, life: incarnation) })
    journals = try JournalStore(directory: directory + "/journal", fileSystem: fileSystem)
    snapshots = try SnapshotStore(directory: directory + "/snapshots", fileSystem: fileSystem)
  }

  // MARK: NodeDisk

  public func write(_ batch: LogBatch) throws -> Completion {
    if !batch.records.isEmpty { try log.write(batch.records) }
    for release in batch.releases { try log.release(release.shard, through: release.through) }
    return .logged(batch.number, batch.acks)
  }

  public func maintain() {
    // A failure shows again, and loudly, when the log needs the segment.
    _ = try? log.prepareSpare()
  }

  public func run(_ job: Job) -> Completion {
    switch job {
    case .journalAppend(let shard, let position, let bytes):
      return attempt("write journal of shard \(shard.rawValue)") {
        try appendJournal(shard, position, bytes[...])
        return .nothing
      }
    case .journalQueries(let shard, let queries):
      let cost = queries.reduce(0) { $0 + $1.query.cost }
      var rot: String?
      let answers = answer(shard, queries, rot: &rot)
      guard let rot, noteRot(inJournalOf: shard) else { return .answered(answers, cost: cost) }
      return .journalRotten(answers, cost: cost, shard: shard, reason: rot)
    case .journalSync(let order):
      do {
        try syncJournal(for: order)
        return .journalSynced(SnapshotResult(order: order, failure: nil))
      } catch {
        return .journalSynced(SnapshotResult(order: order, failure: "\(error)"))
      }
    case .snapshotWrite(let order):
      do {
        try write(order)
        return .snapshotWritten(SnapshotResult(order: order, failure: nil))
      } catch {
        return .snapshotWritten(SnapshotResult(order: order, failure: "\(error)"))
      }
    case .transfer(let transfer):
      return run(transfer)
    }
  }

  func attempt(_ what: String, _ body: () throws -> Completion) -> Completion {
    do { return try body() } catch { return .failed("cannot \(what): \(error)") }
  }

  private func answer(
    _ shard: ShardID, _ queries: [(origin: Origin, query: JournalQuery)], rot: inout String?
  ) -> [EdgeAnswers] {
    var edges: [(edge: UInt32, results: EdgeResults)] = []
    var reply = ReplyWriter(capacity: 4096)
    let view = JournalView(store: journals, shard: shard)
    for (origin, query) in queries {
      reply.buffer.removeAll()
      do {
        try query.run(view, into: &reply)
      } catch {
        reply.buffer.removeAll()
        if let error = error as? StorageError, error.kind == .damaged { rot = "\(error)" }
        reply.error(.unavailable, "the journal of shard \(shard.rawValue) cannot be read here: \(error)")
      }
      if !edges.contains(where: { $0.edge == origin.edge }) { edges.append((origin.edge, EdgeResults())) }
      for (edge, results) in edges where edge == origin.edge {
        results.append(shard, origin.sequence, reply.buffer.bytes)
      }
    }
    return edges.map { EdgeAnswers(edge: $0.edge, results: $0.results.buffer.array) }
  }

  /// A snapshot lets go of the log from which the journal could be made again: so all that it refers to must be there.
  private func syncJournal(for order: SnapshotOrder) throws {
    try journals.sync(order.shard)
    guard let wanted = SnapshotMetadata(order.metadata)?.journalEnd, wanted != .none else { return }
    let end = try journals.end(order.shard)
    guard wanted <= end || (wanted.segment == end.segment + 1 && wanted.offset == 0) else {
      throw StorageError(
        .refused, path: directory + "/journal", operation: "take a snapshot without what is missing in",
        reason: "an append failed before; give the disk room and start the node again, it makes it anew from the log")
    }
  }

  private func write(_ order: SnapshotOrder) throws {
    let writer = try snapshots.create(
      shard: order.shard, index: order.index, term: order.term, metadata: order.metadata)
    do {
      try order.snapshot.write { try writer.append($0) }
      _ = try writer.finish()
    } catch {
      writer.abandon()
      throw error
    }
    try snapshots.removeOlder(order.shard, than: order.index)
  }

  // MARK: Recovery

  private func recover() throws -> [RecoveredReplica] {
    var found: [ShardID: RecoveredShard] = [:]
    for shard in log.takeRecovered() { found[shard.shard] = shard }
    var shards = Array(found.keys)
    for shard in try snapshots.shards() where found[shard] == nil { shards.append(shard) }
    shards.sort()
    return try shards.map { try recover($0, found[$0]) }
  }

  /// Reads a snapshot whole and verified.
  func load(_ file: SnapshotFile) throws -> (machine: any Machine, configuration: Configuration) {
    guard let metadata = SnapshotMetadata(file.metadata) else {
      throw StorageError(.damaged, path: file.path, operation: "read", reason: "its metadata cannot be read")
    }
    let configuration = metadata.configuration
    let reader = try snapshots.open(file)
    var source = SnapshotBody(reader: reader)
    if file.shard == .directory {
      let machine = try DirectoryMachine(restoring: &source)
      try reader.finish()
      return (machine, configuration)
    }
    let ledger = try Ledger(restoring: source, limits: ledgerLimits)
    try reader.finish()
    return (LedgerMachine(ledger, lastIndex: file.index), configuration)
  }

  func truncateJournal(_ shard: ShardID, to position: JournalPosition) throws {
    if position == .none {
      try journals.removeAll(shard)
    } else {
      try journals.truncate(shard, to: position)
    }
  }
}

/// A snapshot's body as the ledger wants it.
struct SnapshotBody: SnapshotSource {
  let reader: SnapshotReader
  func read(into buffer: UnsafeMutableRawBufferPointer) throws { try reader.read(into: buffer) }
}

/// One shard's journal as the ledger wants it.
struct JournalView: JournalSource {
  let store: JournalStore
  let shard: ShardID
  func read(at position: JournalPosition, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    try store.read(shard, at: position, into: buffer)
  }
}

/// What says whose data directory it is: `identity`, 24 bytes: "TLYID", a version, the node's id, a CRC-32C.
///
/// A first start may be cut off anywhere and simply be made again: `identity.new` is durable before there is a log, and
/// gets its name once the log is there. So a log without either has lost its identity, and an identity without a log its
/// log: votes that were given and entries that were acknowledged with it, so that it must not go on under that name.
enum Identity {
  private static let magic: UInt64 = 0x0000_4449_5954_4C54 >> 8
  private static let version: UInt32 = 1

  /// Before the log is opened: refuses a directory that holds something else than a node's data, or less; writes
  /// `identity.new` in one that has no node yet.
  static func prepare(directory: String, fileSystem: any FileSystem, new: UInt64) throws {
    precondition(new != 0, "a node's identity is not zero")
    let logFiles = try fileSystem.exists(directory + "/wal") ? try fileSystem.list(directory + "/wal") : []
    if try fileSystem.exists(directory + "/identity") {
      _ = try read(directory + "/identity", fileSystem)
      guard logFiles.contains(where: { $0.hasSuffix(".wal") }) else {
        throw StorageError(
          .damaged, path: directory + "/wal", operation: "read",
          reason: "the identity is there but the log is not; restore it, or give this node an empty directory")
      }
      return
    }
    let known: Set<String> = [
      "lock", "wal", "journal", "snapshots", "identity.new", "incarnation", "incarnation.new",
    ]
    let foreign = try fileSystem.list(directory).filter { !known.contains($0) }
    if let name = foreign.first {
      throw StorageError(
        .refused, path: directory, operation: "use as data directory",
        reason: "it holds other files (\(name)); name an empty directory, or the one this node used before")
    }
    guard try logFiles.isEmpty || fileSystem.exists(directory + "/identity.new") else {
      throw StorageError(
        .damaged, path: directory + "/identity", operation: "read",
        reason: "the log is there but the identity is not; restore it, or give this node an empty directory")
    }
    var buffer = ByteBuffer(capacity: 64)
    buffer.append(magic)
    buffer.append(version)
    buffer.append(new)
    buffer.append(CRC32C.checksum(buffer.bytes))
    let file = try fileSystem.open(directory + "/identity.new", create: true)
    defer { file.close() }
    try file.write(buffer.bytes, at: 0)
    try file.sync()
    try fileSystem.syncDirectory(directory)
  }

  /// Once the log is there.
  static func load(directory: String, fileSystem: any FileSystem) throws -> NodeID {
    let path = directory + "/identity"
    if try !fileSystem.exists(path) {
      try fileSystem.rename(path + ".new", to: path)
      try fileSystem.syncDirectory(directory)
    }
    return try read(path, fileSystem)
  }

  private static func read(_ path: String, _ fileSystem: any FileSystem) throws -> NodeID {
    let file = try fileSystem.open(path, create: false)
    defer { file.close() }
    var bytes = [UInt8](repeating: 0, count: 24)
    let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
    return try bytes.withUnsafeBytes { raw in
      let body = UnsafeRawBufferPointer(rebasing: raw[..<20])
      guard count == 24, raw.loadUnaligned(as: UInt64.self) == magic,
        CRC32C.checksum(body) == raw.loadUnaligned(fromByteOffset: 20, as: UInt32.self)
      else {
        throw StorageError(
          .damaged, path: path, operation: "read", reason: "this is no node's identity; restore the file")
      }
      let found = raw.loadUnaligned(fromByteOffset: 8, as: UInt32.self)
      guard found == version else {
        throw StorageError(
          .tooNew, path: path, operation: "read",
          reason: "data format \(found) is newer than this program's (\(version)); run a newer tally")
      }
      return NodeID(raw.loadUnaligned(fromByteOffset: 12, as: UInt64.self))
    }
  }
}

/// What tells a node's lives apart: `incarnation`, 12 bytes: a number and a CRC-32C. It is the wall clock's microsecond of
/// the start, unless the clock was set back since the last one: peers refuse what comes of an earlier life, and a node
/// whose clock was put right must not be taken for one.
enum Incarnation {
  /// Sequence numbers of requests begin at 1,024 times this: one life has fewer than that many.
  private static let stride: UInt64 = 1_000_000_000

  static func next(directory: String, fileSystem: any FileSystem, wall: Stamp) throws -> UInt64 {
    let path = directory + "/incarnation"
    let last = try fileSystem.exists(path) ? read(path, fileSystem) : 0
    let now = UInt64(max(1, wall.microseconds))
    let next = now > last ? now : last + stride
    var buffer = ByteBuffer(capacity: 64)
    buffer.append(next)
    buffer.append(CRC32C.checksum(buffer.bytes))
    let file = try fileSystem.open(path + ".new", create: true)
    try file.truncate(0)
    try file.write(buffer.bytes, at: 0)
    try file.sync()
    file.close()
    try fileSystem.rename(path + ".new", to: path)
    try fileSystem.syncDirectory(directory)
    return next
  }

  private static func read(_ path: String, _ fileSystem: any FileSystem) throws -> UInt64 {
    let file = try fileSystem.open(path, create: false)
    defer { file.close() }
    var bytes = [UInt8](repeating: 0, count: 12)
    let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
    return try bytes.withUnsafeBytes { raw in
      guard count == 12,
        CRC32C.checksum(UnsafeRawBufferPointer(rebasing: raw[..<8]))
          == raw.loadUnaligned(fromByteOffset: 8, as: UInt32.self)
      else {
        throw StorageError(
          .damaged, path: path, operation: "read",
          reason: "it is not what was written; remove it if the clock was not set back since the node last started")
      }
      return UInt64(littleEndian: raw.loadUnaligned(as: UInt64.self))
    }
  }
}
