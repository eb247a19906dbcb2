import Foundation
import Replies

/// `tally bench`: load, and what the cluster made of it.
enum BenchCommand {
  static let command = Command(
    "bench", summary: "load: requests a second, latency percentiles, and the books after it",
    flags: [
      .value("clients", "N", "connections, spread over all addresses (64)"),
      .value("pipeline", "N", "requests in flight on each (100)"),
      .value("requests", "N", "how many in all, or"),
      .value("seconds", "S", "how long to send (10)"),
      .value("mix", "M", "earn, balance, redeem, transfer, mixed, or percents as earn=80,balance=15,redeem=5 (earn)"),
      .value("members", "N", "how many members take part (100000)"),
      .value("merchants", "N", "how many merchants (one a region)"),
      .value("skew", "0…1", "Zipf's exponent: 0 even, 0.99 a few hot members (0)"),
      .value(
        "rate", "N",
        "requests a second, sent by the clock whatever the cluster does (open loop): "
          + "time counts from when a request was due"),
      .value("threads", "N", "threads of the generator (1)"),
      .value("seed", "N", "of what is drawn (1)"),
      .toggle("load-only", "only adds program, merchants and members, where they are missing"),
      .toggle("no-load", "takes them for granted"),
      .toggle("no-audit", "does not check the books after the run"),
      .toggle("baseline", "also measures one sync and one loopback round trip, to give ratios"),
      .toggle("baseline-only", "measures nothing else"),
      .value("dir", "DIR", "where --baseline syncs: a directory on the nodes' disk (.)"),
      .toggle("resp", "sends arrays of bulk strings, as client libraries do"),
      .toggle("yes", "does not ask: a cluster that has members is not written into without"),
      .value(
        "line", "'LINE'",
        "a request of your own, with {member} {recipient} {spend} {id} where they go; implies --no-load"),
    ],
    notes: """
      Numbers may end in k or M. Exit code 4 where the books do not balance or nothing but errors came back, 2 where the \
      cluster has members and nobody said that they may be written among.
      """, body: run)

  private static func run(_ invocation: Invocation) throws(ClientError) -> CommandResult {
    let (flags, target, json) = (invocation.flags, invocation.target, invocation.isJSON)
    var plan = try plan(flags, target)
    var baseline: Baseline?
    if flags.has("baseline") || flags.has("baseline-only") {
      baseline = try Baseline.measure(directory: flags["dir"] ?? ".")
    }
    if let baseline, flags.has("baseline-only") {
      var page = Page()
      page.text(BenchReport.line(baseline))
      return CommandResult(json: BenchReport.json(baseline), page: page)
    }
    if plan.writes || !flags.has("no-load") {
      try Consent.ask(for: "bench", invocation)
    }
    if !flags.has("no-load"), plan.line.isEmpty {
      var setup = BenchSetup(target: target, plan: plan)
      setup.merchantCount = try flags.integer("merchants", or: 0, in: 0...1_000)
      plan.merchants = try setup.run(quiet: json)
      if flags.has("load-only") {
        return CommandResult(json: .object([("members", .integer(Int64(plan.memberCount)))]))
      }
    } else {
      let count = try flags.integer("merchants", or: 1, in: 1...1_000)
      plan.merchants = (1...count).map { "bench-\($0)" }
    }
    return try measure(plan, target, baseline, json: json, audits: !flags.has("no-audit") && plan.line.isEmpty)
  }

  private static func measure(
    _ plan: LoadPlan, _ target: Target, _ baseline: Baseline?, json: Bool, audits: Bool
  ) throws(ClientError) -> CommandResult {
    var generator = LoadGenerator(plan: plan)
    let progress = Progress("bench", total: plan.requestCount, isQuiet: json)
    generator.progress = { progress.update(Int($0)) }
    let result = try generator.run()
    if !json, Console.isErrorTerminal { Console.write("\r\u{1B}[K", to: 2) }
    var books: Record?
    if audits { books = try target.audit().total }
    let report = BenchReport(plan: plan, result: result, baseline: baseline, books: books)
    var page = Page()
    page.text(report.text)
    let isGood = books.map { $0["balanced"] == "yes" } ?? true && result.answered > result.errors.total
    return CommandResult(json: report.json, page: page, exitCode: isGood ? 0 : 4)
  }

  private static func plan(_ flags: Flags, _ target: Target) throws(ClientError) -> LoadPlan {
    var plan = LoadPlan(endpoints: target.endpoints)
    plan.credentials = target.credentials
    plan.clientCount = try flags.integer("clients", or: 64, in: 1...20_000)
    plan.pipelineDepth = try flags.integer("pipeline", or: 100, in: 1...100_000)
    plan.threadCount = try flags.integer("threads", or: 1, in: 1...36)
    plan.requestCount = try flags.integer("requests", or: 0, in: 1...9_999_999_999)
    plan.seconds = try flags.number("seconds", or: plan.requestCount > 0 ? 0 : 10, in: 0.01...1_000_000)
    plan.memberCount = try flags.integer("members", or: 100_000, in: 2...RequestTemplate.memberLimit)
    plan.skew = try flags.number("skew", or: 0, in: 0...1)
    plan.rate = try flags.number("rate", or: 0, in: 0...1e9)
    plan.seed = UInt64(try flags.integer("seed", or: 1, in: 0...Int.max))
    plan.mix = try LoadPlan.parseMix(flags["mix"] ?? "earn")
    plan.asArrays = flags.has("resp")
    if let line = flags["line"] {
      guard !line.contains("\n"), !line.contains("\r"), !line.isEmpty else { throw .usage("--line: one line") }
      guard !flags.has("mix") else { throw .usage("--line and --mix exclude each other") }
      plan.line = line
      plan.mix = [(.line, 100)]
    }
    plan.runID = makeRunID()
    return plan
  }

  /// Eight letters and digits that no other run has: the clock's microseconds and the process's number.
  private static func makeRunID() -> String {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    let moment = UInt64(time.tv_sec) &* 1_000_000 &+ UInt64(time.tv_nsec) / 1000
    let mixed = (moment ^ UInt64(UInt32(bitPattern: getpid())) &<< 33) &* 0x9E37_79B9_7F4A_7C15
    let digits = String(mixed >> 20, radix: 36)
    return String(("00000000" + digits).suffix(8))
  }
}
