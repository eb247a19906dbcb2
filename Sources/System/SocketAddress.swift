import Glibc

/// Where a socket is or goes: an IPv4 or IPv6 address with a port.
public struct SocketAddress: Sendable {
  private var storage = sockaddr_storage()
  private var length = SocketAddress.lengthMax
  private static let lengthMax = socklen_t(MemoryLayout<sockaddr_storage>.size)

  /// An address that a call fills in.
  public init() {}

  private init(copying address: UnsafePointer<sockaddr>, length: socklen_t) {
    self.length = min(length, SocketAddress.lengthMax)
    let bytes = UnsafeRawBufferPointer(start: address, count: Int(self.length))
    withUnsafeMutableBytes(of: &storage) { $0.copyMemory(from: bytes) }
  }

  /// Why a host has no address, in the system's words.
  public struct Unknown: Error {
    public let reason: String
  }

  /// All addresses that a host stands for, in the system's order; at least one. May ask the network and so block,
  /// unless `flags` has `AI_NUMERICHOST`. The corresponding C function is `getaddrinfo`.
  public static func resolve(host: String, port: UInt16, flags: Int32 = 0) throws(Unknown) -> [SocketAddress] {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_NUMERICSERV | flags
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, String(port), &hints, &list)
    guard code == 0 else {
      throw Unknown(reason: gai_strerror(code).map { String(cString: $0) } ?? "cannot be resolved")
    }
    defer { freeaddrinfo(list) }
    var addresses: [SocketAddress] = []
    var next = list
    while let info = next {
      if let address = info.pointee.ai_addr {
        addresses.append(SocketAddress(copying: address, length: info.pointee.ai_addrlen))
      }
      next = info.pointee.ai_next
    }
    guard !addresses.isEmpty else { throw Unknown(reason: "no address") }
    return addresses
  }

  public var family: Int32 { Int32(storage.ss_family) }

  public func withAddress<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
    withUnsafePointer(to: storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
    }
  }
  /// Lets a call fill the address in.
  public mutating func fill(
    _ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
  ) -> Int32 {
    var size = SocketAddress.lengthMax
    let result = withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, &size) }
    }
    length = min(size, SocketAddress.lengthMax)
    return result
  }
}
