import Glibc

/// What a certificate says of its owner. A certificate of a node has `OU=node` and the cluster's label as `O`; that of a user
/// has `OU=user` and the user's name as `CN`.
public struct CertificateFacts: Equatable, Sendable, CustomStringConvertible {
  public static let nodeRole = "node"
  public static let userRole = "user"

  /// `CN`; nil here and below: it has none, or more than one.
  public let name: String?
  /// `OU`.
  public let role: String?
  /// `O`: the label of the cluster.
  public let cluster: String?
  /// When it ends, in seconds since 1970.
  public let expires: Int64

  public init(name: String?, role: String?, cluster: String?, expires: Int64) {
    self.name = name
    self.role = role
    self.cluster = cluster
    self.expires = expires
  }

  /// Takes over a certificate.
  init?(owned certificate: OpaquePointer) {
    guard case .success(let library) = CertificateLibrary.shared else { return nil }
    defer { library.freeCertificate(certificate) }
    self.init(borrowed: certificate)
  }
  init?(borrowed certificate: OpaquePointer) {
    guard case .success(let library) = CertificateLibrary.shared, let subject = library.subject(certificate) else {
      return nil
    }
    let (commonName, organization, unit) = (Int32(13), Int32(17), Int32(18))
    name = CertificateFacts.only(commonName, of: subject, library)
    role = CertificateFacts.only(unit, of: subject, library)
    cluster = CertificateFacts.only(organization, of: subject, library)
    var calendar = tm()
    if let end = library.expiry(certificate), library.toCalendar(end, &calendar) == 1 {
      expires = Int64(timegm(&calendar))
    } else {
      expires = 0
    }
  }
  /// The text of that kind, if there is exactly one, of 1 to 64 bytes without a control character.
  private static func only(_ kind: Int32, of subject: OpaquePointer, _ library: CertificateLibrary) -> String? {
    let index = library.entryIndex(subject, kind, -1)
    guard index >= 0, library.entryIndex(subject, kind, index) < 0, let entry = library.entry(subject, index),
      let data = library.entryData(entry)
    else { return nil }
    var bytes: UnsafeMutablePointer<UInt8>?
    let count = library.toUTF8(&bytes, data)
    guard count >= 0, let bytes else { return nil }
    defer { library.freeBytes(bytes, "", 0) }
    let text = UnsafeBufferPointer(start: bytes, count: Int(count))
    guard (1...64).contains(text.count), text.allSatisfy({ $0 >= 32 && $0 != 127 }) else { return nil }
    return String(validating: text, as: UTF8.self)
  }

  /// Whether it is that of a node of the cluster with this label.
  public func isNode(of cluster: String) -> Bool { role == CertificateFacts.nodeRole && self.cluster == cluster }
  /// The name of the user whom it signs in; nil: it is that of a node, or has no name. A certificate of another authority need
  /// not say a role.
  public var user: String? { role == CertificateFacts.nodeRole ? nil : name }

  /// "node east-1 of tally".
  public var description: String {
    let owner = [role, name].compactMap { $0 }.joined(separator: " ")
    return (owner.isEmpty ? "nobody" : owner) + (cluster.map { " of \($0)" } ?? "")
  }
  /// "2027-03-04".
  public var expiryDay: String {
    var seconds = Int(expires)
    var calendar = tm()
    gmtime_r(&seconds, &calendar)
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(calendar.tm_year + 1900)-\(two(calendar.tm_mon + 1))-\(two(calendar.tm_mday))"
  }
}
