import Glibc
import System

/// Wakes a poller from another thread. The corresponding C function is `eventfd`. Watched edge-triggered, so that it
/// is never read: each write is a new edge.
final class Waker: Sendable {
  let rawDescriptor: Int32

  init() throws(SystemError) {
    rawDescriptor = LinuxCalls.shared.eventfd(0, Waker.closeOnExecNonBlocking)
    guard rawDescriptor >= 0 else { throw SystemError("create an event descriptor") }
  }
  deinit { _ = close(rawDescriptor) }

  private static let closeOnExecNonBlocking: Int32 = 0o2000000 | 0o4000

  /// Costs a system call. Never blocks: the counter, which nobody reads, would need 2^64 writes to be full.
  func wake() {
    var one: UInt64 = 1
    _ = write(rawDescriptor, &one, 8)
  }
}

/// A counting semaphore: waiting threads sleep in the kernel, and a signal that nobody waits for costs no system call.
/// The corresponding C type is `sem_t`.
final class Semaphore: @unchecked Sendable {
  private let raw: UnsafeMutablePointer<sem_t>

  init() {
    raw = .allocate(capacity: 1)
    let result = sem_init(raw, 0, 0)
    precondition(result == 0, "a semaphore needs nothing but memory")
  }
  deinit {
    sem_destroy(raw)
    raw.deallocate()
  }
  func signal() { _ = sem_post(raw) }
  func wait() { while sem_wait(raw) != 0 && errno == EINTR {} }
  /// - Returns: false if nobody signalled in time.
  func wait(milliseconds: Int) -> Bool {
    var deadline = timespec()
    clock_gettime(CLOCK_REALTIME, &deadline)
    let nanoseconds = deadline.tv_nsec + milliseconds % 1000 * 1_000_000
    deadline.tv_sec += milliseconds / 1000 + nanoseconds / 1_000_000_000
    deadline.tv_nsec = nanoseconds % 1_000_000_000
    while true {
      if sem_timedwait(raw, &deadline) == 0 { return true }
      if errno != EINTR { return false }
    }
  }
}
