import Base
import Raft
import Storage

/// Replicas that do not run here: those found on disk that wait for the directory's word, and those that have left this node
/// for ever.
///
/// A replica leaves in three steps. Its *tombstone* says by which version of its configuration it was born; once that is
/// durable, its files go; once they are gone, the node may begin another of that shard. So no late message raises it again
/// with less than it had promised, and nothing that was its is taken for its successor's. A start finishes what a crash
/// left. If records of other shards may refer to its journal, that is made durable before the first step, and stays until it is known that
/// nobody here does.
struct AbsentReplicas {
  /// Where a replica that leaves has come to.
  private enum Departure {
    /// The disk makes its journal durable.
    case closing
    case unclosed
    /// Its tombstone is in that batch.
    case burying(batch: UInt64)
    case buried
    /// The disk removes its files.
    case clearing
  }
  /// Found on disk; the directory has not told their placement yet.
  private(set) var found: [ShardID: RecoveredReplica] = [:]
  /// By which version the last replica of a shard was born that has left.
  private(set) var tombstones: [ShardID: UInt64]
  private var departures: [ShardID: Departure] = [:]

  /// There may be journals that nobody here refers to.
  var isSweepDue = true

  init(tombstones: [ShardID: UInt64]) { self.tombstones = tombstones }

  // MARK: Those that wait

  mutating func keep(_ replica: RecoveredReplica) { found[replica.shard] = replica }
  mutating func take(_ shard: ShardID) -> RecoveredReplica? { found.removeValue(forKey: shard) }

  // MARK: Those that have left

  /// Whether a replica of a shard, born by that version, may never be here again.
  func isGone(_ shard: ShardID, born: UInt64) -> Bool { born <= tombstones[shard] ?? 0 }
  /// Whether a replica of a shard may begin with nothing, for a message or a founding that names its birth.
  func admits(_ shard: ShardID, born: UInt64) -> Bool {
    found[shard] == nil && departures[shard] == nil && !isGone(shard, born: born)
  }
  /// A replica has left whose journal others may refer to.
  mutating func leave(_ shard: ShardID, born: UInt64) {
    tombstones[shard] = max(tombstones[shard] ?? 0, born)
    departures[shard] = .unclosed
  }
  /// Its journal is durable, or is to be made so again.
  /// - Returns: by which version it was born, if its tombstone is to be written.
  mutating func closed(_ shard: ShardID, isDone: Bool) -> UInt64? {
    guard case .closing? = departures[shard] else { return nil }
    departures[shard] = .unclosed
    return isDone ? tombstones[shard] : nil
  }
  /// A replica has left. Its tombstone is in that batch of the log.
  mutating func bury(_ shard: ShardID, born: UInt64, batch: UInt64) {
    tombstones[shard] = max(tombstones[shard] ?? 0, born)
    departures[shard] = .burying(batch: batch)
  }
  var isAnyLeaving: Bool { !departures.isEmpty }
  /// The log is durable up to that batch.
  mutating func written(through batch: UInt64) {
    for (shard, departure) in departures {
      if case .burying(let own) = departure, own <= batch { departures[shard] = .buried }
    }
  }
  /// Has the disk close the journals of those that have left, and remove the files of those whose tombstones are durable.
  /// - Parameter busy: a shard of which a file is being written.
  mutating func clearAway(but busy: ShardID?, _ out: inout NodeOutput) {
    for shard in departures.keys.sorted() where shard != busy {
      switch departures[shard] {
      case .unclosed:
        departures[shard] = .closing
        out.jobs.append(.closeJournal(shard))
      case .buried:
        departures[shard] = .clearing
        out.jobs.append(.clearAway(shard))
      default: break
      }
    }
  }
  /// - Parameter isDone: the files are gone; else it is tried again.
  mutating func cleared(_ shard: ShardID, isDone: Bool) {
    departures[shard] = isDone ? nil : .buried
    if isDone { isSweepDue = true }
  }
}
