import Replies

/// Backups: the whole cluster at one moment, in a directory on one of its nodes. `tally backup verify` needs no cluster, and is in the
/// executable.
enum BackupCommands {
  static let all = [save]

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
      let line = try line("SAVE", invocation)
      guard let record = try invocation.target.connect().request(line).orThrow().record else {
        throw .malformedReply("\(line) answered with other than a record")
      }
      if invocation.flags.has("no-wait") { return OperationCommands.result(of: record) }
      let ended = try OperationCommands.finished(record, invocation)
      guard ended["state"] == "done" else { return OperationCommands.result(of: ended) }
      return result(of: figures(of: ended))
    })

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
      page.line(Styled("  \(field.key) \(FieldKind.of(field.key) == .bytes ? size(field.value) : field.value)"))
    }
    return CommandResult(json: JSON(record), page: page, exitCode: isBalanced ? 0 : 4)
  }
  private static func size(_ value: String) -> String { Int64(value).map { Format.bytes($0) } ?? value }
}
