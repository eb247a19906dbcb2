import Base
import Ledger
import Protocol
import Raft
import Storage

/// Snapshots on their way to followers that are too far behind.
///
/// The sender asks the receiver for a slot (`SnapshotSlots`), again and again until it has one. Then it opens its newest
/// snapshot, or has one taken if that is too old or has changes only, and a link of its own, so that it never stands before a
/// heartbeat. It offers the snapshot; the receiver says from which byte it wants it (a broken transfer goes on where it was, as
/// long as the file will do) and of each journal; the sender streams the file, then what is missing of the journals (see
/// `SnapshotSender+Pieces`). The receiver verifies the whole, loads it, and its log restarts after it. From the opening on the
/// sender keeps its log from the snapshot on, so that the receiver can go on from there.
struct SnapshotSender {
  /// Without a word of the receiver its link is given up after this; while it verifies and loads all, or a snapshot is
  /// taken, after more. Microseconds.
  static let timeout: UInt64 = 20_000_000
  static let installTimeout: UInt64 = 600_000_000
  /// Attempts without anything written, after which Raft is told that it came to nothing.
  static let attempts = 5

  /// What the node is to do next, in this order.
  enum Event {
    /// The receiver is to be told that a slot is wanted, or is not any more.
    case ask(ShardID, of: NodeID)
    case withdraw(ShardID, of: NodeID)
    /// A link is wanted for that transfer.
    case open(UInt64, to: NodeID)
    case close(LinkID)
    /// What is on disk will not do: a whole one is to be taken soon.
    case wholeWanted(ShardID)
    case offered(ShardID)
    case ended(OutgoingTransfer, succeeded: Bool)
  }

  /// By their numbers, which no transfer of this node's life shares.
  var transfers: [UInt64: OutgoingTransfer] = [:]
  var events: [Event] = []
  let pieceBytes: Int
  /// To one peer; nil: as fast as the link is.
  private(set) var bytesPerSecond: Int?
  private var limits: [NodeID: RateLimit] = [:]

  init(pieceBytes: Int, bytesPerSecond: Int? = nil) {
    self.pieceBytes = pieceBytes
    self.bytesPerSecond = bytesPerSecond
  }

  mutating func takeEvents() -> [Event] {
    if events.isEmpty { return [] }
    defer { events.removeAll() }
    return events
  }
  /// By rising number: the same in each run.
  private var numbers: [UInt64] { transfers.keys.sorted() }

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
    transfers.values.lazy.filter { $0.shard == shard }.compactMap { $0.file?.index }.min()
  }
  func number(on link: LinkID) -> UInt64? { transfers.first { $0.value.link == link }?.key }
  private func number(of request: UInt64) -> UInt64? { transfers.first { $0.value.request == request }?.key }

  mutating func begin(_ number: UInt64, _ shard: ShardID, to need: SnapshotNeed, now: UInt64) {
    transfers[number] = OutgoingTransfer(shard: shard, peer: need.peer, afterIndex: need.afterIndex, now: now)
  }

  // MARK: Its slot

  /// The receiver has a slot for it; nothing happens if it is on its way already.
  /// - Parameter logStart: what comes before that the log has no more.
  mutating func granted(
    _ shard: ShardID, by peer: NodeID, logStart: LogIndex, now: UInt64, _ out: inout NodeOutput
  ) {
    guard
      let number = numbers.first(where: {
        transfers[$0]?.shard == shard && transfers[$0]?.peer == peer && transfers[$0]?.phase == .waiting
      })
    else { return }
    transfers[number]?.phase = .opening
    transfers[number]?.lastProgress = now
    transfers[number]?.afterIndex = logStart
    if let file = transfers[number]?.file {
      if file.index >= logStart { return events.append(.open(number, to: peer)) }
      close(fileOf: number, &out)
    }
    if transfers[number]?.awaitsSnapshot != true { open(number, shard, &out) }
  }
  private func open(_ number: UInt64, _ shard: ShardID, _ out: inout NodeOutput) {
    out.jobs.append(.transfer(.openOutgoing(number, shard: shard)))
  }
  private mutating func close(fileOf number: UInt64, _ out: inout NodeOutput) {
    transfers[number]?.file = nil
    out.jobs.append(.transfer(.closeOutgoing(number)))
  }
  /// Another snapshot of a shard is there: it may do.
  mutating func snapshotWritten(_ shard: ShardID, now: UInt64, _ out: inout NodeOutput) {
    for number in numbers where transfers[number]?.shard == shard && transfers[number]?.awaitsSnapshot == true {
      transfers[number]?.awaitsSnapshot = false
      guard transfers[number]?.phase == .opening else { continue }
      transfers[number]?.lastProgress = now
      open(number, shard, &out)
    }
  }

  // MARK: Its file

  /// - Parameter logStart: as above.
  mutating func opened(
    _ number: UInt64, _ file: SnapshotFile, logStart: LogIndex, now: UInt64, _ out: inout NodeOutput
  ) {
    guard let transfer = transfers[number], transfer.phase == .opening else { return }
    guard file.index >= logStart else {
      close(fileOf: number, &out)
      return wholeWanted(number, file.shard)
    }
    events.append(.offered(file.shard))
    transfers[number]?.file = file
    let metadata = SnapshotMetadata(file.metadata)
    transfers[number]?.journalEnds = (metadata?.lineage ?? []) + [metadata?.journalEnd ?? .none]
    transfers[number]?.lastProgress = now
    events.append(.open(number, to: transfer.peer))
  }
  /// The newest has changes only, or is older than a follower needs, or there is none: a whole one is taken, and waited for.
  mutating func wholeWanted(_ number: UInt64, _ shard: ShardID) {
    guard transfers[number] != nil else { return }
    transfers[number]?.awaitsSnapshot = true
    events.append(.wholeWanted(shard))
  }
  /// Our own snapshot is not what was written. What is in memory is right: another is written from that.
  mutating func rotten(_ number: UInt64, _ shard: ShardID, _ reason: String, now: UInt64, _ out: inout NodeOutput) {
    out.log(.error, "CORRUPT \(reason); another snapshot is taken; look after the disk")
    guard let transfer = transfers[number] else { return events.append(.wholeWanted(shard)) }
    close(fileOf: number, &out)
    wholeWanted(number, shard)
    if transfer.phase != .opening { leaveLink(number, "its file has rotten", now: now, &out) }
  }
  mutating func failed(_ number: UInt64, _ out: inout NodeOutput) { end(number, failure: "the disk", &out) }

  // MARK: Its link

  /// The link to a peer for a transfer has been asked for.
  mutating func opens(_ number: UInt64, request: UInt64) { transfers[number]?.request = request }
  /// False: the link is not for a transfer.
  mutating func linkOpened(_ link: LinkID, request: UInt64) -> Bool {
    guard let number = number(of: request) else { return false }
    transfers[number]?.link = link
    return true
  }
  mutating func linkFailed(request: UInt64, now: UInt64, _ out: inout NodeOutput) {
    if let number = number(of: request) { leaveLink(number, "its link cannot be opened", now: now, &out) }
  }
  mutating func linkClosed(_ link: LinkID, now: UInt64, _ out: inout NodeOutput) {
    guard let number = number(on: link), let transfer = transfers[number] else { return }
    if transfer.phase == .installing { return end(number, failure: "its link was lost", &out) }
    leaveLink(number, "its link was lost", now: now, &out)
  }
  /// The other side has proved who it is.
  mutating func linkReady(_ link: LinkID, now: UInt64, _ header: FrameHeader, _ out: inout NodeOutput) {
    guard let number = number(on: link), let transfer = transfers[number], let file = transfer.file,
      transfer.phase == .opening
    else { return }
    transfers[number]?.phase = .offered
    transfers[number]?.lastProgress = now
    out.frame(.snapshotOffer, header, on: link) { buffer in
      buffer.append(file.shard.rawValue)
      buffer.append(file.index.rawValue)
      buffer.append(file.term.rawValue)
      buffer.append(file.byteCount)
      file.digest.withBytes { buffer.append($0) }
      for end in transfer.journalEnds.dropLast() { buffer.append(end.rawValue) }
    }
  }
  /// It is tried again, from where it was, once there is a slot again.
  private mutating func leaveLink(_ number: UInt64, _ reason: String, now: UInt64, _ out: inout NodeOutput) {
    guard let transfer = transfers[number] else { return }
    if let link = transfer.link { events.append(.close(link)) }
    transfers[number]?.leaveLink(now: now)
    guard transfers[number]?.attemptsInVain ?? 0 < SnapshotSender.attempts else {
      return end(number, failure: reason, &out)
    }
    out.log(.info, "a snapshot's transfer is broken off and goes on later shard=\(transfer.shard.rawValue): \(reason)")
  }

  // MARK: Time, and its end

  /// With each tick: what is allowed grows, who waits asks, and what stands still is given up.
  mutating func advance(now: UInt64, bytesPerSecond: Int?, _ out: inout NodeOutput) {
    self.bytesPerSecond = bytesPerSecond
    guard !transfers.isEmpty else {
      limits = [:]
      return
    }
    if let bytesPerSecond {
      for peer in Set(transfers.values.map(\.peer)) {
        limits[peer, default: RateLimit()].refill(now: now, bytesPerSecond)
      }
    }
    for number in numbers { advance(number, now: now, &out) }
  }
  private mutating func advance(_ number: UInt64, now: UInt64, _ out: inout NodeOutput) {
    guard let transfer = transfers[number] else { return }
    if transfer.isAsking, transfer.askedAt.map({ now - min(now, $0) >= SnapshotSlots.interval }) ?? true {
      transfers[number]?.askedAt = now
      events.append(.ask(transfer.shard, of: transfer.peer))
    }
    if transfer.phase == .waiting { return }
    let isSlow = transfer.phase == .installing || transfer.awaitsSnapshot
    let limit = isSlow ? SnapshotSender.installTimeout : SnapshotSender.timeout
    guard now - min(now, transfer.lastProgress) > limit else { return sendNextPiece(number, &out) }
    let reason = "no word of the receiver for \(limit / 1_000_000) s"
    if isSlow { end(number, failure: reason, &out) } else { leaveLink(number, reason, now: now, &out) }
  }
  /// Whether a piece may be sent to a peer now.
  func mayHave(_ peer: NodeID) -> Bool { bytesPerSecond == nil || limits[peer]?.allowance ?? 0 > 0 }
  mutating func spend(_ byteCount: Int, for peer: NodeID) {
    if bytesPerSecond != nil { limits[peer, default: RateLimit()].sends(byteCount) }
  }

  /// A peer has begun anew. What was on its way to its earlier life is not wanted any more; the link may not tell for long
  /// if that ended without a word.
  mutating func endTransfers(to node: NodeID, but link: LinkID, _ out: inout NodeOutput) {
    for number in numbers {
      guard let transfer = transfers[number], transfer.peer == node, transfer.link == nil || transfer.link != link
      else {
        continue
      }
      end(number, failure: "the receiver began anew", level: .info, &out)
    }
  }
  /// Those are over that nobody wants any more.
  /// - Parameter reason: why one is not wanted; nil: it is.
  mutating func endTransfers(_ out: inout NodeOutput, _ reason: (OutgoingTransfer) -> String?) {
    for number in numbers {
      guard let transfer = transfers[number], let reason = reason(transfer) else { continue }
      end(number, failure: reason, level: .info, &out)
    }
  }

  /// - Parameter failure: why it was given up; nil: the receiver has it all.
  mutating func end(_ number: UInt64, failure: String?, level: LogLevel = .warning, _ out: inout NodeOutput) {
    guard let transfer = transfers.removeValue(forKey: number) else { return }
    out.jobs.append(.transfer(.closeOutgoing(number)))
    // Who had it all and did not take it may have found that it is bad.
    if failure != nil, case .installing = transfer.phase {
      out.jobs.append(.transfer(.verifySent(number, shard: transfer.shard)))
    }
    if transfer.isAsking { events.append(.withdraw(transfer.shard, of: transfer.peer)) }
    events.append(.ended(transfer, succeeded: failure == nil))
    if let failure { out.log(level, "a snapshot was not sent shard=\(transfer.shard.rawValue): \(failure)") }
  }
}
