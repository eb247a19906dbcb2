import Base
import Ledger
import Raft

/// What `LeadershipPolicy` is to know, and what it decides.
extension Node {
  /// Voters that have said nothing for so long are not sent what only belongs there.
  private static let quietAfter: UInt64 = 500_000

  private var nodeFacts: LeadershipPolicy.NodeFacts {
    LeadershipPolicy.NodeFacts(
      isStopping: stopping != nil, clockOffFor: clock.isOff ? now.monotonic - clock.offSince : nil,
      isDiskSlow: disk.isSlow, isDiskFull: disk.isFull, isLogBlocked: disk.refusesBatches,
      isMemoryOver: memory.level >= .over)
  }

  private func facts(of replica: Replica) -> LeadershipPolicy.ShardFacts {
    let record = replica.leadership
    return LeadershipPolicy.ShardFacts(
      isLeader: replica.isLeader, aheadFor: record.aheadSince.map { now.monotonic - $0 }, isResting: record.isResting,
      isPoisoned: replica.poison != nil, isJournalRotten: rottenJournals.contains(replica.shard),
      mayOffer: now.monotonic >= record.nextOffer)
  }
  /// Where the placement wants shards led that are at home elsewhere, by shard number.
  private var homes: [NodeID?] {
    var homes = [NodeID?](repeating: nil, count: replicas.count)
    for placement in topology?.shards ?? [] where placement.preferredLeader != id {
      if homes.indices.contains(Int(placement.shard.rawValue)) {
        homes[Int(placement.shard.rawValue)] = placement.preferredLeader
      }
    }
    return homes
  }

  /// The other voters of a shard that is led here.
  func candidates(for replica: Replica) -> [LeadershipPolicy.Candidate] {
    replica.raft.progress.filter(\.isVoter).map { progress in
      LeadershipPolicy.Candidate(
        id: progress.id, match: progress.match, isNear: isNear(progress.id, replica),
        ailments: ailments(of: progress, replica.shard))
    }
  }
  private func ailments(of progress: PeerProgress, _ shard: ShardID) -> LeadershipPolicy.Ailments {
    var found: LeadershipPolicy.Ailments = progress.isDamaged ? .damaged : []
    guard let peer = peer(progress.id), peer.isConnected else { return found.union(.unlinked) }
    if peer.clock.isOff { found.insert(.clock) }
    if peer.disk.isFull { found.insert(.fullDisk) }
    if peer.disk.isSlow { found.insert(.slowDisk) }
    if peer.disk.lacksDescriptors { found.insert(.descriptors) }
    if peer.isCorrupt { found.insert(.corrupt) }
    if peer.replaying.contains(shard) { found.insert(.replaying) }
    if peer.poisons.contains(where: { $0.shard == shard }) { found.insert(.poisoned) }
    if peer.memory >= .over { found.insert(.memory) }
    if !peer.isSpeaking { found.insert(.mute) }
    if now.monotonic - peer.lastHeard >= Node.quietAfter { found.insert(.quiet) }
    return found
  }

  // MARK: Decisions

  /// With each heartbeat: whether what a leader has proposed is stamped ahead of every clock. A clock that was ahead when
  /// nobody could tell may have left such entries, which no follower takes for as long as it was ahead.
  func noteEntriesAhead() {
    let limit = now.wall.microseconds &+ ClockGuard.tolerance
    for replica in replicas {
      guard let replica else { continue }
      let newest = replica.isLeader ? replica.raft.newestUncommittedCommand.map(Node.stamp(of:)) : nil
      replica.leadership.note(isAhead: newest.map { $0 > limit } ?? false, now: now.monotonic)
    }
  }

  /// With each tick.
  /// - Parameter sendsHome: leaders spread over the nodes as the placement wishes, by transfer, never by election: now and
  ///   then.
  func decideLeadership(sendsHome: Bool = false) {
    let node = nodeFacts
    let homes = sendsHome ? homes : []
    for replica in replicas {
      guard let replica, replica.isLeader else { continue }
      var shard = facts(of: replica)
      if sendsHome { shard.home = homes[Int(replica.shard.rawValue)] }
      switch LeadershipPolicy.decide(node, shard, { candidates(for: replica) }) {
      case .lead, .refuse: break
      case .stepDown(let reason): stepDown(replica, reason)
      case .offer(let heir, let reason): offer(replica, to: heir, reason)
      }
    }
    judgeLeadership()
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
    case .slowDisk, .fullDisk, .blockedLog, .rottenJournal, .memory:
      replica.leadership.offered(now: now.monotonic, pause: 4 * disk.slowWrite)
    default: break
    }
    replica.transferLeadership(to: heir)
  }

  /// Lets each replica here lead, or not, as things stand. Also when they have changed between two ticks.
  func judgeLeadership() {
    let node = nodeFacts
    for replica in replicas {
      guard let replica else { continue }
      let mayLead = LeadershipPolicy.refusal(node, facts(of: replica)) == nil
      if replica.raft.mayLead != mayLead { replica.setMayLead(mayLead) }
    }
  }
  /// The same of one that starts.
  func mayLead(_ replica: Replica) -> Bool { LeadershipPolicy.refusal(nodeFacts, facts(of: replica)) == nil }

  /// Whether somebody could take over what this node serves badly.
  func hasHeir(_ replica: Replica) -> Bool {
    LeadershipPolicy.heir(nodeFacts, facts(of: replica), candidates(for: replica)) != nil
  }
}
