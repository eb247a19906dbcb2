import Base
import Raft
import Vocabulary

/// `CLUSTER REBALANCE [REPLICAS|LEADERS] apply=yes`: what `RebalancePlan` has planned, step by step, by an operation each. A step that is not
/// possible any more is left out, and named in the end: then it is planned anew when it is asked for again.
struct Rebalance: OperationPlan, Hashable {
  var scope: RebalancePlan.Scope
  var planned: [RebalancePlan.Step]

  /// So many steps are begun before those ahead of them are over.
  private static let window = 64
  static let number: UInt16 = 20
  static let word = "rebalance"
  static let hasChildren = true
  static let isAlone = true
  static func keys(of word: String) -> [Key] { [.apply] }

  init(scope: RebalancePlan.Scope, planned: [RebalancePlan.Step]) { (self.scope, self.planned) = (scope, planned) }

  /// Nodes are listed once, and steps name them by their place.
  func encode(into buffer: inout ByteBuffer) {
    let nodes = Set(planned.flatMap { [$0.from, $0.to] }).sorted()
    let place = Dictionary(uniqueKeysWithValues: zip(nodes, 0...))
    buffer.append(field: 1, zigzag: Int64(scope.rawValue))
    buffer.append(field: 2) { list in for node in nodes { list.append(node.rawValue) } }
    buffer.append(field: 3) { list in
      for step in planned {
        list.append(
          varint: UInt64(step.shard.rawValue) << 2 | (step.isLeader ? 1 : 0) | (step.isBetweenRegions ? 2 : 0))
        list.append(varint: UInt64(place[step.from] ?? 0))
        list.append(varint: UInt64(place[step.to] ?? 0))
        list.append(varint: step.bytes)
      }
    }
    buffer.appendEndOfFields()
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(scope: .all, planned: [])
    var nodes: [NodeID] = []
    try reader.readFields(of: "a rebalance") { number, value throws(MalformedBytes) in
      switch number {
      case 1:
        guard let known = RebalancePlan.Scope(rawValue: try value.readSmall()) else {
          throw MalformedBytes("a rebalance of something unknown")
        }
        scope = known
      case 2: while !value.isAtEnd { nodes.append(NodeID(try value.read())) }
      case 3: while !value.isAtEnd { planned.append(try Rebalance.step(&value, nodes)) }
      default: return false
      }
      return true
    }
  }
  private static func step(_ value: inout ByteReader, _ nodes: [NodeID]) throws(MalformedBytes) -> RebalancePlan.Step {
    let head = try value.readVarint()
    let (from, to) = (try value.readVarint(), try value.readVarint())
    guard let shard = UInt32(exactly: head >> 2), from < nodes.count, to < nodes.count else {
      throw MalformedBytes("a step of a rebalance that names nothing known")
    }
    return RebalancePlan.Step(
      isLeader: head & 1 != 0, shard: ShardID(shard), from: nodes[Int(from)], to: nodes[Int(to)],
      bytes: try value.readVarint(), isBetweenRegions: head & 2 != 0)
  }

  func target(in topology: Topology?) -> String {
    let replicas = planned.count { !$0.isLeader }
    return "\(replicas) replicas and \(planned.count - replicas) leads"
  }
  func steps(in topology: Topology?) -> [String] {
    planned.map { step in
      let names = [step.from, step.to].map { topology?.name(of: $0) ?? $0.hex }
      return "\(step.isLeader ? "lead of" : "move") shard \(step.shard.rawValue) from \(names[0]) to \(names[1])"
    }
  }
  /// What it begins holds its shards.
  var holds: [ShardID] { [] }

  func refusal(in topology: Topology) -> String? { planned.isEmpty ? "there is nothing to move" : nil }
  func progress(_ view: OperationView) -> (share: Double, bytes: UInt64) {
    (Double(view.record.step) / Double(max(1, planned.count)), planned.reduce(0) { $0 + $1.bytes })
  }

  // MARK: Its steps

  /// What a step has come to.
  private enum Standing: Equatable {
    case open
    case underWay
    case done
    /// It is left out, for that reason.
    case left(String)
  }
  func next(_ view: OperationView) -> OperationAction {
    let places = Dictionary(uniqueKeysWithValues: view.topology.shards.map { ($0.shard, $0) })
    let children = Dictionary(view.children.map { ($0.params, $0) }) { $1 }
    func standing(_ step: RebalancePlan.Step) -> Standing { self.standing(step, view, places[step.shard], children) }
    var passed = Int(view.record.step)
    while passed < planned.count, ![.open, .underWay].contains(standing(planned[passed])) { passed += 1 }
    guard passed < planned.count else { return result(view, planned.map(standing)) }
    let progress = OperationAction.run(step: UInt32(passed))
    guard view.children.count(where: { !$0.state.isOver }) < view.limits.moves else { return progress }
    // Leads follow once all replicas are where they are to be.
    var waiting: Set<ShardID> = []
    for step in planned[passed...].prefix(Rebalance.window) where step.isLeader == planned[passed].isLeader {
      guard view.holders[step.shard] == nil, standing(step) == .open else { continue }
      // A shard's own go in their order: a lost voter's place is taken first, and the others need that majority.
      guard waiting.insert(step.shard).inserted, Rebalance.hasRoom(for: step, view) else { continue }
      return .begin(Rebalance.child(step), step: UInt32(passed))
    }
    if let holder = view.holders[planned[passed].shard], standing(planned[passed]) == .open {
      return .wait("shard \(planned[passed].shard.rawValue) belongs to operation \(holder)")
    }
    return progress
  }

  private static func hasRoom(for step: RebalancePlan.Step, _ view: OperationView) -> Bool {
    let move = ShardMove(shard: step.shard, from: step.from, to: step.to)
    return step.isLeader || view.copies.hasRoom(for: move, isThere: view.reachable.contains(step.from))
  }
  private static func child(_ step: RebalancePlan.Step) -> OperationChild {
    step.isLeader
      ? OperationChild(ShardLeader(shard: step.shard, to: step.to, from: step.from, term: Term(0)))
      : OperationChild(ShardMove(shard: step.shard, from: step.from, to: step.to))
  }
  private func standing(
    _ step: RebalancePlan.Step, _ view: OperationView, _ place: ShardPlacement?, _ children: [[UInt8]: Operation]
  ) -> Standing {
    guard let place else { return .left("there is no shard \(step.shard.rawValue)") }
    if step.isLeader
      ? place.preferredLeader == step.to : place.voters.contains(step.to) && !place.voters.contains(step.from)
    {
      return .done
    }
    let child = Rebalance.child(step)
    if let begun = children[child.params], child.isBegun(by: begun) {
      return begun.state.isOver ? .left("operation \(begun.number) \(begun.state): \(begun.text)") : .underWay
    }
    // Somebody else's operation on the shard may be what is in the way.
    guard view.holders[step.shard] == nil, let plan = try? Operation.Kind(rawValue: child.kind).plan(child.params),
      let reason = plan.refusal(in: view.topology)
    else { return .open }
    return .left(reason)
  }
  private func result(_ view: OperationView, _ standings: [Standing]) -> OperationAction {
    let done = zip(planned, standings).filter { $1 == .done }.map(\.0)
    let leads = done.count(where: \.isLeader)
    let all = planned.count(where: \.isLeader)
    let reasons = standings.compactMap { if case .left(let reason) = $0 { reason } else { nil } }
    var text = "moved \(done.count - leads) of \(planned.count - all) replicas and \(leads) of \(all) leads"
    if let first = reasons.first { text += "; \(reasons.count) are left, plan again (tally rebalance): \(first)" }
    return done.isEmpty ? .fail(text) : .done("\(text), took \(max(0, view.age) / 1_000) ms")
  }
}

extension RequestDesk {
  /// `CLUSTER REBALANCE [REPLICAS|LEADERS] [apply=yes]`: shows what would go where, or begins it.
  func rebalance(_ request: Request, _ owner: EdgeItem.Owner) {
    guard let topology = membership.topology else { return answerError(owner, .unavailable, "there is no cluster yet") }
    let word = request.positionalCount > 0 ? String(decoding: request.positional(0), as: UTF8.self).uppercased() : ""
    guard let scope = RebalancePlan.Scope(word: word) else {
      return answerError(owner, .malformed, "CLUSTER REBALANCE takes REPLICAS or LEADERS, and apply=yes")
    }
    let view = placementView(topology)
    let plan: RebalancePlan
    do throws(ReplicaPlan.Impossible) { plan = try RebalancePlan(view, scope) } catch {
      return answerError(owner, .conflict, "\(error.text); nothing was done")
    }
    guard request.flag(.apply), !request.flag(.dryRun), !plan.steps.isEmpty else {
      return answer(owner, plan, from: view, topology)
    }
    begin(Rebalance(scope: scope, planned: plan.steps), request, owner)
  }

  /// How the cluster stands, for a plan: who is not well is given nothing, and what is not well stays.
  func placementView(_ topology: Topology) -> PlacementView {
    let held = Set((replicas[.directory]?.machine as? DirectoryMachine)?.operations.open.flatMap(\.holds) ?? [])
    let records = topology.nodes.filter { $0.state != .removed }
    let down = Set(records.filter { !peers.isUp($0.id, now: now) }.map(\.id))
    let nodes = records.map { record in
      let isWell = record.state == .up && ailment(of: record.id) == nil
      return PlacementView.Node(id: record.id, region: record.region, takesReplicas: isWell, mayLead: isWell)
    }
    let shards = topology.shards.map { placement in
      let isWell = isLed(placement.shard) && down.isDisjoint(with: placement.voters)
      return PlacementView.Shard(
        shard: placement.shard, voters: placement.voters,
        leader: placement.preferredLeader == .none ? nil : placement.preferredLeader, bytes: bytes(of: placement.shard),
        lead: topology.rules.lead(of: placement.shard), isHeld: !isWell || held.contains(placement.shard))
    }
    return PlacementView(
      nodes: nodes, shards: shards, replicas: topology.shards.map(\.voters.count).max() ?? 0,
      limits: topology.rules.limits)
  }
  /// Of a shard's state and journals, as far as it is known here: 0 is unknown.
  private func bytes(of shard: ShardID) -> UInt64 { peers.groups[shard]?.bytes ?? 0 }

  /// A record a node, now and after; then a record a step.
  private func answer(
    _ owner: EdgeItem.Owner, _ plan: RebalancePlan, from view: PlacementView, _ topology: Topology
  ) {
    let (now, after) = (view.loads, plan.after.loads)
    let nodes = view.nodes.sorted { (topology.name(of: $0.id), $0.id) < (topology.name(of: $1.id), $1.id) }
    answer(owner) { reply in
      reply.array(count: nodes.count + plan.steps.count)
      for node in nodes {
        reply.record()
        reply.field(.node, topology.name(of: node.id))
        reply.field(.region, node.region)
        reply.field(.replicas, Int64(now.replicas[node.id] ?? 0))
        reply.field(.replicasAfter, Int64(after.replicas[node.id] ?? 0))
        reply.field(.leaders, Int64(now.leaders[node.id] ?? 0))
        reply.field(.leadersAfter, Int64(after.leaders[node.id] ?? 0))
      }
      for (place, step) in plan.steps.enumerated() {
        reply.record()
        reply.field(.step, Int64(place + 1))
        reply.field(.shard, Int64(step.shard.rawValue))
        reply.field(.kind, step.isLeader ? "leader" : "replica")
        reply.field(.from, topology.name(of: step.from))
        reply.field(.to, topology.name(of: step.to))
        reply.field(.bytes, "\(step.bytes)")
        reply.field(.crosses, step.isBetweenRegions ? "yes" : "no")
      }
    }
  }
}
