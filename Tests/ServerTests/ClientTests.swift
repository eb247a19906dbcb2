import Glibc
import System
import Testing

@testable import Server

@Suite struct ClientTests {
  @Test func aPipelinedBurstIsAnsweredInOrder() throws {
    let node = try RunningNode()
    let client = try TestSocket(node.port)
    try client.send((0..<5000).map { "request \($0)\n" }.joined())
    for i in 0..<5000 { #expect(try client.line() == "request \(i)") }
    #expect(node.stop() == 0)
  }

  @Test func aRequestThatArrivesInPiecesIsAnsweredOnceItIsWhole() throws {
    let node = try RunningNode()
    let client = try TestSocket(node.port)
    for (index, piece) in ["one ", "and ", "two\nthr", "ee\n"].enumerated() {
      try client.send(piece)
      #expect(node.events.waits(for: "received", count: index + 1))
    }
    #expect(try client.line() == "one and two")
    #expect(try client.line() == "three")
    node.stop()
  }

  @Test func aClientThatHasEndedItsOutputStillGetsItsReplies() throws {
    let node = try RunningNode()
    let client = try TestSocket(node.port)
    try client.send("LOG 7\n")
    try client.send("hello\n")
    client.endOutput()
    let first = try client.line()
    let second = try client.line()
    #expect(Set([first, second]) == ["hello", ":7"])
    node.stop()
    #expect(try client.line() == nil)
  }

  @Test func aLineWithoutAnEndIsForgottenWhenTheClientEnds() throws {
    let node = try RunningNode()
    let client = try TestSocket(node.port)
    try client.send("whole\nhalf")
    client.endOutput()
    #expect(try client.line() == "whole")
    #expect(try client.line() == nil)
    node.stop()
    #expect(node.events.count("closed") == 0)
  }

  @Test(.timeLimit(.minutes(1))) func aClientThatNeverReadsIsNotReadFromEither() throws {
    let node = try RunningNode()
    let client = try TestSocket(node.port, receiveBuffer: 65536)
    let request = [UInt8](repeating: 121, count: 999) + [10]
    let requests = Array(repeatElement(request, count: 64).joined())
    var sent = 0
    var looks = 0
    // Sends until the node has said that much is unsent, and the kernel takes no more; a node that reads on for ever
    // takes all of it.
    while sent < 64 << 20, looks < 3 {
      if let count = client.sendSome(Array(requests[(sent % request.count)...])) {
        sent += count
      } else {
        var wanted = pollfd(fd: client.raw, events: Int16(POLLOUT), revents: 0)
        if poll(&wanted, 1, 200) == 0 && largestUnsent(node) > 1 << 20 { looks += 1 }
      }
    }
    #expect(sent < 48 << 20)
    #expect(largestUnsent(node) < 2 << 20)
    // Everybody else is served.
    let other = try TestSocket(node.port)
    try other.send("hello\n")
    #expect(try other.line() == "hello")
    // It reads at last: all is there.
    try client.skip(sent / request.count * request.count)
    node.stop()
  }

  private func largestUnsent(_ node: RunningNode) -> Int {
    let measured = node.events.all.filter { $0.hasPrefix("measured") }
    return measured.compactMap { Int($0.split(separator: " ")[2]) }.max() ?? 0
  }

  @Test func aThousandIdleConnectionsDoNotDisturbOneThatTalks() throws {
    let node = try RunningNode()
    var idle: [TestSocket] = []
    for _ in 0..<1000 { idle.append(try TestSocket(node.port)) }
    let client = try TestSocket(node.port)
    for i in 0..<100 {
      try client.send("\(i)\n")
      #expect(try client.line() == "\(i)")
    }
    try idle[999].send("awake\n")
    #expect(try idle[999].line() == "awake")
    idle.removeAll()
    #expect(node.events.waits(for: "ended", count: 1000))
    node.stop()
  }

  @Test func oneClientTooManyIsToldSoWhereNobodyIsIdle() throws {
    var options = LoopOptions()
    options.clientsMax = 2
    let node = try RunningNode(options)
    var first: TestSocket? = try TestSocket(node.port)
    let second = try TestSocket(node.port)
    try first?.send("BUSY\n")
    try second.send("BUSY\n")
    #expect(try first?.line() == "busy")
    #expect(try second.line() == "busy")
    let third = try TestSocket(node.port)
    #expect(try third.line()?.hasPrefix("-ERR max number of clients reached (2)") == true)
    #expect(try third.line() == nil)
    first = nil
    #expect(node.events.waits(for: "ended"))
    let fourth = try TestSocket(node.port)
    try fourth.send("c\n")
    #expect(try fourth.line() == "c")
    node.stop()
  }

  /// Of those that have spoken the one that did longest ago, unless somebody never has.
  @Test func theLongestIdleConnectionMakesRoomForAnother() throws {
    var options = LoopOptions()
    options.clientsMax = 4
    let node = try RunningNode(options)
    var sockets: [TestSocket] = []
    func open(saying text: String?) throws {
      sockets.append(try TestSocket(node.port))
      #expect(node.events.waits(for: "opened", count: sockets.count))
      if let text { try say(text, sockets.count - 1) }
    }
    func say(_ text: String, _ number: Int) throws {
      try sockets[number].send(text + "\n")
      #expect(try sockets[number].line() == text)
    }
    try open(saying: "a")
    try open(saying: "b")
    try open(saying: nil)
    try open(saying: "d")
    try say("a again", 0)
    try open(saying: "e")
    #expect(try sockets[2].line() == nil)
    try open(saying: "f")
    #expect(try sockets[1].line() == nil)
    for number in [0, 3, 4, 5] { try say("\(number)", number) }
    #expect(node.events.count("closed") == 2)
    node.stop()
  }

  @Test(.timeLimit(.minutes(1))) func aRequestThatStaysIncompleteIsClosed() throws {
    var options = LoopOptions()
    options.incompleteTimeout = 200_000
    let node = try RunningNode(options)
    let slow = try TestSocket(node.port)
    // It sent a part once, and then the rest.
    let idle = try TestSocket(node.port)
    try idle.send("hel")
    #expect(node.events.waits(for: "received"))
    try idle.send("lo\n")
    #expect(try idle.line() == "hello")
    // It goes on sending, and never ends its line.
    try slow.send("whole\nha")
    #expect(try slow.line() == "whole")
    let deadline = Clock.monotonic() + 5_000_000
    while node.events.count("closed") == 0, Clock.monotonic() < deadline, slow.sendSome([108]) != nil {}
    #expect(node.events.count("closed") == 1)
    let last = try slow.line()
    #expect(last?.hasPrefix("-ERR a request was not complete within") == true, "\(last ?? "nothing")")
    try idle.send("still here\n")
    #expect(try idle.line() == "still here")
    node.stop()
  }

  @Test func requestsThatDoNotEndHoldABoundedPartOfMemory() throws {
    var options = LoopOptions()
    options.incompleteBytesMax = 300_000
    let node = try RunningNode(options)
    let half = String(repeating: "x", count: 100_000)
    let sockets = try (0..<5).map { _ in try TestSocket(node.port) }
    for (number, socket) in sockets.enumerated() {
      try socket.send(half)
      #expect(node.events.waits(for: "opened", count: number + 1))
    }
    #expect(node.events.waits(for: "closed", count: 2))
    #expect(node.events.count("closed") == 2)
    node.stop()
  }

  @Test func oneAddressHasNoMoreConnectionsThanItMayUnlessItIsThisMachine() throws {
    var options = LoopOptions()
    options.connectionsPerAddress = 1
    let node = try RunningNode(options)
    let local = try (0..<3).map { _ in try TestSocket(node.port) }
    for (number, socket) in local.enumerated() {
      try socket.send("\(number)\n")
      #expect(try socket.line() == "\(number)")
    }
    node.stop()
    func address(_ text: String) throws -> NetworkAddress {
      let place = try #require(HostPort(text))
      return try #require(SocketAddress(place, numericOnly: true).flatMap { NetworkAddress($0) })
    }
    #expect(try address("127.0.0.1:1").isLoopback && address("127.9.8.7:1").isLoopback && address("[::1]:1").isLoopback)
    #expect(try address("[::ffff:127.0.0.1]:1").isLoopback && !address("10.0.0.1:1").isLoopback)
    #expect(try address("10.0.0.1:1") == address("10.0.0.1:2") && address("10.0.0.1:1") != address("10.0.0.2:1"))
    #expect(try address("[::ffff:10.0.0.1]:1") == address("10.0.0.1:2") && !address("[2001:db8::1]:1").isLoopback)
  }

  /// Where this machine has an address of its own: that is counted.
  @Test(.enabled(if: ClientTests.ownAddress != nil)) func aConnectionThatEndsMakesRoomForAnotherOfItsAddress() throws {
    var options = LoopOptions()
    options.connectionsPerAddress = 2
    let host = try #require(ClientTests.ownAddress)
    let node = try RunningNode(options, host: host)
    var sockets = try (0..<2).map { _ in try TestSocket(node.port, host: host) }
    for socket in sockets {
      try socket.send("hello\n")
      #expect(try socket.line() == "hello")
    }
    let third = try TestSocket(node.port, host: host)
    #expect(try third.line()?.hasPrefix("-ERR this address has 2 connections: ") == true)
    #expect(try third.line() == nil)
    sockets.removeLast()
    #expect(node.events.waits(for: "ended"))
    let fourth = try TestSocket(node.port, host: host)
    try fourth.send("again\n")
    #expect(try fourth.line() == "again")
    node.stop()
  }
  /// An IPv4 address of this machine by which it is not the loopback; nil: it has none.
  private static let ownAddress: String? = {
    var list: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&list) == 0 else { return nil }
    defer { freeifaddrs(list) }
    var next = list
    while let entry = next {
      next = entry.pointee.ifa_next
      guard entry.pointee.ifa_flags & UInt32(IFF_LOOPBACK) == 0, let address = entry.pointee.ifa_addr,
        address.pointee.sa_family == sa_family_t(AF_INET)
      else { continue }
      var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
      let size = socklen_t(MemoryLayout<sockaddr_in>.size)
      guard getnameinfo(address, size, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 else { continue }
      return text.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } }
    }
    return nil
  }()

  @Test func aClientThatIsClosedGetsAllOfItsOutputFirst() throws {
    let node = try RunningNode()
    let client = try TestSocket(node.port, receiveBuffer: 65536)
    // More than the kernel takes at once.
    try client.send("BIG 12000000\nQUIT\nnobody reads this\n")
    try client.skip(12_000_001)
    #expect(try client.line() == "+OK")
    #expect(try client.line() == nil)
    node.stop()
    #expect(node.events.count("closed") == 0)
  }

  @Test func aConnectionThatIsResetIsReportedOnce() throws {
    let node = try RunningNode()
    let client = try TestSocket(node.port)
    try client.send("WAIT\n")
    #expect(node.events.waits(for: "received"))
    client.reset()
    #expect(node.events.waits(for: "closed"))
    node.stop()
    #expect(node.events.count("closed") == 1 && node.events.count("ended") == 0)
  }

  @Test func whatANodeLeavesIsOfferedAgainWhenItAsks() throws {
    let node = try RunningNode()
    let client = try TestSocket(node.port)
    try client.send("a\nWAIT\nb\nWAIT\nc\n")
    for expected in ["a", "b", "c"] { #expect(try client.line() == expected) }
    node.stop()
  }

  @Test func bytesWithoutAnEndAreRefused() throws {
    let node = try RunningNode()
    let client = try TestSocket(node.port)
    let piece = [UInt8](repeating: 120, count: 65536)
    var sent = 0
    while sent < 64 << 20, let count = client.sendSome(piece) ?? (waitsToSend(client) ? 0 : nil) { sent += count }
    #expect(try client.line() == "-ERR too many bytes without the end of a request\r")
    #expect(node.events.waits(for: "closed"))
    node.stop()
  }
  private func waitsToSend(_ client: TestSocket) -> Bool {
    var wanted = pollfd(fd: client.raw, events: Int16(POLLOUT | POLLIN), revents: 0)
    return poll(&wanted, 1, 5000) > 0 && Int32(wanted.revents) & POLLIN == 0
  }
}
