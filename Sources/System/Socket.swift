import Glibc

/// Stream sockets, non-blocking and closed on `exec`.
public enum Socket {
  public static let flags = Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)

  /// A socket of the address's family, neither bound nor connected. The corresponding C function is `socket`.
  public static func make(for address: SocketAddress) throws(SystemError) -> Descriptor {
    let raw = Glibc.socket(address.family, Int32(SOCK_STREAM.rawValue) | flags, 0)
    guard raw >= 0 else { throw SystemError("socket") }
    return Descriptor(owning: raw)
  }

  /// Begins to connect: done, or failed, once the socket is writable; then `pendingError` tells. The socket sends
  /// without delay.
  public static func connect(to address: SocketAddress) throws(SystemError) -> Descriptor {
    let descriptor = try make(for: address)
    let raw = descriptor.rawValue
    set(raw, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    let result = address.withAddress { Glibc.connect(raw, $0, $1) }
    guard result == 0 || errno == EINPROGRESS || errno == EINTR else { throw SystemError("connect") }
    return descriptor
  }
  /// The error that a socket has met since it was last asked, 0 for none. The corresponding option is `SO_ERROR`.
  public static func pendingError(_ descriptor: borrowing Descriptor) -> Int32 {
    var value: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    return getsockopt(descriptor.rawValue, SOL_SOCKET, SO_ERROR, &value, &size) == 0 ? value : errno
  }

  /// Sets an option that a socket can do without. The corresponding C function is `setsockopt`.
  public static func set(_ raw: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
    var copy = value
    _ = setsockopt(raw, level, option, &copy, socklen_t(MemoryLayout<Int32>.size))
  }
}
