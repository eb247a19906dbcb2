import Base
import Protocol

/// Who leads, as far as a node knows.
protocol KnowsLeaders {
  /// Whether a shard has a leader; and whether that answers.
  func isLed(_ shard: ShardID) -> Bool
  func isServed(_ shard: ShardID) -> Bool
  func leader(of shard: ShardID) -> KnownLeader
}

/// How this node and the cluster do: what peers are told ten times a second, what the operator is told unasked, and what is
/// answered when somebody asks.
final class StatusDesk: Coordinator {
  let turn: Turn
  let membership: Membership
  let peers: PeerTable
  let replicas: ReplicaTable
  var health: HealthWatch
  /// What replicas have told of what they did.
  var kept = KeptFigures()
  /// As the shell measured it last.
  var gauges = ShellGauges()
  /// What peers know of what this node leads.
  private var told = LedTable()
  private var syncTimes = RecentTimes()
  /// Of the map as it was last looked at.
  private var map: MapMark?
  /// That replicas were the same is told for so long (µs).
  private static let comparedFor: UInt64 = 5_000_000
  /// Shards named to peers in heartbeats: those of which something had changed.
  private(set) var rowsTold: UInt64 = 0
  /// When the operator was last told that request ids are forgotten early; nil while they are not.
  var retentionTold: UInt64?

  /// What this node has come to: whether it is the node (`Seat`), has begun with its cluster, or is promised to one.
  struct Standing {
    var isSeated: Bool
    var hasBegun: Bool
    var isPromised: Bool

    init(_ links: PeerLinks, _ beginning: Beginning) {
      isSeated = links.seat.isTaken
      hasBegun = beginning.hasBegun
      isPromised = beginning.plan != nil
    }
  }

  init(turn: Turn, membership: Membership, peers: PeerTable, replicas: ReplicaTable) {
    self.turn = turn
    self.membership = membership
    self.peers = peers
    self.replicas = replicas
    health = HealthWatch(now: turn.now.wall)
  }

  // MARK: How this node does

  /// Finds out how this node does: what is told, and shown, of it from then on.
  /// - Parameter isCalm: nothing has happened to any replica since this was asked last.
  func judge(_ health: HealthDesk, isCalm: Bool = false) {
    let disk = health.disk.health
    var own = NodeCondition()
    own.disk.isFull = disk.isFull
    own.disk.isSlow = disk.isSlow
    own.disk.lacksDescriptors = disk.lacksDescriptors
    own.disk.figures = disk.gauges.map {
      DiskCondition.Figures(free: $0.freeBytes, log: $0.log.byteCount, pinned: $0.log.pinnedBytes)
    }
    own.disk.syncTime = syncTimes.p99(of: gauges.logWriteTimes, now: now.monotonic)
    own.memory = health.memory.level
    if isCalm {
      own.keepOfReplicas(peers.own.condition)
    } else {
      noteReplicas(in: &own)
    }
    if membership.me.fence != 0 { own.isCorrupt = true }
    own.isInsecure = health.isInsecure
    own.isCertificateEnding = gauges.certificates.contains { $0.isEnding(at: now.wall) }
    own.logPosition = disk.gauges?.logPosition ?? 0
    if let topology = membership.topology, topology.version != map?.version { map = MapMark(topology) }
    own.map = map
    own.divergent = replicas.divergent.sorted()
    own.silent = (membership.topology?.nodes ?? []).filter {
      $0.state != .removed && peers.isSilent($0.id, now: now)
    }.map(\.id)
    peers.own.condition = own
    peers.own.clock.isOff = health.clock.isOff
  }
  private func noteReplicas(in own: inout NodeCondition) {
    own.isCorrupt = replicas.isCorrupt
    for replica in replicas {
      if replica.machine.isForgettingEarly { own.isForgettingEarly = true }
      if let poison = replica.poison {
        own.poisons.append(PoisonedShard(shard: replica.shard, index: poison.index, kind: poison.kind))
      }
      if replica.isReplaying { own.replaying.append(replica.shard) }
      if replica.isLeader, let agreed = replica.digests.agreed,
        now.monotonic - min(now.monotonic, agreed.at) < StatusDesk.comparedFor
      {
        own.compared.append(Compared(shard: replica.shard, index: agreed.index))
      }
    }
  }

  /// A peer wants the whole of what is led here.
  func isWanted(by peer: Peer) {
    peer.needsWholeStatus = true
    turn.out.isStatusDue = true
  }
  /// What a peer tells of itself. Whether its memory makes a difference to what is refused.
  func receiveCondition(_ reader: inout ByteReader, of peer: Peer) throws(MalformedBytes) -> Bool {
    let told = try NodeCondition(decoding: &reader)
    let known = peer.condition.memory
    peer.condition = told
    peer.logPosition = max(peer.logPosition, told.logPosition)
    return (told.memory >= .over) != (known >= .over) || (told.memory >= .farOver) != (known >= .farOver)
  }

  /// Ten times a second, and at once when something matters.
  func broadcast(_ health: HealthDesk, isCalm: Bool) {
    judge(health, isCalm: isCalm)
    turn.out.isStatusDue = false
    var led: [NodeStatus.Led] = []
    let count = UInt32(replicas.count)
    for replica in replicas where replica.isLeader {
      led.append(
        NodeStatus.Led(
          shard: replica.shard, term: replica.term, commit: replica.commitIndex, applied: replica.machine.lastIndex,
          catalogueVersion: replica.machine.catalogueVersion, closed: replica.closed.stamp,
          closedIndex: replica.closed.index, hasTakenOver: replica.hasTakenOver))
    }
    let changes = told.changes(to: led, replicas: count)
    told.set(led)
    rowsTold += UInt64(changes.led.count)
    for peer in peers.others where peer.outgoing != nil {
      tell(peer, peer.needsWholeStatus ? LedTable.whole(led, replicas: count) : changes)
      peer.needsWholeStatus = false
    }
  }
  private func tell(_ peer: Peer, _ status: NodeStatus) {
    let (condition, isOff) = (peers.own.condition, peers.own.clock.isOff)
    guard !peer.hello.takesBeats else { return peer.say(beat: status, condition, now: now, isOff: isOff) }
    peer.say(.status) { status.encode(into: &$0) }
    peer.say(.clock) { peer.appendClock(to: &$0, now: now, isOff: isOff) }
    peer.say(.condition) { condition.encode(into: &$0) }
  }
}
