import Foundation
import Replies
import System

/// `tally replay`: real purchases for a cluster to post.
enum ReplayCommand {
  static let command = Command(
    "replay", summary: "posts a file of purchases through all nodes; posting it again moves nothing",
    words: "FILE.csv[.gz]", wordCount: 1...1,
    flags: [
      .value("program", "NAME", "the program, and the front of ids and merchants (cdnow)"),
      .value("prefix", "TEXT", "the front of the members' ids (c)"),
      .value("regions", "A,B,…", "a merchant each (the regions of the cluster's nodes)"),
      .value("last", "YYYY-MM-DD", "the day of the last purchase (that of the first posting, else yesterday)"),
      .value("clients", "N", "connections (24)"),
      .value("pipeline", "N", "requests in flight on each (128)"),
      .value("top", "N", "shows the members with most points; 0 reads no balances (10)"),
      .value("halfway", "COMMAND", "runs a shell command once half the purchases are posted"),
      .value("set-up", "FILE", "lines to send once program and merchants are there: rules, tiers, campaigns"),
      .toggle("now", "purchases count as of their posting, not at the dates of the file"),
      .value("patience", "S", "gives up after so long without an answer (120)"),
      .toggle("yes", "does not ask: a cluster that has members is not written into without"),
    ],
    notes: """
      The file has the columns customer, date (YYYY-MM-DD) and cents. Dates are shifted so that the last is yesterday. \
      Each purchase becomes an EARN under an id that follows from its line. Program, merchants (one a region) and members \
      are added where they are missing. Purchases go through all addresses of --to at once; a node may be killed and \
      started again meanwhile.

      Exit code 4 where the books do not balance, 2 where purchases were refused, or where the cluster has members and \
      nobody said that they may be written among.
      """, body: run)

  private static func run(_ invocation: Invocation) throws(ClientError) -> CommandResult {
    let (flags, target, path) = (invocation.flags, invocation.target, invocation.flags.words[0])
    var options = Replay.Options(endpoints: target.endpoints)
    options.program = flags["program"] ?? options.program
    options.memberPrefix = flags["prefix"] ?? options.memberPrefix
    options.regions = flags["regions"]?.split(separator: ",").map(String.init) ?? []
    if let text = flags["last"] {
      guard let day = Day(text) else { throw .usage("--last \(text): YYYY-MM-DD is wanted") }
      options.lastDay = day
    }
    options.clientCount = try flags.integer("clients", or: 24, in: 1...10_000)
    options.pipelineDepth = try flags.integer("pipeline", or: 128, in: 1...10_000)
    options.top = try flags.integer("top", or: 10, in: 0...1_000)
    options.halfway = flags["halfway"]
    options.setUp = try flags["set-up"].map { path throws(ClientError) in try lines(of: path) } ?? []
    options.isNow = flags.has("now")
    options.patience = try flags.number("patience", or: 120, in: 0.1...86_400)
    let purchases = try Purchases(path: path)
    try Consent.ask(for: "replay", invocation)
    var replay = try Replay(options, target: target, purchases: purchases)
    let summary = try replay.run(quiet: invocation.isJSON)
    var result = CommandResult(json: json(summary), page: page(summary))
    result.exitCode = summary.books?["balanced"] != "yes" ? 4 : summary.refused.total > 0 ? 2 : 0
    return result
  }

  /// Those that are neither empty nor a comment.
  private static func lines(of path: String) throws(ClientError) -> [String] {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
      throw .local("\(path): \(SystemError.text(of: errno))")
    }
    return text.split(separator: "\n").map(String.init).filter { !$0.hasPrefix("#") }
  }

  static func page(_ summary: Replay.Summary) -> Page {
    var page = Page()
    let posted = summary.repeated.map { Format.grouped(summary.accepted - $0) } ?? "?"
    let repeated = summary.repeated.map { Format.grouped($0) } ?? "?"
    let refused = summary.refused.byCode.map { "\($0.code) \(Format.grouped($0.count))" }.joined(separator: ", ")
    page.line(
      "\(Format.grouped(summary.purchases)) purchases of \(Format.grouped(summary.members)) members, ",
      "the last on \(summary.lastDay)")
    page.line("posted \(posted) · repeated \(repeated) · refused \(refused.isEmpty ? "0" : refused)")
    page.line(
      "took \(Format.decimal(summary.seconds, 2)) s: \(Format.grouped(Int(summary.perSecond.rounded())))/s · ",
      "sent again \(Format.grouped(summary.retries)) · connections lost \(summary.connectionsLost)")
    for example in summary.refused.examples.prefix(3) { page.line("e.g. -\(example)") }
    var rows = summary.regions.map { sum in
      [sum.region, sum.merchant, Format.grouped(sum.purchases), Format.grouped(sum.cents), Format.grouped(sum.points)]
    }
    rows.append(["total", "", Format.grouped(summary.accepted), "", Format.grouped(summary.points)])
    page.table(
      Table(
        header: ["region", "merchant", "purchases", "cents", "points"], rows: rows.map { $0.map { Styled($0) } }))
    if let expected = summary.expectedPoints {
      page.line(
        summary.points == expected
          ? "as the file adds up" : Styled("the file adds up to \(Format.grouped(expected)) points", .bad))
    }
    if !summary.top.isEmpty {
      let members = summary.top.map { [Styled($0.member), Styled(Format.grouped($0.points))] }
      page.table(Table(header: ["member", "points"], rows: members))
    }
    if let sum = summary.balanceSum { page.line("all balances: \(Format.grouped(sum))") }
    if let books = summary.books {
      page.line()
      page.line(ClusterCommands.verdict(of: books), Styled(" · \(ClusterCommands.books(books))"))
    }
    return page
  }

  static func json(_ summary: Replay.Summary) -> JSON {
    let regions = summary.regions.map { sum in
      JSON.object([
        ("region", .text(sum.region)), ("merchant", .text(sum.merchant)),
        ("purchases", .integer(Int64(sum.purchases))), ("cents", .integer(sum.cents)), ("points", .integer(sum.points)),
      ])
    }
    let repeated = summary.repeated
    return .object([
      ("purchases", .integer(Int64(summary.purchases))), ("members", .integer(Int64(summary.members))),
      ("last", .text(summary.lastDay.description)),
      ("posted", repeated.map { .integer(Int64(summary.accepted - $0)) } ?? .null),
      ("repeated", repeated.map { .integer(Int64($0)) } ?? .null),
      ("refused", .object(summary.refused.byCode.map { ($0.code, .integer(Int64($0.count))) })),
      ("retries", .integer(Int64(summary.retries))), ("connections_lost", .integer(Int64(summary.connectionsLost))),
      ("seconds", .number(summary.seconds)), ("per_second", .number(summary.perSecond.rounded())),
      ("points", .integer(summary.points)), ("points_in_file", summary.expectedPoints.map { .integer($0) } ?? .null),
      ("regions", .array(regions)),
      (
        "top", .array(summary.top.map { .object([("member", .text($0.member)), ("points", .integer($0.points))]) })
      ),
      ("balances", summary.balanceSum.map { .integer($0) } ?? .null),
      ("books", summary.books.map { JSON($0) } ?? .null),
    ])
  }
}
