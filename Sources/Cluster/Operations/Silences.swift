import Base
import Raft
import Vocabulary

/// Since when nodes have been silent, as the directory's leader counts it: from when it leads, and while its own link and a
/// majority of the others say so without a break. One bad link is no dead node.
struct Silences {
  /// What is known now.
  struct View {
    /// Monotonic, µs.
    var now: UInt64
    /// This long, in µs; nil: no node is ever dead.
    var deadAfter: UInt64?
    /// This node.
    var own: NodeID
    /// All nodes of the cluster.
    var members: [NodeID]
    /// Those that this node does not hear.
    var silent: Set<NodeID>
    /// By node that this one hears: whom it does not hear.
    var reports: [NodeID: Set<NodeID>]
  }
  /// By node, on the monotonic clock.
  private var since: [NodeID: UInt64] = [:]
  /// When this leader began to count.
  private var began: UInt64?

  /// Nodes that have been silent for so long that they are to be replaced; in order. None while more than a third of all is
  /// silent: then the trouble is elsewhere.
  mutating func dead(_ view: View) -> [NodeID] {
    let found = view.members.filter { view.silent.contains($0) && Silences.isConfirmed($0, view) }
    let began = began ?? view.now
    self.began = began
    // Who is called silent has been so for a while.
    let heard = max(began, view.now - min(view.now, NodeRemove.silence))
    since = Dictionary(uniqueKeysWithValues: found.map { ($0, since[$0] ?? heard) })
    let silent = view.members.count { view.silent.contains($0) }
    guard let deadAfter = view.deadAfter, silent * 3 <= view.members.count else { return [] }
    return found.filter { view.now - min(view.now, since[$0] ?? view.now) >= deadAfter }.sorted()
  }
  /// Something is done about a node: its time begins anew.
  mutating func restart(_ node: NodeID, now: UInt64) { since[node] = now }
  private static func isConfirmed(_ node: NodeID, _ view: View) -> Bool {
    let others = view.members.filter { $0 != node && $0 != view.own }
    return others.isEmpty || others.count { view.reports[$0]?.contains(node) == true } * 2 > others.count
  }
}

/// Nodes that are lost are replaced without anybody's asking, as `CLUSTER NODE REMOVE N dead=yes` would.
extension ShardDesk {
  /// With each heartbeat, at the directory's leader.
  func heal(_ replica: Replica) {
    guard replica.hasTakenOver, let directory, let topology = membership.topology else { return }
    let limit = directory.clusterLimits.deadAfter
    let dead = replica.leading.silences.dead(silences(topology, deadAfter: limit))
    let configuration = replica.raft.configuration
    // First the directory is to be whole, as far as it can be.
    guard !dead.isEmpty, !configuration.isJoint, configuration.voters.map(\.node) == topology.directoryVoters else {
      return
    }
    for node in dead where !isDone(node, directory, within: limit) {
      let plan = NodeRemove(dead: node, in: topology)
      // One that holds nothing is missed by nobody.
      let isMissed = !plan.shards.isEmpty || topology.directoryVoters.contains(node)
      guard isMissed, plan.refusal(in: topology) == nil else { continue }
      log(
        .warning,
        "node \(topology.name(of: node)) has been silent for \(Shape.span.text(of: limit)): its shards go to others")
      replica.leading.silences.restart(node, now: now.monotonic)
      return begin(OperationChild(plan), by: Operation.cluster, replica)
    }
  }
  private func silences(_ topology: Topology, deadAfter: Int64) -> Silences.View {
    let members = topology.nodes.filter { $0.state != .removed }.map(\.id)
    var view = Silences.View(
      now: now.monotonic, deadAfter: deadAfter == 0 ? nil : UInt64(deadAfter) * 1_000_000, own: peers.id,
      members: members, silent: Set(members.filter { peers.isSilent($0, now: now) }), reports: [:])
    for node in members where !view.silent.contains(node) {
      if let peer = peers[node], peer.isConnected { view.reports[node] = Set(peer.condition.silent) }
    }
    return view
  }
  /// An operation is under way on the node, or the cluster's own has come to an end of late: somebody has given it up.
  private func isDone(_ node: NodeID, _ directory: DirectoryMachine, within seconds: Int64) -> Bool {
    if directory.operations.open.contains(where: { $0.plan?.heldNode == node }) { return true }
    return directory.operations.over.contains {
      $0.by == Operation.cluster && ($0.plan as? NodeRemove)?.node == node
        && now.wall.microseconds - $0.ended.microseconds < seconds * 1_000_000
    }
  }
}
