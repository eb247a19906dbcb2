import Base
import Ledger
import Protocol
import Raft
import Storage

/// Snapshots: when one is taken, and how a follower that is too far behind gets one.
///
/// A transfer has a link of its own, so that it never stands before a heartbeat. The sender offers its newest snapshot;
/// the receiver says from which byte it wants it (a broken transfer goes on where it was) and where its journal ends;
/// the sender streams the file, then the missing journal, a piece at a time: as the link drains, as the receiver writes,
/// and no faster than is allowed. The receiver verifies the whole, loads it, and its log restarts after it. Meanwhile the
/// sender keeps its log from the snapshot on, so that the receiver can go on from there.
extension Node {
  /// Without a word of the receiver a transfer is given up after this; while it verifies and loads all, after more.
  static let transferTimeout: UInt64 = 20_000_000
  static let installTimeout: UInt64 = 600_000_000

  // MARK: Sending

  func startTransfer(of replica: Replica, to need: SnapshotNeed) {
    // One that is under way answers this need as well: Raft hears of its end.
    guard !transfers.outgoing.values.contains(where: { $0.shard == replica.shard && $0.peer == need.peer }) else {
      return
    }
    guard let peer = peer(need.peer), peer.isConnected else {
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

  private func outgoing(on link: LinkID) -> UInt64? { transfers.outgoing.first { $0.value.link == link }?.key }

  func transferLinkOpened(_ id: LinkID, request: UInt64) -> Bool {
    guard let (number, _) = transfers.outgoing.first(where: { $0.value.request == request }) else { return false }
    transfers.outgoing[number]?.link = id
    return true
  }
  func transferLinkFailed(request: UInt64) {
    guard let (number, _) = transfers.outgoing.first(where: { $0.value.request == request }) else { return }
    endOutgoing(number, failure: "its link cannot be opened")
  }
  func transferLinkClosed(_ id: LinkID) {
    if let number = outgoing(on: id) { endOutgoing(number, failure: "its link was lost") }
    dropIncoming(on: id)
  }
  func transferLinkReady(_ id: LinkID) {
    guard let number = outgoing(on: id), let transfer = transfers.outgoing[number] else { return }
    out.jobs.append(.transfer(.openOutgoing(number, shard: transfer.shard)))
  }
  func transferDrained(_ id: LinkID) {
    guard let number = outgoing(on: id), transfers.outgoing[number]?.isDraining == true else { return }
    transfers.outgoing[number]?.isDraining = false
    sendNextPiece(number)
  }
  private func pieceAcknowledged(_ number: UInt64) {
    guard var transfer = transfers.outgoing[number], let bytes = transfer.pieces.first else { return }
    transfer.pieces.removeFirst()
    transfer.acknowledged += UInt64(bytes)
    transfer.budget.acknowledge(transfer.acknowledged, now: now.monotonic)
    transfers.outgoing[number] = transfer
    transfers.outgoing[number]?.lastProgress = now.monotonic
    sendNextPiece(number)
  }

  /// Has the disk read the next piece, unless something is to be waited for.
  private func sendNextPiece(_ number: UInt64) {
    if transfers.outgoing[number]?.hasRoom == false { transfers.outgoing[number]?.budget.isWanted() }
    guard let transfer = transfers.outgoing[number], transfer.maySend, transfers.allowance > 0 else { return }
    let byteCount = configuration.transferPieceBytes
    switch transfer.phase {
    case .file(let offset):
      out.jobs.append(.transfer(.readFile(number, offset: offset, byteCount: byteCount)))
    case .journal(let position):
      out.jobs.append(
        .transfer(.readJournal(number, shard: transfer.shard, position: position, byteCount: byteCount)))
    case .offered, .installing: return
    }
    transfers.outgoing[number]?.isReading = true
  }

  /// A piece is on its way.
  private func pieceSent(_ number: UInt64, byteCount: Int, then phase: OutgoingTransfer.Phase) {
    transfers.allowance -= byteCount
    transfers.outgoing[number]?.phase = phase
    transfers.outgoing[number]?.isDraining = true
    transfers.outgoing[number]?.pieces.append(byteCount)
    transfers.outgoing[number]?.budget.sends(byteCount, now: now.monotonic)
  }

  /// - Parameter failure: why it was given up; nil: the receiver has it all.
  private func endOutgoing(_ number: UInt64, failure: String?, _ level: LogLevel = .warning) {
    guard let transfer = transfers.outgoing.removeValue(forKey: number) else { return }
    out.jobs.append(.transfer(.closeOutgoing(number)))
    // Who had it all and did not take it may have found that it is bad.
    if failure != nil, case .installing = transfer.phase {
      out.jobs.append(.transfer(.verifySent(number, shard: transfer.shard)))
    }
    if let link = transfer.link, links[link] != nil {
      links[link] = nil
      out.closeLinks.append(link)
    }
    if let replica = replica(transfer.shard) {
      replica.raft.snapshotSent(
        to: transfer.peer, index: transfer.index ?? transfer.afterIndex, succeeded: failure == nil)
      replica.isDirty = true
    }
    if let failure {
      log(level, "a snapshot was not sent shard=\(transfer.shard.rawValue): \(failure)")
    } else {
      counters.snapshotsSent += 1
    }
  }

  /// A peer has begun anew. What was on its way to its earlier life is not wanted any more; the link may not tell for long
  /// if that ended without a word.
  func endTransfers(to node: NodeID, but link: LinkID) {
    for (number, transfer) in transfers.outgoing.sorted(by: { $0.key < $1.key })
    where transfer.peer == node && transfer.link != nil && transfer.link != link {
      endOutgoing(number, failure: "the receiver began anew")
    }
  }

  /// With each tick: what is allowed grows, and what stands still is given up.
  func advanceTransfers() {
    let passed = now.monotonic - transfers.refilledAt
    transfers.refilledAt = now.monotonic
    guard !transfers.outgoing.isEmpty else { return }
    let rate = configuration.transferBytesPerSecond
    let refill = Int(min(passed, 100_000)) * rate / 1_000_000
    transfers.allowance = min(transfers.allowance + refill, max(rate / 10, 1))
    for (number, transfer) in transfers.outgoing.sorted(by: { $0.key < $1.key }) {
      var limit = Node.transferTimeout
      if case .installing = transfer.phase { limit = Node.installTimeout }
      if now.monotonic - transfer.lastProgress > limit {
        endOutgoing(number, failure: "no word of the receiver for \(limit / 1_000_000) s")
      } else {
        sendNextPiece(number)
      }
    }
  }

  private func frame(_ kind: PeerMessageKind, on link: LinkID, _ body: (inout ByteBuffer) -> Void) {
    var bytes = ByteBuffer(capacity: 1024)
    let mark = header.begin(&bytes)
    let start = bytes.beginMessage(kind)
    body(&bytes)
    bytes.endMessage(start)
    FrameHeader.finish(mark, in: &bytes)
    out.linkBytes.append((link, bytes.array))
  }

  // MARK: Steps of the disk

  func transferAdvanced(_ step: TransferStep) {
    switch step {
    case .outgoingOpened(let number, let file): offer(file, number)
    case .fileRead(let number, let offset, let bytes):
      guard let transfer = transfers.outgoing[number], let link = transfer.link else { return }
      transfers.outgoing[number]?.isReading = false
      if bytes.isEmpty {
        transfers.outgoing[number]?.phase = .journal(transfer.wantedJournal)
        sendNextPiece(number)
        return
      }
      pieceSent(number, byteCount: bytes.count, then: .file(offset + UInt64(bytes.count)))
      frame(.snapshotChunk, on: link) { buffer in
        buffer.append(transfer.shard.rawValue)
        buffer.append(offset)
        buffer.append(bytes)
      }
    case .journalRead(let number, let position, let bytes):
      journalRead(number, position, bytes)
    case .rotten(let number, let shard, let reason):
      // What is in memory is right: another is written from that. Until then each try would send the same.
      log(.error, "CORRUPT \(reason); another snapshot is taken; look after the disk")
      if let replica = replica(shard) { takeWholeSnapshotSoon(of: replica) }
      endOutgoing(number, failure: "the disk")
    case .wholeWanted(let number, let shard):
      if let replica = replica(shard) { takeWholeSnapshotSoon(of: replica) }
      endOutgoing(number, failure: "the newest has changes only, a whole one is taken", .info)
    case .failed(let number, let reason):
      log(.error, "snapshot transfer: \(reason)")
      endOutgoing(number, failure: "the disk")
      if let (link, _) = transfers.incoming.first(where: { $0.value.number == number }) { closeIncoming(on: link) }
    case .incomingOpened(let number, let link, let shard, let offset, let journal):
      guard transfers.incoming[link]?.number == number else { return }
      frame(.snapshotWant, on: link) { buffer in
        buffer.append(shard.rawValue)
        buffer.append(offset)
        buffer.append(journal.rawValue)
      }
    case .written(let number):
      guard let (link, transfer) = transfers.incoming.first(where: { $0.value.number == number }) else { return }
      frame(.snapshotAck, on: link) { $0.append(transfer.shard.rawValue) }
    case .installed(let number, let loaded):
      installed(number, loaded)
    }
  }

  private func offer(_ file: SnapshotFile, _ number: UInt64) {
    guard let transfer = transfers.outgoing[number], let link = transfer.link, let replica = replica(file.shard) else {
      return
    }
    guard file.index >= transfer.afterIndex else {
      // What is on disk is too old: a newer one is taken, and this is tried again.
      takeWholeSnapshotSoon(of: replica)
      endOutgoing(number, failure: "it is older than the log's start, another is taken", .info)
      return
    }
    replica.wholeSnapshotsUntil = 0
    transfers.outgoing[number]?.index = file.index
    transfers.outgoing[number]?.byteCount = file.byteCount
    transfers.outgoing[number]?.journalEnd = SnapshotMetadata(file.metadata)?.journalEnd ?? .none
    transfers.outgoing[number]?.lastProgress = now.monotonic
    frame(.snapshotOffer, on: link) { buffer in
      buffer.append(file.shard.rawValue)
      buffer.append(file.index.rawValue)
      buffer.append(file.term.rawValue)
      buffer.append(file.byteCount)
      file.digest.withBytes { buffer.append($0) }
    }
  }

  private func journalRead(_ number: UInt64, _ position: JournalPosition, _ bytes: [UInt8]) {
    guard let transfer = transfers.outgoing[number], let link = transfer.link else { return }
    transfers.outgoing[number]?.isReading = false
    let end = transfer.journalEnd
    if position >= end {
      transfers.outgoing[number]?.phase = .installing
      transfers.outgoing[number]?.lastProgress = now.monotonic
      frame(.snapshotDone, on: link) { $0.append(transfer.shard.rawValue) }
      return
    }
    // A short piece ends a segment; one that reaches past the snapshot's end is cut there.
    var piece = bytes[...]
    if position.segment == end.segment { piece = piece.prefix(Int(end.offset - position.offset)) }
    let next =
      bytes.count < configuration.transferPieceBytes && position.segment < end.segment
      ? JournalPosition(segment: position.segment + 1, offset: 0)
      : JournalPosition(segment: position.segment, offset: position.offset + UInt64(piece.count))
    guard !piece.isEmpty else {
      guard next > position else { return endOutgoing(number, failure: "its journal ends too soon") }
      transfers.outgoing[number]?.phase = .journal(next)
      sendNextPiece(number)
      return
    }
    pieceSent(number, byteCount: piece.count, then: .journal(next))
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
      try receiveOffer(shard, &reader, on: link)
    case .snapshotWant:
      let offset = try reader.read(UInt64.self)
      let journal = JournalPosition(rawValue: try reader.read())
      guard let number = outgoing(on: link), let transfer = transfers.outgoing[number], case .offered = transfer.phase
      else { return }
      guard offset <= transfer.byteCount else {
        return endOutgoing(number, failure: "the receiver wants what there is not")
      }
      // It may have more of the journal already, of a newer snapshot that did not come through.
      transfers.outgoing[number]?.wantedJournal = min(journal, transfer.journalEnd)
      transfers.outgoing[number]?.phase = .file(offset)
      transfers.outgoing[number]?.lastProgress = now.monotonic
      sendNextPiece(number)
    case .snapshotChunk:
      guard let number = transfers.incoming[link]?.number else { return }
      let offset = try reader.read(UInt64.self)
      out.jobs.append(
        .transfer(.writeFile(number, offset: offset, bytes: Array(try reader.readBytes(reader.remaining)))))
    case .journalChunk:
      guard let number = transfers.incoming[link]?.number else { return }
      let position = JournalPosition(rawValue: try reader.read())
      out.jobs.append(
        .transfer(.writeJournal(number, position: position, bytes: Array(try reader.readBytes(reader.remaining)))))
    case .snapshotAck:
      if let number = outgoing(on: link) { pieceAcknowledged(number) }
    case .snapshotDone:
      if let number = transfers.incoming[link]?.number {
        out.jobs.append(.transfer(.install(number)))
      } else if let number = outgoing(on: link) {
        endOutgoing(number, failure: nil)
      }
    default: break
    }
  }

  private func receiveOffer(
    _ shard: ShardID, _ reader: inout ByteReader, on link: LinkID
  ) throws(MalformedBytes) {
    let index = LogIndex(try reader.read())
    let term = Term(try reader.read())
    let byteCount = try reader.read(UInt64.self)
    let digest = SHA256.Digest(bytes: try reader.readBytes(32))
    guard let replica = replica(shard), replica.raft.wantsSnapshot(at: index) else {
      // It is there already.
      frame(.snapshotDone, on: link) { $0.append(shard.rawValue) }
      return
    }
    // Whoever sent one before has been given up, by itself or by the group.
    for (old, transfer) in transfers.incoming.sorted(by: { $0.key.rawValue < $1.key.rawValue })
    where transfer.shard == shard { closeIncoming(on: old) }
    let number = nextRequest
    nextRequest += 1
    transfers.incoming[link] = IncomingTransfer(number: number, shard: shard)
    replica.endOpenEntry()
    drain(replica)
    journal.write(shard, &out)
    out.jobs.append(
      .transfer(
        .openIncoming(
          number, link: link, shard: shard, index: index, term: term, digest: digest, byteCount: byteCount,
          from: (replica.machine as? LedgerMachine)?.journal)))
  }

  private func dropIncoming(on link: LinkID) {
    guard let transfer = transfers.incoming.removeValue(forKey: link) else { return }
    out.jobs.append(.transfer(.dropIncoming(transfer.number)))
  }
  private func closeIncoming(on link: LinkID) {
    dropIncoming(on: link)
    links[link] = nil
    out.closeLinks.append(link)
  }

  /// A snapshot is durable here and read: also when the link that brought it is gone.
  private func installed(_ number: UInt64, _ loaded: LoadedSnapshot) {
    let shard = loaded.file.shard
    if let (link, _) = transfers.incoming.first(where: { $0.value.number == number }) {
      transfers.incoming[link] = nil
      frame(.snapshotDone, on: link) { $0.append(shard.rawValue) }
    }
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
}
