import Base
import Raft

/// A shard as found on disk when the node started.
public struct RecoveredReplica {
  package var shard: ShardID
  package var hardState: HardState
  package var snapshotIndex: LogIndex
  package var snapshotTerm: Term
  /// Nil: there was no snapshot; the log tells it, if it has its beginning.
  package var configuration: Configuration?
  package var entries: [LogEntry]
  /// Nil: an empty one.
  package var machine: RestoredMachine?

  package init(
    shard: ShardID, hardState: HardState, snapshotIndex: LogIndex, snapshotTerm: Term, configuration: Configuration?,
    entries: [LogEntry], machine: RestoredMachine?
  ) {
    self.shard = shard
    self.hardState = hardState
    self.snapshotIndex = snapshotIndex
    self.snapshotTerm = snapshotTerm
    self.configuration = configuration
    self.entries = entries
    self.machine = machine
  }
}

/// All that a node finds on its disk when it starts.
public struct RecoveredNode: @unchecked Sendable {
  public let identity: NodeID
  /// See `Proof`.
  package let proof: Proof
  /// Rises with each start, whatever the wall clock does.
  package let incarnation: UInt64
  /// The last life of this directory that had the node's seat.
  package let predecessor: LifeID
  /// The number of the last batch in its log.
  package let logPosition: UInt64
  /// See `ClusterPlan`.
  package let promise: [UInt8]?
  package let shards: [RecoveredReplica]
  /// By which version of its configuration the last replica of a shard was born that has left this node.
  package let tombstones: [ShardID: UInt64]
  /// What had rotted, a line each for the operator.
  package var warnings: [String] = []
  /// Not 0: the log lost states, perhaps of shards that left no other trace: a replica that is not among `shards` may have
  /// voted all the same. The life of such a replica.
  package var fence: UInt64 = 0
  /// Which entry each replica is applying; and at which ones earlier processes died.
  package let note: ApplyingNote
  package let deaths: [ShardID: ApplyingNote.Death]

  package init(
    identity: NodeID, proof: Proof, incarnation: UInt64, predecessor: LifeID, logPosition: UInt64, promise: [UInt8]?,
    shards: [RecoveredReplica], tombstones: [ShardID: UInt64], warnings: [String], fence: UInt64, note: ApplyingNote,
    deaths: [ShardID: ApplyingNote.Death]
  ) {
    self.identity = identity
    self.proof = proof
    self.incarnation = incarnation
    self.predecessor = predecessor
    self.logPosition = logPosition
    self.promise = promise
    self.shards = shards
    self.tombstones = tombstones
    self.warnings = warnings
    self.fence = fence
    self.note = note
    self.deaths = deaths
  }
}
