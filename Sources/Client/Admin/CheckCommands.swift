import Replies

/// Whether anything is wrong: looked at all over, and tried.
enum CheckCommands {
  static let all = [check, health]

  static let check = Command(
    "check", aliases: ["cluster check"],
    summary: "looks for all that is wrong: slots, leaders, replicas, placement, maps, digests",
    notes:
      "All replicas are compared at one index. Exit code 4 if anything is wrong; an operation that is under way is nothing wrong, one that "
      + "waits for something is.",
    body: { invocation throws(ClientError) in
      let records = try invocation.target.askRecords("CLUSTER CHECK")
      guard let verdict = records.first, let ok = verdict["ok"] else {
        throw .malformedReply("CLUSTER CHECK gave no verdict")
      }
      let findings = Array(records.dropFirst())
      return CommandResult(
        json: JSON(verdict).adding([("findings", .array(findings.map(json)))]), page: page(verdict, findings),
        exitCode: ok == "yes" ? 0 : 4)
    })

  /// Every finding has all four fields.
  private static func json(_ finding: Record) -> JSON {
    .object(
      ["kind", "shard", "node", "text"].map { ($0, finding[$0].map { [key = $0] in FieldKind.json(key, $0) } ?? .null) }
    )
  }
  static func page(_ verdict: Record, _ findings: [Record]) -> Page {
    let underWay = findings.filter { $0["kind"] == "operation" }
    let wrong = findings.filter { $0["kind"] != "operation" }
    var page = Page()
    page.line(wrong.isEmpty ? Styled("✓ nothing is wrong", .good) : Styled("✗ \(wrong.count) things are wrong", .bad))
    page.line(
      Styled(
        "\(verdict["nodes"] ?? "?") nodes · \(verdict["shards"] ?? "?") shards · replicas of \(verdict["compared"] ?? "?") compared"
          + " and equal at one index", .faint))
    for operation in underWay { page.line(Styled(operation["text"] ?? "")) }
    if !wrong.isEmpty { page.table(Table(wrong, columns: ["kind", "shard", "node", "text"])) }
    return page
  }

  static let health = Command(
    "health", aliases: ["cluster health"],
    summary: "commits an entry in every shard, and tells how long that took",
    notes: "Exit code 4 if some shard has no leader, or does not commit.",
    body: { invocation throws(ClientError) in
      do throws(ClientError) {
        let value = try invocation.target.ask("HEALTH all=yes")
        guard case .text(let text) = value, let result = Result(text) else {
          throw ClientError.malformedReply("HEALTH answered with other than how long it took")
        }
        var page = Page()
        page.line(Styled(result.text, .good))
        return CommandResult(json: result.json, page: page)
      } catch {
        guard case .refused("UNAVAILABLE", let text) = error else { throw error }
        var page = Page()
        page.line(Styled("✗ not healthy: \(text)", .bad))
        return CommandResult(
          json: .object([("healthy", .bool(false)), ("text", .text(text))]), page: page, exitCode: 4)
      }
    })

  /// `healthy: committed on 12 of 12 led shards, took 2143 us`
  struct Result {
    let committed: Int64
    let shards: Int64
    let microseconds: UInt64

    init?(_ text: String) {
      let numbers = text.split(separator: " ").compactMap { UInt64($0) }
      guard text.hasPrefix("healthy: "), numbers.count == 3 else { return nil }
      (committed, shards, microseconds) = (Int64(clamping: numbers[0]), Int64(clamping: numbers[1]), numbers[2])
    }
    var text: String {
      "healthy: committed on \(committed) of \(shards) led shards, took \(Format.duration(microseconds * 1_000))"
    }
    var json: JSON {
      .object([
        ("healthy", .bool(true)), ("committed", .integer(committed)), ("shards", .integer(shards)),
        ("took_us", .integer(Int64(clamping: microseconds))),
      ])
    }
  }
}
