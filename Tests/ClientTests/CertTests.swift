import Glibc
import OpenSSL
import Testing

@testable import Client

@Suite(.enabled(if: SystemLibrary.crypto.isThere, "libssl3 is not installed"))
final class CertTests {
  private let directory: String
  init() throws {
    var template = Array("/tmp/tally-cert-XXXXXX".utf8CString)
    directory = String(cString: try #require(mkdtemp(&template)))
  }
  deinit {
    for name in ["ca", "east-1", "ann", "old"] {
      unlink("\(directory)/a/\(name).crt")
      unlink("\(directory)/a/\(name).key")
    }
    rmdir("\(directory)/a")
    rmdir(directory)
  }
  private func run(_ name: String, _ arguments: String...) throws -> Int32 {
    try #require(CertCommands.all.first { $0.name == name }).run(arguments)
  }
  private var authority: String { "\(directory)/a" }
  private func mode(_ name: String) -> UInt32? {
    var status = stat()
    return stat("\(authority)/\(name)", &status) == 0 ? status.st_mode & 0o777 : nil
  }

  @Test func itMakesAnAuthorityAndWhatThatSignsForNobodyElseToRead() throws {
    #expect(try run("cert ca", authority, "--cluster", "points") == 0)
    #expect(try run("cert node", authority, "east-1", "--host", "10.0.0.1,east.example") == 0)
    #expect(try run("cert user", authority, "ann", "--days", "30") == 0)
    for name in ["ca", "east-1", "ann"] {
      #expect(mode("\(name).crt") == 0o600 && mode("\(name).key") == 0o600)
      #expect(mode("\(name).key.new") == nil)
    }
    let files = TLSContext.Files(
      certificate: "\(authority)/east-1.crt", key: "\(authority)/east-1.key", authorities: "\(authority)/ca.crt")
    let context = try TLSContext(files, verification: .node(cluster: "points"))
    #expect(context.certificate?.description == "node east-1 of points")
    #expect(try run("cert user", authority, "old", "--from", "2020-01-31", "--days", "1") == 0)
    let old = try TLSContext(
      TLSContext.Files(certificate: "\(authority)/old.crt", key: "\(authority)/old.key"), verification: .none)
    #expect(old.certificate?.expiryDay == "2020-02-01")
  }

  @Test func whatIsThereIsNotWrittenOverUnlessThatIsSaid() throws {
    #expect(try run("cert ca", authority) == 0)
    #expect(try run("cert ca", authority) == 2)
    #expect(try run("cert user", authority, "ann") == 0)
    #expect(try run("cert node", authority, "ann") == 2)
    #expect(try run("cert node", authority, "ann", "--force") == 0)
  }

  @Test func wrongArgumentsAreRefused() throws {
    #expect(try run("cert user", authority, "ann") == 1)
    #expect(try run("cert ca", authority) == 0)
    #expect(try run("cert user", authority, "../ann") == 1)
    #expect(try run("cert user", authority, "ca") == 1)
    #expect(try run("cert user", authority) == 1)
    #expect(try run("cert user", authority, "ann", "--days", "0") == 1)
    #expect(try run("cert user", authority, "ann", "--from", "yesterday") == 1)
    #expect(try run("cert node", authority, "east-1", "--host", "a b") == 1)
  }

  @Test func flagsOfTLSBelongTogether() throws {
    func target(_ arguments: String...) throws -> Target {
      try Target(try Flags(arguments, accepting: [.to, .timeout, .tlsAuthorities, .tlsCertificate, .tlsKey]))
    }
    #expect(throws: ClientError.self) { try target("--tls-cert", "a.crt", "--tls-key", "a.key") }
    #expect(throws: ClientError.self) { try target("--tls-ca", "/no/such/file") }
    #expect(try run("cert ca", authority) == 0)
    let cert = "\(authority)/ca.crt"
    #expect(throws: ClientError.usage("--tls-cert and --tls-key belong together: name the certificate and its key")) {
      try target("--tls-ca", cert, "--tls-cert", cert)
    }
    let good = try target("--tls-ca", cert)
    #expect(good.security != nil && good.endpoints.allSatisfy { $0.security != nil })
    #expect(try good.endpoint("10.0.0.1:7401").security != nil)
    #expect(try target("--to", "10.0.0.1").security == nil)
  }
}
