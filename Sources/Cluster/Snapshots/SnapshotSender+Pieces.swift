import Base
import Ledger
import Protocol
import Storage

/// The file and the journals, a piece at a time: as the link drains, as the receiver writes, and no faster than is allowed.
extension SnapshotSender {
  /// Has the disk read the next piece, unless something is to be waited for.
  mutating func sendNextPiece(_ number: UInt64, _ out: inout NodeOutput) {
    if transfers[number]?.hasRoom == false { transfers[number]?.budget.isWanted() }
    guard let transfer = transfers[number], transfer.maySend, mayHave(transfer.peer) else { return }
    switch transfer.phase {
    case .file(let offset): out.jobs.append(.transfer(.readFile(number, offset: offset, byteCount: pieceBytes)))
    case .journal(let position):
      out.jobs.append(
        .transfer(.readJournal(number, shard: transfer.shard, position: position, byteCount: pieceBytes)))
    case .waiting, .opening, .offered, .installing: return
    }
    transfers[number]?.isReading = true
  }
  private mutating func pieceSent(_ number: UInt64, _ byteCount: Int, then phase: OutgoingTransfer.Phase, now: UInt64) {
    if let peer = transfers[number]?.peer { spend(byteCount, for: peer) }
    transfers[number]?.phase = phase
    transfers[number]?.isDraining = true
    transfers[number]?.pieces.append(byteCount)
    transfers[number]?.budget.sends(byteCount, now: now)
  }
  mutating func linkDrained(_ link: LinkID, _ out: inout NodeOutput) {
    guard let number = number(on: link), transfers[number]?.isDraining == true else { return }
    transfers[number]?.isDraining = false
    sendNextPiece(number, &out)
  }

  // MARK: Steps of the disk

  /// What was read for a link that is gone meanwhile is of another place, or is read again.
  mutating func fileRead(
    _ number: UInt64, at offset: UInt64, _ bytes: [UInt8], now: UInt64, _ header: FrameHeader, _ out: inout NodeOutput
  ) {
    guard let transfer = transfers[number], let link = transfer.link, transfer.phase == .file(offset) else { return }
    transfers[number]?.isReading = false
    if bytes.isEmpty {
      transfers[number]?.phase = .journal(transfer.route.start ?? transfer.journalEnds.last ?? .none)
      sendNextPiece(number, &out)
      return
    }
    pieceSent(number, bytes.count, then: .file(offset + UInt64(bytes.count)), now: now)
    out.frame(.snapshotChunk, header, on: link) { buffer in
      buffer.append(transfer.shard.rawValue)
      buffer.append(offset)
      buffer.append(bytes)
    }
  }

  mutating func journalRead(
    _ number: UInt64, at position: JournalPosition, _ bytes: [UInt8], now: UInt64, _ header: FrameHeader,
    _ out: inout NodeOutput
  ) {
    guard let transfer = transfers[number], let link = transfer.link, transfer.phase == .journal(position) else {
      return
    }
    transfers[number]?.isReading = false
    guard transfer.route.next(from: position) == position, let end = transfer.route.end(of: position.journal) else {
      transfers[number]?.phase = .installing
      transfers[number]?.lastProgress = now
      out.frame(.snapshotDone, header, on: link) { $0.append(transfer.shard.rawValue) }
      return
    }
    // A short piece ends a segment; one that reaches past the snapshot's end is cut there.
    var piece = bytes[...]
    if position.segment == end.segment { piece = piece.prefix(Int(end.offset - position.offset)) }
    let after =
      bytes.count < pieceBytes && position.segment < end.segment
      ? position.nextSegment : position.advanced(by: piece.count)
    let next = transfer.route.next(from: after) ?? transfer.journalEnds.last ?? after
    guard !piece.isEmpty else {
      guard position != after else {
        return self.end(number, failure: "the journal of shard \(position.journal.rawValue) ends too soon", &out)
      }
      transfers[number]?.phase = .journal(next)
      sendNextPiece(number, &out)
      return
    }
    pieceSent(number, piece.count, then: .journal(next), now: now)
    out.frame(.journalChunk, header, on: link) { buffer in
      buffer.append(transfer.shard.rawValue)
      buffer.append(position.rawValue)
      buffer.append(Array(piece))
    }
  }

  // MARK: What the receiver says

  /// From which byte of the file, and from where of each journal that is wanted.
  mutating func wanted(
    from offset: UInt64, journals: [JournalPosition], on link: LinkID, now: UInt64, _ out: inout NodeOutput
  ) {
    guard let number = number(on: link), let transfer = transfers[number], case .offered = transfer.phase else {
      return
    }
    guard offset <= transfer.byteCount else {
      return end(number, failure: "the receiver wants what there is not", &out)
    }
    // It may have more of one already, of a newer snapshot that did not come through.
    transfers[number]?.route = JournalRoute(from: journals, to: transfer.journalEnds)
    transfers[number]?.phase = .file(offset)
    transfers[number]?.lastProgress = now
    sendNextPiece(number, &out)
  }
  /// It has written a piece.
  mutating func acknowledged(on link: LinkID, now: UInt64, _ out: inout NodeOutput) {
    guard let number = number(on: link), var transfer = transfers[number], let bytes = transfer.pieces.first else {
      return
    }
    transfer.pieces.removeFirst()
    transfer.acknowledged += UInt64(bytes)
    transfer.budget.acknowledge(transfer.acknowledged, now: now)
    transfer.lastProgress = now
    transfers[number] = transfer
    sendNextPiece(number, &out)
  }
  /// It has it all.
  mutating func done(on link: LinkID, _ out: inout NodeOutput) {
    if let number = number(on: link) { end(number, failure: nil, &out) }
  }
}
