import Base
import Storage

/// The log of all shards goes from its begin on, a segment when nothing in it is needed. Over its limit, what little is
/// needed of its oldest segment is written again at its end; where much is needed, those who need most are relieved by
/// a snapshot. A start reads all of the log: so where it is mostly needless, that is done long before. If it still grows,
/// writes of those are refused here, long before the disk is full. Moments are monotonic µs.
struct LogBound {
  /// A snapshot is forced no more often than this, and one that failed is tried again after it.
  static let snapshotPause: UInt64 = 10_000_000
  /// Where the whole log was written again and did not become shorter, it is let be for a while.
  static let rewritePause: UInt64 = 1_000_000
  /// A log of so few segments is short enough.
  private static let segmentsAtRest = 4

  /// In bytes.
  var limit: UInt64
  /// Shards that hold back too much of the log: their writes are refused.
  private(set) var pinning: Set<ShardID> = []
  private var judgedVersion: UInt64 = 0
  private var rewroteAt: UInt64 = 0
  private var rewritesInVain = 0
  private var leastPinned = UInt64.max
  /// When each shard's snapshot was last forced, and whose was the last.
  private var forcedAt: [ShardID: UInt64] = [:]
  private var lastForced: ShardID?

  init(limit: UInt64) { self.limit = limit }

  /// What is to be done about the log's length.
  enum Step: Hashable {
    case none
    /// The oldest segment is to be written again.
    case rewrite
    /// The first of these shards that can is to take a snapshot: then `forced` is told. If none can, `mayRewrite` says
    /// whether the oldest segment is to be written again instead.
    case snapshot(ofFirst: [ShardID], orRewrite: Bool)
  }

  /// Whenever the log was looked at.
  /// - Parameter underWay: the shard whose snapshot is being written.
  /// - Returns: what is to be done, and whether what is refused has changed.
  mutating func judge(
    _ log: LogUsage, now: UInt64, underWay: ShardID?, _ out: inout NodeOutput
  ) -> (step: Step, isPinningNew: Bool) {
    guard log.version != judgedVersion else { return (.none, false) }
    judgedVersion = log.version
    guard log.pinnedBytes > limit else {
      let isMostlyNeedless = log.pinnedBytes > limit / 16 && log.liveBytes <= log.pinnedBytes / 2
      let isNew = !pinning.isEmpty && setPinning([], &out)
      if log.segmentCount > LogBound.segmentsAtRest, isMostlyNeedless {
        return (mayRewrite(log, now: now) ? .rewrite : .none, isNew)
      }
      leastPinned = .max
      return (.none, isNew)
    }
    // If all of these were gone, the rest would fill half of the limit at most.
    let heavy = log.shards.filter { $0.liveBytes > limit / UInt64(2 * log.shards.count) }
    var step = Step.none
    // Each byte written again frees at least one.
    if log.liveBytes <= log.pinnedBytes / 2 {
      if mayRewrite(log, now: now) { step = .rewrite }
    } else if lastForced == nil || underWay != lastForced {
      step = .snapshot(ofFirst: needy(heavy, now: now), orRewrite: log.liveBytes <= log.pinnedBytes / 4 * 3)
    }
    let shards = Set(heavy.map(\.shard))
    if log.pinnedBytes > limit + limit / 2 { return (step, setPinning(shards, &out)) }
    return (step, !pinning.isEmpty && setPinning(pinning.intersection(shards), &out))
  }

  /// Whether the oldest segment is to be written again now: not for ever, where the log does not become shorter by it.
  mutating func mayRewrite(_ log: LogUsage, now: UInt64) -> Bool {
    if log.pinnedBytes < leastPinned {
      leastPinned = log.pinnedBytes
      rewritesInVain = 0
    }
    if rewritesInVain >= 2 * log.segmentCount + 4 {
      guard now - rewroteAt >= LogBound.rewritePause else { return false }
      leastPinned = log.pinnedBytes
      rewritesInVain = 0
    }
    rewritesInVain += 1
    rewroteAt = now
    return true
  }

  /// Those whose snapshot may help, who needs it most first.
  private func needy(_ heavy: [ShardUsage], now: UInt64) -> [ShardID] {
    heavy.sorted { ($1.liveBytes, $0.shard) < ($0.liveBytes, $1.shard) }.map(\.shard).filter { shard in
      forcedAt[shard].map { now - $0 >= LogBound.snapshotPause } ?? true
    }
  }
  /// A shard's snapshot has begun for the log's sake.
  mutating func forced(_ shard: ShardID, now: UInt64) {
    forcedAt[shard] = now
    lastForced = shard
  }

  private mutating func setPinning(_ shards: Set<ShardID>, _ out: inout NodeOutput) -> Bool {
    guard shards != pinning else { return false }
    if pinning.isEmpty {
      let names = shards.sorted().map { "\($0.rawValue)" }.joined(separator: ",")
      out.log(
        .error,
        "the log is half again over log-limit-mb: writes are refused of shards=\(names), which hold it back; see above why"
          + " their snapshots fail, or raise the limit")
    } else if shards.isEmpty {
      out.log(.info, "the log is within its limit again")
    }
    pinning = shards
    return true
  }
}
