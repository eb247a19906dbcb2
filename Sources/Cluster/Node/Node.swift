import Base
import Ledger
import Protocol
import Raft

/// A node, as a value in all but name: it takes events, and yields effects once a turn. It knows no socket, thread or clock:
/// each event brings the time. Its parts and coordinators do the work (see the README); the node keeps the turn, and carries
/// over what one of them wants of another.
///
/// One turn: events arrive (bytes of clients and peers, ticks, completions of the disk); then `flush` lets every stream
/// send what it has to its leader, every replica act, and hands all that came of it to the shell: one frame a peer, one
/// log batch, one output a client.
public final class Node: NodeCore {
  public typealias Work = NodeWork

  var configuration: NodeConfiguration
  let turn: Turn
  let membership: Membership
  let peers: PeerTable
  let replicas: ReplicaTable
  let links: PeerLinks
  let beginning: Beginning
  let requests: RequestDesk
  let shards: ShardDesk
  let snapshots: SnapshotDesk
  let health: HealthDesk
  let status: StatusDesk
  let settings: SettingsDesk
  private var turns: TurnTaking
  private var timers = NodeTimers()

  /// - Parameters:
  ///   - seed: for what only has to differ between nodes.
  ///   - newHashKey: 128 random bits, of which nobody else learns.
  public init(
    configuration: NodeConfiguration, storage: RecoveredNode, seed: UInt64, newHashKey: HashKey, now: Moment,
    turnRunner: (any TurnRunner)? = nil, observer: (any ReplicaObserver)? = nil
  ) {
    self.configuration = configuration
    var random = SeededGenerator(seed: seed)
    turn = Turn(now: now)
    membership = Membership(me: NodeIdentity(of: storage, nonce: random.next(), newHashKey: newHashKey))
    peers = PeerTable(
      own: Hello(of: membership.me, configuration, logPosition: storage.logPosition), now: now.monotonic)
    replicas = ReplicaTable()
    links = PeerLinks(turn: turn, membership: membership, peers: peers, configuration: configuration)
    beginning = Beginning(
      turn: turn, membership: membership, peers: peers, requestTimeout: configuration.requestTimeout)
    requests = RequestDesk(
      turn: turn, membership: membership, peers: peers, replicas: replicas, configuration: configuration, storage)
    health = HealthDesk(
      turn: turn, membership: membership, peers: peers, replicas: replicas, configuration: configuration)
    shards = ShardDesk(
      turn: turn, membership: membership, peers: peers, replicas: replicas, disk: health.disk,
      configuration: configuration, storage: storage, random: random, observer: observer)
    snapshots = SnapshotDesk(
      turn: turn, membership: membership, peers: peers, replicas: replicas, disk: health.disk,
      configuration: configuration)
    status = StatusDesk(turn: turn, membership: membership, peers: peers, replicas: replicas)
    settings = SettingsDesk(turn: turn, configuration: configuration)
    turns = TurnTaking(runner: turnRunner, configuration)
    for warning in storage.warnings { turn.out.log(.warning, warning) }
    if shards.restore(storage.shards) { directoryStarted() }
    beginning.recover(promise: storage.promise)
    links.advanceSeat()
    carryOver()
  }

  public func tick(now: Moment) {
    // Before anything is stamped.
    at(now).health.noticeClockStep()
    let due = timers.tick(now: now.monotonic, configuration)
    if due.isBeat { beat(due) }
    if due.isSecond {
      status.watch(health, StatusDesk.Standing(links, beginning), requests)
      announceSelf()
      requests.announce(newcomers: links.newcomers(shards.directory?.semantics ?? 0))
      beginning.tellAcquaintances()
    }
    if !due.isCalm { takeNextSnapshot() }
    health.disk.journal.writeAll(&turn.out)
    if due.isBeat || !due.isCalm { requests.expire() }
    beginning.advance()
    snapshots.advance()
    carryOver()
    shards.advance(but: snapshots.underWay, isCalm: due.isCalm)
    health.advance(sendsHome: due.isSecond, isCalm: due.isCalm)
    requests.advanceAudits(mostAhead: health.mostAhead)
    health.continueStopping()
  }

  private func beat(_ due: NodeTimers.Due) {
    links.advanceSeat()
    beginning.promise.writeOwed(&turn.out)
    if links.seat.isTaken { replicas.tick(turn.now.wall, health.earliest, isIdleBeat: due.isIdleBeat) }
    turn.out.isStatusDue = true
    health.beat(isCalm: due.isBeatCalm)
    links.advance()
    carryOver()
    guard !due.isBeatCalm else { return }
    shards.proposeDue(requests, snapshots.sender)
    for replica in shards.removed { retire(replica) }
  }

  public func flush(now: Moment, into effects: inout Effects<NodeWork>) {
    at(now).health.noticeClockStep()
    // What one replica does may be work for another, or for a stream: a few rounds end it; the rest can wait a turn.
    for round in 0..<4 {
      requests.sendStreams()
      guard replicas.marks.take() || round == 0 && turns.isBehind else { break }
      if round == 0 { turns.shareWork(among: replicas) }
      turns.take(replicas, clock: now.wall, earliest: health.earliest)
      let turned = turns.turned
      if turned.isEmpty { break }
      if replicas.noteTurns(of: turned) || shards.hasOperations { timers.noteTurn() }
      for replica in turned { drain(replica) }
      // Not before all are drained, for it may be any one's turn: what a snapshot refers to is on its way to the disk.
      if turned.contains(where: { $0.snapshots.logBytes >= configuration.snapshotLogBytes || $0.applying.wantsPause }) {
        takeNextSnapshot()
      }
    }
    requests.advanceCatalogueWaits()
    for question in requests.takeWalks() where !health.disk.read(question) { requests.refuse(question) }
    if turn.out.isStatusDue { status.broadcast(health, isCalm: timers.takeStatusCalm()) }
    if let batch = health.disk.nextBatch() {
      effects.isLogBatchAwaited = batch.isOfRecords && !batch.isProbe
      effects.logBatch = batch
    }
    for peer in peers.others {
      peer.sayHeartbeats()
      requests.useRoom(of: peer)
      links.sendFrames(to: peer)
    }
    requests.clients.flush(into: &effects, &turn.out)
    turn.out.move(into: &effects)
    effects.wantsTurn = replicas.marks.areAny || turns.isBehind || peers.wantTurn
  }

  /// What a replica's turn has produced goes to whom it concerns.
  func drain(_ replica: Replica) {
    health.disk.take(of: replica)
    peers.take(of: replica)
    status.kept.take(&replica.outbox.figures)
    requests.take(of: replica)
    shards.take(of: replica)
    snapshots.take(of: replica)
    if replica.shard == .directory { directoryApplied() }
    if replica.isLeader { requests.noteProgress(of: replica) }
    if replica.outbox.isSucceeded { retire(replica) }
  }
  /// A replica leaves this node for ever.
  func retire(_ replica: Replica) {
    shards.retire(replica)
    snapshots.endTransfers(of: replica.shard)
  }
  func takeNextSnapshot() { snapshots.takeNext { drain($0) } }

  /// The directory is told which life this is, and where, until it has it.
  func announceSelf() {
    guard !health.isStopping, let mine = links.announcement() else { return }
    requests.announce(mine, after: membership.me.predecessor)
  }
  /// For a checker.
  public var view: NodeView { NodeView(node: self) }
}
