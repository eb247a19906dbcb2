import Replies

/// Where replicas and leads are.
enum PlacementCommands {
  static let all = [rebalance, show, set]

  static let rebalance = Command(
    "rebalance", aliases: ["cluster rebalance"],
    summary: "shows which replicas and leads would go where, so that nodes have even parts; --apply does it",
    words: "[leaders|replicas]", wordCount: 0...1,
    flags: [.toggle("apply", "does it, by an operation")] + OperationCommands.waitFlags,
    notes:
      "Nodes that are not well are given nothing, and shards that are not well stay. It plans at most 1,000 moves at a time. "
      + OperationCommands.notes,
    plan: { invocation throws(ClientError) in try plan(invocation) },
    body: { invocation throws(ClientError) in
      guard invocation.flags.has("apply") else { return try plan(invocation) }
      let steps = ((try? invocation.target.askRecords(try line(invocation))) ?? []).filter { $0["step"] != nil }
      let value = try invocation.target.connect().request(try line(invocation) + " apply=yes").orThrow()
      // Where nothing is to be moved, it is shown.
      guard let record = value.record else { return result(value.records, invocation) }
      return try OperationCommands.begun(record, steps, invocation)
    })

  static let show = Command(
    "placement show", aliases: ["placement", "cluster placement show"],
    summary: "the rules of placement, and what breaks them today",
    body: { invocation throws(ClientError) in
      result(try invocation.target.askRecords("CLUSTER PLACEMENT SHOW"))
    })

  static let set = Command(
    "placement set", aliases: ["cluster placement set"],
    summary: "how many replicas each region has, and from where shards are led",
    words: "KEY=VALUE…", wordCount: 1...3,
    notes:
      "spread=REGION:N,… or even, leaders=REGION, traffic or any, and shard=S. "
      + "spread: of each shard so many replicas in each region that is named, none elsewhere; even: in as many regions as there are. "
      + "leaders: the region from which shards are led, or that from which most of a shard's requests come; of one shard with shard=S. "
      + "Leaders follow by themselves; replicas with tally rebalance --apply.",
    plan: { invocation throws(ClientError) in
      let old = try invocation.target.askRecords("CLUSTER PLACEMENT SHOW")
      let new = try invocation.target.askRecords(try setLine(invocation) + " dry-run=yes")
      var result = result(new, before: "would be, and is not:")
      result.json = result.json?.adding([("plan", JSON(steps(from: old, to: new)))])
      return result
    },
    body: { invocation throws(ClientError) in
      let value = try invocation.target.connect().request(try setLine(invocation)).orThrow()
      return result(value.records)
    })

  /// The rules that change.
  private static func steps(from old: [Record], to new: [Record]) -> [Record] {
    func text(_ rule: Record) -> String {
      "\(rule["spread"].map { "spread=\($0) " } ?? "")leaders=\(rule["leads"] ?? "any")"
    }
    func rules(_ records: [Record]) -> [(shard: String?, text: String)] {
      records.filter { $0["kind"] == "rule" }.map { ($0["shard"], text($0)) }
    }
    let before = rules(old)
    return rules(new).filter { rule in !before.contains { $0 == rule } }.enumerated().map { number, rule in
      let from = before.first { $0.shard == rule.shard }?.text ?? "none"
      return OperationCommands.step(rule.shard, from, rule.text, number: number + 1)
    }
  }
  private static func setLine(_ invocation: Invocation) throws(ClientError) -> String {
    var line = "CLUSTER PLACEMENT SET"
    for word in invocation.flags.words {
      let key = word.prefix { $0 != "=" }
      guard ["spread", "leaders", "shard"].contains(key), word.contains("="), !word.contains(" ") else {
        throw .usage("placement set takes spread=, leaders= and shard=, not '\(word)'")
      }
      line += " \(word)"
    }
    return line
  }
  private static func result(_ records: [Record], before heading: String? = nil) -> CommandResult {
    let rules = records.filter { $0["kind"] == "rule" }
    let breaches = records.filter { $0["kind"] == "breach" }
    var page = Page()
    if let heading { page.line(Styled(heading)) }
    for rule in rules {
      let spread = rule["spread"].map { "replicas \($0) · " } ?? ""
      page.line(
        Styled("\(rule["shard"].map { "shard \($0)" } ?? "all shards") · \(spread)led from \(rule["leads"] ?? "?")"))
    }
    page.line(
      breaches.isEmpty
        ? Styled("✓ nothing breaks them", .good) : Styled("✗ \(breaches.count) shards or leads break them", .bad))
    if !breaches.isEmpty { page.table(Table(breaches, columns: ["shard", "node", "text"])) }
    return CommandResult(json: .object([("rules", JSON(rules)), ("breaches", JSON(breaches))]), page: page)
  }

  private static func line(_ invocation: Invocation) throws(ClientError) -> String {
    guard let word = invocation.flags.words.first else { return "CLUSTER REBALANCE" }
    guard ["leaders", "replicas"].contains(word.lowercased()) else {
      throw .usage("rebalance takes leaders or replicas")
    }
    return "CLUSTER REBALANCE \(word.uppercased())"
  }

  private static func plan(_ invocation: Invocation) throws(ClientError) -> CommandResult {
    result(try invocation.target.askRecords(try line(invocation)), invocation)
  }
  private static func result(_ records: [Record], _ invocation: Invocation) -> CommandResult {
    let nodes = records.filter { $0["step"] == nil }
    let steps = records.filter { $0["step"] != nil }
    var page = Page()
    page.table(Table(nodes))
    page.line()
    page.line(Styled(summary(steps), steps.isEmpty ? .good : .plain))
    if !steps.isEmpty {
      page.table(Table(steps))
      if !invocation.flags.has("apply") { page.line(Styled("tally rebalance --apply does it", .faint)) }
    }
    return CommandResult(json: .object([("plan", JSON(steps)), ("node_rows", JSON(nodes))]), page: page)
  }
  /// What a plan comes to.
  static func summary(_ steps: [Record]) -> String {
    guard !steps.isEmpty else { return "✓ even: nothing would go elsewhere" }
    let replicas = steps.filter { $0["kind"] == "replica" }
    func bytes(_ steps: [Record]) -> Int64 { steps.reduce(0) { $0 + ($1.integer("bytes") ?? 0) } }
    let crossing = replicas.filter { $0["crosses"] == "yes" }
    return
      "\(replicas.count) replicas (\(Format.bytes(bytes(replicas)))) and \(steps.count - replicas.count) leads would go elsewhere,"
      + " \(crossing.count) of them (\(Format.bytes(bytes(crossing)))) between regions"
  }
}
