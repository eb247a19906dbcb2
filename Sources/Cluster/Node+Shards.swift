import Base
import Ledger
import Protocol
import Raft

/// Which shards there are and which replicas live here: what follows from the directory.
extension Node {
  var raftOptions: RaftOptions {
    var options = RaftOptions()
    options.electionTicks = configuration.electionTicks
    options.maxMessageBytes = configuration.appendBytes
    options.electionSpreadTicks = max(1, configuration.electionTicks / 2)
    return options
  }

  /// The replicas that were here before. A ledger's waits until the directory, which is among them, tells its placement:
  /// all must be known before the directory is applied, or it would take a shard for new.
  func restore(_ shards: [RecoveredReplica]) {
    for found in shards where found.shard != .directory { recovered[found.shard] = found }
    guard var found = shards.first(where: { $0.shard == .directory }) else { return }
    guard let members = bootstrapMembers(of: found) else {
      // Nothing of it is left: a peer tells its beginning.
      recovered[.directory] = found
      return
    }
    // What every node began with is committed, also where no more than that is left.
    if found.configuration == nil { found.hardState.commit = max(found.hardState.commit, LogIndex(1)) }
    install(directory: found, members: members)
  }

  /// The first members of the directory group, if its log begins here or there is a snapshot.
  private func bootstrapMembers(of found: RecoveredReplica) -> Configuration? {
    if let configuration = found.configuration { return configuration }
    guard let first = found.entries.first, first.index == LogIndex(1) else { return nil }
    return first.payload.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      guard (try? EntryHeader(decoding: &reader)) != nil, let command = try? Envelope.next(&reader) else { return nil }
      var body = ByteReader(UnsafeRawBufferPointer(rebasing: command[5...]))
      return (try? Topology(decoding: &body))?.directoryConfiguration
    }
  }

  /// Starts the directory's replica, from what was found or from a bootstrap.
  func install(directory found: RecoveredReplica, members: Configuration) {
    let machine = (found.machine as? DirectoryMachine) ?? DirectoryMachine()
    self.directory = machine
    start(found, machine: machine, members: members, firstSlot: Slot(0))
    if let replica = replica(.directory) {
      // Small, and all of it is needed to know which replicas there are.
      replica.applyAllowance = .max
      replica.turn(clock: now.wall, earliest: earliest)
      drain(replica)
    }
    directoryApplied()
  }

  private func start(_ found: RecoveredReplica, machine: any Machine, members: Configuration, firstSlot: Slot) {
    do {
      var raft = try RaftGroup(
        id: id, options: raftOptions, seed: random.next(), hardState: found.hardState,
        snapshotIndex: found.snapshotIndex, snapshotTerm: found.snapshotTerm,
        configuration: found.configuration ?? members, entries: found.entries)
      if found.snapshotIndex > LogIndex(0) {
        // Whether the log was released when the snapshot was written, or only later, is not known: once more does no harm.
        let released = raft.compact(through: found.snapshotIndex, keepingTail: configuration.logTailBytes)
        pendingReleases.append(LogRelease(shard: found.shard, through: released))
      }
      var limits = Replica.ReplicaLimits()
      limits.replayPatience = configuration.replayPatience
      let replica = Replica(shard: found.shard, firstSlot: firstSlot, machine: machine, raft: raft, limits: limits)
      replica.countUnapplied()
      replica.snapshotHeadStart = snapshotHeadStart(of: found.shard)
      replica.note = note
      judgeDeaths(of: replica, found.entries)
      replica.setMayLead(!clock.isOff && replica.poison == nil)
      replica.hashKey = topology?.hashKey
      replica.observer = observer
      observer?.starts(ReplicaView(replica: replica))
      if found.snapshotIndex > LogIndex(0) { observer?.restored(ReplicaView(replica: replica)) }
      makeTables(through: found.shard)
      replicas[Int(found.shard.rawValue)] = replica
    } catch {
      log(.error, "shard \(found.shard.rawValue) cannot start here: \(error)")
    }
  }

  private func makeTables(through shard: ShardID) {
    while replicas.count <= Int(shard.rawValue) {
      let next = ShardID(UInt32(replicas.count))
      replicas.append(nil)
      leaders.append(KnownLeader())
      // Sequence numbers and epochs of one life never meet those of another.
      streams.append(
        EdgeStream(
          shard: next, firstSequence: incarnation << 10, epoch: UInt32(truncatingIfNeeded: incarnation >> 10)))
    }
  }

  /// Acts by what the directory now says.
  func directoryApplied() {
    spreadCatalogue()
    guard let directory, let newer = directory.topology, newer.version != topology?.version else { return }
    topology = newer
    hashKey = newer.hashKey
    if cluster == 0 {
      cluster = newer.cluster
      peers[0].hello.cluster = cluster
      log(.info, "member of cluster \(clusterName)")
    }
    slotToShard = [UInt32](repeating: 0, count: Slot.count)
    for placement in newer.shards {
      makeTables(through: placement.shard)
      for slot in placement.first..<placement.end { slotToShard[slot] = placement.shard.rawValue }
    }
    for member in newer.members where member.id != id && member.state != .removed { dial(member.peerAddress) }
    createReplicas()
    announceSelf()
  }

  /// The catalogue has moved on, or a shard has a new leader: what it lacks is logged there.
  func spreadCatalogue() {
    guard let directory else { return }
    for replica in replicas {
      guard let replica, replica.shard != .directory else { continue }
      replica.proposeCatalogue(from: directory)
    }
  }

  /// As the directory's leader: what all shards have applied of the catalogue need not be kept for them. Their leaders
  /// tell; what none has told of yet counts as nothing applied.
  func dropSpreadDeltas(_ replica: Replica) {
    guard let directory, let topology, replica.hasTakenOver else { return }
    let known = topology.shards.map { leaders[Int($0.shard.rawValue)].catalogueVersion }
    guard let spread = known.min() else { return }
    let dropped = max(directory.droppedVersion, replica.catalogueProposed)
    guard spread > dropped, Int(spread - dropped) >= configuration.deltasKept else { return }
    var buffer = ByteBuffer(capacity: 16)
    DirectoryMachine.append(.spread, to: &buffer) { $0.append(spread) }
    guard replica.addInternal(buffer.bytes) else { return }
    replica.catalogueProposed = spread
    replica.isDirty = true
  }

  var clusterName: String {
    let digits = String(cluster, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// Every shard that is placed here gets its replica, found or new.
  private func createReplicas() {
    guard let topology else { return }
    for placement in topology.shards where placement.voters.contains(id) && replica(placement.shard) == nil {
      let found =
        recovered.removeValue(forKey: placement.shard)
        ?? RecoveredReplica(
          shard: placement.shard, hardState: unknownState, snapshotIndex: LogIndex(0), snapshotTerm: Term(0),
          configuration: nil, entries: [], machine: nil)
      let machine = found.machine ?? newLedger(placement.shard)
      start(
        found, machine: machine, members: Configuration(voters: placement.voters),
        firstSlot: Slot(UInt16(placement.first)))
    }
  }

  /// Of a shard of which nothing was found on disk: nothing was there, or all of it is lost, votes and all.
  private var unknownState: HardState {
    fence == 0 ? .initial : HardState.initial.damaged(life: fence, isVoteLost: true)
  }

  private func newLedger(_ shard: ShardID) -> LedgerMachine {
    LedgerMachine(Ledger(shard: shard, limits: configuration.ledgerLimits), lastIndex: LogIndex(0))
  }

  /// If this node runs under other names or addresses than the directory has, it says so.
  private func announceSelf() {
    guard let topology, let known = topology.member(id) else { return }
    let mine = Member(
      id: id, name: configuration.name, region: configuration.region, clientAddress: configuration.clientAddress,
      peerAddress: configuration.peerAddress, state: .up)
    guard known != mine else { return }
    submitInternal(.directory, flags: [.repeatable]) { buffer in
      DirectoryMachine.append(.member, to: &buffer) { mine.encode(into: &$0) }
    }
  }

  // MARK: Bootstrap

  /// The first entry of the directory's log, the same on every node.
  static func firstEntry(_ topology: Topology) -> LogEntry {
    var payload = ByteBuffer(capacity: 4096)
    EntryHeader(stamp: Stamp(microseconds: 1), catalogueVersion: 0, commandCount: 1).encode(into: &payload)
    DirectoryMachine.append(.bootstrap, to: &payload) { topology.encode(into: &$0) }
    return LogEntry(index: LogIndex(1), term: Term(1), payload: payload.array)
  }

  /// Begins the cluster here: as the last of its nodes, when the others have said that they have begun.
  func begin(_ topology: Topology) {
    let entry = Node.firstEntry(topology)
    // A node that lost what it knew of the directory may have voted since.
    var hardState = recovered.removeValue(forKey: .directory)?.hardState ?? unknownState
    hardState.term = max(hardState.term, Term(1))
    hardState.commit = LogIndex(1)
    pendingRecords.append(.init(shard: .directory, body: .state(NodeStorage.encoded(hardState))))
    pendingRecords.append(.init(shard: .directory, body: .entry(entry)))
    install(
      directory: RecoveredReplica(
        shard: .directory, hardState: hardState, snapshotIndex: LogIndex(0), snapshotTerm: Term(0),
        configuration: nil, entries: [entry], machine: nil),
      members: topology.directoryConfiguration)
  }

  /// `CLUSTER INIT`: makes a cluster of the nodes that have found each other.
  func initialise(_ owner: EdgeItem.Owner, shards: Int, replicas: Int, allowSingleRegion: Bool) {
    guard cluster == 0 else {
      answerError(owner, .exists, "this node belongs to cluster \(clusterName) already")
      return
    }
    guard bootstrap == nil else {
      answerError(owner, .busy, "the cluster is being made; ask for CLUSTER STATUS")
      return
    }
    var members: [Member] = []
    for peer in peers where peer.index == 0 || (peer.isConnected && peer.hello.cluster == 0) {
      members.append(
        Member(
          id: peer.id, name: peer.hello.name, region: peer.hello.region, clientAddress: peer.hello.clientAddress,
          peerAddress: peer.hello.peerAddress, state: .up))
    }
    if let elsewhere = peers.first(where: { $0.isConnected && $0.hello.cluster != 0 }) {
      answerError(
        owner, .exists,
        "node \(elsewhere.hello.name) belongs to a cluster already; this node will join it, or must not name it")
      return
    }
    do {
      let plan = try Topology.plan(
        cluster: random.next() | 1, hashKey: newHashKey, members: members, shards: shards, replicas: replicas,
        allowSingleRegion: allowSingleRegion)
      bootstrap = Bootstrap(
        topology: plan, owner: owner, waiting: members.map(\.id).filter { $0 != id },
        deadline: now.monotonic + configuration.requestTimeout)
      for member in plan.members where member.id != id {
        if let peer = peer(member.id) { sendBootstrap(plan, to: peer) }
      }
      completeBootstrap()
    } catch {
      answerError(owner, .malformed, error.reason)
    }
  }

  private func sendBootstrap(_ topology: Topology, to peer: Peer) {
    let start = peer.outbox.beginMessage(.bootstrap)
    topology.encode(into: &peer.outbox)
    peer.outbox.endMessage(start)
  }

  /// A member that missed the cluster's beginning is told again.
  func offerBootstrap(to peer: Peer) {
    guard let first = firstTopology, first.member(peer.id) != nil else { return }
    sendBootstrap(first, to: peer)
  }

  func bootstrapped(by peer: Peer, _ reader: inout ByteReader) throws(MalformedBytes) {
    let offered = try Topology(decoding: &reader)
    if cluster == 0 && offered.member(id) != nil && replica(.directory) == nil {
      bootstrap = nil
      begin(offered)
    }
    guard cluster == offered.cluster else { return }
    bootstrapReplies.append((peer.id, pendingRecords.isEmpty ? nextBatch - 1 : nextBatch))
    if !logBusy && pendingRecords.isEmpty { confirmBootstraps(through: nextBatch) }
  }

  /// What began the cluster here is durable: whoever asked may count on it.
  func confirmBootstraps(through batch: UInt64) {
    for reply in bootstrapReplies where reply.batch <= batch {
      guard let peer = peer(reply.peer) else { continue }
      let start = peer.outbox.beginMessage(.bootstrapDone)
      peer.outbox.endMessage(start)
    }
    bootstrapReplies.removeAll { $0.batch <= batch }
  }

  func bootstrapConfirmed(by peer: Peer) {
    bootstrap?.waiting.removeAll { $0 == peer.id }
    completeBootstrap()
  }

  private func completeBootstrap() {
    guard let ready = bootstrap, ready.waiting.isEmpty else { return }
    bootstrap = nil
    begin(ready.topology)
    reply.buffer.removeAll()
    reply.record()
    reply.field(.cluster, clusterName)
    reply.field(.nodes, Int64(ready.topology.members.count))
    reply.field(.shards, Int64(ready.topology.shards.count))
    answer(ready.owner, reply.buffer.bytes)
  }

  /// Called with each tick: nodes that did not answer in time are named.
  func expireBootstrap() {
    guard let late = bootstrap, now.monotonic >= late.deadline else { return }
    bootstrap = nil
    let names = late.waiting.map { peer($0)?.hello.name ?? "?" }.joined(separator: ", ")
    answerError(
      late.owner, .unknown, "no answer from \(names); the cluster may have begun without: ask for CLUSTER STATUS")
  }
}

/// A cluster that is being made by this node.
struct Bootstrap {
  var topology: Topology
  var owner: EdgeItem.Owner
  var waiting: [NodeID]
  var deadline: UInt64
}
