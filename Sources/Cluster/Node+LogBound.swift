import Base
import Storage

/// The log of all shards is as long as the one that holds back most. Over its limit that one is relieved: by a snapshot, or
/// where that does not help or cannot be, by writing its entries again at the log's end. If it still grows, writes of the
/// shards that hold it back are refused here, long before the disk is full.
extension Node {
  /// A snapshot is forced no more often than this, and one that failed is tried again after it.
  static let snapshotPause: UInt64 = 10_000_000

  /// Where so many shards were relieved in a row and the log did not become shorter, nobody is for a while (µs): a log
  /// that cannot be shortened is not rewritten all the time.
  static let reliefPause: UInt64 = 1_000_000

  /// Whenever the log was looked at.
  func boundLog() {
    guard let log = disk.gauges?.log, log.version != disk.usageJudged else { return }
    disk.usageJudged = log.version
    let limit = UInt64(configuration.logLimitBytes)
    guard log.pinnedBytes > limit else {
      if !disk.pinning.isEmpty { pinning([]) }
      disk.leastPinned = .max
      return
    }
    guard let worst = log.shards.max(by: { ($0.pinnedBytes, $0.liveBytes) < ($1.pinnedBytes, $1.liveBytes) }) else {
      return
    }
    if mayRelieve(log) { relieve(worst) }
    let over = Set(log.shards.filter { $0.pinnedBytes > limit }.map(\.shard))
    if log.pinnedBytes > limit + limit / 2 {
      pinning(over)
    } else if !disk.pinning.isEmpty {
      pinning(disk.pinning.intersection(over))
    }
  }

  /// A segment goes once each shard that has records in it was relieved.
  private func mayRelieve(_ log: LogUsage) -> Bool {
    if log.pinnedBytes < disk.leastPinned {
      disk.leastPinned = log.pinnedBytes
      disk.reliefsInVain = 0
    }
    if disk.reliefsInVain >= 2 * log.shards.count + 4 {
      guard now.monotonic - disk.relievedAt >= Node.reliefPause else { return false }
      disk.leastPinned = log.pinnedBytes
      disk.reliefsInVain = 0
    }
    disk.reliefsInVain += 1
    disk.relievedAt = now.monotonic
    return true
  }

  private func relieve(_ usage: ShardUsage) {
    // Few bytes that hold back many: a snapshot would leave them, as a tail for those who are just behind.
    if usage.liveBytes <= usage.pinnedBytes / 4 { return rewrite(usage.shard) }
    let wasForced = disk.forced.map { $0.shard == usage.shard && now.monotonic - $0.at < Node.snapshotPause } ?? false
    if !wasForced, let replica = replica(usage.shard), replica.quarantined == nil,
      now.monotonic >= replica.snapshotNotBefore,
      let order = replica.beginSnapshot()
    {
      disk.forced = (usage.shard, now.monotonic)
      counters.snapshotsForced += 1
      takeSnapshot(order)
    } else if usage.liveBytes <= usage.pinnedBytes / 2 {
      rewrite(usage.shard)
    }
  }
  private func rewrite(_ shard: ShardID) {
    guard !pendingRewrites.contains(shard) else { return }
    pendingRewrites.append(shard)
    counters.logRewrites += 1
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
