import Base
import Ledger
import Protocol
import Raft
import Storage

/// Snapshots on their way to followers that are too far behind.
///
/// A transfer has a link of its own, so that it never stands before a heartbeat. The sender offers its newest snapshot;
/// the receiver says from which byte it wants it (a broken transfer goes on where it was) and where its journal ends;
/// the sender streams the file, then the missing journal, a piece at a time: as the link drains, as the receiver writes,
/// and no faster than is allowed. The receiver verifies the whole, loads it, and its log restarts after it. Meanwhile the
/// sender keeps its log from the snapshot on, so that the receiver can go on from there.
struct SnapshotSender {
  /// Without a word of the receiver a transfer is given up after this; while it verifies and loads all, after more.
  /// Microseconds.
  static let timeout: UInt64 = 20_000_000
  static let installTimeout: UInt64 = 600_000_000

  /// What the node is to do next, in this order.
  enum Event {
    /// What is on disk will not do: a whole one is to be taken soon.
    case wholeWanted(ShardID)
    case offered(ShardID)
    case ended(OutgoingTransfer, succeeded: Bool)
  }

  /// By their numbers, which no transfer of this node's life shares.
  private(set) var transfers: [UInt64: OutgoingTransfer] = [:]
  private var events: [Event] = []
  /// Bytes that may be sent now.
  private(set) var allowance = 0
  private var refilledAt: UInt64 = 0
  let pieceBytes: Int
  let bytesPerSecond: Int

  init(pieceBytes: Int, bytesPerSecond: Int) {
    self.pieceBytes = pieceBytes
    self.bytesPerSecond = bytesPerSecond
  }

  mutating func takeEvents() -> [Event] {
    if events.isEmpty { return [] }
    defer { events.removeAll() }
    return events
  }

  func isSending(_ shard: ShardID, to peer: NodeID) -> Bool {
    transfers.values.contains { $0.shard == shard && $0.peer == peer }
  }
  /// How far a snapshot on its way is; nil: there is none.
  /// - Parameter segmentBytes: how long a segment of a journal may be.
  func progress(of shard: ShardID, to peer: NodeID, segmentBytes: UInt64) -> CopyProgress? {
    transfers.values.first { $0.shard == shard && $0.peer == peer }?.progress(segmentBytes: segmentBytes)
  }
  /// From where on the log is to be kept for those who are sent snapshots of a shard.
  func held(of shard: ShardID) -> LogIndex? {
    transfers.values.lazy.filter { $0.shard == shard }.compactMap(\.index).min()
  }
  private func number(on link: LinkID) -> UInt64? { transfers.first { $0.value.link == link }?.key }

  /// - Parameter number: that of the request for its link.
  mutating func begin(_ number: UInt64, _ shard: ShardID, to need: SnapshotNeed, now: UInt64) {
    transfers[number] = OutgoingTransfer(
      shard: shard, peer: need.peer, afterIndex: need.afterIndex, request: number, lastProgress: now)
  }

  // MARK: Its link

  /// False: the link is not for a transfer.
  mutating func linkOpened(_ link: LinkID, request: UInt64) -> Bool {
    guard transfers[request] != nil else { return false }
    transfers[request]?.link = link
    return true
  }
  mutating func linkFailed(request: UInt64, _ out: inout NodeOutput) {
    if transfers[request] != nil { end(request, failure: "its link cannot be opened", &out) }
  }
  mutating func linkClosed(_ link: LinkID, _ out: inout NodeOutput) {
    if let number = number(on: link) { end(number, failure: "its link was lost", &out) }
  }
  /// The other side has proved who it is.
  mutating func linkReady(_ link: LinkID, _ out: inout NodeOutput) {
    guard let number = number(on: link), let transfer = transfers[number] else { return }
    out.jobs.append(.transfer(.openOutgoing(number, shard: transfer.shard)))
  }
  mutating func linkDrained(_ link: LinkID, _ out: inout NodeOutput) {
    guard let number = number(on: link), transfers[number]?.isDraining == true else { return }
    transfers[number]?.isDraining = false
    sendNextPiece(number, &out)
  }

  /// A peer has begun anew. What was on its way to its earlier life is not wanted any more; the link may not tell for long
  /// if that ended without a word.
  mutating func endTransfers(to node: NodeID, but link: LinkID, _ out: inout NodeOutput) {
    for (number, transfer) in transfers.sorted(by: { $0.key < $1.key })
    where transfer.peer == node && transfer.link != nil && transfer.link != link {
      end(number, failure: "the receiver began anew", &out)
    }
  }

  /// The replica whose snapshots these are has left.
  mutating func endTransfers(of shard: ShardID, _ out: inout NodeOutput) {
    for (number, transfer) in transfers.sorted(by: { $0.key < $1.key }) where transfer.shard == shard {
      end(number, failure: "its replica has left", level: .info, &out)
    }
  }

  // MARK: Pieces

  /// Has the disk read the next piece, unless something is to be waited for.
  private mutating func sendNextPiece(_ number: UInt64, _ out: inout NodeOutput) {
    if transfers[number]?.hasRoom == false { transfers[number]?.budget.isWanted() }
    guard let transfer = transfers[number], transfer.maySend, allowance > 0 else { return }
    switch transfer.phase {
    case .file(let offset): out.jobs.append(.transfer(.readFile(number, offset: offset, byteCount: pieceBytes)))
    case .journal(let position):
      out.jobs.append(
        .transfer(.readJournal(number, shard: transfer.shard, position: position, byteCount: pieceBytes)))
    case .offered, .installing: return
    }
    transfers[number]?.isReading = true
  }
  private mutating func pieceSent(_ number: UInt64, _ byteCount: Int, then phase: OutgoingTransfer.Phase, now: UInt64) {
    allowance -= byteCount
    transfers[number]?.phase = phase
    transfers[number]?.isDraining = true
    transfers[number]?.pieces.append(byteCount)
    transfers[number]?.budget.sends(byteCount, now: now)
  }

  /// With each tick: what is allowed grows, and what stands still is given up.
  mutating func advance(now: UInt64, _ out: inout NodeOutput) {
    let passed = now - refilledAt
    refilledAt = now
    guard !transfers.isEmpty else { return }
    let refill = Int(min(passed, 100_000)) * bytesPerSecond / 1_000_000
    allowance = min(allowance + refill, max(bytesPerSecond / 10, 1))
    for (number, transfer) in transfers.sorted(by: { $0.key < $1.key }) {
      var limit = SnapshotSender.timeout
      if case .installing = transfer.phase { limit = SnapshotSender.installTimeout }
      if now - transfer.lastProgress > limit {
        end(number, failure: "no word of the receiver for \(limit / 1_000_000) s", &out)
      } else {
        sendNextPiece(number, &out)
      }
    }
  }

  // MARK: Steps of the disk

  mutating func opened(
    _ number: UInt64, _ file: SnapshotFile, now: UInt64, _ header: FrameHeader, _ out: inout NodeOutput
  ) {
    guard let transfer = transfers[number], let link = transfer.link else { return }
    guard file.index >= transfer.afterIndex else {
      // What is on disk is too old: a newer one is taken, and this is tried again.
      events.append(.wholeWanted(file.shard))
      end(number, failure: "it is older than the log's start, another is taken", level: .info, &out)
      return
    }
    events.append(.offered(file.shard))
    transfers[number]?.index = file.index
    transfers[number]?.byteCount = file.byteCount
    transfers[number]?.journalEnd = SnapshotMetadata(file.metadata)?.journalEnd ?? .none
    transfers[number]?.lastProgress = now
    out.frame(.snapshotOffer, header, on: link) { buffer in
      buffer.append(file.shard.rawValue)
      buffer.append(file.index.rawValue)
      buffer.append(file.term.rawValue)
      buffer.append(file.byteCount)
      file.digest.withBytes { buffer.append($0) }
    }
  }

  mutating func fileRead(
    _ number: UInt64, at offset: UInt64, _ bytes: [UInt8], now: UInt64, _ header: FrameHeader, _ out: inout NodeOutput
  ) {
    guard let transfer = transfers[number], let link = transfer.link else { return }
    transfers[number]?.isReading = false
    if bytes.isEmpty {
      transfers[number]?.phase = .journal(transfer.wantedJournal)
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
    guard let transfer = transfers[number], let link = transfer.link else { return }
    transfers[number]?.isReading = false
    let end = transfer.journalEnd
    if !position.isBefore(end) {
      transfers[number]?.phase = .installing
      transfers[number]?.lastProgress = now
      out.frame(.snapshotDone, header, on: link) { $0.append(transfer.shard.rawValue) }
      return
    }
    // A short piece ends a segment; one that reaches past the snapshot's end is cut there.
    var piece = bytes[...]
    if position.segment == end.segment { piece = piece.prefix(Int(end.offset - position.offset)) }
    let next =
      bytes.count < pieceBytes && position.segment < end.segment
      ? position.nextSegment : position.advanced(by: piece.count)
    guard !piece.isEmpty else {
      guard position.isBefore(next) else { return self.end(number, failure: "its journal ends too soon", &out) }
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

  /// Our own snapshot is not what was written. What is in memory is right: another is written from that. Until then each try
  /// would send the same.
  mutating func rotten(_ number: UInt64, _ shard: ShardID, _ reason: String, _ out: inout NodeOutput) {
    out.log(.error, "CORRUPT \(reason); another snapshot is taken; look after the disk")
    events.append(.wholeWanted(shard))
    end(number, failure: "the disk", &out)
  }
  mutating func wholeWanted(_ number: UInt64, _ shard: ShardID, _ out: inout NodeOutput) {
    events.append(.wholeWanted(shard))
    end(number, failure: "the newest has changes only, a whole one is taken", level: .info, &out)
  }
  mutating func failed(_ number: UInt64, _ out: inout NodeOutput) { end(number, failure: "the disk", &out) }

  // MARK: What the receiver says

  /// From which byte of the file, and from where of the journal.
  mutating func wanted(
    from offset: UInt64, journal: JournalPosition, on link: LinkID, now: UInt64, _ out: inout NodeOutput
  ) {
    guard let number = number(on: link), let transfer = transfers[number], case .offered = transfer.phase else {
      return
    }
    guard offset <= transfer.byteCount else {
      return end(number, failure: "the receiver wants what there is not", &out)
    }
    // It may have more of the journal already, of a newer snapshot that did not come through.
    transfers[number]?.wantedJournal = journal.isBefore(transfer.journalEnd) ? journal : transfer.journalEnd
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

  /// - Parameter failure: why it was given up; nil: the receiver has it all.
  private mutating func end(
    _ number: UInt64, failure: String?, level: LogLevel = .warning, _ out: inout NodeOutput
  ) {
    guard let transfer = transfers.removeValue(forKey: number) else { return }
    out.jobs.append(.transfer(.closeOutgoing(number)))
    // Who had it all and did not take it may have found that it is bad.
    if failure != nil, case .installing = transfer.phase {
      out.jobs.append(.transfer(.verifySent(number, shard: transfer.shard)))
    }
    events.append(.ended(transfer, succeeded: failure == nil))
    if let failure { out.log(level, "a snapshot was not sent shard=\(transfer.shard.rawValue): \(failure)") }
  }
}
