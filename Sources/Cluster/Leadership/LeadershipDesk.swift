import Base
import Ledger
import Raft

/// What `LeadershipPolicy` is to know, and what it decides.
final class LeadershipDesk: Coordinator {
  let turn: Turn
  let membership: Membership
  let peers: PeerTable
  let replicas: ReplicaTable
  private let slowWrite: UInt64
  /// Voters that have said nothing for so long are not sent what only belongs there.
  private static let quietAfter: UInt64 = 500_000

  /// - Parameter slowWrite: a write to the log that takes longer is slow (µs).
  init(turn: Turn, membership: Membership, peers: PeerTable, replicas: ReplicaTable, slowWrite: UInt64) {
    self.turn = turn
    self.membership = membership
    self.peers = peers
    self.replicas = replicas
    self.slowWrite = slowWrite
  }

  private func facts(of replica: Replica) -> LeadershipPolicy.ShardFacts {
    let record = replica.leadership
    return LeadershipPolicy.ShardFacts(
      isLeader: replica.isLeader, aheadFor: record.aheadSince.map { now.monotonic - $0 }, isResting: record.isResting,
      isPoisoned: replica.poison != nil, isJournalRotten: replicas.rottenJournals.contains(replica.shard),
      mayOffer: now.monotonic >= record.nextOffer)
  }
  /// Where the placement wants shards led that are led here.
  private var homes: [ShardID: NodeID] {
    var homes: [ShardID: NodeID] = [:]
    guard let topology = membership.topology else { return homes }
    if let directory = replicas[.directory], directory.isLeader { homes[.directory] = elder(of: directory) }
    for placement in topology.shards {
      guard let replica = replicas[placement.shard], replica.isLeader else { continue }
      guard let home = home(of: replica, placement, topology), home != peers.id else { continue }
      homes[placement.shard] = home
    }
    return homes
  }
  /// A member of the directory's group without a link to this node, which leads it, may not know this node yet: it can learn of it
  /// from the log alone. So one that has been in the group for longer is to lead, and brings it that. Nil: nobody is needed.
  private func elder(of replica: Replica) -> NodeID? {
    let raft = replica.raft
    guard raft.progress.contains(where: { peers[$0.id]?.isConnected != true }) else { return nil }
    let older = raft.configuration.voters.filter { $0.born < raft.id.born && peers.isUp($0.node, now: now) }
    return older.min { ($0.born, $0.node) < ($1.born, $1.node) }?.node
  }
  /// Nil: no matter where.
  private func home(of replica: Replica, _ placement: ShardPlacement, _ topology: Topology) -> NodeID? {
    let home = placement.preferredLeader
    func able(in region: String) -> NodeID? {
      let there = placement.voters.filter { topology.node($0)?.region == region }
      // Who leads there leads on, but for whoever is at home there.
      for node in [home, peers.id] + there where there.contains(node) && isAble(node, topology) { return node }
      return nil
    }
    switch topology.rules.lead(of: placement.shard) {
    case .any: return home
    case .region(let name): return able(in: name) ?? home
    case .traffic:
      let busiest = replica.leading.traffic.region { edge in
        Int(edge) < peers.count ? topology.node(peers[Int(edge)].id)?.region : nil
      }
      guard let busiest, busiest != peers.own.hello.region else { return nil }
      return able(in: busiest)
    }
  }
  private func isAble(_ node: NodeID, _ topology: Topology) -> Bool {
    topology.node(node)?.state == .up && peers.isUp(node, now: now)
  }

  /// The other voters of a shard that is led here.
  /// - Parameter leaving: whose place another is about to take.
  func candidates(for replica: Replica, leaving: NodeID? = nil) -> [LeadershipPolicy.Candidate] {
    replica.raft.progress.filter { $0.isVoter && $0.id != leaving }.map { progress in
      LeadershipPolicy.Candidate(
        id: progress.id, match: progress.match, isNear: isNear(progress.id, replica),
        ailments: ailments(of: progress, replica.shard))
    }
  }
  private func ailments(of progress: PeerProgress, _ shard: ShardID) -> LeadershipPolicy.Ailments {
    var found: LeadershipPolicy.Ailments = progress.isDamaged ? .damaged : []
    guard let peer = peers[progress.id], peer.isConnected else { return found.union(.unlinked) }
    if membership.topology?.node(progress.id).map({ $0.state != .up }) ?? false { found.insert(.draining) }
    if peer.clock.isOff { found.insert(.clock) }
    if peer.condition.disk.isFull { found.insert(.fullDisk) }
    if peer.condition.disk.isSlow { found.insert(.slowDisk) }
    if peer.condition.disk.lacksDescriptors { found.insert(.descriptors) }
    if peer.condition.isCorrupt { found.insert(.corrupt) }
    if peer.condition.replaying.contains(shard) { found.insert(.replaying) }
    if peer.condition.isPoisoned(shard) { found.insert(.poisoned) }
    if peer.condition.memory >= .over { found.insert(.memory) }
    if !peer.isSpeaking { found.insert(.mute) }
    if peer.isSilent(for: LeadershipDesk.quietAfter, now: now) { found.insert(.quiet) }
    return found
  }

  /// Whether a voter has nearly all of a shard's log: what it lacks goes over its link in a moment.
  private func isNear(_ node: NodeID, _ replica: Replica) -> Bool {
    guard let peer = peers[node] else { return false }
    return replica.isNear(node, within: min(1 << 20, max(64 << 10, 2 * peer.queue.budget.limit)))
  }

  // MARK: Decisions

  /// With each heartbeat: whether what a leader has proposed is stamped ahead of every clock. A clock that was ahead when
  /// nobody could tell may have left such entries, which no follower takes for as long as it was ahead.
  func noteEntriesAhead() {
    let limit = now.wall.microseconds &+ ClockGuard.tolerance
    for replica in replicas {
      // What a group at rest has is committed.
      let mayHave = replica.isLeader && !replica.isStill
      let newest = mayHave ? replica.raft.newestUncommittedCommand.map(EntryHeader.stamp(of:)) : nil
      replica.leadership.note(isAhead: newest.map { $0 > limit } ?? false, now: now.monotonic)
    }
  }

  /// With each tick.
  /// - Parameter sendsHome: leaders spread over the nodes as the placement wishes, by transfer, never by election: now and
  ///   then.
  func decide(_ node: LeadershipPolicy.NodeFacts, sendsHome: Bool = false) {
    if sendsHome { for replica in replicas where replica.isLeader { replica.leading.traffic.tick() } }
    let homes = sendsHome ? homes : [:]
    let ordered = (replicas[.directory]?.machine as? DirectoryMachine)?.operations.orders ?? [:]
    for replica in replicas {
      guard replica.isLeader else { continue }
      var shard = facts(of: replica)
      if let order = ordered[replica.shard] {
        if order.leader != peers.id { shard.ordered = order.leader }
        shard.isLeaving = order.leaving == peers.id
      } else {
        shard.home = homes[replica.shard]
      }
      switch LeadershipPolicy.decide(
        node, shard, { candidates(for: replica, leaving: ordered[replica.shard]?.leaving) })
      {
      case .lead, .refuse: break
      case .stepDown(let reason): stepDown(replica, reason)
      case .offer(let heir, let reason): offer(replica, to: heir, reason)
      }
    }
    judge(node)
  }

  private func stepDown(_ replica: Replica, _ reason: LeadershipPolicy.Reason) {
    if reason == .future {
      log(
        .warning,
        "shard=\(replica.shard.rawValue) has entries here that are stamped ahead of every clock: others are to lead it")
      replica.leadership.rest(now: now.monotonic)
    }
    replica.stepDown()
  }

  private func offer(_ replica: Replica, to heir: NodeID, _ reason: LeadershipPolicy.Reason) {
    switch reason {
    case .slowDisk, .fullDisk, .blockedLog, .rottenJournal, .memory, .draining, .ordered, .leaving:
      replica.leadership.offered(now: now.monotonic, pause: 4 * slowWrite)
    default: break
    }
    replica.transferLeadership(to: heir)
  }

  /// Lets each replica here lead, or not, as things stand. Also when they have changed between two ticks.
  func judge(_ node: LeadershipPolicy.NodeFacts) {
    for replica in replicas {
      let mayLead = LeadershipPolicy.refusal(node, facts(of: replica)) == nil
      if replica.raft.mayLead != mayLead { replica.setMayLead(mayLead) }
    }
  }
  /// Whether somebody could take over what this node serves badly.
  func hasHeir(_ replica: Replica, _ node: LeadershipPolicy.NodeFacts) -> Bool {
    LeadershipPolicy.heir(node, facts(of: replica), candidates(for: replica)) != nil
  }

  // MARK: Distances

  /// From so long a round trip on a majority is far: several times what a log takes to write.
  private static let farTrip: UInt64 = 4_000

  /// With each heartbeat.
  func judgeDistances() {
    for replica in replicas where replica.isLeader {
      let trip = peers.majorityTrip(of: replica.raft.configuration.voters.map(\.node), now: now)
      replica.setMajorityFar(trip >= LeadershipDesk.farTrip)
    }
  }
}
