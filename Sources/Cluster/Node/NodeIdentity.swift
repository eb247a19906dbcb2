import Base

/// Which node this is, in which of its lives: fixed from its start to its end.
struct NodeIdentity {
  let id: NodeID
  let proof: Proof
  /// This start, and the last one of this directory that had the node's seat: see `Node+Seat`.
  let life: LifeID
  let predecessor: LifeID
  /// See `RecoveredNode`.
  let fence: UInt64
  /// The key of a cluster that begins by this node.
  let newHashKey: HashKey
  /// Rises with each start: a restarted node is not taken for what it was.
  var incarnation: UInt64 { life.incarnation }
}
