/// Why a session is over that was not ended in order: a line for who runs this side, about the other side ("it").
public struct TLSFailure: Error, Equatable, Sendable, CustomStringConvertible {
  public enum Kind: Sendable {
    /// The other side does not speak TLS at all.
    case plaintext
    /// There is no session: no common version, no certificate that serves, or one of the two refused.
    case handshake
    /// What came later was not what the session allows.
    case session
  }
  public let kind: Kind
  public let description: String
  init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }

  static let plaintext = TLSFailure(.plaintext, "it does not speak TLS")
  /// The time for a handshake was over.
  public static let late = TLSFailure(.handshake, "it did not end the handshake in time")

  /// Of a certificate that was verified and would not do (`X509_V_ERR_…`).
  static func certificate(_ result: Int, _ context: TLSContext, host: String?, text: String) -> TLSFailure {
    let authorities = context.files.authorities ?? "the system's authorities"
    let line =
      switch result {
      case 9: "its certificate is not valid yet: compare the clocks"
      case 10: "its certificate has expired: renew it"
      case 2, 18, 19, 20, 21: "its certificate is signed by no authority of \(authorities)"
      case 26: "its certificate is made for another purpose"
      case 62, 64: "its certificate is not made out to \(host ?? "that host")"
      default: "its certificate will not do"
      }
    return TLSFailure(.handshake, "\(line) (\(text))")
  }

  /// Of an error of the library: the number of its reason (`SSL_R_…`, or 1000 and the number of an alert that came), and its
  /// text.
  static func library(_ reason: UInt, isEstablished: Bool, text: String) -> TLSFailure {
    let line: String? =
      switch reason {
      case 155, 156: "it does not speak TLS"
      case 199: "it has no certificate, and one is required"
      case 258, 396: "it speaks no version from TLS 1.2 on"
      case 267: "it does not speak TLS from version 1.2 on"
      case 193: "no cipher is common to both sides"
      case 1042, 1043, 1044, 1046: "it refuses this side's certificate"
      case 1045: "it says that this side's certificate has expired"
      case 1048: "it does not trust the authority of this side's certificate"
      case 1070: "it wants another version of TLS"
      case 1116: "it requires a certificate"
      default: nil
      }
    let what = line.map { "\($0) (\(text))" } ?? "TLS failed: \(text)"
    return TLSFailure(isEstablished ? .session : .handshake, what)
  }
}
