import Base
import Ledger
import Protocol
import Raft
import Storage

/// Which shards there are and which replicas live here: what follows from the directory.
final class ShardDesk: Coordinator {
  let turn: Turn
  let membership: Membership
  let peers: PeerTable
  let replicas: ReplicaTable
  let configuration: NodeConfiguration
  private(set) var directory: DirectoryMachine?
  private var random: SeededGenerator
  var absent: AbsentReplicas
  /// Which entries are being applied, and at which ones earlier processes of this node died: see `ApplyingNote`.
  let note: ApplyingNote
  var deaths: [ShardID: ApplyingNote.Death]
  /// What leaders tell of the groups that operations hold, and what is told of those that are led here.
  var groups = GroupReports()
  var toldGroups = ToldGroups()
  /// By shard: since when a replica here has known no leader.
  var leaderlessSince: [ShardID: UInt64] = [:]
  /// By shard that is led here: since when it has had learners that nobody wants.
  var idleLearners: [ShardID: UInt64] = [:]
  /// By shard: when a replica here last asked whether it is still a member.
  var membershipAsked: [ShardID: UInt64] = [:]
  /// By shard: the birth of a replica here of which its group's leader has said that it is no member.
  var toldRemoved: [ShardID: UInt64] = [:]
  /// By shard that has ended and has a replica here: since when that is known.
  var endedSince: [ShardID: UInt64] = [:]
  /// The catalogue's version that was last spread at once.
  var spreadVersion: UInt32?
  /// When this node next looks for changes of zones that nobody ends.
  var nextZoneLook: UInt64 = 0
  /// A replica here counts what belongs to which of its slots.
  var isAnyCounting = false
  private let observer: (any ReplicaObserver)?
  let disk: DiskDesk
  /// This node has promised itself to a cluster that begins with a backup.
  private let isRestoring: Bool

  init(
    turn: Turn, membership: Membership, peers: PeerTable, replicas: ReplicaTable, disk: DiskDesk,
    configuration: NodeConfiguration, storage: RecoveredNode, random: SeededGenerator, observer: (any ReplicaObserver)?
  ) {
    self.turn = turn
    self.membership = membership
    self.peers = peers
    self.replicas = replicas
    self.disk = disk
    self.configuration = configuration
    self.random = random
    self.observer = observer
    note = storage.note
    absent = AbsentReplicas(tombstones: storage.tombstones)
    deaths = storage.deaths
    isRestoring = ShardDesk.isRestoring(storage.promise)
  }

  /// Some operation is under way, as far as this node knows. What it waits for other nodes tell: no turn of a replica here may show it.
  var hasOperations: Bool { directory?.operations.open.isEmpty == false }
  /// A peer's snapshot has brought another state of the directory.
  func replace(directory machine: DirectoryMachine) { directory = machine }

  private var raftOptions: RaftOptions {
    var options = RaftOptions()
    options.electionTicks = configuration.electionTicks
    options.idleAfterTicks = configuration.electionTicks
    options.maxMessageBytes = configuration.appendBytes
    options.electionSpreadTicks = max(1, configuration.electionTicks / 2)
    return options
  }

  /// The replicas that were here before. A ledger's waits until the directory, which is among them, tells its placement:
  /// all must be known before the directory is applied, or it would take a shard for new. True: the directory is here.
  func restore(_ shards: [RecoveredReplica]) -> Bool {
    let shards = isRestoring ? seeded(shards) : shards
    for found in shards where found.shard != .directory {
      absent.keep(found)
      replicas.waiting.insert(found.shard)
    }
    guard let found = shards.first(where: { $0.shard == .directory }) else { return false }
    membership.noteLives(in: found.entries)
    guard found.configuration != nil || Founding.isWhole(in: found.entries) || found.hardState.born > 1 else {
      // Nothing of it is left: a peer tells its beginning.
      absent.keep(found)
      return false
    }
    install(directory: found)
    return true
  }

  /// Starts the directory's replica, from what was found or from a bootstrap.
  func install(directory found: RecoveredReplica) {
    let machine =
      (found.machine?.machine as? DirectoryMachine)
      ?? DirectoryMachine(limits: DirectoryLimits(configuration.ledgerLimits))
    self.directory = machine
    start(found, machine: machine)
  }

  func start(_ found: RecoveredReplica, machine: any Machine) {
    replicas.waiting.remove(found.shard)
    do {
      var options = raftOptions
      options.waitsForBeginning = found.shard != .directory
      var raft = try RaftGroup(
        node: membership.me.id, options: options, seed: random.next(), hardState: found.hardState,
        snapshotIndex: found.snapshotIndex, snapshotTerm: found.snapshotTerm,
        configuration: found.configuration ?? .empty, entries: found.entries)
      if found.snapshotIndex > LogIndex(0) {
        // Whether the log was released when the snapshot was written, or only later, is not known: once more does no harm.
        let released = raft.compact(through: found.snapshotIndex, keepingTail: configuration.logTailBytes)
        disk.writer.release(found.shard, through: released)
      }
      var limits = ReplicaLimits()
      limits.replayPatience = configuration.replayPatience
      limits.entryBytes = configuration.entryBytes
      limits.gatherBytes = configuration.gatherBytes
      limits.semantics = configuration.semantics
      let replica = Replica(shard: found.shard, machine: machine, raft: raft, limits: limits)
      replica.countUnapplied()
      replica.snapshots = SnapshotSchedule(
        headStart: membership.topology?.headStart(
          of: found.shard, at: membership.me.id, in: configuration.snapshotCommands) ?? 0,
        wholeDue: turn.now.monotonic + configuration.wholeInterval / 8, isRestored: found.snapshotIndex > LogIndex(0))
      replica.note = note
      judgeDeaths(of: replica, found.entries)
      replica.observer = observer
      observer?.starts(ReplicaView(replica: replica))
      if found.snapshotIndex > LogIndex(0) { observer?.restored(ReplicaView(replica: replica)) }
      replicas.add(replica)
    } catch {
      log(.error, "shard \(found.shard.rawValue) cannot start here: \(error)")
      // What is there must not be taken for nothing.
      absent.keep(found)
    }
  }

  /// Every replica that was found here starts once the directory has told of its shard. Others begin at a founding, or for
  /// a message that is meant for them: never by the map, which may be older than the group.
  func startRecovered() {
    for placement in membership.topology?.shards ?? [] {
      guard let found = absent.take(placement.shard) else { continue }
      start(found, machine: found.machine?.machine ?? newLedger(placement.shard))
    }
  }

  func newLedger(_ shard: ShardID) -> LedgerMachine {
    LedgerMachine(Ledger(shard: shard, limits: configuration.ledgerLimits), lastIndex: LogIndex(0))
  }
}
