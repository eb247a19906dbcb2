import Replies
import System

/// `tally feed`: all movements, to standard output or to another system.
enum FeedCommand {
  static let command = Command(
    "feed", summary: "tells all movements and changes, in order, and follows them",
    flags: [
      .toggle("follow", "goes on until it is stopped; else it ends where the feed does"),
      .toggle("json", "a JSON object a line"),
      .value("cursor", "FILE", "begins behind the cursor in the file, and keeps it there"),
      .value("from", "CURSOR", "begins behind that cursor"),
      .value("kind", "WORD,…", "only these kinds: earn, redeem, …, change"),
      .value("part", "K/N", "only the shards whose number leaves K-1 divided by N"),
      .value("limit", "N", "records of a page, or of a batch (1000)"),
      .value("to-url", "URL", "posts batches there; --to URL says the same"),
      .value("ca", "FILE", "of --to https://…: the authorities by which its certificate is verified (the system's)"),
      .value("patience", "S", "gives up after so long without an answer (86400 with --follow, else 60)"),
    ],
    notes: """
      With --to http://HOST[:PORT]/PATH, or https, each batch is a POST of {"from": …, "cursor": …, "records": […]}, one at a time. What is not \
      answered with a status of 200 to 299 is posted again, later each time; the cursor is kept once a batch is. So each record \
      comes at least once, and whoever keeps the cursor of what it has done knows one that comes again by its `from`.

      Exit code 2 where a batch is refused for good (a status of 400 to 499).
      """, hasJSON: false, body: run)

  private static func run(_ invocation: Invocation) throws(ClientError) -> CommandResult {
    let flags = invocation.flags
    let isFollowing = flags.has("follow")
    let limit = try flags.integer("limit", or: 1_000, in: 1...10_000)
    let patience = try flags.number("patience", or: isFollowing ? 86_400 : 60, in: 0.1...1e7)
    let file = flags["cursor"].map { KeptText(path: $0) }
    let kept = try flags["from"] == nil ? file?.read() : nil
    let words = ["kind", "part"].compactMap { key in flags[key].map { "\(key)=\(Words.quote($0))" } }
    var reader = FeedReader(
      invocation.target, words: words.joined(separator: " "), cursor: flags["from"] ?? kept, patience: patience)
    let sink: any FeedSink
    if let url = flags["to-url"] {
      sink = PostingSink(post: try HTTPPost(url, authorities: flags["ca"]), patience: patience)
    } else {
      sink = PrintingSink(isJSON: flags.has("json"))
    }
    while true {
      let page = try reader.next(limit: limit, wait: isFollowing ? 10 : 0)
      if !page.records.isEmpty { try sink.take(page.records, from: reader.cursor, to: page.cursor) }
      if let cursor = page.cursor, cursor != reader.cursor {
        reader.cursor = cursor
        try file?.write(cursor)
      }
      if page.isEnd, !isFollowing { return CommandResult() }
    }
  }
}

/// Where records go. They count as taken when `take` returns.
protocol FeedSink {
  func take(_ records: [Record], from: String?, to cursor: String?) throws(ClientError)
}

struct PrintingSink: FeedSink {
  let isJSON: Bool

  func take(_ records: [Record], from: String?, to cursor: String?) throws(ClientError) {
    var text = ""
    for record in records { text += isJSON ? JSON(record).compact + "\n" : PrintingSink.line(record) + "\n" }
    Console.write(text)
  }
  static func line(_ record: Record) -> String {
    record.fields.map { "\($0.key)=\($0.value.isEmpty ? "\"\"" : Words.quote($0.value))" }.joined(separator: " ")
  }
}

struct PostingSink: FeedSink {
  let post: HTTPPost
  let patience: Double
  private static let longestPause = 30_000

  func take(_ records: [Record], from: String?, to cursor: String?) throws(ClientError) {
    let body = PostingSink.body(records, from: from, to: cursor)
    let start = Clock.monotonicNanoseconds()
    var pause = 200
    while true {
      switch post.send(body, milliseconds: 30_000) {
      case .accepted: return
      case .refused(let reason): throw .declined("\(post.endpoint)\(post.path) refuses a batch: \(reason)")
      case .failed(let reason):
        guard Double(Clock.monotonicNanoseconds() - start) < patience * 1e9 else { throw .unreachable([reason]) }
        Console.report("tally feed: \(reason); again in \(pause) ms")
        System.pause(milliseconds: pause)
        pause = min(PostingSink.longestPause, pause * 2)
      }
    }
  }
  static func body(_ records: [Record], from: String?, to cursor: String?) -> String {
    JSON.object([
      ("from", from.map { .text($0) } ?? .null), ("cursor", cursor.map { .text($0) } ?? .null),
      ("records", JSON(records)),
    ]).compact + "\n"
  }
}
