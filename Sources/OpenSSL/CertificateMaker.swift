/// A certificate with its private key (EC, P-256), as texts in PEM form. Made by libcrypto.
public struct KeyPair: Sendable {
  public let certificate: String
  /// PKCS #8, without a password.
  public let key: String
  public init(certificate: String, key: String) {
    self.certificate = certificate
    self.key = key
  }
}

/// Makes certificates, for clusters without an authority of their own.
public enum CertificateMaker {
  /// Why none was made.
  public struct Failure: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
  }
  /// From and until when, in seconds since 1970.
  public struct Validity: Sendable {
    public var from: Int64
    public var until: Int64
    public init(from: Int64, until: Int64) {
      self.from = from
      self.until = until
    }
  }

  /// A new authority, which signs itself.
  public static func authority(cluster: String, _ validity: Validity) throws(Failure) -> KeyPair {
    let subject = CertificateFacts(name: "\(cluster) authority", role: nil, cluster: cluster, expires: validity.until)
    let usage = [(NID.basicConstraints, "critical,CA:TRUE,pathlen:0"), (NID.keyUsage, "critical,keyCertSign,cRLSign")]
    return try make(subject, validity, usage, signer: nil)
  }
  /// The certificate of a node: others connect to it, and it connects to others, by these hosts (names or addresses).
  public static func node(_ name: String, hosts: [String], _ validity: Validity, by authority: KeyPair) throws(Failure)
    -> KeyPair
  {
    let cluster = try label(of: authority)
    let subject = CertificateFacts(
      name: name, role: CertificateFacts.nodeRole, cluster: cluster, expires: validity.until)
    var names: [String] = []
    for host in hosts { names.append("\(try isAddress(host) ? "IP" : "DNS"):\(host)") }
    var usage = leaf + [(NID.extendedKeyUsage, "serverAuth,clientAuth")]
    if !names.isEmpty { usage.append((NID.alternativeName, names.joined(separator: ","))) }
    return try make(subject, validity, usage, signer: authority)
  }
  /// The certificate of a user: it connects to nodes, and signs in.
  public static func user(_ name: String, _ validity: Validity, by authority: KeyPair) throws(Failure) -> KeyPair {
    let cluster = try label(of: authority)
    let subject = CertificateFacts(
      name: name, role: CertificateFacts.userRole, cluster: cluster, expires: validity.until)
    return try make(subject, validity, leaf + [(NID.extendedKeyUsage, "clientAuth")], signer: authority)
  }

  /// What a certificate in PEM form says; nil: it is none.
  public static func facts(of certificate: String) -> CertificateFacts? {
    guard case .success(let library) = CertificateLibrary.shared else { return nil }
    return parsedCertificate(certificate, library).flatMap { CertificateFacts(owned: $0) }
  }
  private static func label(of authority: KeyPair) throws(Failure) -> String {
    _ = try library()
    guard let cluster = facts(of: authority.certificate)?.cluster else {
      throw Failure("the authority's certificate names no cluster (O)")
    }
    return cluster
  }

  private static let leaf = [
    (NID.basicConstraints, "critical,CA:FALSE"), (NID.keyUsage, "critical,digitalSignature"),
  ]
  private enum NID {
    static let subjectKey: Int32 = 82
    static let keyUsage: Int32 = 83
    static let alternativeName: Int32 = 85
    static let basicConstraints: Int32 = 87
    static let authorityKey: Int32 = 90
    static let extendedKeyUsage: Int32 = 126
  }

  private static func library() throws(Failure) -> CertificateLibrary {
    switch CertificateLibrary.shared {
    case .success(let library): return library
    case .failure(let missing): throw Failure("\(missing)")
    }
  }
  /// Whether a host is an address; it must be that or a name, since it becomes part of a list.
  private static func isAddress(_ host: String) throws(Failure) -> Bool {
    guard (1...253).contains(host.utf8.count),
      host.utf8.allSatisfy({ byte in
        byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ":") || byte == UInt8(ascii: "*")
          || byte == UInt8(ascii: "_") || Character(UnicodeScalar(byte)).isLetter && byte < 128
          || (48...57).contains(byte)
      })
    else { throw Failure("'\(host)' is no host: a name or an address is wanted") }
    return host.contains(":") || host.utf8.allSatisfy { $0 == UInt8(ascii: ".") || (48...57).contains($0) }
  }

  // MARK: Making

  private static func make(
    _ subject: CertificateFacts, _ validity: Validity, _ usage: [(Int32, String)], signer: KeyPair?
  ) throws(Failure) -> KeyPair {
    let library = try library()
    let key = try newKey(library)
    defer { library.keys.freeKey(key) }
    guard let certificate = library.making.newCertificate(), let name = library.making.newName() else {
      throw failed("memory")
    }
    defer {
      library.freeCertificate(certificate)
      library.making.freeName(name)
    }
    for (field, text) in [("O", subject.cluster), ("OU", subject.role), ("CN", subject.name)] {
      guard let text else { continue }
      let utf8: Int32 = 0x1000
      let bytes = Array(text.utf8)
      guard library.making.addToName(name, field, utf8, bytes, Int32(bytes.count), -1, 0) == 1 else {
        throw Failure("'\(text)' cannot be the \(field) of a certificate: at most 64 characters")
      }
    }
    let version3 = 2
    guard library.making.setVersion(certificate, version3) == 1, library.making.setSubject(certificate, name) == 1,
      library.making.setKey(certificate, key) == 1,
      library.making.setTime(library.making.notBefore(certificate), Int(validity.from)) != nil,
      library.making.setTime(library.making.notAfter(certificate), Int(validity.until)) != nil
    else { throw failed("a certificate") }
    try setSerial(of: certificate, library)
    try withSigner(signer, or: (certificate, key), library) { (issuer, signingKey) throws(Failure) in
      guard let issuerName = library.subject(issuer), library.making.setIssuer(certificate, issuerName) == 1,
        library.making.keyMatches(issuer, signingKey) == 1
      else { throw Failure("the authority's key is not that of its certificate") }
      let keys = [(NID.subjectKey, "hash"), (NID.authorityKey, "keyid")]
      for (kind, value) in usage + keys { try extend(certificate, kind, value, issuer: issuer, library) }
      guard let digest = library.making.sha256(), library.making.sign(certificate, signingKey, digest) > 0 else {
        throw failed("a signature")
      }
    }
    return KeyPair(
      certificate: try text(library) { library.texts.writeCertificate($0, certificate) },
      key: try text(library) { library.texts.writeKey($0, key, nil, nil, 0, nil, nil) })
  }
  private static func failed(_ what: String) -> Failure { Failure("libcrypto cannot make \(what)") }

  private static func newKey(_ library: CertificateLibrary) throws(Failure) -> OpaquePointer {
    guard let maker = library.keys.newKeyMaker(nil, "EC", nil) else { throw failed("an EC key") }
    defer { library.keys.freeKeyMaker(maker) }
    var key: OpaquePointer?
    guard library.keys.beginKey(maker) == 1, library.keys.setCurve(maker, "P-256") == 1,
      library.keys.makeKey(maker, &key) == 1,
      let key
    else { throw failed("an EC key") }
    return key
  }
  /// 126 random bits.
  private static func setSerial(of certificate: OpaquePointer, _ library: CertificateLibrary) throws(Failure) {
    var bytes = [UInt8](repeating: 0, count: 16)
    guard library.keys.randomBytes(&bytes, 16) == 1 else { throw failed("random bytes") }
    bytes[0] = bytes[0] & 0x3F | 0x40
    guard let number = library.making.toNumber(bytes, 16, nil) else { throw failed("a serial number") }
    defer { library.making.freeNumber(number) }
    guard let serial = library.making.toInteger(number, nil) else { throw failed("a serial number") }
    defer { library.making.freeInteger(serial) }
    guard library.making.setSerial(certificate, serial) == 1 else { throw failed("a serial number") }
  }
  private static func extend(
    _ certificate: OpaquePointer, _ kind: Int32, _ value: String, issuer: OpaquePointer, _ library: CertificateLibrary
  ) throws(Failure) {
    // X509V3_CTX: a number and seven pointers in OpenSSL 3; room for twice that.
    let context = UnsafeMutableRawPointer.allocate(byteCount: 128, alignment: 16)
    defer { context.deallocate() }
    context.initializeMemory(as: UInt8.self, repeating: 0, count: 128)
    library.making.extensionContext(context, issuer, certificate, nil, nil, 0)
    guard let made = library.making.newExtension(nil, context, kind, value) else {
      throw Failure("'\(value)' cannot stand in a certificate")
    }
    defer { library.making.freeExtension(made) }
    guard library.making.addExtension(certificate, made, -1) == 1 else { throw failed("an extension") }
  }

  // MARK: Texts

  private static func withSigner(
    _ signer: KeyPair?, or own: (OpaquePointer, OpaquePointer), _ library: CertificateLibrary,
    _ body: (OpaquePointer, OpaquePointer) throws(Failure) -> Void
  ) throws(Failure) {
    guard let signer else { return try body(own.0, own.1) }
    guard let certificate = parsedCertificate(signer.certificate, library) else {
      throw Failure("the authority's certificate cannot be read")
    }
    defer { library.freeCertificate(certificate) }
    guard let key = parsedKey(signer.key, library) else { throw Failure("the authority's key cannot be read") }
    defer { library.keys.freeKey(key) }
    try body(certificate, key)
  }
  private static func parsedCertificate(_ text: String, _ library: CertificateLibrary) -> OpaquePointer? {
    withBuffer(text, library) { library.texts.readCertificate($0, nil, nil, nil) }
  }
  private static func parsedKey(_ text: String, _ library: CertificateLibrary) -> OpaquePointer? {
    withBuffer(text, library) { library.texts.readKey($0, nil, { _, _, _, _ in 0 }, nil) }
  }
  private static func withBuffer(
    _ text: String, _ library: CertificateLibrary, _ body: (OpaquePointer) -> OpaquePointer?
  ) -> OpaquePointer? {
    let bytes = Array(text.utf8)
    return bytes.withUnsafeBytes { raw in
      guard let base = raw.baseAddress, let buffer = library.texts.readBuffer(base, Int32(clamping: raw.count)) else {
        return nil
      }
      defer { _ = library.texts.freeBuffer(buffer) }
      return body(buffer)
    }
  }
  private static func text(_ library: CertificateLibrary, _ write: (OpaquePointer) -> Int32) throws(Failure) -> String {
    guard let buffer = library.texts.newBuffer(library.texts.memory()) else { throw failed("memory") }
    defer { _ = library.texts.freeBuffer(buffer) }
    let contents: Int32 = 3
    var bytes: UnsafeRawPointer?
    guard write(buffer) == 1, case let count = library.texts.controlBuffer(buffer, contents, 0, &bytes), let bytes
    else {
      throw failed("a text")
    }
    return String(decoding: UnsafeRawBufferPointer(start: bytes, count: count), as: UTF8.self)
  }
}
