import Base
import Storage

/// The log, the journals and the disk under them: what is written next, what came of it, and how the disk does.
final class DiskDesk: Coordinator {
  let turn: Turn
  var writer: LogWriter
  var bound: LogBound
  var journal: JournalDesk
  var health: DiskHealth
  var archiving: ArchiveTurns
  var counters = DiskCounters()
  private let retryInterval: UInt64
  /// How often the log's last segment is ended, and when it is next; see `NodeConfiguration.eraseWithin`. Monotonic µs.
  private let rollInterval: UInt64
  private var nextRoll: UInt64

  init(turn: Turn, configuration: NodeConfiguration) {
    self.turn = turn
    writer = LogWriter(now: turn.now.monotonic)
    bound = LogBound(limit: UInt64(configuration.logLimitBytes))
    journal = JournalDesk(window: configuration.journalWindow)
    health = DiskHealth(
      reserve: configuration.diskReserve, slowWrite: configuration.slowWrite, now: turn.now.monotonic)
    archiving = ArchiveTurns(
      keep: configuration.journalKeep, isEarly: configuration.archivesEarly, interval: configuration.archiveInterval)
    retryInterval = configuration.heartbeatInterval
    rollInterval = configuration.rollInterval
    nextRoll = turn.now.monotonic + configuration.rollInterval / 8
  }

  func nextBatch() -> LogBatch? {
    if now.monotonic >= nextRoll, !health.isFull {
      nextRoll = now.monotonic + rollInterval
      writer.roll()
    }
    guard let batch = writer.next(now: now.monotonic, isFull: health.isFull) else { return nil }
    health.writeBegins(now: now.monotonic)
    return batch
  }

  // What came of it. True: it makes a difference to whose writes are refused.

  func batchWritten(isRewriting: Bool = false) -> Bool {
    writer.written(isRewriting: isRewriting)
    return health.wrote(now: now.monotonic, &turn.out)
  }
  func batchRefused(_ batch: LogBatch, _ error: StorageError) -> Bool {
    writer.refused(batch, nextTry: now.monotonic + retryInterval)
    return health.refused(error, now: now.monotonic, &turn.out)
  }
  func measured(_ gauges: DiskGauges) -> Bool { health.measured(gauges, now: now.monotonic, &turn.out) }

  // MARK: What a replica's turn produced

  /// Entries for its log, records for its journal, and questions that the journal answers.
  func take(of replica: Replica) {
    let shard = replica.shard
    for persist in replica.outbox.persist { writer.add(persist, of: shard) }
    replica.outbox.persist.removeAll(keepingCapacity: true)
    for (position, bytes) in replica.outbox.journal { journal.keep(shard, position, bytes, &turn.out) }
    replica.outbox.journal.removeAll(keepingCapacity: true)
    journal.read(for: replica, &turn.out)
  }

  /// A question of a terminal of this node. What the journal's file lacks is on its way there first. False: there is no room.
  func read(_ question: RequestDesk.LocalWalk) -> Bool {
    guard journal.admits(question.walk) else { return false }
    journal.write(question.shard, &turn.out)
    let replyTo = ReplyTo(edge: ReplyTo.ownEdge, sequence: question.continuation)
    journal.submit(walks: [(replyTo, question.walk)], of: question.shard, &turn.out)
    return true
  }
  /// What a journal was asked is answered; what is left of it queues again.
  func answered(_ found: JournalAnswers, cluster: UInt64) -> [EdgeAnswers] {
    journal.answered(found)
    journal.submit(walks: found.unfinished, of: found.shard, &turn.out)
    journal.submit(archived: found.archived, of: found.shard, cluster: cluster, &turn.out)
    return found.answers
  }

  // MARK: The log's length

  func rewriteOldest() {
    if writer.rewriteOldest() { counters.logRewrites += 1 }
  }
  func snapshotForced(of shard: ShardID) {
    bound.forced(shard, now: now.monotonic)
    counters.snapshotsForced += 1
  }
  /// The shard that holds back most of the log.
  var shardHoldingLog: ShardUsage? { health.gauges?.log.shards.max { $0.pinnedBytes < $1.pinnedBytes } }
}

struct DiskCounters {
  @Measured("log_rewrites", .disk, "times that entries were written again at the log's end") var logRewrites: UInt64 = 0
  @Measured("segments_archived", .disk, "segments of journals that went to the archive") var segmentsArchived: UInt64 =
    0
  @Measured("snapshots_forced", .disk, "snapshots taken because the log was too long") var snapshotsForced: UInt64 = 0
}
