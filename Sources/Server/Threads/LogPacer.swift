import Glibc
import Storage
import Synchronization
import System

/// Holds a background writer back while the log's writes take longer than they usually do.
final class LogPacer: WritePacer {
  private let pulse: Pulse
  private let rate = Mutex(WriteRate())

  init(pulse: Pulse) { self.pulse = pulse }

  func began() {
    // What was before it does not count against it.
    pulse.worstLogWrite.store(0, ordering: .relaxed)
    pulse.pacing.add(1, ordering: .relaxed)
  }
  func wrote(_ byteCount: Int) {
    let worst = pulse.worstLogWrite.exchange(0, ordering: .relaxed)
    let usual = pulse.usualLogWrite.load(ordering: .relaxed)
    let wait = rate.withLock { rate in
      rate.adjust(worst: worst, usual: usual)
      return rate.wait(after: byteCount)
    }
    // The rate is kept by this wait: it paces a background thread, and nothing is told by it that something has happened.
    pause(microseconds: wait)
  }
  func ended() { pulse.pacing.subtract(1, ordering: .relaxed) }
}

/// How fast a background writer goes: it slows down by half when the log's writes suffer, and speeds up by a quarter when
/// they do not.
struct WriteRate: Equatable {
  /// Bytes a second.
  private(set) var bytesPerSecond = 64 << 20
  /// Slower it never goes: a snapshot that is not written in time makes the next start longer.
  static let least = 8 << 20
  static let most = 512 << 20
  /// A log write that takes so much longer than usual (µs) suffers, and is not only scattered.
  static let slack: UInt64 = 1_000

  /// - Parameters:
  ///   - worst: the longest log write since the last call, in microseconds; 0: none.
  ///   - usual: how long one takes when nobody writes beside it.
  mutating func adjust(worst: UInt64, usual: UInt64) {
    if worst > 2 * usual + WriteRate.slack {
      bytesPerSecond = max(WriteRate.least, bytesPerSecond / 2)
    } else {
      bytesPerSecond = min(WriteRate.most, bytesPerSecond + bytesPerSecond / 4)
    }
  }
  /// Microseconds.
  func wait(after byteCount: Int) -> Int { byteCount * 1_000_000 / bytesPerSecond }
}
