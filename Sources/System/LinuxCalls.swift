import Glibc

/// The calls of Linux that the Glibc module does not declare: looked up once, by name, in the C library that the
/// process runs on. Each is documented by its manual page of the same name.
public struct LinuxCalls: @unchecked Sendable {
  public typealias Accept4 =
    @convention(c) (Int32, UnsafeMutableRawPointer?, UnsafeMutablePointer<socklen_t>?, Int32) -> Int32
  public typealias EventFD = @convention(c) (UInt32, Int32) -> Int32
  public typealias EpollCreate = @convention(c) (Int32) -> Int32
  public typealias EpollControl = @convention(c) (Int32, Int32, Int32, UnsafeMutableRawPointer?) -> Int32
  public typealias EpollWait = @convention(c) (Int32, UnsafeMutableRawPointer?, Int32, Int32) -> Int32
  public typealias TimerCreate = @convention(c) (Int32, Int32) -> Int32
  public typealias TimerSet =
    @convention(c) (Int32, Int32, UnsafeRawPointer?, UnsafeMutableRawPointer?) -> Int32
  public typealias SetThreadName = @convention(c) (pthread_t, UnsafePointer<CChar>) -> Int32

  public let accept4: Accept4
  public let eventfd: EventFD
  public let epollCreate: EpollCreate
  public let epollControl: EpollControl
  public let epollWait: EpollWait
  public let timerCreate: TimerCreate
  public let timerSet: TimerSet
  public let setThreadName: SetThreadName
  /// Not in every C library: then it does nothing.
  public let trimMemory: TrimMemory

  public typealias TrimMemory = @convention(c) (Int) -> Int32

  public static let shared = LinuxCalls()

  private init() {
    accept4 = LinuxCalls.find("accept4", as: Accept4.self)
    eventfd = LinuxCalls.find("eventfd", as: EventFD.self)
    epollCreate = LinuxCalls.find("epoll_create1", as: EpollCreate.self)
    epollControl = LinuxCalls.find("epoll_ctl", as: EpollControl.self)
    epollWait = LinuxCalls.find("epoll_wait", as: EpollWait.self)
    timerCreate = LinuxCalls.find("timerfd_create", as: TimerCreate.self)
    timerSet = LinuxCalls.find("timerfd_settime", as: TimerSet.self)
    setThreadName = LinuxCalls.find("pthread_setname_np", as: SetThreadName.self)
    trimMemory = LinuxCalls.found("malloc_trim", as: TrimMemory.self) ?? { _ in 0 }
  }

  private static func find<Function>(_ name: String, as type: Function.Type) -> Function {
    guard let function = found(name, as: type) else {
      preconditionFailure("the C library has no \(name): Linux 2.6.27 or later is needed")
    }
    return function
  }
  private static func found<Function>(_ name: String, as type: Function.Type) -> Function? {
    dlsym(dlopen(nil, RTLD_NOW), name).map { unsafeBitCast($0, to: type) }
  }
}
