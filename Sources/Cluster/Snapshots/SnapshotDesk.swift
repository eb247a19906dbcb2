import Base
import Ledger
import Protocol
import Raft
import Storage

/// Snapshots of this node's shards (`SnapshotDesk+Turns`), and those that peers send and are sent: what `SnapshotSender`,
/// `SnapshotSlots` and `SnapshotArrivals` are told (`SnapshotDesk+Transfers`), and what is done about what they say.
///
/// `takeEvents` has the work for others, in order.
final class SnapshotDesk: Coordinator {
  enum Event {
    /// A link is of no use any more.
    case close(LinkID)
    /// One is wanted for a transfer of that number: `opens` is to be told.
    case open(UInt64, address: String)
    /// A peer offers a snapshot: `begin` is to be told, once the replica's outputs are drained.
    case arrives(SnapshotArrivals.Offer, LinkID)
    /// A snapshot is waited for: the next may be begun.
    case isDue
    /// The directory has another state from now on.
    case directory(DirectoryMachine)
    case backup(BackupDesk.Event)
  }

  let turn: Turn
  let membership: Membership
  let peers: PeerTable
  let replicas: ReplicaTable
  var sender: SnapshotSender
  var slots = SnapshotSlots()
  var arrivals = SnapshotArrivals()
  /// The shard whose snapshot is being written.
  var underWay: ShardID?
  var counters = SnapshotCounters()
  var limits: SnapshotLimits
  let disk: DiskDesk
  let backups: BackupDesk
  private var events: [Event] = []
  /// Of transfers, both ways: none comes twice.
  private var lastNumber: UInt64 = 0
  /// When it was last looked who still wants what is sent.
  var reviewedAt: UInt64 = 0

  init(
    turn: Turn, membership: Membership, peers: PeerTable, replicas: ReplicaTable, disk: DiskDesk,
    configuration: NodeConfiguration
  ) {
    self.disk = disk
    self.turn = turn
    self.membership = membership
    self.peers = peers
    self.replicas = replicas
    sender = SnapshotSender(pieceBytes: configuration.transferPieceBytes)
    limits = SnapshotLimits(configuration)
    backups = BackupDesk(
      turn: turn, membership: membership, peers: peers, replicas: replicas, configuration: configuration)
  }

  func takeNumber() -> UInt64 {
    lastNumber += 1
    return lastNumber
  }
  func tell(_ event: Event) { events.append(event) }
  @inline(__always) var hasEvents: Bool { !events.isEmpty || backups.hasEvents }
  func takeEvents() -> [Event] {
    defer { events.removeAll() }
    return events + backups.takeEvents().map(Event.backup)
  }
}

struct SnapshotCounters {
  @Measured("snapshots_taken", .snapshots, "snapshots that were begun") var taken: UInt64 = 0
  @Measured("snapshots_sent", .snapshots, "snapshots sent to other nodes") var sent: UInt64 = 0
  @Measured("snapshots_installed", .snapshots, "snapshots received and put to use") var installed: UInt64 = 0
}

/// See `NodeConfiguration`.
struct SnapshotLimits: Sendable {
  let snapshotCommands: Int
  let snapshotLogBytes: Int
  let logTailBytes: Int
  let logHeldBytes: Int
  let wholeInterval: UInt64

  init(_ configuration: NodeConfiguration) {
    snapshotCommands = configuration.snapshotCommands
    snapshotLogBytes = configuration.snapshotLogBytes
    logTailBytes = configuration.logTailBytes
    logHeldBytes = configuration.logHeldBytes
    wholeInterval = configuration.wholeInterval
  }
}
