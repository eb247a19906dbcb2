import Base
import Raft

/// Which voter is to lead which shard: in the region that should lead it if a voter there may, then as evenly over the nodes
/// as the voters allow, with few moves.
///
/// An optimal semi-matching (Harvey, Ladner, Lovász & Tamir, 2006): as long as a lead can go, along shards with voters in
/// common, from a node to one that leads two fewer, it goes. O(leads × replicas) a path.
struct LeaderPlan {
  private let view: PlacementView
  /// By shard: the nodes that may lead it.
  private var eligible: [[Int]]
  private var before: [Int?]
  /// By shard: the node that is to lead it; nil: no voter may.
  private(set) var leader: [Int?]
  private var led: [[Int]]

  /// - Parameter voters: by shard, as the plan of replicas has them.
  init(_ view: PlacementView, voters: [[NodeID]]) {
    self.view = view
    let place = Dictionary(uniqueKeysWithValues: zip(view.nodes.map(\.id), 0...))
    led = [[Int]](repeating: [], count: view.nodes.count)
    before = view.shards.map { $0.leader.flatMap { place[$0] } }
    eligible = view.shards.indices.map { shard in
      let able = voters[shard].compactMap { place[$0] }.filter { LeaderPlan.mayLead(view.nodes[$0]) }
      // A lead that is not to move stays, one that follows traffic too, and so does that of a node which is only not well: it is back soon.
      if let now = view.shards[shard].leader.flatMap({ place[$0] }), voters[shard].contains(view.nodes[now].id),
        view.shards[shard].isHeld || view.shards[shard].lead == .traffic
          || !LeaderPlan.mayLead(view.nodes[now]) && !view.nodes[now].isLeaving
      {
        return [now]
      }
      let near = able.filter { .region(view.nodes[$0].region) == view.shards[shard].lead }
      return near.isEmpty ? able : near
    }
    leader = view.shards.indices.map { _ in nil }
    for shard in view.shards.indices {
      if let now = before[shard], eligible[shard].contains(now) { lead(shard, now) }
    }
    for shard in view.shards.indices where leader[shard] == nil {
      if let node = eligible[shard].min(by: { (led[$0].count, $0) < (led[$1].count, $1) }) { lead(shard, node) }
    }
    // One that could not be relieved may be once another was.
    while relieveOne() {}
  }

  /// The fullest node that can be relieved.
  private mutating func relieveOne() -> Bool {
    let least = led.indices.filter { LeaderPlan.mayLead(view.nodes[$0]) }.map { led[$0].count }.min() ?? 0
    let full = led.indices.filter { led[$0].count >= least + 2 }
    return full.sorted { (-led[$0].count, $0) < (-led[$1].count, $1) }.contains { relieve($0) }
  }
  private static func mayLead(_ node: PlacementView.Node) -> Bool { node.mayLead && !node.isLeaving }
  private mutating func lead(_ shard: Int, _ node: Int) {
    if let now = leader[shard], let place = led[now].firstIndex(of: shard) { led[now].remove(at: place) }
    leader[shard] = node
    led[node].append(shard)
  }

  /// Moves one lead away from a node, along the shortest path to one that leads two fewer; false if there is none.
  private mutating func relieve(_ node: Int) -> Bool {
    var comes = [(shard: Int, from: Int)?](repeating: nil, count: view.nodes.count)
    var waiting = [node]
    var seen = Set(waiting)
    while !waiting.isEmpty {
      var next: [Int] = []
      for at in waiting {
        for shard in led[at] {
          for other in eligible[shard] where seen.insert(other).inserted {
            comes[other] = (shard, at)
            next.append(other)
          }
        }
      }
      if let end = next.filter({ led[$0].count <= led[node].count - 2 }).min(by: {
        (led[$0].count, $0) < (led[$1].count, $1)
      }) {
        var at = end
        while let step = comes[at] {
          lead(step.shard, at)
          at = step.from
        }
        return true
      }
      waiting = next
    }
    return false
  }

  var moves: [LeaderMove] {
    view.shards.indices.compactMap { shard in
      guard let to = leader[shard], before[shard] != to, !view.shards[shard].isHeld else { return nil }
      return LeaderMove(shard: view.shards[shard].shard, from: view.shards[shard].leader, to: view.nodes[to].id)
    }
  }
}
