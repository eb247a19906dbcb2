import Replies

/// What `tally top` asks each time: the cluster as one node knows it, and of each node what it has counted.
struct TopReading {
  /// Nanoseconds of the reader's clock.
  var at: UInt64
  var status: Record
  var nodes: [Record]
  var shards: [Record]
  /// By node; nothing of one that did not answer.
  var counted: [String: Counted] = [:]

  struct Counted {
    /// Since it started.
    var requests: Int64
    /// Of the last second.
    var busyPermille: Int64
    /// How long an entry took in each of the shards that it leads; nil: it leads none, or some did not commit.
    var commitNanoseconds: UInt64?

    init(requests: Int64, busyPermille: Int64, commitNanoseconds: UInt64? = nil) {
      (self.requests, self.busyPermille, self.commitNanoseconds) = (requests, busyPermille, commitNanoseconds)
    }
    /// Of what INFO and HEALTH say. Nil: INFO has not what is looked for.
    init?(info: String, health: String?) {
      var figures: [Substring: Int64] = [:]
      for line in info.split(whereSeparator: \.isNewline) {
        let parts = line.split(separator: ":", maxSplits: 1)
        if parts.count == 2 { figures[parts[0]] = Int64(parts[1]) }
      }
      guard let requests = figures["requests"] else { return nil }
      self.requests = requests
      busyPermille = figures["loop_busy_permille"] ?? 0
      commitNanoseconds = health.flatMap { CheckCommands.Result($0) }.flatMap {
        $0.shards > 0 ? $0.microseconds * 1_000 : nil
      }
    }
  }
}

/// What happened between two readings, by node, region and shard.
struct TopRates {
  let nodes: [Record]
  let regions: [Record]
  /// Those with the most commits first.
  let shards: [Record]

  init(_ reading: TopReading, since before: TopReading) {
    let seconds = max(0.001, Double(reading.at - min(reading.at, before.at)) / 1e9)
    func rate(_ count: Int64) -> Int64 { Int64((Double(max(0, count)) / seconds).rounded()) }
    let known = Dictionary(before.shards.compactMap { shard in shard["shard"].map { ($0, shard) } }) { $1 }
    var commits: [String: Int64] = [:]
    var rows: [(rate: Int64, record: Record)] = []
    for shard in reading.shards {
      let then = shard["shard"].flatMap { known[$0]?.integer("commit") }
      let commit = shard.integer("commit") ?? 0
      let made = rate(commit - (then ?? commit))
      if let leader = shard["leader"] { commits[leader, default: 0] += made }
      rows.append(
        (
          made,
          Record([
            ("shard", shard["shard"] ?? "?"), ("leader", shard["leader"] ?? "none"),
            ("region", shard["region"] ?? "none"),
            ("commits_s", "\(made)"), ("lag_entries", "\(max(0, commit - (shard.integer("applied") ?? commit)))"),
            ("term", shard["term"] ?? "?"),
          ])
        ))
    }
    shards = rows.enumerated().sorted { (-$0.element.rate, $0.offset) < (-$1.element.rate, $1.offset) }.map(
      \.element.record)

    var sums: [(region: String, nodes: Int64, leads: Int64, requests: Int64, commits: Int64)] = []
    nodes = reading.nodes.map { node in
      let name = node["node"] ?? "?"
      let now = reading.counted[name]
      let requests = now.flatMap { now in before.counted[name].map { rate(now.requests - $0.requests) } }
      let place = sums.firstIndex { $0.region == node["region"] } ?? sums.count
      if place == sums.count { sums.append((node["region"] ?? "?", 0, 0, 0, 0)) }
      sums[place].nodes += 1
      sums[place].leads += node.integer("leaders") ?? 0
      sums[place].requests += requests ?? 0
      sums[place].commits += commits[name] ?? 0
      return Record([
        ("node", name), ("region", node["region"] ?? "?"), ("state", node["state"] ?? "?"),
        ("leaders", node["leaders"] ?? "?"), ("replicas", node["replicas"] ?? "?"),
        ("requests_s", requests.map { "\($0)" } ?? "unknown"), ("commits_s", "\(commits[name] ?? 0)"),
        ("commit_us", now?.commitNanoseconds.map { "\($0 / 1_000)" } ?? "unknown"),
        ("busy_permille", now.map { "\($0.busyPermille)" } ?? "unknown"), ("alarms", node["alarms"] ?? "unknown"),
      ])
    }
    regions = sums.sorted { $0.region < $1.region }.map { sum in
      Record([
        ("region", sum.region), ("nodes", "\(sum.nodes)"), ("leaders", "\(sum.leads)"),
        ("requests_s", "\(sum.requests)"),
        ("commits_s", "\(sum.commits)"),
      ])
    }
  }

  /// For a screen of so many rows: shards have what the others leave.
  func page(_ status: Record, rows: Int, clock: String) -> Page {
    var page = Page()
    let isHealthy = status["healthy"] == "yes"
    page.line(
      Styled("tally top · cluster \(status["cluster"] ?? "?") · "),
      isHealthy ? Styled("✓ healthy", .good) : Styled("✗ not healthy", .bad), Styled(" · \(clock) · q ends", .faint))
    let facts =
      "\(status["up"] ?? "?") of \(status["nodes"] ?? "?") nodes up · \(status["leaders"] ?? "?") of \(status["shards"] ?? "?") shards led"
    page.line(Styled(facts))
    let isAlarmed = nodes.contains { !["none", "unknown"].contains($0["alarms"]) }
    page.table(Table(nodes, columns: nodes.first?.fields.map(\.key).filter { $0 != "alarms" || isAlarmed }))
    if regions.count > 1 { page.table(Table(regions)) }
    let left = rows - 7 - nodes.count - (regions.count > 1 ? regions.count + 2 : 0)
    let shown = shards.prefix(max(1, left))
    page.table(Table(Array(shown)))
    if shown.count < shards.count {
      page.line(Styled("… and \(shards.count - shown.count) shards with fewer commits", .faint))
    }
    return page
  }
}
