import Base
import Ledger
import Protocol
import Raft
import Storage

/// Peers' snapshots on their way here, each on a link of its own; the disk writes, verifies and reads them. When each may come
/// is `SnapshotSlots`' to say.
struct SnapshotArrivals {
  struct Arrival {
    var shard: ShardID
    /// Nil: it is gone, and all had come before.
    var link: LinkID?
    /// Where this replica's own journal ended.
    var journal: JournalChain
    /// Where those of other shards end that the snapshot's records refer to.
    var lineage: [JournalPosition]
    /// The first byte of the file that is wanted.
    var offset: UInt64 = 0
    var phase = Phase.opening
    /// When the sender was last heard; monotonic, µs.
    var heardAt: UInt64
  }
  enum Phase {
    /// The disk looks for what came before, and follows its journal.
    case opening
    case receiving
    /// All is here: it is verified, read and made to count.
    case installing
  }
  /// What a peer offers.
  struct Offer {
    var shard: ShardID
    var index: LogIndex
    var term: Term
    var byteCount: UInt64
    var digest: SHA256.Digest
    /// See `SnapshotMetadata`.
    var lineage: [JournalPosition] = []
  }
  /// By their numbers, which no transfer of this node's life shares.
  private(set) var arrivals: [UInt64: Arrival] = [:]

  private func number(on link: LinkID) -> UInt64? { arrivals.first { $0.value.link == link }?.key }
  /// - Parameter number: of one that is being received.
  private func receiving(on link: LinkID) -> UInt64? {
    number(on: link).flatMap { if case .receiving? = arrivals[$0]?.phase { $0 } else { nil } }
  }
  func isInstalling(_ shard: ShardID) -> Bool {
    arrivals.values.contains { if case .installing = $0.phase { $0.shard == shard } else { false } }
  }
  func shard(on link: LinkID) -> ShardID? { number(on: link).flatMap { arrivals[$0]?.shard } }

  /// Begins to take one.
  /// - Parameter journal: where this replica's own journal ends.
  mutating func begin(
    _ number: UInt64, _ offer: Offer, on link: LinkID, journal: JournalChain, now: UInt64, _ out: inout NodeOutput
  ) {
    arrivals[number] = Arrival(
      shard: offer.shard, link: link, journal: journal, lineage: offer.lineage, heardAt: now)
    out.jobs.append(
      .transfer(
        .openPart(
          number, shard: offer.shard, index: offer.index, term: offer.term, digest: offer.digest,
          byteCount: offer.byteCount)))
  }
  /// The links that bring one of a shard, in order: whoever sent one before has been given up, by itself or by the group.
  func links(bringing shard: ShardID) -> [LinkID] {
    arrivals.values.filter { $0.shard == shard }.compactMap(\.link).sorted { $0.rawValue < $1.rawValue }
  }
  /// Links on which nothing comes any more, in order.
  func silent(now: UInt64) -> [LinkID] {
    arrivals.values.filter {
      if case .receiving = $0.phase { now - min(now, $0.heardAt) > SnapshotSlots.patience } else { false }
    }.compactMap(\.link).sorted { $0.rawValue < $1.rawValue }
  }

  // MARK: What the sender says

  mutating func filePiece(at offset: UInt64, _ bytes: [UInt8], on link: LinkID, now: UInt64, _ out: inout NodeOutput) {
    guard let number = receiving(on: link) else { return }
    arrivals[number]?.heardAt = now
    out.jobs.append(.transfer(.writeFile(number, offset: offset, bytes: bytes)))
  }
  mutating func journalPiece(
    at position: JournalPosition, _ bytes: [UInt8], on link: LinkID, now: UInt64, _ out: inout NodeOutput
  ) {
    guard let number = receiving(on: link) else { return }
    arrivals[number]?.heardAt = now
    out.jobs.append(.transfer(.writeJournal(number, position: position, bytes: bytes)))
  }
  /// All has been sent. False: nothing is on its way on that link.
  mutating func done(on link: LinkID, _ out: inout NodeOutput) -> Bool {
    guard let number = receiving(on: link) else { return number(on: link) != nil }
    arrivals[number]?.phase = .installing
    out.jobs.append(.transfer(.load(number)))
    return true
  }

  // MARK: Steps of the disk

  mutating func partOpened(_ number: UInt64, offset: UInt64, _ out: inout NodeOutput) {
    guard let arrival = arrivals[number] else { return }
    arrivals[number]?.offset = offset
    out.jobs.append(
      .transfer(.openJournal(number, shard: arrival.shard, from: arrival.journal, lineage: arrival.lineage)))
  }
  /// There is more of the journal to follow than one job is to take.
  func journalFollowed(_ number: UInt64, _ out: inout NodeOutput) {
    if arrivals[number] != nil { out.jobs.append(.transfer(.followJournal(number))) }
  }
  /// - Parameter journals: from where on each is wanted, the shard's own last.
  mutating func opened(
    _ number: UInt64, journals: [JournalPosition], now: UInt64, _ header: FrameHeader, _ out: inout NodeOutput
  ) {
    guard let arrival = arrivals[number], let link = arrival.link else { return }
    arrivals[number]?.phase = .receiving
    arrivals[number]?.heardAt = now
    out.frame(.snapshotWant, header, on: link) { buffer in
      buffer.append(arrival.shard.rawValue)
      buffer.append(arrival.offset)
      for start in journals.reversed() { buffer.append(start.rawValue) }
    }
  }
  func written(_ number: UInt64, _ header: FrameHeader, _ out: inout NodeOutput) {
    guard let arrival = arrivals[number], let link = arrival.link else { return }
    out.frame(.snapshotAck, header, on: link) { $0.append(arrival.shard.rawValue) }
  }
  /// It is what was announced, and is read; its journal is to follow from our own.
  func loaded(_ number: UInt64, _ part: LoadedPart, _ out: inout NodeOutput) {
    if arrivals[number] != nil { out.jobs.append(.transfer(.settle(number, part))) }
  }
  /// It is durable here and read: also when the link that brought it is gone.
  mutating func installed(_ number: UInt64, _ header: FrameHeader, _ out: inout NodeOutput) {
    guard let arrival = arrivals.removeValue(forKey: number), let link = arrival.link else { return }
    out.frame(.snapshotDone, header, on: link) { $0.append(arrival.shard.rawValue) }
  }
  /// It came to nothing. Its shard, and the link that is of no use any more.
  mutating func failed(_ number: UInt64, _ out: inout NodeOutput) -> (shard: ShardID, link: LinkID?)? {
    guard let arrival = arrivals[number] else { return nil }
    forget(number, &out)
    return (arrival.shard, arrival.link)
  }

  // MARK: Its end

  /// The link is gone. Its shard, if what it brought is of no use by itself.
  mutating func drop(on link: LinkID, _ out: inout NodeOutput) -> ShardID? {
    guard let number = number(on: link), let arrival = arrivals[number] else { return nil }
    if case .installing = arrival.phase {
      arrivals[number]?.link = nil
      return nil
    }
    forget(number, &out)
    return arrival.shard
  }
  /// The replica has left.
  mutating func drop(_ shard: ShardID, _ out: inout NodeOutput) {
    for number in arrivals.keys.sorted() where arrivals[number]?.shard == shard { forget(number, &out) }
  }
  private mutating func forget(_ number: UInt64, _ out: inout NodeOutput) {
    arrivals[number] = nil
    out.jobs.append(.transfer(.dropPart(number)))
    out.jobs.append(.transfer(.dropJournal(number)))
  }
}
