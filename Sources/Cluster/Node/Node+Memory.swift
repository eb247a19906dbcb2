import Base
import Protocol

/// Memory: what follows from how near this node, and others, are to its end.
extension Node {
  /// What a voter told of its memory counts for so long after it was last heard: it comes back with what it had.
  static let memoryWordHolds: UInt64 = 10_000_000

  public func memoryMeasured(_ usage: MemoryUsage, now: Moment) {
    self.now = now
    edge.bound(memory: usage.limit)
    if memory.measured(usage, spare: memorySpare, &out) { judgeShedding() }
  }
  private var memorySpare: UInt64 { replicas.reduce(0) { $0 + UInt64($1?.machine.spareByteCount ?? 0) } }
  /// What of so many bytes that the process uses counts: see `MemoryHealth`.
  public func memoryCounted(ofUsed used: UInt64) -> UInt64 { MemoryHealth.counted(ofUsed: used, spare: memorySpare) }

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
    let members = replica.raft.configuration.members.map(\.node)
    let short = peers.filter { members.contains($0.id) && memoryLevel(of: $0) >= level }.map(\.hello.name).sorted()
    guard !short.isEmpty else { return nil }
    return
      "the memory of \(short.joined(separator: ", ")) is \(level == .over ? "at" : "over") its limit; nothing was done"
  }

  // MARK: What waits here

  /// Bytes of the replicas' states and logs: what a simulation takes for the process's memory.
  public var memoryHeld: Int {
    replicas.reduce(0) { sum, replica in
      guard let replica else { return sum }
      return sum + replica.machine.memoryByteCount + replica.machine.spareByteCount + replica.raft.logBytes
    }
  }

  static let memoryGauges = [
    Gauge("memory_used", .memory, "what counts of what the process uses", .gauge, .bytes) {
      $0.memory.usage.map { "\($0.used)" } ?? "unknown"
    },
    Gauge("memory_limit", .memory, "what it may use", .gauge, .bytes) {
      $0.memory.usage.map { "\($0.limit)" } ?? "unknown"
    },
    Gauge("memory_level", .memory, "what is refused for want of memory", .fact) { "\($0.memory.level)" },
    Gauge("memory_spare", .memory, "what the ledgers keep to grow into", .gauge, .bytes) {
      "\($0.memorySpare)"
    },
    Gauge("memory_state", .memory, "what the ledgers' state takes", .gauge, .bytes) {
      "\($0.replicas.reduce(0) { $0 + ($1?.machine.memoryByteCount ?? 0) })"
    },
  ]
}
