import System
import TLSSupport
import Testing

@testable import OpenSSL

/// Two sessions whose wires are carried by hand.
private struct Pair {
  let client: TLSSession
  let server: TLSSession
  var failures: (client: String?, server: String?) = (nil, nil)
  var received: (client: [UInt8], server: [UInt8]) = ([], [])
  var closed: (client: Bool, server: Bool) = (false, false)

  init(
    client: TLSContext, host: String? = nil, server: TLSContext
  ) throws {
    self.client = try #require(TLSSession(client, .client(host: host), on: TLSWire()))
    self.server = try #require(TLSSession(server, .server, on: TLSWire()))
    _ = self.client.begin()
  }
  private static func take(_ session: TLSSession) -> [UInt8] {
    defer { session.wire.clearOutgoing() }
    return Array(session.wire.outgoing)
  }
  private static func open(_ bytes: [UInt8], _ session: TLSSession) -> (plain: [UInt8], end: TLSSession.End?) {
    var room = [UInt8](repeating: 0, count: bytes.count + TLSSession.slack)
    let result = bytes.withUnsafeBytes { cipher in
      room.withUnsafeMutableBytes { session.open(cipher, into: $0) }
    }
    return (Array(room[..<result.count]), result.end)
  }
  /// Carries until nothing is on its way.
  /// - Parameter step: how many bytes come at once.
  mutating func carry(step: Int = .max) {
    while true {
      let (up, down) = (Pair.take(client), Pair.take(server))
      if up.isEmpty && down.isEmpty { return }
      for start in stride(from: 0, to: up.count, by: min(step, max(1, up.count))) {
        let (plain, end) = Pair.open(Array(up[start..<min(up.count, start + min(step, up.count))]), server)
        received.server += plain
        note(end, &failures.server, &closed.server)
      }
      for start in stride(from: 0, to: down.count, by: min(step, max(1, down.count))) {
        let (plain, end) = Pair.open(Array(down[start..<min(down.count, start + min(step, down.count))]), client)
        received.client += plain
        note(end, &failures.client, &closed.client)
      }
    }
  }
  private func note(_ end: TLSSession.End?, _ failure: inout String?, _ closed: inout Bool) {
    switch end {
    case .failed(let reason): failure = reason.description
    case .closed: closed = true
    case nil: break
    }
  }
  mutating func deliverToServer(_ bytes: [UInt8]) -> TLSSession.End? {
    let (plain, end) = Pair.open(bytes, server)
    received.server += plain
    return end
  }
}

@Suite(.enabled(if: SystemLibrary.tls.isThere, "libssl3 is not installed"))
struct TLSSessionTests {
  private let own: TestCertificates
  private let server: TLSContext
  private let client: TLSContext
  init() throws {
    own = try TestCertificates()
    server = try TLSContext(try own.node("east"), verification: .none)
    client = try TLSContext(TLSContext.Files(authorities: own.authorities), verification: .signed)
  }
  private func seal(_ bytes: [UInt8], _ session: TLSSession) -> Bool { bytes.withUnsafeBytes { session.seal($0) } }

  @Test(arguments: [1, 7, 1000, Int.max]) func whatOneSideSealsTheOtherOpensHoweverItIsCut(step: Int) throws {
    var pair = try Pair(client: client, host: "127.0.0.1", server: server)
    pair.carry(step: step)
    #expect(pair.client.isEstablished && pair.server.isEstablished)
    #expect(pair.server.version == "TLSv1.3")
    #expect(pair.client.peer?.description == "node east of test")
    let (up, down) = ((0..<40_000).map { UInt8(truncatingIfNeeded: $0) }, Array("+OK\r\n".utf8))
    #expect(seal(up, pair.client) && seal(down, pair.server))
    pair.carry(step: step)
    #expect(pair.received.server == up && pair.received.client == down)
    pair.client.sayClosed()
    pair.carry(step: step)
    #expect(pair.closed.server && pair.failures.server == nil)
  }

  @Test func aCertificateThatWillNotDoIsRefusedWithALineThatSaysWhy() throws {
    let foreign = try TestCertificates()
    let cases: [(files: TLSContext.Files, host: String, line: String)] = [
      (try foreign.node("east"), "127.0.0.1", "signed by no authority of \(own.authorities)"),
      (try own.node("old", TestCertificates.expired), "127.0.0.1", "has expired"),
      (try own.node("new", TestCertificates.early), "127.0.0.1", "not valid yet"),
      (try own.node("other", hosts: ["10.0.0.1"]), "127.0.0.1", "not made out to 127.0.0.1"),
      (try own.node("named", hosts: ["north.example"]), "east.example", "not made out to east.example"),
      (try own.user("ann"), "127.0.0.1", "another purpose"),
    ]
    for (files, host, line) in cases {
      var pair = try Pair(
        client: client, host: host, server: try TLSContext(files, verification: .none))
      pair.carry()
      #expect(pair.failures.client?.contains(line) == true, "\(pair.failures)")
      #expect(!pair.client.isEstablished && !pair.server.isEstablished)
      #expect(pair.failures.server != nil)
      #expect(!seal([1], pair.client))
    }
  }

  @Test func whereACertificateIsRequiredNobodyGetsInWithoutOne() throws {
    let asking = try TLSContext(try own.node("east"), verification: .signed)
    var bare = try Pair(client: client, server: asking)
    bare.carry()
    #expect(bare.failures.server?.contains("it has no certificate") == true, "\(bare.failures)")
    #expect(bare.failures.client?.contains("it requires a certificate") == true, "\(bare.failures)")
    #expect(!bare.server.isEstablished && bare.server.peer == nil)
    let ann = try TLSContext(try own.user("ann"), verification: .signed)
    var shown = try Pair(client: ann, server: asking)
    shown.carry()
    #expect(shown.server.peer?.user == "ann" && shown.client.peer?.user == nil)
    let foreign = try TestCertificates()
    var files = try foreign.user("ann")
    files.authorities = own.authorities
    var stranger = try Pair(client: try TLSContext(files, verification: .signed), server: asking)
    stranger.carry()
    #expect(stranger.failures.server?.contains("signed by no authority") == true, "\(stranger.failures)")
  }

  @Test func aNodeHearsNodesOfItsClusterAndNobodyElse() throws {
    let here = try TLSContext(try own.node("east"), verification: .node(cluster: "test"))
    let other = try TestCertificates(cluster: "other")
    let both = try own.write(try own.bundle(with: other), "both.crt")
    func context(_ files: TLSContext.Files) throws -> TLSContext {
      var files = files
      files.authorities = both
      return try TLSContext(files, verification: .signed)
    }
    let trusting = try TLSContext(
      TLSContext.Files(certificate: here.files.certificate, key: here.files.key, authorities: both),
      verification: .node(cluster: "test"))
    var good = try Pair(client: try context(try own.node("north")), server: trusting)
    good.carry()
    #expect(good.server.isEstablished)
    for (files, name) in [(try own.user("ann"), "user ann of test"), (try other.node("west"), "node west of other")] {
      var pair = try Pair(client: try context(files), server: trusting)
      pair.carry(step: 100_000)
      #expect(pair.failures.server?.contains("its certificate names \(name)") == true, "\(pair.failures)")
      #expect(!pair.server.isEstablished)
      _ = seal(Array("a frame".utf8), pair.client)
      pair.carry()
      #expect(pair.received.server.isEmpty)
    }
  }

  @Test func whatComesTogetherWithTheLastOfTheHandshakeOfAStrangerIsNotRead() throws {
    let here = try TLSContext(try own.node("east"), verification: .node(cluster: "test"))
    let pair = try Pair(client: try TLSContext(try own.user("ann"), verification: .signed), server: here)
    // The client's side ends its handshake, and sends behind it at once.
    var room = [UInt8](repeating: 0, count: 100_000)
    let hello = Array(pair.client.wire.outgoing)
    pair.client.wire.clearOutgoing()
    _ = hello.withUnsafeBytes { bytes in room.withUnsafeMutableBytes { pair.server.open(bytes, into: $0) } }
    let answer = Array(pair.server.wire.outgoing)
    pair.server.wire.clearOutgoing()
    _ = answer.withUnsafeBytes { bytes in room.withUnsafeMutableBytes { pair.client.open(bytes, into: $0) } }
    #expect(seal(Array("a frame".utf8), pair.client))
    let all = Array(pair.client.wire.outgoing)
    let result = all.withUnsafeBytes { bytes in room.withUnsafeMutableBytes { pair.server.open(bytes, into: $0) } }
    #expect(result.count == 0)
    guard case .failed = result.end else {
      Issue.record("a stranger was let in")
      return
    }
  }

  @Test func whoDoesNotSpeakTLSIsToldApart() throws {
    for text in ["PING\r\n", "*1\r\n$4\r\nPING\r\n", "GET / HTTP/1.1\r\n\r\n", "\0\0\0\0"] {
      var pair = try Pair(client: client, server: server)
      #expect(pair.deliverToServer(Array(text.utf8)) == .failed(.plaintext))
    }
  }

  @Test func versionsBelowTLS12AreRefused() throws {
    let old = try TLSContext(TLSContext.Files(authorities: own.authorities), verification: .signed)
    let (least, most, tls11) = (Int32(123), Int32(124), 0x0302)
    #expect(old.library.contexts.setCiphers(old.handle, "ALL:@SECLEVEL=0") == 1)
    #expect(old.library.contexts.controlContext(old.handle, least, tls11, nil) == 1)
    #expect(old.library.contexts.controlContext(old.handle, most, tls11, nil) == 1)
    var pair = try Pair(client: old, server: server)
    pair.carry()
    #expect(pair.failures.server?.contains("no version from TLS 1.2 on") == true, "\(pair.failures)")
    #expect(pair.failures.client?.contains("another version") == true, "\(pair.failures)")
  }

  @Test func aSecondHandshakeOnASessionIsRefused() throws {
    let older = try TLSContext(TLSContext.Files(authorities: own.authorities), verification: .signed)
    #expect(older.library.contexts.controlContext(older.handle, 124, 0x0303, nil) == 1)
    var pair = try Pair(client: older, server: server)
    pair.carry()
    #expect(pair.server.version == "TLSv1.2" && pair.server.isEstablished)
    typealias Again = @convention(c) (OpaquePointer) -> Int32
    let again = try SystemLibrary.tls.function("SSL_renegotiate", as: Again.self)
    typealias Allow = @convention(c) (OpaquePointer, UInt64) -> UInt64
    let allow = try SystemLibrary.tls.function("SSL_clear_options", as: Allow.self)
    _ = allow(pair.client.handle, 1 << 30)
    _ = again(pair.client.handle)
    _ = older.library.sessions.handshake(pair.client.handle)
    #expect(!pair.client.wire.outgoing.isEmpty)
    pair.carry()
    #expect(pair.failures.server != nil || pair.failures.client != nil, "it was answered by a handshake")
  }

  @Test func bytesThatAreChangedOnTheirWayEndTheSessionAndNothingElse() throws {
    for place in stride(from: 0, to: 60, by: 1) {
      var pair = try Pair(client: client, server: server)
      pair.carry()
      #expect(seal(Array("EARN ann merchant=bakery points=12 id=1\r\n".utf8), pair.client))
      var bytes = Array(pair.client.wire.outgoing)
      pair.client.wire.clearOutgoing()
      bytes[place % bytes.count] ^= 0x41
      _ = pair.deliverToServer(bytes)
      #expect(pair.received.server.isEmpty)
    }
    // A hello that is cut up and changed.
    let first = try Pair(client: client, server: server)
    let hello = Array(first.client.wire.outgoing)
    for place in hello.indices {
      var pair = try Pair(client: client, server: server)
      var bytes = hello
      bytes[place] = bytes[place] &+ UInt8(1 + place % 255)
      _ = pair.deliverToServer(bytes)
      #expect(!pair.server.isEstablished)
    }
  }

  @Test func filesThatWouldNotServeAreNamed() throws {
    let files = try own.node("a")
    let other = try own.node("b")
    let text = try own.write("no certificate", "text")
    let cases: [(TLSContext.Files, String)] = [
      (TLSContext.Files(certificate: "/no/such.crt", key: files.key), "/no/such.crt cannot be read as a certificate"),
      (TLSContext.Files(certificate: text, key: files.key), "\(text) cannot be read as a certificate"),
      (TLSContext.Files(certificate: files.certificate, key: text), "\(text) cannot be read as the certificate's"),
      (TLSContext.Files(certificate: files.certificate, key: other.key), "\(other.key ?? "")"),
      (TLSContext.Files(authorities: text), "\(text) cannot be read as certificates of authorities"),
    ]
    for (files, line) in cases {
      let error = #expect(throws: TLSFilesError.self) { try TLSContext(files, verification: .none) }
      #expect(error?.description.contains(line) == true, "\(error?.description ?? "")")
    }
  }
}

@Suite(.enabled(if: SystemLibrary.crypto.isThere, "libssl3 is not installed"))
struct CertificateMakerTests {
  @Test func aCertificateSaysWhoseItIs() throws {
    let authority = try CertificateMaker.authority(cluster: "points", TestCertificates.valid)
    let node = try CertificateMaker.node(
      "east-1", hosts: ["::1", "10.0.0.1", "a.example"], TestCertificates.valid, by: authority)
    let facts = try #require(CertificateMaker.facts(of: node.certificate))
    #expect(facts.description == "node east-1 of points" && facts.isNode(of: "points") && !facts.isNode(of: "other"))
    #expect(facts.expires == TestCertificates.valid.until && facts.user == nil)
    let user = try CertificateMaker.user("ann", TestCertificates.valid, by: authority)
    #expect(CertificateMaker.facts(of: user.certificate)?.user == "ann")
    #expect(CertificateMaker.facts(of: "nothing") == nil)
  }
  @Test func aHostThatWouldAddToTheListIsRefused() throws {
    let authority = try CertificateMaker.authority(cluster: "points", TestCertificates.valid)
    for host in ["", "a,DNS:evil.example", "a b", "é.example"] {
      #expect(throws: CertificateMaker.Failure.self) {
        try CertificateMaker.node("a", hosts: [host], TestCertificates.valid, by: authority)
      }
    }
    #expect(throws: CertificateMaker.Failure.self) {
      try CertificateMaker.user(String(repeating: "x", count: 65), TestCertificates.valid, by: authority)
    }
    let other = try CertificateMaker.authority(cluster: "points", TestCertificates.valid)
    #expect(throws: CertificateMaker.Failure.self) {
      let mixed = KeyPair(certificate: authority.certificate, key: other.key)
      _ = try CertificateMaker.user("ann", TestCertificates.valid, by: mixed)
    }
  }
}
