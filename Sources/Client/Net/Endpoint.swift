import OpenSSL
import System

/// An address as a person writes it: `HOST:PORT`, `HOST`, `[V6]:PORT` or a bare IPv6 address.
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
  public static let defaultPort: UInt16 = 7401
  public var host: String
  public var port: UInt16
  /// How to speak TLS with it; nil: in the clear. It is no part of the address.
  var security: TLSContext?

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

  public static func == (a: Endpoint, b: Endpoint) -> Bool { a.host == b.host && a.port == b.port }
  public func hash(into hasher: inout Hasher) {
    hasher.combine(host)
    hasher.combine(port)
  }

  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  /// The socket addresses that the host stands for, IPv4 and IPv6, in the system's order.
  func resolve() throws(ClientError) -> [SocketAddress] {
    do { return try SocketAddress.resolve(host: host, port: port) } catch {
      throw .unreachable(["\(self): \(error.reason)"])
    }
  }
}
