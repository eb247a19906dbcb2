import Base

@testable import Cluster

extension Replica {
  /// As leader: the other voter that has most of the log.
  var mostCompleteVoter: NodeID? { raft.progress.filter(\.isVoter).max { $0.match < $1.match }?.id }
}
