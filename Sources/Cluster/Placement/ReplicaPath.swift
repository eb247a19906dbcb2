/// The cheapest way to have one replica more where a plan lacks one, or one less on a node that holds too much: a replica goes to a
/// node, which gives another in its place, and so on to a node with room.
///
/// Bellman–Ford over nodes, O(nodes²) a round; between two of them goes the replica that is cheapest to have there, which the plan
/// remembers (`ReplicaEdges`).
struct ReplicaPath {
  enum Source {
    /// A shard that lacks a replica.
    case missing(Int)
    /// Any node that holds more than it should.
    case over
  }
  struct Step: Hashable {
    var shard: Int
    /// Nil: the replica is new.
    var from: Int?
    var to: Int
  }
  /// In the order of the path: the last goes to the node with room.
  let steps: [Step]

  /// Paths of which two steps stand in each other's way are given up for others, so many times.
  private static let attempts = 8

  /// Nil: there is none.
  init?(from source: Source, in plan: inout ReplicaPlan) {
    var banned: Set<Step> = []
    for _ in 0..<ReplicaPath.attempts {
      guard let steps = ReplicaPath.find(source, &plan, banned) else { return nil }
      guard let obstacle = ReplicaPath.obstacle(steps, plan) else {
        self.steps = steps
        return
      }
      banned.insert(obstacle)
    }
    return nil
  }

  /// The first step that is not possible once those behind it are done: a shard that is on the path twice may be in its own way.
  private static func obstacle(_ steps: [Step], _ plan: ReplicaPlan) -> Step? {
    guard Set(steps.map(\.shard)).count < steps.count else { return nil }
    var plan = plan
    for step in steps.reversed() {
      guard plan.mayHold(step.shard, step.to, without: step.from) else { return step }
      if let from = step.from { plan.take(step.shard, from: from) }
      plan.put(step.shard, on: step.to)
    }
    return nil
  }

  private static func find(_ source: Source, _ plan: inout ReplicaPlan, _ banned: Set<Step>) -> [Step]? {
    let count = plan.room.count
    var least = [Int](repeating: .max, count: count)
    /// By node: what comes, from where; nil: the path begins there.
    var comes = [Step?](repeating: nil, count: count)
    var waiting: [Int] = []
    for node in 0..<count {
      switch source {
      case .missing(let shard):
        let step = Step(shard: shard, from: nil, to: node)
        guard plan.mayHold(shard, node), !banned.contains(step) else { continue }
        least[node] = plan.cost(shard, node)
        comes[node] = step
      case .over:
        guard plan.isOver(node) else { continue }
        least[node] = 0
      }
      waiting.append(node)
    }
    var rounds = 0
    while !waiting.isEmpty && rounds < count {
      rounds += 1
      var isNext = [Bool](repeating: false, count: count)
      for node in waiting where !plan.hasRoom(node) {
        let edges = plan.edges(from: node, banned)
        for other in 0..<count where edges.cost[other] < .max {
          let cost = least[node] + edges.cost[other]
          guard cost < least[other], !isOn(other, pathTo: node, comes) else { continue }
          least[other] = cost
          comes[other] = Step(shard: edges.shard[other], from: node, to: other)
          isNext[other] = true
        }
      }
      waiting = isNext.indices.filter { isNext[$0] }
    }
    var end: Int?
    for node in 0..<count where least[node] < .max && plan.hasRoom(node) {
      if end.map({ least[node] < least[$0] }) ?? true { end = node }
    }
    guard let end else { return nil }
    var steps: [Step] = []
    var at = end
    while let step = comes[at] {
      steps.append(step)
      guard let from = step.from else { break }
      at = from
    }
    return steps.reversed()
  }

  /// Whether the path that ends at a node passes another: a path visits none twice.
  private static func isOn(_ other: Int, pathTo node: Int, _ comes: [Step?]) -> Bool {
    var at: Int? = node
    var steps = 0
    while let here = at, steps <= comes.count {
      if here == other { return true }
      at = comes[here]?.from
      steps += 1
    }
    return steps > comes.count
  }
}

/// What a node can give, by the node that takes it: the replica that costs least there. O(replicas of the node × nodes) to find out.
struct ReplicaEdges {
  /// `Int.max`: nothing.
  var cost: [Int]
  var shard: [Int]

  init(from node: Int, _ plan: ReplicaPlan, _ banned: Set<ReplicaPath.Step>) {
    cost = [Int](repeating: .max, count: plan.room.count)
    shard = [Int](repeating: 0, count: plan.room.count)
    for moved in plan.held[node] where plan.mayMove(moved) {
      let freed = plan.cost(moved, node)
      let bytes = plan.view.shards[moved].bytes
      for other in cost.indices where other != node && plan.mayHold(moved, other, without: node) {
        let found = plan.cost(moved, other) - freed
        guard found < cost[other] || found == cost[other] && bytes < plan.view.shards[shard[other]].bytes else {
          continue
        }
        if !banned.isEmpty, banned.contains(.init(shard: moved, from: node, to: other)) { continue }
        cost[other] = found
        shard[other] = moved
      }
    }
  }
}
