import Glibc

/// What a descriptor is ready for, or is to be watched for: the bits of `EPOLL_EVENTS`.
public struct Readiness: OptionSet, Sendable {
  public let rawValue: UInt32
  @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }
  @inlinable public static var readable: Readiness { Readiness(rawValue: 0x001) }
  @inlinable public static var writable: Readiness { Readiness(rawValue: 0x004) }
  /// Always watched for.
  @inlinable public static var failed: Readiness { Readiness(rawValue: 0x008) }
  /// Both directions are closed. Always watched for.
  @inlinable public static var hungUp: Readiness { Readiness(rawValue: 0x010) }
  /// Report a change once, not as long as it lasts.
  @inlinable public static var edgeTriggered: Readiness { Readiness(rawValue: 1 << 31) }
}

/// Waits for many descriptors at once. The corresponding C functions are `epoll_create1`, `epoll_ctl`, `epoll_wait`.
/// Level-triggered unless a descriptor is added as `edgeTriggered`. Idle descriptors cost nothing per wait.
public struct Poller: ~Copyable {
  private let descriptor: Descriptor
  @usableFromInline let events: UnsafeMutableRawPointer
  private let calls = LinuxCalls.shared

  /// How many events one wait gives at most.
  public static let eventsMax = 1024
  // struct epoll_event is packed on x86-64 only.
  #if arch(x86_64)
    @inlinable static var stride: Int { 12 }
    @inlinable static var tokenOffset: Int { 4 }
  #else
    @inlinable static var stride: Int { 16 }
    @inlinable static var tokenOffset: Int { 8 }
  #endif
  private static let closeOnExec: Int32 = 0o2000000
  private enum Control: Int32 { case add = 1, remove = 2, modify = 3 }

  public init() throws(SystemError) {
    let raw = calls.epollCreate(Poller.closeOnExec)
    guard raw >= 0 else { throw SystemError("create an epoll descriptor") }
    descriptor = Descriptor(owning: raw)
    events = .allocate(byteCount: Poller.stride * Poller.eventsMax, alignment: 8)
  }
  deinit { events.deallocate() }

  /// Begins to watch a descriptor. It is forgotten by itself when it is closed.
  public borrowing func add(_ watched: Int32, _ readiness: Readiness, token: UInt64) throws(SystemError) {
    guard control(.add, watched, readiness, token) == 0 else { throw SystemError("watch a descriptor") }
  }
  /// Changes what a descriptor that was added is watched for.
  public borrowing func modify(_ watched: Int32, _ readiness: Readiness, token: UInt64) {
    let result = control(.modify, watched, readiness, token)
    precondition(result == 0, "only a descriptor that is watched is modified")
  }
  private borrowing func control(_ operation: Control, _ watched: Int32, _ readiness: Readiness, _ token: UInt64)
    -> Int32
  {
    withUnsafeTemporaryAllocation(byteCount: Poller.stride, alignment: 8) { event in
      event.storeBytes(of: readiness.rawValue, as: UInt32.self)
      event.storeBytes(of: token, toByteOffset: Poller.tokenOffset, as: UInt64.self)
      return calls.epollControl(descriptor.rawValue, operation.rawValue, watched, event.baseAddress)
    }
  }

  /// Waits until something is ready, or for so many milliseconds (0: not at all).
  /// - Returns: how many events there are; read them by `readiness(at:)` and `token(at:)` before the next wait.
  public borrowing func wait(milliseconds: Int32) -> Int {
    let count = calls.epollWait(descriptor.rawValue, events, Int32(Poller.eventsMax), milliseconds)
    if count >= 0 { return Int(count) }
    precondition(errno == EINTR, "waiting fails for no other reason than a signal")
    return 0
  }
  @inlinable public borrowing func readiness(at index: Int) -> Readiness {
    Readiness(rawValue: events.loadUnaligned(fromByteOffset: index * Poller.stride, as: UInt32.self))
  }
  @inlinable public borrowing func token(at index: Int) -> UInt64 {
    events.loadUnaligned(fromByteOffset: index * Poller.stride + Poller.tokenOffset, as: UInt64.self)
  }
}
