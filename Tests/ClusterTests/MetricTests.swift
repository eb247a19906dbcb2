import Base
import Foundation
import Protocol
import Testing
import Vocabulary

@testable import Cluster
@testable import Simulator

/// One list of metrics, of which INFO and the documentation are made.
@Suite struct MetricTests {
  private func node() throws -> Node {
    let simulation = try makeCluster(seed: 63, shards: 1)
    return try #require(simulation.hosts[0].node)
  }

  private func page(_ path: String) throws -> String {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    return try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
  }

  @Test func theTableInTheDocumentationIsTheList() throws {
    let rows = Gauges.all(of: try node()).map { metric, _ in
      "| \(metric.section.rawValue) | `\(metric.name)` | \(metric.kind.rawValue) | \(metric.unit.rawValue) | \(metric.help) |"
    }
    let text = try page("docs/operations.md")
    let header = "| section | name | kind | unit | is |\n| --- | --- | --- | --- | --- |\n"
    let table = try #require(text.components(separatedBy: header).dropFirst().first)
    let documented = table.components(separatedBy: "\n\n")[0].components(separatedBy: "\n").filter { !$0.isEmpty }
    #expect(documented == rows, "put these into docs/operations.md:\n\(rows.joined(separator: "\n"))")
  }

  @Test func theTableOfMetricsIsTheList() throws {
    let shown = Figures.families.map(\.metric) + Gauges.all(of: try node()).map(\.metric)
    let rows = shown.compactMap { metric in
      metric.exposedName.map { "| `\($0)` | \(metric.kind.rawValue) | \(metric.labels) | \(metric.help) |" }
    }
    let header = "| metric | type | labels | is |\n| --- | --- | --- | --- |\n"
    let table = try #require(try page("docs/http.md").components(separatedBy: header).dropFirst().first)
    let documented = table.components(separatedBy: "\n\n")[0].components(separatedBy: "\n").filter { !$0.isEmpty }
    #expect(documented == rows, "put these into docs/http.md:\n\(rows.joined(separator: "\n"))")
  }

  @Test func whatPrometheusReadsIsWellFormed() throws {
    let node = try node()
    node.requests.clients.outcomes.note(VerbRule.of(.ping).pointee.number, 0)
    let figures = Gauges.figures(of: node)
    let lines = String(decoding: figures.rendered(), as: UTF8.self).split(separator: "\n").map(String.init)
    // A family is told once, with help and type, and its samples follow.
    var family = ""
    var families: Set<String> = []
    for line in lines {
      let words = line.split(separator: " ").map(String.init)
      if line.hasPrefix("# HELP ") {
        family = words[2]
        #expect(families.insert(family).inserted && family.hasPrefix("tally_"))
      } else if line.hasPrefix("# TYPE ") {
        #expect(words[2] == family && ["counter", "gauge", "histogram"].contains(words[3]))
        #expect((words[3] == "counter") == family.hasSuffix("_total"))
      } else {
        #expect(line.hasPrefix(family) && Double(words[words.count - 1]) != nil, "\(line)")
      }
    }
    #expect(lines.contains("tally_requests_total{verb=\"PING\",outcome=\"OK\"} 1"))
    #expect(lines.contains { $0.hasPrefix("tally_shard_role{shard=\"1\",role=\"") })
    #expect(lines.contains { $0.hasPrefix("tally_points_total{kind=\"earn\"} ") })
  }
  /// Two weeks before one ends there is an alarm, by which the cluster is not less well.
  @Test func certificatesAreToldAndSpokenOfBeforeTheyEnd() throws {
    let node = try node()
    let now = node.turn.now
    func alarms(endsIn seconds: Int64) -> [String] {
      var gauges = ShellGauges()
      let end = now.wall.microseconds / 1_000_000 + seconds
      gauges.certificates = [LoadedCertificate(use: "peers", name: "east-1", ends: end)]
      node.measured(gauges, now: now)
      let text = String(decoding: Gauges.figures(of: node).rendered(), as: UTF8.self)
      #expect(text.contains("tally_certificate_expires_seconds{use=\"peers\",name=\"east-1\"} \(end)\n"))
      #expect(text.contains("tally_alarm{alarm=\"CERTIFICATE\"} \(node.peers.own.alarms.isEmpty ? 0 : 1)\n"))
      #expect(node.peers.own.ailments.isEmpty)
      var buffer = ByteBuffer(capacity: 256)
      node.peers.own.condition.encode(into: &buffer)
      var reader = ByteReader(buffer.bytes)
      #expect((try? NodeCondition(decoding: &reader)) == node.peers.own.condition)
      return node.peers.own.alarms
    }
    #expect(alarms(endsIn: LoadedCertificate.notice).isEmpty)
    #expect(alarms(endsIn: LoadedCertificate.notice - 1) == ["CERTIFICATE"])
    #expect(alarms(endsIn: -5) == ["CERTIFICATE"])
    #expect(alarms(endsIn: 30 * 86_400).isEmpty)
  }
  @Test func durationsCountUpToEachBound() {
    var figures = Figures()
    for duration: UInt64 in [50, 100, 101, 2_000_000, 60_000_000] { figures.logWrites.note(duration) }
    let text = String(decoding: figures.rendered(), as: UTF8.self)
    for line in [
      "_bucket{le=\"0.0001\"} 2", "_bucket{le=\"0.00025\"} 3", "_bucket{le=\"1\"} 3", "_bucket{le=\"2.5\"} 4",
      "_bucket{le=\"+Inf\"} 5", "_sum 62.000251", "_count 5",
    ] { #expect(text.contains("tally_log_write_seconds\(line)\n"), "\(line)") }
  }

  @Test func infoHasAllOfThemOnceAndInTheirSection() throws {
    let node = try node()
    node.snapshots.counters.sent = 41
    let sections = Gauges.sections(of: node)
    #expect(sections.map(\.name) == Metric.Section.allCases.map(\.rawValue))
    let names = sections.flatMap { $0.lines.map(\.name) }
    #expect(Set(names).count == names.count && names.count == Gauges.all(of: node).count && names.count > 40)
    #expect(sections.first { $0.name == "snapshots" }?.lines.contains { $0 == ("snapshots_sent", "41") } == true)
    #expect(sections.first { $0.name == "loop" }?.lines.contains { $0.name == "loop_busy_permille" } == true)
  }

  @Test func unitsAreInTheNamesOfTimes() throws {
    for (metric, _) in Gauges.all(of: try node()) {
      let name = "\(metric.name)"
      #expect(
        name.hasSuffix("_us") == (metric.unit == .microseconds)
          && name.hasSuffix("_ms") == (metric.unit == .milliseconds))
      #expect(!"\(metric.help)".contains("|"))
    }
  }
}
