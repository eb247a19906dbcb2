/// `tally replay`: real purchases for a cluster to post.
enum ReplayCommand {
  static let entry = CommandEntry(
    name: "replay", summary: "posts a file of purchases through all nodes; posting it again moves nothing",
    usage: """
        tally replay FILE.csv[.gz] [flags]

      The file has the columns customer, date (YYYY-MM-DD) and cents. Dates are shifted so that the last is yesterday.
      Each purchase becomes an EARN under an id that follows from its line. Program, merchants (one a region) and
      members are added where they are missing. A node may be killed and started again meanwhile.

        --to A,B,C          the nodes; purchases go through all of them at once
        --program NAME      the program, and the front of ids and merchants (cdnow)
        --prefix TEXT       the front of the members' ids (c)
        --regions A,B,…     a merchant each (the regions of the cluster's nodes)
        --last YYYY-MM-DD   the day of the last purchase (that of the first posting, else yesterday)
        --clients N         connections (24)
        --pipeline N        requests in flight on each (128)
        --top N             shows the members with most points; 0 reads no balances (10)
        --halfway COMMAND   runs a shell command once half the purchases are posted
        --patience S        gives up after so long without an answer (120)
        --yes               does not ask: a cluster that has members is not written into without
        --json              for programs

      Exit code 4 where the books do not balance, 2 where purchases were refused, or where the cluster has members and
      nobody said that they may be written among.
      """, body: run)

  private static func run(_ arguments: [String]) throws(ClientError) -> Int32 {
    let flags = try Flags(
      arguments,
      values: Target.flags + [
        "program", "prefix", "regions", "last", "clients", "pipeline", "top", "halfway", "patience",
      ], switches: ["json", "yes"])
    guard let path = flags.words.first, flags.words.count == 1 else { throw .usage("one FILE.csv or FILE.csv.gz") }
    let target = try Target(flags)
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
    options.patience = try flags.number("patience", or: 120, in: 0.1...86_400)
    let purchases = try Purchases(path: path)
    guard try Consent.isGiven(for: "replay", flags, target) else { return Consent.refused }
    var replay = try Replay(options, target: target, purchases: purchases)
    let summary = try replay.run(quiet: flags.has("json"))
    Console.print(flags.has("json") ? json(summary).rendered() : text(summary))
    if summary.books?["balanced"] != "yes" { return 4 }
    return summary.refused.total > 0 ? 2 : 0
  }

  static func text(_ summary: Replay.Summary) -> String {
    let posted = summary.repeated.map { Format.grouped(summary.accepted - $0) } ?? "?"
    let repeated = summary.repeated.map { Format.grouped($0) } ?? "?"
    let refused = summary.refused.byCode.map { "\($0.code) \(Format.grouped($0.count))" }.joined(separator: ", ")
    var lines = [
      "\(Format.grouped(summary.purchases)) purchases of \(Format.grouped(summary.members)) members, "
        + "the last on \(summary.lastDay)",
      "posted \(posted) · repeated \(repeated) · refused \(refused.isEmpty ? "0" : refused)",
      "took \(Format.decimal(summary.seconds, 2)) s: \(Format.grouped(Int(summary.perSecond.rounded())))/s · "
        + "sent again \(Format.grouped(summary.retries)) · connections lost \(summary.connectionsLost)",
    ]
    for example in summary.refused.examples.prefix(3) { lines.append("e.g. -\(example)") }
    let rows = summary.regions.map { sum in
      [sum.region, sum.merchant, Format.grouped(sum.purchases), Format.grouped(sum.cents), Format.grouped(sum.points)]
    }
    let total = ["total", "", Format.grouped(summary.accepted), "", Format.grouped(summary.points)]
    lines.append(
      "\n" + Table.render(header: ["region", "merchant", "purchases", "cents", "points"], rows: rows + [total]))
    let isExact = summary.points == summary.expectedPoints
    lines.append(
      isExact ? "as the file adds up" : "the file adds up to \(Format.grouped(summary.expectedPoints)) points")
    if !summary.top.isEmpty {
      let members = summary.top.map { [$0.member, Format.grouped($0.points)] }
      lines.append("\n" + Table.render(header: ["member", "points"], rows: members))
    }
    if let sum = summary.balanceSum { lines.append("all balances: \(Format.grouped(sum))") }
    if let books = summary.books {
      lines.append("\naudit: " + books.fields.map { "\($0.key)=\($0.value)" }.joined(separator: " "))
    }
    return lines.joined(separator: "\n")
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
      ("points", .integer(summary.points)), ("points_in_file", .integer(summary.expectedPoints)),
      ("regions", .array(regions)),
      (
        "top", .array(summary.top.map { .object([("member", .text($0.member)), ("points", .integer($0.points))]) })
      ),
      ("balances", summary.balanceSum.map { .integer($0) } ?? .null),
      ("books", summary.books.map { JSON($0) } ?? .null),
    ])
  }
}
