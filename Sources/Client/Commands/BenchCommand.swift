import Foundation
import Replies

/// `tally bench`: load, and what the cluster made of it.
enum BenchCommand {
  static let entry = CommandEntry(
    name: "bench", summary: "load: requests a second, latency percentiles, and the books after it",
    usage: """
        tally bench [flags]

        --to A,B,C        the nodes; connections are spread over all of them
        --clients N       connections (64)
        --pipeline N      requests in flight on each (100)
        --requests N      how many in all, or
        --seconds S       how long to send (10)
        --mix M           earn, balance, redeem, transfer, mixed, or percents as earn=80,balance=15,redeem=5 (earn)
        --members N       how many members take part (100000)
        --merchants N     how many merchants (one a region)
        --skew 0…1        Zipf's exponent: 0 even, 0.99 a few hot members (0)
        --rate N          requests a second, sent by the clock whatever the cluster does (open loop): time counts from
                          when a request was due
        --threads N       threads of the generator (1)
        --seed N          of what is drawn (1)
        --load-only       only adds program, merchants and members, where they are missing
        --no-load         takes them for granted
        --no-audit        does not check the books after the run
        --baseline        also measures one sync and one loopback round trip, to give ratios
        --baseline-only   measures nothing else
        --dir DIR         where --baseline syncs: a directory on the nodes' disk (.)
        --resp            sends arrays of bulk strings, as client libraries do
        --yes             does not ask: a cluster that has members is not written into without
        --line 'LINE'     a request of your own, with {member} {recipient} {spend} {id} where they go; implies --no-load
        --json            for programs

      Numbers may end in k or M. Exit code 4 where the books do not balance or nothing but errors came back, 2
      where the cluster has members and nobody said that they may be written among.
      """, body: run)

  private static func run(_ arguments: [String]) throws(ClientError) -> Int32 {
    let flags = try Flags(
      arguments,
      values: Target.flags + [
        "clients", "pipeline", "requests", "seconds", "mix", "members", "merchants", "skew", "rate", "threads", "seed",
        "dir", "line",
      ],
      switches: ["load-only", "no-load", "no-audit", "baseline", "baseline-only", "resp", "json", "yes"])
    try flags.expectNoWords()
    let target = try Target(flags)
    var plan = try plan(flags, target)
    let json = flags.has("json")
    var baseline: Baseline?
    if flags.has("baseline") || flags.has("baseline-only") {
      baseline = try Baseline.measure(directory: flags["dir"] ?? ".")
    }
    if let baseline, flags.has("baseline-only") {
      Console.print(json ? BenchReport.json(baseline).rendered() : BenchReport.line(baseline))
      return 0
    }
    if plan.writes || !flags.has("no-load") {
      guard try Consent.isGiven(for: "bench", flags, target) else { return Consent.refused }
    }
    if !flags.has("no-load"), plan.line.isEmpty {
      var setup = BenchSetup(target: target, plan: plan)
      setup.merchantCount = try flags.integer("merchants", or: 0, in: 0...1_000)
      plan.merchants = try setup.run(quiet: json)
      if flags.has("load-only") { return 0 }
    } else {
      let count = try flags.integer("merchants", or: 1, in: 1...1_000)
      plan.merchants = (1...count).map { "bench-\($0)" }
    }
    return try measure(plan, target, baseline, json: json, audits: !flags.has("no-audit") && plan.line.isEmpty)
  }

  private static func measure(
    _ plan: LoadPlan, _ target: Target, _ baseline: Baseline?, json: Bool, audits: Bool
  ) throws(ClientError) -> Int32 {
    var generator = LoadGenerator(plan: plan)
    let progress = Progress("bench", total: plan.requestCount)
    if !json { generator.progress = { progress.update(Int($0)) } }
    let result = try generator.run()
    if !json, Console.isErrorTerminal { Console.write("\r\u{1B}[K", to: 2) }
    var books: Record?
    if audits {
      books = try target.askRecords("AUDIT").last { $0["total"] == "yes" }
      if books == nil { throw .malformedReply("AUDIT gave no total") }
    }
    let report = BenchReport(plan: plan, result: result, baseline: baseline, books: books)
    Console.print(json ? report.json.rendered() : report.text)
    if let books, books["balanced"] != "yes" { return 4 }
    return result.answered > result.errors.total ? 0 : 4
  }

  private static func plan(_ flags: Flags, _ target: Target) throws(ClientError) -> LoadPlan {
    var plan = LoadPlan(endpoints: target.endpoints)
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
