import Base
import Ledger
import Raft
import Storage
import Testing

@testable import Cluster
@testable import Simulator

/// How replicas begin: founders with what their group began with, others with nothing, and those that left not at all.
@Suite struct FoundingTests {
  private let shard = ShardID(1)

  private func replica(_ simulation: Simulation, _ host: Int) -> Replica? {
    simulation.hosts[host].node?.replicas[shard]
  }
  private func populatedCluster(seed: UInt64) throws -> Simulation {
    let simulation = try makeCluster(seed: seed, shards: 2)
    try populate(simulation, members: ["m0", "m1", "m2", "m3"])
    return simulation
  }
  /// The log of a host that is down is told that the shard has left.
  private func bury(on host: Int, of simulation: Simulation, born: UInt64) throws {
    simulation.kill(host)
    let log = try WriteAheadLog(
      directory: "/data/wal", fileSystem: simulation.hosts[host].disk,
      options: .init(segmentBytes: 1 << 20, maxRecordBytes: 512 << 10))
    try log.write([LogRecord(shard: shard, body: .gone(born: born))])
    simulation.start(host)
    try #require(simulation.hosts[host].node != nil, "\(simulation.hosts[host].failure ?? "")")
  }

  @Test func everyFounderHasTheSameBeginningOfItself() throws {
    let simulation = try populatedCluster(seed: 71)
    for shard in (0...2).map({ ShardID($0) }) {
      var beginnings: Set<[LogEntry]> = []
      for host in 0..<3 {
        let group = try #require(simulation.hosts[host].node?.replicas[shard]).raft
        #expect(group.id.born == 1 && group.configuration.version == 1)
        let first = Array(group.entries(after: LogIndex(0)).prefix(2))
        #expect(Founding.isWhole(in: first))
        // Else the first client would be refused what all nodes know.
        #expect(EntryHeader.semantics(of: first[1].payload) == Semantics.newest)
        let configuration = try Configuration(payload: first[0].payload)
        #expect(configuration == group.configuration && configuration.voters.count == 3)
        beginnings.insert(first)
      }
      #expect(beginnings.count == 1)
    }
  }

  @Test func aReplicaThatLeftIsNotRaisedByMessagesThatAreMeantForIt() throws {
    let simulation = try populatedCluster(seed: 72)
    try bury(on: 2, of: simulation, born: 1)
    simulation.run(for: 10_000_000)
    #expect(replica(simulation, 2) == nil)
    #expect(simulation.hosts[2].node?.replicas[ShardID(2)] != nil)
    let leader = (0..<2).compactMap { replica(simulation, $0) }.first { $0.isLeader }
    #expect(leader?.raft.progress.contains { !$0.isActive } == true, "nobody answers there")
  }

  /// Who leads the shard, once it can take a change of its members.
  private func leader(_ simulation: Simulation) -> Replica? {
    (0..<simulation.hosts.count).compactMap { replica(simulation, $0) }.first {
      $0.raft.hasCommittedInOwnTerm && !$0.raft.configuration.isJoint && !$0.outbox.isSucceeded
    }
  }
  /// Has the group know these hosts' nodes as its voters, and no other.
  private func change(_ simulation: Simulation, votersOn hosts: [Int]) throws {
    let wanted = hosts.compactMap { simulation.hosts[$0].nodeID }.sorted()
    let isChanged = simulation.run(for: 20_000_000) {
      guard let leader = leader(simulation) else { return false }
      let configuration = leader.raft.configuration
      if configuration.voters.map(\.node) == wanted { return true }
      _ = try? leader.raft.propose(voters: wanted, ifVersion: configuration.version)
      leader.isDirty = true
      return false
    }
    try #require(isChanged, "\(simulation.report)")
  }

  @Test func aNodeThatIsAddedAnewBeginsAnotherReplica() throws {
    let simulation = try populatedCluster(seed: 74)
    let follower = try #require((1..<3).first { replica(simulation, $0)?.isLeader == false })
    let others = (0..<3).filter { $0 != follower }
    // It hears nothing of its removal, and has what it had.
    simulation.kill(follower)
    try change(simulation, votersOn: others)
    try change(simulation, votersOn: [0, 1, 2])
    simulation.start(follower)
    let hasCaughtUp = simulation.run(for: 30_000_000) {
      guard let own = replica(simulation, follower), let leader = leader(simulation) else { return false }
      return own.raft.id.born > 1 && own.machine.lastIndex == leader.raft.lastIndex
    }
    try #require(hasCaughtUp, "\(simulation.report)")
    let born = try #require(replica(simulation, follower)).raft.id.born
    #expect(simulation.hosts[follower].node?.shards.absent.isGone(shard, born: 1) == true)
    #expect(simulation.hosts[follower].node?.shards.absent.isGone(shard, born: born) == false)
    // All of that is on its disk.
    simulation.cutPower(follower)
    simulation.start(follower)
    let isBack = simulation.run(for: 10_000_000) {
      (replica(simulation, follower)?.raft.leader ?? ReplicaID.none) != ReplicaID.none
    }
    try #require(isBack, "\(simulation.report)")
    #expect(replica(simulation, follower)?.raft.id.born == born)
    #expect(simulation.hosts[follower].node?.shards.absent.isGone(shard, born: 1) == true)
  }

  /// The power goes after any of the steps of the disk by which a replica leaves: nothing is lost or raised by it.
  @Test(arguments: [1, 3, 6, 10, 16, 24])
  func aCrashWhileAReplicaLeavesIsFinishedByTheNextStart(steps: Int) throws {
    let simulation = try populatedCluster(seed: 75)
    let follower = try #require((1..<3).first { replica(simulation, $0)?.isLeader == false })
    simulation.kill(follower)
    try change(simulation, votersOn: (0..<3).filter { $0 != follower })
    try change(simulation, votersOn: [0, 1, 2])
    simulation.start(follower)
    simulation.run(for: 20_000_000) { replica(simulation, follower) == nil && simulation.hosts[follower].node != nil }
    simulation.hosts[follower].disk.cutPower(afterSteps: steps)
    simulation.run(for: 2_000_000)
    simulation.start(follower)
    let hasCaughtUp = simulation.run(for: 30_000_000) {
      guard let own = replica(simulation, follower), let leader = leader(simulation) else { return false }
      return own.raft.id.born > 1 && own.machine.lastIndex == leader.raft.lastIndex
    }
    try #require(hasCaughtUp, "\(simulation.report)")
    #expect(replica(simulation, follower)?.raft.isDamaged == false)
    #expect(replica(simulation, follower)?.quarantined == nil)
  }

  @Test func aBeginningOfAnotherClusterIsNotKept() throws {
    let simulation = try populatedCluster(seed: 76)
    let topology = try #require(simulation.hosts[0].node?.membership.topology)
    let founding = Founding.shard(topology.shards[0], of: topology)
    func found(_ entries: [LogEntry], _ configuration: Configuration? = nil) -> RecoveredReplica {
      RecoveredReplica(
        shard: topology.shards[0].shard, hardState: HardState(), snapshotIndex: LogIndex(0), snapshotTerm: Term(0),
        configuration: configuration, entries: entries, machine: nil)
    }
    let more = LogEntry(index: LogIndex(3), term: Term(4), kind: .noop, payload: [])
    #expect(founding.isKept(by: found(founding.entries + [more])))
    #expect(founding.isKept(by: found([more], .empty)))
    #expect(!founding.isKept(by: found([])) && !founding.isKept(by: found([founding.entries[0]])))
    var other = topology
    other.hashKey = HashKey(low: 2, high: 1)
    #expect(!founding.isKept(by: found(Founding.shard(topology.shards[0], of: other).entries)))
  }
}

/// Replicas that left, without a cluster.
@Suite struct AbsentReplicasTests {
  private let shard = ShardID(3)
  private func jobs(_ absent: inout AbsentReplicas, but busy: ShardID? = nil) -> Int {
    var out = NodeOutput()
    absent.clearAway(but: busy, &out)
    return out.jobs.count
  }

  /// The log has what its journal lacks, until that is durable.
  @Test func theTombstoneWaitsForTheJournal() {
    var absent = AbsentReplicas(tombstones: [:])
    absent.leave(shard, born: 2)
    #expect(absent.isAnyLeaving && absent.isGone(shard, born: 2) && !absent.admits(shard, born: 3))
    var out = NodeOutput()
    absent.clearAway(but: nil, &out)
    absent.clearAway(but: nil, &out)
    guard out.jobs.count == 1, case .closeJournal(shard) = out.jobs[0] else {
      Issue.record("\(out.jobs)")
      return
    }
    absent.written(through: 9)
    #expect(jobs(&absent) == 0 && absent.closed(shard, isDone: false) == nil)
    #expect(jobs(&absent) == 1, "it is tried again")
    #expect(absent.closed(shard, isDone: true) == 2 && absent.closed(shard, isDone: true) == nil)
    absent.bury(shard, born: 2, batch: 10)
    absent.written(through: 10)
    absent.isSweepDue = false
    #expect(jobs(&absent) == 1 && !absent.isSweepDue)
    absent.cleared(shard, isDone: true)
    #expect(!absent.isAnyLeaving && absent.isSweepDue, "nobody may need its journal now")
  }
  @Test func filesGoOnceTheTombstoneIsDurable() {
    var absent = AbsentReplicas(tombstones: [:])
    #expect(absent.admits(shard, born: 2))
    absent.bury(shard, born: 2, batch: 7)
    #expect(jobs(&absent) == 0)
    absent.written(through: 6)
    #expect(jobs(&absent) == 0)
    absent.written(through: 7)
    #expect(jobs(&absent, but: shard) == 0, "a snapshot of it is being written")
    #expect(jobs(&absent, but: ShardID(4)) == 1 && jobs(&absent) == 0)
  }
  @Test func aSuccessorBeginsOnceNothingIsLeft() {
    var absent = AbsentReplicas(tombstones: [:])
    absent.bury(shard, born: 2, batch: 1)
    absent.written(through: 1)
    #expect(jobs(&absent) == 1 && !absent.admits(shard, born: 3))
    absent.cleared(shard, isDone: false)
    #expect(jobs(&absent) == 1 && !absent.admits(shard, born: 3), "it is tried again")
    absent.cleared(shard, isDone: true)
    #expect(jobs(&absent) == 0)
    #expect(absent.admits(shard, born: 3) && !absent.admits(shard, born: 2) && !absent.admits(shard, born: 1))
    #expect(absent.admits(ShardID(4), born: 1))
  }
  @Test func tombstonesAreKeptAndNeverFall() {
    var absent = AbsentReplicas(tombstones: [shard: 9])
    #expect(absent.isGone(shard, born: 9) && !absent.isGone(shard, born: 10))
    absent.bury(shard, born: 4, batch: 1)
    #expect(absent.isGone(shard, born: 9))
  }
}
