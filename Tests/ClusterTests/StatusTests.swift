import Base
import Raft
import Testing

@testable import Cluster
@testable import Simulator

/// What nodes tell each other of the shards that they lead.
@Suite struct StatusTests {
  private func row(_ shard: UInt32, _ random: inout SeededGenerator) -> NodeStatus.Led {
    NodeStatus.Led(
      shard: ShardID(shard), term: Term(random.next() % 3), commit: LogIndex(random.next() % 4), applied: LogIndex(3),
      catalogueVersion: 1, closed: Stamp(microseconds: 100), closedIndex: LogIndex(1),
      hasTakenOver: random.next() % 2 == 0)
  }

  /// Beyond a minority lost it halts, and says so.
  @Test func aShardWithoutALeaderSaysSoAndWhatItLacks() throws {
    let simulation = try makeCluster(seed: 31, shards: 1)
    func told() -> [String] { simulation.log.filter { $0.contains("has had no leader") } }
    simulation.kill(1)
    simulation.run(for: 30_000_000)
    #expect(told().isEmpty)
    simulation.kill(2)
    simulation.run(for: 9_000_000)
    #expect(told().isEmpty)
    simulation.run(for: 6_000_000)
    let lines = told()
    #expect(lines.contains { $0.contains("the directory has had no leader for 10 s") }, "\(lines)")
    #expect(lines.contains { $0.contains("shard=1 ") && $0.contains("1 of its 3 voters are in reach, 2 are needed") })
    #expect(lines.count == 2)
    simulation.start(1)
    simulation.run(for: 30_000_000)
    #expect(told().count == 2)
  }

  /// Ten times a second a peer says that nothing has changed: then only the directory's leader is listened to.
  @Test func aTableIsLookedThroughForWhatIsNew() {
    var random = SeededGenerator(seed: 9)
    var (told, heard) = (LedTable(), LedTable())
    var current = (0..<5).map { row($0, &random) }
    func looked(shards: Int = 5, isComplete: Bool = true) -> Int {
      let status = told.changes(to: current, replicas: 3)
      told.set(current)
      let isTrue = heard.apply(status)
      #expect(isTrue)
      return heard.news(status, isComplete: isComplete, shards: shards).count
    }
    #expect(looked() == 5 && looked() == 1 && looked() == 1)
    current[3].commit = LogIndex(9)
    #expect(looked() == 5 && looked() == 1, "a row has changed")
    for i in current.indices { current[i].closed = Stamp(microseconds: 200) }
    #expect(looked() == 5 && looked() == 1, "the stamp of all has")
    #expect(looked(shards: 6) == 5 && looked(shards: 6) == 1, "there are tables for more of them")
    #expect(looked(shards: 6, isComplete: false) == 5 && looked(shards: 6) == 5 && looked(shards: 6) == 1)
  }

  /// The table of who hears is that of who tells, whatever comes, goes and changes; one that missed something knows it.
  @Test(arguments: 1...20) func aTableFollowsFromItsChanges(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var told = LedTable()
    var heard = LedTable()
    var current: [NodeStatus.Led] = []
    var mismatches = 0
    for round in 0..<200 {
      let stamp = Stamp(microseconds: Int64(1_000 + round))
      current.removeAll { _ in random.next() % 20 == 0 }
      if random.next() % 3 == 0 {
        let shard = UInt32(random.next() % 30)
        current.removeAll { $0.shard == ShardID(shard) }
        current.append(row(shard, &random))
        current.sort { $0.shard < $1.shard }
      }
      for i in current.indices where random.next() % 5 > 0 { current[i].closed = stamp }
      let status = told.changes(to: current, replicas: 3)
      told.set(current)
      if random.next() % 10 == 0 {
        // This one is lost. If anything of it counted, the next is seen not to fit.
        mismatches += 1
        continue
      }
      if !heard.apply(status) {
        for row in heard.rows { #expect(current.contains(row)) }
        let isWhole = heard.apply(LedTable.whole(current, replicas: 3))
        #expect(isWhole)
      }
      for (mine, theirs) in zip(heard.rows, current) {
        var expected = theirs
        expected.closed = mine.closed
        #expect(mine == expected && mine.closed <= theirs.closed)
      }
      #expect(heard.rows.count == current.count)
    }
    #expect(mismatches > 5)
  }

  @Test func idleShardsAreNotNamed() throws {
    let simulation = try makeCluster(seed: 51, shards: 32)
    simulation.run(for: 6_000_000)
    func told() -> UInt64 { simulation.hosts.reduce(0) { $0 + ($1.node?.status.rowsTold ?? 0) } }
    let before = told()
    simulation.run(for: 10_000_000)
    // 33 shards, ten times a second, would be 3,300.
    #expect(told() - before < 200)
    // Yet all of them are known to be led, and closed up to now.
    for host in simulation.hosts {
      let node = try #require(host.node)
      for peer in node.peers where peer.index != 0 {
        let leader = try #require(simulation.hosts.first { $0.node?.view.identity == peer.id }?.node)
        #expect(peer.leads.rows.map(\.shard) == leader.replicas.filter(\.isLeader).map(\.shard))
      }
      for replica in node.replicas where !replica.isLeader && replica.shard != .directory {
        let age = Simulation.epoch + Int64(simulation.now) - replica.closedTime.microseconds
        // Three beats from one round to the next; and for one beat each its answers, and the leader's word of it, may wait.
        #expect(age < 600_000, "shard \(replica.shard.rawValue) \(age)")
      }
    }
  }

  @Test func aTableThatIsWrongIsMadeAnew() throws {
    let simulation = try makeCluster(seed: 52, shards: 8)
    simulation.run(for: 6_000_000)
    let node = try #require(simulation.hosts[0].node)
    let peer = try #require(node.peers.last)
    let known = peer.leads.rows.map(\.shard)
    #expect(!known.isEmpty)
    peer.leads = LedTable()
    simulation.run(for: 500_000)
    #expect(peer.leads.rows.map(\.shard) == known)
  }
}
