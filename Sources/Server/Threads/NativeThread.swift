import Glibc
import System

/// A thread of the system, with a name that `top -H` and `perf` show. The corresponding C function is
/// `pthread_create`. It leaves the process's signals to other threads.
final class NativeThread: @unchecked Sendable {
  private let handle: pthread_t

  /// - Parameter name: at most 15 bytes.
  init(name: String, body: @escaping @Sendable () -> Void) {
    let box = Unmanaged.passRetained(Box(name: name, body: body))
    var handle = pthread_t()
    // A thread inherits the mask of the one that makes it.
    var all = sigset_t()
    var before = sigset_t()
    sigfillset(&all)
    pthread_sigmask(Int32(SIG_BLOCK), &all, &before)
    let result = pthread_create(
      &handle, nil,
      { raw in
        guard let raw else { return nil }
        let box = Unmanaged<Box>.fromOpaque(raw).takeRetainedValue()
        _ = LinuxCalls.shared.setThreadName(pthread_self(), box.name)
        box.body()
        return nil
      }, box.toOpaque())
    pthread_sigmask(Int32(SIG_SETMASK), &before, nil)
    precondition(result == 0, "a process may have a handful of threads")
    self.handle = handle
  }

  /// Waits for the end of the thread. Called once, or `detach`.
  func join() { pthread_join(handle, nil) }
  func detach() { pthread_detach(handle) }

  private final class Box: Sendable {
    let name: String
    let body: @Sendable () -> Void
    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }
}
