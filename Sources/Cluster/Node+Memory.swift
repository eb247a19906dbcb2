import Base
import Protocol

/// How near a node is to the end of its memory.
enum MemoryLevel: UInt8, Comparable, Sendable {
  case ok
  /// Four fifths of its limit are used: its operator is told.
  case near
  /// Its limit is reached.
  case over
  /// A tenth more than that is used.
  case farOver
  static func < (a: MemoryLevel, b: MemoryLevel) -> Bool { a.rawValue < b.rawValue }

  /// The level at which it begins, in hundredths of the limit.
  private var begin: UInt64 {
    switch self {
    case .ok: 0
    case .near: 80
    case .over: 100
    case .farOver: 110
    }
  }
  /// It ends when so much less is used, in hundredths of the limit: so that it does not come and go.
  private static let slack: UInt64 = 5

  /// The level after `self` with so much used of the limit.
  func next(used: UInt64, limit: UInt64) -> MemoryLevel {
    guard limit > 0 else { return .ok }
    // In thousandths.
    let share = used / max(1, limit / 1000)
    var level = MemoryLevel.ok
    for candidate in [MemoryLevel.near, .over, .farOver] {
      let begin = candidate <= self ? candidate.begin - MemoryLevel.slack : candidate.begin
      if share >= begin * 10 { level = candidate }
    }
    return level
  }
}

/// Memory that runs out is a mode, as a full disk is. Replicas hold the same state, and a voter that dies of it would die
/// again at each start; so nodes tell each other ten times a second how near they are, and a leader refuses for all voters
/// of its shard. Over the limit it refuses what makes state grow; a tenth above that, every write. Reads, repeats and what
/// admins do go on, and so does what is committed, also at a start.
extension Node {
  struct MemoryState {
    var usage: MemoryUsage?
    var level = MemoryLevel.ok
  }

  /// What a voter told of its memory counts for so long after it was last heard: it comes back with what it had.
  static let memoryWordHolds: UInt64 = 10_000_000

  public func memoryMeasured(_ usage: MemoryUsage, now: Moment) {
    self.now = now
    memory.usage = usage
    streamBytesMax = boundOfStreams(usage)
    let before = memory.level
    memory.level = before.next(used: memoryCounted(ofUsed: usage.used), limit: usage.limit)
    guard memory.level != before else { return }
    tellOfMemory(usage, before: before)
    statusDue = true
    judgeShedding()
  }

  /// Of what the process uses, what is not there to be used again by the next entries. A sixth may be: more is not
  /// reckoned with, for what one shard has to spare is of no use to another.
  public func memoryCounted(ofUsed used: UInt64) -> UInt64 {
    let spare = replicas.reduce(UInt64(0)) { $0 + UInt64($1?.machine.spareByteCount ?? 0) }
    return used - min(spare, used / 6)
  }

  private func tellOfMemory(_ usage: MemoryUsage, before: MemoryLevel) {
    let figures = "used_mb=\(usage.used >> 20) limit_mb=\(usage.limit >> 20)"
    switch memory.level {
    case .ok: log(.info, "there is memory again \(figures)")
    case .near where before > .near: log(.info, "memory is within its limit again \(figures)")
    case .near:
      log(
        .warning,
        "alarm=NOMEM four fifths of memory-limit-mb are used: at the limit what makes state grow is refused; give this"
          + " node more memory, or move shards away \(figures)")
    case .over where before > .over:
      log(.warning, "alarm=NOMEM less than a tenth over memory-limit-mb again \(figures)")
    case .over:
      log(
        .error,
        "alarm=NOMEM memory-limit-mb is reached: other nodes are to lead, and what makes state grow is refused; give this"
          + " node more memory and raise the limit \(figures)")
    case .farOver:
      log(.error, "alarm=NOMEM memory-limit-mb is exceeded by a tenth: every write is refused \(figures)")
    }
  }

  // MARK: Whose writes are refused

  /// Whether anybody's memory is a reason to refuse anything.
  var isMemoryShort: Bool { memory.level >= .over || peers.contains { $0.memory >= .over } }

  private func memoryLevel(of peer: Peer) -> MemoryLevel {
    if peer.index == 0 { return memory.level }
    return peer.isConnected || now.monotonic - peer.lastHeard < Node.memoryWordHolds ? peer.memory : .ok
  }

  /// Why a shard led here takes no writes, or none that makes its state grow; nil: it takes them.
  func memoryReason(_ replica: Replica, from level: MemoryLevel) -> String? {
    guard isMemoryShort else { return nil }
    let members = replica.raft.configuration.members
    let short = peers.filter { members.contains($0.id) && memoryLevel(of: $0) >= level }.map(\.hello.name).sorted()
    guard !short.isEmpty else { return nil }
    return
      "the memory of \(short.joined(separator: ", ")) is \(level == .over ? "at" : "over") its limit; nothing was done"
  }

  // MARK: What waits here

  /// The requests that wait here for all shards together may take a sixteenth of the memory.
  private func boundOfStreams(_ usage: MemoryUsage) -> Int {
    let share = usage.limit / 16 / UInt64(max(1, streams.count))
    return min(configuration.shardQueueBytes, max(Node.streamBytesMin, Int(clamping: share)))
  }
  /// Each shard's may take so much in any case.
  private static let streamBytesMin = 1 << 20

  /// Bytes of the replicas' states and logs: what a simulation takes for the process's memory.
  public var memoryHeld: Int {
    replicas.reduce(0) { sum, replica in
      guard let replica else { return sum }
      return sum + replica.machine.memoryByteCount + replica.machine.spareByteCount + replica.raft.logBytes
    }
  }

  var memorySection: InfoSection {
    InfoSection(
      "memory",
      [
        ("memory_used", memory.usage.map { "\($0.used)" } ?? "unknown"),
        ("memory_limit", memory.usage.map { "\($0.limit)" } ?? "unknown"), ("memory_level", "\(memory.level)"),
        ("memory_spare", "\(replicas.reduce(0) { $0 + ($1?.machine.spareByteCount ?? 0) })"),
        ("memory_state", "\(replicas.reduce(0) { $0 + ($1?.machine.memoryByteCount ?? 0) })"),
      ])
  }
}
