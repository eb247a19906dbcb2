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

  private var sender = SnapshotSender(pieceBytes: 10)
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
  /// What the node is asked to do, in words, and forgets it.
  private mutating func told() -> [String] {
    sender.takeEvents().map { event in
      switch event {
      case .ask(let shard, let peer): "ask \(shard.rawValue) \(peer.rawValue)"
      case .withdraw(let shard, let peer): "withdraw \(shard.rawValue) \(peer.rawValue)"
      case .open(let number, let peer): "open \(number) \(peer.rawValue)"
      case .close(let link): "close \(link.rawValue)"
      case .wholeWanted(let shard): "whole \(shard.rawValue)"
      case .offered(let shard): "offered \(shard.rawValue)"
      case .ended(_, let succeeded): "ended \(succeeded)"
      }
    }
  }
  private mutating func begin(now: UInt64 = 0) {
    sender.begin(9, Self.shard, to: SnapshotNeed(peer: Self.peer, afterIndex: LogIndex(10)), now: now)
  }
  private mutating func grant(logStart: UInt64 = 10, now: UInt64 = 0) {
    sender.granted(Self.shard, by: Self.peer, logStart: LogIndex(logStart), now: now, &out)
  }
  private mutating func link(now: UInt64 = 0, request: UInt64 = 70) throws {
    sender.opens(9, request: request)
    let isOpen = sender.linkOpened(Self.link, request: request)
    try #require(isOpen)
    sender.linkReady(Self.link, now: now, Self.header, &out)
  }
  /// One whose receiver is to say what it wants.
  private mutating func offer() throws {
    begin()
    grant()
    guard case .openOutgoing(9, Self.shard)? = jobs().first else { throw MalformedBytes("nothing is opened") }
    sender.opened(9, Self.file, logStart: LogIndex(10), now: 0, &out)
    try #require(told() == ["offered 1", "open 9 7"])
    try link()
    try #require(sent() == [.snapshotOffer])
  }
  private mutating func advance(to now: UInt64, bytesPerSecond: Int? = nil) {
    sender.advance(now: now, bytesPerSecond: bytesPerSecond, &out)
  }

  // MARK: Its turn

  @Test mutating func untilItIsGrantedNothingIsKeptForItAndItGoesOnAsking() throws {
    begin()
    advance(to: 0)
    #expect(told() == ["ask 1 7"] && jobs().isEmpty && sender.held(of: Self.shard) == nil)
    #expect(sender.progress(of: Self.shard, to: Self.peer, segmentBytes: 100)?.isWaiting == true)
    advance(to: SnapshotSlots.interval - 1)
    #expect(told() == [])
    advance(to: SnapshotSlots.interval)
    #expect(told() == ["ask 1 7"])
    // However long it takes.
    advance(to: 100 * SnapshotSender.installTimeout)
    #expect(told() == ["ask 1 7"])
    grant(now: 100 * SnapshotSender.installTimeout)
    #expect(jobs().count == 1)
    grant(now: 100 * SnapshotSender.installTimeout)
    #expect(jobs().isEmpty, "it is said again when it has not come for a while")
    #expect(sender.progress(of: Self.shard, to: Self.peer, segmentBytes: 100)?.isWaiting == false)
    sender.endTransfers(&out) { _ in "nobody wants it" }
    #expect(told() == ["withdraw 1 7", "ended false"])
  }
  @Test mutating func aSnapshotThatIsTooOldIsTakenAnewWhenTheSlotIsThere() throws {
    begin()
    grant(logStart: 21)
    _ = jobs()
    sender.opened(9, Self.file, logStart: LogIndex(21), now: 0, &out)
    #expect(told() == ["whole 1"] && sender.held(of: Self.shard) == nil)
    guard case .closeOutgoing(9)? = jobs().first else { throw MalformedBytes("the old one stays open") }
    // It takes long to write; the receiver's slot is kept.
    advance(to: SnapshotSender.timeout + 1)
    #expect(told() == ["ask 1 7"])
    sender.snapshotWritten(ShardID(2), now: 30_000_000, &out)
    #expect(jobs().isEmpty)
    sender.snapshotWritten(Self.shard, now: 30_000_000, &out)
    guard case .openOutgoing(9, Self.shard)? = jobs().first else { throw MalformedBytes("the new one is not opened") }
    // It had changes only.
    sender.wholeWanted(9, Self.shard)
    sender.snapshotWritten(Self.shard, now: 31_000_000, &out)
    #expect(told() == ["whole 1"])
    guard case .openOutgoing(9, Self.shard)? = jobs().first else { throw MalformedBytes("nor is the next") }
    var newer = Self.file
    newer.index = LogIndex(21)
    sender.opened(9, newer, logStart: LogIndex(21), now: 31_000_000, &out)
    #expect(told() == ["offered 1", "open 9 7"] && sender.held(of: Self.shard) == LogIndex(21))
  }

  // MARK: On its way

  @Test mutating func aTransferGoesThroughFileAndJournalToItsEnd() throws {
    try offer()
    #expect(sender.held(of: Self.shard) == LogIndex(20))
    advance(to: 10_000)
    sender.wanted(
      from: 90, journals: [JournalPosition(journal: Self.shard, segment: 5, offset: 0)], on: Self.link, now: 10_000,
      &out)
    guard case .readFile(9, 90, 10)? = jobs().first else { throw MalformedBytes("nothing is read") }
    sender.fileRead(9, at: 90, [UInt8](repeating: 1, count: 10), now: 10_000, Self.header, &out)
    #expect(try sent() == [.snapshotChunk])
    // Not before the last piece has gone to the kernel.
    advance(to: 20_000)
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
    #expect(try sent() == [.journalChunk])
    sender.acknowledged(on: Self.link, now: 30_000, &out)
    sender.linkDrained(Self.link, &out)
    guard case .readJournal(9, _, Self.end, _)? = jobs().first else { throw MalformedBytes("its end is not met") }
    sender.journalRead(9, at: Self.end, [], now: 30_000, Self.header, &out)
    #expect(try sent() == [.snapshotDone])
    sender.done(on: Self.link, &out)
    #expect(told() == ["ended true"] && sender.transfers.isEmpty && sender.held(of: Self.shard) == nil)
    guard case .closeOutgoing(9)? = jobs().first else { throw MalformedBytes("the file stays open") }
  }

  /// Two pieces of 10 bytes at 100 bytes a second: a tenth of a second's may be sent at once.
  @Test mutating func aRateIsKeptToForEachPeer() throws {
    try offer()
    advance(to: 1_000_000, bytesPerSecond: 100)
    sender.wanted(from: 0, journals: [Self.end], on: Self.link, now: 1_000_000, &out)
    var sentBytes = 0
    for step in 1...50 {
      let now = 1_000_000 + UInt64(step) * 20_000
      for case .readFile(9, let offset, let count) in jobs() {
        sender.fileRead(9, at: offset, [UInt8](repeating: 1, count: count), now: now, Self.header, &out)
        sentBytes += count
        sender.acknowledged(on: Self.link, now: now, &out)
        sender.linkDrained(Self.link, &out)
      }
      advance(to: now, bytesPerSecond: 100)
    }
    #expect((90...120).contains(sentBytes), "\(sentBytes) bytes in a second")
  }

  @Test(arguments: [(.max, 0), (101, 0), (0, .max), (100, 1 << 46 | 6 << 28)] as [(UInt64, UInt64)])
  mutating func aReceiverThatWantsWhatThereIsNotGetsNoMore(_ offset: UInt64, _ journal: UInt64) throws {
    try offer()
    sender.wanted(from: offset, journals: [JournalPosition(rawValue: journal)], on: Self.link, now: 1, &out)
    // More of the journal than there is may come of a newer snapshot: nothing is missing then.
    let left = sender.transfers[9]
    #expect(
      offset <= 100
        ? left?.route.start.map { $0.isBefore(Self.end) } ?? (left != nil) : left == nil)
  }

  @Test mutating func whoSaysNothingIsTriedAgainAndWhoInstallsHasMoreTime() throws {
    try offer()
    sender.wanted(from: 0, journals: [Self.end], on: Self.link, now: 0, &out)
    advance(to: SnapshotSender.timeout)
    #expect(told() == [])
    advance(to: SnapshotSender.timeout + 1)
    #expect(told() == ["close 40"] && sender.transfers[9]?.phase == .waiting)
    sender.endTransfers(&out) { _ in "enough" }
    _ = (told(), jobs())
    try offer()
    sender.wanted(from: 100, journals: [Self.end], on: Self.link, now: 0, &out)
    sender.fileRead(9, at: 100, [], now: 0, Self.header, &out)
    sender.journalRead(9, at: Self.end, [], now: 0, Self.header, &out)
    _ = jobs()
    advance(to: SnapshotSender.installTimeout)
    #expect(told() == [])
    advance(to: SnapshotSender.installTimeout + 1)
    #expect(told() == ["ended false"])
    // It had it all and did not take it: perhaps it is bad.
    let last = jobs()
    guard last.count == 2, case .verifySent(9, Self.shard) = last[1] else { throw MalformedBytes("\(last)") }
  }

  /// The same file goes on where the receiver has it, as long as the log goes on from it; the log is kept for that.
  @Test mutating func aLinkThatIsLostKeepsTheFileAndTheLog() throws {
    try offer()
    sender.wanted(from: 0, journals: [Self.end], on: Self.link, now: 0, &out)
    guard case .readFile(9, 0, 10)? = jobs().first else { throw MalformedBytes("nothing is read") }
    sender.linkClosed(LinkID(41), now: 1, &out)
    #expect(sender.transfers[9]?.link == Self.link)
    sender.linkClosed(Self.link, now: 1_000, &out)
    #expect(sender.transfers[9]?.phase == .waiting && sender.held(of: Self.shard) == LogIndex(20))
    #expect(jobs().isEmpty, "the file stays open")
    // What was read for the old link is of no use.
    sender.fileRead(9, at: 0, [UInt8](repeating: 1, count: 10), now: 2_000, Self.header, &out)
    #expect(try sent().isEmpty)
    _ = told()
    advance(to: SnapshotSlots.interval)
    #expect(told() == [])
    advance(to: SnapshotSlots.interval + 1_000)
    #expect(told() == ["ask 1 7"])
    grant(logStart: 20, now: 6_000_000)
    #expect(told() == ["open 9 7"] && jobs().isEmpty)
    try link(now: 6_000_000, request: 71)
    #expect(try sent() == [.snapshotOffer])
    sender.wanted(from: 10, journals: [Self.end], on: Self.link, now: 6_000_000, &out)
    guard case .readFile(9, 10, 10)? = jobs().first else { throw MalformedBytes("it does not go on where it was") }
    // The log is past it: another is opened.
    sender.linkClosed(Self.link, now: 7_000_000, &out)
    grant(logStart: 21, now: 12_000_000)
    let anew = jobs()
    guard anew.count == 2, case .closeOutgoing(9) = anew[0], case .openOutgoing(9, Self.shard) = anew[1] else {
      throw MalformedBytes("\(anew)")
    }
  }
  @Test mutating func attemptsInVainComeToAnEnd() throws {
    begin()
    for attempt in 1...SnapshotSender.attempts {
      grant()
      if attempt == 1 { sender.opened(9, Self.file, logStart: LogIndex(10), now: 0, &out) }
      sender.opens(9, request: UInt64(attempt))
      _ = told()
      sender.linkFailed(request: UInt64(attempt), now: 0, &out)
      #expect(told() == (attempt < SnapshotSender.attempts ? [] : ["withdraw 1 7", "ended false"]))
    }
    #expect(!sender.isSending(Self.shard, to: Self.peer))
  }
  @Test mutating func aLifeThatBeginsAnewWantsNothingThatWasOnItsWay() throws {
    try offer()
    sender.endTransfers(to: NodeID(8), but: LinkID(1), &out)
    sender.endTransfers(to: Self.peer, but: Self.link, &out)
    #expect(told() == [])
    sender.endTransfers(to: Self.peer, but: LinkID(1), &out)
    #expect(told() == ["ended false"])
  }
  @Test mutating func aFileThatHasRottenIsNotSentAgain() throws {
    try offer()
    sender.wanted(from: 0, journals: [Self.end], on: Self.link, now: 0, &out)
    _ = jobs()
    sender.rotten(9, Self.shard, "a bit", now: 5, &out)
    #expect(told() == ["whole 1", "close 40"] && sender.held(of: Self.shard) == nil)
    _ = jobs()
    grant()
    #expect(jobs().isEmpty, "it is still the same")
    sender.snapshotWritten(Self.shard, now: 6, &out)
    guard case .openOutgoing(9, Self.shard)? = jobs().first else { throw MalformedBytes("the new one is not opened") }
  }

  // MARK: Receiving

  private static let offered = SnapshotArrivals.Offer(
    shard: shard, index: LogIndex(20), term: Term(2), byteCount: 100, digest: SHA256.Digest())
  private mutating func receive() {
    arrivals.begin(3, Self.offered, on: Self.link, journal: .ofDirectory, now: 0, &out)
    arrivals.partOpened(3, offset: 30, &out)
    arrivals.journalFollowed(3, &out)
    arrivals.opened(3, journals: [Self.end], now: 0, Self.header, &out)
  }

  @Test mutating func whatArrivesGoesToTheDiskInTurnAndIsAcknowledged() throws {
    receive()
    #expect(try sent() == [.snapshotWant] && arrivals.links(bringing: Self.shard) == [Self.link])
    arrivals.filePiece(at: 0, [1], on: Self.link, now: 1, &out)
    arrivals.journalPiece(at: Self.end, [2], on: Self.link, now: 1, &out)
    #expect(!arrivals.isInstalling(Self.shard) && arrivals.done(on: Self.link, &out))
    let asked = jobs()
    guard asked.count == 6, case .openPart = asked[0], case .openJournal = asked[1], case .followJournal = asked[2],
      case .writeFile(3, 0, _) = asked[3], case .writeJournal(3, Self.end, _) = asked[4], case .load(3) = asked[5]
    else { throw MalformedBytes("\(asked)") }
    #expect(arrivals.isInstalling(Self.shard))
    arrivals.written(3, Self.header, &out)
    arrivals.installed(3, Self.header, &out)
    #expect(try sent() == [.snapshotAck, .snapshotDone] && arrivals.arrivals.isEmpty)
    // Nothing is said of what is over.
    arrivals.written(3, Self.header, &out)
    arrivals.filePiece(at: 1, [1], on: Self.link, now: 2, &out)
    #expect(try sent().isEmpty && jobs().isEmpty && !arrivals.done(on: Self.link, &out))
  }

  @Test mutating func aLinkThatIsLostDropsWhatItBroughtUnlessAllIsThere() throws {
    receive()
    _ = jobs()
    #expect(arrivals.drop(on: LinkID(41), &out) == nil && arrivals.drop(on: Self.link, &out) == Self.shard)
    guard case .dropPart(3)? = jobs().first else { throw MalformedBytes("it stays open") }
    receive()
    _ = arrivals.done(on: Self.link, &out)
    _ = jobs()
    #expect(arrivals.drop(on: Self.link, &out) == nil && arrivals.isInstalling(Self.shard) && jobs().isEmpty)
    // Until its replica leaves.
    arrivals.drop(Self.shard, &out)
    #expect(jobs().count == 2 && arrivals.arrivals.isEmpty)
  }
  @Test mutating func aSenderThatSaysNothingIsNotWaitedForWhileItIsItsTurn() {
    receive()
    #expect(arrivals.silent(now: SnapshotSlots.patience) == [])
    #expect(arrivals.silent(now: SnapshotSlots.patience + 1) == [Self.link])
    arrivals.filePiece(at: 0, [1], on: Self.link, now: 10, &out)
    #expect(arrivals.silent(now: SnapshotSlots.patience + 1) == [])
    _ = arrivals.done(on: Self.link, &out)
    #expect(arrivals.silent(now: 100 * SnapshotSlots.patience) == [], "this node is at work")
    #expect(arrivals.failed(3, &out)?.link == Self.link && arrivals.failed(3, &out) == nil)
  }
}
