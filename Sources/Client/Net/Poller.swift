import Glibc

/// The calls of Linux that the Glibc module does not declare, looked up once by name. Each has a manual page.
private struct LinuxCalls: @unchecked Sendable {
  let epollCreate: @convention(c) (Int32) -> Int32
  let epollControl: @convention(c) (Int32, Int32, Int32, UnsafeMutableRawPointer?) -> Int32
  let epollWait: @convention(c) (Int32, UnsafeMutableRawPointer?, Int32, Int32) -> Int32
  let timerCreate: @convention(c) (Int32, Int32) -> Int32
  let timerSet: @convention(c) (Int32, Int32, UnsafeRawPointer?, UnsafeMutableRawPointer?) -> Int32

  static let shared = LinuxCalls()

  private init() {
    func find<Function>(_ name: String, as type: Function.Type = Function.self) -> Function {
      guard let symbol = dlsym(dlopen(nil, RTLD_NOW), name) else { preconditionFailure("no \(name) in the C library") }
      return unsafeBitCast(symbol, to: type)
    }
    epollCreate = find("epoll_create1")
    epollControl = find("epoll_ctl")
    epollWait = find("epoll_wait")
    timerCreate = find("timerfd_create")
    timerSet = find("timerfd_settime")
  }
}

/// The kernel's readiness queue (epoll), level-triggered, with one alarm. It belongs to one thread.
final class Poller {
  struct Event {
    let token: UInt32
    let isReadable: Bool
    let isWritable: Bool
  }

  private let descriptor: Int32
  private let timer: Int32
  private let events: UnsafeMutableRawPointer
  private let calls = LinuxCalls.shared

  private static let room = 256
  private static let timerToken = UInt32.max
  private static let readable: UInt32 = 0x001
  private static let writable: UInt32 = 0x004
  /// Error, hang-up, and the peer's half of a close.
  private static let ended: UInt32 = 0x008 | 0x010 | 0x2000
  private static let peerClosed: UInt32 = 0x2000
  // struct epoll_event is packed on x86-64 only.
  #if arch(x86_64)
    private static let stride = 12
    private static let tokenOffset = 4
  #else
    private static let stride = 16
    private static let tokenOffset = 8
  #endif
  private enum Control: Int32 {
    case add = 1
    case modify = 3
  }

  init() throws(ClientError) {
    descriptor = calls.epollCreate(0o2000000)
    timer = calls.timerCreate(CLOCK_MONOTONIC, 0o2000000 | 0o4000)
    events = .allocate(byteCount: Poller.room * Poller.stride, alignment: 8)
    guard descriptor >= 0, timer >= 0 else { throw .local("no epoll descriptor: \(errnoText())") }
    control(.add, timer, Poller.readable, Poller.timerToken)
  }
  deinit {
    close(descriptor)
    close(timer)
    events.deallocate()
  }

  private func control(_ operation: Control, _ watched: Int32, _ mask: UInt32, _ token: UInt32) {
    withUnsafeTemporaryAllocation(byteCount: Poller.stride, alignment: 8) { event in
      event.storeBytes(of: mask, as: UInt32.self)
      event.storeBytes(of: UInt64(token), toByteOffset: Poller.tokenOffset, as: UInt64.self)
      let result = calls.epollControl(descriptor, operation.rawValue, watched, event.baseAddress)
      precondition(result == 0, "only open sockets are watched")
    }
  }
  private static func mask(writing: Bool) -> UInt32 { readable | peerClosed | (writing ? writable : 0) }

  /// Begins to watch a socket. It is forgotten by itself when it is closed.
  func add(_ socket: Socket, token: UInt32, writing: Bool) {
    control(.add, socket.descriptor, Poller.mask(writing: writing), token)
  }
  func change(_ socket: Socket, token: UInt32, writing: Bool) {
    control(.modify, socket.descriptor, Poller.mask(writing: writing), token)
  }

  /// Waits for at most `milliseconds`, or until the alarm, and gives how many events `event(_:)` has.
  func wait(milliseconds: Int32) -> Int {
    max(0, Int(calls.epollWait(descriptor, events, Int32(Poller.room), milliseconds)))
  }
  /// `nil` for the alarm.
  @inline(__always) func event(_ i: Int) -> Event? {
    let mask = events.loadUnaligned(fromByteOffset: i * Poller.stride, as: UInt32.self)
    let token = events.loadUnaligned(fromByteOffset: i * Poller.stride + Poller.tokenOffset, as: UInt32.self)
    guard token != Poller.timerToken else {
      var fired: UInt64 = 0
      _ = read(timer, &fired, 8)
      return nil
    }
    return Event(
      token: token, isReadable: mask & (Poller.readable | Poller.ended) != 0,
      isWritable: mask & (Poller.writable | Poller.ended) != 0)
  }

  /// Ends a wait at that moment of the monotonic clock, to the microsecond.
  func alarm(at nanoseconds: UInt64) {
    let time = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    var setting = itimerspec(it_interval: timespec(), it_value: time)
    let atAbsoluteTime: Int32 = 1
    _ = calls.timerSet(timer, atAbsoluteTime, &setting, nil)
  }
}
