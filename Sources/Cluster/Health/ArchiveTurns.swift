import Base
import Ledger

/// Which shard's journal is looked at next for a segment that may go to the archive: one at a time, and all of them once an interval.
/// Moments are monotonic, in microseconds.
struct ArchiveTurns {
  /// What is older goes; nil: there is no archive.
  let keep: UInt64?
  /// See `NodeConfiguration.archivesEarly`.
  let isEarly: Bool
  let interval: UInt64
  private var last: ShardID?
  private var isUnderWay = false
  private var nextAt: UInt64 = 0
  private var complaint: String?

  init(keep: UInt64?, isEarly: Bool = false, interval: UInt64 = 60_000_000) {
    (self.keep, self.isEarly, self.interval) = (keep, isEarly, interval)
  }

  func isDue(now: UInt64) -> Bool { keep != nil && !isUnderWay && now >= nextAt }

  /// - Parameter shards: those that are here, in order.
  mutating func next(now: UInt64, of shards: [ShardID]) -> ShardID? {
    guard isDue(now: now) else { return nil }
    let place = shards.firstIndex { shard in last.map { shard > $0 } ?? true }
    guard let place else {
      // All have had their turn.
      last = nil
      nextAt = now + interval
      return nil
    }
    isUnderWay = true
    return shards[place]
  }
  /// What came of it.
  /// - Returns: what the operator is to be told, once.
  mutating func ended(_ result: ArchiveResult, now: UInt64) -> String? {
    isUnderWay = false
    switch result {
    // There may be more of it.
    case .archived: complaint = nil
    case .nothing(let shard), .rotten(let shard, _): last = shard
    case .failed(let shard, let reason, _):
      last = shard
      guard complaint != reason else { return nil }
      complaint = reason
      return reason
    }
    return nil
  }
}

/// Old segments of journals go to the archive.
extension HealthDesk {
  /// With each tick.
  func archiveNext() {
    guard let keep = disk.archiving.keep, disk.archiving.isDue(now: now.monotonic) else { return }
    let membership = leadership.membership
    guard membership.cluster != 0 else { return }
    let here = replicas.filter { $0.machine.journalWindow != nil && $0.quarantined == nil }
    let left = journalsLeft(by: here)
    let shards = (here.map(\.shard) + left.map(\.end.journal)).sorted()
    guard let shard = disk.archiving.next(now: now.monotonic, of: shards) else { return }
    let old = left.first { $0.end.journal == shard }
    guard let machine = old?.machine ?? replicas[shard]?.machine else { return }
    // By the stamps of the shard, or of one that refers to its journal, as windows go by them.
    let window = disk.archiving.isEarly ? 0 : machine.journalWindow ?? 0
    let age = max(Int64(clamping: keep), window)
    let before = Stamp(microseconds: max(0, machine.lastStamp.microseconds - age))
    turn.out.jobs.append(
      .archive(
        ArchiveOrder(
          shard: shard, cluster: membership.cluster, before: before, end: old?.end ?? machine.journal.position,
          hasLeft: old != nil)))
  }
  /// Journals of shards that have no replica here any more, up to where others refer to them; in order.
  private func journalsLeft(by here: [Replica]) -> [(end: JournalPosition, machine: any Machine)] {
    var left: [(end: JournalPosition, machine: any Machine)] = []
    for replica in here {
      for end in replica.machine.holdings.lineage.map(\.position)
      where replicas[end.journal] == nil && !replicas.waiting.contains(end.journal) {
        // Of two that refer to it the one that is behind bounds what goes.
        guard let place = left.firstIndex(where: { $0.end.journal == end.journal }) else {
          left.append((end, replica.machine))
          continue
        }
        if end.isBefore(left[place].end) { left[place] = (end, replica.machine) }
      }
    }
    return left
  }
  func archived(_ result: ArchiveResult) {
    if let reason = disk.archiving.ended(result, now: now.monotonic) {
      log(.error, "the journal of shard \(result.shard.rawValue) cannot be archived, it stays here: \(reason)")
    }
    switch result {
    case .archived(let shard, let segment):
      replicas.damagedArchives.remove(shard)
      disk.counters.segmentsArchived += 1
      log(.info, "journal archived shard=\(shard.rawValue) segment=\(segment)")
    case .failed(let shard, _, isDamaged: true): replicas.damagedArchives.insert(shard)
    case .rotten(let shard, let reason): journalIsRotten(shard, reason)
    case .failed, .nothing: break
    }
  }
  /// What a journal was asked is answered.
  func answered(_ found: JournalAnswers) -> [EdgeAnswers] {
    disk.answered(found, cluster: leadership.membership.cluster)
  }
}
