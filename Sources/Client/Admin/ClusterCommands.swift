import Replies
import System

/// The commands that show the cluster's state and its books.
enum ClusterCommands {
  static let all = [status, nodes, shards, audit]

  // MARK: status

  static let status = Command(
    "status", aliases: ["cluster status"], summary: "the cluster at a glance, a node a row",
    notes: "Says why the cluster is not healthy, and since when. Exit code 4 unless it is healthy.",
    body: { invocation throws(ClientError) in
      guard let record = try invocation.target.askRecords("CLUSTER STATUS").first else {
        throw .malformedReply("CLUSTER STATUS answered nothing")
      }
      let rows = (try? invocation.target.askRecords("CLUSTER NODES")) ?? []
      let json = JSON(record).adding([("node_rows", JSON(rows))])
      let now = Clock.wall() / 1000
      return CommandResult(
        json: json, page: page(record, rows, invocation.flags, now: now), exitCode: record["healthy"] == "yes" ? 0 : 4)
    })

  static func page(_ record: Record, _ rows: [Record], _ flags: Flags, now: Int64) -> Page {
    var page = Page()
    let isHealthy = record["healthy"] == "yes"
    let verdict = isHealthy ? Styled("✓ healthy", .good) : Styled("✗ not healthy", .bad)
    page.line(verdict, Styled(record.integer("since").map { since($0, now: now) } ?? ""))
    for reason in FieldKind.items(record["why"] ?? "none", ";") { page.line(Styled("  \(reason)", .bad)) }
    var facts = ["cluster \(record["cluster"] ?? "none")"]
    if let nodes = record["nodes"] { facts.append("\(record["up"] ?? "?") of \(nodes) nodes up") }
    if let shards = record["shards"] { facts.append("\(record["leaders"] ?? "?") of \(shards) shards led") }
    page.line(Styled(facts.joined(separator: " · ")))
    if let node = record["node"] {
      page.line(Styled("asked \(node) · state \(record["state"] ?? "?") · version \(record["version"] ?? "?")", .faint))
    }
    for key in ["alarms", "warnings", "detail"] {
      guard let value = record[key], value != "none" else { continue }
      page.line(Styled("\(key): \(value)", key == "warnings" ? .warning : .bad))
    }
    if !rows.isEmpty {
      let columns = ["node", "region", "address", "state", "leaders", "replicas", "log", "disk_free", "alarms"]
      page.table(nodeTable(rows, columns, below: ["version", "learning", "log_pinned", "fsync_p99_us"], flags))
    }
    return page
  }

  private static func since(_ moment: Int64, now: Int64) -> String {
    " since \(Format.moment(moment)) (\(Format.age(now - moment)))"
  }

  // MARK: nodes and shards

  static let nodes = Command(
    "nodes", aliases: ["cluster nodes"], summary: "the nodes: region, address, state, leaders, replicas",
    notes:
      """
      id: stands wherever a name does; incarnation: rises with each start; leads: shards that it leads; holds: shards of which it is \
      a voter.
      """,
    body: { invocation throws(ClientError) in
      let records = try invocation.target.askRecords("CLUSTER NODES")
      var page = Page()
      let columns = ["node", "id", "incarnation", "region", "state", "leaders", "replicas"]
      page.table(nodeTable(records, columns, below: [], invocation.flags))
      return CommandResult(json: JSON(records), page: page)
    })

  private static func nodeTable(_ records: [Record], _ columns: [String], below: [String], _ flags: Flags) -> Table {
    if flags.has("wide") { return Table(records) }
    let below = below.filter { key in records.contains { $0[key] != nil } }
    var table = Table(records, columns: columns + below)
    table.below = below.count
    return table
  }

  static let shards = Command(
    "shards", aliases: ["cluster shards"],
    summary: "the shards: slots, leader, voters, lag, size; of one of them each member too", words: "[S]",
    wordCount: 0...1,
    notes:
      "lag: entries that the member furthest behind has yet to get; bytes: what a copy of state and journal takes.",
    body: { invocation throws(ClientError) in
      var line = "CLUSTER SHARDS"
      if let word = invocation.flags.words.first {
        guard let shard = Int(word), (0...65_535).contains(shard) else {
          throw .usage("which shard: a number is wanted (tally shards)")
        }
        line += " \(shard)"
      }
      let records = try invocation.target.askRecords(line).map(completed)
      let (shards, members) = (records.filter { $0["shard"] != nil }, records.filter { $0["shard"] == nil })
      var page = Page()
      let more = members.isEmpty ? [] : ["term", "config", "epoch"]
      let columns = ["shard", "slots", "leader", "state", "voters", "lag-entries", "bytes"] + more
      var table = Table(shards, columns: invocation.flags.has("wide") ? nil : columns)
      table.below = invocation.flags.has("wide") ? 0 : more.count
      page.table(table)
      guard !members.isEmpty else { return CommandResult(json: JSON(records), page: page) }
      page.table(
        Table(
          members,
          columns: ["node", "state", "match", "lag-entries", "lag-seconds", "percent"].filter { key in
            members.contains { $0[key] != nil }
          }))
      return CommandResult(json: JSON(records), page: page)
    })

  /// With what follows from its other fields.
  private static func completed(_ shard: Record) -> Record {
    var fields = shard.fields.map { ($0.key, $0.value) }
    let slots = (shard["slots"] ?? "").split(separator: "-").compactMap { Int64($0) }
    if slots.count == 2 { fields += [("first", "\(slots[0])"), ("end", "\(slots[1] + 1)")] }
    return Record(fields)
  }

  // MARK: audit

  static let audit = Command(
    "audit", summary: "adds up the books of all shards at one moment",
    notes: "Exit code 4 unless they balance.",
    body: { invocation throws(ClientError) in
      let (shards, total) = try invocation.target.audit()
      let isBalanced = total["balanced"] == "yes"
      var page = Page()
      let columns = ["shard", "accounts", "transactions", "sum", "intransit", "digest"]
      page.table(Table(shards, columns: invocation.flags.has("wide") ? nil : columns))
      page.line()
      page.line(verdict(of: total), Styled(" · \(books(total))"))
      return CommandResult(json: JSON(shards + [total]), page: page, exitCode: isBalanced ? 0 : 4)
    })

  /// Whether an audit's total adds up.
  static func verdict(of total: Record) -> Styled {
    total["balanced"] == "yes" ? Styled("✓ balanced", .good) : Styled("✗ not balanced", .bad)
  }
  /// What an audit's total says beside, in one line.
  static func books(_ total: Record) -> String {
    total.fields.filter { $0.key != "total" && $0.key != "balanced" }
      .map { "\(FieldKind.title($0.key)) \(FieldKind.cell($0.key, $0.value).text)" }.joined(separator: " · ")
  }
}
