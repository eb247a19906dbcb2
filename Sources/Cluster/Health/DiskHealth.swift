import Base
import Storage

/// How well the node's own disk is. One that is nearly full (`NOSPACE`), slow (`SLOWDISK`) or without descriptors
/// (`NOFILES`) hands its leadership to those whose disk is well; nodes know it of each other ten times a second.
///
/// A full disk is a mode: writes of terminals are refused before there is no room for what must go on. A slow disk is known
/// by the oldest batch that is not finished; while it is ill the node does not campaign. Moments are monotonic µs.
struct DiskHealth {
  /// A disk is well when it has been quick, or has had descriptors, for so long.
  static let recovery: UInt64 = 5_000_000
  /// After so long a write will not end.
  static let stuckWrite: UInt64 = 20_000_000

  /// What is kept free.
  let reserve: DiskReserve
  /// A write that takes longer, in microseconds, makes a disk slow.
  let slowWrite: UInt64
  /// As last measured.
  private(set) var gauges: DiskGauges?

  // Room.
  private(set) var isFull = false
  private(set) var fullSince: UInt64 = 0
  /// The log has no room for its next batch, or no descriptor for its file.
  private(set) var refusesBatches = false
  private(set) var batchLacksRoom = false

  // Descriptors.
  private(set) var lacksDescriptors = false
  private var lastShortage: UInt64 = 0
  /// How many wants of descriptors have been looked at: of the storage, and of the shell.
  private var fileShortages: UInt64 = 0
  private var connectionShortages: UInt64 = 0

  // Time.
  private(set) var isSlow = false
  /// When it last was too slow.
  private var lastSlow: UInt64 = 0
  /// When the batch under way was handed out.
  private var writeBegan: UInt64?
  /// For how long it has not been finished: of the time in which this process ran.
  private var unfinished: UInt64 = 0
  private var lastTick: UInt64

  init(reserve: DiskReserve, slowWrite: UInt64, now: UInt64) {
    self.reserve = reserve
    self.slowWrite = slowWrite
    lastTick = now
  }

  // MARK: Batches of the log

  mutating func writeBegins(now: UInt64) {
    writeBegan = now
    unfinished = 0
  }
  /// The batch under way is written. True: whether there is room is known anew.
  mutating func wrote(now: UInt64, _ out: inout NodeOutput) -> Bool {
    endWrite(now: now, &out)
    guard refusesBatches else { return false }
    refusesBatches = false
    return judgeRoom(now: now, &out)
  }
  /// It found no room, or no descriptor. True: what is to be refused may have changed.
  mutating func refused(_ error: StorageError, now: UInt64, _ out: inout NodeOutput) -> Bool {
    endWrite(now: now, &out)
    let isOfRoom = error.kind == .noSpace
    if !refusesBatches {
      refusesBatches = true
      out.log(
        .error,
        "alarm=\(isOfRoom ? "NOSPACE" : "NOFILES") the log has no \(isOfRoom ? "room" : "file descriptor"), what it is to"
          + " take waits: \(error)")
    }
    batchLacksRoom = isOfRoom
    if !isOfRoom { lacksDescriptor(now: now, &out) }
    return judgeRoom(now: now, &out)
  }
  private mutating func endWrite(now: UInt64, _ out: inout NodeOutput) {
    if let began = writeBegan {
      let took = now - began
      if took >= slowWrite { wasSlow(took, now: now, &out) }
      if isSlow && took >= slowWrite / 2 { lastSlow = now }
    }
    writeBegan = nil
    unfinished = 0
  }

  // MARK: Time

  /// With each tick. Of the time between two ticks only so much counts as a process that runs would need: one that was
  /// itself stopped is not taken for one whose disk is.
  mutating func advance(now: UInt64, _ out: inout NodeOutput) {
    let passed = min(now - lastTick, 100_000)
    lastTick = now
    if writeBegan != nil {
      unfinished += passed
      if unfinished >= DiskHealth.stuckWrite && out.exit == nil {
        out.end(1, "a write to the log has taken over \(DiskHealth.stuckWrite / 1_000_000) s: the disk is stuck")
      } else if unfinished >= slowWrite {
        wasSlow(unfinished, now: now, &out)
      }
    }
    if isSlow && unfinished < slowWrite && now - lastSlow >= DiskHealth.recovery {
      isSlow = false
      out.isStatusDue = true
      out.log(.info, "the disk is quick again")
    }
    forgetShortage(now: now, &out)
  }

  private mutating func wasSlow(_ took: UInt64, now: UInt64, _ out: inout NodeOutput) {
    lastSlow = now
    guard !isSlow else { return }
    isSlow = true
    out.isStatusDue = true
    out.log(
      .warning,
      "alarm=SLOWDISK a write to the log takes over \(took / 1000) ms: leadership is handed over, and not taken until"
        + " the disk is quick again")
  }

  // MARK: Descriptors

  /// So many files could not be opened, or connections not be taken, since the start. It is tried again; meanwhile others are
  /// to lead.
  mutating func noteShortages(
    ofFiles files: UInt64? = nil, ofConnections connections: UInt64? = nil, now: UInt64, _ out: inout NodeOutput
  ) {
    if let files, files > fileShortages {
      fileShortages = files
      lacksDescriptor(now: now, &out)
    }
    if let connections, connections > connectionShortages {
      connectionShortages = connections
      lacksDescriptor(now: now, &out)
    }
  }
  private mutating func lacksDescriptor(now: UInt64, _ out: inout NodeOutput) {
    lastShortage = now
    guard !lacksDescriptors else { return }
    lacksDescriptors = true
    out.isStatusDue = true
    out.log(
      .error,
      "alarm=NOFILES this process has no file descriptor left: what wants one waits, and goes on by itself; raise its limit"
        + " (ulimit -n) or lower max-clients, and start the node again")
  }
  private mutating func forgetShortage(now: UInt64, _ out: inout NodeOutput) {
    guard lacksDescriptors, !refusesBatches, now - lastShortage >= DiskHealth.recovery else { return }
    lacksDescriptors = false
    out.isStatusDue = true
    out.log(.info, "there are file descriptors again")
  }

  // MARK: Room

  /// True: what is to be refused may have changed.
  mutating func measured(_ gauges: DiskGauges, now: UInt64, _ out: inout NodeOutput) -> Bool {
    self.gauges = gauges
    noteShortages(ofFiles: gauges.shortageCount, now: now, &out)
    return judgeRoom(now: now, &out)
  }

  private mutating func judgeRoom(now: UInt64, _ out: inout NodeOutput) -> Bool {
    let free = gauges?.freeBytes ?? .max
    if refusesBatches && batchLacksRoom || free < reserve.byteCount {
      guard !isFull else { return false }
      isFull = true
      fullSince = now
      out.log(
        .error,
        "alarm=NOSPACE the data directory's disk has \(free >> 20) MiB free, disk-reserve-mb is"
          + " \(reserve.byteCount >> 20): other nodes are to lead, and where none can, writes are refused; make room,"
          + " the node goes on by itself")
    } else {
      guard isFull, free >= reserve.resumeByteCount else { return false }
      isFull = false
      out.log(.info, "the disk has room again free_mb=\(free >> 20)")
    }
    out.isStatusDue = true
    return true
  }
}
