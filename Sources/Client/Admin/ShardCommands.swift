import Replies

/// Changes of shards: each begins an operation.
enum ShardCommands {
  static let all = [leader, move]

  static let leader = Command(
    "shard leader", aliases: ["cluster shard leader"],
    summary: "has another of its voters lead a shard, now and from now on",
    words: "S", wordCount: 1...1,
    flags: [.node, .value("region", "NAME", "a voter in that region is to lead it"), OperationCommands.waitFlag],
    notes: OperationCommands.notes,
    plan: { invocation throws(ClientError) in try OperationCommands.plan(try line(invocation), invocation) },
    body: { invocation throws(ClientError) in try OperationCommands.begin(try line(invocation), invocation) })

  static let move = Command(
    "shard move", aliases: ["cluster shard move"],
    summary: "has a node take another's place among a shard's voters",
    words: "S", wordCount: 1...1,
    flags: [.value("from", "NODE", "whose replica goes"), .node, OperationCommands.waitFlag],
    notes: OperationCommands.notes,
    plan: { invocation throws(ClientError) in try OperationCommands.plan(try moveLine(invocation), invocation) },
    body: { invocation throws(ClientError) in try OperationCommands.begin(try moveLine(invocation), invocation) })

  private static func moveLine(_ invocation: Invocation) throws(ClientError) -> String {
    let shard = try number(invocation)
    guard let from = invocation.flags["from"], let to = invocation.flags["to-node"] else {
      throw .usage("say from whom to whom: --from NODE --to NODE")
    }
    return "CLUSTER SHARD MOVE \(shard) from=\(from) to=\(to)"
  }
  private static func number(_ invocation: Invocation) throws(ClientError) -> Int {
    guard let shard = Int(invocation.flags.words[0]), (0...65_535).contains(shard) else {
      throw .usage("which shard: a number is wanted (tally shards)")
    }
    return shard
  }

  private static func line(_ invocation: Invocation) throws(ClientError) -> String {
    let flags = invocation.flags
    let shard = try number(invocation)
    switch (flags["to-node"], flags["region"]) {
    case (let node?, nil): return "CLUSTER SHARD LEADER \(shard) to=\(node)"
    case (nil, let region?): return "CLUSTER SHARD LEADER \(shard) region=\(region)"
    default: throw .usage("say who: --to NODE or --region NAME")
    }
  }
}
