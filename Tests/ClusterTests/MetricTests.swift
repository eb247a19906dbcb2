import Foundation
import Protocol
import Testing

@testable import Cluster
@testable import Simulator

/// One list of metrics, of which INFO and the documentation are made.
@Suite struct MetricTests {
  private func node() throws -> Node {
    let simulation = try makeCluster(seed: 63, shards: 1)
    return try #require(simulation.hosts[0].node)
  }

  @Test func theTableInTheDocumentationIsTheList() throws {
    let rows = Gauges.all(of: try node()).map { metric, _ in
      "| \(metric.section.rawValue) | `\(metric.name)` | \(metric.kind.rawValue) | \(metric.unit.rawValue) | \(metric.help) |"
    }
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let text = try String(contentsOf: root.appendingPathComponent("docs/operations.md"), encoding: .utf8)
    let header = "| section | name | kind | unit | is |\n| --- | --- | --- | --- | --- |\n"
    let table = try #require(text.components(separatedBy: header).dropFirst().first)
    let documented = table.components(separatedBy: "\n\n")[0].components(separatedBy: "\n").filter { !$0.isEmpty }
    #expect(documented == rows, "put these into docs/operations.md:\n\(rows.joined(separator: "\n"))")
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
