import Base
import Ledger
import Protocol
import Raft
import Storage

/// A node, as a value in all but name: it takes events, and yields effects once a turn. It owns the order of clients'
/// requests, the routing of each to its shard's leader, the links to its peers and a `Replica` for each shard it holds.
/// It knows no socket, thread or clock: what the time is comes with each event.
///
/// One turn: events arrive (bytes of clients and peers, ticks, completions of the disk); then `flush` lets every stream
/// send what it has to its leader, every replica act, and hands all that came of it to the shell: one frame a peer, one
/// log batch, one output a client.
public final class Node: NodeCore {
  public typealias Work = NodeWork

  let configuration: NodeConfiguration
  let me: NodeIdentity
  var seat: Seat
  /// Records of members that the directory's log held when this node started: see `noteLives`.
  var loggedMembers: [NodeID: Member] = [:]
  var now: Moment
  var random: SeededGenerator
  /// Zero until the node belongs to a cluster.
  var cluster: UInt64 = 0
  var stopping: Stopping?

  // Clients.
  var clients: ClientTable
  var parser = RequestParser()
  var reply = ReplyWriter(capacity: 4096)
  var workflows = Workflows()

  // Peers. Number 0 is this node itself.
  var peers: [Peer] = []
  var peerIndex: [NodeID: UInt32] = [:]
  var links: [LinkID: Link] = [:]
  var dials: [Dial] = []
  var nextRequest: UInt64 = 1
  /// How the cluster begins: see `Node+Init`.
  var promise: ClusterPlan?
  var initialisation: Initialisation?
  var initialisationWaits: [InitialisationWait] = []
  var promising = Promising()
  var acquaintances: [NodeID: Acquaintance] = [:]
  /// What began the cluster here is durable.
  var hasBegun = false
  /// Peers that hear that this node has begun, once the batch of that number is durable.
  var bootstrapReplies: [(peer: NodeID, batch: UInt64)] = []
  /// What the cluster began with, for a member that missed it.
  var firstTopology: Topology? { directory?.firstTopology }

  // Shards. Tables by shard number.
  var replicas: [Replica?] = []
  var turns: TurnTaking
  let observer: (any ReplicaObserver)?
  var edge: Edge
  var topology: Topology?
  /// The cluster's: by it request ids and contents are told apart.
  var hashKey = HashKey.none
  var directory: DirectoryMachine?
  var absent: AbsentReplicas
  /// Shards of which a replica's digest differed from its leader's.
  var divergent: Set<ShardID> = []
  /// Shards whose journal could not be read here in this life.
  var rottenJournals: Set<ShardID> = []
  var sender: SnapshotSender
  var arrivals = SnapshotArrivals()
  /// The shard whose snapshot is being written.
  var snapshotUnderWay: ShardID?
  /// Which entries are being applied, and at which ones earlier processes of this node died: see `ApplyingNote`.
  let note: ApplyingNote
  var deaths: [ShardID: ApplyingNote.Death]

  var logWriter: LogWriter
  var logBound: LogBound
  var journal: JournalDesk
  var disk: DiskHealth
  var clock = ClockGuard()
  var memory = MemoryHealth()
  /// What is to be done by the end of this turn.
  var out = NodeOutput()

  // Timers, on the monotonic clock.
  var nextHeartbeat: UInt64 = 0
  var nextSecond: UInt64 = 0
  /// What peers know of what this node leads.
  var toldStatus = LedTable()
  /// When the operator was told of strangers, and of others with this node's identity, by address.
  var toldOfStrangers: UInt64?
  var toldOfSelf: [String: UInt64] = [:]
  /// When the directory is to be told again where this node is.
  var nextAnnouncement: UInt64 = 0
  /// When the operator was last told that request ids are forgotten early; nil while they are not.
  var retentionTold: UInt64?
  var counters = NodeCounters()
  var gauges = ShellGauges()
  var health: HealthWatch

  struct Stopping {
    var deadline: UInt64
  }

  /// - Parameters:
  ///   - seed: for what only has to differ between nodes.
  ///   - newHashKey: 128 random bits, of which nobody else learns.
  public init(
    configuration: NodeConfiguration, storage: RecoveredNode, seed: UInt64, newHashKey: HashKey, now: Moment,
    turnRunner: (any TurnRunner)? = nil, observer: (any ReplicaObserver)? = nil
  ) {
    precondition(configuration.frameBytes * 2 <= FrameHeader.maximumBodyBytes, "a frame and one message more fit")
    self.configuration = configuration
    turns = TurnTaking(
      runner: turnRunner, applyWork: configuration.applyWork, parallelBytes: configuration.parallelBytes)
    self.observer = observer
    self.note = storage.note
    absent = AbsentReplicas(tombstones: storage.tombstones)
    self.deaths = storage.deaths
    self.now = now
    clients = ClientTable(window: configuration.clientWindow, records: configuration.clientRecords)
    logWriter = LogWriter(now: now.monotonic)
    logBound = LogBound(limit: UInt64(configuration.logLimitBytes))
    sender = SnapshotSender(
      pieceBytes: configuration.transferPieceBytes, bytesPerSecond: configuration.transferBytesPerSecond)
    journal = JournalDesk(window: configuration.journalWindow)
    disk = DiskHealth(
      reserve: configuration.diskReserve,
      // Half an election timeout.
      slowWrite: UInt64(configuration.electionTicks) * configuration.heartbeatInterval / 2, now: now.monotonic)
    edge = Edge(streamBytesLimit: configuration.shardQueueBytes)
    health = HealthWatch(now: now.wall)
    var random = SeededGenerator(seed: seed)
    me = NodeIdentity(
      id: storage.identity, proof: storage.proof,
      life: LifeID(incarnation: storage.incarnation, nonce: random.next()), predecessor: storage.predecessor,
      fence: storage.fence, newHashKey: newHashKey)
    seat = Seat(since: now.monotonic)
    self.random = random
    var hello = Hello(
      node: storage.identity, name: configuration.name, region: configuration.region,
      clientAddress: configuration.clientAddress, peerAddress: configuration.peerAddress,
      version: configuration.version, cluster: 0)
    hello.life = me.life
    hello.predecessor = me.predecessor
    hello.logPosition = storage.logPosition
    hello.semantics = configuration.semantics
    let own = Peer(id: storage.identity, index: 0, hello: hello)
    peers = [own]
    peerIndex = [storage.identity: 0]
    for address in configuration.join where address != configuration.peerAddress {
      dials.append(Dial(address: address))
    }
    for warning in storage.warnings { log(.warning, warning) }
    restore(storage.shards)
    hasBegun = cluster != 0
    recover(promise: storage.promise)
    advanceSeat()
  }

  // MARK: Time

  public func tick(now: Moment) {
    self.now = now
    // Before anything is stamped.
    noticeClockStep()
    if now.monotonic >= nextHeartbeat {
      nextHeartbeat = now.monotonic + configuration.heartbeatInterval
      advanceSeat()
      keepOwedPromise()
      if seat.isTaken { for replica in replicas { replica?.tick(clock: now.wall, earliest: earliest) } }
      out.isStatusDue = true
      judgeClock()
      judgeDistances()
      judgeShedding()
      noteEntriesAhead()
      judgeLeadership()
      retryDials()
      closeStrangers()
      settleGreetings()
      proposeDue()
    }
    let isSecond = now.monotonic >= nextSecond
    if isSecond {
      nextSecond = now.monotonic + 1_000_000
      watchForLeaders()
      watchRetention()
      watchHealth()
      announceSelf()
      tellAcquaintances()
    }
    takeNextSnapshot()
    journal.writeAll(&out)
    expireRequests()
    advanceInitialisation()
    advanceTransfers()
    absent.clearAway(but: snapshotUnderWay, &out)
    disk.advance(now: now.monotonic, &out)
    decideLeadership(sendsHome: isSecond)
    advanceAudits()
    for replica in replicas where replica?.markers.isEmpty == false { replica?.isDirty = true }
    if let stopping { continueStopping(stopping) }
  }

  public func measured(_ gauges: ShellGauges, now: Moment) {
    self.now = now
    self.gauges = gauges
    disk.noteShortages(ofConnections: gauges.connectionsWithoutDescriptor, now: now.monotonic, &out)
  }

  /// Ticks for what is due, catalogue changes for the shards that lack them, and deliveries that had no answer.
  private func proposeDue() {
    raiseSemantics()
    for replica in replicas {
      guard let replica, replica.isLeader else { continue }
      if replica.shard == .directory {
        dropSpreadDeltas(replica)
        continue
      }
      replica.proposeDue(clock: now.wall)
      if let directory { replica.proposeCatalogue(from: directory) }
      replica.resendDeliveries(
        now: now.monotonic, interval: configuration.deliveryInterval, patience: deliveryPatience)
    }
  }

  // MARK: Stopping

  public func stop(now: Moment) {
    self.now = now
    guard stopping == nil else { return }
    log(.info, "stopping: handing over leadership")
    stopping = Stopping(deadline: now.monotonic + 3_000_000)
    decideLeadership()
  }

  private func continueStopping(_ stopping: Stopping) {
    let canHandOver = peers.contains { $0.isConnected }
    let leading = canHandOver && replicas.contains { $0?.isLeader == true && ($0?.voterCount ?? 1) > 1 }
    if (!leading && logWriter.isIdle) || now.monotonic >= stopping.deadline {
      out.end(0, leading ? "stopped, with leadership not handed over in time" : "stopped")
    }
  }

  // MARK: The disk

  public func completed(_ completion: Completion, now: Moment) {
    self.now = now
    switch completion {
    case .logged(let number, let acks):
      batchWritten()
      confirmBootstraps(through: number)
      absent.written(through: number)
      for ack in acks { replica(ack.shard)?.persisted(ack.sequence) }
    case .logRefused(let batch, let error):
      batchRefused(batch, error)
    case .measured(let gauges):
      diskMeasured(gauges)
    case .answered(let answers):
      journalAnswered(answers)
    case .journalRotten(let answers, let reason, let transfer):
      journalAnswered(answers)
      rottenJournals.insert(answers.shard)
      if let transfer { transferAdvanced(.failed(transfer, reason)) }
      log(
        .error,
        "CORRUPT \(reason); others are to lead that shard; start this node again: its peers then supply its journal")
    case .journalKept(let count, let completion):
      journal.written(count)
      completed(completion, now: now)
    case .journalSynced(let result):
      journalSynced(result)
    case .snapshotWritten(let result):
      snapshotWritten(result)
    case .transferred(let step):
      transferAdvanced(step)
    case .clearedAway(let shard, let failure): clearedAway(shard, failure: failure)
    case .seatKept: seatKept()
    case .promiseKept: promiseKept()
    // With the next heartbeat.
    case .seatWaits: seat.isBeingKept = false
    case .promiseWaits: promising.isOwed = true
    case .nothing:
      break
    case .failed(let what):
      log(.error, what)
    case .broken(let what):
      out.end(1, what)
    case .recovered(let what):
      log(.info, what)
    }
  }

  // MARK: One turn's end

  public func flush(now: Moment, into effects: inout Effects<NodeWork>) {
    self.now = now
    // What one replica does may be work for another, or for a stream: a few rounds settle it; the rest can wait a turn.
    noticeClockStep()
    turns.shareWork(among: replicas)
    for _ in 0..<4 {
      sendStreams()
      turns.take(replicas, clock: now.wall, earliest: earliest)
      let turned = turns.turned
      if turned.isEmpty { break }
      for replica in turned { drain(replica) }
      // Not before all are drained, for it may be any one's turn: what a snapshot refers to is on its way to the disk.
      if turned.contains(where: { $0.bytesSinceSnapshot >= configuration.snapshotLogBytes || $0.wantsPause }) {
        takeNextSnapshot()
      }
    }
    advanceCatalogueWaits()
    if out.isStatusDue { broadcastStatus() }
    if let batch = nextLogBatch() {
      effects.isLogBatchAwaited = !batch.isProbe
      effects.logBatch = batch
    }
    for peer in peers where peer.index != 0 {
      useRoom(of: peer)
      if !peer.outbox.isEmpty || owesWord(to: peer) { sendFrame(to: peer) }
    }
    clients.flush(into: &effects, &out)
    out.move(into: &effects)
    effects.wantsTurn = replicas.contains { $0.map { $0.hasBacklog || $0.isDirty } == true }
  }

  // MARK: Small things

  var id: NodeID { me.id }
  var incarnation: UInt64 { me.incarnation }
  var proof: Proof { me.proof }
  public var life: LifeID { me.life }
  var predecessor: LifeID { me.predecessor }

  func log(_ level: LogLevel, _ text: String) { out.log(level, text) }
  func replica(_ shard: ShardID) -> Replica? {
    Int(shard.rawValue) < replicas.count ? replicas[Int(shard.rawValue)] : nil
  }
  func peer(_ id: NodeID) -> Peer? { peerIndex[id].map { peers[Int($0)] } }
  func openLink(_ address: String, bulk: Bool) -> UInt64 {
    let request = nextRequest
    nextRequest += 1
    out.openLinks.append((request, address, bulk))
    return request
  }
}

/// What a node has done since it started.
struct NodeCounters {
  @Measured("accepted_clients", .clients, "connections of terminals since the start") var clientsAccepted: UInt64 = 0
  @Measured("requests", .requests, "requests that were understood") var requests: UInt64 = 0
  @Measured("refused_lines", .requests, "lines that were not understood") var refusedLines: UInt64 = 0
  @Measured("forwarded", .requests, "requests sent to a shard's leader on another node") var forwarded: UInt64 = 0
  @Measured("answered_unknown", .requests, "requests answered UNKNOWN") var unknowns: UInt64 = 0
  @Measured("answered_unavailable", .requests, "requests answered UNAVAILABLE or BUSY") var unavailables: UInt64 = 0
  @Measured("strangers_turned_away", .cluster, "links whose other side did not prove to be a node")
  var strangersTurnedAway: UInt64 = 0
  @Measured("snapshots_taken", .snapshots, "snapshots that were begun") var snapshotsTaken: UInt64 = 0
  @Measured("snapshots_sent", .snapshots, "snapshots sent to other nodes") var snapshotsSent: UInt64 = 0
  @Measured("snapshots_installed", .snapshots, "snapshots received and put to use") var snapshotsInstalled: UInt64 = 0
  @Measured("log_rewrites", .disk, "times that entries were written again at the log's end") var logRewrites: UInt64 = 0
  @Measured("snapshots_forced", .disk, "snapshots taken because the log was too long") var snapshotsForced: UInt64 = 0
  /// Shards named to peers in heartbeats: those of which something had changed.
  var statusRowsTold: UInt64 = 0
}
