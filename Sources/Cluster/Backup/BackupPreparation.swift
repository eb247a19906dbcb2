import Base
import Ledger
import Storage

/// What a node fetches of a backup for the replicas that it is to begin with: from the node that makes the cluster, one after the
/// other. It is received as a follower's snapshot is, and installed once the cluster begins.
final class BackupPreparation {
  enum Phase {
    case fetching
    /// All is here.
    case waitingForClock
    case prepared
    case installing
  }
  let plan: ClusterPlan
  var phase = Phase.fetching
  /// The directory last: with its snapshot the node belongs to the cluster.
  let shards: [ShardID]
  /// By shard: the number of its transfer, and what has come by that, which counts once the cluster begins.
  var staged: [ShardID: (number: UInt64, part: LoadedPart)] = [:]
  var pull: BackupPull?
  var number: UInt64 = 0
  /// From where on the file is wanted.
  var fileOffset: UInt64 = 0
  var request: UInt64?
  var link: LinkID?
  var isReady = false
  /// The disk verifies and reads the file that came last: an earlier process may have begun it, and power gone.
  var isChecking = false
  var nextHead: UInt64 = 0
  var nextLink: UInt64 = 0
  var hasWarned = false
  var installed: [LoadedSnapshot] = []

  init(_ plan: ClusterPlan, at me: NodeID) {
    self.plan = plan
    shards = plan.topology.shards.filter { $0.voters.contains(me) }.map(\.shard).sorted() + [.directory]
  }
  var next: ShardID? { shards.first { staged[$0] == nil } }
}

/// What the node that makes a cluster of a backup gives to the others.
struct BackupExports {
  enum Export {
    case underWay
    case done(BackupHead)
    case failed(String)
  }
  var topology: Topology
  var exports: [ShardID: Export] = [:]
}
