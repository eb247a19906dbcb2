import Base
import Ledger
import Raft
import Testing

@testable import Cluster
@testable import Simulator

/// The directory's journal on every node's own disk: what was changed long ago is known there, whatever befell the node.
@Suite struct EntryHistoryTests {
  /// All lines of an answer, once they are here.
  private func rows(_ simulation: Simulation, _ host: Int, _ line: String) throws -> [String] {
    let client = try #require(simulation.connect(to: host))
    defer { simulation.disconnect(client) }
    return askAll(simulation, client, line).map { line in
      line.split(separator: " ").filter { !$0.hasPrefix("asof=") }.joined(separator: " ")
    }
  }
  private func directory(_ simulation: Simulation, _ host: Int) throws -> Replica {
    try #require(simulation.hosts[host].node?.replicas[.directory], "\(simulation.report)")
  }
  private func change(_ simulation: Simulation, on host: Int, _ titles: Range<Int>) throws {
    let client = try #require(simulation.connect(to: host))
    for i in titles {
      let answer = ask(simulation, client, "MERCHANT SET shop title=t\(i) id=c\(i)")
      try #require(answer == "+OK", "\(i): \(answer ?? "nothing")")
    }
  }

  /// A node that was away gets a snapshot, with the journal that it lacks; then it starts anew, and asks nobody.
  @Test(arguments: [false, true]) func aNodeThatWasAwayKnowsWhatWasChanged(isAnew: Bool) throws {
    let simulation = try makeCluster(seed: isAnew ? 812 : 811, shards: 1) { configuration in
      configuration.snapshotLogBytes = 4 << 10
      configuration.logTailBytes = 1 << 10
      configuration.ledgerLimits.journalSegmentBytes = 8 << 10
    }
    let first = try #require(simulation.connect(to: 0))
    for line in ["PROGRAM SET main earn=1/1", "MERCHANT SET shop title=t0"] {
      #expect(ask(simulation, first, line) == "+OK")
    }
    let start = try directory(simulation, 0).machine.lastStamp
    try change(simulation, on: 0, 1..<20)
    let last = try directory(simulation, 2).raft.lastIndex
    simulation.kill(2)
    try change(simulation, on: 0, 20..<400)
    simulation.run(for: 2_000_000)
    for host in 0..<2 { #expect(try directory(simulation, host).raft.firstIndex > last + 1) }
    if isAnew {
      // Its journal is gone, with its snapshots: all of it comes from a peer.
      for path in simulation.hosts[2].disk.paths where path.contains("journal/") || path.contains("snapshots/") {
        try simulation.hosts[2].disk.remove(path)
      }
    }
    simulation.start(2)
    simulation.run(for: 20_000_000) {
      (try? directory(simulation, 2).machine.lastIndex) == (try? directory(simulation, 0).machine.lastIndex)
    }
    #expect(try directory(simulation, 2).raft.firstIndex > last + 1, "it got a snapshot")
    simulation.kill(2)
    simulation.start(2)
    simulation.run(for: 5_000_000)
    simulation.kill(0)
    simulation.kill(1)

    let history = try rows(simulation, 2, "MERCHANT HISTORY shop read=local")
    try #require(history.count == 401, "\(history.prefix(2))")
    #expect(history[1].hasPrefix("+merchant=shop version=400 ") && history[1].hasSuffix(" title=t399"))
    #expect(history[400].hasPrefix("+merchant=shop version=1 ") && history[400].hasSuffix(" title=t0"))
    let page = try rows(simulation, 2, "MERCHANT HISTORY shop limit=2 before=11 read=local")
    #expect(page == ["*2", history[391], history[392]])
    let past = try rows(simulation, 2, "MERCHANT SHOW shop at=\(start.milliseconds + 1) read=local")
    #expect(past.count == 1 && past[0].contains(" title=t0 ") && past[0].contains(" version=1 "), "\(past)")
  }

  /// Replicas write the same bytes, and go on with them after a crash.
  @Test func journalsAreEqualAndAreMadeAgainFromTheLog() throws {
    let simulation = try makeCluster(seed: 813, shards: 1)
    try change(simulation, on: 0, 0..<30)
    for host in 0..<3 { simulation.kill(host) }
    for host in 0..<3 { simulation.start(host) }
    simulation.run(for: 5_000_000)
    try change(simulation, on: 1, 30..<40)
    simulation.run(for: 2_000_000)
    let chains = try (0..<3).map { try directory(simulation, $0).machine.journal }
    #expect(chains[0] == chains[1] && chains[1] == chains[2] && chains[0] != .ofDirectory)
    for host in 0..<3 {
      let history = try rows(simulation, host, "MERCHANT HISTORY shop read=local")
      #expect(history.count == 41 && history[1].hasSuffix(" title=t39"), "\(history.prefix(2))")
    }
  }
}
