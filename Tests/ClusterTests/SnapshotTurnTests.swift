import Base
import Storage
import Testing

@testable import Cluster
@testable import Simulator

/// When snapshots are taken: for what a start would have to apply again, one at a time.
@Suite struct SnapshotTurnTests {
  private static let limit = 300

  private func makeCluster(seed: UInt64, commands: Int = limit, applyWork: Int? = nil) throws -> DiskCluster {
    try DiskCluster(seed: seed, shards: 3) { configuration in
      configuration.snapshotCommands = commands
      configuration.snapshotLogBytes = 1 << 30
      configuration.logTailBytes = 0
      if let applyWork { configuration.applyWork = applyWork }
    }
  }
  private func ledgers(_ cluster: DiskCluster, _ host: Int) -> [Replica] {
    cluster.simulation.hosts[host].node?.replicas.map { $0 }.filter { $0.shard != .directory } ?? []
  }
  /// Has each member earn so often, some at a time; `look` is called after each event.
  private func earn(_ cluster: DiskCluster, rounds: Int, tag: String, look: () -> Void = {}) throws {
    let client = try #require(cluster.simulation.connect(to: 0))
    for round in 0..<rounds {
      client.clear()
      let lines = cluster.members.flatMap { member in
        (0..<4).map { "EARN \(member) merchant=shop points=1 id=\(tag)\(round)-\($0)\n" }
      }
      cluster.simulation.send(lines.joined(), on: client)
      let isAnswered = cluster.simulation.run(for: 20_000_000) {
        look()
        return client.lineCount == lines.count
      }
      try #require(isAnswered && client.lines.allSatisfy { $0.hasPrefix("+tx=") }, "\(cluster.simulation.report)")
    }
  }

  @Test func aStartAppliesABoundedNumberOfCommandsAgain() throws {
    let cluster = try makeCluster(seed: 111)
    var most = 0
    var worstTogether = 0
    var begun: [Set<ShardID>] = [[], [], []]
    var under: [ShardID?] = [nil, nil, nil]
    var together = 0
    var snapshots = 0
    try earn(cluster, rounds: 120, tag: "a") {
      for host in 0..<3 {
        guard let node = cluster.simulation.hosts[host].node else { continue }
        most = max(most, node.snapshots.commandsBehind)
        // One at a time, and no other is frozen meanwhile.
        worstTogether = max(worstTogether, ledgers(cluster, host).count { $0.snapshots.isRunning })
        if node.snapshots.underWay != under[host], let shard = node.snapshots.underWay {
          begun[host].insert(shard)
          snapshots += 1
          if (0..<3).contains(where: { $0 != host && cluster.simulation.hosts[$0].node?.snapshots.underWay == shard }) {
            together += 1
          }
        }
        under[host] = node.snapshots.underWay
      }
    }
    #expect(worstTogether == 1)
    // What comes while one is written is on top.
    #expect(most < SnapshotTurnTests.limit * 3 / 2, "\(most)")
    #expect(begun.allSatisfy { $0.count == 3 } && snapshots > 30, "\(begun) \(snapshots)")
    #expect(together * 2 < snapshots, "\(together) of \(snapshots) while another node wrote the same shard")
    // All three killed: that is what is left to apply.
    for host in 0..<3 { cluster.simulation.kill(host) }
    for host in 0..<3 {
      cluster.simulation.start(host)
      let left = ledgers(cluster, host).reduce(0) { $0 + $1.applying.backlog.commands }
      #expect(left > 0 && left < SnapshotTurnTests.limit * 3 / 2, "\(left)")
    }
    let isWell = cluster.simulation.run(for: 20_000_000) { cluster.status(0).contains("healthy=yes") }
    #expect(isWell, "\(cluster.simulation.report)")
    #expect(try cluster.answer("BALANCE m0", on: 1).contains("balance=480 "))
    try cluster.checkBooks()
  }

  /// The snapshots that a host's disk has of each shard: a whole one, and the changes since.
  private func chains(_ cluster: DiskCluster, _ host: Int) throws -> [[SnapshotFile]] {
    let store = try SnapshotStore(directory: "/data/snapshots", fileSystem: cluster.simulation.hosts[host].disk)
    return try store.shards().filter { $0 != .directory }.map { shard in
      try store.verifyNewest(shard)
      return try store.chain(of: try #require(try store.newest(shard)))
    }
  }

  @Test func onlyWhatHasChangedIsWrittenAndAStartPutsItTogether() throws {
    let cluster = try makeCluster(seed: 114, commands: 120)
    var longest = 0
    var saved = 0
    for round in 0..<4 {
      try earn(cluster, rounds: 30, tag: "d\(round)-")
      cluster.simulation.run(for: 2_000_000)
      for host in 0..<3 { cluster.simulation.killProcess(host) }
      for host in 0..<3 {
        for chain in try chains(cluster, host) {
          let changes = chain.dropFirst()
          longest = max(longest, chain.count)
          saved += changes.count * Int(chain[0].byteCount) - changes.reduce(0) { $0 + Int($1.byteCount) }
          #expect(changes.reduce(0) { $0 + $1.byteCount } <= chain[0].byteCount * 3 / 4)
        }
        // What a chain does not need is gone.
        let chained = try chains(cluster, host).reduce(0) { $0 + $1.count }
        let files = cluster.simulation.hosts[host].disk.paths.count {
          $0.hasSuffix(".snap") && !$0.contains("/00000000-")
        }
        #expect(files == chained, "\(cluster.simulation.hosts[host].disk.paths)")
      }
      for host in 0..<3 { cluster.simulation.start(host) }
      let isWell = cluster.simulation.run(for: 20_000_000) { cluster.status(0).contains("healthy=yes") }
      try #require(isWell, "\(cluster.simulation.report)")
      #expect(try cluster.answer("BALANCE m0", on: 1).contains("balance=\((round + 1) * 120) "))
      try cluster.checkBooks()
    }
    #expect(longest > 1 && saved > 1 << 20, "\(longest), \(saved)")
  }

  /// Later ones do not have the changes since a snapshot that was begun and could not be written.
  @Test func changesAreSinceASnapshotThatWasWritten() throws {
    let cluster = try makeCluster(seed: 116, commands: 1_000_000)
    let node = try cluster.node(0)
    func snapshotAll() throws {
      for replica in ledgers(cluster, 0) {
        let taken = node.snapshots.counters.taken
        try #require(node.snapshots.take(of: replica) { node.drain($0) })
        try #require(cluster.simulation.run(for: 5_000_000) { node.snapshots.counters.taken > taken })
      }
    }
    try earn(cluster, rounds: 200, tag: "f")
    try snapshotAll()
    // Enough to fill pages that nothing is written to later.
    try earn(cluster, rounds: 30, tag: "g")
    for replica in ledgers(cluster, 0) {
      let lost = replica.machine.beginSnapshot()
      replica.machine.endSnapshot(lost, file: nil)
    }
    try earn(cluster, rounds: 4, tag: "h")
    try snapshotAll()
    let sizes = try chains(cluster, 0).map { $0.map(\.byteCount) }
    #expect(sizes.map(\.count) == [2, 2, 2], "\(sizes)")
    cluster.simulation.kill(0)
    cluster.simulation.start(0)
    let isWell = cluster.simulation.run(for: 20_000_000) { cluster.status(0).contains("healthy=yes") }
    try #require(isWell, "\(cluster.simulation.report)")
    #expect(try cluster.answer("BALANCE m0", on: 0).contains("balance=936 "))
    try cluster.checkBooks()
  }

  /// One that takes long, or fails, holds up nobody: what is late makes a start longer.
  @Test func aSnapshotThatTakesLongHoldsUpNobody() throws {
    let cluster = try makeCluster(seed: 112, commands: 100)
    cluster.simulation.faults.bytesPerMicrosecond = 1
    for host in 0..<3 { cluster.simulation.hosts[host].diskPace.slowness = 4 }
    let began = cluster.simulation.now
    try earn(cluster, rounds: 40, tag: "b")
    #expect(cluster.simulation.now - began < 10_000_000)
    cluster.simulation.run(for: 30_000_000)
    for host in 0..<3 {
      let node = try cluster.node(host)
      #expect(node.snapshots.counters.taken > 0 && node.snapshots.underWay == nil)
      #expect(node.snapshots.commandsBehind < 200)
    }
    try cluster.checkBooks()
  }

  /// Many replicas take their turns at once, and a snapshot refers to the journal that came of its own replica's turn: it
  /// is begun when that is on its way to the disk, whoever asks for it.
  @Test func aSnapshotIsNotBegunBeforeItsJournalIsOnItsWay() throws {
    let cluster = try makeCluster(seed: 114, commands: 1_000_000)
    let node = try cluster.node(0)
    let replicas = ledgers(cluster, 0)
    // The first asks for it whenever anything happens, and it is always the last one's turn.
    replicas[0].snapshots.failed(retryAt: .max)
    try earn(cluster, rounds: 40, tag: "d") {
      replicas[0].isDirty = true
      replicas[0].applying.wantsPause = true
      if node.snapshots.underWay == nil { replicas[2].snapshots.want() }
    }
    #expect(node.snapshots.counters.taken > 5)
    let failed = cluster.simulation.log.filter { $0.contains("snapshot failed") }
    #expect(failed.isEmpty, "\(failed.first ?? "")")
  }

  /// The same where an entry was ended between two turns, as for `AUDIT read=local`; and who waits for what came of it is
  /// answered.
  @Test func aSnapshotIsOfWhatWasAppliedBetweenTurnsToo() throws {
    let cluster = try makeCluster(seed: 115, commands: 1_000_000, applyWork: 1)
    var ended = 0
    try earn(cluster, rounds: 20, tag: "e") {
      for host in 0..<3 {
        guard let node = cluster.simulation.hosts[host].node, node.snapshots.underWay == nil else { continue }
        for replica in ledgers(cluster, host) where replica.applying.isMidEntry {
          replica.endOpenEntry()
          #expect(replica.isDirty)
          node.snapshots.takeWholeSoon(of: replica)
          node.carryOver()
          ended += 1
          break
        }
      }
    }
    #expect(ended > 20)
    let failed = cluster.simulation.log.filter { $0.contains("snapshot failed") }
    #expect(failed.isEmpty, "\(failed.first ?? "")")
  }

  /// The next that is asked for is whose log holds back the rest, or whom a follower needs.
  @Test func whoIsWaitedForIsNext() throws {
    let cluster = try makeCluster(seed: 113, commands: 1_000_000)
    try earn(cluster, rounds: 3, tag: "c")
    let node = try cluster.node(0)
    let replicas = ledgers(cluster, 0)
    node.snapshots.takeWholeSoon(of: replicas[2])
    node.carryOver()
    #expect(node.snapshots.underWay == replicas[2].shard)
    node.snapshots.takeWholeSoon(of: replicas[0])
    node.carryOver()
    #expect(node.snapshots.underWay == replicas[2].shard && !replicas[0].snapshots.isRunning)
    let isNext = cluster.simulation.run(for: 5_000_000) { node.snapshots.underWay == replicas[0].shard }
    #expect(isNext)
    let isOver = cluster.simulation.run(for: 5_000_000) { node.snapshots.underWay == nil }
    #expect(isOver && replicas.allSatisfy { !$0.snapshots.isWanted })
  }
}
