import Base
import Raft
import Vocabulary

/// `CLUSTER NODE REMOVE N` and `CLUSTER NODE REPLACE N to=M`: every shard that a node holds goes to others, or all of them to one, by an
/// operation each; then the node leaves the directory's group, and is removed for ever.
struct NodeRemove: OperationPlan, Hashable {
  var node: NodeID
  var heldNode: NodeID? { node }
  /// Who takes all that it holds; `none`: whoever is the emptiest, as placement has it.
  var successor = NodeID.none
  /// It is not expected to answer any more.
  var isDead = false
  /// What it held when this began, in order.
  var shards: [ShardID] = []
  /// An operator had drained it before.
  var wasDraining = false

  /// A shard whose move has failed is tried again after so long (µs).
  static let pause: Int64 = 30_000_000
  /// A node that was heard within so long is not dead (µs).
  static let silence: UInt64 = 5_000_000
  static let number: UInt16 = 5
  static let word = "node-remove"
  static let hasChildren = true
  static func keys(of word: String) -> [Key] { word == "REPLACE" ? [.to, .dead] : [.dead] }

  init(node: NodeID, successor: NodeID, isDead: Bool, shards: [ShardID]) {
    (self.node, self.successor, self.isDead, self.shards) = (node, successor, isDead, shards)
  }
  /// Of one that is lost: whoever has room takes what it holds.
  init(dead node: NodeID, in topology: Topology) {
    self.init(
      node: node, successor: .none, isDead: true,
      shards: topology.shards.filter { $0.voters.contains(node) }.map(\.shard))
    wasDraining = topology.node(node)?.state == .draining
  }
  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(bitPattern: node.rawValue))
    buffer.append(field: 2, zigzag: Int64(bitPattern: successor.rawValue))
    buffer.append(field: 3, zigzag: isDead ? 1 : 0)
    buffer.append(field: 4) { list in for shard in shards { list.append(varint: UInt64(shard.rawValue)) } }
    if wasDraining { buffer.append(field: 5, zigzag: 1) }
    buffer.appendEndOfFields()
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(node: .none, successor: .none, isDead: false, shards: [])
    try reader.readFields(of: "a removal of a node") { number, value throws(MalformedBytes) in
      switch number {
      case 1: node = NodeID(UInt64(bitPattern: try value.readZigzag()))
      case 2: successor = NodeID(UInt64(bitPattern: try value.readZigzag()))
      case 3: isDead = try value.readZigzag() != 0
      case 4:
        while !value.isAtEnd {
          guard let shard = UInt32(exactly: try value.readVarint()) else { throw MalformedBytes("a shard's number") }
          shards.append(ShardID(shard))
        }
      case 5: wasDraining = try value.readZigzag() != 0
      default: return false
      }
      return true
    }
  }

  static func begin(_ request: Request, about node: NodeID, _ owner: EdgeItem.Owner, at desk: RequestDesk) {
    desk.remove(node, request, owner)
  }

  func target(in topology: Topology?) -> String {
    let name = topology?.name(of: node) ?? node.hex
    guard successor != .none else { return "node \(name)" }
    return "node \(name) by \(topology?.name(of: successor) ?? successor.hex)"
  }
  func steps(in topology: Topology?) -> [String] {
    shards.map { "move shard \($0.rawValue)" } + ["leave the directory"]
  }
  /// Moves hold theirs.
  var holds: [ShardID] { [] }

  func refusal(in topology: Topology) -> String? {
    guard let record = topology.node(node), record.state != .removed else { return "it is not in the cluster" }
    do throws(ReplicaPlan.Impossible) { _ = try moves(in: topology) } catch { return reason(error) }
    guard topology.nodes.contains(where: { $0.id != node && $0.state == .up }) else {
      return "node \(record.name) is the last one that is up"
    }
    return nil
  }
  /// Why it cannot go, and what would help.
  func reason(_ error: ReplicaPlan.Impossible) -> String {
    successor == .none ? "\(error.text): start another node first (tally start --join …)" : error.text
  }
  /// What is to go where, of what the node still holds.
  /// - Parameter away: nodes that are not in reach: nothing goes there.
  func moves(in topology: Topology, without away: Set<NodeID> = []) throws(ReplicaPlan.Impossible) -> [ReplicaMove] {
    let held = topology.shards.filter { $0.voters.contains(node) }
    guard successor == .none else {
      for placement in held {
        let plan = ShardMove(shard: placement.shard, from: node, to: successor)
        if let reason = plan.refusal(in: topology) { throw ReplicaPlan.Impossible(text: reason) }
      }
      return held.map {
        ReplicaMove(shard: $0.shard, from: node, to: successor, bytes: 0, isBetweenRegions: false)
      }
    }
    guard let replicas = held.map(\.voters.count).max() else { return [] }
    let view = PlacementView(
      nodes: topology.nodes.filter { $0.state != .removed }.map {
        PlacementView.Node(
          id: $0.id, region: $0.region, takesReplicas: $0.state == .up && $0.id != node && !away.contains($0.id),
          isLeaving: $0.id == node)
      },
      shards: topology.shards.map { PlacementView.Shard(shard: $0.shard, voters: $0.voters) },
      replicas: replicas, limits: topology.rules.limits)
    return try ReplicaPlan(view, .valid).moves.filter { $0.from == node }
  }

  func commence(_ record: Operation, _ topology: inout Topology) { topology.set(.draining, of: node, from: .up) }
  func abandon(_ record: Operation, _ topology: inout Topology) {
    if !wasDraining { topology.set(.up, of: node, from: .draining) }
  }

  func next(_ view: OperationView) -> OperationAction {
    let left = view.topology.shards.filter { $0.voters.contains(node) }
    let done = UInt32(max(0, shards.count - left.count))
    guard !left.isEmpty else {
      let isFree = !view.topology.directoryVoters.contains(node) && !view.directoryVoters.contains(node)
      guard isFree else { return .run(step: UInt32(shards.count)) }
      if let move = view.incoming[node] { return .wait("operation \(move) still moves a replica to it") }
      return .done(
        "\(view.name(of: node)) is removed, \(shards.count) shards have gone, took \(max(0, view.age) / 1_000) ms; wipe its data"
          + " directory before the machine is used again")
    }
    if view.record.by == Operation.cluster, view.reachable.contains(node) {
      return .cancel(
        "\(view.name(of: node)) is back: \(done) of \(shards.count) shards have gone, and it keeps the others")
    }
    let underWay = view.children.filter { !$0.state.isOver }
    guard underWay.count < view.limits.moves else { return .run(step: done) }
    let planned: [ReplicaMove]
    let away = Set(view.topology.nodes.map(\.id)).subtracting(view.reachable)
    do throws(ReplicaPlan.Impossible) { planned = try moves(in: view.topology, without: away) } catch {
      return .wait(error.text)
    }
    for move in NodeRemove.mostUrgentFirst(planned, view) {
      guard let to = move.to else { continue }
      let plan = ShardMove(shard: move.shard, from: node, to: to)
      if view.holders[move.shard] != nil { continue }
      guard view.copies.hasRoom(for: plan, isThere: view.reachable.contains(node)) else { continue }
      let failed = view.children.last { $0.state == .failed && ($0.plan as? ShardMove)?.shard == move.shard }
      if let failed, view.now.microseconds - failed.ended.microseconds < NodeRemove.pause {
        return .wait("shard \(move.shard.rawValue): operation \(failed.number) failed: \(failed.text)")
      }
      return .begin(OperationChild(plan), step: done)
    }
    return .run(step: done)
  }

  /// First those of which the fewest voters are left: the next loss would stop them.
  private static func mostUrgentFirst(_ moves: [ReplicaMove], _ view: OperationView) -> [ReplicaMove] {
    let voters = Dictionary(uniqueKeysWithValues: view.topology.shards.map { ($0.shard, $0.voters) })
    func left(_ move: ReplicaMove) -> Int { voters[move.shard, default: []].count { view.reachable.contains($0) } }
    return moves.map { (left: left($0), move: $0) }.sorted { ($0.left, $0.move.shard) < ($1.left, $1.move.shard) }
      .map(\.move)
  }

  /// By the bytes of its shards, where they are known.
  func progress(_ view: OperationView) -> (share: Double, bytes: UInt64) {
    func weight(_ shard: ShardID) -> Double { Double(1 + (view.groups[shard]?.bytes ?? 0)) }
    let all = shards.reduce(0) { $0 + weight($1) }
    let left = Set(view.topology.shards.filter { $0.voters.contains(node) }.map(\.shard))
    var done = shards.filter { !left.contains($0) }.reduce(0) { $0 + weight($1) }
    for child in view.children where !child.state.isOver {
      for shard in child.holds { done += weight(shard) * (view.progress[child.number]?.share ?? 0) }
    }
    // Leaving the directory is what is left in the end.
    return (all > 0 ? 0.98 * done / all : 0, view.groups.bytes(of: shards))
  }

  func conclude(_ topology: inout Topology) {
    guard let place = topology.nodes.firstIndex(where: { $0.id == node }) else { return }
    topology.nodes[place].state = .removed
  }
}

extension RequestDesk {
  /// `CLUSTER NODE REMOVE N [dead=yes]`, `REPLACE N to=M`: begins it, says what it would do, or refuses before anything moves.
  func remove(_ node: NodeID, _ request: Request, _ owner: EdgeItem.Owner) {
    guard let topology = membership.topology else { return answerError(owner, .unavailable, "there is no cluster yet") }
    var plan = NodeRemove(dead: node, in: topology)
    plan.isDead = request.flag(.dead)
    if let name = request.text(.to) ?? (request.positionalCount == 3 ? request.positional(2) : nil) {
      switch self.node(named: String(decoding: name, as: UTF8.self)) {
      case .success(node):
        let text = "node \(topology.name(of: node)) cannot take its own place: name another; nothing was done"
        return answerError(owner, .conflict, text)
      case .success(let successor): plan.successor = successor
      case .failure(let refused): return answerError(owner, refused.code, refused.text)
      }
    }
    let moves: [ReplicaMove]
    do throws(ReplicaPlan.Impossible) { moves = try plan.moves(in: topology, without: nodesAway) } catch {
      let text = plan.refusal(in: topology) ?? refusal(ofLife: node, isDead: plan.isDead) ?? plan.reason(error)
      return answerError(owner, .conflict, "\(text); nothing was done")
    }
    if let reason = plan.refusal(in: topology) ?? refusal(ofLife: node, isDead: plan.isDead)
      ?? (plan.successor == .none ? nil : ailment(of: plan.successor))
      ?? lackOfVoters(among: plan.shards) ?? shortage(of: moves)
    {
      return answerError(owner, .conflict, "\(reason); nothing was done")
    }
    guard !request.flag(.dryRun) else {
      return answerPlan(
        owner,
        moves.map {
          PlanStep(
            shard: $0.shard, from: topology.name(of: node), to: topology.name(of: $0.to ?? .none),
            bytes: peers.groups[$0.shard]?.bytes)
        })
    }
    begin(plan, owner)
  }
  private func shortage(of moves: [ReplicaMove]) -> String? {
    let byNode = Dictionary(grouping: moves) { $0.to ?? .none }
    for (node, moves) in byNode.sorted(by: { $0.key < $1.key }) {
      if let reason = shortage(of: node, for: moves.map(\.shard)) { return reason }
    }
    return nil
  }
  /// Why a node has no room for copies of shards, as far as is known; nil: it has.
  func shortage(of node: NodeID, for shards: [ShardID]) -> String? {
    guard let room = peers[node]?.condition.disk.figures?.free else { return nil }
    return ShardMove.shortage(
      of: peers.name(of: node, membership), room: room, for: shards, bytes: peers.groups.bytes(of: shards))
  }
  /// One that answers is not dead; one that does not is not asked to go.
  private func refusal(ofLife node: NodeID, isDead: Bool) -> String? {
    let name = peers.name(of: node, membership)
    let isHeard =
      node == peers.id || peers[node].map { $0.isConnected && !$0.isSilent(for: NodeRemove.silence, now: now) } ?? false
    switch (isDead, isHeard) {
    case (true, _) where !peers.isSilent(node, now: now):
      return "node \(name) was heard within \(NodeRemove.silence / 1_000_000) s: it is not dead"
    case (false, false):
      return "node \(name) is not in reach: wait for it, or say that it is dead (tally node remove --dead)"
    default: return nil
    }
  }

  /// Begins what needs no more than a node's name.
  /// - Parameters:
  ///   - steps: of what would be done.
  ///   - obstacle: what is in the way and not in the map.
  func begin<Plan: OperationPlan>(
    _ plan: Plan, _ request: Request, _ owner: EdgeItem.Owner, steps: [PlanStep] = [], obstacle: String? = nil
  ) {
    guard let topology = membership.topology else { return answerError(owner, .unavailable, "there is no cluster yet") }
    if let reason = plan.refusal(in: topology) ?? obstacle {
      return answerError(owner, .conflict, "\(reason); nothing was done")
    }
    guard !request.flag(.dryRun) else { return answerPlan(owner, steps) }
    begin(plan, owner)
  }
  /// What a node leads, as steps: who takes over is decided when it does.
  func leads(of node: NodeID) -> [PlanStep] {
    let name = peers.name(of: node, membership)
    return (membership.topology?.shards ?? []).filter { isLed($0.shard) && edge.leader(of: $0.shard).node == node }
      .map { PlanStep(shard: $0.shard, from: name, to: "another", bytes: 0) }
  }
}
