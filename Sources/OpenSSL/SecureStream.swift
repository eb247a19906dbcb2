import Glibc
import System

/// A socket's bytes, in the clear or by TLS: what the line protocol, the links between nodes and HTTP are read from and written
/// to. It knows nothing of what they say. Non-blocking, as the socket.
public struct SecureStream: ~Copyable {
  public let descriptor: Descriptor
  private let session: TLSSession?
  /// Sealed bytes that the kernel has not taken.
  private var unsent: [UInt8] = []
  private var sent = 0
  /// What follows what was received last.
  private var end: Descriptor.Transfer?
  /// Why TLS has ended, if it was not in order.
  public private(set) var failure: TLSFailure?

  /// A peer that has TLS answer it (by renewing keys) and takes no answer is given up at so many bytes.
  private static let unsentBytesMax = 1 << 20
  /// What is sealed at once: so much plaintext waits for the kernel at most.
  private static let sealedBytesMax = 64 << 10

  /// - Parameter session: nil: in the clear.
  public init(_ descriptor: consuming Descriptor, session: TLSSession? = nil) {
    self.descriptor = descriptor
    self.session = session
  }

  public var isSecure: Bool { session != nil }
  /// Bytes may be sent, and come: there is no handshake, or it is over.
  public var isEstablished: Bool { session?.isEstablished ?? true }
  /// Who the other side is, by its certificate; nil: it showed none.
  public var peer: CertificateFacts? { session?.peer }
  /// A room to receive into is larger by that than what is to be read at once.
  public var slack: Int { session == nil ? 0 : TLSSession.slack }
  /// Bytes that `send` took and the kernel has not: `flush` is to be called once the socket takes more.
  public var unsentCount: Int { unsent.count - sent }
  /// There is more to receive, or an end, although the socket may not say that it is readable.
  public var hasMore: Bool { end != nil }

  /// Begins the handshake of a client, on a socket that is connected. Followed by `flush`.
  public mutating func begin() {
    guard let session else { return }
    if let end = session.begin() { finish(end) }
    keepOutgoing()
  }

  /// Reads what has arrived. During a handshake `wouldBlock` is all that comes while it goes well.
  /// - Parameter buffer: larger than `slack`.
  public mutating func receive(into buffer: UnsafeMutableRawBufferPointer) -> Descriptor.Transfer {
    guard let session else { return descriptor.receive(into: buffer) }
    if let end {
      self.end = nil
      return end
    }
    let room = min(session.wire.input.count, buffer.count - TLSSession.slack)
    guard room > 0 else { return .wouldBlock }
    let input = UnsafeMutableRawBufferPointer(rebasing: session.wire.input[..<room])
    let received = descriptor.receive(into: input)
    guard case .moved(let count) = received else { return received }
    let opened = session.open(UnsafeRawBufferPointer(rebasing: input[..<count]), into: buffer)
    if let end = opened.end { finish(end) }
    keepOutgoing()
    if unsentCount > 0, case .failed(let code) = flush() { return .failed(code) }
    guard unsentCount <= SecureStream.unsentBytesMax else { return .failed(EPIPE) }
    if opened.count > 0 { return .moved(opened.count) }
    defer { end = nil }
    return end ?? .wouldBlock
  }
  private mutating func finish(_ end: TLSSession.End) {
    switch end {
    case .closed: self.end = .ended
    case .failed(let failure):
      self.failure = failure
      self.end = .failed(EPROTO)
    }
  }

  /// Takes bytes on their way: as many as the kernel does, or, sealed, four records' (64 KiB) once the kernel has taken what was
  /// sealed before. What the kernel does not take of these is kept: see `unsentCount`.
  public mutating func send(_ bytes: UnsafeRawBufferPointer) -> Descriptor.Transfer {
    guard let session else { return descriptor.send(bytes) }
    guard session.isEstablished else { return .wouldBlock }
    if unsentCount > 0, case let flushed = flush(), unsentCount > 0 { return flushed }
    let count = min(bytes.count, SecureStream.sealedBytesMax)
    guard session.seal(UnsafeRawBufferPointer(rebasing: bytes[..<count])) else { return .failed(EPIPE) }
    let wire = session.wire
    let outgoing = wire.outgoing
    var taken = 0
    switch descriptor.send(outgoing) {
    case .moved(let count): taken = count
    case .wouldBlock: break
    case .failed(let code):
      wire.clearOutgoing()
      return .failed(code)
    case .ended: break
    }
    if taken < outgoing.count { unsent.append(contentsOf: UnsafeRawBufferPointer(rebasing: outgoing[taken...])) }
    wire.clearOutgoing()
    return .moved(count)
  }

  /// Hands over what is kept. `wouldBlock`: a part is still kept.
  public mutating func flush() -> Descriptor.Transfer {
    while unsentCount > 0 {
      let result = unsent.withUnsafeBytes { descriptor.send(UnsafeRawBufferPointer(rebasing: $0[sent...])) }
      guard case .moved(let count) = result else { return result }
      sent += count
    }
    unsent = []
    sent = 0
    return .moved(0)
  }
  private mutating func keepOutgoing() {
    guard let wire = session?.wire, !wire.outgoing.isEmpty else { return }
    if sent > 0 {
      unsent.removeFirst(sent)
      sent = 0
    }
    unsent.append(contentsOf: wire.outgoing)
    wire.clearOutgoing()
  }

  /// Tells the other side that no more comes. What `send` took and the kernel does not take now is lost.
  public mutating func endOutput() {
    if let session {
      session.sayClosed()
      keepOutgoing()
      _ = flush()
      unsent = []
      sent = 0
    }
    descriptor.endOutput()
  }
}
