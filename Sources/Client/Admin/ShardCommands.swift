import Replies

/// Changes of shards: each begins an operation.
enum ShardCommands {
  static let all = [leader]

  static let leader = Command(
    "shard leader", aliases: ["cluster shard leader"],
    summary: "has another of its voters lead a shard, now and from now on",
    words: "S", wordCount: 1...1,
    flags: [.node, .value("region", "NAME", "a voter in that region is to lead it"), OperationCommands.waitFlag],
    notes: OperationCommands.notes,
    plan: { invocation throws(ClientError) in try OperationCommands.plan(try line(invocation), invocation) },
    body: { invocation throws(ClientError) in try OperationCommands.begin(try line(invocation), invocation) })

  private static func line(_ invocation: Invocation) throws(ClientError) -> String {
    let flags = invocation.flags
    guard let shard = Int(flags.words[0]), (0...65_535).contains(shard) else {
      throw .usage("which shard: a number is wanted (tally shards)")
    }
    switch (flags["to-node"], flags["region"]) {
    case (let node?, nil): return "CLUSTER SHARD LEADER \(shard) to=\(node)"
    case (nil, let region?): return "CLUSTER SHARD LEADER \(shard) region=\(region)"
    default: throw .usage("say who: --to NODE or --region NAME")
    }
  }
}
