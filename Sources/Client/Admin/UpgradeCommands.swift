import Replies

/// The end of an upgrade: nodes are upgraded by being started again with a newer build, one after another.
enum UpgradeCommands {
  static let all = [show, finish]

  static let show = Command(
    "upgrade show", aliases: ["cluster upgrade show"],
    summary: "which rules and formats (semantics) each node knows, and which are in force",
    body: { invocation throws(ClientError) in
      let records = try invocation.target.askRecords("CLUSTER UPGRADE SHOW")
      var page = Page()
      page.table(Table(records))
      return CommandResult(json: JSON(records), page: page)
    })

  static let finish = Command(
    "upgrade finish", aliases: ["cluster upgrade finish"],
    summary: "has the newest rules and formats begin that all nodes know; there is no way back to an older build then",
    flags: OperationCommands.waitFlags, notes: OperationCommands.notes,
    plan: { invocation throws(ClientError) in try OperationCommands.plan("CLUSTER UPGRADE FINISH", invocation) },
    body: { invocation throws(ClientError) in try OperationCommands.begin("CLUSTER UPGRADE FINISH", invocation) })
}
