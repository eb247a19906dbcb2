/// An address as people write it: `host:port`, `[::1]:port`. An empty host or `*` is every address of the machine.
public struct HostPort: Hashable, Sendable, CustomStringConvertible {
  public var host: String
  public var port: UInt16

  public init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// Nil if the text is not an address.
  public init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else { return nil }
    var host = String(text[..<colon])
    if host.hasPrefix("[") {
      guard host.hasSuffix("]"), host.count > 2 else { return nil }
      host = String(host.dropFirst().dropLast())
    } else if host.contains(":") {
      return nil
    }
    guard host.allSatisfy({ $0.isASCII && !$0.isWhitespace && $0 != "/" && $0 != "," }) else { return nil }
    self.host = host == "*" ? "" : host
    self.port = port
  }

  /// Whether it stands for all addresses of the machine, so that nobody can connect to it.
  public var isEveryAddress: Bool { host.isEmpty || host == "0.0.0.0" || host == "::" }

  /// Whether nobody but this machine reaches it.
  public var isLoopback: Bool {
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return host == "localhost" || host == "::1"
      || parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
  }

  public var description: String {
    host.isEmpty ? "*:\(port)" : host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
  }
}
