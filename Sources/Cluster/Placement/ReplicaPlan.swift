import Base
import Raft

/// Which node is to hold which replica: valid first (each shard on `replicas` nodes that stay, spread over the regions), then
/// even within one, with the fewest moves that this takes, and of these with the fewest bytes between regions.
///
/// It is a minimum-cost flow from shards over their regions to nodes (Ahuja, Magnanti & Orlin, *Network Flows*, ch. 9). It
/// begins with all replicas that may stay, which costs nothing; then replicas that are missing come, and nodes that hold too much give,
/// one at a time by the cheapest path (`ReplicaPath`), so the sum is the least. A path of one move within a region is as cheap as any,
/// and found without a search.
struct ReplicaPlan {
  /// Why shards have no place: named before anything moves.
  struct Impossible: Error, Equatable {
    let text: String
  }
  /// How much is to change.
  enum Aim {
    /// Only what is invalid: replicas on nodes that leave, too few of them, too many in a region.
    case valid
    /// Loads even within one, too.
    case even
  }

  let view: PlacementView
  /// By node: its region's number.
  let region: [Int]
  let regionCount: Int
  /// By region: how many voters of one shard it may have. As a rule says; else the least that gives all of them a place: where there are
  /// as many regions as replicas that is 1, and the loss of any one leaves a majority.
  let limits: [Int]
  /// By node: how many replicas it may hold.
  var room: [Int]
  /// By shard: the nodes that hold it, by their place in the view.
  private(set) var holders: [[Int]]
  /// By node: the shards that it holds.
  private(set) var held: [[Int]]
  /// By shard: the nodes that hold it now, as far as they are known.
  private let before: [[Int]]
  /// By shard and region: how many of its voters are there, and whether any was before.
  private var crowd: [Int]
  private let wasThere: [Bool]
  /// By node: it may be given replicas.
  private let isOpen: [Bool]
  private let isHeld: [Bool]
  /// Replicas that might stay go, as others of the shard are in their region: which of them is a question of the cheapest path.
  private var isCrowded = false
  /// By node; nil: to be found out anew.
  private var known: [ReplicaEdges?]

  init(_ view: PlacementView, _ aim: Aim) throws(Impossible) {
    self.view = view
    let names = Set(view.nodes.map(\.region)).sorted()
    let number = Dictionary(uniqueKeysWithValues: zip(names, 0...))
    let region = view.nodes.map { number[$0.region] ?? 0 }
    self.region = region
    regionCount = names.count
    let place = Dictionary(uniqueKeysWithValues: zip(view.nodes.map(\.id), 0...))
    before = view.shards.map { $0.voters.compactMap { place[$0] }.sorted() }
    isOpen = view.nodes.indices.map { view.isOpen($0) }
    isHeld = view.shards.map(\.isHeld)
    room = []
    holders = [[Int]](repeating: [], count: view.shards.count)
    held = [[Int]](repeating: [], count: view.nodes.count)
    known = [ReplicaEdges?](repeating: nil, count: view.nodes.count)
    crowd = [Int](repeating: 0, count: view.shards.count * names.count)
    var wasThere = [Bool](repeating: false, count: view.shards.count * names.count)
    for (shard, nodes) in before.enumerated() {
      for node in nodes { wasThere[shard * names.count + region[node]] = true }
    }
    self.wasThere = wasThere

    // Nodes that may only keep count for what they hold: a region needs room for all of its shards at once.
    var open = [Int](repeating: 0, count: regionCount)
    for i in view.nodes.indices where isOpen[i] { open[region[i]] += 1 }
    if let rule = view.limits {
      limits = names.map { rule[$0] ?? 0 }
    } else {
      let limit = (1...max(1, view.replicas)).first { limit in
        open.reduce(0) { $0 + min(limit, $1) } >= view.replicas
      }
      guard let limit else {
        throw Impossible(
          text: "\(view.replicas) replicas need as many nodes that take them, and there are \(open.reduce(0, +))")
      }
      limits = names.map { _ in limit }
    }
    room = targets(open: open, aim)
    keepWhatMayStay()
    try addWhatIsMissing()
    if aim == .even { even() }
  }

  // MARK: How many each node is to hold

  /// Even within one over the nodes of each region, and over regions as far as the limit allows: regions that are too small for
  /// their part are full, and the others share what is left.
  private func targets(open: [Int], _ aim: Aim) -> [Int] {
    let now = loads
    // Nodes that only keep hold what they hold.
    var target = view.nodes.indices.map { isOpen[$0] ? view.shards.count : view.nodes[$0].isLeaving ? 0 : now[$0] }
    guard aim == .even else { return target }
    let kept = view.nodes.indices.reduce(0) { $0 + (isOpen[$1] ? 0 : target[$1]) }
    let total = view.shards.count * view.replicas - kept
    let most = zip(open, limits).map { view.shards.count * min($0, $1) }
    var isFull = [Bool](repeating: false, count: regionCount)
    var left = total
    var sharing = open.reduce(0, +)
    var changed = true
    while changed {
      changed = false
      for g in 0..<regionCount where !isFull[g] && open[g] > 0 && open[g] * left > most[g] * sharing {
        isFull[g] = true
        left -= most[g]
        sharing -= open[g]
        changed = true
      }
    }
    func deal(_ count: Int, among nodes: [Int], limit: (Int) -> Int) {
      guard !nodes.isEmpty else { return }
      for node in nodes { target[node] = count / nodes.count }
      var more = count % nodes.count
      var inRegion = [Int](repeating: 0, count: regionCount)
      for node in nodes { inRegion[region[node]] += target[node] }
      // Those that hold the most keep one more.
      for node in nodes.sorted(by: { (-now[$0], $0) < (-now[$1], $1) })
      where more > 0 && inRegion[region[node]] < limit(region[node]) {
        target[node] += 1
        inRegion[region[node]] += 1
        more -= 1
      }
    }
    let nodes = view.nodes.indices.filter { isOpen[$0] }
    for g in 0..<regionCount where isFull[g] {
      deal(most[g], among: nodes.filter { region[$0] == g }) { most[$0] }
    }
    deal(left, among: nodes.filter { !isFull[region[$0]] }) { most[$0] }
    return target
  }
  /// What does not move (replicas of shards that other operations have, and on nodes that only keep) may leave no even places:
  /// the least uneven are made, as many as it takes. False if nodes can hold no more.
  private mutating func makeRoom() -> Bool {
    var least = Int.max
    for node in room.indices where isOpen[node] { least = min(least, room[node]) }
    guard least < view.shards.count else { return false }
    for node in room.indices where isOpen[node] { room[node] = max(room[node], least + 1) }
    return true
  }

  // MARK: What stays

  private mutating func keepWhatMayStay() {
    var loads = loads
    for shard in view.shards.indices {
      // Of a region that has too many, those on nodes that hold the most over their part go.
      for node in before[shard].sorted(by: { (loads[$0] - room[$0], $0) < (loads[$1] - room[$1], $1) }) {
        let mayStay =
          !view.nodes[node].isLeaving && crowd[shard * regionCount + region[node]] < limits[region[node]]
          && holders[shard].count < view.replicas
        if isHeld[shard] || mayStay {
          put(shard, on: node)
        } else {
          loads[node] -= 1
          if !view.nodes[node].isLeaving { isCrowded = true }
        }
      }
    }
  }
  /// By node: what it holds now.
  private var loads: [Int] {
    before.joined().reduce(into: [Int](repeating: 0, count: view.nodes.count)) { $0[$1] += 1 }
  }
  mutating func put(_ shard: Int, on node: Int) {
    holders[shard].append(node)
    held[node].append(shard)
    crowd[shard * regionCount + region[node]] += 1
    for holder in holders[shard] { known[holder] = nil }
  }
  mutating func take(_ shard: Int, from node: Int) {
    if let place = holders[shard].firstIndex(of: node) { holders[shard].remove(at: place) }
    if let place = held[node].firstIndex(of: shard) { held[node].remove(at: place) }
    crowd[shard * regionCount + region[node]] -= 1
    known[node] = nil
    for holder in holders[shard] { known[holder] = nil }
  }
  mutating func edges(from node: Int, _ banned: Set<ReplicaPath.Step>) -> ReplicaEdges {
    if banned.isEmpty, let edges = known[node] { return edges }
    let edges = ReplicaEdges(from: node, self, banned)
    if banned.isEmpty { known[node] = edges }
    return edges
  }

  // MARK: What comes and what goes

  /// Whether a shard may have a replica on a node; `without` is one that it would give up for it.
  func mayHold(_ shard: Int, _ node: Int, without: Int? = nil) -> Bool {
    guard isOpen[node] || before[shard].contains(node) && !view.nodes[node].isLeaving else { return false }
    guard !holders[shard].contains(node) else { return false }
    let freed = without.map { region[$0] == region[node] ? 1 : 0 } ?? 0
    return crowd[shard * regionCount + region[node]] - freed < limits[region[node]]
  }
  func mayMove(_ shard: Int) -> Bool { !isHeld[shard] }
  func isOver(_ node: Int) -> Bool { isOpen[node] && held[node].count > room[node] }
  func hasRoom(_ node: Int) -> Bool { held[node].count < room[node] }

  /// A replica where there was one costs nothing, another a move, and its bytes if they cross regions: fewer moves are better than
  /// any bytes.
  func cost(_ shard: Int, _ node: Int) -> Int {
    if before[shard].contains(node) { return 0 }
    if wasThere[shard * regionCount + region[node]] { return ReplicaPlan.move }
    return ReplicaPlan.move + ReplicaPlan.crossing(view.shards[shard].bytes)
  }
  private static let move = 1 << 40
  /// In KiB; of that many shards all crossings together cost less than a move.
  private static func crossing(_ bytes: UInt64) -> Int { Int(min(bytes >> 10, 1 << 24)) + 1 }

  private mutating func addWhatIsMissing() throws(Impossible) {
    for shard in view.shards.indices {
      while holders[shard].count < view.replicas {
        var isAdded = add(shard)
        while !isAdded && makeRoom() { isAdded = add(shard) }
        guard isAdded else {
          throw Impossible(
            text: "shard \(view.shards[shard].shard.rawValue) has no place for replica \(holders[shard].count + 1) of"
              + " \(view.replicas) that keeps to \(limitText)")
        }
      }
    }
  }
  private var limitText: String {
    guard let rule = view.limits else { return "\(limits.max() ?? 0) a region" }
    return rule.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value)" }.joined(separator: ",")
  }
  /// One more replica, by the cheapest path; false if there is none.
  private mutating func add(_ shard: Int) -> Bool {
    var best: (cost: Int, load: Int, node: Int)?
    var isNearPossible = false
    for node in view.nodes.indices where mayHold(shard, node) {
      let cost = cost(shard, node)
      if cost <= ReplicaPlan.move { isNearPossible = true }
      guard hasRoom(node) else { continue }
      let found = (cost, held[node].count - room[node], node)
      if best.map({ found < $0 }) ?? true { best = found }
    }
    // Nothing is cheaper than one move within a region, or one out of it where no other is possible.
    if let best, !isCrowded, best.cost <= ReplicaPlan.move || !isNearPossible {
      put(shard, on: best.node)
      return true
    }
    return carry(ReplicaPath(from: .missing(shard), in: &self))
  }
  private mutating func carry(_ path: ReplicaPath?) -> Bool {
    guard let path else { return false }
    for step in path.steps.reversed() {
      if let from = step.from { take(step.shard, from: from) }
      put(step.shard, on: step.to)
    }
    return true
  }

  private mutating func even() {
    if !isCrowded { giveWithinRegions() }
    while view.nodes.indices.contains(where: { isOver($0) }) {
      if !carry(ReplicaPath(from: .over, in: &self)), !makeRoom() { return }
    }
  }
  /// All moves from nodes that hold too much to others of their region that have room, the smallest shards first.
  private mutating func giveWithinRegions() {
    for node in view.nodes.indices where isOver(node) {
      let near = view.nodes.indices.filter { region[$0] == region[node] && isOpen[$0] && $0 != node }
      let shards = held[node].filter { mayMove($0) && cost($0, node) == 0 }
      for shard in shards.sorted(by: { (view.shards[$0].bytes, $0) < (view.shards[$1].bytes, $1) }) {
        guard isOver(node) else { break }
        let able = near.filter { hasRoom($0) && mayHold(shard, $0, without: node) }
        guard let to = able.min(by: { (held[$0].count - room[$0], $0) < (held[$1].count - room[$1], $1) }) else {
          continue
        }
        take(shard, from: node)
        put(shard, on: to)
      }
    }
  }

  // MARK: The plan

  /// What is to move, by shard; of each the replicas that go are matched with those that come, in one region where possible. So each
  /// move by itself keeps to the regions.
  var moves: [ReplicaMove] {
    var moves: [ReplicaMove] = []
    for (i, shard) in view.shards.enumerated() where holders[i] != before[i] {
      func id(_ node: Int) -> NodeID { view.nodes[node].id }
      var going = before[i].filter { !holders[i].contains($0) }
      var coming: [Int] = []
      func add(_ node: Int, from: Int?) {
        moves.append(
          ReplicaMove(
            shard: shard.shard, from: from.map(id), to: id(node), bytes: shard.bytes,
            isBetweenRegions: !wasThere[i * regionCount + region[node]]))
      }
      for node in holders[i].filter({ !before[i].contains($0) }).sorted() {
        if let near = going.firstIndex(where: { region[$0] == region[node] }) {
          add(node, from: going.remove(at: near))
        } else {
          coming.append(node)
        }
      }
      for node in coming { add(node, from: going.isEmpty ? nil : going.removeFirst()) }
      fillVacancies(of: shard, in: &moves)
      for node in going {
        moves.append(
          ReplicaMove(shard: shard.shard, from: id(node), to: nil, bytes: 0, isBetweenRegions: false))
      }
    }
    return moves
  }
  /// A voter that is no node any more leaves a place that is to be taken; and before any other of the shard moves, for that needs
  /// a majority.
  private func fillVacancies(of shard: PlacementView.Shard, in moves: inout [ReplicaMove]) {
    var vacant = shard.voters.filter { voter in !view.nodes.contains { $0.id == voter } }
    guard !vacant.isEmpty, let first = moves.firstIndex(where: { $0.shard == shard.shard }) else { return }
    for place in moves[first...].indices where moves[place].from == nil && !vacant.isEmpty {
      var move = moves.remove(at: place)
      move.from = vacant.removeFirst()
      moves.insert(move, at: first)
    }
  }
  /// The voters of each shard as the plan has them, sorted.
  var voters: [[NodeID]] { holders.map { $0.map { view.nodes[$0].id }.sorted() } }
}
