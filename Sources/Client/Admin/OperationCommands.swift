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
    body: { invocation throws(ClientError) in
      var result = result(of: try ask("SHOW", invocation))
      result.exitCode = 0
      return result
    })

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
      guard let state = record["state"], ["waiting", "running"].contains(state) else {
        throw .declined(
          "operation \(record["op"] ?? "?") is \(record["state"] ?? "over") already: nothing would be given up")
      }
      var result = result(of: record)
      result.json = result.json?.adding([("plan", JSON([step(record["shard"], record["target"] ?? "?", "given up")]))])
      result.page.line("would be given up")
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

  static let waitFlags = [
    Flag.toggle("no-wait", "ends once it has begun"), Flag.toggle("wait", "waits until it is over: it does anyway"),
  ]
  static let notes =
    "It waits until the operation is over, however long that takes, or for --timeout. An operation goes on if the terminal is cut off;"
    + " tally op wait N attaches to it again. Exit code 2 if it failed, with the reason; 3 if it is not over within --timeout, or if"
    + " no node tells of it any more."
  /// An operation of which no node has told for so long is not waited for any longer (seconds).
  static let silence = 60.0

  /// The one step of what is no move of a shard.
  static func step(_ shard: String?, _ from: String, _ to: String, number: Int = 1) -> Record {
    Record([("step", "\(number)"), ("shard", shard ?? "none"), ("from", from), ("to", to), ("bytes", "0")])
  }
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
  /// Begins it, shows what it will do, and follows it.
  static func begin(_ line: String, _ invocation: Invocation) throws(ClientError) -> CommandResult {
    // What is refused here is refused again, unless it is under way already.
    let steps = (try? invocation.target.askRecords(line + " dry-run=yes")) ?? []
    return try begun(try started(line, invocation), steps, invocation)
  }
  /// Begins it, and gives its record. A save and what changes a shard wait for one another; else who comes second is refused.
  static func started(_ line: String, _ invocation: Invocation) throws(ClientError) -> Record {
    while true {
      do throws(ClientError) {
        guard let record = try invocation.target.connect().request(line).orThrow().record else {
          throw .malformedReply("\(line) answered with other than a record")
        }
        return record
      } catch {
        guard !invocation.flags.has("no-wait"), case .refused("CONFLICT", let text) = error,
          let other = try holder(in: text, invocation),
          (other["kind"] == "backup-save") != line.hasPrefix("CLUSTER BACKUP SAVE")
        else { throw error }
        if !invocation.isJSON {
          Console.report(
            "waits for operation \(other["op"] ?? "?"), \(other["kind"] ?? "?") of \(other["target"] ?? "?")")
        }
        _ = try finished(other, invocation)
      }
    }
  }
  /// The operation that has the shard which another wants, as a refusal names it.
  private static func holder(in text: String, _ invocation: Invocation) throws(ClientError) -> Record? {
    let words = text.split(separator: " ")
    guard text.contains("is under way on shard"), let place = words.firstIndex(of: "operation"),
      place + 1 < words.count,
      let number = UInt64(words[place + 1])
    else { return nil }
    return try invocation.target.askRecords("CLUSTER OP SHOW \(number)").first
  }
  /// Follows what was begun, unless nobody is to wait.
  /// - Parameter steps: what it will do.
  static func begun(
    _ record: Record, _ steps: [Record], _ invocation: Invocation
  ) throws(ClientError) -> CommandResult {
    if !invocation.isJSON, !steps.isEmpty {
      let style = Style(descriptor: 1, isWide: invocation.flags.has("wide"))
      Console.print(Table(steps).rendered(style) + "\n")
    }
    var result: CommandResult
    if invocation.flags.has("no-wait") {
      result = self.result(of: record)
    } else {
      if !invocation.isJSON {
        let number = record["op"] ?? "?"
        Console.report("operation \(number) goes on if this ends: tally op wait \(number) attaches to it again")
      }
      result = try follow(record, invocation)
    }
    result.json = result.json?.adding([("plan", JSON(steps))])
    return result
  }

  private static func follow(_ first: Record, _ invocation: Invocation) throws(ClientError) -> CommandResult {
    result(of: try finished(first, invocation))
  }
  /// Its record once it is over.
  /// - Parameter silence: how long no node may tell of it, in seconds.
  static func finished(
    _ first: Record, _ invocation: Invocation, silence: Double = silence
  ) throws(ClientError) -> Record {
    guard let number = first["op"] else { throw .malformedReply("an operation without a number") }
    let seconds =
      invocation.flags.has("timeout") ? try invocation.flags.number("timeout", or: 30, in: 0.1...86_400) : nil
    // It outlives any node that is asked: one that is removed, say.
    let target = invocation.target.knowingAllNodes()
    let progress = Progress("operation \(number)", total: 100, isQuiet: invocation.isJSON)
    let start = Clock.monotonicNanoseconds()
    var heard = start
    var record = first
    while ["waiting", "running"].contains(record["state"]) {
      let now = Clock.monotonicNanoseconds()
      if let seconds, now - start >= UInt64(seconds * 1e9) {
        throw .timedOut("operation \(number) is \(record["state"] ?? "under way"); it goes on: tally op wait \(number)")
      }
      guard now - heard < UInt64(silence * 1e9) else {
        throw .timedOut(
          "no node has told of operation \(number) for \(Int(silence)) s; try again: tally op wait \(number)")
      }
      progress.update(percent: Int(record.integer("percent") ?? 0), facts(of: record))
      pause(milliseconds: 100)
      if let newer = try? target.askRecords("CLUSTER OP SHOW \(number)").first {
        record = newer
        heard = Clock.monotonicNanoseconds()
      }
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
