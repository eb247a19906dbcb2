import Replies
import System

/// Operations: what changes of the cluster take time, kept by the cluster itself.
enum OperationCommands {
  static let all = [list, show, wait, cancel]

  static let list = Command(
    "op list", aliases: ["operations", "ops", "cluster op list"],
    summary: "the operations, the newest first: what changes of the cluster came to",
    body: { invocation throws(ClientError) in
      let records = try invocation.target.askRecords("CLUSTER OP LIST")
      var page = Page()
      let columns = ["op", "kind", "target", "state", "percent", "started", "by", "current", "error", "detail"]
      if records.isEmpty {
        page.line("no operations")
      } else {
        page.table(Table(records, columns: invocation.flags.has("wide") ? nil : Array(columns.prefix(7))))
      }
      return CommandResult(json: JSON(records), page: page)
    })

  static let show = Command(
    "op show", aliases: ["operations show", "ops show", "cluster op show"],
    summary: "one operation: its steps, age, last error",
    words: "N", wordCount: 1...1,
    body: { invocation throws(ClientError) in result(of: try ask("SHOW", invocation)) })

  static let wait = Command(
    "op wait", aliases: ["operations wait", "ops wait"], summary: "waits until an operation is over",
    words: "N", wordCount: 1...1, notes: notes,
    body: { invocation throws(ClientError) in try follow(try ask("SHOW", invocation), invocation) })

  static let cancel = Command(
    "op cancel", aliases: ["operations cancel", "ops cancel", "cluster op cancel"],
    summary: "gives an operation up, where that is safe",
    words: "N", wordCount: 1...1,
    plan: { invocation throws(ClientError) in
      let record = try ask("SHOW", invocation)
      var result = result(of: record)
      result.exitCode = 0
      if ["waiting", "running"].contains(record["state"]) { result.page.line("would be given up") }
      return result
    },
    body: { invocation throws(ClientError) in
      var result = result(of: try ask("CANCEL", invocation))
      result.exitCode = 0
      return result
    })

  private static func ask(_ verb: String, _ invocation: Invocation) throws(ClientError) -> Record {
    guard let number = UInt64(invocation.flags.words[0]) else {
      throw .usage("which operation: a number is wanted (tally op list)")
    }
    return try invocation.target.connect().request("CLUSTER OP \(verb) \(number)").orThrow().record ?? Record([])
  }

  // MARK: For the commands that begin one

  static let waitFlag = Flag.toggle("wait", "waits until it is over")
  static let notes =
    "An operation goes on if the terminal is cut off; tally op wait N attaches to it again. Exit code 2 if it failed, with the"
    + " reason; 3 if it is not over within --timeout."

  /// What a request with `dry-run=yes` would do: a record a step.
  static func plan(_ line: String, _ invocation: Invocation) throws(ClientError) -> CommandResult {
    let steps = try invocation.target.askRecords(line + " dry-run=yes")
    var page = Page()
    if steps.isEmpty {
      page.line("would do it, and has not: no shard and no leader goes elsewhere")
    } else {
      page.line("would do, and has not done:")
      page.table(Table(steps))
    }
    return CommandResult(json: .object([("plan", JSON(steps))]), page: page)
  }
  /// Begins it, and follows it if that is wanted.
  static func begin(_ line: String, _ invocation: Invocation) throws(ClientError) -> CommandResult {
    guard let record = try invocation.target.connect().request(line).orThrow().record else {
      throw .malformedReply("\(line) answered with other than a record")
    }
    return try begun(record, invocation)
  }
  /// Follows what was begun, if that is wanted.
  static func begun(_ record: Record, _ invocation: Invocation) throws(ClientError) -> CommandResult {
    guard invocation.flags.has("wait") else { return result(of: record) }
    return try follow(record, invocation)
  }

  private static func follow(_ first: Record, _ invocation: Invocation) throws(ClientError) -> CommandResult {
    result(of: try finished(first, invocation))
  }
  /// Its record once it is over.
  static func finished(_ first: Record, _ invocation: Invocation) throws(ClientError) -> Record {
    guard let number = first["op"] else { throw .malformedReply("an operation without a number") }
    let seconds = try invocation.flags.number("timeout", or: 30, in: 0.1...86_400)
    let end = Clock.monotonicNanoseconds() + UInt64(seconds * 1e9)
    let progress = Progress("operation \(number)", total: 100, isQuiet: invocation.isJSON)
    var record = first
    while ["waiting", "running"].contains(record["state"]) {
      guard Clock.monotonicNanoseconds() < end else {
        throw .timedOut("operation \(number) is \(record["state"] ?? "under way"); it goes on: tally op wait \(number)")
      }
      progress.update(percent: Int(record.integer("percent") ?? 0), facts(of: record))
      pause(milliseconds: 100)
      // It outlives any node that is asked.
      if let newer = try? invocation.target.askRecords("CLUSTER OP SHOW \(number)").first { record = newer }
    }
    progress.finish(percent: Int(record.integer("percent") ?? 0), facts(of: record))
    return record
  }
  /// What stands behind an operation's bar.
  private static func facts(of record: Record) -> [String] {
    let error = record["error"] ?? "none"
    let left = record.integer("eta-seconds").flatMap { $0 > 0 ? "\(Format.age($0 * 1000)) left" : nil }
    let step = "\(record["done"] ?? "?") of \(record["steps"] ?? "?")"
    let current = record["current"].flatMap { $0 == "none" ? nil : $0 } ?? ""
    return [left ?? "", error == "none" ? current : error, "step \(step)", size(of: record) ?? ""]
  }
  private static func size(of record: Record) -> String? {
    record.integer("bytes").flatMap { $0 > 0 ? Format.bytes($0) : nil }
  }

  static func result(of record: Record) -> CommandResult {
    let state = record["state"] ?? "unknown"
    var page = Page()
    let tone: Tone = state == "failed" ? .bad : state == "done" ? .good : .plain
    page.line(
      Styled("operation \(record["op"] ?? "?") \(state)", tone),
      Styled(" · \(record["kind"] ?? "?") · \(record["target"] ?? "?")"))
    if ["waiting", "running"].contains(state), let percent = record["percent"] {
      let left = record.integer("eta-seconds").map { " · some \(Format.age($0 * 1000)) left" } ?? ""
      page.line(Styled("  \(percent) %\(left)\(size(of: record).map { " · \($0)" } ?? "")"))
    }
    for key in ["current", "error", "detail"] {
      if let text = record[key], text != "none" { page.line(Styled("  \(text)", key == "error" ? .bad : .plain)) }
    }
    if ["waiting", "running"].contains(state) { page.line(Styled("  tally op wait \(record["op"] ?? "")", .faint)) }
    return CommandResult(json: JSON(record), page: page, exitCode: ["failed", "cancelled"].contains(state) ? 2 : 0)
  }
}
