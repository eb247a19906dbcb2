import Base
import CommandSupport
import Ledger
import Testing

@testable import Cluster
@testable import Simulator

/// Replicas compare their states, and one that differs stops itself.
@Suite struct ReplicaDigestTests {
  /// A cluster in which one replica's ledger, the leader's or not, has a member that no other has.
  private func makeCorrupt(seed: UInt64, leader isLeader: Bool) throws -> (Simulation, leader: Int, victim: Int) {
    let simulation = try makeCluster(seed: seed, shards: 1)
    let leading = simulation.hosts.first { $0.node?.replicas[ShardID(1)]?.isLeader == true }?.number
    let leader = try #require(leading)
    let victim = isLeader ? leader : (leader + 1) % 3
    try corrupt(simulation, victim)
    try populate(simulation)
    return (simulation, leader, victim)
  }

  /// As a defect or a flipped bit of memory might. The shard's log has a leader's first entry and no command as yet, so
  /// the ledger takes another entry for it.
  private func corrupt(_ simulation: Simulation, _ host: Int) throws {
    let machine = try #require(simulation.hosts[host].node?.replicas[ShardID(1)]?.machine as? LedgerMachine)
    var command = ByteBuffer(capacity: 256)
    Array("eve".utf8).withUnsafeBytes { id in
      Command.appendMemberAdd(to: &command, context: CommandContext(fingerprint: 1), member: id)
    }
    var payload = ByteBuffer(capacity: 256)
    EntryHeader(
      stamp: Stamp(microseconds: machine.lastStamp.microseconds + 1), catalogueVersion: machine.catalogueVersion,
      commandCount: 1
    )
    .encode(into: &payload)
    payload.append(command.bytes)
    var reply = ReplyWriter(capacity: 256)
    var cursor = machine.begin(payload.bytes, index: machine.lastIndex)
    var work = Int.max
    let isOver = machine.apply(payload.bytes, from: &cursor, until: .max, work: &work, into: &reply) {
      _, outcome, _, _ in #expect(outcome == .replied)
    }
    #expect(isOver)
  }

  private func isStopped(_ simulation: Simulation, _ host: Int) -> Bool {
    simulation.hosts[host].node?.replicas[ShardID(1)]?.quarantined != nil
  }

  @Test func aFollowerThatDiffersStopsItselfAndTheOthersGoOn() throws {
    let (simulation, _, victim) = try makeCorrupt(seed: 81, leader: false)
    let client = try #require(simulation.connect(to: (victim + 1) % 3))
    // No audit: that so many entries went by is enough.
    for i in 0..<Int(DigestComparison.interval) + 1 where !isStopped(simulation, victim) {
      #expect(ask(simulation, client, "EARN ann merchant=shop points=1 id=r\(i)")?.hasPrefix("+tx=") == true)
    }
    simulation.run(for: 500_000)
    #expect(isStopped(simulation, victim))
    #expect(simulation.log.contains { $0.contains("shard 1 is quarantined here") })
    #expect((0..<3).count { isStopped(simulation, $0) } == 1)
    // What it has is never written down.
    #expect(try #require(simulation.hosts[victim].node?.replicas[ShardID(1)]).beginSnapshot()?.index == nil)
    // All have heard of it.
    #expect((0..<3).allSatisfy { status(simulation, $0)?.contains("healthy=no") == true })
    #expect((0..<3).allSatisfy { status(simulation, $0)?.contains("alarms=CORRUPT") == true })
    // Nothing wrong is told at the node, and it serves on.
    let there = try #require(simulation.connect(to: victim))
    #expect(ask(simulation, there, "MEMBER SHOW eve read=local")?.hasPrefix("-") == true)
    #expect(ask(simulation, there, "EARN ann merchant=shop points=1 id=last")?.hasPrefix("+tx=") == true)
  }

  @Test func aCheckFindsOneThatDiffers() throws {
    let (simulation, leader, victim) = try makeCorrupt(seed: 84, leader: false)
    let third = try #require((0..<3).first { $0 != leader && $0 != victim })
    let client = try #require(simulation.connect(to: third))
    let lines = askAll(simulation, client, "CLUSTER CHECK")
    #expect(lines.contains("+kind=digest shard=1 text=\"its replicas are not in the same state\""), "\(lines)")
    #expect(isStopped(simulation, victim))
  }

  @Test func aLeaderThatDiffersStopsItselfAndAnotherLeads() throws {
    let (simulation, leader, _) = try makeCorrupt(seed: 82, leader: true)
    let client = try #require(simulation.connect(to: (leader + 1) % 3))
    simulation.send("AUDIT\n", on: client)
    simulation.run(for: 3_000_000) { isStopped(simulation, leader) }
    #expect(isStopped(simulation, leader))
    simulation.run(for: 10_000_000)
    let later = try #require(simulation.connect(to: leader))
    #expect(ask(simulation, later, "EARN ann merchant=shop points=4 id=a")?.contains(" balance=4") == true)
    #expect((0..<3).count { isStopped(simulation, $0) } == 1)
  }

  @Test func whoDiffersIsSaidOnceAMajorityAgrees() {
    let right = StateDigest(a: 1, b: 2, chain: 3)
    let wrong = StateDigest(a: 1, b: 2, chain: 4)
    let voters = [NodeID(1), NodeID(2), NodeID(3)]
    var comparison = DigestComparison()
    #expect(comparison.note(right, at: LogIndex(5), of: NodeID(1), voters: voters) == .agreement)
    #expect(comparison.note(wrong, at: LogIndex(6), of: NodeID(2), voters: voters) == .agreement)
    #expect(comparison.note(wrong, at: LogIndex(5), of: NodeID(2), voters: voters) == .split)
    #expect(comparison.note(right, at: LogIndex(5), of: NodeID(3), voters: voters) == .deviants([NodeID(2)]))
    // A learner's word is no vote.
    #expect(comparison.note(wrong, at: LogIndex(7), of: NodeID(4), voters: voters) == .agreement)
    #expect(comparison.note(right, at: LogIndex(7), of: NodeID(1), voters: voters) == .split)
    #expect(comparison.note(right, at: LogIndex(7), of: NodeID(2), voters: voters) == .deviants([NodeID(4)]))
    _ = comparison.note(wrong, at: LogIndex(8), of: NodeID(4), voters: voters)
    _ = comparison.note(wrong, at: LogIndex(8), of: NodeID(5), voters: voters)
    #expect(comparison.note(right, at: LogIndex(8), of: NodeID(1), voters: voters) == .split)
  }
}
