import HTTP

/// What a terminal's connection speaks.
enum ClientKind {
  case `protocol`, http

  /// What it is told where it cannot be served.
  func refusal(_ reason: String) -> [UInt8] {
    switch self {
    case .protocol: Array("-ERR \(reason)\r\n".utf8)
    case .http: Gateway.refusal(reason)
    }
  }
}

/// What a connection that speaks HTTP has beside what every terminal's has: to the node it is a terminal, and between the two
/// stands its gateway.
final class HTTPSide {
  let gateway: Gateway
  /// Requests that the node has not taken yet.
  var requests: [UInt8] = []
  /// The node wants to be offered bytes.
  var isRead = true
  private var requestsSeen = 0

  init(_ settings: Gateway.Settings) { gateway = Gateway(settings) }

  /// Whether a request was whole since it was last asked: what has arrived since is the begin of another.
  func takeIsNew() -> Bool {
    defer { requestsSeen = gateway.requestCount }
    return requestsSeen != gateway.requestCount
  }
}
