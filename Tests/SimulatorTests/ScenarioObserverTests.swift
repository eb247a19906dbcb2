import Base
import Ledger
import Raft
import Testing

@testable import Cluster
@testable import Simulator

/// What a scenario's observer complains of, and what it does not.
@Suite struct ScenarioObserverTests {
  /// A replica whose log holds entries of term 1 up to `last`, and whose state none of them but those through `applied`.
  private func replica(_ node: UInt64, last: UInt64, applied: UInt64) throws -> Replica {
    let entries = (1...last).map { LogEntry(index: LogIndex($0), term: Term(1), kind: .noop, payload: []) }
    let raft = try RaftGroup(
      node: NodeID(node), options: RaftOptions(), seed: 1, hardState: HardState(), snapshotIndex: LogIndex(0),
      snapshotTerm: Term(0), configuration: Configuration(founders: (1...3).map { NodeID($0) }), entries: entries)
    let machine = LedgerMachine(Ledger(shard: ShardID(2)), lastIndex: LogIndex(applied))
    return Replica(shard: ShardID(2), machine: machine, raft: raft)
  }

  @Test func aReadIsHeldAgainstWhatWasCommittedAndNotWhatWasAcknowledged() throws {
    let observer = ScenarioObserver()
    var violations: [String] = []
    observer.violationFound = { violations.append($0) }
    let leader = try replica(1, last: 5, applied: 4)
    let follower = try replica(2, last: 9, applied: 3)
    // Entry 4 is committed; 9 is on the disk of a node that dies, and starts without it.
    let entry = try #require(leader.raft.entries(after: LogIndex(3)).first)
    observer.applied(entry, ReplicaView(replica: leader))
    observer.acknowledges(ReplicaView(replica: follower), through: LogIndex(9))
    observer.starts(ReplicaView(replica: try replica(2, last: 4, applied: 3)))
    observer.readBegins(ReplicaView(replica: leader), round: 1)
    observer.readEnds(ReplicaView(replica: leader), round: 1)
    #expect(violations.isEmpty, "\(violations)")
    let behind = try replica(1, last: 5, applied: 3)
    observer.readBegins(ReplicaView(replica: behind), round: 2)
    observer.readEnds(ReplicaView(replica: behind), round: 2)
    #expect(violations.count == 1 && violations.first?.contains("though 4 was committed") == true, "\(violations)")
    // What another applied it had acknowledged, and has no more.
    observer.acknowledges(ReplicaView(replica: leader), through: LogIndex(4))
    observer.starts(ReplicaView(replica: try replica(1, last: 3, applied: 3)))
    #expect(violations.count == 2 && violations.last?.contains("had acknowledged 4") == true, "\(violations)")
  }
}
