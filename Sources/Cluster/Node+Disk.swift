import Base
import Ledger
import Storage

/// The node's judgement of its own disk. One that is nearly full (`NOSPACE`) or slow (`SLOWDISK`) hands its leadership to
/// those whose disk is well; they know from each other ten times a second.
///
/// A full disk is a mode: writes of terminals are refused before there is no room for what must go on. A batch that the
/// log had no room for is kept, and handed out again until there is. A slow disk is known by the oldest batch that is
/// not finished, and when nothing flows by a probe a second; while it is ill the node does not campaign.
extension Node {
  /// A disk is well when it has been quick for so long.
  static let diskRecovery: UInt64 = 5_000_000
  /// After so long a write will not end.
  static let stuckWrite: UInt64 = 20_000_000
  static let probeInterval: UInt64 = 1_000_000
  /// The room that is left in the log is not for probes.
  static let probeIntervalWhenFull: UInt64 = 30_000_000
  /// How long a node that is full waits for others to take over before it refuses.
  static let fullHandOver: UInt64 = 2_000_000

  struct DiskState {
    var gauges: DiskGauges?
    // Room.
    var isFull = false
    var fullSince: UInt64 = 0
    /// The log has no room for the batch that is to be next, or no descriptor for its file.
    var refusesBatches = false
    var batchLacksRoom = false
    /// Descriptors are wanting, or were until lately.
    var lacksDescriptors = false
    var lastShortage: UInt64 = 0
    /// How many wants of descriptors have been looked at: of the storage, and of the shell.
    var shortagesSeen: UInt64 = 0
    var connectionsSeen: UInt64 = 0
    /// That batch, while it is not being tried.
    var refused: LogBatch?
    var nextTry: UInt64 = 0
    // Time.
    /// When the batch under way was handed out.
    var writeBegan: UInt64?
    /// For how long it has not been finished: of the time in which this process ran.
    var unfinished: UInt64 = 0
    var lastTick: UInt64 = 0
    var lastBatch: UInt64 = 0
    var isSlow = false
    /// When it last was too slow.
    var lastSlow: UInt64 = 0
    // The log's length: see `boundLog`.
    var usageJudged: UInt64 = 0
    var rewroteAt: UInt64 = 0
    var rewritesInVain = 0
    var leastPinned = UInt64.max
    /// When each shard's snapshot was last forced, and whose was the last.
    var forcedAt: [ShardID: UInt64] = [:]
    var lastForced: ShardID?
    /// Shards that hold back too much of the log.
    var pinning: Set<ShardID> = []
    var isShedding = false
    var probes: UInt64 = 0

    init(now: UInt64) {
      lastTick = now
      lastBatch = now
    }
  }

  /// A write that takes longer, in microseconds, makes a disk slow: half an election timeout.
  var slowWrite: UInt64 { UInt64(configuration.electionTicks) * configuration.heartbeatInterval / 2 }

  // MARK: The batch under way

  /// What the log is to write next, if it may: a batch that had no room, or what has come together, or a probe.
  func nextLogBatch() -> LogBatch? {
    if logBusy {
      guard let batch = disk.refused, now.monotonic >= disk.nextTry else { return nil }
      disk.refused = nil
      return begin(batch)
    }
    var batch = LogBatch(
      number: nextBatch, records: pendingRecords, acks: pendingAcks, releases: pendingReleases,
      rewritesOldest: isRewriteDue)
    if batch.isProbe {
      let interval = disk.isFull ? Node.probeIntervalWhenFull : Node.probeInterval
      guard now.monotonic - disk.lastBatch >= interval else { return nil }
      disk.probes += 1
      batch.acks = []
    }
    nextBatch += 1
    pendingReleases.removeAll()
    isRewriteDue = false
    pendingRecords.removeAll(keepingCapacity: true)
    pendingAcks.removeAll(keepingCapacity: true)
    logBusy = true
    return begin(batch)
  }
  private func begin(_ batch: LogBatch) -> LogBatch {
    disk.writeBegan = now.monotonic
    disk.lastBatch = now.monotonic
    disk.unfinished = 0
    return batch
  }

  /// The batch under way is written.
  func batchWritten() {
    logBusy = false
    noteEndOfWrite()
    if disk.refusesBatches {
      disk.refusesBatches = false
      judgeRoom()
    }
  }
  func batchRefused(_ batch: LogBatch, _ error: StorageError) {
    noteEndOfWrite()
    disk.refused = batch
    disk.nextTry = now.monotonic + configuration.heartbeatInterval
    let isOfRoom = error.kind == .noSpace
    if !disk.refusesBatches {
      disk.refusesBatches = true
      log(
        .error,
        "alarm=\(isOfRoom ? "NOSPACE" : "NOFILES") the log has no \(isOfRoom ? "room" : "file descriptor"), what it is to"
          + " take waits: \(error)")
    }
    disk.batchLacksRoom = isOfRoom
    if !isOfRoom { descriptorsAreWanting() }
    judgeRoom()
  }

  // MARK: Descriptors

  /// A file could not be opened, or a connection not be taken. It is tried again; meanwhile others are to lead.
  private func descriptorsAreWanting() {
    disk.lastShortage = now.monotonic
    guard !disk.lacksDescriptors else { return }
    disk.lacksDescriptors = true
    statusDue = true
    log(
      .error,
      "alarm=NOFILES this process has no file descriptor left: what wants one waits, and goes on by itself; raise its limit"
        + " (ulimit -n) or lower max-clients, and start the node again")
  }
  func noteShortages(ofFiles files: UInt64? = nil, ofConnections connections: UInt64? = nil) {
    if let files, files > disk.shortagesSeen {
      disk.shortagesSeen = files
      descriptorsAreWanting()
    }
    if let connections, connections > disk.connectionsSeen {
      disk.connectionsSeen = connections
      descriptorsAreWanting()
    }
  }
  private func forgetShortage() {
    guard disk.lacksDescriptors, !disk.refusesBatches, now.monotonic - disk.lastShortage >= Node.diskRecovery else {
      return
    }
    disk.lacksDescriptors = false
    statusDue = true
    log(.info, "there are file descriptors again")
  }
  private func noteEndOfWrite() {
    if let began = disk.writeBegan {
      let took = now.monotonic - began
      if took >= slowWrite { diskIsSlow(took) }
      if disk.isSlow && took >= slowWrite / 2 { disk.lastSlow = now.monotonic }
    }
    disk.writeBegan = nil
    disk.unfinished = 0
  }

  // MARK: Time

  /// With each tick. Of the time between two ticks only so much counts as a process that runs would need: one that was
  /// itself stopped is not taken for one whose disk is.
  func advanceDisk() {
    let passed = min(now.monotonic - disk.lastTick, 100_000)
    disk.lastTick = now.monotonic
    if disk.writeBegan != nil {
      disk.unfinished += passed
      if disk.unfinished >= Node.stuckWrite && exit == nil {
        exit = (1, "a write to the log has taken over \(Node.stuckWrite / 1_000_000) s: the disk is stuck")
      } else if disk.unfinished >= slowWrite {
        diskIsSlow(disk.unfinished)
      }
    }
    if disk.isSlow && disk.unfinished < slowWrite && now.monotonic - disk.lastSlow >= Node.diskRecovery {
      disk.isSlow = false
      statusDue = true
      log(.info, "the disk is quick again")
    }
    forgetShortage()
  }

  private func diskIsSlow(_ took: UInt64) {
    disk.lastSlow = now.monotonic
    guard !disk.isSlow else { return }
    disk.isSlow = true
    statusDue = true
    log(
      .warning,
      "alarm=SLOWDISK a write to the log takes over \(took / 1000) ms: leadership is handed over, and not taken until"
        + " the disk is quick again")
  }

  // MARK: Room

  func diskMeasured(_ gauges: DiskGauges) {
    disk.gauges = gauges
    noteShortages(ofFiles: gauges.shortageCount)
    judgeRoom()
    boundLog()
  }

  private func judgeRoom() {
    let reserve = configuration.diskReserve
    let free = disk.gauges?.freeBytes ?? .max
    if disk.refusesBatches && disk.batchLacksRoom || free < reserve.byteCount {
      guard !disk.isFull else { return }
      disk.isFull = true
      disk.fullSince = now.monotonic
      log(
        .error,
        "alarm=NOSPACE the data directory's disk has \(free >> 20) MiB free, disk-reserve-mb is"
          + " \(reserve.byteCount >> 20): other nodes are to lead, and where none can, writes are refused; make room,"
          + " the node goes on by itself")
    } else {
      guard disk.isFull, free >= reserve.resumeByteCount else { return }
      disk.isFull = false
      log(.info, "the disk has room again free_mb=\(free >> 20)")
    }
    statusDue = true
    judgeShedding()
  }

  // MARK: Whose writes are refused

  /// With each heartbeat, and when this node's own state has changed.
  func judgeShedding() {
    let isAnyFull = disk.isFull || disk.refusesBatches || peers.contains { $0.disk.isFull }
    guard isAnyFull || isMemoryShort || isBehind || !disk.pinning.isEmpty || disk.isShedding else { return }
    disk.isShedding = false
    for replica in replicas {
      guard let replica else { continue }
      replica.shedding = reasonToShed(replica)
      replica.sheddingOfGrowth = replica.isLeader ? memoryReason(replica, from: .over) : nil
      if replica.shedding != nil || replica.sheddingOfGrowth != nil { disk.isShedding = true }
    }
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
      let names = peers.filter { isFull($0) && voters.members.contains($0.id) }.map(\.hello.name).sorted()
      return "the disk of \(names.joined(separator: ", ")) is nearly full; nothing was done"
    }
    if disk.pinning.contains(replica.shard) {
      return "the log of node \(configuration.name) is too long for shard \(replica.shard.rawValue); nothing was done"
    }
    return nil
  }
  /// Whether more waits here than may, to be applied or to be written to a journal.
  private var isBehind: Bool {
    journalBytesWaiting > Node.waitingBytesMax || replicas.contains { ($0?.unappliedBytes ?? 0) > Node.waitingBytesMax }
  }
  private func reasonOfBacklog(_ replica: Replica) -> String? {
    if journalBytesWaiting > Node.waitingBytesMax {
      return "the journals of node \(configuration.name) wait for its disk; nothing was done"
    }
    return replica.unappliedBytes > Node.waitingBytesMax
      ? "node \(configuration.name) is too far behind with shard \(replica.shard.rawValue); nothing was done" : nil
  }
  static let waitingBytesMax = 64 << 20

  private func isFull(_ peer: Peer) -> Bool { peer.index == 0 ? disk.isFull : peer.disk.isFull }
  /// Whether so many have room as an entry needs. Who cannot be reached takes no entry either, but is no reason alone.
  private func hasRoom(_ voters: [NodeID]) -> Bool {
    let known = voters.compactMap { peer($0) }
    guard known.contains(where: { isFull($0) }) else { return true }
    let able = known.filter { !isFull($0) && $0.isConnectedOrSelf }.count
    return able * 2 > voters.count
  }
}
