import Base
import Testing

@testable import Cluster
@testable import Simulator

/// Requests that come again.
@Suite struct RepeatTests {
  @Test func repeatsOfMembersAreAnsweredAsTheFirstTimeFromEveryNode() throws {
    let simulation = try makeCluster(seed: 61, shards: 2)
    try populate(simulation, members: (0..<8).map { "m\($0)" })
    func send(_ host: Int, _ text: String, count: Int) throws -> [String] {
      let terminal = try #require(simulation.connect(to: host))
      simulation.send(text, on: terminal)
      simulation.run(for: 10_000_000) { terminal.lineCount >= count }
      return terminal.lines
    }
    let lines = (0..<1500).map { "EARN m\($0 % 8) merchant=shop points=\($0 % 9 + 1) id=r\($0)\n" }
    let first = try send(0, lines.joined(), count: lines.count)
    #expect(first.count == lines.count && first.allSatisfy { $0.hasPrefix("+tx=") })
    for host in 0..<3 {
      // Among requests that are new, and reads, each in its place.
      let mixed = lines.enumerated().map { i, line in
        i % 10 == 0 ? line + "EARN m\(i % 8) merchant=shop points=1 id=n\(host)-\(i)\nBALANCE m\(i % 8)\n" : line
      }
      let answers = try send(host, mixed.joined(), count: lines.count + 2 * lines.count / 10)
      let jobs = simulation.hosts.reduce(0) { $0 + ($1.node?.health.disk.journal.jobCount ?? 0) }
      #expect(jobs < 150, "\(jobs) jobs")
      var at = 0
      for i in lines.indices {
        try #require(answers[at] == first[i])
        at += 1
        guard i % 10 == 0 else { continue }
        let balance = answers[at].split(separator: " ").first { $0.hasPrefix("balance=") }
        try #require(answers[at + 1].contains(" \(try #require(balance)) "), "\(answers[at]) \(answers[at + 1])")
        at += 2
      }
    }
  }
}
