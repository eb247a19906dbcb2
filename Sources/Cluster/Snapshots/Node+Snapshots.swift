import Base
import Ledger
import Protocol
import Raft
import Storage

/// Snapshots of peers: what `SnapshotSender` and `SnapshotArrivals` are told, and what is done about what they say.
extension Node {
  func startTransfer(of replica: Replica, to need: SnapshotNeed) {
    // One that is under way answers this need as well: Raft hears of its end.
    guard !sender.isSending(replica.shard, to: need.peer) else { return }
    guard let peer = peer(need.peer), peer.isConnected else {
      replica.raft.snapshotSent(to: need.peer, index: need.afterIndex, succeeded: false)
      return
    }
    let number = openLink(peer.hello.peerAddress, bulk: true)
    sender.begin(number, replica.shard, to: need, now: now.monotonic)
    log(.info, "sending a snapshot shard=\(replica.shard.rawValue) to=\(peer.hello.name)")
  }

  // MARK: Links

  func transferLinkFailed(request: UInt64) {
    sender.linkFailed(request: request, &out)
    settleTransfers()
  }
  func transferLinkClosed(_ id: LinkID) {
    sender.linkClosed(id, &out)
    arrivals.drop(on: id, &out)
    settleTransfers()
  }
  func transferLinkReady(_ id: LinkID) { sender.linkReady(id, &out) }
  func transferDrained(_ id: LinkID) { sender.linkDrained(id, &out) }
  func endTransfers(to node: NodeID, but link: LinkID) {
    sender.endTransfers(to: node, but: link, &out)
    settleTransfers()
  }
  /// A replica has left: nothing of it is sent, and nothing is taken for it.
  func endTransfers(of shard: ShardID) {
    for link in arrivals.links(bringing: shard) { closeArrival(on: link) }
    sender.endTransfers(of: shard, &out)
    settleTransfers()
  }
  func advanceTransfers() {
    sender.advance(now: now.monotonic, &out)
    settleTransfers()
  }
  private func closeArrival(on link: LinkID) {
    arrivals.drop(on: link, &out)
    links[link] = nil
    out.closeLinks.append(link)
  }

  /// Does what the sender's last calls ask for.
  private func settleTransfers() {
    for outcome in sender.takeOutcomes() {
      switch outcome {
      case .wholeWanted(let shard):
        if let replica = replica(shard) { takeWholeSnapshotSoon(of: replica) }
      case .offered(let shard): replica(shard)?.wholeSnapshotsUntil = 0
      case .ended(let transfer, let succeeded): transferEnded(transfer, succeeded)
      }
    }
  }
  private func transferEnded(_ transfer: OutgoingTransfer, _ succeeded: Bool) {
    if let link = transfer.link, links[link] != nil {
      links[link] = nil
      out.closeLinks.append(link)
    }
    if let replica = replica(transfer.shard) {
      replica.raft.snapshotSent(to: transfer.peer, index: transfer.index ?? transfer.afterIndex, succeeded: succeeded)
      replica.isDirty = true
    }
    if succeeded { counters.snapshotsSent += 1 }
  }

  // MARK: Steps of the disk

  func transferAdvanced(_ step: TransferStep) {
    let now = now.monotonic
    switch step {
    case .outgoingOpened(let number, let file): sender.opened(number, file, now: now, header, &out)
    case .fileRead(let number, let offset, let bytes):
      sender.fileRead(number, at: offset, bytes, now: now, header, &out)
    case .journalRead(let number, let position, let bytes):
      sender.journalRead(number, at: position, bytes, now: now, header, &out)
    case .rotten(let number, let shard, let reason): sender.rotten(number, shard, reason, &out)
    case .wholeWanted(let number, let shard): sender.wholeWanted(number, shard, &out)
    case .failed(let number, let reason):
      log(.error, "snapshot transfer: \(reason)")
      sender.failed(number, &out)
      if let link = arrivals.failed(number) { closeArrival(on: link) }
    case .incomingOpened(let number, let link, _, let offset, let journal):
      arrivals.opened(number, on: link, offset: offset, journal: journal, header, &out)
    case .written(let number): arrivals.written(number, header, &out)
    case .installed(let number, let loaded): installed(number, loaded)
    }
    settleTransfers()
  }

  /// A snapshot is durable here and read.
  private func installed(_ number: UInt64, _ loaded: LoadedSnapshot) {
    let shard = loaded.file.shard
    arrivals.installed(number, of: shard, header, &out)
    guard let replica = replica(shard),
      replica.restore(
        loaded.machine.machine, index: loaded.file.index, term: loaded.file.term, configuration: loaded.configuration)
    else { return }
    journal.forget(shard)
    if let machine = loaded.machine.machine as? DirectoryMachine {
      directory = machine
      directoryApplied()
    }
    counters.snapshotsInstalled += 1
    log(.info, "snapshot installed shard=\(shard.rawValue) index=\(loaded.file.index.rawValue)")
  }

  // MARK: Messages

  func receiveTransfer(
    _ kind: PeerMessageKind, _ reader: inout ByteReader, from peer: Peer, on link: LinkID
  ) throws(MalformedBytes) {
    let shard = ShardID(try reader.read())
    switch kind {
    case .snapshotOffer: try receiveOffer(shard, &reader, on: link)
    case .snapshotWant:
      let offset = try reader.read(UInt64.self)
      let journal = JournalPosition(rawValue: try reader.read())
      sender.wanted(from: offset, journal: journal, on: link, now: now.monotonic, &out)
    case .snapshotChunk:
      let offset = try reader.read(UInt64.self)
      arrivals.filePiece(at: offset, Array(try reader.readBytes(reader.remaining)), on: link, &out)
    case .journalChunk:
      let position = JournalPosition(rawValue: try reader.read())
      arrivals.journalPiece(at: position, Array(try reader.readBytes(reader.remaining)), on: link, &out)
    case .snapshotAck: sender.acknowledged(on: link, now: now.monotonic, &out)
    case .snapshotDone:
      if !arrivals.done(on: link, &out) { sender.done(on: link, &out) }
    default: break
    }
    settleTransfers()
  }

  private func receiveOffer(
    _ shard: ShardID, _ reader: inout ByteReader, on link: LinkID
  ) throws(MalformedBytes) {
    let offer = SnapshotArrivals.Offer(
      shard: shard, index: LogIndex(try reader.read()), term: Term(try reader.read()), byteCount: try reader.read(),
      digest: SHA256.Digest(bytes: try reader.readBytes(32)))
    guard let replica = replica(shard), replica.raft.wantsSnapshot(at: offer.index) else {
      // It is there already.
      out.frame(.snapshotDone, header, on: link) { $0.append(shard.rawValue) }
      return
    }
    for old in arrivals.links(bringing: shard) { closeArrival(on: old) }
    let number = nextRequest
    nextRequest += 1
    replica.endOpenEntry()
    drain(replica)
    journal.write(shard, &out)
    arrivals.begin(number, offer, on: link, journal: (replica.machine as? LedgerMachine)?.journal, &out)
  }
}
