import Glibc
import OpenSSL
import System

/// Why a connection was not made, in the system's words.
struct ConnectFailure: Error {
  let text: String
}

/// One of the socket addresses that an endpoint stands for.
struct Destination: Sendable {
  let address: SocketAddress
  let endpoint: Endpoint

  /// TLS with the endpoint, which must show a certificate made out to its host; nil: it is spoken to in the clear.
  func session(on wire: @autoclosure () -> TLSWire) throws(ConnectFailure) -> TLSSession? {
    guard let context = endpoint.security else { return nil }
    guard let session = TLSSession(context, .client(host: endpoint.host), on: wire()) else {
      throw ConnectFailure(text: "no memory for TLS")
    }
    return session
  }
}

extension SecureStream {
  /// Connects, and where TLS is spoken shakes hands, waiting at most `milliseconds` for each answer.
  static func connected(
    to destination: Destination, on wire: @autoclosure () -> TLSWire, within milliseconds: Int32
  ) throws(ConnectFailure) -> SecureStream {
    let session = try destination.session(on: wire())
    var stream = SecureStream(
      try Socket.connected(to: destination.address, within: milliseconds), session: session)
    guard session != nil else { return stream }
    stream.begin()
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: stream.slack + 4096, alignment: 16)
    defer { room.deallocate() }
    while !stream.isEstablished {
      let flushed = stream.flush()
      if let end = flushed.end { throw ConnectFailure(text: end) }
      let events = stream.unsentCount > 0 ? POLLIN | POLLOUT : POLLIN
      guard stream.descriptor.wait(for: events, milliseconds: milliseconds) else {
        throw ConnectFailure(text: "no answer to TLS within \(milliseconds) ms")
      }
      let received = stream.receive(into: room)
      if let failure = stream.failure { throw ConnectFailure(text: failure.description) }
      if let end = received.end { throw ConnectFailure(text: end) }
    }
    if case .failed(let code) = stream.flush() { throw ConnectFailure(text: SystemError.text(of: code)) }
    return stream
  }
  /// Why no more bytes come or go after such an outcome.
  func reason(of outcome: Descriptor.Transfer) -> String {
    failure?.description ?? outcome.end ?? "no reason"
  }
}

extension Socket {
  /// Connects, waiting at most `milliseconds`.
  static func connected(
    to address: SocketAddress, within milliseconds: Int32
  ) throws(ConnectFailure) -> Descriptor {
    let made: Descriptor
    do { made = try connect(to: address) } catch { throw ConnectFailure(text: error.reason) }
    guard made.wait(for: POLLOUT, milliseconds: milliseconds) else {
      throw ConnectFailure(text: "no answer within \(milliseconds) ms")
    }
    let code = pendingError(made)
    guard code == 0 else { throw ConnectFailure(text: SystemError.text(of: code)) }
    return made
  }
}

extension Descriptor.Transfer {
  /// Why no more bytes come or go, `nil` while the connection lives.
  var end: String? {
    switch self {
    case .moved, .wouldBlock: nil
    case .ended: "closed by the node"
    case .failed(let code): SystemError.text(of: code)
    }
  }
}
