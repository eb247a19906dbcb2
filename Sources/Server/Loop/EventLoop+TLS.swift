import Base
import Cluster
import OpenSSL
import System

/// Which TLS the loop's connections have; nil: they are in the clear.
public struct LoopSecurity: Sendable {
  public var terminals: TLSContext?
  public var peers: TLSContext?
  public init(terminals: TLSContext? = nil, peers: TLSContext? = nil) {
    self.terminals = terminals
    self.peers = peers
  }
  /// Those by which this side is known.
  var certificates: [LoadedCertificate] {
    [("terminals", terminals), ("peers", peers)].compactMap { use, context in
      context?.certificate.map { LoadedCertificate(use: use, name: $0.name ?? "", ends: $0.expires) }
    }
  }
}

/// Reminds the operator of certificates that end soon.
struct ExpiryReminder {
  /// How often a certificate that ends soon is spoken of, in seconds.
  static let interval: Int64 = 86_400
  private var last: Int64?

  /// Lines for the log, once a day; none if all certificates hold for long, or it was said.
  /// - Parameter now: in seconds since 1970.
  mutating func lines(_ security: LoopSecurity, now: Int64) -> [String] {
    if let last, now < last + ExpiryReminder.interval { return [] }
    var lines: [String] = []
    for context in [security.terminals, security.peers].compactMap({ $0 }) {
      guard let certificate = context.certificate, certificate.expires - now < LoadedCertificate.notice else {
        continue
      }
      let what = certificate.expires > now ? "ends on" : "has ended on"
      lines.append(
        "TLS: the certificate in \(context.files.certificate ?? "") \(what) \(certificate.expiryDay): renew it and send SIGHUP"
      )
    }
    if !lines.isEmpty { last = now }
    return lines
  }
}

/// Bounds what the log says of connections that failed: so many lines a second, and then how many more there were.
struct FailureLog {
  static let linesPerSecond = 5
  private var lines = 0
  private var unsaid = 0

  /// One more failed: whether that is to be logged.
  mutating func take() -> Bool {
    guard lines < FailureLog.linesPerSecond else {
      unsaid += 1
      return false
    }
    lines += 1
    return true
  }
  /// A second has passed: a line about those that were not logged in it; nil: there were none.
  mutating func second() -> String? {
    defer { (lines, unsaid) = (0, 0) }
    return unsaid > 0 ? "TLS: more connections failed count=\(unsaid)" : nil
  }
}

// Handshakes: until one is over, the node does not hear of the connection.

extension EventLoop {
  enum Side: String { case terminal, node }

  /// Says in the log why a connection failed.
  mutating func failed(_ side: Side, _ descriptor: borrowing Descriptor, _ failure: TLSFailure) {
    gauges.tlsFailures += 1
    guard failureLog.take() else { return }
    let address = Socket.peerAddress(descriptor).description
    logger.log(.warning, "TLS: a \(side.rawValue)'s connection failed: \(failure) address=\(address)")
  }

  // MARK: Terminals

  /// Goes on with a terminal's handshake; once it is over the node hears of the terminal, and of what came behind.
  /// - Returns: how many bytes the node was offered.
  mutating func shakeHands(_ id: UInt64, _ client: UnsafeMutablePointer<ClientConnection>) -> Int {
    let received = receive(client, behind: 0)
    guard client.pointee.stream.isEstablished, client.pointee.stream.failure == nil else {
      switch received {
      case .wouldBlock: updateInterest(id, client)
      case .moved, .ended, .failed:
        if let failure = client.pointee.stream.failure {
          failed(.terminal, client.pointee.stream.descriptor, failure)
          if failure.kind == .plaintext {
            tell(client.pointee.stream.descriptor, "this port speaks TLS: connect with it (--tls, --tls-ca FILE)")
          }
        }
        dropClient(id)
      }
      return 0
    }
    client.pointee.state.remove(.handshaking)
    gauges.tlsHandshakes += 1
    let address = Socket.peerAddress(client.pointee.stream.descriptor).description
    core.clientOpened(ClientID(id), from: address, now: now)
    if let user = client.pointee.stream.peer?.user { core.clientCertified(ClientID(id), as: user, now: now) }
    return take(id, client, received, behind: 0)
  }
  mutating func expireHandshakes() {
    while let id = clients.nextLateHandshake(at: now.monotonic) {
      if let client = clients.find(id) { failed(.terminal, client.pointee.stream.descriptor, .late) }
      dropClient(id)
    }
  }

  // MARK: Links

  func beginHandshake(_ link: inout LinkConnection) {
    link.isHandshaking = true
    link.deadline = now.monotonic + options.handshakeTimeout
  }
  /// Goes on with a link's handshake. Nothing of what the other side sends is looked at before it is known to be a node of
  /// this cluster.
  mutating func shakeHands(_ id: UInt64, _ link: UnsafeMutablePointer<LinkConnection>) {
    if link.pointee.connecting == nil {
      // The poller says again in the next turn that there is something to read.
      guard strangerSteps < LoopOptions.handshakesMax else { return }
      strangerSteps += 1
    }
    let unsent = link.pointee.stream.unsentCount
    let flushed = link.pointee.stream.flush()
    gauges.unsentBytes += link.pointee.stream.unsentCount - unsent
    if case .failed = flushed { return dropLink(id) }
    let received = receive(link)
    guard link.pointee.stream.isEstablished, link.pointee.stream.failure == nil else {
      switch received {
      case .wouldBlock:
        watch(id, link, for: link.pointee.stream.unsentCount > 0 ? [.readable, .writable] : .readable)
      case .moved, .ended, .failed:
        if let failure = link.pointee.stream.failure { failed(.node, link.pointee.stream.descriptor, failure) }
        dropLink(id)
      }
      return
    }
    let request = link.pointee.connecting
    link.pointee.isHandshaking = false
    gauges.tlsHandshakes += 1
    link.pointee.connecting = nil
    watch(id, link, for: link.pointee.stream.unsentCount > 0 ? [.readable, .writable] : .readable)
    core.linkOpened(LinkID(id), request: request, now: now)
    _ = take(id, link, received)
    if links.find(id) != nil, link.pointee.stream.hasMore { dropLink(id) }
  }
}
