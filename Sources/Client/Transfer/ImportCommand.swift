import Replies

/// `tally import KIND FILE.csv`
enum ImportCommand {
  static let command = Command(
    "import", summary: "posts a file of members, purchases or products, each row once",
    words: "members|purchases|products|codes|recharges FILE.csv", wordCount: 2...2,
    flags: [
      .value("with", "WORDS", "key=value words for every row, such as \"merchant=shop program=main\""),
      .value("ignore", "COLUMN,…", "columns that are left out"),
      .value("clients", "N", "connections (24; of products 192)"),
      .value("pipeline", "N", "requests in flight on each (64; of members 512)"),
      .value("patience", "S", "gives up after so long without an answer (120)"),
    ],
    notes: """
      The file is of comma-separated values (RFC 4180) in UTF-8; its first line names the columns. Columns are the keys of MEMBER ADD, EARN and \
      PRODUCT SET; member, who or sku is whom or what it is about. Amounts are minor units. An empty value is left out.

      Each row is a request under an id: that of the column id, else one made of the file's digest and the line's number. So what \
      is posted again moves nothing, for as long as the cluster remembers ids. How far it has come is kept in FILE.csv.import: said again it goes on \
      there. Rows are not posted in the file's order; a member may refer to one of a row nearby, before it or behind it (of 50,000; farther behind, import the file twice).

      Rows that were refused stand in FILE.csv.refused.csv, with line and reason; where there are any the exit code is 2. \
      --dry-run asks no node: it checks the form of each value.
      """, plan: { invocation throws(ClientError) in try run(invocation, isTrial: true) },
    body: { invocation throws(ClientError) in try run(invocation, isTrial: false) })

  private static func run(_ invocation: Invocation, isTrial: Bool) throws(ClientError) -> CommandResult {
    let flags = invocation.flags
    let word = flags.words[0]
    guard !ImportPlan.later.contains(word) else {
      throw .declined("import \(word): this build has no \(word) yet")
    }
    guard let kind = ImportPlan.kinds.first(where: { $0.word == word }) else {
      throw .usage("import \(word): one of members, purchases, products, codes, recharges is wanted")
    }
    var options = Import.Options(endpoints: invocation.target.endpoints, credentials: invocation.target.credentials)
    options.clientCount = try flags.integer("clients", or: kind.clientCount, in: 1...10_000)
    options.pipelineDepth = try flags.integer("pipeline", or: kind.pipelineDepth, in: 1...10_000)
    options.patience = try flags.number("patience", or: 120, in: 0.1...86_400)
    options.isTrial = isTrial
    options.isQuiet = invocation.isJSON
    let job = try Import(
      kind, path: flags.words[1], ignored: flags["ignore"]?.split(separator: ",").map(String.init) ?? [],
      with: flags["with"] ?? "", options)
    // A wrong secret is told at once, and not taken for a node that does not answer.
    if !isTrial, invocation.target.credentials != nil { _ = try invocation.target.connect() }
    let summary = try job.run()
    var result = CommandResult(json: json(summary, isTrial), page: page(summary, job, isTrial))
    result.exitCode = summary.state.refused > 0 ? 2 : 0
    return result
  }

  private static func page(_ summary: Import.Summary, _ job: Import, _ isTrial: Bool) -> Page {
    var page = Page()
    let state = summary.state
    page.line(
      "\(Format.grouped(state.accepted)) \(isTrial ? "would be posted" : "posted") · refused \(Format.grouped(state.refused))"
    )
    let resumed = summary.resumedAt > 0 ? " · went on at line \(Format.grouped(summary.resumedAt))" : ""
    page.line(
      "took \(Format.decimal(summary.seconds, 2)) s: \(Format.grouped(Int(summary.perSecond.rounded())))/s\(resumed)")
    if state.refused > 0 { page.line("refused rows: \(job.refusedPath)\(isTrial ? ".dry-run" : "")") }
    return page
  }
  private static func json(_ summary: Import.Summary, _ isTrial: Bool) -> JSON {
    .object([
      ("dry_run", .bool(isTrial)), ("accepted", .integer(Int64(summary.state.accepted))),
      ("refused", .integer(Int64(summary.state.refused))),
      ("resumed_at_line", summary.resumedAt > 0 ? .integer(Int64(summary.resumedAt)) : .null),
      ("seconds", .number(summary.seconds)), ("per_second", .number(summary.perSecond.rounded())),
    ])
  }
}
