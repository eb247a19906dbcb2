import Base

/// How near this node is to the end of its memory. What runs out is a mode, as a full disk is. Replicas hold the same state,
/// and a voter that dies of it would die again at each start; so nodes tell each other ten times a second how near they are,
/// and a leader refuses for all voters of its shard: over the limit what makes state grow; a tenth above that, every write.
/// Reads, repeats and what admins do go on, and so does what is committed, also at a start.
struct MemoryHealth {
  /// As last measured.
  private(set) var usage: MemoryUsage?
  private(set) var level = MemoryLevel.ok

  /// Of what the process uses, what is not there to be used again by the next entries. A sixth may be: more is not
  /// reckoned with, for what one shard has to spare is of no use to another.
  static func counted(ofUsed used: UInt64, spare: UInt64) -> UInt64 { used - min(spare, used / 6) }

  /// - Parameter spare: bytes that replicas keep for what they take next. Asked only where it can matter.
  /// - Returns: whether the level is another than before.
  mutating func measured(_ usage: MemoryUsage, spare: () -> UInt64, _ out: inout NodeOutput) -> Bool {
    self.usage = usage
    let before = level
    level = before.next(used: usage.used, limit: usage.limit)
    if level > .ok {
      level = before.next(used: MemoryHealth.counted(ofUsed: usage.used, spare: spare()), limit: usage.limit)
    }
    guard level != before else { return false }
    tell(usage, before: before, &out)
    out.isStatusDue = true
    return true
  }

  private func tell(_ usage: MemoryUsage, before: MemoryLevel, _ out: inout NodeOutput) {
    let figures = "used_mb=\(usage.used >> 20) limit_mb=\(usage.limit >> 20)"
    switch level {
    case .ok: out.log(.info, "there is memory again \(figures)")
    case .near where before > .near: out.log(.info, "memory is within its limit again \(figures)")
    case .near:
      out.log(
        .warning,
        "alarm=NOMEM four fifths of memory-limit-mb are used: at the limit what makes state grow is refused; give this"
          + " node more memory, or move shards away \(figures)")
    case .over where before > .over:
      out.log(.warning, "alarm=NOMEM less than a tenth over memory-limit-mb again \(figures)")
    case .over:
      out.log(
        .error,
        "alarm=NOMEM memory-limit-mb is reached: other nodes are to lead, and what makes state grow is refused; give this"
          + " node more memory and raise the limit \(figures)")
    case .farOver:
      out.log(.error, "alarm=NOMEM memory-limit-mb is exceeded by a tenth: every write is refused \(figures)")
    }
  }
}
