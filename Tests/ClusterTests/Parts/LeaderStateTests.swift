import Base
import Ledger
import Raft
import Testing

@testable import Cluster

/// What begins anew with each leadership.
@Suite struct LeaderStateTests {
  @Test func aLeaderHasTakenOverOnceWhatItFoundIsApplied() {
    let leading = LeaderState(found: LogIndex(7), lastStamp: .zero)
    #expect(leading.isLeading && !leading.hasTakenOver(applied: LogIndex(6)))
    #expect(leading.hasTakenOver(applied: LogIndex(7)) && leading.hasTakenOver(applied: LogIndex(8)))
  }

  @Test func aReplicaThatDoesNotLeadHasTakenOverNothing() {
    let leading = LeaderState()
    #expect(!leading.isLeading && !leading.hasTakenOver(applied: LogIndex(9)))
  }

  @Test func stampsArePassedForGood() {
    var leading = LeaderState(found: LogIndex(7), lastStamp: Stamp(microseconds: 5))
    leading.passed(Stamp(microseconds: 9))
    leading.passed(Stamp(microseconds: 8))
    #expect(leading.lastStamp == Stamp(microseconds: 9))
  }

  /// One that has led, and leads again.
  @Test func nothingOfALeadershipIsLeftInTheNext() throws {
    let raft = try RaftGroup(
      node: NodeID(1), options: RaftOptions(), seed: 1, hardState: HardState(), snapshotIndex: LogIndex(0),
      snapshotTerm: Term(0), configuration: Configuration(founders: [NodeID(1)]), entries: [])
    let replica = Replica(shard: .directory, machine: DirectoryMachine(), raft: raft)
    func turn() {
      repeat {
        replica.turn(clock: Stamp(microseconds: 10), earliest: nil)
        for persist in replica.outbox.persist { replica.persisted(persist.sequence) }
        defer { replica.outbox = ReplicaOutbox() }
        if replica.outbox.persist.isEmpty { break }
      } while true
    }
    replica.campaign()
    turn()
    #expect(replica.isLeader && replica.leading.isLeading && replica.leading.lastStamp == .zero)
    replica.leading.catalogueVersion = 4
    replica.leading.operationRevisions[1] = 1
    replica.leading.semantics = 9
    replica.leading.passed(Stamp(microseconds: 900))
    _ = replica.leading.waiters.add(Origin(edge: 1, sequence: 1), for: TransactionID(rawValue: 7))
    _ = replica.leading.markers.add(
      Marker(stamp: Stamp(microseconds: 900_000), envelope: [], origin: .nobody), clock: .zero)
    replica.gather.add(marker: [1], for: .nobody, at: Stamp(microseconds: 900))
    _ = replica.edges.receive(0, of: 1, from: 1, isOpen: true)
    replica.stepDown()
    replica.turn(clock: Stamp(microseconds: 20), earliest: nil)
    #expect(!replica.leading.isLeading && replica.gather.isEmpty)
    #expect(replica.outbox.doubts.map(\.edge) == [1], "the edge is told")
    replica.campaign()
    turn()
    let leading = replica.leading
    #expect(leading.isLeading && leading.catalogueVersion == 0 && leading.operationRevisions.isEmpty)
    #expect(leading.semantics == Semantics.first && leading.lastStamp == replica.machine.lastStamp)
    #expect(leading.waiters.isEmpty && leading.markers.isEmpty && leading.proposals.isEmpty)
  }
}
