import Replies

/// Backups: the whole cluster at one moment, in a directory on one of its nodes. `tally backup verify` needs no cluster, and is in the
/// executable.
enum BackupCommands {
  static let all = [save, restore]

  static let save = Command(
    "backup save", aliases: ["cluster backup save"],
    summary: "has the node that --to names write a backup of the whole cluster to its directory DIR",
    words: "DIR", wordCount: 1...1,
    flags: [.toggle("no-wait", "does not wait until it is written")],
    notes:
      "DIR is a path on that node, from its root on. The same DIR again writes only what has changed since. "
      + OperationCommands.notes,
    plan: { invocation throws(ClientError) in try OperationCommands.plan(try line("SAVE", invocation), invocation) },
    body: { invocation throws(ClientError) in
      let record = try OperationCommands.started(try line("SAVE", invocation), invocation)
      if invocation.flags.has("no-wait") { return OperationCommands.result(of: record) }
      let ended = try OperationCommands.finished(record, invocation)
      guard ended["state"] == "done" else { return OperationCommands.result(of: ended) }
      return result(of: figures(of: ended))
    })

  static let restore = Command(
    "backup restore", aliases: ["cluster backup restore"],
    summary: "once, makes a cluster of the nodes that have found each other, with the newest backup in DIR",
    words: "DIR", wordCount: 1...1,
    flags: [
      .value("replicas", "N", "copies of each shard, an odd number (3)"),
      .toggle("allow-single-region", "all copies of a shard in one region, if need be"),
      .toggle("no-wait", "does not wait until the cluster takes requests"),
    ],
    notes:
      "In place of tally init. DIR is a path on the node that --to names, from its root on; the others fetch from there. The shards are"
      + " the backup's. Nothing is taken before an audit has found the backup's digest. Exit code 2 if there is a cluster already.",
    plan: { invocation throws(ClientError) in
      let records = try askToRestore(invocation, " dry-run=yes").records
      var page = Page()
      page.line("would make, and has not made:")
      page.table(Table(Array(records.dropFirst())))
      return CommandResult(json: JSON(records), page: page)
    },
    body: { invocation throws(ClientError) in
      let made = try askToRestore(invocation).record ?? Record([("result", "OK")])
      var page = Page()
      page.line("cluster \(made["cluster"] ?? "?") is made of the backup")
      if invocation.flags.has("no-wait") { return CommandResult(json: JSON(made), page: page) }
      let proof = try OperationCommands.finished(
        Record([("op", "1"), ("state", "running")]), invocation, silence: longestFetch)
      var result = OperationCommands.result(of: proof)
      result.json = JSON(
        Record(made.fields.map { ($0.key, $0.value) } + figures(of: proof).fields.map { ($0.key, $0.value) }))
      return result
    })

  /// While nodes fetch a backup, none can tell how far it is (seconds).
  private static let longestFetch = 600.0

  private static func askToRestore(_ invocation: Invocation, _ more: String = "") throws(ClientError) -> Value {
    let flags = invocation.flags
    var line = try line("RESTORE", invocation)
    if flags.has("replicas") { line += " replicas=\(try flags.integer("replicas", or: 0, in: 1...7))" }
    if flags.has("allow-single-region") { line += " allow-single-region=yes" }
    do { return try invocation.target.connect().request(line + more).orThrow() } catch {
      // The arguments were looked at here: what is wrong is how the nodes are placed.
      guard case .refused("ERR", let text) = error else { throw error }
      throw .declined(text)
    }
  }

  /// The directory as a word of a request.
  static func line(_ verb: String, _ invocation: Invocation) throws(ClientError) -> String {
    let directory = invocation.flags.words[0]
    guard directory.hasPrefix("/"), !directory.contains(where: { $0 == "\"" || $0 == "\\" || $0.isNewline }) else {
      throw .usage("DIR is a path on the node that is asked, from its root on, such as /srv/backup")
    }
    return "CLUSTER BACKUP \(verb) dir=\"\(directory)\""
  }
  /// What the record's text says: `key=value` words.
  private static func figures(of record: Record) -> Record {
    let words = (record["detail"] ?? "").split(separator: " ").map {
      $0.split(separator: "=", maxSplits: 1).map(String.init)
    }
    return Record(words.filter { $0.count == 2 }.map { ($0[0], $0[1]) } + [("op", record["op"] ?? "")])
  }
  private static func result(of record: Record) -> CommandResult {
    var page = Page()
    let isBalanced = record["balanced"] == "yes"
    page.line(Styled("backup \(record["backup"] ?? "?") is written", isBalanced ? .good : .bad))
    for field in record.fields where field.key != "backup" && field.key != "op" {
      page.line(Styled("  \(field.key) "), FieldKind.cell(field.key, field.value))
    }
    return CommandResult(json: JSON(record), page: page, exitCode: isBalanced ? 0 : 4)
  }
}
