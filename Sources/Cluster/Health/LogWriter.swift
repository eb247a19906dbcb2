import Base
import Raft
import Storage

/// What is to be written to the node's log, in batches of which at most one is under way. Records, and who waits for them,
/// gather while one is; a batch that found no room is kept, and handed out again until there is.
struct LogWriter {
  private var records: [LogRecord] = []
  private var acks: [LogAck] = []
  private var releases: [LogRelease] = []
  private var isRewriteDue = false
  private var isRollDue = false
  /// A batch is under way, or waits for room.
  private(set) var isBusy = false
  /// The batch that found no room, while it is not being tried.
  private var refused: (batch: LogBatch, nextTry: UInt64)?
  /// The number that the next batch will have. They count from 1 in a node's life.
  private(set) var nextNumber: UInt64 = 1
  /// When one was handed out last (monotonic µs).
  private var lastBatch: UInt64
  private(set) var probeCount: UInt64 = 0

  /// A log that is not written to is probed so often, in microseconds: a disk that is ill shows.
  static let probeInterval: UInt64 = 1_000_000
  /// The room that is left in the log is not for probes.
  static let probeIntervalWhenFull: UInt64 = 30_000_000

  init(now: UInt64) { lastBatch = now }

  /// Nothing waits to be handed out.
  var isEmpty: Bool { records.isEmpty }
  var recordCount: Int { records.count }
  /// Nothing waits, and nothing is under way.
  var isIdle: Bool { records.isEmpty && !isBusy }
  /// The batch that has, or will have, all that was added up to now.
  var lastNumber: UInt64 { records.isEmpty ? nextNumber - 1 : nextNumber }

  // MARK: What is to be written

  mutating func add(_ record: LogRecord) { records.append(record) }
  /// What a shard's Raft group wants durable.
  mutating func add(_ persist: Persist, of shard: ShardID) {
    if let restart = persist.restart {
      records.append(LogRecord(shard: shard, body: .reset(restart.index, restart.term)))
    }
    if let state = persist.hardState { records.append(LogRecord(shard: shard, body: .state(state.encoded))) }
    for entry in persist.entries { records.append(LogRecord(shard: shard, body: .entry(entry))) }
    acks.append(LogAck(shard: shard, sequence: persist.sequence))
  }
  /// A shard needs no more of its log up to there.
  mutating func release(_ shard: ShardID, through index: LogIndex) {
    releases.append(LogRelease(shard: shard, through: index))
  }
  /// The next batch is to write the log's oldest segment again. False: it was to already.
  mutating func rewriteOldest() -> Bool {
    defer { isRewriteDue = true }
    return !isRewriteDue
  }

  /// The next batch is to end the log's last segment.
  mutating func roll() { isRollDue = true }

  // MARK: Batches

  /// What the log is to write now, if it may: a batch that had no room, or what has come together, or a probe.
  mutating func next(now: UInt64, isFull: Bool) -> LogBatch? {
    if isBusy {
      guard let (batch, nextTry) = refused, now >= nextTry else { return nil }
      refused = nil
      lastBatch = now
      return batch
    }
    var batch = LogBatch(
      number: nextNumber, records: records, acks: acks, releases: releases, rewritesOldest: isRewriteDue,
      rolls: isRollDue)
    if batch.isProbe {
      let interval = isFull ? LogWriter.probeIntervalWhenFull : LogWriter.probeInterval
      guard now - lastBatch >= interval else { return nil }
      probeCount += 1
      batch.acks = []
    }
    nextNumber += 1
    releases.removeAll()
    (isRewriteDue, isRollDue) = (false, false)
    records.removeAll(keepingCapacity: true)
    acks.removeAll(keepingCapacity: true)
    isBusy = true
    lastBatch = now
    return batch
  }

  /// The batch under way is durable.
  /// - Parameter isRewriting: a part of the log's oldest segment is yet to be written again: the next batch goes on.
  mutating func written(isRewriting: Bool = false) {
    isBusy = false
    if isRewriting { isRewriteDue = true }
  }
  /// It found no room, or no descriptor: it is tried again then (monotonic µs).
  mutating func refused(_ batch: LogBatch, nextTry: UInt64) { refused = (batch, nextTry) }
}
