import Foundation
import Replies

/// What is left when a majority is lost for ever.
enum UnsafeCommands {
  static let all = [recover]

  static let recover = Command(
    "unsafe recover", aliases: ["cluster unsafe recover"],
    summary:
      "has shards that have lost their majority for ever go on from one replica each, without what only the lost had",
    words: "[FILE]", wordCount: 0...1,
    flags: [
      .value("dead", "NODE,…", "the nodes that will never come back, by name or id"),
      .toggle("plan", "shows what would become of which shard, and writes that to FILE, if one is named"),
      .toggle("apply", "does what stands in FILE, if it is still what would be done"),
      .value("confirm", "CLUSTER", "the cluster's id, in place of typing it"),
    ] + OperationCommands.waitFlags,
    notes:
      "First --dead east-1,east-2 --plan FILE, then --apply FILE. What is lost cannot be told: all that only the dead had acknowledged. They"
      + " are removed, and end with code 2 if they start again: wipe them, for two that come back together would not know. A shard that"
      + " has a majority is no matter of this command: tally node remove --dead.",
    plan: { invocation throws(ClientError) in
      guard invocation.flags.has("apply") else { return try show(invocation) }
      let (saved, rows, page) = try checked(invocation)
      return CommandResult(json: json(saved, rows: rows), page: page)
    },
    body: { invocation throws(ClientError) in
      switch (invocation.flags.has("plan"), invocation.flags.has("apply")) {
      case (true, false): try show(invocation)
      case (false, true): try apply(invocation)
      default: throw .usage("say --dead NODE,… --plan [FILE], or --apply FILE")
      }
    })

  /// What `--plan` writes and `--apply` reads.
  private struct Saved: Codable {
    var cluster: String
    var plan: String
    var dead: String
  }

  private static func show(_ invocation: Invocation) throws(ClientError) -> CommandResult {
    guard let dead = invocation.flags["dead"] else { throw .usage("which nodes are lost: --dead NODE,…") }
    let (head, rows) = try ask(dead, invocation)
    let saved = Saved(cluster: head["cluster"] ?? "", plan: head["id"] ?? "", dead: dead)
    var page = page(head, rows, dead)
    if let path = invocation.flags.words.first {
      try write(saved, to: path)
      page.line("then: tally unsafe recover --apply \(path)")
    }
    return CommandResult(json: json(saved, rows: rows), page: page)
  }
  private static func json(_ saved: Saved, rows: [Record]) -> JSON {
    .object([
      ("cluster", .text(saved.cluster)), ("plan", .text(saved.plan)), ("dead", .text(saved.dead)),
      ("shards", JSON(rows)),
    ])
  }
  /// What stands in the file that is named, if it is still what would be done.
  private static func checked(_ invocation: Invocation) throws(ClientError) -> (
    saved: Saved, rows: [Record], page: Page
  ) {
    guard let path = invocation.flags.words.first else {
      throw .usage("what is to be done: --apply FILE, of --plan FILE")
    }
    let saved = try read(path)
    if let dead = invocation.flags["dead"], dead != saved.dead {
      throw .usage("\(path) is a plan without \(saved.dead), and --dead says \(dead)")
    }
    let (head, rows) = try ask(saved.dead, invocation)
    guard head["cluster"] == saved.cluster, head["id"] == saved.plan else {
      throw .declined("\(path) is not what would be done now: make another plan; nothing was done")
    }
    return (saved, rows, page(head, rows, saved.dead))
  }
  private static func apply(_ invocation: Invocation) throws(ClientError) -> CommandResult {
    let (saved, _, page) = try checked(invocation)
    try confirm(saved, page, invocation)
    let line = "CLUSTER UNSAFE RECOVER dead=\(saved.dead) apply=\(saved.plan)"
    guard let record = try invocation.target.connect().request(line).orThrow().record else {
      throw .malformedReply("\(line) answered with other than a record")
    }
    return try OperationCommands.begun(record, [], invocation)
  }
  /// A typed word, so that nobody does it by a habit of the fingers.
  private static func confirm(_ saved: Saved, _ page: Page, _ invocation: Invocation) throws(ClientError) {
    if let word = invocation.flags["confirm"] {
      guard word == saved.cluster else {
        throw .declined("the cluster's id is \(saved.cluster), not \(word); nothing was done")
      }
      return
    }
    Console.write(
      page.rendered(Style(descriptor: 2, isWide: false)) + "\nType the cluster's id, \(saved.cluster), to do it: ",
      to: 2)
    guard readLine()?.trimmingCharacters(in: .whitespaces) == saved.cluster else {
      throw .declined("that was not the cluster's id; nothing was done")
    }
  }

  private static func ask(
    _ dead: String, _ invocation: Invocation
  ) throws(ClientError) -> (head: Record, rows: [Record]) {
    let records = try invocation.target.askRecords("CLUSTER UNSAFE RECOVER dead=\(dead)")
    guard let head = records.first else { throw .malformedReply("a plan without a record") }
    return (head, Array(records.dropFirst()))
  }
  private static func page(_ head: Record, _ rows: [Record], _ dead: String) -> Page {
    var page = Page()
    page.line(
      Styled(
        "without \(dead), each from the replica named (shard 0 is the directory), up to its entry index; what only the dead had"
          + " behind commit is lost:"))
    page.table(Table(rows, columns: ["shard", "node", "index", "commit", "since"]))
    for row in rows where row["detail"]?.contains("lost entries itself") == true {
      page.line(Styled("shard \(row["shard"] ?? "?"): that replica has lost entries itself", .bad))
    }
    page.line("plan \(head["id"] ?? "?") of cluster \(head["cluster"] ?? "?")")
    return page
  }

  private static func write(_ saved: Saved, to path: String) throws(ClientError) {
    do {
      try JSONEncoder().encode(saved).write(to: URL(fileURLWithPath: path))
    } catch {
      throw .usage("\(path) cannot be written: \(error.localizedDescription)")
    }
  }
  /// Also what `--json` printed.
  private static func read(_ path: String) throws(ClientError) -> Saved {
    do {
      return try JSONDecoder().decode(Saved.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    } catch {
      throw .usage("\(path) is no plan of tally unsafe recover --plan FILE")
    }
  }
}
