import Base
import Protocol
import Vocabulary

/// What a cluster is to begin with, and who makes it. All its nodes promise themselves to one plan before any of them begins,
/// and its coordinator alone says that it begins, or comes to nothing.
struct ClusterPlan: Hashable, Sendable {
  var coordinator: NodeID
  var topology: Topology
  var cluster: UInt64 { topology.cluster }

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(coordinator.rawValue)
    topology.encode(into: &buffer)
  }
  init(coordinator: NodeID, topology: Topology) {
    self.coordinator = coordinator
    self.topology = topology
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    coordinator = NodeID(try reader.read())
    topology = try Topology(decoding: &reader)
  }
}

/// What `CLUSTER INIT` asks for.
struct ClusterFigures: Hashable, Sendable {
  var shards: Int
  var replicas: Int
  var allowSingleRegion: Bool
  /// It is to begin with that backup, whose shards these are.
  var restoring: BackupOutline?

  /// Whether a cluster was begun with them.
  func match(_ first: Topology) -> Bool {
    restoring == nil && first.shards.count == shards && first.shards.allSatisfy { $0.voters.count == replicas }
  }
  init(shards: Int, replicas: Int, allowSingleRegion: Bool) {
    self.shards = shards
    self.replicas = replicas
    self.allowSingleRegion = allowSingleRegion
  }
  init(_ request: Request) {
    self.init(
      shards: Int(request.number(.shards) ?? 0), replicas: Int(request.number(.replicas) ?? 0),
      allowSingleRegion: request.flag(.allowSingleRegion))
  }

  var text: String { restoring == nil ? "shards=\(shards) replicas=\(replicas)" : "what a backup has" }
}

/// A cluster that this node is making.
struct Initialisation {
  enum Phase {
    /// Nodes that are known are not linked yet.
    case gathering
    /// The others are asked for their promise, once this node's own is durable.
    case asking
    /// All have promised; what begins the cluster is on its way to this node's disk, and then to theirs.
    case beginning
  }
  var phase = Phase.gathering
  var owner: EdgeItem.Owner
  var figures: ClusterFigures
  var deadline: UInt64
  var plan: ClusterPlan?
  /// Whose promise, or word that it has begun, is missing.
  var waiting: [NodeID] = []
  var nextAttempt: UInt64 = 0
}

/// Somebody who asked for a cluster while one was being made.
struct InitialisationWait {
  var owner: EdgeItem.Owner
  var figures: ClusterFigures
  var deadline: UInt64
}
