import Testing

@testable import Client

@Suite struct NetTests {
  @Test func addressesAreReadInAllTheirForms() throws {
    #expect(try Endpoint("east:7402") == Endpoint(host: "east", port: 7402))
    #expect(try Endpoint("east") == Endpoint(host: "east", port: 7401))
    #expect(try Endpoint("[::1]:7403") == Endpoint(host: "::1", port: 7403))
    #expect(try Endpoint("::1") == Endpoint(host: "::1", port: 7401))
    #expect(try Endpoint.list("a:1,b:2").count == 2)
    #expect(throws: ClientError.usage("'a:99999' is no HOST:PORT: no such port")) { try Endpoint("a:99999") }
    #expect(throws: ClientError.self) { try Endpoint.list("") }
  }

  @Test func theScannerSeesEachReplyOnceWhereverTheStreamIsCut() {
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

  @Test func aConnectionTakesTheFirstAddressThatAnswersAndNamesThoseThatDoNot() throws {
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

  @Test func aNodeThatGoesAwayInTheMiddleIsALostConnection() throws {
    let cluster = try FakeCluster(nodeCount: 1)
    cluster.faults.dropAfter = 2
    let connection = try Connection(to: try Endpoint.list(cluster.addresses))
    #expect(try connection.request("PING") == .text("PONG"))
    let error = #expect(throws: ClientError.self) { try connection.request("PING") }
    #expect(error?.exitCode == 3)
  }
}
