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
    summary: "alarm clear POISON --shard S: tries the entry again, once",
    words: "POISON", wordCount: 1...1,
    flags: [.value("shard", "S", "the shard of which an entry is to be tried again, once")],
    notes: "Other alarms end by themselves.",
    plan: { invocation throws(ClientError) in
      let shard = try shard(invocation)
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
      let line = "CLUSTER ALARM CLEAR POISON shard=\(try shard(invocation))"
      _ = try invocation.target.connect().request(line).orThrow()
      var page = Page()
      page.line("tried again once")
      return CommandResult(json: .object([("result", .text("OK"))]), page: page)
    })

  private static func shard(_ invocation: Invocation) throws(ClientError) -> Int {
    guard invocation.flags.words[0].uppercased() == "POISON" else {
      throw .usage("alarm clear takes POISON; other alarms end by themselves")
    }
    guard invocation.flags.has("shard") else { throw .usage("of which shard: alarm clear POISON --shard S") }
    return try invocation.flags.integer("shard", or: 0, in: 0...65_535)
  }
}
