import Replies

/// What nodes are alarmed of, and the one alarm that an operator ends.
enum AlarmCommands {
  static let all = [list, clear]

  static let list = Command(
    "alarm list", aliases: ["cluster alarm list"], summary: "what nodes are alarmed of",
    body: { invocation throws(ClientError) in
      let records = try invocation.target.askRecords("CLUSTER ALARM LIST")
      var page = Page()
      if records.isEmpty { page.line(Styled("✓ no alarms", .good)) } else { page.table(Table(records)) }
      return CommandResult(json: JSON(records), page: page)
    })

  static let clear = Command(
    "alarm clear", aliases: ["cluster alarm clear"],
    summary:
      "alarm clear POISON --shard S: tries the entry again, once; CORRUPT --accept-loss: takes what is lost as lost",
    words: "POISON|CORRUPT", wordCount: 1...1,
    flags: [
      .value("shard", "S", "the shard that has it; 0 is the directory"),
      .toggle(
        "accept-loss", "of CORRUPT: what damaged replicas had acknowledged, and no other has, may be lost for ever"),
    ],
    notes:
      "CORRUPT ends by itself where the shard has a leader, which supplies what is damaged. Where so many are damaged that none can be"
      + " elected, and no node that is whole can be brought back, they go on by what is left. Other alarms end by themselves.",
    plan: { invocation throws(ClientError) in
      let (name, shard) = try target(invocation)
      guard name == "POISON" else {
        var page = Page()
        page.line("would have shard \(shard) go on by what its damaged replicas have left")
        return CommandResult(json: .object([("plan", .array([]))]), page: page)
      }
      let records = try invocation.target.askRecords("CLUSTER ALARM LIST").filter {
        ($0["detail"] ?? "").contains("POISON shard \(shard) ")
      }
      guard !records.isEmpty else { throw .declined("no node in reach has that alarm for shard \(shard)") }
      var page = Page()
      page.line(Styled("would have the entry of shard \(shard) tried again, once, on \(records.count) nodes"))
      page.table(Table(records))
      return CommandResult(json: .object([("plan", JSON(records))]), page: page)
    },
    body: { invocation throws(ClientError) in
      let (name, shard) = try target(invocation)
      let isLost = name == "CORRUPT"
      _ = try invocation.target.connect().request(
        "CLUSTER ALARM CLEAR \(name) shard=\(shard)\(isLost ? " accept-loss=yes" : "")"
      ).orThrow()
      var page = Page()
      page.line(isLost ? "what was lost counts as lost" : "tried again once")
      return CommandResult(json: .object([("result", .text("OK"))]), page: page)
    })

  private static func target(_ invocation: Invocation) throws(ClientError) -> (name: String, shard: Int) {
    let name = invocation.flags.words[0].uppercased()
    guard ["POISON", "CORRUPT"].contains(name) else {
      throw .usage("alarm clear takes POISON or CORRUPT; other alarms end by themselves")
    }
    guard invocation.flags.has("shard") else { throw .usage("of which shard: alarm clear \(name) --shard S") }
    guard name == "POISON" || invocation.flags.has("accept-loss") else {
      throw .declined(
        "what the damaged replicas had acknowledged may be lost for ever: say --accept-loss; nothing was done")
    }
    return (name, try invocation.flags.integer("shard", or: 0, in: 0...65_535))
  }
}
