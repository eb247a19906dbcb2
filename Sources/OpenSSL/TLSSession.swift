/// One side of one connection's TLS: ciphertext in, plaintext out, and the other way round. It touches no socket; what it wants
/// sent lies in its wire. Some 10 KB while it is idle. A whole handshake takes this side 0.1 to 0.4 ms of processor time.
public final class TLSSession {
  public enum Side: Sendable {
    /// It was connected to.
    case server
    /// It has connected to a host; the certificate must be made out to it, unless it is nil.
    case client(host: String?)
  }
  /// How an answer of `open` ended.
  public enum End: Equatable {
    /// The other side sends no more, and said so.
    case closed
    case failed(TLSFailure)
  }

  public let wire: TLSWire
  let context: TLSContext
  let handle: OpaquePointer
  private let host: String?
  private var library: TLSLibrary { context.library }
  /// The handshake is over, and the other side is who it has to be.
  public private(set) var isEstablished = false
  private var hasHeard = false
  private var isOver = false

  /// A room for plaintext is larger by that than the ciphertext that is opened into it: so much of a record may have come before.
  public static let slack = 20 << 10

  /// What a record holds at most.
  private static let recordBytes = 16 << 10

  /// Nil if the library has no memory for it.
  public init?(_ context: TLSContext, _ side: Side, on wire: TLSWire) {
    let library = context.library
    guard let handle = library.sessions.newSession(context.handle) else { return nil }
    guard let ends = library.wires.newWire(context.method) else {
      library.sessions.freeSession(handle)
      return nil
    }
    library.wires.setData(ends, UnsafeMutableRawPointer(wire.ends))
    library.wires.setReady(ends, 1)
    library.sessions.setWire(handle, ends, ends)
    self.context = context
    self.handle = handle
    self.wire = wire
    switch side {
    case .server:
      host = nil
      library.sessions.accept(handle)
    case .client(let host):
      self.host = host
      library.sessions.connect(handle)
      if let host { expect(host) }
    }
  }
  deinit { library.sessions.freeSession(handle) }

  /// The certificate must be made out to the host, which the server is told the name of.
  private func expect(_ host: String) {
    guard let parameters = library.sessions.parameters(handle) else {
      isOver = true
      return
    }
    if library.sessions.expectAddress(parameters, host) == 1 { return }
    library.clearErrors()
    isOver = library.sessions.expectHost(parameters, host, 0) != 1
    let setName: Int32 = 55
    var name = Array(host.utf8CString)
    name.withUnsafeMutableBytes { _ = library.sessions.control(handle, setName, 0, $0.baseAddress) }
  }

  /// Who the other side is, by its certificate; nil: it showed none.
  public var peer: CertificateFacts? {
    isEstablished ? shown : nil
  }
  private var shown: CertificateFacts? {
    library.sessions.peerCertificate(handle).flatMap { CertificateFacts(owned: $0) }
  }
  /// "TLSv1.3".
  public var version: String { library.sessions.version(handle).map { String(cString: $0) } ?? "" }

  /// Begins the handshake of a client: its first bytes lie in the wire then.
  public func begin() -> End? {
    isOver ? .failed(TLSFailure(.handshake, "no certificate can be made out to \(host ?? "that host")")) : shakeHands()
  }

  /// Takes what a socket gave, all of it, and gives the plaintext that it holds.
  /// - Parameter plaintext: room for `slack` more bytes than `ciphertext` has.
  /// - Returns: how many bytes of plaintext there are, and whether none come behind them.
  public func open(_ ciphertext: UnsafeRawBufferPointer, into plaintext: UnsafeMutableRawBufferPointer)
    -> (count: Int, end: End?)
  {
    guard !isOver, let first = ciphertext.first else { return (0, nil) }
    // The first byte of a handshake record, or of an alert in its place.
    if !hasHeard && first != 22 && first != 21 { return (0, fail(.plaintext)) }
    hasHeard = true
    wire.ends.pointee.incoming = ciphertext.baseAddress
    wire.ends.pointee.incomingCount = ciphertext.count
    defer { wire.ends.pointee.incomingCount = 0 }
    if !isEstablished {
      if let end = shakeHands() { return (0, end) }
      guard isEstablished else { return (0, nil) }
    }
    library.clearErrors()
    var count = 0
    while count < plaintext.count, let base = plaintext.baseAddress {
      let moved = library.sessions.read(handle, base + count, Int32(clamping: plaintext.count - count))
      guard moved > 0 else { return (count, stop(moved)) }
      count += Int(moved)
      // A read gives one record, whole: nothing is left where all that came was taken.
      if wire.ends.pointee.incomingCount == 0 && moved < TLSSession.recordBytes { return (count, nil) }
    }
    return (count, fail(TLSFailure(.session, "its records hold more than they may")))
  }

  /// Writes all of it, as records of 16 KiB, into the wire. The handshake must be over.
  /// - Returns: false if the session takes none any more.
  func seal(_ plaintext: UnsafeRawBufferPointer) -> Bool {
    guard isEstablished, !isOver else { return false }
    library.clearErrors()
    var rest = plaintext
    while let base = rest.baseAddress, !rest.isEmpty {
      let moved = library.sessions.write(handle, base, Int32(clamping: rest.count))
      guard moved > 0 else { return false }
      rest = UnsafeRawBufferPointer(rebasing: rest[Int(moved)...])
    }
    return true
  }

  /// Says into the wire that this side sends no more.
  func sayClosed() {
    guard isEstablished, !isOver else { return }
    library.clearErrors()
    _ = library.sessions.shutdown(handle)
  }

  private func shakeHands() -> End? {
    library.clearErrors()
    let result = library.sessions.handshake(handle)
    guard result == 1 else { return stop(result) }
    // Nothing of what came behind the handshake is read before this.
    if case .node(let cluster) = context.verification {
      let peer = shown
      guard let peer, peer.isNode(of: cluster) else {
        let name = peer?.description ?? "nobody"
        return fail(TLSFailure(.handshake, "its certificate names \(name), not a node of the cluster \(cluster)"))
      }
    }
    isEstablished = true
    return nil
  }
  /// Why a call did not go on; nil: more must come first.
  private func stop(_ result: Int32) -> End? {
    let (failed, wantsRead, closed) = (Int32(1), Int32(2), Int32(6))
    switch library.sessions.error(handle, result) {
    case wantsRead: return nil
    case closed:
      return .closed
    case failed:
      let verified = library.sessions.verifyResult(handle)
      if !isEstablished && verified != 0 {
        let text = library.sessions.verifyText(verified).map { String(cString: $0) } ?? "error \(verified)"
        return fail(.certificate(verified, context, host: host, text: text))
      }
      let error = library.takeError()
      return fail(
        .library((error?.code ?? 0) & 0x7F_FFFF, isEstablished: isEstablished, text: error?.text ?? "no reason"))
    default: return fail(TLSFailure(isEstablished ? .session : .handshake, "TLS failed without a reason"))
    }
  }
  private func fail(_ failure: TLSFailure) -> End {
    library.clearErrors()
    isOver = true
    return .failed(failure)
  }
}
