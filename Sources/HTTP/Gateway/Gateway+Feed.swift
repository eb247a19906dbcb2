/// What is told of the feed on a connection, as server-sent events: a page after the other, each asked for once the one before it
/// has gone to the socket. So who reads slowly is sent no more than a page ahead.
struct FeedStream {
  /// Records of a page.
  static let pageRecords = 1_000
  /// So long a page without a record is waited for; then a comment says that the connection lives (s).
  static let wait = 15
  /// After so long a browser comes again, once the connection has ended (ms).
  static let retry = 2_000

  /// `kind=…`, `part=…`
  var words: [String] = []
  /// Behind what was told; nil: at the beginning.
  var cursor: String?
  /// The answer has begun: it ends with the connection.
  var isBegun = false
}

// `GET /v1/feed`: `FEED`, over and over, as events.

extension Gateway {
  func beginFeed(_ head: RequestHead) {
    feed = FeedStream()
    for pair in head.query.split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, let value = Gateway.decoded(parts[1]), !value.isEmpty else {
        return respond(Gateway.refused(.badRequest, "the query must be of from=CURSOR, kind=WORD,… and part=K/N"))
      }
      switch parts[0] {
      case "from" where feed.cursor == nil: feed.cursor = value
      case "kind", "part": feed.words.append("\(parts[0])=\(value)")
      default: return respond(Gateway.refused(.badRequest, "the query has from=CURSOR, kind=WORD,… and part=K/N alone"))
      }
    }
    // Who comes again knows better than the address that it began with.
    if let last = head.lastEvent, !last.isEmpty { feed.cursor = last }
    signIn()
  }
  /// `%XX` to bytes; nil: it is no text.
  private static func decoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      let digits = rest.prefix(2)
      guard digits.count == 2, let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16) else { return nil }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    return String(validating: bytes, as: UTF8.self)
  }

  /// Asks for the next page; by a session, once that was looked at again.
  func askFeed() {
    if signedIn == .session { signIn() } else { askFeedPage() }
  }
  func askFeedPage() {
    waiting = .feed
    // The first answer begins at once, so that whoever waits for it knows that there will be more.
    let wait = feed.isBegun ? FeedStream.wait : 0
    let words = ["FEED", "limit=\(FeedStream.pageRecords)", "wait=\(wait)"] + feed.words
    actions.requests += CommandList.array(of: words + (feed.cursor.map { ["from=\($0)"] } ?? []))
  }
  /// False: it is not there as a whole.
  func takeFeedPage(_ replies: inout ReplyReader) throws(ReplyReader.Malformed) -> Bool {
    var events: [UInt8] = []
    var cursor = feed.cursor
    var error: [UInt8] = []
    let outcome = try replies.nextRecords(error: &error) { record in
      if let place = record.cursor {
        cursor = place
        events += Array("id: \(place)\n".utf8)
      }
      if let kind = record.kind, kind != "none" {
        events += Array("event: \(kind)\ndata: ".utf8)
        events += record.json
        events.append(0x0A)
      }
      events.append(0x0A)
    }
    guard let outcome else { return false }
    guard outcome == .value else {
      if feed.isBegun {
        endFeed(error)
      } else {
        respond(
          Response(
            Gateway.status(of: outcome), .json, error, headers: outcome == .error("NOAUTH") ? Gateway.challenge : ""))
      }
      return true
    }
    if !feed.isBegun { writeHead() }
    feed.isBegun = true
    feed.cursor = cursor
    actions.output += events.isEmpty ? Array(": nothing new\n\n".utf8) : events
    waiting = .feedRoom
    return true
  }
  private func writeHead() {
    let head =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
      + "Connection: close\r\n\r\nretry: \(FeedStream.retry)\n\n"
    actions.output += Array(head.utf8)
  }
  /// Ends what has begun.
  /// - Parameter error: why, as JSON; empty: the connection just ends.
  func endFeed(_ error: [UInt8] = []) {
    if !error.isEmpty { actions.output += Array("event: error\ndata: ".utf8) + error + [0x0A, 0x0A] }
    feed = FeedStream()
    waiting = .nothing
    actions.closes = true
  }
}
