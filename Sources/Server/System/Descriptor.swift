import Glibc

/// A file descriptor with one owner, closed when it goes. All sockets of the shell are non-blocking.
struct Descriptor: ~Copyable {
  let rawValue: Int32

  init(owning rawValue: Int32) {
    precondition(rawValue >= 0, "a descriptor is not negative")
    self.rawValue = rawValue
  }
  deinit { _ = Glibc.close(rawValue) }

  /// How a transfer of bytes went.
  enum Transfer: Equatable {
    case moved(Int)
    /// The other side sends no more.
    case ended
    /// Nothing can be moved now without waiting.
    case wouldBlock
    /// The connection is of no use any more; `errno`.
    case failed(Int32)
  }

  /// Reads what has arrived. The corresponding C function is `recv`.
  borrowing func receive(into buffer: UnsafeMutableRawBufferPointer) -> Transfer {
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
  borrowing func send(_ bytes: UnsafeRawBufferPointer) -> Transfer {
    while true {
      let count = Glibc.send(rawValue, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
      if count >= 0 { return .moved(count) }
      let code = errno
      if code == EAGAIN || code == EWOULDBLOCK { return .wouldBlock }
      if code != EINTR { return .failed(code) }
    }
  }

  /// Tells the other side that no more comes. The corresponding C function is `shutdown` with `SHUT_WR`.
  borrowing func endOutput() { _ = Glibc.shutdown(rawValue, Int32(SHUT_WR)) }
}
