import Testing

@testable import Client

@Suite struct NetTests {
  private func parse(_ text: String) throws -> (value: Value, count: Int)? {
    try Array(text.utf8).withUnsafeBytes { try Value.parse($0) }
  }

  @Test func `every kind of reply is parsed with its length`() throws {
    let cases: [(String, Value)] = [
      ("+OK\r\n", .text("OK")), (":-42\r\n", .integer(-42)), ("$-1\r\n", .bulk(nil)), ("$3\r\na\nb\r\n", .bulk("a\nb")),
      ("-INSUFFICIENT available=3 needed=5\r\n", .error(code: "INSUFFICIENT", text: "available=3 needed=5")),
      ("*2\r\n+a=1\r\n*1\r\n:7\r\n", .array([.text("a=1"), .array([.integer(7)])])), ("*0\r\n", .array([])),
    ]
    for (text, value) in cases {
      let parsed = try #require(try parse(text + "+next\r\n"))
      #expect(parsed.value == value)
      #expect(parsed.count == text.utf8.count)
    }
  }

  @Test func `a reply that is cut anywhere is incomplete and not an error`() throws {
    let whole = "*2\r\n$5\r\nhello\r\n-ERR no\r\n"
    for n in 0..<whole.utf8.count {
      #expect(try parse(String(decoding: whole.utf8.prefix(n), as: UTF8.self)) == nil, "cut after \(n) bytes")
    }
  }

  @Test func `bytes that are no reply are refused`() {
    for text in ["HTTP/1.1 200 OK\r\n", ":x\r\n", "$a\r\n", "\n"] {
      #expect(throws: ClientError.self, "\(text)") { try self.parse(text) }
    }
  }

  @Test func `a record keeps its fields in order and undoes quotes`() throws {
    let record = try #require(Record(#"tx=3-1042 name="Ann \"A\" Lee" note='a b' x="\x41\n" empty="""#))
    #expect(record.fields.map(\.key) == ["tx", "name", "note", "x", "empty"])
    #expect(record["name"] == #"Ann "A" Lee"#)
    #expect(record["note"] == "a b")
    #expect(record["x"] == "A\n")
    #expect(record["empty"] == "")
    #expect(Record("OK") == nil)
    #expect(Record("a=1 loose") == nil)
    #expect(Record(#"a="open"#) == nil)
  }

  @Test func `a quoted word splits back into itself`() {
    for word in ["plain", "", "two words", "a\"b\\c", "tab\tand\nline", "'", "é✓", "\u{1}"] {
      #expect(Words.split("x \(Words.quote(word)) y") == ["x", word, "y"])
    }
  }

  @Test func `addresses are read in all their forms`() throws {
    #expect(try Endpoint("east:7402") == Endpoint(host: "east", port: 7402))
    #expect(try Endpoint("east") == Endpoint(host: "east", port: 7401))
    #expect(try Endpoint("[::1]:7403") == Endpoint(host: "::1", port: 7403))
    #expect(try Endpoint("::1") == Endpoint(host: "::1", port: 7401))
    #expect(try Endpoint.list("a:1,b:2").count == 2)
    #expect(throws: ClientError.usage("'a:99999' is no HOST:PORT: no such port")) { try Endpoint("a:99999") }
    #expect(throws: ClientError.self) { try Endpoint.list("") }
  }

  @Test func `the scanner sees each reply once, wherever the stream is cut`() {
    let stream = Array("+OK\r\n-BUSY x\r\n*2\r\n+a\r\n*2\r\n$4\r\n+\r\n+\r\n:1\r\n*0\r\n$-1\r\n:12\r\n".utf8)
    for cut in 0...stream.count {
      var scanner = ReplyScanner()
      var seen: [String] = []
      var pending: [UInt8] = []
      for part in [stream[..<cut], stream[cut...]] {
        pending += part
        let used = pending.withUnsafeBytes { bytes in
          scanner.scan(bytes) { kind, line in
            seen.append(String(decoding: [kind], as: UTF8.self) + String(decoding: line, as: UTF8.self))
          }
        }
        pending.removeFirst(used)
      }
      #expect(seen == ["+OK", "-BUSY x", "*", "*0", "$-1", ":12"], "cut at \(cut)")
      #expect(pending.isEmpty)
    }
  }

  @Test func `a connection takes the first address that answers and names those that do not`() throws {
    let cluster = try FakeCluster(nodeCount: 2)
    let dead = Endpoint(host: "127.0.0.1", port: cluster.nodes[0].port)
    cluster.nodes[0].stop()
    let live = Endpoint(host: "127.0.0.1", port: cluster.nodes[1].port)
    let connection = try Connection(to: [dead, live])
    #expect(connection.endpoint == live)
    #expect(try connection.request("PING") == .text("PONG"))
    let error = #expect(throws: ClientError.self) { try Connection(to: [dead, dead]) }
    guard case .unreachable(let reasons)? = error else { return #expect(Bool(false), "\(String(describing: error))") }
    #expect(reasons.count == 2)
    #expect(error?.exitCode == 5)
  }

  @Test func `a node that goes away in the middle is a lost connection`() throws {
    let cluster = try FakeCluster(nodeCount: 1)
    cluster.faults.dropAfter = 2
    let connection = try Connection(to: try Endpoint.list(cluster.addresses))
    #expect(try connection.request("PING") == .text("PONG"))
    let error = #expect(throws: ClientError.self) { try connection.request("PING") }
    #expect(error?.exitCode == 3)
  }
}
