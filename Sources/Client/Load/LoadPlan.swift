import Base

/// What a generator sends: how many of which request, to whom, how fast.
struct LoadPlan: Sendable {
  /// The kinds of request, in the order of their numbers; `line` is the one a person gave.
  enum Kind: Int, CaseIterable, Sendable {
    case earn
    case balance
    case redeem
    case transfer
    case line

    var name: String { "\(self)" }
  }

  var endpoints: [Endpoint]
  /// Who signs in on each connection; nil: nobody.
  var credentials: Credentials?
  var clientCount = 64
  var pipelineDepth = 1
  var threadCount = 1
  /// All requests of the run; 0 for no limit.
  var requestCount = 0
  /// How long to send; 0 for no limit.
  var seconds = 0.0
  /// Requests a second; 0 sends each as soon as its place in the pipeline is free (closed loop).
  var rate = 0.0
  var memberCount = 100_000
  var skew = 0.0
  var seed: UInt64 = 1
  var runID = "run"
  /// Percents that add up to 100.
  var mix: [(kind: Kind, percent: Int)] = [(.earn, 100)]
  var merchants: [String] = []
  var program = "bench"
  /// A request of the person's own; the mix is `line=100` then.
  var line = ""
  var asArrays = false

  /// The templates: for each kind, one a merchant.
  func templates(workerID: String) -> [RequestTemplate] {
    Kind.allCases.flatMap { kind in
      merchantNames.map { merchant in
        RequestTemplate(text(of: kind, merchant: merchant), asArray: asArrays, runID: workerID)
      }
    }
  }
  var merchantNames: [String] { merchants.isEmpty ? ["bench"] : merchants }

  private func text(of kind: Kind, merchant: String) -> String {
    switch kind {
    case .earn: "EARN {member} merchant=\(merchant) spend={spend} id={id}"
    case .balance: "BALANCE {member} program=\(program)"
    case .redeem: "REDEEM {member} merchant=\(merchant) points=1 id={id}"
    case .transfer: "TRANSFER {member} {recipient} points=1 id={id} program=\(program)"
    case .line: line
    }
  }

  /// `earn`, `balance`, `redeem`, `transfer`, `mixed` (80, 15, 5) or `earn=80,balance=15,redeem=5`.
  static func parseMix(_ text: String) throws(ClientError) -> [(kind: Kind, percent: Int)] {
    if text == "mixed" { return [(.earn, 80), (.balance, 15), (.redeem, 5)] }
    var mix: [(kind: Kind, percent: Int)] = []
    for part in text.split(separator: ",") {
      let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
      guard let kind = Kind.allCases.first(where: { $0.name == pair[0] && $0 != .line }) else {
        throw .usage("--mix: no such request '\(pair[0])' (earn, balance, redeem, transfer or mixed)")
      }
      guard let percent = pair.count > 1 ? Int(pair[1]) : 100, (0...100).contains(percent) else {
        throw .usage("--mix: '\(part)' is no percentage")
      }
      mix.append((kind, percent))
    }
    let sum = mix.reduce(0) { $0 + $1.percent }
    guard sum == 100 else { throw .usage("--mix: the percentages add up to \(sum), not to 100") }
    return mix
  }

  /// Whether its requests may change anything: all do but reading balances, as far as is known.
  var writes: Bool { mix.contains { $0.kind != .balance && $0.percent > 0 } }

  /// Whether members need points before the run.
  var needsPoints: Bool { mix.contains { ($0.kind == .redeem || $0.kind == .transfer) && $0.percent > 0 } }
}

/// What a run has shown.
struct LoadResult: Sendable {
  var sent: UInt64 = 0
  var answered: UInt64 = 0
  /// From the first request to the last reply.
  var nanoseconds: UInt64 = 0
  /// Processor time of the generator's own threads.
  var generatorNanoseconds: UInt64 = 0
  var reconnects: UInt64 = 0
  var histograms = [Histogram](repeating: Histogram(), count: LoadPlan.Kind.allCases.count)
  var errors = ErrorCounts()

  var all: Histogram {
    var merged = Histogram()
    for histogram in histograms where histogram.count > 0 { merged.merge(histogram) }
    return merged
  }
  var perSecond: Double { nanoseconds == 0 ? 0 : Double(answered) * 1e9 / Double(nanoseconds) }

  mutating func merge(_ other: LoadResult) {
    sent += other.sent
    answered += other.answered
    nanoseconds = max(nanoseconds, other.nanoseconds)
    generatorNanoseconds += other.generatorNanoseconds
    reconnects += other.reconnects
    for i in histograms.indices { histograms[i].merge(other.histograms[i]) }
    errors.merge(other.errors)
  }
}
