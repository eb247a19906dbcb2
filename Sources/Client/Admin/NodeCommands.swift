import Replies

/// Changes of nodes: each begins an operation. A node is added by starting it: `tally start --join …`.
enum NodeCommands {
  static let all = [drain, undrain, remove, replace]

  static let drain = command(
    "drain", "has a node lead nothing and be given nothing, for a maintenance; it goes on voting", words: "NODE")
  static let undrain = command("undrain", "a node may lead and be given shards again", words: "NODE")
  static let remove = command(
    "remove", "moves a node's shards to others, and removes it for ever", words: "NODE",
    flags: [.toggle("dead", "it does not answer any more: others take its place without it")])
  static let replace = command(
    "replace", "moves a node's shards to another, and removes it for ever", words: "OLD NEW", wordCount: 2,
    flags: [.toggle("dead", "the old one does not answer any more")])

  private static func command(
    _ verb: String, _ summary: String, words: String, wordCount: Int = 1, flags: [Flag] = []
  ) -> Command {
    Command(
      "node \(verb)", aliases: ["cluster node \(verb)"], summary: summary, words: words,
      wordCount: wordCount...wordCount, flags: flags + OperationCommands.waitFlags, notes: OperationCommands.notes,
      plan: { invocation throws(ClientError) in try OperationCommands.plan(line(verb, invocation), invocation) },
      body: { invocation throws(ClientError) in try OperationCommands.begin(line(verb, invocation), invocation) })
  }
  private static func line(_ verb: String, _ invocation: Invocation) -> String {
    let words = invocation.flags.words
    var line = "CLUSTER NODE \(verb.uppercased()) \(words[0])"
    if words.count > 1 { line += " to=\(words[1])" }
    if invocation.flags.has("dead") { line += " dead=yes" }
    return line
  }
}
