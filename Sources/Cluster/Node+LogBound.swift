import Base
import Storage

/// The log of all shards goes from its begin on, a segment when nothing in it is needed. Over its limit, what little is
/// needed of its oldest segment is written again at its end; where much is needed, those who need most are relieved by
/// a snapshot. A start reads all of the log: so where it is mostly needless, that is done long before. If it still grows,
/// writes of those are refused here, long before the disk is full.
extension Node {
  /// A snapshot is forced no more often than this, and one that failed is tried again after it.
  static let snapshotPause: UInt64 = 10_000_000

  /// A log of so few is short enough.
  private static let segmentsAtRest = 4

  /// Where the whole log was written again and did not become shorter, it is let be for a while (µs).
  static let rewritePause: UInt64 = 1_000_000

  /// Whenever the log was looked at.
  func boundLog() {
    guard let log = disk.gauges?.log, log.version != disk.usageJudged else { return }
    disk.usageJudged = log.version
    let limit = UInt64(configuration.logLimitBytes)
    guard log.pinnedBytes > limit else {
      if !disk.pinning.isEmpty { pinning([]) }
      if log.segmentCount > Node.segmentsAtRest, log.pinnedBytes > limit / 16, log.liveBytes <= log.pinnedBytes / 2 {
        rewriteOldest(log)
      } else {
        disk.leastPinned = .max
      }
      return
    }
    // If all of these were gone, the rest would fill half of the limit at most.
    let heavy = log.shards.filter { $0.liveBytes > limit / UInt64(2 * log.shards.count) }
    // Each byte written again frees at least one.
    if log.liveBytes <= log.pinnedBytes / 2 {
      rewriteOldest(log)
    } else if !forceSnapshot(heavy), log.liveBytes <= log.pinnedBytes / 4 * 3 {
      rewriteOldest(log)
    }
    let shards = Set(heavy.map(\.shard))
    if log.pinnedBytes > limit + limit / 2 {
      pinning(shards)
    } else if !disk.pinning.isEmpty {
      pinning(disk.pinning.intersection(shards))
    }
  }

  private func rewriteOldest(_ log: LogUsage) {
    if log.pinnedBytes < disk.leastPinned {
      disk.leastPinned = log.pinnedBytes
      disk.rewritesInVain = 0
    }
    if disk.rewritesInVain >= 2 * log.segmentCount + 4 {
      guard now.monotonic - disk.rewroteAt >= Node.rewritePause else { return }
      disk.leastPinned = log.pinnedBytes
      disk.rewritesInVain = 0
    }
    disk.rewritesInVain += 1
    disk.rewroteAt = now.monotonic
    guard !isRewriteDue else { return }
    isRewriteDue = true
    counters.logRewrites += 1
  }

  /// One at a time, whoever needs most first. False if there is nobody left whose snapshot may help.
  private func forceSnapshot(_ heavy: [ShardUsage]) -> Bool {
    if let last = disk.lastForced, snapshotUnderWay == last { return true }
    for usage in heavy.sorted(by: { ($1.liveBytes, $0.shard) < ($0.liveBytes, $1.shard) }) {
      if let at = disk.forcedAt[usage.shard], now.monotonic - at < Node.snapshotPause { continue }
      guard let replica = replica(usage.shard) else { continue }
      if snapshotUnderWay != nil {
        replica.snapshotIsWanted = true
        return true
      }
      guard takeSnapshot(of: replica) else { continue }
      disk.forcedAt[usage.shard] = now.monotonic
      disk.lastForced = usage.shard
      counters.snapshotsForced += 1
      return true
    }
    return false
  }

  private func pinning(_ shards: Set<ShardID>) {
    guard shards != disk.pinning else { return }
    if disk.pinning.isEmpty {
      let names = shards.sorted().map { "\($0.rawValue)" }.joined(separator: ",")
      log(
        .error,
        "the log is half again over log-limit-mb: writes are refused of shards=\(names), which hold it back; see above why"
          + " their snapshots fail, or raise the limit")
    } else if shards.isEmpty {
      log(.info, "the log is within its limit again")
    }
    disk.pinning = shards
    judgeShedding()
  }
}
