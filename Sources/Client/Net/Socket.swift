import Glibc

/// What a system call said last, in words.
func errnoText(_ code: Int32 = errno) -> String { String(cString: strerror(code)) }

/// Nanoseconds of a clock that never goes back. Some 25 ns a call.
@inline(__always) func monotonicNanoseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(bitPattern: Int64(time.tv_sec)) &* 1_000_000_000 &+ UInt64(bitPattern: Int64(time.tv_nsec))
}

/// A non-blocking TCP socket. Its owner closes it, once.
struct Socket {
  let descriptor: Int32

  enum Progress {
    case connected
    case underWay
  }

  /// Begins to connect; the error text says why that is impossible.
  static func connecting(to address: SocketAddress) -> Result<(Socket, Progress), ConnectFailure> {
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let descriptor = socket(address.family, type, 0)
    guard descriptor >= 0 else { return .failure(ConnectFailure(errnoText())) }
    var on: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    let made = Socket(descriptor: descriptor)
    if address.withSockaddr({ connect(descriptor, $0, $1) }) == 0 { return .success((made, .connected)) }
    guard errno == EINPROGRESS else {
      let text = errnoText()
      made.close()
      return .failure(ConnectFailure(text))
    }
    return .success((made, .underWay))
  }

  /// Connects, waiting at most `milliseconds`.
  static func connected(to address: SocketAddress, within milliseconds: Int32) -> Result<Socket, ConnectFailure> {
    switch connecting(to: address) {
    case .failure(let failure): return .failure(failure)
    case .success((let made, .connected)): return .success(made)
    case .success((let made, .underWay)):
      guard made.wait(for: Int16(POLLOUT), milliseconds: milliseconds) else {
        made.close()
        return .failure(ConnectFailure("no answer within \(milliseconds) ms"))
      }
      if let text = made.pendingError() {
        made.close()
        return .failure(ConnectFailure(text))
      }
      return .success(made)
    }
  }

  struct ConnectFailure: Error {
    let text: String
    init(_ text: String) { self.text = text }
  }

  /// The error that the socket carries, if any: how a connection attempt that was under way ended.
  func pendingError() -> String? {
    var code: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) == 0 else { return errnoText() }
    return code == 0 ? nil : errnoText(code)
  }

  /// Whether one of `events` (or an error, which the next call reports) came in time.
  func wait(for events: Int16, milliseconds: Int32) -> Bool {
    var entry = pollfd(fd: descriptor, events: events, revents: 0)
    while true {
      let n = poll(&entry, 1, milliseconds)
      if n >= 0 { return n > 0 }
      if errno != EINTR { return true }
    }
  }

  func close() { _ = Glibc.close(descriptor) }
}

/// The outcome of one non-blocking read or write.
enum Transfer {
  case moved(Int)
  case wouldBlock
  case ended(String)
}

extension Socket {
  @inline(__always) func receive(into place: UnsafeMutableRawPointer, count: Int) -> Transfer {
    while true {
      let n = recv(descriptor, place, count, 0)
      if n > 0 { return .moved(n) }
      if n == 0 { return .ended("closed by the node") }
      if errno == EAGAIN || errno == EWOULDBLOCK { return .wouldBlock }
      if errno != EINTR { return .ended(errnoText()) }
    }
  }

  @inline(__always) func send(_ place: UnsafeRawPointer, count: Int) -> Transfer {
    while true {
      let n = Glibc.send(descriptor, place, count, Int32(MSG_NOSIGNAL))
      if n >= 0 { return .moved(n) }
      if errno == EAGAIN || errno == EWOULDBLOCK { return .wouldBlock }
      if errno != EINTR { return .ended(errnoText()) }
    }
  }
}
