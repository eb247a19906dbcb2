import Base
import Ledger
import Protocol
import Raft
import Storage

/// Snapshots of this node's shards (`SnapshotDesk+Turns`), and those that peers send and are sent: what `SnapshotSender` and
/// `SnapshotArrivals` are told, and what is done about what they say.
///
/// What others are to do is in `takeEvents`, in order.
final class SnapshotDesk: Coordinator {
  enum Event {
    /// A link is of no use any more.
    case close(LinkID)
    /// A peer offers a snapshot: `begin` is to be told, once the replica's outputs are drained.
    case arrives(UInt64, SnapshotArrivals.Offer, LinkID)
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
  var arrivals = SnapshotArrivals()
  /// The shard whose snapshot is being written.
  var underWay: ShardID?
  var counters = SnapshotCounters()
  let limits: SnapshotLimits
  let disk: DiskDesk
  let backups: BackupDesk
  private var events: [Event] = []

  init(
    turn: Turn, membership: Membership, peers: PeerTable, replicas: ReplicaTable, disk: DiskDesk,
    configuration: NodeConfiguration
  ) {
    self.disk = disk
    self.turn = turn
    self.membership = membership
    self.peers = peers
    self.replicas = replicas
    sender = SnapshotSender(
      pieceBytes: configuration.transferPieceBytes, bytesPerSecond: configuration.transferBytesPerSecond)
    limits = SnapshotLimits(configuration)
    backups = BackupDesk(
      turn: turn, membership: membership, peers: peers, replicas: replicas, configuration: configuration)
  }

  func tell(_ event: Event) { events.append(event) }
  @inline(__always) var hasEvents: Bool { !events.isEmpty || backups.hasEvents }
  func takeEvents() -> [Event] {
    defer { events.removeAll() }
    return events + backups.takeEvents().map(Event.backup)
  }

  /// Followers of a replica that can only be brought forward by a snapshot are sent one.
  /// - Parameter open: asks for a link to an address; its request's number.
  func take(of replica: Replica, open: (String) -> UInt64) {
    for need in replica.outbox.snapshotsNeeded { send(replica, to: need, open: open) }
    replica.outbox.snapshotsNeeded.removeAll(keepingCapacity: true)
    if !replica.outbox.frozen.isEmpty { backups.take(of: replica) }
  }
  private func send(_ replica: Replica, to need: SnapshotNeed, open: (String) -> UInt64) {
    // One that is under way answers this need as well: Raft hears of its end.
    guard !sender.isSending(replica.shard, to: need.peer) else { return }
    guard let peer = peers[need.peer], peer.isConnected else {
      replica.raft.snapshotSent(to: need.peer, index: need.afterIndex, succeeded: false)
      return
    }
    let number = open(peer.hello.peerAddress)
    sender.begin(number, replica.shard, to: need, now: now.monotonic)
    log(.info, "sending a snapshot shard=\(replica.shard.rawValue) to=\(peer.hello.name)")
  }

  // MARK: Links

  /// False: that link is not for a snapshot.
  func linkOpened(_ id: LinkID, request: UInt64) -> Bool {
    sender.linkOpened(id, request: request) || backups.linkOpened(id, request: request)
  }
  func linkFailed(request: UInt64) {
    sender.linkFailed(request: request, &turn.out)
    backups.linkFailed(request: request)
    endTransfers()
  }
  func linkClosed(_ id: LinkID) {
    sender.linkClosed(id, &turn.out)
    arrivals.drop(on: id, &turn.out)
    backups.linkClosed(id)
    endTransfers()
  }
  func linkReady(_ id: LinkID) {
    sender.linkReady(id, &turn.out)
    backups.linkReady(id)
  }
  func linkDrained(_ id: LinkID) { sender.linkDrained(id, &turn.out) }
  func endTransfers(to node: NodeID, but link: LinkID) {
    sender.endTransfers(to: node, but: link, &turn.out)
    endTransfers()
  }
  /// A replica has left: nothing of it is sent, and nothing is taken for it.
  func endTransfers(of shard: ShardID) {
    for link in arrivals.links(bringing: shard) { closeArrival(on: link) }
    sender.endTransfers(of: shard, &turn.out)
    endTransfers()
  }
  /// With each tick.
  func advance() {
    backups.advance()
    sender.advance(now: now.monotonic, &turn.out)
    endTransfers()
  }
  private func closeArrival(on link: LinkID) {
    arrivals.drop(on: link, &turn.out)
    tell(.close(link))
  }

  /// Does what the sender's last calls ask for.
  private func endTransfers() {
    for outcome in sender.takeEvents() {
      switch outcome {
      case .wholeWanted(let shard):
        if let replica = replicas[shard] { takeWholeSoon(of: replica) }
      case .offered(let shard): replicas[shard]?.snapshots.offered()
      case .ended(let transfer, let succeeded): transferEnded(transfer, succeeded)
      }
    }
  }
  private func transferEnded(_ transfer: OutgoingTransfer, _ succeeded: Bool) {
    if let link = transfer.link { tell(.close(link)) }
    if let replica = replicas[transfer.shard] {
      replica.raft.snapshotSent(to: transfer.peer, index: transfer.index ?? transfer.afterIndex, succeeded: succeeded)
      replica.isDirty = true
    }
    if succeeded { counters.sent += 1 }
  }

  // MARK: Steps of the disk

  func advanced(_ step: TransferStep) {
    let now = now.monotonic
    switch step {
    case .outgoingOpened(let number, let file): sender.opened(number, file, now: now, membership.header, &turn.out)
    case .fileRead(let number, let offset, let bytes):
      sender.fileRead(number, at: offset, bytes, now: now, membership.header, &turn.out)
    case .journalRead(let number, let position, let bytes):
      sender.journalRead(number, at: position, bytes, now: now, membership.header, &turn.out)
    case .rotten(let number, let shard, let reason): sender.rotten(number, shard, reason, &turn.out)
    case .wholeWanted(let number, let shard): sender.wholeWanted(number, shard, &turn.out)
    case .failed(let number, let reason):
      log(.error, "snapshot transfer: \(reason)")
      sender.failed(number, &turn.out)
      if let link = arrivals.failed(number) { closeArrival(on: link) }
    case .incomingOpened(let number, let link, _, let offset, let journal):
      arrivals.opened(number, on: link, offset: offset, journal: journal, membership.header, &turn.out)
    case .written(let number): arrivals.written(number, membership.header, &turn.out)
    case .installed(let number, let loaded): installed(number, loaded)
    case .backup(let step): backups.completed(step)
    }
    endTransfers()
  }

  /// A snapshot is durable here and read.
  private func installed(_ number: UInt64, _ loaded: LoadedSnapshot) {
    let shard = loaded.file.shard
    arrivals.installed(number, of: shard, membership.header, &turn.out)
    guard let replica = replicas[shard],
      replica.restore(
        loaded.machine.machine, index: loaded.file.index, term: loaded.file.term, configuration: loaded.configuration)
    else { return }
    disk.journal.forget(shard)
    if let machine = loaded.machine.machine as? DirectoryMachine { tell(.directory(machine)) }
    counters.installed += 1
    log(.info, "snapshot installed shard=\(shard.rawValue) index=\(loaded.file.index.rawValue)")
  }

  // MARK: Messages

  /// - Parameter number: for what is offered.
  func receive(
    _ kind: PeerMessageKind, _ reader: inout ByteReader, on link: LinkID, number: () -> UInt64
  ) throws(MalformedBytes) {
    let shard = ShardID(try reader.read())
    switch kind {
    case .snapshotOffer: try receiveOffer(shard, &reader, on: link, number)
    case .snapshotWant:
      let offset = try reader.read(UInt64.self)
      let journal = JournalPosition(rawValue: try reader.read())
      sender.wanted(from: offset, journal: journal, on: link, now: now.monotonic, &turn.out)
    case .snapshotChunk:
      let offset = try reader.read(UInt64.self)
      arrivals.filePiece(at: offset, Array(try reader.readBytes(reader.remaining)), on: link, &turn.out)
    case .journalChunk:
      let position = JournalPosition(rawValue: try reader.read())
      arrivals.journalPiece(at: position, Array(try reader.readBytes(reader.remaining)), on: link, &turn.out)
    case .snapshotAck: sender.acknowledged(on: link, now: now.monotonic, &turn.out)
    case .snapshotDone:
      if !arrivals.done(on: link, &turn.out) { sender.done(on: link, &turn.out) }
    default: break
    }
    endTransfers()
  }

  private func receiveOffer(
    _ shard: ShardID, _ reader: inout ByteReader, on link: LinkID, _ number: () -> UInt64
  ) throws(MalformedBytes) {
    let offer = SnapshotArrivals.Offer(
      shard: shard, index: LogIndex(try reader.read()), term: Term(try reader.read()), byteCount: try reader.read(),
      digest: SHA256.Digest(bytes: try reader.readBytes(32)))
    guard let replica = replicas[shard], replica.raft.wantsSnapshot(at: offer.index) else {
      // It is there already.
      turn.out.frame(.snapshotDone, membership.header, on: link) { $0.append(shard.rawValue) }
      return
    }
    for old in arrivals.links(bringing: shard) { closeArrival(on: old) }
    replica.endOpenEntry()
    tell(.arrives(number(), offer, link))
  }

  /// What the replica's journal has goes to the disk: the rest can be asked for.
  func begin(_ number: UInt64, _ offer: SnapshotArrivals.Offer, on link: LinkID) {
    disk.journal.write(offer.shard, &turn.out)
    guard let replica = replicas[offer.shard] else { return tell(.close(link)) }
    arrivals.begin(number, offer, on: link, journal: replica.machine.journal, &turn.out)
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

  init(_ configuration: NodeConfiguration) {
    snapshotCommands = configuration.snapshotCommands
    snapshotLogBytes = configuration.snapshotLogBytes
    logTailBytes = configuration.logTailBytes
    logHeldBytes = configuration.logHeldBytes
  }
}
