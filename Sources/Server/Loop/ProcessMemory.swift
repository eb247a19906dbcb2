import Cluster

/// When the loop looks how much memory the process uses, and when it has free memory given back to the system.
struct ProcessMemory: ~Copyable {
  private var meter: MemoryMeter
  private var nextLook: UInt64
  /// Bytes of connections that were closed since memory was last given back.
  private var closedBytes = 0

  /// - Parameter limit: see `MemoryMeter`.
  init(limit: UInt64?, now: UInt64) {
    meter = MemoryMeter(limit: limit)
    nextLook = now
  }

  mutating func set(limit: UInt64?) { meter.set(limit: limit) }

  /// What the process uses, if it is time to look: each tick once much is used, since the rest may go quickly, else ten
  /// times a second.
  mutating func look(at time: UInt64) -> MemoryUsage? {
    guard time >= nextLook else { return nil }
    let usage = meter.measure()
    let isMuch = usage.map { $0.used > $0.limit / 10 * 7 } ?? false
    nextLook = time + (isMuch ? LoopOptions.tickInterval : LoopOptions.memoryInterval)
    return usage
  }

  /// A connection went, or what it had sent, and so many bytes with it.
  mutating func freed(_ byteCount: Int) { closedBytes += byteCount }
  /// Whether so much was freed that it is worth giving back; it counts anew from then on.
  mutating func takeTrim() -> Bool {
    guard closedBytes >= LoopOptions.trimBytes else { return false }
    closedBytes = 0
    return true
  }
}
