import Base

/// Which node this is, in which of its lives: fixed from its start to its end.
struct NodeIdentity {
  let id: NodeID
  let proof: Proof
  /// This start, and the last one of this directory that had the node's seat: see `Seat`.
  let life: LifeID
  let predecessor: LifeID
  /// See `RecoveredNode`.
  let fence: UInt64
  /// The key of a cluster that begins by this node.
  let newHashKey: HashKey
  /// - Parameter nonce: random.
  init(of storage: RecoveredNode, nonce: UInt64, newHashKey: HashKey) {
    self.init(
      id: storage.identity, proof: storage.proof, life: LifeID(incarnation: storage.incarnation, nonce: nonce),
      predecessor: storage.predecessor, fence: storage.fence, newHashKey: newHashKey)
  }
  init(id: NodeID, proof: Proof, life: LifeID, predecessor: LifeID, fence: UInt64, newHashKey: HashKey) {
    self.id = id
    self.proof = proof
    self.life = life
    self.predecessor = predecessor
    self.fence = fence
    self.newHashKey = newHashKey
  }

  /// Rises with each start: a restarted node is not taken for what it was.
  var incarnation: UInt64 { life.incarnation }
}
