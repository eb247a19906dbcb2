import Testing

@testable import HTTP

/// A connection of HTTP between its socket and a node that is played by the test.
@Suite struct GatewayTests {
  /// What the gateway did, in words: `<` output, `>` requests to the node.
  private final class Scene {
    let gateway: Gateway
    private var unread: [UInt8] = []
    init(_ settings: Gateway.Settings = Gateway.Settings()) { gateway = Gateway(settings) }

    func send(_ text: String) -> [String] {
      unread += Array(text.replacing("\n", with: "\r\n").utf8)
      unread.removeFirst(unread.withUnsafeBytes { gateway.received($0) })
      return take()
    }
    func post(_ commands: String, headers: String = "") -> [String] {
      let body = "{\"commands\":[\(commands)]}"
      return send(
        "POST /v1/commands HTTP/1.1\nHost: x\nContent-Type: application/json\n\(headers)Content-Length: \(body.utf8.count)\n\n\(body)"
      )
    }
    func answer(_ text: String) -> [String] {
      gateway.answered(Array(text.replacing("|", with: "\r\n").utf8))
      return take()
    }
    /// What an answer has the gateway put out.
    func output(_ text: String) -> [UInt8] {
      gateway.answered(Array(text.replacing("|", with: "\r\n").utf8))
      return gateway.takeActions().output
    }
    /// Goes on with what was sent before.
    func resume() -> [String] { send("") }
    func take() -> [String] {
      let actions = gateway.takeActions()
      var lines: [String] = []
      if !actions.output.isEmpty {
        let parts = String(decoding: actions.output, as: UTF8.self).split(separator: "\r\n\r\n", maxSplits: 1)
        let status = parts[0].prefix { $0 != "\r\n" }.dropFirst(9)
        lines.append("< \(status) " + (parts.count > 1 ? String(parts[1]) : ""))
      }
      if !actions.requests.isEmpty {
        lines.append("> " + String(decoding: actions.requests, as: UTF8.self).replacing("\r\n", with: "|"))
      }
      if let question = actions.question { lines.append("? \(question)") }
      if actions.closes { lines.append("closes") }
      return lines
    }
  }

  @Test func commandsAreAnsweredInOrder() {
    let scene = Scene()
    #expect(scene.post(#""PING", "HELLO 2", "BALANCE ann""#) == ["> *2|$5|HELLO|$1|3|"])
    #expect(scene.gateway.isBusy)
    #expect(scene.answer("%1|+server|$1|t|") == [">  PING| BALANCE ann|"])
    #expect(scene.answer("+PONG|%1|+bal").isEmpty)
    let refused = #"{"error":{"code":"ERR","text":"HELLO is about a connection: it is not served by HTTP"}}"#
    #expect(scene.answer("ance|:12|") == [#"< 200 OK {"replies":["PONG",\#(refused),{"balance":12}]}"#])
    // The same person is not asked again.
    #expect(scene.post(#""PING""#) == [">  PING|"])
    #expect(
      scene.answer("-UNAVAILABLE no|") == [#"< 200 OK {"replies":[{"error":{"code":"UNAVAILABLE","text":"no"}}]}"#])
    #expect(scene.post("") == [#"< 200 OK {"replies":[]}"#])
  }

  @Test func repliesThatGetTooLongEndWhatIsSent() throws {
    let scene = Scene()
    let sent = scene.post(Array(repeating: "\"PING\"", count: 200).joined(separator: ","))
    #expect(sent.first?.contains("HELLO") == true)
    #expect(
      scene.answer("%0|") == [">" + String(repeating: "  PING|", count: 1) + String(repeating: " PING|", count: 63)])
    // Each reply lets one more go.
    #expect(scene.answer("+PONG|+PONG|") == [">  PING| PING|"])
    let long = String(repeating: "x", count: 5 << 20)
    #expect(scene.answer("+\(long)|").isEmpty)
    let replies = try #require(scene.answer(String(repeating: "+PONG|", count: 63)).first)
    // Those that were sent are answered; of the others nothing was done.
    #expect(replies.count(of: "\"PONG\"") == 65 && replies.count(of: "\"code\":\"BUSY\"") == 134)
  }

  @Test func eachRequestSaysWhoItComesFrom() {
    let scene = Scene()
    let ann = "Authorization: Basic YW5uOnNlY3JldA==\n"
    #expect(scene.post(#""PING""#, headers: ann) == ["> *5|$5|HELLO|$1|3|$4|AUTH|$3|ann|$6|secret|"])
    #expect(scene.answer("%0|") == [">  PING|"])
    _ = scene.answer("+PONG|")
    // Another, behind the same proxy, who is nobody.
    #expect(scene.post(#""PING""#) == ["> *1|$5|RESET|*2|$5|HELLO|$1|3|"])
    #expect(scene.answer("+RESET|").isEmpty)
    #expect(scene.answer("%0|") == [">  PING|"])
    #expect(
      scene.answer("-NOAUTH sign in|") == [
        #"< 401 Unauthorized {"replies":[{"error":{"code":"NOAUTH","text":"sign in"}}]}"#
      ])
    // A wrong secret: nothing is sent.
    #expect(scene.post(#""PING""#, headers: ann).count == 1)
    #expect(
      scene.answer("+RESET|-WRONGPASS no|") == [#"< 401 Unauthorized {"error":{"code":"WRONGPASS","text":"no"}}"#])
    // Nobody is signed in after that.
    #expect(scene.post(#""PING""#) == ["> *2|$5|HELLO|$1|3|"])
    #expect(
      scene.answer("-UNAVAILABLE later|") == [
        #"< 503 Service Unavailable {"error":{"code":"UNAVAILABLE","text":"later"}}"#
      ])
    #expect(scene.post(#""PING""#, headers: "Authorization: Digest x\n").first?.hasPrefix("< 401 ") == true)
    #expect(scene.post(#""PING""#, headers: "Authorization: Basic YW5u\n").first?.hasPrefix("< 401 ") == true)
  }

  @Test func aSessionIsAskedAboutWithEachRequest() {
    let scene = Scene()
    let ann = "Authorization: Basic YW5uOnNlY3JldA==\n"
    let open = "POST /v1/session HTTP/1.1\nHost: x\nContent-Length: 0\n"
    #expect(scene.send(open + ann + "\n") == ["> *5|$5|HELLO|$1|3|$4|AUTH|$3|ann|$6|secret|"])
    #expect(scene.answer("%0|") == ["? openSession"])
    #expect(
      scene.answer("%2|+token|+tok|+expires|:12|") == [#"< 200 OK {"token":"tok","expires":12}"#])
    let token = "Authorization: Bearer tok\n"
    let asks = "? useSession(\(Array("tok".utf8)))"
    for _ in 0..<2 {
      #expect(scene.post(#""PING""#, headers: token) == ["> *1|$5|RESET|*2|$5|HELLO|$1|3|"])
      #expect(scene.answer("+RESET|%0|") == [asks])
      #expect(scene.answer("+OK|") == [">  PING|"])
      #expect(scene.answer("+PONG|") == [#"< 200 OK {"replies":["PONG"]}"#])
    }
    // Who says nothing is nobody, though the connection was a session's.
    #expect(scene.post(#""PING""#) == ["> *1|$5|RESET|*2|$5|HELLO|$1|3|"])
    #expect(scene.answer("+RESET|%0|") == [">  PING|"])
    _ = scene.answer("-NOAUTH sign in|")
    // One that has ended: nothing of the request is sent.
    #expect(scene.post(#""PING""#, headers: token) == ["> *1|$5|RESET|*2|$5|HELLO|$1|3|"])
    #expect(scene.answer("+RESET|%0|") == [asks])
    #expect(
      scene.answer("-WRONGPASS over|") == [#"< 401 Unauthorized {"error":{"code":"WRONGPASS","text":"over"}}"#])
    let close = "DELETE /v1/session HTTP/1.1\nHost: x\n"
    #expect(scene.send(close + token + "\n") == ["? closeSession(\(Array("tok".utf8)))"])
    #expect(scene.answer("+OK|") == [#"< 200 OK "OK""#])
    #expect(scene.send(close + ann + "\n").first?.hasPrefix("< 401 ") == true)
    #expect(scene.send(open + "Origin: http://evil\n" + ann + "\n").first?.hasPrefix("< 403 ") == true)
    #expect(scene.send("GET /v1/session HTTP/1.1\nHost: x\n\n").first?.hasPrefix("< 405 ") == true)
  }

  @Test func theFeedIsToldAPageAheadOfItsReader() {
    let scene = Scene()
    #expect(
      scene.send("GET /v1/feed?from=c0&kind=earn%2Credeem HTTP/1.1\nHost: x\nLast-Event-ID: c1\n\n")
        == ["> *2|$5|HELLO|$1|3|"])
    #expect(scene.answer("%0|") == ["> *5|$4|FEED|$10|limit=1000|$6|wait=0|$16|kind=earn,redeem|$7|from=c1|"])
    let record = "%3|+cursor|+c2|+kind|+earn|+points|:5|"
    // In two parts: nothing is told before all of it is there.
    #expect(scene.answer("*2|" + record).isEmpty)
    #expect(
      scene.answer("%2|+kind|+redeem|+points|:-3|") == [
        "< 200 OK retry: 2000\n\nid: c2\nevent: earn\ndata: {\"cursor\":\"c2\",\"kind\":\"earn\",\"points\":5}\n\n"
          + "event: redeem\ndata: {\"kind\":\"redeem\",\"points\":-3}\n\n"
      ])
    // Not before it has gone is more asked for.
    #expect(scene.gateway.awaitsRoom && scene.gateway.isBusy && scene.take().isEmpty)
    scene.gateway.drained()
    #expect(scene.take() == ["> *5|$4|FEED|$10|limit=1000|$7|wait=15|$16|kind=earn,redeem|$7|from=c2|"])
    scene.gateway.drained()
    #expect(scene.take().isEmpty && !scene.gateway.awaitsRoom)
    #expect(String(decoding: scene.output("*0|"), as: UTF8.self) == ": nothing new\n\n")
    scene.gateway.drained()
    _ = scene.take()
    #expect(
      String(decoding: scene.output("*1|%3|+cursor|+c3|+kind|+none|+skipped|:10000|"), as: UTF8.self) == "id: c3\n\n")
    scene.gateway.drained()
    #expect(scene.take().first?.hasSuffix("|$7|from=c3|") == true)
    let end = scene.output("-NOAUTH gone|")
    #expect(
      String(decoding: end, as: UTF8.self)
        == "event: error\ndata: {\"error\":{\"code\":\"NOAUTH\",\"text\":\"gone\"}}\n\n")
    #expect(scene.take() == ["closes"])
  }

  @Test func aFeedThatCannotBeginIsAnsweredAsAnyRequest() {
    let refusals = [
      ("NOAUTH", "401"), ("NOPERM", "403"), ("ERR", "400"), ("NOTFOUND", "404"), ("BUSY", "503"),
    ]
    for (code, status) in refusals {
      let scene = Scene()
      _ = scene.send("GET /v1/feed HTTP/1.1\nHost: x\n\n")
      _ = scene.answer("%0|")
      #expect(scene.answer("-\(code) no|").first?.hasPrefix("< \(status) ") == true)
      #expect(scene.send("GET /health/live HTTP/1.1\nHost: x\n\n") == ["< 200 OK live\n"])
    }
    for query in ["?from", "?from=%zz", "?limit=5", "?from=a&from=b", "?kind="] {
      let scene = Scene()
      #expect(scene.send("GET /v1/feed\(query) HTTP/1.1\nHost: x\n\n").first?.hasPrefix("< 400 ") == true, "\(query)")
    }
    // By a session, which is asked about before each page.
    let scene = Scene()
    _ = scene.send("GET /v1/feed HTTP/1.1\nHost: x\nAuthorization: Bearer t\n\n")
    #expect(scene.answer("%0|") == ["? useSession(\(Array("t".utf8)))"])
    #expect(scene.answer("+OK|").first?.contains("FEED") == true)
    _ = scene.answer("*0|")
    scene.gateway.drained()
    #expect(scene.take() == ["> *1|$5|RESET|*2|$5|HELLO|$1|3|"])
    _ = scene.answer("+RESET|%0|")
    #expect(String(decoding: scene.output("-WRONGPASS over|"), as: UTF8.self).hasPrefix("event: error\n"))
    // The node's end.
    let left = Scene()
    _ = left.send("GET /v1/feed HTTP/1.1\nHost: x\n\n")
    _ = left.answer("%0|")
    _ = left.answer("*0|")
    left.gateway.nodeClosed()
    #expect(left.take() == ["closes"])
  }

  @Test func onlyJSONOfTheSameSiteIsTaken() {
    func send(_ headers: String) -> String {
      let body = #"{"commands":["PING"]}"#
      return Scene().send(
        "POST /v1/commands HTTP/1.1\nHost: x\n\(headers)Content-Length: \(body.utf8.count)\n\n\(body)"
      ).first ?? "nothing"
    }
    let form = "Content-Type: application/x-www-form-urlencoded\n"
    #expect(send("Origin: http://x\n").hasPrefix("< 415 ") && send("Origin: http://x\n" + form).hasPrefix("< 415 "))
    #expect(
      send("Origin: null\n" + form).hasPrefix("< 415 ") && send("Origin: http://evil\n" + form).hasPrefix("< 415 "))
    // A program, which names no origin.
    #expect(send("").hasPrefix("> ") && send(form).hasPrefix("> "))
    let scene = Scene()
    #expect(scene.post(#""PING""#, headers: "Origin: http://evil\n").first?.hasPrefix("< 403 ") == true)
    #expect(scene.post(#""PING""#, headers: "Origin: http://x\n").first?.hasPrefix("> ") == true)
  }

  @Test func probesAndFiguresNeedNobody() {
    let scene = Scene()
    #expect(scene.send("GET /health/live HTTP/1.1\nHost: x\n\n") == ["< 200 OK live\n"])
    #expect(scene.send("GET /health/ready HTTP/1.1\nHost: x\n\n") == ["? readiness"])
    #expect(scene.answer("+healthy: committed|") == ["< 200 OK healthy: committed\n"])
    #expect(scene.send("HEAD /health/ready HTTP/1.1\nHost: x\n\n") == ["? readiness"])
    #expect(scene.answer("-UNAVAILABLE no leader|") == ["< 503 Service Unavailable "])
    #expect(scene.send("GET /metrics HTTP/1.1\nHost: x\n\nGET /health/live HTTP/1.1\nHost: x\n\n") == ["? figures"])
    scene.gateway.rendered(Array("a 1\n".utf8))
    #expect(scene.take() == ["< 200 OK a 1\n"])
    #expect(scene.resume() == ["< 200 OK live\n"])
  }

  @Test func figuresMayBeForOneUserAlone() {
    let scene = Scene(Gateway.Settings(metricsUser: "ann"))
    #expect(scene.send("GET /metrics HTTP/1.1\nHost: x\n\n").first?.hasPrefix("> *2") == true)
    #expect(scene.answer("%0|").first?.hasPrefix("< 401 ") == true)
    let bob = "GET /metrics HTTP/1.1\nHost: x\nAuthorization: Basic Ym9iOmI=\n\n"
    #expect(scene.send(bob).first?.contains("|bob|$1|b|") == true)
    #expect(scene.answer("+RESET|%0|").first?.hasPrefix("< 401 ") == true)
    #expect(scene.send(bob.replacing("Ym9iOmI=", with: "YW5uOmE=")).first?.contains("|ann|$1|a|") == true)
    #expect(scene.answer("+RESET|%0|") == ["? figures"])
  }

  @Test func whatIsNotThereIsSaid() {
    let scene = Scene()
    #expect(scene.send("GET /v1/food HTTP/1.1\nHost: x\n\n").first?.hasPrefix("< 404 ") == true)
    #expect(scene.send("GET /nothing HTTP/1.1\nHost: x\n\n").first?.hasPrefix("< 404 ") == true)
    #expect(scene.send("PUT /metrics HTTP/1.1\nHost: x\n\n").first?.hasPrefix("< 405 ") == true)
    #expect(scene.send("GET /v1/commands HTTP/1.1\nHost: x\n\n").first?.hasPrefix("< 405 ") == true)
    #expect(
      scene.send("GET /metrics HTTP/1.1\n\n") == ["< 400 Bad Request HTTP/1.1 needs the header Host\n", "closes"])
    #expect(scene.send("GET /health/live HTTP/1.1\nHost: x\n\n") == ["closes"])
  }

  @Test func aConnectionEndsWithItsAnswer() {
    let scene = Scene()
    let text = "GET /health/ready HTTP/1.1\nHost: x\nConnection: close\n\n"
    #expect(scene.send(text + text) == ["? readiness"])
    #expect(scene.answer("+ok|") == ["< 200 OK ok\n", "closes"])
    let slow = Scene()
    #expect(slow.send("POST /v1/commands HTTP/1.1\nHost: x\nContent-Length: 5\n\n12").isEmpty)
    #expect(slow.gateway.keptByteCount == 2)
    slow.gateway.isOverdue("too slow")
    #expect(slow.take() == ["< 408 Request Timeout too slow; nothing of it was done\n", "closes"])
    let left = Scene()
    _ = left.post(#""PING""#)
    left.gateway.nodeClosed()
    #expect(left.take().first?.hasPrefix("< 500 ") == true)
  }

  @Test func theConsoleIsServedAndKept() throws {
    func ask(_ path: String, method: String = "GET", headers: String = "") throws -> [String] {
      let gateway = Gateway(Gateway.Settings())
      let text = "\(method) \(path) HTTP/1.1\r\nHost: x\r\n\(headers)\r\n"
      _ = Array(text.utf8).withUnsafeBytes { gateway.received($0) }
      let actions = gateway.takeActions()
      #expect(actions.requests.isEmpty && !actions.closes && !gateway.isBusy)
      return String(decoding: actions.output, as: UTF8.self).replacing("\r\n\r\n", with: "\0").split(
        separator: "\0", maxSplits: 1, omittingEmptySubsequences: false
      ).map(String.init)
    }
    let page = try ask("/")
    #expect(page[0].hasPrefix("HTTP/1.1 200 OK") && page[1].contains("<script type=\"module\" src=\"/app.js\">"))
    #expect(page[0].contains("frame-ancestors 'none'") && page[0].contains("Content-Type: text/html; charset=utf-8"))
    #expect(page[0].contains("Cache-Control: no-cache") && !page[0].contains("no-store"))
    let tag = try #require(page[0].firstMatch(of: /ETag: ("[0-9a-f]{64}")/)).1
    let known = try ask("/", headers: "If-None-Match: \(tag)\r\n")
    #expect(known[0].hasPrefix("HTTP/1.1 304 Not Modified") && !known[0].contains("Content-Length") && known[1].isEmpty)
    #expect(known[0].contains("ETag: \(tag)"))
    #expect(try ask("/app.js", headers: "If-None-Match: \(tag)\r\n")[0].hasPrefix("HTTP/1.1 200 OK"))
    let head = try ask("/app.css", method: "HEAD")
    #expect(head[0].hasPrefix("HTTP/1.1 200 OK") && !head[0].contains("Content-Length: 0") && head[1].isEmpty)
    #expect(try ask("/index.html")[0].hasPrefix("HTTP/1.1 404"))
  }
}

extension String {
  fileprivate func count(of part: String) -> Int { ranges(of: part).count }
}
