import Glibc

/// An address as a person writes it: `HOST:PORT`, `HOST`, `[V6]:PORT` or a bare IPv6 address.
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
  public static let defaultPort: UInt16 = 7401
  public var host: String
  public var port: UInt16

  public init(host: String, port: UInt16 = Endpoint.defaultPort) {
    self.host = host
    self.port = port
  }

  /// Throws `.usage` that names the text at fault.
  public init(_ text: String) throws(ClientError) {
    var host = text
    var portText: String?
    if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
      host = String(text[text.index(after: text.startIndex)..<end])
      let rest = text[text.index(after: end)...]
      guard rest.isEmpty || rest.hasPrefix(":") else { throw .usage("'\(text)' is no HOST:PORT") }
      if !rest.isEmpty { portText = String(rest.dropFirst()) }
    } else if text.filter({ $0 == ":" }).count == 1, let colon = text.firstIndex(of: ":") {
      host = String(text[..<colon])
      portText = String(text[text.index(after: colon)...])
    }
    if host.isEmpty { host = "127.0.0.1" }
    self.host = host
    guard let portText else {
      guard !text.isEmpty else { throw .usage("an empty address") }
      port = Endpoint.defaultPort
      return
    }
    guard let port = UInt16(portText), port > 0 else { throw .usage("'\(text)' is no HOST:PORT: no such port") }
    self.port = port
  }

  /// Several addresses, separated by commas; at least one.
  public static func list(_ text: String) throws(ClientError) -> [Endpoint] {
    var endpoints: [Endpoint] = []
    for part in text.split(separator: ",") {
      endpoints.append(try Endpoint(String(part)))
    }
    guard !endpoints.isEmpty else { throw .usage("no address in '\(text)'") }
    return endpoints
  }

  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  /// The socket addresses that the host stands for, IPv4 and IPv6, in the system's order.
  func resolve() throws(ClientError) -> [SocketAddress] {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_NUMERICSERV
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, String(port), &hints, &list)
    guard code == 0 else {
      throw .unreachable(["\(self): \(gai_strerror(code).map { String(cString: $0) } ?? "cannot be resolved")"])
    }
    defer { freeaddrinfo(list) }
    var addresses: [SocketAddress] = []
    var next = list
    while let info = next {
      if let address = info.pointee.ai_addr {
        addresses.append(SocketAddress(copying: address, count: info.pointee.ai_addrlen))
      }
      next = info.pointee.ai_next
    }
    guard !addresses.isEmpty else { throw .unreachable(["\(self): no address"]) }
    return addresses
  }
}

/// A resolved address, as the system calls take it.
struct SocketAddress: Sendable {
  private var storage = sockaddr_storage()
  let count: socklen_t

  init(copying address: UnsafePointer<sockaddr>, count: socklen_t) {
    self.count = min(count, socklen_t(MemoryLayout<sockaddr_storage>.size))
    let size = Int(self.count)
    withUnsafeMutableBytes(of: &storage) { $0.copyMemory(from: UnsafeRawBufferPointer(start: address, count: size)) }
  }

  var family: Int32 { Int32(storage.ss_family) }

  func withSockaddr<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
    withUnsafeBytes(of: storage) { bytes in
      bytes.withMemoryRebound(to: sockaddr.self) { rebound in
        // A sockaddr_storage is never empty.
        rebound.baseAddress.map { body($0, count) } ?? withUnsafePointer(to: sockaddr()) { body($0, 0) }
      }
    }
  }
}
