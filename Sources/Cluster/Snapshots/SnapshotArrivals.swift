import Base
import Ledger
import Protocol
import Raft
import Storage

/// Peers' snapshots on their way here, each on a link of its own; the disk writes, verifies and reads them.
struct SnapshotArrivals {
  struct Arrival: Hashable {
    var number: UInt64
    var shard: ShardID
  }
  /// What a peer offers.
  struct Offer {
    var shard: ShardID
    var index: LogIndex
    var term: Term
    var byteCount: UInt64
    var digest: SHA256.Digest
  }
  private(set) var arrivals: [LinkID: Arrival] = [:]

  private func link(of number: UInt64) -> LinkID? { arrivals.first { $0.value.number == number }?.key }

  /// Begins to take one.
  /// - Parameter journal: where this replica's own journal ends.
  mutating func begin(
    _ number: UInt64, _ offer: Offer, on link: LinkID, journal: JournalChain, _ out: inout NodeOutput
  ) {
    arrivals[link] = Arrival(number: number, shard: offer.shard)
    out.jobs.append(
      .transfer(
        .openIncoming(
          number, link: link, shard: offer.shard, index: offer.index, term: offer.term, digest: offer.digest,
          byteCount: offer.byteCount, from: journal)))
  }
  /// The links that bring one of a shard, in order: whoever sent one before has been given up, by itself or by the group.
  func links(bringing shard: ShardID) -> [LinkID] {
    arrivals.filter { $0.value.shard == shard }.keys.sorted { $0.rawValue < $1.rawValue }
  }

  // MARK: What the sender says

  mutating func filePiece(at offset: UInt64, _ bytes: [UInt8], on link: LinkID, _ out: inout NodeOutput) {
    guard let number = arrivals[link]?.number else { return }
    out.jobs.append(.transfer(.writeFile(number, offset: offset, bytes: bytes)))
  }
  mutating func journalPiece(at position: JournalPosition, _ bytes: [UInt8], on link: LinkID, _ out: inout NodeOutput) {
    guard let number = arrivals[link]?.number else { return }
    out.jobs.append(.transfer(.writeJournal(number, position: position, bytes: bytes)))
  }
  /// All has been sent. False: nothing is on its way on that link.
  mutating func done(on link: LinkID, _ out: inout NodeOutput) -> Bool {
    guard let number = arrivals[link]?.number else { return false }
    out.jobs.append(.transfer(.install(number)))
    return true
  }

  // MARK: Steps of the disk

  func opened(
    _ number: UInt64, on link: LinkID, offset: UInt64, journal: JournalPosition, _ header: FrameHeader,
    _ out: inout NodeOutput
  ) {
    guard let arrival = arrivals[link], arrival.number == number else { return }
    out.frame(.snapshotWant, header, on: link) { buffer in
      buffer.append(arrival.shard.rawValue)
      buffer.append(offset)
      buffer.append(journal.rawValue)
    }
  }
  func written(_ number: UInt64, _ header: FrameHeader, _ out: inout NodeOutput) {
    guard let link = link(of: number), let arrival = arrivals[link] else { return }
    out.frame(.snapshotAck, header, on: link) { $0.append(arrival.shard.rawValue) }
  }
  /// It is durable here and read: also when the link that brought it is gone.
  mutating func installed(_ number: UInt64, of shard: ShardID, _ header: FrameHeader, _ out: inout NodeOutput) {
    guard let link = link(of: number) else { return }
    arrivals[link] = nil
    out.frame(.snapshotDone, header, on: link) { $0.append(shard.rawValue) }
  }
  /// The link that is of no use any more; nil: none was.
  func failed(_ number: UInt64) -> LinkID? { link(of: number) }

  /// The link is gone.
  mutating func drop(on link: LinkID, _ out: inout NodeOutput) {
    guard let arrival = arrivals.removeValue(forKey: link) else { return }
    out.jobs.append(.transfer(.dropIncoming(arrival.number)))
  }
}
