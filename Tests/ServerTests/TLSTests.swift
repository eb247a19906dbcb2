import Cluster
import Glibc
import System
import TLSSupport
import Testing

@testable import OpenSSL
@testable import Server

/// A terminal that speaks TLS, and waits.
private final class SecureSocket {
  private var stream: SecureStream
  private let session: TLSSession
  private var pending: [UInt8] = []
  private let room = ScratchBuffer(byteCount: 128 << 10)
  struct Failed: Error, CustomStringConvertible { let description: String }

  init(_ port: UInt16, _ context: TLSContext) throws {
    let address = try #require(SocketAddress(HostPort(host: "127.0.0.1", port: port), numericOnly: true))
    guard let session = TLSSession(context, .client(host: "127.0.0.1"), on: TLSWire()) else {
      throw Failed(description: "no session")
    }
    self.session = session
    stream = SecureStream(try Socket.connect(to: address), session: session)
    _ = stream.descriptor.wait(for: POLLOUT, milliseconds: 10_000)
    stream.begin()
    while !stream.isEstablished { try wait() }
    _ = stream.flush()
  }
  private func wait() throws {
    _ = stream.flush()
    guard stream.descriptor.wait(for: POLLIN, milliseconds: 10_000) else {
      throw Failed(description: "nothing came within the deadline")
    }
    switch stream.receive(into: room.bytes) {
    case .moved(let count): pending += room.bytes[..<count]
    case .wouldBlock: break
    case .ended: throw Failed(description: "ended")
    case .failed: throw Failed(description: stream.failure?.description ?? "broken")
    }
  }
  func send(_ text: String) throws {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty || stream.unsentCount > 0 {
      let result = rest.isEmpty ? stream.flush() : rest.withUnsafeBytes { stream.send($0) }
      switch result {
      case .moved(let count): rest = rest.dropFirst(count)
      case .wouldBlock: _ = stream.descriptor.wait(for: POLLOUT, milliseconds: 10_000)
      case .ended, .failed: throw Failed(description: "broken")
      }
    }
  }
  /// The next line without its end; nil at the end of the connection.
  func line() throws -> String? {
    while true {
      if let end = pending.firstIndex(of: 10) {
        let line = String(decoding: pending[..<end], as: UTF8.self)
        pending.removeFirst(end + 1)
        return line
      }
      do { try wait() } catch {
        if (error as? Failed)?.description == "ended" { return nil }
        throw error
      }
    }
  }
  /// Reads so many bytes; gives how many of them are `byte`.
  func count(_ byte: UInt8, of total: Int) throws -> Int {
    while pending.count < total { try wait() }
    defer { pending.removeFirst(total) }
    return pending[..<total].count { $0 == byte }
  }
  var peer: String? { stream.peer?.description }
  /// Sends text and that no more comes, together; the socket stays open.
  func sendLast(_ text: String) throws {
    try #require(Array(text.utf8).withUnsafeBytes { session.seal($0) })
    session.sayClosed()
    let bytes = Array(session.wire.outgoing)
    session.wire.clearOutgoing()
    #expect(bytes.withUnsafeBytes { stream.descriptor.send($0) } == .moved(bytes.count))
  }
}

@Suite(.enabled(if: SystemLibrary.tls.isThere, "libssl3 is not installed"))
struct TLSTests {
  private let own: TestCertificates
  private let ann: TLSContext
  init() throws {
    own = try TestCertificates()
    ann = try TLSContext(try own.user("ann"), verification: .signed)
  }
  private func security(_ name: String = "east", asks: Bool = true) throws -> LoopSecurity {
    LoopSecurity(terminals: try TLSContext(try own.node(name), verification: asks ? .signed : .none))
  }
  private func peers(_ name: String, _ authority: TestCertificates? = nil) throws -> LoopSecurity {
    LoopSecurity(
      peers: try TLSContext((authority ?? own).node(name), verification: .node(cluster: "test"), givesTickets: false))
  }

  @Test func aTerminalIsAnsweredAsInTheClearAndTheNodeHearsWhoItIs() throws {
    let node = try RunningNode(security: try security())
    let client = try SecureSocket(node.port, ann)
    #expect(node.events.waits(for: "certified ann"))
    #expect(node.events.count("opened ") == 1)
    try client.send("hello\nLOG 7\nBIG 3000000\nafter\n")
    #expect(try client.line() == "hello")
    #expect(try client.count(120, of: 3_000_000) == 3_000_000)
    #expect(try client.line() == "")
    #expect(try client.line() == "after")
    #expect(try client.line() == ":7")
    try client.send("QUIT\n")
    #expect(try client.line() == "+OK")
    #expect(try client.line() == nil)
    // No byte is counted as unsent that is not there any more.
    let before = node.events.count("measured 0 0")
    #expect(node.events.waits(for: "measured 0 0", count: before + 1))
    node.stop()
  }

  @Test func requestsThatComeWithTheEndAreAnswered() throws {
    let node = try RunningNode(security: try security())
    let client = try SecureSocket(node.port, ann)
    try client.sendLast("hello\nWAIT\nLOG 1\n")
    #expect(try client.line() == "hello")
    #expect(try client.line() == ":1")
    #expect(node.events.waits(for: "ended "))
    node.stop()
  }

  @Test func whoShowsNoCertificateIsNotHeard() throws {
    let node = try RunningNode(security: try security())
    let bare = try TLSContext(TLSContext.Files(authorities: own.authorities), verification: .signed)
    // Its own side of the handshake is over before the node has refused it.
    let client = try SecureSocket(node.port, bare)
    try? client.send("hello\n")
    #expect(throws: SecureSocket.Failed.self) { _ = try client.line() }
    let other = try SecureSocket(node.port, ann)
    try other.send("hello\n")
    #expect(try other.line() == "hello")
    #expect(node.events.count("opened ") == 1)
    node.stop()
  }

  @Test func whoDoesNotSpeakTLSIsTold() throws {
    let node = try RunningNode(security: try security(asks: false))
    let client = try TestSocket(node.port)
    try client.send("PING\r\n")
    #expect(try client.line()?.hasPrefix("-ERR this port speaks TLS") == true)
    #expect(try client.line() == nil)
    #expect(node.events.count("opened ") == 0)
    node.stop()
  }

  @Test func aHandshakeThatDoesNotEndIsGivenUp() throws {
    var options = LoopOptions()
    options.handshakeTimeout = 50_000
    let node = try RunningNode(options, security: try security())
    let silent = try TestSocket(node.port)
    let half = try TestSocket(node.port)
    // The begin of a record of 512 bytes.
    try half.send("\u{16}\u{3}\u{1}\u{2}\0")
    #expect(try silent.line() == nil)
    #expect(try half.line() == nil)
    node.stop()
    #expect(node.events.count("opened ") == 0 && node.events.count("closed ") == 0)
  }

  @Test func renewedCertificatesAreShownToWhoComesLaterAndNobodyIsDropped() throws {
    let node = try RunningNode(security: try security("east", asks: false))
    let before = try SecureSocket(node.port, ann)
    try before.send("hello\n")
    #expect(try before.line() == "hello")
    node.secure(try security("renewed", asks: false))
    // What the loop is told it knows before it reads what comes later.
    var shown: String?
    for _ in 0..<100 where shown != "node renewed of test" { shown = try SecureSocket(node.port, ann).peer }
    #expect(shown == "node renewed of test")
    try before.send("still here\n")
    #expect(try before.line() == "still here")
    #expect(before.peer == "node east of test")
    node.stop()
  }

  @Test func nodesOfOneClusterExchangeBytesAndLongFrames() throws {
    let (here, there) = (try RunningNode(security: try peers("here")), try RunningNode(security: try peers("there")))
    let client = try TestSocket(here.port)
    // Of a bulk link the node hears whenever its output is gone.
    try client.send("BULK 127.0.0.1:\(there.peerPort)\n")
    #expect(here.events.waits(for: "link opened 1"))
    #expect(there.events.waits(for: "link opened by peer"))
    try client.send("SEND hello\n")
    #expect(there.events.waits(for: "link received 6 hello"))
    try client.send("SENDBIG 9000000\nSEND end\n")
    #expect(there.events.waits(for: "link received 9000004", milliseconds: 20_000))
    #expect(here.events.waits(for: "link drained"))
    try client.send("UNLINK\n")
    #expect(there.events.waits(for: "link closed"))
    here.stop()
    there.stop()
  }

  @Test func whoIsNoNodeOfTheClusterIsNotHeardByOne() throws {
    let node = try RunningNode(security: try peers("here"))
    let user = try TLSContext(try own.user("ann"), verification: .signed, givesTickets: false)
    let strangers = [
      (LoopSecurity(), "link closed"), (try peers("there", try TestCertificates()), "link failed 1"),
      (LoopSecurity(peers: user), "link closed"),
    ]
    for (security, outcome) in strangers {
      let stranger = try RunningNode(security: security)
      let client = try TestSocket(stranger.port)
      try client.send("LINK 127.0.0.1:\(node.peerPort)\n")
      if security.peers == nil {
        #expect(stranger.events.waits(for: "link opened"))
        try client.send("SEND a frame\n")
      }
      #expect(stranger.events.waits(for: outcome))
      stranger.stop()
    }
    node.stop()
    #expect(node.events.count("link opened") == 0 && node.events.count("link received") == 0)
  }

  @Test func aLinkToANodeThatSpeaksInTheClearFails() throws {
    var options = LoopOptions()
    options.handshakeTimeout = 50_000
    let (here, there) = (try RunningNode(options, security: try peers("here")), try RunningNode())
    let client = try TestSocket(here.port)
    try client.send("LINK 127.0.0.1:\(there.peerPort)\n")
    #expect(here.events.waits(for: "link failed 1"))
    here.stop()
    there.stop()
    #expect(here.events.count("link opened") == 0)
  }

  @Test func ofManyStrangersTheOldestGoes() throws {
    var options = LoopOptions()
    options.handshakeTimeout = 600_000_000
    let node = try RunningNode(options, security: try peers("here"))
    let first = try TestSocket(node.peerPort)
    let others = try (0..<LoopOptions.strangersMax).map { _ in try TestSocket(node.peerPort) }
    #expect(try first.line() == nil)
    #expect(others.count == LoopOptions.strangersMax)
    node.stop()
  }

  @Test func ofManyHandshakesAFewGoOnInATurn() throws {
    let local = try #require(SocketAddress(HostPort(host: "127.0.0.1", port: 0), numericOnly: true))
    let listener = try Socket.bind(local)
    let peers = try Socket.bind(local)
    try Socket.listen(peers)
    try Socket.listen(listener)
    let port = try #require(HostPort(Socket.localAddress(listener).description)).port
    let events = Recorder()
    var loop = try EventLoop.make(
      core: FakeNode(events: events), disk: FakeDisk(events: events), options: LoopOptions(),
      logger: Logger(level: .error, descriptor: open("/dev/null", O_WRONLY)), clientListener: listener,
      peerListener: peers, security: try security(), onFatal: { _ in })
    let hello = try #require(TLSSession(ann, .client(host: nil), on: TLSWire()))
    _ = hello.begin()
    let bytes = Array(hello.wire.outgoing)
    let sockets = try (0..<20).map { _ in try TestSocket(port) }
    for socket in sockets { #expect(socket.sendSome(bytes) == bytes.count) }
    loop.turn()
    for answered in [LoopOptions.handshakesMax, 2 * LoopOptions.handshakesMax, sockets.count] {
      loop.turn()
      var byte: UInt8 = 0
      #expect(sockets.count { recv($0.raw, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) == 1 } == answered)
    }
  }

  @Test func settingsThatDoNotFitTogetherAreRefused() throws {
    func problem(_ arguments: String...) -> String? {
      do {
        _ = try ServerConfiguration.parse(arguments, settings: [], hostName: "host") { _ throws(SettingsFileError) in ""
        }
        return nil
      } catch { return error.description }
    }
    #expect(problem("--tls-cert", "a.crt")?.contains("tls-cert and tls-key belong together") == true)
    #expect(problem("--tls-ca", "ca.crt")?.contains("belong together") == true)
    #expect(problem("--tls-cert", "a", "--tls-key", "b", "--tls-client", "required")?.contains("tls-ca") == true)
    #expect(problem("--peer-cert", "a", "--peer-key", "b")?.contains("belong together") == true)
    #expect(problem("--cluster", "two words")?.contains("without blanks") == true)
    #expect(problem("--tls-cert", "a", "--tls-key", "b", "--tls-ca", "c", "--tls-client", "required") == nil)
  }

  @Test func aNodeDoesNotStartWithACertificateThatOthersWouldRefuse() throws {
    var settings = try SecuritySettings { $0 == "cluster" ? "test" : "" }
    settings.peers = try own.user("ben")
    let error = #expect(throws: TLSFilesError.self) { try settings.load() }
    #expect(error?.description.contains("names user ben of test, not a node of the cluster test") == true)
    settings.peers = try own.node("east")
    #expect(try settings.load().peers != nil)
  }

  @Test func ofACertificateThatEndsSoonTheLogSpeaksOnceADay() throws {
    let security = try security()
    let end = TestCertificates.valid.until
    var reminder = ExpiryReminder()
    #expect(reminder.lines(LoopSecurity(), now: end).isEmpty)
    #expect(reminder.lines(security, now: end - LoadedCertificate.notice).isEmpty)
    #expect(reminder.lines(security, now: end - 3600).first?.contains("east.crt ends on") == true)
    #expect(reminder.lines(security, now: end - 3599).isEmpty)
    #expect(reminder.lines(security, now: end + 86_400).first?.contains("has ended on") == true)
  }

  @Test func theLogIsNotFilledByConnectionsThatFail() {
    var log = FailureLog()
    #expect(log.second() == nil)
    #expect((0..<100).count { _ in log.take() } == FailureLog.linesPerSecond)
    #expect(log.second() == "TLS: more connections failed count=95")
    #expect(log.take() && log.second() == nil)
  }
}
