import Base
import Ledger
import Protocol
import Testing

@testable import Cluster
@testable import Raft
@testable import Storage

/// Snapshots on their way, without anybody at the other end.
@Suite struct SnapshotSenderTests {
  private static let shard = ShardID(1)
  private static let peer = NodeID(7)
  private static let link = LinkID(40)
  private static let end = JournalPosition(journal: Self.shard, segment: 5, offset: 7)
  private static let header = FrameHeader(
    kind: FrameKind.messages.rawValue, cluster: 1, sender: NodeID(1), incarnation: 1, configVersion: 0)

  private var sender = SnapshotSender(pieceBytes: 10, bytesPerSecond: 1_000_000)
  private var arrivals = SnapshotArrivals()
  private var out = NodeOutput()

  private static var file: SnapshotFile {
    SnapshotFile(
      shard: shard, index: LogIndex(20), term: Term(2), base: nil,
      metadata: SnapshotMetadata(
        configuration: Configuration(voters: [ReplicaID(node: peer, born: 1)]), journalEnd: end
      ).bytes, path: "/s",
      byteCount: 100, digest: SHA256.Digest())
  }
  /// The kinds of the messages that have left, and forgets them.
  private mutating func sent() throws -> [PeerMessageKind] {
    defer { out.linkBytes.removeAll() }
    return try out.linkBytes.map { link, bytes in
      #expect(link == Self.link)
      return try bytes.withUnsafeBytes { raw in
        guard case .frame(_, let body, _) = FrameHeader.decode(raw) else { throw MalformedBytes("no frame") }
        return try #require(PeerMessageKind(rawValue: body[0]))
      }
    }
  }
  private mutating func jobs() -> [TransferJob] {
    defer { out.jobs.removeAll() }
    return out.jobs.compactMap { if case .transfer(let job) = $0 { job } else { nil } }
  }
  /// One whose receiver is to say what it wants.
  private mutating func offer(afterIndex: UInt64 = 10) throws {
    sender.begin(9, Self.shard, to: SnapshotNeed(peer: Self.peer, afterIndex: LogIndex(afterIndex)), now: 0)
    let isDone = sender.linkOpened(Self.link, request: 9)
    try #require(isDone)
    sender.linkReady(Self.link, &out)
    guard case .openOutgoing(9, Self.shard)? = jobs().first else { throw MalformedBytes("nothing is opened") }
    sender.opened(9, Self.file, now: 0, Self.header, &out)
  }
  private mutating func endings() -> [Bool] {
    sender.takeEvents().compactMap { if case .ended(_, let succeeded) = $0 { succeeded } else { nil } }
  }

  @Test mutating func aTransferGoesThroughFileAndJournalToItsEnd() throws {
    try offer()
    #expect(try sent() == [.snapshotOffer] && sender.held(of: Self.shard) == LogIndex(20))
    sender.advance(now: 10_000, &out)
    sender.wanted(
      from: 90, journal: JournalPosition(journal: Self.shard, segment: 5, offset: 0), on: Self.link, now: 10_000, &out)
    guard case .readFile(9, 90, 10)? = jobs().first else { throw MalformedBytes("nothing is read") }
    sender.fileRead(9, at: 90, [UInt8](repeating: 1, count: 10), now: 10_000, Self.header, &out)
    #expect(try sent() == [.snapshotChunk])
    // Not before the last piece has gone to the kernel.
    sender.advance(now: 20_000, &out)
    #expect(jobs().isEmpty)
    sender.linkDrained(Self.link, &out)
    guard case .readFile(9, 100, 10)? = jobs().first else { throw MalformedBytes("the file's end is not read") }
    sender.fileRead(9, at: 100, [], now: 20_000, Self.header, &out)
    guard
      case .readJournal(9, Self.shard, JournalPosition(journal: Self.shard, segment: 5, offset: 0), 10)? = jobs().first
    else {
      throw MalformedBytes("no journal is read")
    }
    // What reaches past the snapshot's end is cut there.
    sender.journalRead(
      9, at: JournalPosition(journal: Self.shard, segment: 5, offset: 0), [UInt8](repeating: 2, count: 10), now: 20_000,
      Self.header, &out)
    #expect(try sent() == [.journalChunk] && sender.allowance < 20_000)
    sender.acknowledged(on: Self.link, now: 30_000, &out)
    sender.linkDrained(Self.link, &out)
    guard case .readJournal(9, _, Self.end, _)? = jobs().first else { throw MalformedBytes("its end is not met") }
    sender.journalRead(9, at: Self.end, [], now: 30_000, Self.header, &out)
    #expect(try sent() == [.snapshotDone])
    sender.done(on: Self.link, &out)
    #expect(endings() == [true] && sender.transfers.isEmpty && sender.held(of: Self.shard) == nil)
    guard case .closeOutgoing(9)? = jobs().first else { throw MalformedBytes("the file stays open") }
  }

  @Test(arguments: [(.max, 0), (101, 0), (0, .max), (100, 1 << 46 | 6 << 28)] as [(UInt64, UInt64)])
  mutating func aReceiverThatWantsWhatThereIsNotGetsNoMore(_ offset: UInt64, _ journal: UInt64) throws {
    try offer()
    sender.wanted(from: offset, journal: JournalPosition(rawValue: journal), on: Self.link, now: 1, &out)
    // More of the journal than there is may come of a newer snapshot: nothing is missing then.
    let left = sender.transfers[9]
    #expect(
      offset <= 100
        ? left.map { $0.wantedJournal == Self.end || $0.wantedJournal.isBefore(Self.end) } == true : left == nil)
  }

  @Test mutating func aSnapshotThatIsTooOldIsTakenAnew() throws {
    try offer(afterIndex: 21)
    #expect(try sent().isEmpty)
    let outcomes = sender.takeEvents()
    guard outcomes.count == 2, case .wholeWanted(Self.shard) = outcomes[0], case .ended(_, false) = outcomes[1] else {
      throw MalformedBytes("\(outcomes)")
    }
  }

  @Test mutating func whoSaysNothingIsGivenUpAndWhoInstallsHasMoreTime() throws {
    try offer()
    sender.advance(now: SnapshotSender.timeout, &out)
    #expect(endings().isEmpty)
    sender.advance(now: SnapshotSender.timeout + 1, &out)
    #expect(endings() == [false])
    _ = jobs()
    try offer()
    sender.wanted(from: 100, journal: Self.end, on: Self.link, now: 0, &out)
    sender.fileRead(9, at: 100, [], now: 0, Self.header, &out)
    sender.journalRead(9, at: Self.end, [], now: 0, Self.header, &out)
    _ = jobs()
    sender.advance(now: SnapshotSender.installTimeout, &out)
    #expect(endings().isEmpty)
    sender.advance(now: SnapshotSender.installTimeout + 1, &out)
    #expect(endings() == [false])
    // It had it all and did not take it: perhaps it is bad.
    let last = jobs()
    guard last.count == 2, case .verifySent(9, Self.shard) = last[1] else { throw MalformedBytes("\(last)") }
  }

  @Test mutating func aLinkThatIsLostEndsIt() throws {
    try offer()
    sender.linkClosed(LinkID(41), &out)
    #expect(endings().isEmpty)
    sender.linkClosed(Self.link, &out)
    #expect(endings() == [false])
    sender.begin(9, Self.shard, to: SnapshotNeed(peer: Self.peer, afterIndex: LogIndex(1)), now: 0)
    #expect(sender.isSending(Self.shard, to: Self.peer) && !sender.linkOpened(Self.link, request: 8))
    sender.linkFailed(request: 9, &out)
    #expect(endings() == [false] && !sender.isSending(Self.shard, to: Self.peer))
  }

  // MARK: Receiving

  @Test mutating func whatArrivesGoesToTheDiskInTurnAndIsAcknowledged() throws {
    let offer = SnapshotArrivals.Offer(
      shard: Self.shard, index: LogIndex(20), term: Term(2), byteCount: 100, digest: SHA256.Digest())
    arrivals.begin(3, offer, on: Self.link, journal: .ofDirectory, &out)
    arrivals.opened(3, on: Self.link, offset: 0, journal: .none, Self.header, &out)
    #expect(try sent() == [.snapshotWant] && arrivals.links(bringing: Self.shard) == [Self.link])
    arrivals.filePiece(at: 0, [1], on: Self.link, &out)
    arrivals.journalPiece(at: Self.end, [2], on: Self.link, &out)
    #expect(arrivals.done(on: Self.link, &out))
    let asked = jobs()
    guard asked.count == 4, case .openIncoming = asked[0], case .writeFile(3, 0, _) = asked[1],
      case .writeJournal(3, Self.end, _) = asked[2], case .install(3) = asked[3]
    else { throw MalformedBytes("\(asked)") }
    arrivals.written(3, Self.header, &out)
    arrivals.installed(3, of: Self.shard, Self.header, &out)
    #expect(try sent() == [.snapshotAck, .snapshotDone] && arrivals.arrivals.isEmpty)
    // Nothing is said of what is over.
    arrivals.written(3, Self.header, &out)
    arrivals.filePiece(at: 1, [1], on: Self.link, &out)
    #expect(try sent().isEmpty && jobs().isEmpty && !arrivals.done(on: Self.link, &out))
  }

  @Test mutating func aLinkThatIsLostDropsWhatItBrought() throws {
    let offer = SnapshotArrivals.Offer(
      shard: Self.shard, index: LogIndex(20), term: Term(2), byteCount: 100, digest: SHA256.Digest())
    arrivals.begin(3, offer, on: Self.link, journal: .ofDirectory, &out)
    #expect(arrivals.failed(3) == Self.link && arrivals.failed(4) == nil)
    _ = jobs()
    arrivals.drop(on: Self.link, &out)
    guard case .dropIncoming(3)? = jobs().first else { throw MalformedBytes("it stays open") }
  }
}
