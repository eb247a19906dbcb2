import Base
import Cluster

/// What is looked at once a virtual second, of all replicas together.
struct ReplicaWatch {
  struct Place: Hashable {
    var node: NodeID
    var born: UInt64
    var shard: ShardID
    init(_ view: ReplicaView) {
      node = view.node
      born = view.born
      shard = view.shard
    }
  }
  /// A replica that hears no other of its group.
  private struct Isolation {
    /// The term in which that began.
    var term: Term
    /// Whom it may hear: a group that changes may have one in it whom it does.
    var voters: [NodeID]
  }
  /// By shard: a leader though another leads in a newer term, and for how many seconds.
  private var deposed: [ShardID: (node: NodeID, seconds: Int)] = [:]
  private var isolated: [Place: Isolation] = [:]
  /// Replicas whose term or vote is not on disk, and for how many seconds.
  private var unwritten: [Place: Int] = [:]
  /// Seconds after which a leader must have heard that it is deposed, and in which a vote comes to disk.
  private static let longestDeposed = 10
  private static let longestUnwritten = 5
  /// How many terms a replica may come by from what was on its way when it was isolated.
  private static let termsOnTheirWay: UInt64 = 3

  /// Two may lead a shard in different terms, but the older hears before long that a majority follows the newer, or that
  /// nobody answers it (Raft §6.2).
  /// - Parameter views: of one shard, but for nodes whose process is stopped.
  mutating func checkLeaders(of shard: ShardID, _ views: [ReplicaView]) -> String? {
    let leaders = views.filter(\.isLeader)
    guard leaders.count > 1, let oldest = leaders.min(by: { $0.term < $1.term }) else {
      deposed[shard] = nil
      return nil
    }
    let known = deposed[shard].flatMap { $0.node == oldest.node ? $0 : nil }
    let seconds = (known?.seconds ?? 0) + 1
    deposed[shard] = (oldest.node, seconds)
    guard seconds > ReplicaWatch.longestDeposed else { return nil }
    return
      "shard \(shard.rawValue): \(oldest.node.rawValue) leads on in term \(oldest.term.rawValue), long after it was deposed"
  }

  /// Which replicas hear no other from now on, and which do again.
  mutating func noteReachability(in simulation: Simulation) {
    var found: [Place: Isolation] = [:]
    for host in simulation.hosts where !host.isFrozen {
      let heard = simulation.hosts.filter { $0 !== host && simulation.isHeard($0.number, by: host.number) }
        .map(\.nodeID)
      for view in host.node?.view.replicas ?? [] {
        // One that has just begun knows nobody yet, and listens to whoever speaks to it.
        let voters = view.voters
        guard !voters.isEmpty, !voters.contains(where: heard.contains) else { continue }
        let known = isolated[Place(view)].flatMap { $0.voters == voters ? $0 : nil }
        found[Place(view)] = known ?? Isolation(term: view.term, voters: voters)
      }
    }
    isolated = found
  }

  /// A replica that hears no other does not raise the term (Raft §9.6, pre-vote); but by what was on its way.
  func checkTerm(_ view: ReplicaView) -> String? {
    guard view.votedForItself, let since = isolated[Place(view)], since.voters == view.voters,
      view.term.rawValue > since.term.rawValue + ReplicaWatch.termsOnTheirWay
    else { return nil }
    return
      "shard \(view.shard.rawValue): \(view.node.rawValue) raised its term from \(since.term.rawValue) to"
      + " \(view.term.rawValue), and heard nobody"
  }

  /// Term and vote are on disk before long, unless the disk does nothing (Raft §5.2: a vote speaks from there alone).
  /// - Parameter views: but for nodes whose disk is excused.
  mutating func checkVotes(_ views: [ReplicaView]) -> String? {
    var found: [Place: Int] = [:]
    var late: String?
    for view in views where !view.isStateStable {
      let seconds = (unwritten[Place(view)] ?? 0) + 1
      found[Place(view)] = seconds
      if seconds > ReplicaWatch.longestUnwritten, late == nil {
        late = "shard \(view.shard.rawValue): the vote of \(view.node.rawValue) never comes to disk"
      }
    }
    unwritten = found
    return late
  }
}

extension Scenario {
  func watchReplicas() {
    simulation.call(after: 1_000_000) { [self] in
      guard failure == nil else { return }
      checkReplicas()
      watchReplicas()
    }
  }
  private func checkReplicas() {
    let views = simulation.hosts.flatMap { $0.node?.view.replicas ?? [] }
    let frozen = simulation.hosts.filter(\.isFrozen).map(\.nodeID)
    // Groups change, too.
    watch.noteReachability(in: simulation)
    for number in 0...newestShard {
      let shard = ShardID(number)
      let replicas = views.filter { $0.shard == shard }
      observer.checkLogs(replicas)
      if let reason = watch.checkLeaders(of: shard, replicas.filter { !frozen.contains($0.node) }) { fail(reason) }
    }
    for view in views { if let reason = watch.checkTerm(view) { fail(reason) } }
    let excused = simulation.hosts.filter(isExcusedFromWriting).map(\.nodeID)
    if let reason = watch.checkVotes(views.filter({ !excused.contains($0.node) })) { fail(reason) }
    let rotten = damage.all.map { simulation.hosts[$0].nodeID }
    for view in views where !rotten.contains(view.node) {
      if let reason = view.quarantined { fail("shard \(view.shard.rawValue) is quarantined: \(reason)") }
    }
  }

  private func isExcusedFromWriting(_ host: SimulatedHost) -> Bool {
    host.isFrozen || host.diskPace.stalledUntil + 5_000_000 > simulation.now || host.diskPace.slowness > 1
      || damage.faultyDisks.contains(host.number)
      || isFaultPhase && (damage.fullDisks.contains(host.number) || damage.withoutDescriptors.contains(host.number))
  }
}
