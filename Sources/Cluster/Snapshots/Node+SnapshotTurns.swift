import Base
import Ledger
import Raft
import Storage

/// When a snapshot is taken. A node that starts applies again what came after its snapshots: so many commands may be behind
/// them, of all its shards together. When there are more, the shard that has most of them is frozen and written; one at a
/// time, so that shards take turns. Nodes do not all write the same shard at once: each begins at another place of its first
/// round. The writer goes as fast as the log bears (see `WritePacer`); what is late makes a start longer, and nothing else.
extension Node {
  /// The directory's log is small, and all of it is applied before a node knows its shards.
  private static let directoryLogBytes = 4 << 20

  /// Commands that this node would apply again if it started now.
  var commandsBehindSnapshots: Int {
    replicas.reduce(0) { sum, replica in
      guard let replica, replica.shard != .directory else { return sum }
      return sum + replica.commandsSinceSnapshot
    }
  }

  /// Where a shard begins its first round: how many commands it is ahead in it.
  func snapshotHeadStart(of shard: ShardID) -> Int {
    guard let topology, let rank = topology.members.firstIndex(where: { $0.id == id }) else { return 0 }
    let here = max(1, topology.shards.count { $0.voters.contains(id) })
    let count = topology.members.count
    return configuration.snapshotCommands / here * ((rank + Int(shard.rawValue)) % count) / count
  }

  /// With each tick, and when a snapshot is over: begins the next, if one is due.
  func takeNextSnapshot() {
    guard snapshotUnderWay == nil, let replica = nextForSnapshot() else { return }
    // In the midst of an entry none can begin: it stops behind it.
    replica.wantsPause = replica.openEntry != nil
    takeSnapshot(of: replica)
  }

  /// Whose turn it is: somebody who waits for it, or whose log is too long; else who has most to apply again, if all
  /// together have too much. A replica that is still applying its log has no time for it.
  private func nextForSnapshot() -> Replica? {
    var most: Replica?
    var sum = 0
    for replica in replicas {
      guard let replica else { continue }
      replica.wantsPause = false
      if replica.shard != .directory { sum += replica.commandsSinceSnapshot + replica.snapshotHeadStart }
      guard now.monotonic >= replica.snapshotNotBefore, replica.quarantined == nil else { continue }
      if replica.snapshotIsOwed || replica.snapshotIsWanted { return replica }
      guard !replica.isReplaying else { continue }
      let isDirectory = replica.shard == .directory
      let limit =
        isDirectory ? min(configuration.snapshotLogBytes, Node.directoryLogBytes) : configuration.snapshotLogBytes
      if replica.bytesSinceSnapshot >= limit { return replica }
      guard !isDirectory, replica.commandsSinceSnapshot > 0 else { continue }
      if most.map({ $0.snapshotWeight < replica.snapshotWeight }) ?? true { most = replica }
    }
    return sum >= configuration.snapshotCommands ? most : nil
  }

  /// As the next one, and whole, for a peer that is to be sent it. It will ask again, perhaps after more than one has been
  /// written: all are whole for some time.
  func takeWholeSnapshotSoon(of replica: Replica) {
    replica.snapshotIsWanted = true
    replica.wholeSnapshotsUntil = now.monotonic + SnapshotSender.installTimeout
    takeNextSnapshot()
  }

  /// False if none can be begun now: one is being written, the last failed a moment ago, or the state is not to be trusted.
  @discardableResult
  func takeSnapshot(of replica: Replica) -> Bool {
    guard snapshotUnderWay == nil, now.monotonic >= replica.snapshotNotBefore else { return false }
    // The journal that it refers to goes to the disk before it.
    drain(replica)
    let isWhole = now.monotonic < replica.wholeSnapshotsUntil
    guard let order = replica.beginSnapshot(isWhole: isWhole) else { return false }
    snapshotUnderWay = replica.shard
    journal.write(order.shard, &out)
    out.jobs.append(.journalSync(order))
    return true
  }

  func journalSynced(_ result: SnapshotResult) {
    if result.failure == nil {
      out.jobs.append(.snapshotWrite(result.order))
    } else {
      snapshotWritten(result)
    }
  }

  func snapshotWritten(_ result: SnapshotResult) {
    snapshotUnderWay = nil
    guard let replica = replica(result.order.shard) else { return }
    noteSnapshot(of: replica, failure: result.failure)
    let held = logHeld(for: replica)
    if let released = replica.endSnapshot(result, keepingTail: configuration.logTailBytes, held: held) {
      logWriter.release(replica.shard, through: released)
      counters.snapshotsTaken += 1
      log(.debug, "snapshot written shard=\(replica.shard.rawValue) index=\(result.order.index.rawValue)")
    }
    replica.isDirty = true
    takeNextSnapshot()
  }

  /// One that failed is tried again until it does not: the log waits for it. The operator is told once.
  private func noteSnapshot(of replica: Replica, failure: String?) {
    if let failure {
      log(replica.snapshotIsOwed ? .debug : .error, "snapshot failed shard=\(replica.shard.rawValue): \(failure)")
      replica.snapshotNotBefore = now.monotonic + LogBound.snapshotPause
    } else if replica.snapshotIsOwed {
      log(.info, "snapshots are written again shard=\(replica.shard.rawValue)")
    }
    replica.snapshotIsOwed = failure != nil
  }

  /// Through where the log may go while followers are sent snapshots; nil: it does not matter to them.
  private func logHeld(for replica: Replica) -> LogIndex? {
    guard replica.raft.logBytes <= configuration.logHeldBytes, !logBound.pinning.contains(replica.shard) else {
      return nil
    }
    return sender.held(of: replica.shard)
  }
}
