import Base
import Testing

@testable import Raft

struct ConfigurationHistoryTests {
  private func version(_ version: UInt64) -> Configuration { Configuration(voters: [ReplicaID(1)], version: version) }

  @Test func aConfigurationIsInForceOnceItIsCommittedAndInSnapshotsOnceItIsApplied() {
    var history = ConfigurationHistory(version(1))
    history.commit(version(2), at: LogIndex(5))
    #expect(history.current == version(2) && history.applied == version(1))
    history.apply(through: LogIndex(4))
    #expect(history.applied == version(1))
    history.apply(through: LogIndex(5))
    #expect(history.current == version(2) && history.applied == version(2))
  }
  @Test func ofSeveralThatAreAppliedAtOnceTheLastCounts() {
    var history = ConfigurationHistory(version(1))
    for (index, number) in [(5, 2), (6, 3), (9, 4)] as [(UInt64, UInt64)] {
      history.commit(version(number), at: LogIndex(index))
    }
    history.apply(through: LogIndex(8))
    #expect(history.current == version(4) && history.applied == version(3))
    history.apply(through: LogIndex(100))
    #expect(history.applied == version(4))
  }
}
