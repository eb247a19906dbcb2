import Glibc
import System

extension SocketAddress {
  /// Looks an address up: the first that the host stands for.
  /// - Parameter numericOnly: do not ask the network for names: then this never blocks.
  /// - Returns: nil if the host is not known, or is a name although `numericOnly`.
  init?(_ address: HostPort, numericOnly: Bool) {
    let host = address.host.isEmpty ? "0.0.0.0" : address.host
    let flags = (numericOnly ? AI_NUMERICHOST : 0) | (address.host.isEmpty ? AI_PASSIVE : 0)
    guard let first = try? SocketAddress.resolve(host: host, port: address.port, flags: flags).first else { return nil }
    self = first
  }

  /// "127.0.0.1:7401", without asking the network.
  var description: String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(NI_MAXHOST) + Int(NI_MAXSERV)) { text in
      guard let host = text.baseAddress else { return "unknown" }
      let port = host + Int(NI_MAXHOST)
      let result = withAddress { address, length in
        getnameinfo(
          address, length, host, socklen_t(NI_MAXHOST), port, socklen_t(NI_MAXSERV), NI_NUMERICHOST | NI_NUMERICSERV)
      }
      guard result == 0, let number = UInt16(String(cString: port)) else { return "unknown" }
      return HostPort(host: String(cString: host), port: number).description
    }
  }
}

/// The address of a machine, without a port: IPv4 as it is mapped into IPv6.
struct NetworkAddress: Hashable {
  private var high: UInt64
  private var low: UInt64

  /// Nil if it is neither IPv4 nor IPv6.
  init?(_ address: SocketAddress) {
    let family = address.family
    guard family == AF_INET || family == AF_INET6 else { return nil }
    (high, low) = address.withAddress { pointer, _ in
      let raw = UnsafeRawPointer(pointer)
      if family == AF_INET {
        return (0, 0xFFFF << 32 | UInt64(UInt32(bigEndian: raw.loadUnaligned(fromByteOffset: 4, as: UInt32.self))))
      }
      return (
        UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
        UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
      )
    }
  }

  /// Of this machine itself: 127.0.0.0/8 or ::1.
  var isLoopback: Bool { high == 0 && (low == 1 || low >> 24 == 0xFFFF << 8 | 127) }
}

/// The side of a socket that listens, and what clients and links are set to.
extension Socket {
  /// A socket that has its port, but is not connected to yet: `listen` begins that. The corresponding C functions are
  /// `socket` and `bind`.
  static func bind(_ address: SocketAddress) throws(SystemError) -> Descriptor {
    let descriptor = try make(for: address)
    let raw = descriptor.rawValue
    set(raw, SOL_SOCKET, SO_REUSEADDR, 1)
    if address.family == AF_INET6 { set(raw, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
    guard address.withAddress({ Glibc.bind(raw, $0, $1) }) == 0 else { throw SystemError("bind") }
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
  /// The address that a socket has on this machine.
  static func localAddress(_ descriptor: borrowing Descriptor) -> SocketAddress {
    var address = SocketAddress()
    let raw = descriptor.rawValue
    _ = address.fill { getsockname(raw, $0, $1) }
    return address
  }

  /// The address that a socket is connected to.
  static func peerAddress(_ descriptor: borrowing Descriptor) -> SocketAddress {
    var address = SocketAddress()
    let raw = descriptor.rawValue
    _ = address.fill { getpeername(raw, $0, $1) }
    return address
  }

  /// No delay, and a silent peer is asked after a minute whether it is still there.
  static func configureClient(_ raw: Int32) {
    set(raw, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    set(raw, SOL_SOCKET, SO_KEEPALIVE, 1)
    set(raw, Int32(IPPROTO_TCP), TCP_KEEPIDLE, 60)
    set(raw, Int32(IPPROTO_TCP), TCP_KEEPINTVL, 15)
  }
  /// No delay, and a peer that takes nothing for ten seconds, or is silent for ten and then does not answer TCP, is gone.
  static func configureLink(_ raw: Int32) {
    set(raw, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    set(raw, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, 10_000)
    set(raw, SOL_SOCKET, SO_KEEPALIVE, 1)
    set(raw, Int32(IPPROTO_TCP), TCP_KEEPIDLE, 10)
    set(raw, Int32(IPPROTO_TCP), TCP_KEEPINTVL, 5)
  }
}
