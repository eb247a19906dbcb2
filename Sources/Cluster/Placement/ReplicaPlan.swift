import Base
import Raft

/// Which node is to hold which replica: valid first (each shard on `replicas` nodes that stay, spread over the regions), then
/// even within one, with the fewest moves that this takes, and of these with few bytes between regions.
///
/// It is a minimum-cost flow from shards over their regions to nodes (Ahuja, Magnanti & Orlin, *Network Flows*, ch. 9). It
/// begins with all replicas that may stay, which costs nothing, and adds what is missing one replica at a time by the cheapest
/// path; so the sum is the least. A path that displaces nobody is found at once; displacing is looked for only where no node
/// with room may take the replica. O(missing × nodes), and O(nodes × replicas) more for each path that displaces.
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

  private let view: PlacementView
  /// By node: its region's number.
  private let region: [Int]
  private let regionCount: Int
  /// How many voters of one shard a region may have: the least that gives all of them a place. Where there are as many
  /// regions as replicas that is 1, and the loss of any one leaves a majority.
  let regionLimit: Int
  /// By node: how many replicas it may hold.
  private var room: [Int]
  /// By shard: the nodes that hold it, by their place in the view.
  private(set) var holders: [[Int]]
  /// By node: the shards that it holds.
  private var held: [[Int]]
  /// By shard: the nodes that hold it now, as far as they stay.
  private let before: [[Int]]

  init(_ view: PlacementView, _ aim: Aim) throws(Impossible) {
    self.view = view
    let names = Set(view.nodes.map(\.region)).sorted()
    let number = Dictionary(uniqueKeysWithValues: zip(names, 0...))
    region = view.nodes.map { number[$0.region] ?? 0 }
    regionCount = names.count
    let place = Dictionary(uniqueKeysWithValues: zip(view.nodes.map(\.id), 0...))
    before = view.shards.map { $0.voters.compactMap { place[$0] }.sorted() }
    room = []
    holders = [[Int]](repeating: [], count: view.shards.count)
    held = [[Int]](repeating: [], count: view.nodes.count)

    // Nodes that may only keep count for what they hold: a region needs room for all of its shards at once.
    var open = [Int](repeating: 0, count: regionCount)
    for i in view.nodes.indices where view.isOpen(i) { open[region[i]] += 1 }
    let limit = (1...max(1, view.replicas)).first { limit in
      open.reduce(0) { $0 + min(limit, $1) } >= view.replicas
    }
    guard let limit else {
      throw Impossible(
        text: "\(view.replicas) replicas need as many nodes that take them, and there are \(open.reduce(0, +))")
    }
    regionLimit = limit
    room = targets(open: open, aim)
    keepWhatMayStay(aim)
    for shard in view.shards.indices {
      while holders[shard].count < view.replicas {
        var isAdded = add(to: shard)
        while !isAdded && makeRoom() { isAdded = add(to: shard) }
        guard isAdded else {
          throw Impossible(
            text: "shard \(view.shards[shard].shard.rawValue) has no place for replica \(holders[shard].count + 1) of"
              + " \(view.replicas) that keeps to \(regionLimit) a region")
        }
      }
    }
  }

  /// What does not move (replicas of shards that other operations have, and on nodes that only keep) may leave no even places:
  /// the least uneven are made, as many as it takes. False if nodes can hold no more.
  private mutating func makeRoom() -> Bool {
    guard let least = view.nodes.indices.filter({ view.isOpen($0) }).map({ room[$0] }).min(),
      least < view.shards.count
    else { return false }
    for node in view.nodes.indices where view.isOpen(node) { room[node] = max(room[node], least + 1) }
    return true
  }

  // MARK: How many each node is to hold

  /// Even within one over the nodes of each region, and over regions as far as the limit allows: regions that are too small for
  /// their part are full, and the others share what is left.
  private func targets(open: [Int], _ aim: Aim) -> [Int] {
    guard aim == .even else {
      return view.nodes.indices.map { view.isOpen($0) ? view.shards.count : 0 }
    }
    let now = loads()
    let kept = view.nodes.indices.filter { !view.nodes[$0].takesReplicas && !view.nodes[$0].isLeaving }
    let total = view.shards.count * view.replicas - kept.reduce(0) { $0 + now[$1] }
    let most = open.map { view.shards.count * min(regionLimit, $0) }
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
    var target = [Int](repeating: 0, count: view.nodes.count)
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
    let nodes = view.nodes.indices.filter { view.isOpen($0) }
    for g in 0..<regionCount where isFull[g] {
      deal(most[g], among: nodes.filter { region[$0] == g }) { most[$0] }
    }
    deal(left, among: nodes.filter { !isFull[region[$0]] }) { most[$0] }
    return target
  }
  private func loads() -> [Int] {
    var loads = [Int](repeating: 0, count: view.nodes.count)
    for nodes in before { for node in nodes { loads[node] += 1 } }
    return loads
  }

  // MARK: What stays

  private mutating func keepWhatMayStay(_ aim: Aim) {
    for shard in view.shards.indices {
      var inRegion = [Int](repeating: 0, count: regionCount)
      // Of a region that has too many, those on the fullest nodes go.
      for node in before[shard].sorted(by: { (loadsOver($0), $0) < (loadsOver($1), $1) }) {
        let isHeld = view.shards[shard].isHeld
        guard isHeld || !view.nodes[node].isLeaving && inRegion[region[node]] < regionLimit,
          isHeld || holders[shard].count < view.replicas
        else { continue }
        inRegion[region[node]] += 1
        put(shard, on: node)
      }
    }
    guard aim == .even else { return }
    for node in view.nodes.indices where view.isOpen(node) {
      // The ones that are cheapest to have elsewhere go: those that need no bytes between regions first, then the smallest.
      while held[node].count > room[node] {
        let movable = held[node].filter { !view.shards[$0].isHeld }
        guard let shard = movable.min(by: { (view.shards[$0].bytes, $0) < (view.shards[$1].bytes, $1) }) else { break }
        take(shard, from: node)
      }
    }
  }
  private func loadsOver(_ node: Int) -> Int { held[node].count - room[node] }

  private mutating func put(_ shard: Int, on node: Int) {
    holders[shard].append(node)
    held[node].append(shard)
  }
  private mutating func take(_ shard: Int, from node: Int) {
    holders[shard].removeAll { $0 == node }
    held[node].removeAll { $0 == shard }
  }

  // MARK: What is missing

  /// Whether a shard may have a replica on a node; `without` is one that it would give up for it.
  private func mayHold(_ shard: Int, _ node: Int, without: Int? = nil) -> Bool {
    guard view.isOpen(node) || before[shard].contains(node) && !view.nodes[node].isLeaving else { return false }
    guard !holders[shard].contains(node) else { return false }
    let inRegion = holders[shard].count { $0 != without && region[$0] == region[node] }
    return inRegion < regionLimit
  }
  /// A replica where there was one costs nothing, another a move, and a little more if its bytes cross regions.
  private func cost(_ shard: Int, _ node: Int) -> Int {
    if before[shard].contains(node) { return 0 }
    return before[shard].contains { region[$0] == region[node] } ? 1_000 : 1_001
  }

  /// One more replica, by the cheapest path; false if there is none.
  private mutating func add(to shard: Int) -> Bool {
    let roomy = view.nodes.indices.filter { held[$0].count < room[$0] && mayHold(shard, $0) }
    let best = roomy.min {
      (cost(shard, $0), held[$0].count - room[$0], $0) < (cost(shard, $1), held[$1].count - room[$1], $1)
    }
    if let best {
      put(shard, on: best)
      return true
    }
    return displace(for: shard)
  }

  /// Bellman–Ford over nodes: the cheapest way to have the shard on a full node, whose replica goes to another, and so on to
  /// one with room.
  private mutating func displace(for shard: Int) -> Bool {
    let count = view.nodes.count
    var least = [Int](repeating: .max, count: count)
    /// By node: which shard comes, and from which node; nil is the new replica itself.
    var comes = [(shard: Int, from: Int?)](repeating: (shard, nil), count: count)
    var waiting: [Int] = []
    for node in 0..<count where mayHold(shard, node) {
      least[node] = cost(shard, node)
      waiting.append(node)
    }
    var rounds = 0
    while !waiting.isEmpty && rounds < count {
      rounds += 1
      var next: Set<Int> = []
      for node in waiting where held[node].count >= room[node] {
        for moved in held[node] where !view.shards[moved].isHeld {
          let freed = least[node] - cost(moved, node)
          for other in 0..<count where other != node && freed + cost(moved, other) < least[other] {
            guard mayHold(moved, other, without: node), !isOn(other, pathTo: node, comes) else { continue }
            least[other] = freed + cost(moved, other)
            comes[other] = (moved, node)
            next.insert(other)
          }
        }
      }
      waiting = next.sorted()
    }
    let ends = (0..<count).filter { least[$0] < .max && held[$0].count < room[$0] }
    guard var at = ends.min(by: { (least[$0], $0) < (least[$1], $1) }) else { return false }
    while let from = comes[at].from {
      take(comes[at].shard, from: from)
      put(comes[at].shard, on: at)
      at = from
    }
    put(shard, on: at)
    return true
  }
  /// Whether the path that ends at a node passes another: a path visits none twice.
  private func isOn(_ other: Int, pathTo node: Int, _ comes: [(shard: Int, from: Int?)]) -> Bool {
    var at: Int? = node
    var steps = 0
    while let here = at, steps <= comes.count {
      if here == other { return true }
      at = comes[here].from
      steps += 1
    }
    return steps > comes.count
  }

  // MARK: The plan

  /// What is to move, by shard; of each the replicas that go are matched with those that come, in one region where possible.
  var moves: [ReplicaMove] {
    var moves: [ReplicaMove] = []
    for (i, shard) in view.shards.enumerated() {
      let now = Set(holders[i])
      let past = Set(before[i])
      var going = before[i].filter { !now.contains($0) }
      for node in holders[i].filter({ !past.contains($0) }).sorted() {
        let at = going.firstIndex { region[$0] == region[node] } ?? going.indices.first
        let from = at.map { going.remove(at: $0) }
        moves.append(
          ReplicaMove(
            shard: shard.shard, from: from.map { view.nodes[$0].id }, to: view.nodes[node].id, bytes: shard.bytes,
            isBetweenRegions: !before[i].contains { region[$0] == region[node] }))
      }
      for node in going {
        moves.append(
          ReplicaMove(shard: shard.shard, from: view.nodes[node].id, to: nil, bytes: 0, isBetweenRegions: false))
      }
    }
    return moves
  }
  /// The voters of each shard as the plan has them, sorted.
  var voters: [[NodeID]] { holders.map { $0.map { view.nodes[$0].id }.sorted() } }
}
