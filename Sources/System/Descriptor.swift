import Glibc

/// A file descriptor with one owner, closed when it goes. All sockets here are non-blocking.
public struct Descriptor: ~Copyable {
  public let rawValue: Int32

  public init(owning rawValue: Int32) {
    precondition(rawValue >= 0, "a descriptor is not negative")
    self.rawValue = rawValue
  }
  deinit { _ = Glibc.close(rawValue) }

  /// How a transfer of bytes went.
  public enum Transfer: Equatable {
    case moved(Int)
    /// The other side sends no more.
    case ended
    /// Nothing can be moved now without waiting.
    case wouldBlock
    /// The connection is of no use any more; `errno`.
    case failed(Int32)
  }

  /// Reads what has arrived. The corresponding C function is `recv`.
  @inlinable public borrowing func receive(into buffer: UnsafeMutableRawBufferPointer) -> Transfer {
    while true {
      let count = Glibc.recv(rawValue, buffer.baseAddress, buffer.count, 0)
      if count > 0 { return .moved(count) }
      if count == 0 { return .ended }
      let code = errno
      if code == EAGAIN || code == EWOULDBLOCK { return .wouldBlock }
      if code != EINTR { return .failed(code) }
    }
  }

  /// Hands bytes to the kernel, as many as it takes. The corresponding C function is `send`.
  @inlinable public borrowing func send(_ bytes: UnsafeRawBufferPointer) -> Transfer {
    while true {
      let count = Glibc.send(rawValue, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
      if count >= 0 { return .moved(count) }
      let code = errno
      if code == EAGAIN || code == EWOULDBLOCK { return .wouldBlock }
      if code != EINTR { return .failed(code) }
    }
  }

  /// Waits until one of `events` (`POLLIN`, `POLLOUT`) comes, or an error, which the next transfer reports. The
  /// corresponding C function is `poll`.
  /// - Returns: false if nothing came in time.
  public borrowing func wait(for events: Int32, milliseconds: Int32) -> Bool {
    var entry = pollfd(fd: rawValue, events: Int16(events), revents: 0)
    while true {
      let count = poll(&entry, 1, milliseconds)
      if count >= 0 { return count > 0 }
      if errno != EINTR { return true }
    }
  }

  /// Tells the other side that no more comes. The corresponding C function is `shutdown` with `SHUT_WR`.
  public borrowing func endOutput() { _ = Glibc.shutdown(rawValue, Int32(SHUT_WR)) }
}
