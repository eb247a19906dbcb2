import Testing

@testable import HTTP

/// Requests from bytes: what is one, what is refused and how, and that it makes no difference how the bytes arrive.
@Suite struct RequestReaderTests {
  /// What comes of the bytes of a connection that arrive in pieces of so many: each request, or how the rest is refused.
  private func read(_ bytes: [UInt8], piece: Int) -> [String] {
    var reader = RequestReader()
    var found: [String] = []
    var unread: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: piece) {
      unread += bytes[start..<min(start + piece, bytes.count)]
      steps: while !unread.isEmpty {
        switch unread.withUnsafeBytes({ reader.next($0) }) {
        case .incomplete(let consumed):
          unread.removeFirst(consumed)
          break steps
        case .continueIsAwaited(let consumed):
          unread.removeFirst(consumed)
          found.append("continue")
        case .request(let consumed):
          unread.removeFirst(consumed)
          let head = reader.head
          let end = head.keepsAlive ? "" : " close"
          found.append(
            "\(head.method) \(head.path)?\(head.query) \(String(decoding: reader.body, as: UTF8.self))\(end)")
        case .refused(let refusal): return found + ["\(refusal.status.rawValue) \(refusal.text)"]
        }
      }
    }
    return found
  }
  private func read(_ text: String) -> [String] {
    let bytes = Array(text.replacing("\n", with: "\r\n").utf8)
    let whole = read(bytes, piece: max(1, bytes.count))
    for piece in [1, 2, 7] { #expect(read(bytes, piece: piece) == whole) }
    return whole
  }

  @Test func requestsFollowEachOther() {
    let text = """
      GET /metrics?a=b HTTP/1.1
      Host: x

      POST /v1/commands HTTP/1.1
      host:x
      Content-Length:  5 \n
      helloHEAD / HTTP/1.1
      HOST: x
      Connection: foo, Close


      """
    #expect(read(text) == ["get /metrics?a=b ", "post /v1/commands? hello", "head /?  close"])
  }

  @Test func aChunkedBodyIsJoined() {
    let text = """
      POST /a HTTP/1.1
      Host: x
      Transfer-Encoding: chunked

      5;name=value
      hello
      C
      , and world!
      0
      Trailer: t

      GET /b HTTP/1.0


      """
    #expect(read(text) == ["post /a? hello, and world!", "get /b?  close"])
  }

  @Test func whoWaitsForAWordIsTold() {
    let text = "POST /a HTTP/1.1\nHost: x\nExpect: 100-continue\nContent-Length: 2\n\nok"
    #expect(read(text) == ["continue", "post /a? ok"])
    #expect(read("GET /a HTTP/1.1\nHost: x\nExpect: 200-ok\n\n").last?.hasPrefix("417 ") == true)
  }

  @Test func anOldConnectionEndsUnlessItSaysOtherwise() {
    #expect(read("GET /a HTTP/1.0\n\n") == ["get /a?  close"])
    #expect(read("GET /a HTTP/1.0\nConnection: Keep-Alive\n\n") == ["get /a? "])
    #expect(read("\n\nGET http://host:1/a?b=c HTTP/1.1\nHost: x\n\n") == ["get /a?b=c "])
  }

  /// A request, behind its first line, and the status that it is refused with.
  static let refusals: [(String, Int)] = [
    ("GET /\n\n", 400), ("GET  / HTTP/1.1\nHost: x\n\n", 400), ("GET / HTTP/1.1 \nHost: x\n\n", 400),
    ("GET / HTTP/2.0\nHost: x\n\n", 505), ("GET / http/1.1\nHost: x\n\n", 400), ("BREW / HTTP/1.1\nHost: x\n\n", 501),
    ("G(T / HTTP/1.1\nHost: x\n\n", 400), ("GET a HTTP/1.1\nHost: x\n\n", 400), ("GET /ä HTTP/1.1\nHost: x\n\n", 400),
    ("GET / HTTP/1.1\n\n", 400), ("GET / HTTP/1.1\nHost: x\nHost: x\n\n", 400),
    // Folded, without a colon, with a space before it, with a control character.
    ("GET / HTTP/1.1\nHost: x\n folded\n\n", 400), ("GET / HTTP/1.1\nHost\n\n", 400),
    ("GET / HTTP/1.1\nHost : x\n\n", 400), ("GET / HTTP/1.1\nHost: x\u{1}\n\n", 400), ("GET / HTTP/1.1\n: x\n\n", 400),
    // Two lengths, or one that is none.
    ("POST / HTTP/1.1\nHost: x\nContent-Length: 1\nContent-Length: 1\n\na", 400),
    ("POST / HTTP/1.1\nHost: x\nContent-Length: 1, 1\n\na", 400),
    ("POST / HTTP/1.1\nHost: x\nContent-Length: +1\n\na", 400), ("POST / HTTP/1.1\nHost: x\nContent-Length:\n\na", 400),
    ("POST / HTTP/1.1\nHost: x\nContent-Length: 1\nTransfer-Encoding: chunked\n\n0\n\n", 400),
    ("POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked\n\n0\n\n", 400),
    ("POST / HTTP/1.1\nHost: x\nTransfer-Encoding: gzip, chunked\n\n", 501),
    ("POST / HTTP/1.1\nHost: x\nTransfer-Encoding: xchunked\n\n", 501),
    ("POST / HTTP/1.0\nTransfer-Encoding: chunked\n\n0\n\n", 400), ("POST / HTTP/1.1\nHost: x\n\n", 411),
    ("POST / HTTP/1.1\nHost: x\nContent-Length: 262145\n\n", 413),
    ("POST / HTTP/1.1\nHost: x\nContent-Length: 99999999999999999999\n\n", 400),
    ("GET / HTTP/1.1\nHost: x\nContent-Length: 1\n\na", 400),
    ("GET / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n0\n\n", 400),
    // Chunks.
    ("POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\nx\n", 400),
    ("POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n\n", 400),
    ("POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n40001\n", 413),
    ("POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n000000001\n", 400),
    ("POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n1\nab\n", 400),
    ("POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n1;\(String(repeating: "e", count: 260))\n", 400),
  ]
  @Test(arguments: refusals) func aRequestThatIsNotPlainIsRefused(text: String, status: Int) {
    #expect(read(text).last?.hasPrefix("\(status) ") == true, "\(read(text))")
    #expect(read(text).count == 1)
  }

  @Test(arguments: [
    "GET / HTTP/1.1\nHost: x\n\n", "GET / HTTP/1.1\rHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\n\r\n", "\rGET",
  ])
  func aLineEndsWithBoth(text: String) {
    for piece in [1, 100] { #expect(read(Array(text.utf8), piece: piece) == ["400 lines end with CR and LF"]) }
  }

  @Test func linesAndHeadersAreBounded() {
    let long = String(repeating: "a", count: 8 << 10)
    #expect(read("GET /\(long)").last?.hasPrefix("414 ") == true)
    #expect(read("GET /\(long.dropLast(20)) HTTP/1.1\nHost: x\n\n").last?.hasPrefix("get /aaa") == true)
    let headers = (0..<99).map { "h\($0): v\n" }.joined()
    #expect(read("GET / HTTP/1.1\nHost: x\n\(headers)\n") == ["get /? "])
    #expect(read("GET / HTTP/1.1\nHost: x\n\(headers)h: v\n\n").last?.hasPrefix("431 ") == true)
    let wide = (0..<9).map { "h\($0): \(String(repeating: "v", count: 4000))\n" }.joined()
    #expect(read("GET / HTTP/1.1\nHost: x\n\(wide)").last?.hasPrefix("431 ") == true)
  }

  @Test func whatWasRefusedStaysSo() {
    var reader = RequestReader()
    let step = Array("NO\n".utf8).withUnsafeBytes { reader.next($0) }
    #expect(Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8).withUnsafeBytes { reader.next($0) } == step)
  }
}
