import Base
import Ledger
import Raft
import Storage

// The border between what decides (`Node`) and what works on the disk (module NodeDisk): plain values, one way each.

/// What a node gives its disk to do, and what comes back.
public enum NodeWork: DiskWork {
  public typealias LogBatch = Cluster.LogBatch
  public typealias Job = Cluster.Job
  public typealias Completion = Cluster.Completion

  public static var lanes: Int { 7 }
  /// Snapshots, of this node and of others, and backups.
  public static func isBackground(lane: Int) -> Bool { (1...4).contains(lane) }
  public static func lane(of job: Job) -> Int {
    switch job {
    case .journalAppend, .journalQueries, .journalRepeats, .journalSync, .closeJournal, .clearAway, .sweepJournals,
      .keepSeat, .keepPromise, .keepSettings:
      0
    // It takes long, and nobody is to wait for it.
    case .snapshotWrite: 2
    // It may be far away, and out of reach.
    case .archive, .archiveQueries: 5
    case .transfer(let transfer): transfer.lane
    // It takes a processor for long.
    case .secret: 6
    case .backup(let backup): backup.lane
    }
  }
  /// Walks may be many and long; neither a journal's writer nor who repeats a request waits for them.
  public static func yields(_ job: Job) -> Bool {
    switch job {
    case .journalQueries, .archiveQueries: true
    default: false
    }
  }
}

/// A shard's wish to hear that something is durable.
public struct LogAck: Sendable {
  package var shard: ShardID
  package var sequence: UInt64
}

/// All that a node wants in its log at one moment: one write, one sync. An empty one is a probe of the disk, and closes the
/// batch before it: what is rotten there is not taken for torn any more.
public struct LogBatch: Sendable {
  package var number: UInt64
  package var records: [LogRecord]
  package var acks: [LogAck]
  /// Log that snapshots have made superfluous.
  package var releases: [LogRelease] = []
  /// What is live in the oldest segment is to be written again at the log's end.
  package var rewritesOldest = false
  /// The log's last segment is to be ended.
  package var rolls = false
}

public struct LogRelease: Sendable {
  package var shard: ShardID
  package var through: LogIndex
}

/// Work beside the log, in lanes: the journals' (0), the sending of snapshots (1), their writing (2), backups (3), what comes of
/// others' snapshots (4), the archive (5), secrets (6).
public enum Job: Sendable {
  case journalAppend(shard: ShardID, position: JournalPosition, bytes: [UInt8])
  /// Walks through a journal, a run of each: what is left of them comes back, and is to queue again.
  case journalQueries(shard: ShardID, queries: [ReplyToQuery])
  /// First answers to requests that came again: one read each.
  case journalRepeats(shard: ShardID, queries: [ReplyToQuery])
  /// Queries that need segments which are in the archive.
  case archiveQueries(shard: ShardID, queries: [ReplyToQuery], cluster: UInt64)
  /// The oldest segment of a journal is to go to the archive, if it is old enough.
  case archive(ArchiveOrder)
  /// Before a snapshot that refers to the journal is written.
  case journalSync(SnapshotOrder)
  case snapshotWrite(SnapshotOrder)
  case transfer(TransferJob)
  case backup(BackupJob)
  /// A replica has left for ever, and its tombstone is to be written. Others may refer to its journal: that is made durable, and stays.
  case closeJournal(ShardID)
  /// Its tombstone is durable: its snapshots go, and its journal, unless that was closed.
  case clearAway(ShardID)
  /// Journals go that nobody here refers to.
  case sweepJournals(JournalsNeeded)
  /// That this life has the node's seat: see `Incarnation`.
  case keepSeat(LifeID)
  /// What the node has promised of a cluster that is being made, or nil: nothing any more.
  case keepPromise([UInt8]?)
  /// Writes the file `settings` of the data directory anew.
  case keepSettings(String)
  /// A secret is to be hashed, or looked at.
  case secret(SecretJob)
}

/// Which journals a node needs.
public struct JournalsNeeded: Hashable, Sendable {
  /// Of shards with a higher number nothing is known.
  package var newest: ShardID
  package var journals: Set<ShardID>

  package init(newest: ShardID, journals: Set<ShardID>) { (self.newest, self.journals) = (newest, journals) }
  /// The node belongs to no cluster: what is on its way here comes to nothing as well.
  package static var none: JournalsNeeded { JournalsNeeded(newest: ShardID(.max), journals: []) }
}

/// A question that the journal answers, and who waits for the answer.
public typealias ReplyToQuery = (replyTo: ReplyTo, query: JournalQuery)

/// What came of a job of journal queries.
public struct JournalAnswers: Sendable {
  package var shard: ShardID
  package var answers: [EdgeAnswers] = []
  /// What the job cost, as the queries said beforehand.
  package var cost = 0
  /// What is left of queries that have yielded to others.
  package var unfinished: [ReplyToQuery] = []
  /// Queries that need the archive.
  package var archived: [ReplyToQuery] = []

  package init(shard: ShardID, answers: [EdgeAnswers] = [], cost: Int = 0, unfinished: [ReplyToQuery] = []) {
    self.shard = shard
    self.answers = answers
    self.cost = cost
    self.unfinished = unfinished
  }
}

extension Job {
  /// Bytes that it writes in the background; 0 where these are few.
  public var writtenBytes: Int {
    if case .snapshotWrite(let order) = self { order.writtenBytes } else { 0 }
  }
}

/// A segment may go to the archive.
public struct ArchiveOrder: Hashable, Sendable {
  package var shard: ShardID
  package var cluster: UInt64
  /// All that it tells was decided before.
  package var before: Stamp
  /// Where the state has the journal's end: what lies behind it in the files is of nobody yet.
  package var end: JournalPosition
  /// No replica of the shard is here any more: those of other shards refer to its journal, up to there.
  package var hasLeft: Bool

  package init(shard: ShardID, cluster: UInt64, before: Stamp, end: JournalPosition, hasLeft: Bool = false) {
    (self.shard, self.cluster, self.before, self.end, self.hasLeft) = (shard, cluster, before, end, hasLeft)
  }
}
/// What came of it.
public enum ArchiveResult: Hashable, Sendable {
  /// It is there, and its file is gone here.
  case archived(ShardID, segment: UInt32)
  /// None is old enough.
  case nothing(ShardID)
  /// - `isDamaged`: another file bears its name, or the copy is not what was written.
  case failed(ShardID, String, isDamaged: Bool)
  /// The file that is here is not what was written.
  case rotten(ShardID, String)

  package var shard: ShardID {
    switch self {
    case .archived(let shard, _), .nothing(let shard), .failed(let shard, _, _), .rotten(let shard, _): shard
    }
  }
}

/// A snapshot that is to be written.
public struct SnapshotOrder: Sendable {
  package var shard: ShardID
  package var index: LogIndex
  package var term: Term
  /// It must not be changes only: a peer is to be sent it.
  package var isWhole: Bool
  /// See `SnapshotMetadata`.
  package var metadata: [UInt8]
  package let snapshot: MachineSnapshot

  /// About how many bytes will be written.
  package var writtenBytes: Int { isWhole || snapshot.base == nil ? snapshot.byteCount : snapshot.changedByteCount }
}
public struct SnapshotResult: Sendable {
  package var order: SnapshotOrder
  /// What has been written.
  package var file: SnapshotFile?
  /// Nil: it has been written and is durable.
  package var failure: String?

  package init(order: SnapshotOrder, file: SnapshotFile? = nil, failure: String?) {
    self.order = order
    self.file = file
    self.failure = failure
  }
}

/// Answers for one edge, as they travel: see `EdgeResults`.
public struct EdgeAnswers: Sendable {
  package var edge: UInt32
  package var results: [UInt8]

  package init(edge: UInt32, results: [UInt8]) {
    self.edge = edge
    self.results = results
  }
}

/// What the disk has done.
public indirect enum Completion: Sendable {
  case logged(UInt64, [LogAck], isRewriting: Bool)
  /// There is no room for a batch, or no descriptor for its file: nothing of it counts as written.
  case logRefused(LogBatch, StorageError)
  case measured(DiskGauges)
  /// Answers to journal queries.
  case answered(JournalAnswers)
  /// A read found what was not written there; the answers to others are with it, and the transfer that is over by it.
  case journalRotten(JournalAnswers, reason: String, transfer: UInt64? = nil)
  case archived(ArchiveResult)
  /// So many bytes for a journal wait no more, and what became of them.
  case journalKept(Int, Completion)
  case journalSynced(SnapshotResult)
  case snapshotWritten(SnapshotResult)
  case transferred(TransferStep)
  /// Nil: what a replica that has left decided is durable.
  case journalClosed(ShardID, failure: String?)
  /// Nil: all of that replica is gone, but for its journal.
  case clearedAway(ShardID, failure: String?)
  case seatKept
  case promiseKept
  case settingsKept(failure: String?)
  case secret(SecretResult)
  /// There was no room or no descriptor for it: it is to be tried again.
  case seatWaits
  case promiseWaits
  case nothing
  case failed(String)
  /// The process must end: the disk has lost what it was given, or reads and writes of it fail.
  case broken(String)
  /// What failed before goes well again.
  case recovered(String)
}

extension LogBatch {
  /// Nothing but records, or a probe of the disk. Others take longer, and hold up the thread of the log alone.
  package var isOfRecords: Bool { releases.isEmpty && !rewritesOldest && !rolls }
  package var isProbe: Bool { records.isEmpty && isOfRecords }
}
