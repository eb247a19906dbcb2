import Base
import Protocol
import Raft
import Storage

/// Snapshots: when one is taken, and how a follower that is too far behind gets one.
///
/// A transfer has a link of its own, so that it never stands before a heartbeat. The sender offers its newest snapshot;
/// the receiver says from which byte it wants it (a broken transfer goes on where it was) and where its journal ends;
/// the sender streams the file, then the missing journal, a piece at a time as the link drains; the receiver verifies the
/// whole, loads it, and its log restarts after it.
extension Node {
  static let transferPieceBytes = 256 << 10
  static let transferTimeout: UInt64 = 20_000_000

  // MARK: Taking

  func startSnapshotIfDue(_ replica: Replica) {
    let due: Int
    if let ledger = replica.machine as? LedgerMachine {
      due = max(configuration.snapshotLogBytes, ledger.memoryByteCount / 2)
    } else {
      due = min(configuration.snapshotLogBytes, 4 << 20)
    }
    guard replica.bytesSinceSnapshot >= due, !replica.snapshotRunning, let order = replica.beginSnapshot() else {
      return
    }
    writeJournal(order.shard)
    jobs.append(.journalSync(order))
  }

  func journalSynced(_ result: SnapshotResult) {
    if result.failure == nil {
      jobs.append(.snapshotWrite(result.order))
    } else {
      snapshotWritten(result)
    }
  }

  func snapshotWritten(_ result: SnapshotResult) {
    if let failure = result.failure { log(.error, "snapshot failed shard=\(result.order.shard.rawValue): \(failure)") }
    guard let replica = replica(result.order.shard) else { return }
    if let released = replica.endSnapshot(result, keepingTail: configuration.logTailBytes) {
      pendingReleases.append(LogRelease(shard: replica.shard, through: released))
      log(.debug, "snapshot written shard=\(replica.shard.rawValue) index=\(result.order.index.rawValue)")
    }
    replica.isDirty = true
  }

  // MARK: Sending

  func startTransfer(of replica: Replica, to need: SnapshotNeed) {
    guard let peer = peer(need.peer), peer.isConnected,
      !transfers.outgoing.values.contains(where: { $0.shard == replica.shard && $0.peer == need.peer })
    else {
      replica.raft.snapshotSent(to: need.peer, index: need.afterIndex, succeeded: false)
      return
    }
    let number = nextRequest
    let request = openLink(peer.hello.peerAddress, bulk: true)
    transfers.outgoing[number] = OutgoingTransfer(
      shard: replica.shard, peer: need.peer, afterIndex: need.afterIndex, request: request,
      lastProgress: now.monotonic)
    log(.info, "sending a snapshot shard=\(replica.shard.rawValue) to=\(peer.hello.name)")
  }

  func transferLinkOpened(_ id: LinkID, request: UInt64) -> Bool {
    guard let (number, _) = transfers.outgoing.first(where: { $0.value.request == request }) else { return false }
    transfers.outgoing[number]?.link = id
    return true
  }
  func transferLinkFailed(request: UInt64) {
    guard let (number, _) = transfers.outgoing.first(where: { $0.value.request == request }) else { return }
    endOutgoing(number, succeeded: false)
  }
  func transferLinkClosed(_ id: LinkID) {
    if let (number, _) = transfers.outgoing.first(where: { $0.value.link == id }) {
      endOutgoing(number, succeeded: false)
    }
    if let number = transfers.incoming.removeValue(forKey: id) { jobs.append(.transfer(.dropIncoming(number))) }
  }
  func transferLinkReady(_ id: LinkID) {
    guard let (number, transfer) = transfers.outgoing.first(where: { $0.value.link == id }) else { return }
    jobs.append(.transfer(.openOutgoing(number, shard: transfer.shard)))
  }
  func transferDrained(_ id: LinkID) {
    guard let (number, transfer) = transfers.outgoing.first(where: { $0.value.link == id }), transfer.isWaitingForDrain
    else { return }
    transfers.outgoing[number]?.isWaitingForDrain = false
    transfers.outgoing[number]?.lastProgress = now.monotonic
    nextPiece(number)
  }

  private func nextPiece(_ number: UInt64) {
    guard let transfer = transfers.outgoing[number] else { return }
    switch transfer.phase {
    case .file(let offset): jobs.append(.transfer(.readFile(number, offset: offset)))
    case .journal(let position): jobs.append(.transfer(.readJournal(number, shard: transfer.shard, position: position)))
    case .waiting: break
    }
  }

  private func endOutgoing(_ number: UInt64, succeeded: Bool) {
    guard let transfer = transfers.outgoing.removeValue(forKey: number) else { return }
    jobs.append(.transfer(.closeOutgoing(number)))
    if let link = transfer.link, links[link] != nil {
      links[link] = nil
      closeLinks.append(link)
    }
    if let replica = replica(transfer.shard) {
      replica.raft.snapshotSent(
        to: transfer.peer, index: transfer.index ?? transfer.afterIndex, succeeded: succeeded)
      replica.isDirty = true
    }
    if !succeeded { log(.warning, "a snapshot could not be sent shard=\(transfer.shard.rawValue)") }
  }

  func expireTransfers() {
    for (number, transfer) in transfers.outgoing.sorted(by: { $0.key < $1.key })
    where now.monotonic - transfer.lastProgress > Node.transferTimeout { endOutgoing(number, succeeded: false) }
  }

  private func frame(_ kind: PeerMessageKind, on link: LinkID, _ body: (inout ByteBuffer) -> Void) {
    var bytes = ByteBuffer(capacity: 1024)
    let mark = header.begin(&bytes)
    let start = bytes.beginMessage(kind)
    body(&bytes)
    bytes.endMessage(start)
    FrameHeader.finish(mark, in: &bytes)
    linkBytes.append((link, bytes.array))
  }

  // MARK: Steps of the disk

  func transferAdvanced(_ step: TransferStep) {
    switch step {
    case .outgoingOpened(let number, let file):
      guard let link = transfers.outgoing[number]?.link, let replica = replica(file.shard) else { return }
      transfers.outgoing[number]?.index = file.index
      transfers.outgoing[number]?.journalEnd = SnapshotMetadata(file.metadata)?.journalEnd ?? .none
      guard let needed = transfers.outgoing[number]?.afterIndex, file.index > needed || file.index == needed else {
        // What is on disk is too old: a newer one is taken, and this is tried again.
        if let order = replica.beginSnapshot() {
          writeJournal(order.shard)
          jobs.append(.journalSync(order))
        }
        endOutgoing(number, succeeded: false)
        return
      }
      frame(.snapshotOffer, on: link) { buffer in
        buffer.append(file.shard.rawValue)
        buffer.append(file.index.rawValue)
        buffer.append(file.term.rawValue)
        buffer.append(file.byteCount)
        file.digest.withBytes { buffer.append($0) }
      }
    case .fileRead(let number, let offset, let bytes):
      guard let transfer = transfers.outgoing[number], let link = transfer.link else { return }
      if bytes.isEmpty {
        transfers.outgoing[number]?.phase = .journal(transfer.wantedJournal)
        nextPiece(number)
        return
      }
      transfers.outgoing[number]?.phase = .file(offset + UInt64(bytes.count))
      transfers.outgoing[number]?.isWaitingForDrain = true
      frame(.snapshotChunk, on: link) { buffer in
        buffer.append(transfer.shard.rawValue)
        buffer.append(offset)
        buffer.append(bytes)
      }
    case .journalRead(let number, let position, let bytes):
      journalRead(number, position, bytes)
    case .failed(let number, let reason):
      log(.error, "snapshot transfer: \(reason)")
      endOutgoing(number, succeeded: false)
      for (link, incoming) in transfers.incoming where incoming == number {
        transfers.incoming[link] = nil
        closeLinks.append(link)
        links[link] = nil
      }
    case .incomingOpened(let number, let link, let shard, let offset):
      guard transfers.incoming[link] == number, let ledger = replica(shard)?.machine else { return }
      let journal = (ledger as? LedgerMachine)?.journalEnd ?? .none
      frame(.snapshotWant, on: link) { buffer in
        buffer.append(shard.rawValue)
        buffer.append(offset)
        buffer.append(journal.rawValue)
      }
    case .installed(let number, let loaded):
      installed(number, loaded)
    }
  }

  private func journalRead(_ number: UInt64, _ position: JournalPosition, _ bytes: [UInt8]) {
    guard let transfer = transfers.outgoing[number], let link = transfer.link else { return }
    let end = transfer.journalEnd
    if position >= end {
      transfers.outgoing[number]?.phase = .waiting
      frame(.snapshotDone, on: link) { $0.append(transfer.shard.rawValue) }
      return
    }
    // A short piece ends a segment; one that reaches past the snapshot's end is cut there.
    var piece = bytes[...]
    if position.segment == end.segment { piece = piece.prefix(Int(end.offset - position.offset)) }
    let next =
      bytes.count < Node.transferPieceBytes && position.segment < end.segment
      ? JournalPosition(segment: position.segment + 1, offset: 0)
      : JournalPosition(segment: position.segment, offset: position.offset + UInt64(piece.count))
    transfers.outgoing[number]?.phase = .journal(next)
    if piece.isEmpty {
      if position.segment < end.segment { nextPiece(number) } else { endOutgoing(number, succeeded: false) }
      return
    }
    transfers.outgoing[number]?.isWaitingForDrain = true
    frame(.journalChunk, on: link) { buffer in
      buffer.append(transfer.shard.rawValue)
      buffer.append(position.rawValue)
      buffer.append(Array(piece))
    }
  }

  // MARK: Receiving

  func receiveTransfer(
    _ kind: PeerMessageKind, _ reader: inout ByteReader, from peer: Peer, on link: LinkID
  ) throws(MalformedBytes) {
    let shard = ShardID(try reader.read())
    switch kind {
    case .snapshotOffer:
      let index = LogIndex(try reader.read())
      let term = Term(try reader.read())
      let byteCount = try reader.read(UInt64.self)
      let digest = SHA256.Digest(bytes: try reader.readBytes(32))
      guard let replica = replica(shard), index > replica.machine.lastIndex else {
        closeLinks.append(link)
        return
      }
      let number = nextRequest
      nextRequest += 1
      transfers.incoming[link] = number
      jobs.append(
        .transfer(
          .openIncoming(
            number, link: link, shard: shard, index: index, term: term, digest: digest, byteCount: byteCount)))
    case .snapshotWant:
      let offset = try reader.read(UInt64.self)
      let journal = JournalPosition(rawValue: try reader.read())
      guard let (number, _) = transfers.outgoing.first(where: { $0.value.link == link }) else { return }
      transfers.outgoing[number]?.wantedJournal = journal
      transfers.outgoing[number]?.phase = .file(offset)
      nextPiece(number)
    case .snapshotChunk:
      guard let number = transfers.incoming[link] else { return }
      let offset = try reader.read(UInt64.self)
      jobs.append(.transfer(.writeFile(number, offset: offset, bytes: Array(try reader.readBytes(reader.remaining)))))
    case .journalChunk:
      guard transfers.incoming[link] != nil else { return }
      let position = JournalPosition(rawValue: try reader.read())
      jobs.append(
        .journalAppend(shard: shard, position: position, bytes: Array(try reader.readBytes(reader.remaining))))
    case .snapshotDone:
      if let number = transfers.incoming[link] {
        jobs.append(.transfer(.install(number)))
      } else if let (number, _) = transfers.outgoing.first(where: { $0.value.link == link }) {
        endOutgoing(number, succeeded: true)
      }
    default: break
    }
  }

  private func installed(_ number: UInt64, _ loaded: LoadedSnapshot) {
    guard let (link, _) = transfers.incoming.first(where: { $0.value == number }) else { return }
    transfers.incoming[link] = nil
    if let replica = replica(loaded.file.shard), loaded.file.index > replica.machine.lastIndex {
      replica.restore(
        loaded.machine, index: loaded.file.index, term: loaded.file.term, configuration: loaded.configuration)
      if loaded.file.shard == .directory, let machine = loaded.machine as? DirectoryMachine {
        directory = machine
        directoryApplied()
      }
      log(.info, "snapshot installed shard=\(loaded.file.shard.rawValue) index=\(loaded.file.index.rawValue)")
    }
    frame(.snapshotDone, on: link) { $0.append(loaded.file.shard.rawValue) }
  }
}
