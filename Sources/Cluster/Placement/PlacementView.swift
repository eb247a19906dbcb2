import Base
import Raft

/// What a plan of placement goes by: the nodes, the shards and the rules, as values. Planning is pure: the same view gives
/// the same plan.
struct PlacementView {
  struct Node {
    var id: NodeID
    var region: String
    /// It may be given replicas: up, not draining, its disk has room. It keeps the replicas that it holds.
    var takesReplicas = true
    /// It may be given leads: up, not draining, nothing ails it.
    var mayLead = true
    /// It is to hold nothing: it is removed, or dead.
    var isLeaving = false
  }
  struct Shard {
    var shard: ShardID
    var voters: [NodeID]
    /// Who is to lead it while all is well; nil: nobody yet.
    var leader: NodeID?
    /// Of its state and journals: the cost of a new replica.
    var bytes: UInt64 = 0
    /// From where it is to be led.
    var lead = PlacementRules.Lead.any
    /// Another operation has it, or it is not well: it counts, and does not move.
    var isHeld = false
  }
  /// In the order of their ids.
  let nodes: [Node]
  /// In the order of their numbers.
  let shards: [Shard]
  /// Voters that each shard is to have.
  let replicas: Int
  /// By region: how many voters of one shard it may have, all others none; nil: as even as there are regions.
  let limits: [String: Int]?

  init(nodes: [Node], shards: [Shard], replicas: Int, limits: [String: Int]? = nil) {
    self.limits = limits
    self.nodes = nodes.sorted { $0.id < $1.id }
    self.shards = shards.sorted { $0.shard < $1.shard }
    self.replicas = replicas
  }

  /// Whether nodes may be given replicas, and so count where loads are to be even.
  func isOpen(_ node: Int) -> Bool { nodes[node].takesReplicas && !nodes[node].isLeaving }
}

/// A replica that goes from a node to another. Without `from` it is one more, without `to` one less.
struct ReplicaMove: Equatable {
  var shard: ShardID
  var from: NodeID?
  var to: NodeID?
  /// 0 where nothing is copied.
  var bytes: UInt64
  /// Its bytes cross regions: the shard had no voter in the region that it goes to.
  var isBetweenRegions: Bool
}

/// A lead that goes from a voter to another.
struct LeaderMove: Equatable {
  var shard: ShardID
  var from: NodeID?
  var to: NodeID
}
