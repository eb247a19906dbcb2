import Glibc
import OpenSSL

/// An authority with certificates, in a directory of its own that goes with it.
public final class TestCertificates {
  public let directory: String
  private let authority: KeyPair
  private static let now = Int64(time(nil))
  public static let valid = CertificateMaker.Validity(from: now - 3600, until: now + 86_400)
  public static let expired = CertificateMaker.Validity(from: now - 86_400, until: now - 3600)
  public static let early = CertificateMaker.Validity(from: now + 3600, until: now + 86_400)

  public init(cluster: String = "test") throws {
    var template = Array("/tmp/tally-certificates-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw CertificateMaker.Failure("no directory") }
    directory = String(cString: made)
    authority = try CertificateMaker.authority(cluster: cluster, TestCertificates.valid)
    try write(authority.certificate, "ca.crt")
  }
  deinit {
    for name in names { unlink("\(directory)/\(name)") }
    rmdir(directory)
  }
  private var names: [String] = []

  public var authorities: String { "\(directory)/ca.crt" }
  /// The paths of a new certificate of a node.
  public func node(
    _ name: String, hosts: [String] = ["127.0.0.1", "localhost"],
    _ validity: CertificateMaker.Validity = TestCertificates.valid
  ) throws -> TLSContext.Files {
    try files(name, CertificateMaker.node(name, hosts: hosts, validity, by: authority))
  }
  public func user(_ name: String, _ validity: CertificateMaker.Validity = TestCertificates.valid) throws
    -> TLSContext.Files
  {
    try files(name, CertificateMaker.user(name, validity, by: authority))
  }
  private func files(_ name: String, _ pair: KeyPair) throws -> TLSContext.Files {
    try write(pair.certificate, "\(name).crt")
    try write(pair.key, "\(name).key")
    return TLSContext.Files(
      certificate: "\(directory)/\(name).crt", key: "\(directory)/\(name).key", authorities: authorities)
  }
  /// The certificates of this authority and another.
  public func bundle(with other: TestCertificates) throws -> String {
    authority.certificate + other.authority.certificate
  }
  /// Writes a file; gives its path.
  @discardableResult public func write(_ text: String, _ name: String) throws -> String {
    let path = "\(directory)/\(name)"
    guard let file = fopen(path, "w") else { throw CertificateMaker.Failure("no file \(path)") }
    fputs(text, file)
    fclose(file)
    names.append(name)
    return path
  }
}
