import Base
import Ledger
import Raft
import Storage

/// Replicas that begin with a backup's state.
extension ShardDesk {
  /// Whether a promise is to a cluster that begins with a backup.
  static func isRestoring(_ promise: [UInt8]?) -> Bool {
    promise?.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      return (try? ClusterPlan(decoding: &reader))?.topology.restored != nil
    } ?? false
  }

  /// The cluster begins here with what was restored; the directory comes last.
  func begin(restored: [LoadedSnapshot]) {
    for loaded in restored {
      _ = absent.take(loaded.file.shard)
      let found = seed(
        RecoveredReplica(
          shard: loaded.file.shard, hardState: HardState(born: 0), snapshotIndex: loaded.file.index,
          snapshotTerm: loaded.file.term, configuration: loaded.configuration, entries: [], machine: loaded.machine))
      if found.shard == .directory { install(directory: found) } else { absent.keep(found) }
    }
  }
  /// What was found of replicas where the process ended before the log had anything of them. Without the directory's snapshot,
  /// which is the last, the cluster has not begun here.
  func seeded(_ shards: [RecoveredReplica]) -> [RecoveredReplica] {
    guard shards.contains(where: { $0.shard == .directory && $0.configuration != nil }) else { return [] }
    return shards.map { $0.hardState.born == 0 && $0.configuration != nil ? seed($0) : $0 }
  }
  /// A founder of its group, whose log begins behind the backup's state: all of that is committed.
  private func seed(_ found: RecoveredReplica) -> RecoveredReplica {
    var found = found
    found.hardState = unknownState(born: 1)
    found.hardState.term = found.snapshotTerm
    found.hardState.commit = found.snapshotIndex
    let shard = found.shard
    disk.writer.add(LogRecord(shard: shard, body: .reset(found.snapshotIndex, found.snapshotTerm)))
    disk.writer.add(LogRecord(shard: shard, body: .state(found.hardState.encoded)))
    return found
  }
}
