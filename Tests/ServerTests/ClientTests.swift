import Glibc
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
    #expect(node.events.count("closed") == 0)
    node.stop()
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

  @Test func oneClientTooManyIsToldSo() throws {
    var options = LoopOptions()
    options.clientsMax = 2
    let node = try RunningNode(options)
    var first: TestSocket? = try TestSocket(node.port)
    let second = try TestSocket(node.port)
    try first?.send("a\n")
    try second.send("b\n")
    #expect(try first?.line() == "a")
    #expect(try second.line() == "b")
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

  @Test func aClientThatIsClosedGetsAllOfItsOutputFirst() throws {
    let node = try RunningNode()
    let client = try TestSocket(node.port, receiveBuffer: 65536)
    try client.send("BIG 3000000\nQUIT\nnobody reads this\n")
    try client.skip(3_000_001)
    #expect(try client.line() == "+OK")
    #expect(try client.line() == nil)
    #expect(node.events.count("closed") == 0)
    node.stop()
  }

  @Test func aConnectionThatIsResetIsReportedOnce() throws {
    let node = try RunningNode()
    let client = try TestSocket(node.port)
    try client.send("WAIT\n")
    #expect(node.events.waits(for: "received"))
    client.reset()
    #expect(node.events.waits(for: "ended") || node.events.waits(for: "closed"))
    node.stop()
    #expect(node.events.count("ended") + node.events.count("closed") == 1)
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
