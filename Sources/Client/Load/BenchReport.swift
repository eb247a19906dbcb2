import Replies

/// A run of load in words and as JSON.
struct BenchReport {
  let plan: LoadPlan
  let result: LoadResult
  let baseline: Baseline?
  let books: Record?

  private static let percents: [(name: String, percent: Double)] = [
    ("p50", 50), ("p90", 90), ("p99", 99), ("p99.9", 99.9),
  ]

  static func line(_ baseline: Baseline) -> String {
    "machine    4 KiB pwrite + fdatasync \(Format.duration(baseline.syncNanoseconds)), "
      + "64 bytes there and back over loopback \(Format.duration(baseline.roundTripNanoseconds)) (p50)"
  }
  static func json(_ baseline: Baseline) -> JSON {
    .object([
      ("sync_4k_p50_us", .number(microseconds(baseline.syncNanoseconds))),
      ("loopback_64b_p50_us", .number(microseconds(baseline.roundTripNanoseconds))),
    ])
  }
  private static func microseconds(_ nanoseconds: UInt64) -> Double { Double(nanoseconds) / 1000 }

  private var generatorMicroseconds: Double {
    result.sent == 0 ? 0 : Double(result.generatorNanoseconds) / 1000 / Double(result.sent)
  }
  private var mixText: String { plan.mix.map { "\($0.kind.name)=\($0.percent)" }.joined(separator: ",") }
  /// p50 over one sync and one round trip: 1 would be the machine's own limit for a lone durable request.
  private var ratio: Double? {
    guard let baseline else { return nil }
    let limit = baseline.syncNanoseconds + baseline.roundTripNanoseconds
    return limit == 0 ? nil : Double(result.all.percentile(50)) / Double(limit)
  }

  var text: String {
    let loop = plan.rate > 0 ? "open loop at \(Format.grouped(Int(plan.rate)))/s" : "closed loop"
    var lines = [
      "\(plan.clientCount) clients × \(plan.pipelineDepth) deep over \(plan.endpoints.count) addresses, \(loop), "
        + "\(Format.grouped(plan.memberCount)) members, \(mixText)" + (plan.skew > 0 ? ", skew \(plan.skew)" : ""),
      "requests   \(Format.grouped(result.answered)) in \(Format.decimal(Double(result.nanoseconds) / 1e9, 2)) s: "
        + "\(Format.grouped(Int(result.perSecond.rounded())))/s",
      "latency    \(BenchReport.describe(result.all))",
    ]
    let kinds = LoadPlan.Kind.allCases.filter { result.histograms[$0.rawValue].count > 0 }
    if kinds.count > 1 {
      for kind in kinds {
        let histogram = result.histograms[kind.rawValue]
        let name = kind.name + String(repeating: " ", count: max(0, 9 - kind.name.count))
        lines.append("  \(name)\(BenchReport.describe(histogram)), \(Format.grouped(histogram.count))")
      }
    }
    let errors = result.errors.byCode.map { "\($0.code) \(Format.grouped($0.count))" }
    lines.append("errors     " + (errors.isEmpty ? "none" : errors.joined(separator: ", ")))
    for example in result.errors.examples.prefix(5) { lines.append("  e.g. -\(example)") }
    lines.append("generator  \(Format.decimal(generatorMicroseconds, 2)) µs of processor time a request")
    if let baseline { lines.append(BenchReport.line(baseline)) }
    if let ratio { lines.append("ratio      p50 is \(Format.decimal(ratio, 2)) × (one sync + one round trip)") }
    if let books {
      lines.append("books      \(ClusterCommands.verdict(of: books).text) · \(ClusterCommands.books(books))")
    }
    return lines.joined(separator: "\n")
  }

  private static func describe(_ histogram: Histogram) -> String {
    let parts = percents.map { "\($0.name) \(Format.duration(histogram.percentile($0.percent)))" }
    return (parts + ["max \(Format.duration(histogram.maximum))"]).joined(separator: ", ")
  }

  private static func json(_ histogram: Histogram) -> JSON {
    var fields = percents.map { ($0.name, JSON.number(microseconds(histogram.percentile($0.percent)))) }
    fields.append(("max", .number(microseconds(histogram.maximum))))
    fields.append(("mean", .number((histogram.mean / 10).rounded() / 100)))
    return .object(fields)
  }

  var json: JSON {
    let kinds = LoadPlan.Kind.allCases.filter { result.histograms[$0.rawValue].count > 0 }
    var fields: [(String, JSON)] = [
      ("clients", .integer(Int64(plan.clientCount))), ("pipeline", .integer(Int64(plan.pipelineDepth))),
      ("addresses", .integer(Int64(plan.endpoints.count))), ("members", .integer(Int64(plan.memberCount))),
      ("merchants", .integer(Int64(plan.merchantNames.count))), ("mix", .text(mixText)), ("skew", .number(plan.skew)),
      ("rate", .number(plan.rate)), ("run", .text(plan.runID)), ("sent", .integer(Int64(result.sent))),
      ("requests", .integer(Int64(result.answered))), ("seconds", .number(Double(result.nanoseconds) / 1e9)),
      ("ops_per_second", .number(result.perSecond.rounded())), ("latency_us", BenchReport.json(result.all)),
      (
        "latency_us_by_kind",
        .object(kinds.map { ($0.name, BenchReport.json(result.histograms[$0.rawValue])) })
      ),
      ("errors", .object(result.errors.byCode.map { ($0.code, .integer(Int64($0.count))) })),
      ("reconnects", .integer(Int64(result.reconnects))),
      ("generator_us_per_request", .number((generatorMicroseconds * 1000).rounded() / 1000)),
    ]
    if let baseline { fields.append(("baseline", BenchReport.json(baseline))) }
    if let ratio { fields.append(("p50_over_baseline", .number((ratio * 100).rounded() / 100))) }
    if let books {
      fields.append(("books", JSON(books)))
      fields.append(("balanced", .bool(books["balanced"] == "yes")))
    }
    return .object(fields)
  }
}
