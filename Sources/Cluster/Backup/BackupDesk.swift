import Base
import Ledger
import Protocol
import Raft
import Storage

/// Backups: those that this node makes (`BackupSaver`), and what it freezes and gives of its replicas for any node's
/// (`BackupSources`). See docs/backup.md.
///
/// `takeEvents` has the work for others, in order.
final class BackupDesk: Coordinator {
  enum Event {
    /// A link for bytes in bulk is wanted to a node.
    case open(NodeID)
    case close(LinkID)
    /// A marker is to be logged in a shard at exactly that stamp.
    case mark(ShardID, Stamp)
    /// The directory is to log what has come of an operation.
    case advance(OperationChange)
    // Of a cluster that begins with a backup.
    case refuse(EdgeItem.Owner, ErrorCode, String)
    case initialise(EdgeItem.Owner, ClusterFigures, isTrial: Bool)
    case prepared(cluster: UInt64)
    case cannotBegin(String)
    /// The coordinator gives no more of what this node is to begin with.
    case notToBeHad
    /// All is installed, the directory last.
    case begun([LoadedSnapshot])
  }

  let turn: Turn
  let membership: Membership
  let peers: PeerTable
  let replicas: ReplicaTable
  var sources = BackupSources()
  var saver: BackupSaver?
  /// Who has asked for a cluster that begins with a backup, while that is looked at.
  var restoring: (owner: EdgeItem.Owner, figures: ClusterFigures, isTrial: Bool)?
  var exports: BackupExports?
  var preparation: BackupPreparation?
  private var transfers: UInt64 = 0
  /// Rises with each attempt to save.
  var saves: UInt64 = 0
  /// Bytes that may be asked for now of other nodes, and since when there are more.
  var allowance = 0
  var refilledAt: UInt64 = 0
  let pieceBytes: Int
  /// From all nodes together, where operators have set no rate.
  private static let standardRate = 64 << 20
  private var events: [Event] = []

  init(
    turn: Turn, membership: Membership, peers: PeerTable, replicas: ReplicaTable, configuration: NodeConfiguration
  ) {
    self.turn = turn
    self.membership = membership
    self.peers = peers
    self.replicas = replicas
    pieceBytes = 4 * configuration.transferPieceBytes
  }

  func tell(_ event: Event) { events.append(event) }
  @inline(__always) var hasEvents: Bool { !events.isEmpty }
  func takeEvents() -> [Event] {
    if events.isEmpty { return [] }
    defer { events.removeAll() }
    return events
  }
  var bytesPerSecond: Int {
    guard let limits = directory?.clusterLimits, limits.snapshotRate > 0 else { return BackupDesk.standardRate }
    return limits.copyRate ?? BackupDesk.standardRate
  }
  /// The number of a transfer of its own: no other's is so high.
  func takeTransfer() -> UInt64 {
    transfers += 1
    return 1 << 62 | transfers
  }
  static func isTransfer(_ number: UInt64) -> Bool { number >= 1 << 62 }
  var directory: DirectoryMachine? { replicas[.directory]?.machine as? DirectoryMachine }

  // MARK: Time

  /// With each tick.
  func advance() {
    let operation = directory?.operations.save
    if preparation != nil || exports != nil { advancePreparation() }
    if operation == nil, saver == nil, sources.sources.isEmpty { return }
    for shard in sources.stale(but: operation?.number) { drop(shard) }
    for shard in sources.late(now: now.monotonic) { drop(shard) }
    driveSaver(operation)
  }

  // MARK: What is frozen here

  /// The saver's word, or this node's own.
  /// - Returns: those that cannot be frozen at that stamp.
  func arm(_ shards: [ShardID], op: UInt64, stamp: Stamp, for saver: NodeID) -> [ShardID] {
    shards.filter { shard in
      drop(shard)
      guard let replica = replicas[shard], replica.quarantined == nil, replica.poison == nil else { return true }
      sources.arm(shard, op: op, saver: saver, stamp: stamp, now: now.monotonic)
      // None begins any more: once that is over it is ready.
      replica.snapshots.cut = stamp
      return replica.snapshots.isRunning || replica.machine.lastStamp >= stamp
    }
  }
  /// The node forgets what it keeps for a backup that is not wanted any more.
  func drop(_ shard: ShardID) {
    guard let source = sources.drop(shard) else { return }
    replicas[shard]?.snapshots.cut = nil
    switch source.phase {
    case .frozen(let order):
      _ = replicas[shard]?.endSnapshot(
        SnapshotResult(order: order, failure: "it is not wanted any more"), keepingTail: 0, held: nil)
    case .written: turn.out.jobs.append(.backup(.letGo(shard)))
    case .armed, .writing, .failed: break
    }
  }
  /// A replica's turn froze it, or did not.
  func take(of replica: Replica) {
    for frozen in replica.outbox.frozen { froze(replica.shard, frozen) }
    replica.outbox.frozen.removeAll()
  }
  func froze(_ shard: ShardID, _ frozen: FrozenPart?) {
    sources.froze(shard, frozen)
    guard let source = sources.source(shard) else { return }
    tellFrozen(shard, source)
  }
  private func tellFrozen(_ shard: ShardID, _ source: BackupSources.Source) {
    guard source.saver != peers.id else { return frozen(shard, source.op, source.stamp, source.part, by: peers.id) }
    peers[source.saver]?.say(.backupFrozen) { buffer in
      buffer.append(source.op)
      buffer.append(source.stamp.microseconds)
      buffer.append(shard.rawValue)
      source.part?.encode(into: &buffer)
    }
  }
  /// A snapshot is written, or was given up.
  func written(_ result: SnapshotResult) {
    if sources.written(result), let file = result.file { turn.out.jobs.append(.backup(.keep(file))) }
  }

  /// A piece of what is kept here.
  /// - Parameter link: nil: this node wants it.
  func serve(_ read: BackupRead, to node: NodeID, on link: LinkID?) {
    if serveRestored(read, to: node, on: link) { return }
    guard read.what == .head else {
      return turn.out.jobs.append(.backup(.read(read, byteCount: pieceBytes, link: link)))
    }
    guard let source = sources.source(read.shard), source.saver == node, let part = source.part else {
      return answer(read, nil, on: link)
    }
    switch source.phase {
    case .written(let file):
      var buffer = ByteBuffer(capacity: 128)
      BackupHead(
        file, journalStart: JournalChain(position: JournalPosition(beginningOf: part.shard), hash: SHA256.Digest()),
        journalEnd: part.journal.position, lineage: part.lineage.map(\.position)
      ).encode(into: &buffer)
      answer(read, buffer.array, on: link)
    // Not yet: it is asked for again.
    case .frozen, .writing: answer(read, [], on: link)
    case .armed, .failed: answer(read, nil, on: link)
    }
  }
  /// - Parameter reason: why there are no bytes.
  func answer(_ read: BackupRead, _ bytes: [UInt8]?, _ reason: String = "", on link: LinkID?) {
    guard let link else { return pieceCame(read, bytes, reason, on: nil) }
    turn.out.frame(.backupPiece, membership.header, on: link) { buffer in
      read.encode(into: &buffer)
      buffer.append(UInt8(bytes == nil ? 0 : 1))
      buffer.append(bytes ?? Array(reason.utf8.prefix(BackupDesk.reasonBytesMax)))
    }
  }
  private static let reasonBytesMax = 1_024

  // MARK: Words and bytes

  func receive(
    _ kind: PeerMessageKind, _ reader: inout ByteReader, from peer: Peer, on link: LinkID
  ) throws(MalformedBytes) {
    switch kind {
    case .backupRead: return serve(try BackupRead(decoding: &reader), to: peer.id, on: link)
    case .backupPiece:
      let read = try BackupRead(decoding: &reader)
      let isThere = try reader.read(UInt8.self) != 0
      let bytes = Array(try reader.readBytes(reader.remaining))
      return isThere
        ? pieceCame(read, bytes, on: link) : pieceCame(read, nil, String(decoding: bytes, as: UTF8.self), on: link)
    default: break
    }
    let op = try reader.read(UInt64.self)
    let stamp = Stamp(microseconds: try reader.read())
    switch kind {
    case .backupArm:
      let unready = arm(try BackupDesk.shards(&reader), op: op, stamp: stamp, for: peer.id)
      peer.say(.backupArmed) { buffer in
        buffer.append(op)
        buffer.append(stamp.microseconds)
        for shard in unready { buffer.append(shard.rawValue) }
      }
    case .backupArmed: armed(by: peer.id, op, stamp, unready: try BackupDesk.shards(&reader))
    case .backupFrozen:
      let shard = ShardID(try reader.read())
      frozen(shard, op, stamp, reader.isAtEnd ? nil : try BackupPart(decoding: &reader), by: peer.id)
    default: break
    }
  }
  private static func shards(_ reader: inout ByteReader) throws(MalformedBytes) -> [ShardID] {
    var shards: [ShardID] = []
    while !reader.isAtEnd { shards.append(ShardID(try reader.read())) }
    return shards
  }

  // MARK: Links

  func linkOpened(_ id: LinkID, request: UInt64) -> Bool {
    if let preparation, preparation.request == request {
      preparation.link = id
      return true
    }
    return saver?.linkOpened(id, request: request) ?? false
  }
  func linkFailed(request: UInt64) {
    if preparation?.request == request { return lostPreparationLink() }
    if let node = saver?.node(ofRequest: request) {
      retry("no link to \(membership.topology?.name(of: node) ?? node.hex)")
    }
  }
  func linkReady(_ id: LinkID) {
    if preparation?.link == id { preparation?.isReady = true }
    saver?.linkReady(id)
  }
  func linkClosed(_ id: LinkID) {
    if preparation?.link == id { return lostPreparationLink() }
    if let node = saver?.node(on: id) {
      retry("the link to \(membership.topology?.name(of: node) ?? node.hex) was lost")
    }
  }

  // MARK: Steps of the disk

  func completed(_ step: BackupStep) {
    switch step {
    case .read(let read, let bytes, let link): answer(read, bytes, on: link)
    case .unread(let read, let reason, let link): answer(read, nil, reason, on: link)
    case .inArchive(let read, let link):
      turn.out.jobs.append(
        .backup(.readArchive(read, byteCount: pieceBytes, cluster: membership.cluster, link: link)))
    case .begun(let save, let journals): if let saver = saver(save) { saver.begun(journals) }
    case .receives(let save, let shard, let offset):
      saver(save)?.pull(shard) { pull, saver in
        pull.opened(stateFrom: offset, journalsFrom: saver.journalStarts(shard))
      }
    case .written(let save, let shard): saver(save)?.pull(shard) { pull, _ in pull.written() }
    case .added(let save, let shard): saver(save)?.added(shard)
    case .finished(let save, let manifest, let written, let byteCount):
      if saver(save) != nil { finished(manifest, written: written, byteCount: byteCount) }
    case .failed(let save, let reason, let isLasting):
      guard saver(save) != nil else { return }
      isLasting ? fail(reason) : retry(reason)
    case .outlined(let outline, let reason): outlined(outline, reason)
    case .exported(let shard, let head, let reason): exported(shard, head, reason)
    }
    goOn()
  }
  private func saver(_ save: UInt64) -> BackupSaver? { saver.flatMap { $0.save == save ? $0 : nil } }
}
