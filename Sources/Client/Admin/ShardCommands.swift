import Replies

/// Changes of shards: each begins an operation.
enum ShardCommands {
  static let all = [leader, move, split, merge]

  static let leader = Command(
    "shard leader", aliases: ["cluster shard leader"],
    summary: "has another of its voters lead a shard, now and from now on",
    words: "S", wordCount: 1...1,
    flags: [.node, .value("region", "NAME", "a voter in that region is to lead it")] + OperationCommands.waitFlags,
    notes: OperationCommands.notes,
    plan: { invocation throws(ClientError) in try OperationCommands.plan(try line(invocation), invocation) },
    body: { invocation throws(ClientError) in try OperationCommands.begin(try line(invocation), invocation) })

  static let move = Command(
    "shard move", aliases: ["cluster shard move"],
    summary: "has a node take another's place among a shard's voters",
    words: "S", wordCount: 1...1,
    flags: [.value("from", "NODE", "whose replica goes"), .node] + OperationCommands.waitFlags,
    notes: OperationCommands.notes,
    plan: { invocation throws(ClientError) in try OperationCommands.plan(try moveLine(invocation), invocation) },
    body: { invocation throws(ClientError) in try OperationCommands.begin(try moveLine(invocation), invocation) })

  static let split = Command(
    "shard split", aliases: ["cluster shard split"],
    summary: "gives the upper part of a shard's slots to a new shard, on the same nodes",
    words: "S", wordCount: 1...1,
    flags: [.value("at", "SLOT", "the first slot of the new shard (the middle of the widest run)")]
      + OperationCommands.waitFlags,
    notes: OperationCommands.notes,
    plan: { invocation throws(ClientError) in try OperationCommands.plan(try splitLine(invocation), invocation) },
    body: { invocation throws(ClientError) in try OperationCommands.begin(try splitLine(invocation), invocation) })

  static let merge = Command(
    "shard merge", aliases: ["cluster shard merge"],
    summary: "has a shard take all slots of another, which comes to its nodes and ends",
    words: "S T", wordCount: 2...2,
    flags: OperationCommands.waitFlags,
    notes: OperationCommands.notes,
    plan: { invocation throws(ClientError) in try OperationCommands.plan(try mergeLine(invocation), invocation) },
    body: { invocation throws(ClientError) in try OperationCommands.begin(try mergeLine(invocation), invocation) })

  private static func mergeLine(_ invocation: Invocation) throws(ClientError) -> String {
    "CLUSTER SHARD MERGE \(try number(invocation)) \(try number(invocation, word: 1))"
  }
  private static func splitLine(_ invocation: Invocation) throws(ClientError) -> String {
    let shard = try number(invocation)
    guard let text = invocation.flags["at"] else { return "CLUSTER SHARD SPLIT \(shard)" }
    guard let slot = Int(text), (1...16_383).contains(slot) else { throw .usage("--at takes a slot, 1 to 16383") }
    return "CLUSTER SHARD SPLIT \(shard) at=\(slot)"
  }
  private static func moveLine(_ invocation: Invocation) throws(ClientError) -> String {
    let shard = try number(invocation)
    guard let from = invocation.flags["from"], let to = invocation.flags["to-node"] else {
      throw .usage("say from whom to whom: --from NODE --to NODE")
    }
    return "CLUSTER SHARD MOVE \(shard) from=\(from) to=\(to)"
  }
  private static func number(_ invocation: Invocation, word: Int = 0) throws(ClientError) -> Int {
    guard let shard = Int(invocation.flags.words[word]), (0...65_535).contains(shard) else {
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
