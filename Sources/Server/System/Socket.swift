import Glibc

/// Where a socket is or goes: an IPv4 or IPv6 address with a port.
struct SocketAddress: @unchecked Sendable {
  private(set) var storage = sockaddr_storage()
  private(set) var length = socklen_t(MemoryLayout<sockaddr_storage>.size)

  /// An address that a call fills in.
  init() {}

  /// Looks an address up. The corresponding C function is `getaddrinfo`.
  /// - Parameter numericOnly: do not ask the network for names: then this never blocks.
  /// - Returns: nil if the host is not known, or is a name although `numericOnly`.
  init?(_ address: HostPort, numericOnly: Bool) {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_NUMERICSERV | (numericOnly ? AI_NUMERICHOST : 0) | (address.host.isEmpty ? AI_PASSIVE : 0)
    var list: UnsafeMutablePointer<addrinfo>?
    let host = address.host.isEmpty ? "0.0.0.0" : address.host
    guard getaddrinfo(host, String(address.port), &hints, &list) == 0, let first = list else { return nil }
    defer { freeaddrinfo(list) }
    guard let source = first.pointee.ai_addr, first.pointee.ai_addrlen <= length else { return nil }
    length = first.pointee.ai_addrlen
    let bytes = UnsafeRawBufferPointer(start: source, count: Int(length))
    withUnsafeMutableBytes(of: &storage) { $0.copyMemory(from: bytes) }
  }

  /// "127.0.0.1:7401", without asking the network.
  var description: String {
    var copy = self
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(NI_MAXHOST) + Int(NI_MAXSERV)) { text in
      guard let host = text.baseAddress else { return "unknown" }
      let port = host + Int(NI_MAXHOST)
      let result = copy.withAddress { address, length in
        getnameinfo(
          address, length, host, socklen_t(NI_MAXHOST), port, socklen_t(NI_MAXSERV), NI_NUMERICHOST | NI_NUMERICSERV)
      }
      guard result == 0, let number = UInt16(String(cString: port)) else { return "unknown" }
      return HostPort(host: String(cString: host), port: number).description
    }
  }

  var family: Int32 { Int32(storage.ss_family) }

  mutating func withAddress<R>(_ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> R) -> R {
    let size = length
    return withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, size) }
    }
  }
  /// Lets a call fill the address in.
  mutating func fill(_ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32) -> Int32 {
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, &size) }
    }
    length = min(size, socklen_t(MemoryLayout<sockaddr_storage>.size))
    return result
  }
}

/// Stream sockets, non-blocking and closed on `exec`.
enum Socket {
  private static let flags = Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
  private static let stream = Int32(SOCK_STREAM.rawValue) | flags

  /// A socket that has its port, but is not connected to yet: `listen` begins that. The corresponding C functions are
  /// `socket` and `bind`.
  static func bind(_ address: SocketAddress) throws(SystemError) -> Descriptor {
    let raw = Glibc.socket(address.family, stream, 0)
    guard raw >= 0 else { throw SystemError("socket") }
    let descriptor = Descriptor(owning: raw)
    set(raw, SOL_SOCKET, SO_REUSEADDR, 1)
    if address.family == AF_INET6 { set(raw, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
    var copy = address
    guard copy.withAddress({ Glibc.bind(raw, $0, $1) }) == 0 else { throw SystemError("bind") }
    return descriptor
  }
  static func listen(_ descriptor: borrowing Descriptor, backlog: Int32 = 4096) throws(SystemError) {
    guard Glibc.listen(descriptor.rawValue, backlog) == 0 else { throw SystemError("listen") }
  }

  /// The next connection that waits on a listening socket, its negative `errno` if there is none.
  static func accept(_ listener: borrowing Descriptor, from address: inout SocketAddress) -> Int32 {
    let raw = listener.rawValue
    let result = address.fill { LinuxCalls.shared.accept4(raw, $0, $1, flags) }
    return result >= 0 ? result : -errno
  }

  /// Begins to connect: done, or failed, once the socket is writable; then `pendingError` tells.
  static func connect(to address: SocketAddress) throws(SystemError) -> Descriptor {
    let raw = Glibc.socket(address.family, stream, 0)
    guard raw >= 0 else { throw SystemError("socket") }
    let descriptor = Descriptor(owning: raw)
    var copy = address
    let result = copy.withAddress { Glibc.connect(raw, $0, $1) }
    guard result == 0 || errno == EINPROGRESS || errno == EINTR else { throw SystemError("connect") }
    return descriptor
  }
  /// The error that a socket has met since it was last asked, 0 for none. The corresponding option is `SO_ERROR`.
  static func pendingError(_ descriptor: borrowing Descriptor) -> Int32 {
    var value: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    return getsockopt(descriptor.rawValue, SOL_SOCKET, SO_ERROR, &value, &size) == 0 ? value : errno
  }
  /// The address that a socket has on this machine.
  static func localAddress(_ descriptor: borrowing Descriptor) -> SocketAddress {
    var address = SocketAddress()
    let raw = descriptor.rawValue
    _ = address.fill { getsockname(raw, $0, $1) }
    return address
  }

  /// No delay, and a silent peer is asked after a minute whether it is still there.
  static func configureClient(_ raw: Int32) {
    set(raw, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    set(raw, SOL_SOCKET, SO_KEEPALIVE, 1)
    set(raw, Int32(IPPROTO_TCP), TCP_KEEPIDLE, 60)
    set(raw, Int32(IPPROTO_TCP), TCP_KEEPINTVL, 15)
  }
  /// No delay, and a peer that takes nothing for ten seconds is gone.
  static func configureLink(_ raw: Int32) {
    set(raw, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    set(raw, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, 10_000)
  }
  private static func set(_ raw: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
    var copy = value
    _ = setsockopt(raw, level, option, &copy, socklen_t(MemoryLayout<Int32>.size))
  }
}
