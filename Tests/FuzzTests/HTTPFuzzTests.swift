import Base
import Testing

@testable import HTTP
@testable import Protocol

/// Connections that speak HTTP, and what a body becomes on its way to the node.
@Suite struct HTTPFuzzTests {
  static let bodies = [
    "{\"commands\": [\"EARN ann merchant=shop points=5 id=a\", {\"verb\": \"BALANCE\", \"who\": \"ann\"}]}",
    "{\"commands\":[{\"verb\":\"MEMBER ADD\",\"id\":\"a\",\"name\":\"\\u00e4\\ud83d\\ude00\",\"x.a\":1.5e3,\"b_c\":true,\"d\":null}]}",
    "{\"commands\":[{\"verb\":\"MEMBER TAG\",\"who\":\"a\",\"tag\":[\"b\",\"c\"]},\"*1\",\" $1\",\"'PING\",\"HELLO 3\"]}",
    "{\"commands\":[]}",
  ]
  static let requests =
    bodies.map {
      "POST /v1/commands HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: \($0.utf8.count)\r\n\r\n\($0)"
    }
    + bodies.map {
      "POST /v1/commands HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
        + "\(String($0.utf8.count, radix: 16));e\r\n\($0)\r\n0\r\nT: u\r\n\r\n"
    } + [
      "GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YW5uOnNlY3JldA==\r\n\r\n",
      "GET /health/ready?x=1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
      "HEAD /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "PUT / HTTP/1.1\r\nHost: x\r\n\r\n",
    ]
  static let replies = [
    "+OK\r\n", "-NOAUTH who\r\n", "%2\r\n+a\r\n:1\r\n+b\r\n$2\r\nhi\r\n", "*2\r\n:1\r\n_\r\n", "-LIMIT no left=5\r\n",
    "$-1\r\n",
  ]

  @Test(arguments: 0..<2) func anyBytesAreAnsweredOrRefused(part: UInt64) {
    var mutator = Mutator(seed: 900 + part)
    let corpus = Self.requests.map { text($0) }
    let replies = Self.replies.map { text($0) }
    for _ in 0..<FuzzInputs.count(perMille: 60) {
      var bytes =
        mutator.below(5) == 0 ? mutator.pick(corpus) : mutator.mutate(mutator.pick(corpus), with: mutator.pick(corpus))
      for _ in 0..<mutator.below(3) { bytes += mutator.pick(corpus) }
      run(bytes, replies, &mutator)
    }
  }

  /// A connection's life: its bytes in pieces, and the node's answers to what it is asked.
  private func run(_ bytes: [UInt8], _ replies: [[UInt8]], _ mutator: inout Mutator) {
    let gateway = Gateway(Gateway.Settings(metricsUser: mutator.below(2) == 0 ? "ann" : nil))
    var unread: [UInt8] = []
    var rest = bytes[...]
    var question: Gateway.Question?
    for _ in 0..<200 {
      if !gateway.isBusy {
        let piece = mutator.below(3) == 0 ? 1 + mutator.below(9) : rest.count
        unread += rest.prefix(piece)
        rest = rest.dropFirst(piece)
        if unread.isEmpty { break }
        let consumed = unread.withUnsafeBytes { gateway.received($0) }
        #expect(consumed >= 0 && consumed <= unread.count)
        unread.removeFirst(consumed)
        #expect(unread.count <= Limits().head || gateway.isBusy)
      } else if question == .figures {
        gateway.rendered([65])
      } else {
        let reply = mutator.pick(replies)
        gateway.answered(mutator.below(8) == 0 ? mutator.mutate(reply, with: reply) : reply)
      }
      let actions = gateway.takeActions()
      if actions.closes { return }
      question = actions.question ?? (gateway.isBusy ? question : nil)
      #expect(gateway.keptByteCount <= Limits().body)
    }
  }

  /// Each command that is sent is one request to the node, and so has one reply.
  @Test(arguments: 0..<2) func aCommandIsOneRequest(part: UInt64) {
    var mutator = Mutator(seed: 910 + part)
    var parser = RequestParser()
    let corpus = Self.bodies.map { text($0) }
    var sent = 0
    for _ in 0..<FuzzInputs.count(perMille: 60) {
      let body = mutator.mutate(mutator.pick(corpus), with: mutator.pick(corpus))
      guard let commands = try? CommandList.parse(body) else { continue }
      for case .send(let bytes) in commands {
        sent += 1
        #expect(answers(to: bytes, &parser) == 1, "\(String(decoding: bytes, as: UTF8.self))")
      }
    }
    #expect(sent > 0)
  }
  /// How many answers the bytes have; nil: the connection would be lost, or waits for more.
  private func answers(to bytes: [UInt8], _ parser: inout RequestParser) -> Int? {
    var framing = Framing()
    var count = 0
    var offset = 0
    while offset < bytes.count {
      let step = bytes.withUnsafeBytes { parser.next(UnsafeRawBufferPointer(rebasing: $0[offset...]), &framing) }
      switch step {
      case .request(let consumed):
        guard
          parser.request.rule.pointee.route != .connection
            || ![.hello, .auth, .reset, .quit].contains(parser.request.verb)
        else { return nil }
        count += 1
        offset += consumed
      case .refused(let consumed, _):
        count += 1
        offset += consumed
      case .empty(let consumed): offset += consumed
      case .incomplete, .fatal: return nil
      }
    }
    return count
  }
}
