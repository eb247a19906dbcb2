import Base
import Cluster
import System
import Testing

@testable import Server

/// Connections that speak HTTP, over sockets, before a fake node: what that answers is no reply of the protocol.
@Suite struct HTTPConnectionTests {
  private func get(_ socket: TestSocket, _ path: String, more: String = "") throws {
    try socket.send("GET \(path) HTTP/1.1\r\nHost: x\r\n\(more)\r\n")
  }
  /// The status, and the body.
  private func answer(_ socket: TestSocket) throws -> (status: String, body: String)? {
    guard let first = try socket.line() else { return nil }
    var length = 0
    while let line = try socket.line(), line != "\r" {
      let words = line.split(separator: " ")
      if words[0] == "Content-Length:" { length = Int(words[1].dropLast()) ?? 0 }
    }
    return (String(first.dropFirst(9).prefix(3)), try socket.text(length))
  }

  @Test func oneConnectionServesManyRequests() throws {
    let node = try RunningNode()
    let client = try TestSocket(node.httpPort)
    for _ in 0..<3 {
      try get(client, "/health/live")
      let answer = try #require(try answer(client))
      #expect(answer == ("200", "live\n"))
    }
    try get(client, "/nothing", more: "Connection: close\r\n")
    #expect(try answer(client)?.status == "404")
    #expect(try client.line() == nil)
    #expect(node.stop() == 0)
  }

  @Test func requestsThatComeTogetherAreAnsweredInOrder() throws {
    let node = try RunningNode()
    let client = try TestSocket(node.httpPort)
    try client.send(
      ["/metrics", "/health/live", "/metrics", "/x"].map { "GET \($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined())
    client.endOutput()
    #expect(try (0..<4).map { _ in try answer(client)?.status } == ["200", "200", "200", "404"])
    #expect(try client.line() == nil)
    node.stop()
  }

  @Test func commandsGoToTheNodeAsATerminalsDo() throws {
    let node = try RunningNode()
    let client = try TestSocket(node.httpPort)
    let body = "{\"commands\":[\"PING\"]}"
    try client.send(
      "POST /v1/commands HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    )
    // The fake says HELLO again, which is a reply by its form; and the command, which is none.
    #expect(try answer(client)?.status == "500")
    #expect(try client.line() == nil)
    #expect(node.events.count("received") == 2)
    node.stop()
  }

  @Test func halfARequestIsGivenUp() throws {
    var options = LoopOptions()
    options.incompleteTimeout = 50_000
    let node = try RunningNode(options)
    let head = try TestSocket(node.httpPort)
    try head.send("GET / HTTP/1.1\r\nHost:")
    let body = try TestSocket(node.httpPort)
    try body.send("POST /v1/commands HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
    for client in [head, body] {
      #expect(try answer(client)?.status == "408")
      #expect(try client.line() == nil)
    }
    // Whoever says nothing has not begun, and may.
    let idle = try TestSocket(node.httpPort)
    try get(idle, "/health/live")
    #expect(try answer(idle)?.status == "200")
    node.stop()
  }

  @Test func bodiesThatDoNotEndHoldNoMoreThanTheyMay() throws {
    var options = LoopOptions()
    options.incompleteBytesMax = 150_000
    let node = try RunningNode(options)
    let bodies = try (0..<2).map { _ in try TestSocket(node.httpPort) }
    for body in bodies {
      // One after the other.
      try get(body, "/health/live")
      #expect(try answer(body) != nil)
      let part = String(repeating: " ", count: 100_000)
      try body.send("POST /v1/commands HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n\(part)")
    }
    // The older one gives way.
    #expect(try answer(bodies[0])?.status == "408")
    node.stop()
  }

  @Test func whereThereIsNoRoomItIsSaid() throws {
    var options = LoopOptions()
    options.clientsMax = 1
    let node = try RunningNode(options)
    let first = try TestSocket(node.port)
    try first.send("BUSY\n")
    #expect(try first.line() == "busy")
    let second = try TestSocket(node.httpPort)
    #expect(try answer(second)?.status == "503")
    node.stop()
  }

  @Test func theNodeHearsOfEachConnectionsEndOnce() throws {
    let node = try RunningNode()
    for request in ["GET /health/live HTTP/1.0\r\n\r\n", "GET /x HTTP/1.0\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"] {
      let client = try TestSocket(node.httpPort)
      try client.send(request)
      #expect(try answer(client) != nil)
      #expect(try client.line() == nil)
    }
    // One goes in the middle of what it asks.
    let gone = try TestSocket(node.httpPort)
    try get(gone, "/health/ready")
    #expect(node.events.waits(for: "asked for readiness"))
    gone.reset()
    #expect(node.events.waits(for: "closed", count: 4))
    node.stop()
    #expect(node.events.count("opened") == 4 && node.events.count("closed") == 4)
  }
}
