import Replies

/// Where replicas and leads are.
enum PlacementCommands {
  static let all = [rebalance]

  static let rebalance = Command(
    "rebalance", aliases: ["cluster rebalance"],
    summary: "shows which replicas and leads would go where, so that nodes have even parts; --apply does it",
    words: "[leaders|replicas]", wordCount: 0...1,
    flags: [.toggle("apply", "does it, by an operation"), OperationCommands.waitFlag],
    notes:
      "Nodes that are not well are given nothing, and shards that are not well stay. It plans at most 1,000 moves at a time. "
      + OperationCommands.notes,
    plan: { invocation throws(ClientError) in try plan(invocation) },
    body: { invocation throws(ClientError) in
      guard invocation.flags.has("apply") else { return try plan(invocation) }
      return try OperationCommands.begin(try line(invocation) + " apply=yes", invocation)
    })

  private static func line(_ invocation: Invocation) throws(ClientError) -> String {
    guard let word = invocation.flags.words.first else { return "CLUSTER REBALANCE" }
    guard ["leaders", "replicas"].contains(word.lowercased()) else {
      throw .usage("rebalance takes leaders or replicas")
    }
    return "CLUSTER REBALANCE \(word.uppercased())"
  }

  private static func plan(_ invocation: Invocation) throws(ClientError) -> CommandResult {
    let records = try invocation.target.askRecords(try line(invocation))
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
