import Base
import Raft

/// What a rebalance does, step by step: replicas first, then leads, as they are once the replicas have gone. An even cluster gives no
/// steps.
struct RebalancePlan {
  /// Of what: `CLUSTER REBALANCE [REPLICAS|LEADERS]`.
  enum Scope: UInt8, Sendable {
    case all = 0
    case replicas = 1
    case leaders = 2

    init?(word: String) {
      switch word {
      case "": self = .all
      case "REPLICAS": self = .replicas
      case "LEADERS": self = .leaders
      default: return nil
      }
    }
  }
  struct Step: Hashable, Sendable {
    var isLeader: Bool
    var shard: ShardID
    /// Of a lead that nobody had: `none`.
    var from: NodeID
    var to: NodeID
    /// What is copied.
    var bytes: UInt64 = 0
    var isBetweenRegions = false
  }
  /// At most `mostSteps`: what is left is planned when it is asked for again.
  let steps: [Step]
  /// As it is to be.
  let after: PlacementView

  static let mostSteps = 1_000

  /// - Parameter view: in which a shard has the leader that it is to have while all is well.
  init(_ view: PlacementView, _ scope: Scope) throws(ReplicaPlan.Impossible) {
    var steps: [Step] = []
    var shards = view.shards
    if scope != .leaders {
      // One that is more or one that is less is no rebalancing.
      for move in try ReplicaPlan(view, .even).moves where steps.count < RebalancePlan.mostSteps {
        guard let from = move.from, let to = move.to else { continue }
        steps.append(
          Step(
            isLeader: false, shard: move.shard, from: from, to: to, bytes: move.bytes,
            isBetweenRegions: move.isBetweenRegions))
      }
      let moved = Dictionary(grouping: steps, by: \.shard)
      for place in shards.indices {
        for step in moved[shards[place].shard] ?? [] {
          shards[place].voters = (shards[place].voters.filter { $0 != step.from } + [step.to]).sorted()
          // Whoever takes a leader's place is to lead.
          if shards[place].leader == step.from { shards[place].leader = step.to }
        }
      }
    }
    let between = PlacementView(nodes: view.nodes, shards: shards, replicas: view.replicas, limits: view.limits)
    if scope != .replicas {
      let places = Dictionary(uniqueKeysWithValues: zip(shards.map(\.shard), 0...))
      let plan = LeaderPlan(between, voters: shards.map(\.voters))
      for move in plan.moves where steps.count < RebalancePlan.mostSteps {
        steps.append(Step(isLeader: true, shard: move.shard, from: move.from ?? .none, to: move.to))
        if let place = places[move.shard] { shards[place].leader = move.to }
      }
    }
    self.steps = steps
    after = PlacementView(nodes: view.nodes, shards: shards, replicas: view.replicas, limits: view.limits)
  }
}

extension PlacementView {
  /// By node: how many replicas it holds, and how many shards it is to lead.
  var loads: (replicas: [NodeID: Int], leaders: [NodeID: Int]) {
    var replicas: [NodeID: Int] = [:]
    var leaders: [NodeID: Int] = [:]
    for shard in shards {
      for voter in shard.voters { replicas[voter, default: 0] += 1 }
      if let leader = shard.leader { leaders[leader, default: 0] += 1 }
    }
    return (replicas, leaders)
  }
}
