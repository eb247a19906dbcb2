import Glibc
import OpenSSL
import System

/// Waits for many channels at once, level-triggered, and for one alarm. It belongs to one thread.
final class ChannelPoller {
  struct Event {
    let token: UInt32
    let isReadable: Bool
    let isWritable: Bool
  }

  /// What each channel says first, if anything; the reply is nobody's.
  var signIn: [UInt8] = []
  private let poller: Poller
  /// What the channels' TLS reads from and writes to.
  lazy var wire = TLSWire()
  private let timer: Descriptor
  private static let timerToken = UInt64.max
  private static let closeOnExecNonBlocking: Int32 = 0o2000000 | 0o4000

  init() throws(ClientError) {
    do throws(SystemError) {
      poller = try Poller()
      let raw = LinuxCalls.shared.timerCreate(CLOCK_MONOTONIC, ChannelPoller.closeOnExecNonBlocking)
      guard raw >= 0 else { throw SystemError("create a timer descriptor") }
      timer = Descriptor(owning: raw)
      try poller.add(raw, .readable, token: ChannelPoller.timerToken)
    } catch {
      throw .local("no epoll descriptor: \(error.reason)")
    }
  }

  /// Begins to watch a socket. It is forgotten by itself when it is closed.
  func add(_ raw: Int32, token: UInt32, writing: Bool) {
    do throws(SystemError) {
      try poller.add(raw, writing ? [.readable, .writable] : .readable, token: UInt64(token))
    } catch {
      preconditionFailure("only open sockets are watched: \(error)")
    }
  }
  func change(_ raw: Int32, token: UInt32, writing: Bool) {
    poller.modify(raw, writing ? [.readable, .writable] : .readable, token: UInt64(token))
  }

  /// Waits for at most `milliseconds`, or until the alarm, and gives how many events `event(_:)` has.
  func wait(milliseconds: Int32) -> Int { poller.wait(milliseconds: milliseconds) }

  /// `nil` for the alarm.
  @inline(__always) func event(_ i: Int) -> Event? {
    let token = poller.token(at: i)
    guard token != ChannelPoller.timerToken else {
      var fired: UInt64 = 0
      _ = read(timer.rawValue, &fired, 8)
      return nil
    }
    let readiness = poller.readiness(at: i)
    let hasEnded = !readiness.isDisjoint(with: [.failed, .hungUp])
    return Event(
      token: UInt32(truncatingIfNeeded: token), isReadable: hasEnded || readiness.contains(.readable),
      isWritable: hasEnded || readiness.contains(.writable))
  }

  /// Ends a wait at that moment of the monotonic clock, to the microsecond.
  func alarm(at nanoseconds: UInt64) {
    let time = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    var setting = itimerspec(it_interval: timespec(), it_value: time)
    let atAbsoluteTime: Int32 = 1
    _ = LinuxCalls.shared.timerSet(timer.rawValue, atAbsoluteTime, &setting, nil)
  }
}
