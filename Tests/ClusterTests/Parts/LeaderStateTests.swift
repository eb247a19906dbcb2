import Base
import Ledger
import Raft
import Testing

@testable import Cluster

/// What begins anew with each leadership.
@Suite struct LeaderStateTests {
  /// A replica that has no peers.
  private func lone() throws -> Replica {
    let raft = try RaftGroup(
      node: NodeID(1), options: RaftOptions(), seed: 1, hardState: HardState(), snapshotIndex: LogIndex(0),
      snapshotTerm: Term(0), configuration: Configuration(founders: [NodeID(1)]), entries: [])
    return Replica(shard: .directory, machine: DirectoryMachine(), raft: raft)
  }
  /// All that it can do, with a disk that is done at once.
  private func turn(_ replica: Replica) {
    var isOver = false
    while !isOver {
      replica.applying.allowance = 1_000
      replica.turn(clock: Stamp(microseconds: 10), earliest: nil)
      let persist = replica.outbox.persist
      replica.outbox = ReplicaOutbox()
      for write in persist { replica.persisted(write.sequence) }
      isOver = persist.isEmpty
    }
  }

  @Test func aLeaderHasTakenOverOnceWhatItFoundIsApplied() throws {
    let replica = try lone()
    #expect(!replica.hasTakenOver, "it does not lead")
    replica.campaign()
    turn(replica)
    #expect(replica.hasTakenOver && replica.leading.foundIndex == replica.machine.lastIndex)
    replica.leading = LeaderState(found: replica.machine.lastIndex + 1, lastStamp: .zero)
    #expect(!replica.hasTakenOver, "an entry that it found is not applied")
    replica.leading = LeaderState()
    #expect(!replica.hasTakenOver, "it has not taken notice that it leads")
  }

  @Test func stampsArePassedForGood() {
    var leading = LeaderState(found: LogIndex(7), lastStamp: Stamp(microseconds: 5))
    leading.passed(Stamp(microseconds: 9))
    leading.passed(Stamp(microseconds: 8))
    #expect(leading.lastStamp == Stamp(microseconds: 9))
  }

  /// One that has led, and leads again.
  @Test func nothingOfALeadershipIsLeftInTheNext() throws {
    let replica = try lone()
    replica.campaign()
    turn(replica)
    #expect(replica.isLeader && replica.leading.isLeading && replica.leading.lastStamp == .zero)
    replica.leading.catalogueVersion = 4
    replica.leading.operationRevisions[1] = 1
    replica.leading.semantics = 9
    replica.leading.passed(Stamp(microseconds: 900))
    _ = replica.leading.waiters.add(ReplyTo(edge: 1, sequence: 1), for: TransactionID(rawValue: 7))
    _ = replica.leading.markers.add(
      Marker(stamp: Stamp(microseconds: 900_000), envelope: [], replyTo: .nobody), clock: .zero)
    replica.gather.add(marker: [1], for: .nobody, at: Stamp(microseconds: 900))
    _ = replica.edges.receive(0, of: 1, from: 1, isOpen: true)
    replica.stepDown()
    replica.turn(clock: Stamp(microseconds: 20), earliest: nil)
    #expect(!replica.leading.isLeading && replica.gather.isEmpty)
    #expect(replica.outbox.doubts.map(\.edge) == [1], "the edge is told")
    replica.campaign()
    turn(replica)
    let leading = replica.leading
    #expect(leading.isLeading && leading.catalogueVersion == 0 && leading.operationRevisions.isEmpty)
    #expect(leading.semantics == Semantics.first && leading.lastStamp == replica.machine.lastStamp)
    #expect(leading.waiters.isEmpty && leading.markers.isEmpty && leading.proposals.isEmpty)
  }
}
