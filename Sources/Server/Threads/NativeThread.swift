import Glibc
import System

/// A thread of the system, with a name that `top -H` and `perf` show. The corresponding C function is
/// `pthread_create`. It leaves the process's signals to other threads.
final class NativeThread: @unchecked Sendable {
  private let handle: pthread_t

  /// - Parameters:
  ///   - name: at most 15 bytes.
  ///   - isBackground: where others want its processor it lets them go first, and has a third of the time that they have (`nice`).
  init(name: String, isBackground: Bool = false, body: @escaping @Sendable () -> Void) {
    let box = Unmanaged.passRetained(Box(name: name, isBackground: isBackground, body: body))
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
        // Of this thread alone, as Linux has it.
        if box.isBackground { _ = setpriority(Int32(PRIO_PROCESS.rawValue), 0, NativeThread.backgroundNice) }
        box.body()
        return nil
      }, box.toOpaque())
    pthread_sigmask(Int32(SIG_SETMASK), &before, nil)
    precondition(result == 0, "a process may have a handful of threads")
    self.handle = handle
  }

  private static let backgroundNice: Int32 = 5

  /// Waits for the end of the thread. Called once, or `detach`.
  func join() { pthread_join(handle, nil) }
  func detach() { pthread_detach(handle) }

  private final class Box: Sendable {
    let name: String
    let isBackground: Bool
    let body: @Sendable () -> Void
    init(name: String, isBackground: Bool, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.isBackground = isBackground
      self.body = body
    }
  }
}
