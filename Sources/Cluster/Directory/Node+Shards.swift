import Base
import Ledger
import Protocol
import Raft
import Storage

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
    for found in shards where found.shard != .directory { absent.keep(found) }
    guard let found = shards.first(where: { $0.shard == .directory }) else { return }
    noteLives(in: found.entries)
    guard found.configuration != nil || Founding.isWhole(in: found.entries) else {
      // Nothing of it is left: a peer tells its beginning.
      absent.keep(found)
      return
    }
    install(directory: found)
  }

  /// Starts the directory's replica, from what was found or from a bootstrap.
  func install(directory found: RecoveredReplica) {
    let machine = (found.machine?.machine as? DirectoryMachine) ?? DirectoryMachine()
    self.directory = machine
    start(found, machine: machine)
    if let replica = replica(.directory) {
      // Small, and all of it is needed to know which replicas there are.
      replica.applyAllowance = .max
      replica.turn(clock: now.wall, earliest: earliest)
      drain(replica)
    }
    directoryApplied()
  }

  func start(_ found: RecoveredReplica, machine: any Machine) {
    do {
      var raft = try RaftGroup(
        node: id, options: raftOptions, seed: random.next(), hardState: found.hardState,
        snapshotIndex: found.snapshotIndex, snapshotTerm: found.snapshotTerm,
        configuration: found.configuration ?? .empty, entries: found.entries)
      if found.snapshotIndex > LogIndex(0) {
        // Whether the log was released when the snapshot was written, or only later, is not known: once more does no harm.
        let released = raft.compact(through: found.snapshotIndex, keepingTail: configuration.logTailBytes)
        logWriter.release(found.shard, through: released)
      }
      var limits = Replica.ReplicaLimits()
      limits.replayPatience = configuration.replayPatience
      limits.semantics = configuration.semantics
      let replica = Replica(shard: found.shard, machine: machine, raft: raft, limits: limits)
      replica.countUnapplied()
      replica.snapshotHeadStart = snapshotHeadStart(of: found.shard)
      replica.note = note
      judgeDeaths(of: replica, found.entries)
      replica.setMayLead(mayLead(replica))
      replica.observer = observer
      observer?.starts(ReplicaView(replica: replica))
      if found.snapshotIndex > LogIndex(0) { observer?.restored(ReplicaView(replica: replica)) }
      makeTables(through: found.shard)
      replicas[Int(found.shard.rawValue)] = replica
    } catch {
      log(.error, "shard \(found.shard.rawValue) cannot start here: \(error)")
      // What is there must not be taken for nothing.
      absent.keep(found)
    }
  }

  private func makeTables(through shard: ShardID) {
    while replicas.count <= Int(shard.rawValue) { replicas.append(nil) }
    edge.makeTables(through: shard, incarnation: incarnation)
  }

  /// Acts by what the directory now says.
  func directoryApplied() {
    spreadCatalogue()
    guard let directory, let newer = directory.topology, newer.version != topology?.version else { return }
    topology = newer
    hashKey = newer.hashKey
    for peer in peers { peer.isMember = newer.member(peer.id) != nil }
    if cluster == 0 {
      cluster = newer.cluster
      peers[0].hello.cluster = cluster
      log(.info, "member of cluster \(clusterName)")
    }
    for placement in newer.shards { makeTables(through: placement.shard) }
    edge.place(newer.shards)
    for member in newer.members where member.state != .removed && (member.id != id || !seat.isTaken) {
      dial(member.peerAddress)
    }
    startRecovered()
    dropSuperseded()
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
    let known = topology.shards.map { edge.leader(of: $0.shard).catalogueVersion }
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

  /// Every replica that was found here starts once the directory has told of its shard. Others begin at a founding, or for
  /// a message that is meant for them: never by the map, which may be older than the group.
  private func startRecovered() {
    guard let topology else { return }
    for placement in topology.shards {
      guard let found = absent.take(placement.shard) else { continue }
      start(found, machine: found.machine?.machine ?? newLedger(placement.shard))
    }
  }

  func newLedger(_ shard: ShardID) -> LedgerMachine {
    LedgerMachine(Ledger(shard: shard, limits: configuration.ledgerLimits), lastIndex: LogIndex(0))
  }
}
