import OpenSSL
import Replies
import System
import Vocabulary

/// `tally init`: makes a cluster.
enum InitCommand {
  static let all = [command]

  static let command = Command(
    "init", aliases: ["cluster init"],
    summary: "once, makes a cluster of the nodes that have found each other",
    flags: [
      .value("shards", "N", "how many shards the key space is cut into (6)"),
      .value("replicas", "N", "copies of each, an odd number (3)"),
      .toggle("allow-single-region", "all copies of a shard in one region, if need be"),
      .value("operator", "NAME", "makes the cluster's first user, its operator and admin, and prints the secret once"),
      .toggle("no-wait", "does not wait until the cluster is healthy"),
    ],
    notes: "Said again with the same figures it prints the same; with others it is refused.",
    plan: { invocation throws(ClientError) in
      let records = try ask(invocation, " dry-run=yes").records
      guard let cluster = records.first else { throw .malformedReply("CLUSTER INIT dry-run=yes gave no records") }
      let shards = Array(records.dropFirst())
      var page = Page()
      let isNew = cluster["cluster"] == "none"
      page.line(isNew ? "would make, and has not made:" : "this cluster is there; nothing would change:")
      page.line(Styled(described(cluster)))
      if !shards.isEmpty { page.table(Table(shards)) }
      let plan = shards.enumerated().map { number, row in
        OperationCommands.step(row["shard"], "none", row["voters"] ?? "none", number: number + 1)
      }
      let json = JSON(cluster).adding([("shard_rows", JSON(shards)), ("plan", JSON(isNew ? plan : []))])
      return CommandResult(json: json, page: page)
    },
    body: { invocation throws(ClientError) in
      let record = try ask(invocation).record ?? Record([("result", "OK")])
      let isHealthy = invocation.flags.has("no-wait") || waitUntilHealthy(invocation.target)
      var result = CommandResult(json: JSON(record))
      result.page.line(Styled(described(record)))
      let shards = (try? invocation.target.askRecords("CLUSTER SHARDS")) ?? []
      result.json = JSON(record).adding([("shard_rows", JSON(shards))])
      if !shards.isEmpty {
        result.page.table(
          Table(shards, columns: invocation.flags.has("wide") ? nil : ["shard", "slots", "leader", "voters"]))
      }
      if !isHealthy {
        result.json = result.json?.adding([("healthy", .bool(false))])
        result.page.line(Styled("the cluster is made, but not healthy yet (tally status)", .bad))
        result.exitCode = 3
      }
      if let name = invocation.flags["operator"] { try makeOperator(name, invocation, record, &result) }
      return result
    })

  /// The first user, whose secret is drawn here: it is shown once, and kept nowhere.
  private static func makeOperator(
    _ name: String, _ invocation: Invocation, _ record: Record, _ result: inout CommandResult
  ) throws(ClientError) {
    guard Array(name.utf8).withUnsafeBytes({ Shape.identifier.accepts($0) }) else {
      throw .usage("--operator \(name): a user's name is \(Shape.identifier.requirement)")
    }
    let bits: [UInt8]
    do { bits = try Secrets.random(16) } catch { throw .local("--operator: no secret can be drawn: \(error)") }
    let secret = DrawnSecret.text(of: bits)
    _ = try invocation.target.connect().request("USER SET \(name) role=operator secret=\(secret)").orThrow()
    result.json = result.json?.adding([("operator", .text(name)), ("secret", .text(secret))])
    result.page.line(Styled("operator \(name) · secret \(secret)"))
    result.page.line(
      Styled("the secret is shown this once: keep it; from now on nobody does anything without signing in"))
  }

  private static func ask(_ invocation: Invocation, _ more: String = "") throws(ClientError) -> Value {
    let flags = invocation.flags
    var line = "CLUSTER INIT"
    if flags.has("shards") { line += " shards=\(try flags.integer("shards", or: 0, in: 1...4096))" }
    if flags.has("replicas") { line += " replicas=\(try flags.integer("replicas", or: 0, in: 1...9))" }
    if flags.has("allow-single-region") { line += " allow-single-region=yes" }
    do { return try invocation.target.connect().request(line + more).orThrow() } catch {
      // The arguments were looked at here: what the cluster finds wrong is how its nodes are placed.
      guard case .refused("ERR", let text) = error else { throw error }
      throw .declined(text)
    }
  }

  private static func described(_ record: Record) -> String {
    record.fields.map { "\($0.key) \($0.value)" }.joined(separator: " · ")
  }

  private static func waitUntilHealthy(_ target: Target) -> Bool {
    let start = Clock.monotonicNanoseconds()
    while Clock.monotonicNanoseconds() - start < UInt64(target.timeouts.reply) * 1_000_000 {
      if let record = try? target.askRecords("CLUSTER STATUS").first, record["healthy"] == "yes" { return true }
      // Between two questions: no node tells a client when the cluster becomes healthy.
      pause(milliseconds: 100)
    }
    return false
  }
}
