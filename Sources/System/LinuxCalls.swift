import Glibc

/// The calls of Linux that the Glibc module does not declare: looked up once, by name, in the C library that the
/// process runs on. Each is documented by its manual page of the same name.
package struct LinuxCalls: @unchecked Sendable {
  package typealias Accept4 =
    @convention(c) (Int32, UnsafeMutableRawPointer?, UnsafeMutablePointer<socklen_t>?, Int32) -> Int32
  package typealias EventFD = @convention(c) (UInt32, Int32) -> Int32
  package typealias EpollCreate = @convention(c) (Int32) -> Int32
  package typealias EpollControl = @convention(c) (Int32, Int32, Int32, UnsafeMutableRawPointer?) -> Int32
  package typealias EpollWait = @convention(c) (Int32, UnsafeMutableRawPointer?, Int32, Int32) -> Int32
  package typealias TimerCreate = @convention(c) (Int32, Int32) -> Int32
  package typealias TimerSet =
    @convention(c) (Int32, Int32, UnsafeRawPointer?, UnsafeMutableRawPointer?) -> Int32
  package typealias SetThreadName = @convention(c) (pthread_t, UnsafePointer<CChar>) -> Int32

  package let accept4: Accept4
  package let eventfd: EventFD
  package let epollCreate: EpollCreate
  package let epollControl: EpollControl
  package let epollWait: EpollWait
  package let timerCreate: TimerCreate
  package let timerSet: TimerSet
  package let setThreadName: SetThreadName

  package static let shared = LinuxCalls()

  private init() {
    accept4 = LinuxCalls.find("accept4", as: Accept4.self)
    eventfd = LinuxCalls.find("eventfd", as: EventFD.self)
    epollCreate = LinuxCalls.find("epoll_create1", as: EpollCreate.self)
    epollControl = LinuxCalls.find("epoll_ctl", as: EpollControl.self)
    epollWait = LinuxCalls.find("epoll_wait", as: EpollWait.self)
    timerCreate = LinuxCalls.find("timerfd_create", as: TimerCreate.self)
    timerSet = LinuxCalls.find("timerfd_settime", as: TimerSet.self)
    setThreadName = LinuxCalls.find("pthread_setname_np", as: SetThreadName.self)
  }

  private static func find<Function>(_ name: String, as type: Function.Type) -> Function {
    let symbol = dlsym(dlopen(nil, RTLD_NOW), name)
    guard let symbol else { preconditionFailure("the C library has no \(name): Linux 2.6.27 or later is needed") }
    return unsafeBitCast(symbol, to: type)
  }
}
