import Replies

/// What holds for the whole cluster.
enum LimitCommands {
  static let all = [show, set]

  static let show = Command(
    "limit show", aliases: ["cluster limit show"],
    summary: "what holds for the whole cluster: dead-after, moves, snapshot-rate",
    notes: notes,
    body: { invocation throws(ClientError) in
      let record = try ask("SHOW", invocation)
      var page = Page()
      for field in record.fields { page.line(Styled("\(field.key) \(field.value)")) }
      return CommandResult(json: JSON(record), page: page)
    })

  static let set = Command(
    "limit set", aliases: ["cluster limit set"], summary: "limit set dead-after=30m moves=2: sets them",
    words: "NAME=VALUE …", wordCount: 1...3, notes: notes,
    plan: { invocation throws(ClientError) in try changed(invocation, isTrial: true) },
    body: { invocation throws(ClientError) in try changed(invocation, isTrial: false) })

  private static let notes =
    "dead-after: a node that was not heard for so long is replaced by others, as node remove --dead would (10m unless set; off:"
    + " never). moves: so many shards of a node that leaves move at once (4). snapshot-rate: bytes a second at which snapshots go"
    + " from one node to another, like 50MB (32MB unless set; off: as fast as the link is)."

  private static func changed(_ invocation: Invocation, isTrial: Bool) throws(ClientError) -> CommandResult {
    let pairs = invocation.flags.words.map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
    for pair in pairs where pair.count != 2 || !["dead-after", "moves", "snapshot-rate"].contains(pair[0]) {
      throw .usage("limit set takes dead-after=TIME|off, moves=N and snapshot-rate=RATE|off")
    }
    let old = try ask("SHOW", invocation)
    if !isTrial { _ = try ask("SET " + invocation.flags.words.joined(separator: " "), invocation) }
    var page = Page()
    if isTrial { page.line("would set, and has not set:") }
    let steps = pairs.enumerated().map { number, pair in
      let step = Record(
        [("name", pair[0])]
          + OperationCommands.step(nil, old[pair[0]] ?? "unknown", pair[1], number: number + 1).fields.map {
            ($0.key, $0.value)
          })
      page.line(Styled("\(pair[0]) \(step["from"] ?? "") → \(pair[1])"))
      return step
    }
    return CommandResult(json: .object([(isTrial ? "plan" : "set", JSON(steps))]), page: page)
  }
  private static func ask(_ words: String, _ invocation: Invocation) throws(ClientError) -> Record {
    try invocation.target.connect().request("CLUSTER LIMIT \(words)").orThrow().record ?? Record([])
  }
}
