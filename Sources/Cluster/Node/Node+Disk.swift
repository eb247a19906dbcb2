import Base
import Ledger
import Raft
import Storage

/// The log and the disk under it: what is written next, what came of it, and whose writes are refused for want of room.
extension Node {
  /// How long a node that is full waits for others to take over before it refuses.
  static let fullHandOver: UInt64 = 2_000_000

  // MARK: The log

  func nextLogBatch() -> LogBatch? {
    guard let batch = logWriter.next(now: now.monotonic, isFull: disk.isFull) else { return nil }
    disk.writeBegins(now: now.monotonic)
    return batch
  }
  func batchWritten() {
    logWriter.written()
    if disk.wrote(now: now.monotonic, &out) { judgeShedding() }
  }
  func batchRefused(_ batch: LogBatch, _ error: StorageError) {
    logWriter.refused(batch, nextTry: now.monotonic + configuration.heartbeatInterval)
    if disk.refused(error, now: now.monotonic, &out) { judgeShedding() }
  }

  func diskMeasured(_ gauges: DiskGauges) {
    if disk.measured(gauges, now: now.monotonic, &out) { judgeShedding() }
    bound(gauges.log)
  }

  /// Does what `LogBound` asks for.
  private func bound(_ log: LogUsage) {
    let (step, isPinningNew) = logBound.judge(log, now: now.monotonic, underWay: snapshotUnderWay, &out)
    switch step {
    case .none: break
    case .rewrite: rewriteOldest()
    case .snapshot(let shards, let orRewrite):
      if !forceSnapshot(ofFirst: shards), orRewrite, logBound.mayRewrite(log, now: now.monotonic) { rewriteOldest() }
    }
    if isPinningNew { judgeShedding() }
  }
  private func rewriteOldest() {
    if logWriter.rewriteOldest() { counters.logRewrites += 1 }
  }
  /// False if none of them is here, or can.
  private func forceSnapshot(ofFirst shards: [ShardID]) -> Bool {
    for shard in shards {
      guard let replica = replica(shard) else { continue }
      if snapshotUnderWay != nil {
        replica.snapshotIsWanted = true
        return true
      }
      guard takeSnapshot(of: replica) else { continue }
      logBound.forced(shard, now: now.monotonic)
      counters.snapshotsForced += 1
      return true
    }
    return false
  }

  // MARK: Whose writes are refused

  /// With each heartbeat, and when this node's own state has changed.
  func judgeShedding() {
    let isAnyFull = disk.isFull || disk.refusesBatches || peers.contains { $0.disk.isFull }
    guard isAnyFull || isMemoryShort || isBehind || !logBound.pinning.isEmpty || isShedding else { return }
    for replica in replicas {
      guard let replica else { continue }
      replica.shedding = reasonToShed(replica)
      replica.sheddingOfGrowth = replica.isLeader ? memoryReason(replica, from: .over) : nil
    }
  }

  private var isShedding: Bool {
    replicas.contains { replica in replica.map { $0.shedding != nil || $0.sheddingOfGrowth != nil } ?? false }
  }

  /// Why writes of a shard are refused here; nil if they are not.
  private func reasonToShed(_ replica: Replica) -> String? {
    guard replica.isLeader else { return nil }
    if disk.refusesBatches {
      return disk.batchLacksRoom
        ? "the disk of node \(configuration.name) is full; nothing was done"
        : "node \(configuration.name) has no file descriptor left; nothing was done"
    }
    // What admins do goes on as long as it can.
    if replica.shard == .directory { return nil }
    if let reason = memoryReason(replica, from: .farOver) { return reason }
    if let reason = reasonOfBacklog(replica) { return reason }
    if disk.isFull, now.monotonic - disk.fullSince >= Node.fullHandOver || !hasHeir(replica) {
      return "the disk of node \(configuration.name) is nearly full; nothing was done"
    }
    let voters = replica.raft.configuration
    let isEnough = hasRoom(voters.voters) && (voters.outgoing.isEmpty || hasRoom(voters.outgoing))
    if !isEnough {
      let names = peers.filter { isFull($0) && voters.member(on: $0.id) != nil }.map(\.hello.name).sorted()
      return "the disk of \(names.joined(separator: ", ")) is nearly full; nothing was done"
    }
    if logBound.pinning.contains(replica.shard) {
      return "the log of node \(configuration.name) is too long for shard \(replica.shard.rawValue); nothing was done"
    }
    return nil
  }
  /// Whether more waits here than may, to be applied or to be written to a journal.
  private var isBehind: Bool {
    journal.bytesWaiting > Node.waitingBytesMax
      || replicas.contains { ($0?.unappliedBytes ?? 0) > Node.waitingBytesMax }
  }
  private func reasonOfBacklog(_ replica: Replica) -> String? {
    if journal.bytesWaiting > Node.waitingBytesMax {
      return "the journals of node \(configuration.name) wait for its disk; nothing was done"
    }
    return replica.unappliedBytes > Node.waitingBytesMax
      ? "node \(configuration.name) is too far behind with shard \(replica.shard.rawValue); nothing was done" : nil
  }
  static let waitingBytesMax = 64 << 20

  private func isFull(_ peer: Peer) -> Bool { peer.index == 0 ? disk.isFull : peer.disk.isFull }
  /// Whether so many have room as an entry needs. Who cannot be reached takes no entry either, but is no reason alone.
  private func hasRoom(_ voters: [ReplicaID]) -> Bool {
    let known = voters.compactMap { peer($0.node) }
    guard known.contains(where: { isFull($0) }) else { return true }
    let able = known.filter { !isFull($0) && $0.isConnectedOrSelf }.count
    return able * 2 > voters.count
  }
}
