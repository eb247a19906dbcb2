import Base
import Ledger
import Raft
import Storage

/// When a snapshot is taken. A node that starts applies again what came after its snapshots: so many commands may be behind
/// them, of all its shards together. When there are more, the shard that has most of them is frozen and written; one at a
/// time, so that shards take turns. Nodes do not all write the same shard at once: each begins at another place of its first
/// round. The writer goes as fast as the log bears (see `WritePacer`); what is late makes a start longer, and nothing else.
extension SnapshotDesk {
  /// The directory's log is small, and all of it is applied before a node knows its shards.
  private static let directoryLogBytes = 4 << 20

  /// Commands that this node would apply again if it started now.
  var commandsBehind: Int {
    replicas.reduce(0) { $1.shard == .directory ? $0 : $0 + $1.snapshots.commands }
  }

  /// Whose turn it is: somebody who waits for it, or whose log is too long; else who has most to apply again, if all
  /// together have too much. A replica that is still applying its log, or what it lacked as a newcomer, has no time for it.
  private func next() -> Replica? {
    guard underWay == nil else { return nil }
    var last: Replica?
    var most = 0
    var sum = 0
    for replica in replicas {
      replica.applying.wantsPause = false
      let isDirectory = replica.shard == .directory
      if !isDirectory { sum += replica.snapshots.weight }
      guard replica.quarantined == nil else { continue }
      let logLimit =
        isDirectory ? min(limits.snapshotLogBytes, SnapshotDesk.directoryLogBytes) : limits.snapshotLogBytes
      // While a newcomer applies what it lacked, most of what it touches it would have to copy for a snapshot.
      let isReplaying = replica.isReplaying || replica.isCatchingUp
      switch replica.snapshots.claim(now: now.monotonic, logLimit: logLimit, isReplaying: isReplaying) {
      case .next where hasJournals(replica): return replica
      case .behind(let weight) where weight > most && !isDirectory && hasJournals(replica):
        (last, most) = (replica, weight)
      case .next, .behind, .none: continue
      }
    }
    return sum >= limits.snapshotCommands ? last : nil
  }

  /// Whether the journals of other shards that a replica refers to are here that far. It may be ahead of their replicas here.
  private func hasJournals(_ replica: Replica) -> Bool {
    replica.machine.holdings.lineage.allSatisfy { end in
      // One that was found at the start makes its journal again from its log, once it has begun.
      guard let writer = replicas[end.position.journal] else { return !replicas.waiting.contains(end.position.journal) }
      return !writer.applying.isMidEntry && !writer.machine.journal.position.isBefore(end.position)
    }
  }

  /// As the next one, and whole, for a peer that is to be sent it.
  func takeWholeSoon(of replica: Replica) {
    replica.snapshots.wantWhole(until: now.monotonic + SnapshotSender.installTimeout)
    tell(.isDue)
  }

  // MARK: Beginning and end

  /// With each tick, and when a snapshot is over: begins the next, if one is due.
  /// - Parameter drain: empties a replica's outbox: what the snapshot refers to in the journal is to be on its way to the disk.
  func takeNext(drain: (Replica) -> Void) {
    if let order = underWay == nil ? backups.sources.takeOrder() : nil { return write(order) }
    guard let replica = next() else { return }
    // In the midst of an entry none can begin: it stops behind it.
    replica.applying.wantsPause = replica.applying.isMidEntry
    _ = take(of: replica, drain: drain)
  }
  /// False if none can be begun now: one is being written, the last failed a moment ago, or the state is not to be trusted.
  func take(of replica: Replica, drain: (Replica) -> Void) -> Bool {
    guard underWay == nil, replica.snapshots.mayBegin(now: now.monotonic), hasJournals(replica) else { return false }
    drain(replica)
    for end in replica.machine.holdings.lineage {
      if let writer = replicas[end.position.journal] { drain(writer) }
    }
    let isWhole = replica.snapshots.isToBeWhole(now: now.monotonic)
    let isForAge = replica.snapshots.isAged(now: now.monotonic)
    guard let order = replica.beginSnapshot(isWhole: isWhole) else { return false }
    if isForAge { replica.snapshots.beganForAge(nextDue: now.monotonic + limits.wholeInterval) }
    write(order)
    return true
  }
  private func write(_ order: SnapshotOrder) {
    underWay = order.shard
    disk.journal.write(order.shard, &turn.out)
    for end in SnapshotMetadata(order.metadata)?.lineage ?? [] { disk.journal.write(end.journal, &turn.out) }
    turn.out.jobs.append(.journalSync(order))
  }

  /// Does what `LogBound` asks for. Whether other shards hold back a log that is too long than before.
  func bound(_ log: LogUsage, drain: (Replica) -> Void) -> Bool {
    let (step, isPinningNew) = disk.bound.judge(log, now: now.monotonic, underWay: underWay, &turn.out)
    switch step {
    case .none: break
    case .rewrite: disk.rewriteOldest()
    case .snapshot(let shards, let orRewrite):
      if !force(ofFirst: shards, drain), orRewrite, disk.bound.mayRewrite(log, now: now.monotonic) {
        disk.rewriteOldest()
      }
    }
    return isPinningNew
  }
  /// False if none of them is here, or can.
  private func force(ofFirst shards: [ShardID], _ drain: (Replica) -> Void) -> Bool {
    for replica in shards.compactMap({ replicas[$0] }) {
      if underWay != nil {
        replica.snapshots.want()
        return true
      }
      guard take(of: replica, drain: drain) else { continue }
      disk.snapshotForced(of: replica.shard)
      return true
    }
    return false
  }

  /// What it refers to is durable, and it may be written; or it is given up: then the next may begin.
  func journalIsSynced(for result: SnapshotResult) -> Bool {
    guard result.failure == nil else {
      written(result)
      return true
    }
    turn.out.jobs.append(.snapshotWrite(result.order))
    return false
  }
  /// A snapshot is written, or was given up.
  func written(_ result: SnapshotResult) {
    underWay = nil
    backups.written(result)
    guard let replica = replicas[result.order.shard] else { return }
    noteSnapshot(of: replica, failure: result.failure)
    // A log that is too long is not kept for those who are sent snapshots.
    let held = disk.bound.pinning.contains(replica.shard) ? nil : logHeld(for: replica)
    let isForAge = replica.snapshots.endsTail
    let released =
      isForAge
      ? replica.endSnapshot(result, keepingTail: 0, held: heldByFollowers(replica, held))
      : replica.endSnapshot(result, keepingTail: limits.logTailBytes, held: held)
    if isForAge, released.map({ $0 < result.order.index }) ?? true {
      replica.snapshots.wasInVain(nextDue: now.monotonic + limits.wholeInterval / 8)
    }
    if let released {
      disk.writer.release(replica.shard, through: released)
      counters.taken += 1
      log(.debug, "snapshot written shard=\(replica.shard.rawValue) index=\(result.order.index.rawValue)")
    }
    replica.isDirty = true
    if result.failure == nil { snapshotWritten(replica.shard) }
  }

  /// One that failed is tried again until it does not: the log waits for it. The operator is told once.
  private func noteSnapshot(of replica: Replica, failure: String?) {
    if let failure {
      log(replica.snapshots.isOwed ? .debug : .error, "snapshot failed shard=\(replica.shard.rawValue): \(failure)")
      return replica.snapshots.failed(retryAt: now.monotonic + LogBound.snapshotPause)
    }
    if replica.snapshots.isOwed { log(.info, "snapshots are written again shard=\(replica.shard.rawValue)") }
    replica.snapshots.succeeded()
  }

  /// The same, where no tail is kept: what followers that are just behind have yet to get stays.
  private func heldByFollowers(_ replica: Replica, _ held: LogIndex?) -> LogIndex? {
    guard replica.raft.role == .leader else { return held }
    let behind = replica.raft.progress.filter { $0.state == .replicate && $0.isActive }.map(\.match)
    return (behind + (held.map { [$0] } ?? [])).min()
  }
  /// Through where the log may go while followers are sent snapshots; nil: it does not matter to them.
  private func logHeld(for replica: Replica) -> LogIndex? {
    guard let held = sender.held(of: replica.shard) else { return nil }
    // Over the bound of all together the log goes on, and the next attempt begins with a newer snapshot.
    let all = replicas.reduce(0) { sender.held(of: $1.shard) == nil ? $0 : $0 + $1.raft.logBytes }
    return all <= limits.logHeldBytes ? held : nil
  }
}
