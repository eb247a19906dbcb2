import Base
import Ledger
import Protocol
import Raft
import Storage

/// Snapshots between nodes.
extension SnapshotDesk {
  /// A receiver that was not heard for so long is not waited for (µs).
  private static let receiverPatience: UInt64 = 60_000_000
  private static let reviewInterval: UInt64 = 1_000_000

  /// Followers of a replica that can only be brought forward by a snapshot are sent one.
  func take(of replica: Replica) {
    for need in replica.outbox.snapshotsNeeded { send(replica, to: need) }
    replica.outbox.snapshotsNeeded.removeAll(keepingCapacity: true)
    if !replica.outbox.frozen.isEmpty { backups.take(of: replica) }
  }
  private func send(_ replica: Replica, to need: SnapshotNeed) {
    // One that is under way answers this need as well: Raft hears of its end.
    guard !sender.isSending(replica.shard, to: need.peer) else { return }
    guard let peer = peers[need.peer], peer.isConnected else {
      replica.raft.snapshotSent(to: need.peer, index: need.afterIndex, succeeded: false)
      return
    }
    let number = takeNumber()
    sender.begin(number, replica.shard, to: need, now: now.monotonic)
    log(.info, "a snapshot is to be sent shard=\(replica.shard.rawValue) to=\(peer.hello.name)")
    // One that has no slots to grant takes what comes.
    if !peer.hello.grantsSlots { granted(replica.shard, by: need.peer) }
  }
  private func granted(_ shard: ShardID, by peer: NodeID) {
    sender.granted(shard, by: peer, logStart: logStart(of: shard), now: now.monotonic, &turn.out)
  }
  /// A snapshot must be of this entry or a later one: the log has no earlier ones.
  private func logStart(of shard: ShardID) -> LogIndex {
    replicas[shard]?.raft.snapshotStart ?? LogIndex(0)
  }

  // MARK: Links

  /// The link that was asked for by `open`.
  func opens(_ number: UInt64, request: UInt64) { sender.opens(number, request: request) }
  /// False: that link is not for a snapshot.
  func linkOpened(_ id: LinkID, request: UInt64) -> Bool {
    sender.linkOpened(id, request: request) || backups.linkOpened(id, request: request)
  }
  func linkFailed(request: UInt64) {
    sender.linkFailed(request: request, now: now.monotonic, &turn.out)
    backups.linkFailed(request: request)
    actOnOutcomes()
  }
  func linkClosed(_ id: LinkID) {
    sender.linkClosed(id, now: now.monotonic, &turn.out)
    arrivalDropped(arrivals.drop(on: id, &turn.out))
    backups.linkClosed(id)
    actOnOutcomes()
  }
  func linkReady(_ id: LinkID) {
    sender.linkReady(id, now: now.monotonic, membership.header, &turn.out)
    backups.linkReady(id)
  }
  func linkDrained(_ id: LinkID) { sender.linkDrained(id, &turn.out) }

  func endTransfers(to node: NodeID, but link: LinkID) {
    slots.lost(node)
    sender.endTransfers(to: node, but: link, &turn.out)
    actOnOutcomes()
  }
  /// A replica has left: nothing of it is sent, and nothing is taken for it.
  func endTransfers(of shard: ShardID) {
    for link in arrivals.links(bringing: shard) { tell(.close(link)) }
    arrivals.drop(shard, &turn.out)
    slots.ended(shard)
    sender.endTransfers(&turn.out) { $0.shard == shard ? "its replica has left" : nil }
    actOnOutcomes()
  }
  private func closeArrival(on link: LinkID) {
    arrivalDropped(arrivals.drop(on: link, &turn.out))
    tell(.close(link))
  }
  private func arrivalDropped(_ shard: ShardID?) { if let shard { slots.ended(shard) } }

  // MARK: Time

  /// With each tick.
  func advance() {
    backups.advance()
    let cluster = (replicas[.directory]?.machine as? DirectoryMachine)?.clusterLimits ?? ClusterLimits()
    if now.monotonic - min(now.monotonic, reviewedAt) >= SnapshotDesk.reviewInterval { review() }
    sender.advance(now: now.monotonic, bytesPerSecond: cluster.copyRate, &turn.out)
    for link in arrivals.silent(now: now.monotonic) { closeArrival(on: link) }
    for (shard, node) in slots.grant(now: now.monotonic, most: Int(cluster.moves)) { grant(shard, to: node) }
    actOnOutcomes()
  }
  /// A transfer may not be wanted any more: another leads, or the follower is none.
  private func review() {
    reviewedAt = now.monotonic
    sender.endTransfers(&turn.out) { transfer in
      guard transfer.isAsking else { return nil }
      guard let replica = replicas[transfer.shard], replica.isLeader else { return "this node leads the shard no more" }
      guard replica.raft.configuration.member(on: transfer.peer) != nil else {
        return "the receiver is no member any more"
      }
      let isGone = peers[transfer.peer]?.isSilent(for: SnapshotDesk.receiverPatience, now: now) ?? true
      return isGone ? "the receiver is silent" : nil
    }
  }
  private func grant(_ shard: ShardID, to node: NodeID) {
    peers[node]?.say(.snapshotGranted) { $0.append(shard.rawValue) }
  }

  /// Does what the sender's last calls ask for.
  private func actOnOutcomes() {
    for outcome in sender.takeEvents() {
      switch outcome {
      case .ask(let shard, let node): ask(shard, of: node)
      case .withdraw(let shard, let node):
        peers[node]?.say(.snapshotAsked) {
          $0.append(shard.rawValue)
          $0.append(SnapshotDesk.withdrawn)
        }
      case .open(let number, let node):
        if let peer = peers[node] { tell(.open(number, address: peer.hello.peerAddress)) }
      case .close(let link): tell(.close(link))
      case .wholeWanted(let shard): if let replica = replicas[shard] { takeWholeSoon(of: replica) }
      case .offered(let shard): replicas[shard]?.snapshots.offered()
      case .ended(let transfer, let succeeded): transferEnded(transfer, succeeded)
      }
    }
  }
  /// In the place of an urgency: it is not wanted any more.
  private static let withdrawn: UInt8 = 255

  private func ask(_ shard: ShardID, of node: NodeID) {
    guard let replica = replicas[shard], let peer = peers[node], peer.outgoing != nil else { return }
    guard peer.hello.grantsSlots else { return granted(shard, by: node) }
    let urgency = urgency(of: replica, node)
    peer.say(.snapshotAsked) {
      $0.append(shard.rawValue)
      $0.append(urgency.rawValue)
    }
  }
  /// What hangs on it that a member of a shard gets one.
  private func urgency(of replica: Replica, _ node: NodeID) -> SnapshotSlots.Urgency {
    let configuration = replica.raft.configuration
    let sound = replica.raft.progress.count { member in
      member.isActive && !member.isDamaged && member.state != .snapshot
        && configuration.voters.contains { $0.node == member.id }
    }
    let own = configuration.voters.contains { $0.node == peers.id } ? 1 : 0
    // All nodes need the directory, and it is small.
    if replica.shard == .directory || sound + own < configuration.voters.count / 2 + 2 { return .endangered }
    if configuration.voters.contains(where: { $0.node == node }) { return .wounded }
    let operations = (replicas[.directory]?.machine as? DirectoryMachine)?.operations
    return operations?.isRebalanced(replica.shard) == true ? .rebalance : .operation
  }
  private func transferEnded(_ transfer: OutgoingTransfer, _ succeeded: Bool) {
    if let link = transfer.link { tell(.close(link)) }
    if let replica = replicas[transfer.shard] {
      replica.raft.snapshotSent(
        to: transfer.peer, index: transfer.file?.index ?? transfer.afterIndex, succeeded: succeeded)
      replica.isDirty = true
    }
    if succeeded { counters.sent += 1 }
  }

  // MARK: Steps of the disk

  func advanced(_ step: TransferStep) {
    let now = now.monotonic
    if backups.takes(step) { return }
    switch step {
    case .outgoingOpened(let number, let file):
      sender.opened(number, file, logStart: logStart(of: file.shard), now: now, &turn.out)
    case .fileRead(let number, let offset, let bytes):
      sender.fileRead(number, at: offset, bytes, now: now, membership.header, &turn.out)
    case .journalRead(let number, let position, let bytes):
      sender.journalRead(number, at: position, bytes, now: now, membership.header, &turn.out)
    case .journalArchived(let number, let shard, let position, let byteCount):
      turn.out.jobs.append(
        .transfer(
          .readArchive(
            number, shard: shard, position: position, byteCount: byteCount, cluster: membership.cluster)))
    case .rotten(let number, let shard, let reason): sender.rotten(number, shard, reason, now: now, &turn.out)
    case .wholeWanted(let number, let shard): sender.wholeWanted(number, shard)
    case .failed(let number, let reason):
      log(.error, "snapshot transfer: \(reason)")
      sender.failed(number, &turn.out)
      if let failed = arrivals.failed(number, &turn.out) {
        slots.ended(failed.shard)
        if let link = failed.link { tell(.close(link)) }
      }
    case .partOpened(let number, let offset): arrivals.partOpened(number, offset: offset, &turn.out)
    case .journalFollowed(let number): arrivals.journalFollowed(number, &turn.out)
    case .journalOpened(let number, let journals):
      arrivals.opened(number, journals: journals, now: now, membership.header, &turn.out)
    case .written(let number): arrivals.written(number, membership.header, &turn.out)
    case .loaded(let number, let part): arrivals.loaded(number, part, &turn.out)
    case .installed(let number, let loaded): installed(number, loaded)
    case .backup(let step): backups.completed(step)
    }
    actOnOutcomes()
  }
  /// A snapshot of a shard was written: those that wait for another look at it.
  func snapshotWritten(_ shard: ShardID) {
    sender.snapshotWritten(shard, now: now.monotonic, &turn.out)
    actOnOutcomes()
  }

  /// A snapshot is durable here and read.
  private func installed(_ number: UInt64, _ loaded: LoadedSnapshot) {
    let shard = loaded.file.shard
    arrivals.installed(number, membership.header, &turn.out)
    slots.ended(shard)
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

  func receive(
    _ kind: PeerMessageKind, _ reader: inout ByteReader, of peer: Peer, on link: LinkID
  ) throws(MalformedBytes) {
    let shard = ShardID(try reader.read())
    switch kind {
    case .snapshotAsked: try receiveAsked(shard, &reader, of: peer)
    case .snapshotGranted: granted(shard, by: peer.id)
    case .snapshotOffer: try receiveOffer(shard, &reader, of: peer, on: link)
    case .snapshotWant:
      let offset = try reader.read(UInt64.self)
      var journals: [JournalPosition] = []
      while !reader.isAtEnd { journals.append(JournalPosition(rawValue: try reader.read())) }
      sender.wanted(from: offset, journals: journals, on: link, now: now.monotonic, &turn.out)
    case .snapshotChunk:
      let offset = try reader.read(UInt64.self)
      slots.received(reader.remaining, now: now.monotonic)
      arrivals.filePiece(
        at: offset, Array(try reader.readBytes(reader.remaining)), on: link, now: now.monotonic, &turn.out)
    case .journalChunk:
      let position = JournalPosition(rawValue: try reader.read())
      slots.received(reader.remaining, now: now.monotonic)
      arrivals.journalPiece(
        at: position, Array(try reader.readBytes(reader.remaining)), on: link, now: now.monotonic, &turn.out)
    case .snapshotAck: sender.acknowledged(on: link, now: now.monotonic, &turn.out)
    case .snapshotDone:
      if !arrivals.done(on: link, &turn.out) { sender.done(on: link, &turn.out) }
    default: break
    }
    actOnOutcomes()
  }

  private func receiveAsked(
    _ shard: ShardID, _ reader: inout ByteReader, of peer: Peer
  ) throws(MalformedBytes) {
    let word: UInt8 = try reader.read()
    guard word != SnapshotDesk.withdrawn else { return slots.withdraw(shard, of: peer.id) }
    // An urgency that a newer build names counts as the least.
    let urgency = SnapshotSlots.Urgency(rawValue: word) ?? .rebalance
    if slots.ask(shard, of: peer.id, urgency, now: now.monotonic) { grant(shard, to: peer.id) }
  }

  private func receiveOffer(
    _ shard: ShardID, _ reader: inout ByteReader, of peer: Peer, on link: LinkID
  ) throws(MalformedBytes) {
    var offer = SnapshotArrivals.Offer(
      shard: shard, index: LogIndex(try reader.read()), term: Term(try reader.read()), byteCount: try reader.read(),
      digest: SHA256.Digest(bytes: try reader.readBytes(32)))
    while !reader.isAtEnd { offer.lineage.append(JournalPosition(rawValue: try reader.read())) }
    guard let replica = replicas[shard], replica.raft.wantsSnapshot(at: offer.index) else {
      // It is there already.
      slots.ended(shard)
      turn.out.frame(.snapshotDone, membership.header, on: link) { $0.append(shard.rawValue) }
      return
    }
    // The node puts another sender's snapshot to use: that may do.
    guard !arrivals.isInstalling(shard) else { return tell(.close(link)) }
    for old in arrivals.links(bringing: shard) { closeArrival(on: old) }
    slots.arrived(shard, of: peer.id, now: now.monotonic)
    replica.endOpenEntry()
    tell(.arrives(offer, link))
  }

  /// What the replica's journal has goes to the disk: the rest can be asked for.
  func begin(_ offer: SnapshotArrivals.Offer, on link: LinkID) {
    disk.journal.write(offer.shard, &turn.out)
    guard let replica = replicas[offer.shard] else {
      slots.ended(offer.shard)
      return tell(.close(link))
    }
    arrivals.begin(
      takeNumber(), offer, on: link, journal: replica.machine.journal, now: now.monotonic, &turn.out)
  }
}
