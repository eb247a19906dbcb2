/// Why files of certificates and keys would not serve: one line that names the file and says what to do.
public struct TLSFilesError: Error, Equatable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}

/// What sessions of one purpose share: this side's certificate and key, the authorities that the other side's certificate is
/// verified by, and the least version, TLS 1.2. It does not change: renewed files make another one, and sessions keep theirs.
public final class TLSContext: @unchecked Sendable {
  /// Paths of files in PEM form.
  public struct Files: Equatable, Sendable {
    /// The certificate, then those between it and its authority.
    public var certificate: String?
    public var key: String?
    /// Certificates of authorities.
    public var authorities: String?
    /// The system's authorities serve, too.
    public var takesSystemAuthorities: Bool
    public init(
      certificate: String? = nil, key: String? = nil, authorities: String? = nil, takesSystemAuthorities: Bool = false
    ) {
      self.certificate = certificate
      self.key = key
      self.authorities = authorities
      self.takesSystemAuthorities = takesSystemAuthorities
    }
  }
  /// What the other side's certificate must be.
  public enum Verification: Equatable, Sendable {
    /// None is asked for.
    case none
    /// Signed by one of the authorities.
    case signed
    /// Signed so, and that of a node of the cluster with this label.
    case node(cluster: String)
  }

  let library: TLSLibrary
  let handle: OpaquePointer
  let method: OpaquePointer
  public let files: Files
  public let verification: Verification
  /// Of this side's certificate; nil: it has none.
  public let certificate: CertificateFacts?

  /// Reads the files. Costs a millisecond, and waits for the disk.
  /// - Parameter givesTickets: whether a client that comes again may do without the signatures of a whole handshake.
  public init(_ files: Files, verification: Verification, givesTickets: Bool = true) throws(TLSFilesError) {
    let library: TLSLibrary
    switch TLSLibrary.shared {
    case .success(let found): library = found
    case .failure(let missing): throw TLSFilesError("TLS: \(missing)")
    }
    guard let method = TLSContext.method, let handle = library.contexts.newContext(library.contexts.bothSides()) else {
      throw TLSFilesError("TLS: the library has no memory")
    }
    self.library = library
    self.handle = handle
    self.method = method
    self.files = files
    self.verification = verification
    do throws(TLSFilesError) {
      try TLSContext.prepare(library, handle, givesTickets: givesTickets)
      try TLSContext.load(files, verification, library, handle)
    } catch {
      library.contexts.freeContext(handle)
      throw error
    }
    certificate = library.contexts.ownCertificate(handle).flatMap { CertificateFacts(borrowed: $0) }
  }
  deinit { library.contexts.freeContext(handle) }

  nonisolated(unsafe) private static let method: OpaquePointer? =
    if case .success(let library) = TLSLibrary.shared { TLSWire.method(library) } else { nil }

  private static func prepare(_ library: TLSLibrary, _ handle: OpaquePointer, givesTickets: Bool) throws(TLSFilesError)
  {
    let tls12 = 0x0303
    let (setMode, setLeastVersion, setCache) = (Int32(33), Int32(123), Int32(44))
    // Buffers of a session are given back whenever they are empty; a write that is tried again may lie elsewhere.
    let (movingWrites, releaseBuffers) = (0x02, 0x10)
    _ = library.contexts.controlContext(handle, setMode, movingWrites | releaseBuffers, nil)
    _ = library.contexts.controlContext(handle, setCache, 0, nil)
    let (noTickets, noCompression, serverChooses, noRenegotiation) =
      (UInt64(1) << 14, UInt64(1) << 17, UInt64(1) << 22, UInt64(1) << 30)
    _ = library.contexts.setOptions(
      handle, noCompression | serverChooses | noRenegotiation | (givesTickets ? 0 : noTickets))
    _ = library.contexts.setTickets(handle, givesTickets ? 1 : 0)
    let name = Array("tally".utf8)
    guard library.contexts.controlContext(handle, setLeastVersion, tls12, nil) == 1,
      // Of TLS 1.2, those with forward secrecy and authenticated encryption; those of TLS 1.3 all are.
      library.contexts.setCiphers(handle, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1,
      library.contexts.setSessionContext(handle, name, UInt32(name.count)) == 1
    else { throw TLSFilesError("TLS: the library refuses TLS 1.2: \(library.takeError()?.text ?? "no reason")") }
  }

  private static func load(
    _ files: Files, _ verification: Verification, _ library: TLSLibrary, _ handle: OpaquePointer
  ) throws(TLSFilesError) {
    // A key with a password would be asked for at the terminal.
    library.contexts.setPasswordCallback(handle) { _, _, _, _ in 0 }
    library.clearErrors()
    if let path = files.certificate {
      guard library.contexts.useChain(handle, path) == 1 else {
        throw problem(path, "cannot be read as a certificate in PEM form", library)
      }
      let keyPath = files.key ?? path
      let pem: Int32 = 1
      guard library.contexts.useKey(handle, keyPath, pem) == 1 else {
        throw problem(
          keyPath, "cannot be read as the certificate's private key in PEM form, without a password", library)
      }
      guard library.contexts.checkKey(handle) == 1 else {
        throw problem(keyPath, "is not the key of the certificate \(path)", library)
      }
    }
    if let path = files.authorities {
      guard library.contexts.loadAuthorities(handle, path) == 1, let names = library.contexts.readNames(path) else {
        throw problem(path, "cannot be read as certificates of authorities in PEM form", library)
      }
      library.contexts.offerNames(handle, names)
    }
    if files.takesSystemAuthorities, library.contexts.loadSystemAuthorities(handle) != 1 {
      throw TLSFilesError("TLS: the system's authorities cannot be read: \(library.takeError()?.text ?? "no reason")")
    }
    guard verification != .none else { return library.contexts.setVerify(handle, 0, nil) }
    guard files.authorities != nil || files.takesSystemAuthorities else {
      throw TLSFilesError("TLS: a file of authorities is needed to verify by")
    }
    let (verify, failWithout) = (Int32(1), Int32(2))
    library.contexts.setVerify(handle, verify | failWithout, nil)
  }
  private static func problem(_ path: String, _ what: String, _ library: TLSLibrary) -> TLSFilesError {
    TLSFilesError("\(path) \(what): \(library.takeError()?.text ?? "no reason")")
  }
}
