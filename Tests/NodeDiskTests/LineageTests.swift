import Base
import Storage
import Testing

@testable import Cluster
@testable import Ledger
@testable import NodeDisk
@testable import Raft

/// Journals of other shards that a shard's records refer to.
@Suite struct LineageTests {
  private static let shard = ShardID(1)
  private static let other = ShardID(2)
  let disk = MemoryFileSystem()

  private func open(_ disk: MemoryFileSystem? = nil) throws -> NodeStorage {
    try NodeStorage.open(
      dataDirectory: "/data", fileSystem: disk ?? self.disk, newIdentity: 7, wall: .zero,
      logOptions: WriteAheadLog.Options(segmentBytes: 64 << 10)
    ).storage
  }

  // MARK: What a shard refers to

  /// A snapshot of a shard whose records lie in other journals as well.
  @discardableResult
  private func write(_ storage: NodeStorage, _ shard: ShardID, at index: UInt64, lineage: [JournalChain]) throws
    -> SnapshotFile
  {
    var ledger = Ledger(shard: shard, limits: LedgerLimits())
    ledger.core.semantics = Semantics.newest
    for end in lineage { _ = ledger.tables.moves.ancestors.append(AncestorRecord(end: end.position, chain: end.hash)) }
    let metadata = SnapshotMetadata(
      configuration: Configuration(voters: [ReplicaID(node: NodeID(7), born: 1)]),
      journalEnd: JournalPosition(beginningOf: shard), lineage: lineage.map(\.position))
    let writer = try storage.snapshots.create(
      shard: shard, index: LogIndex(index), term: Term(1), metadata: metadata.bytes)
    let frozen = ledger.beginSnapshot()
    try frozen.write { try writer.append($0) }
    ledger.endSnapshot(frozen)
    return try writer.finish()
  }
  private func append(_ storage: NodeStorage, _ frames: ArraySlice<HandMadeJournal.Frame>) -> [Completion] {
    frames.compactMap { frame in
      let completion = storage.run(
        .journalAppend(shard: frame.start.journal, position: frame.start, bytes: frame.bytes))
      if case .journalKept(_, .nothing) = completion { return nil }
      return completion
    }
  }
  private func end(_ storage: NodeStorage, _ shard: ShardID = LineageTests.other) throws -> JournalPosition {
    try storage.journals.end(shard)
  }

  // MARK: On its way

  /// What a transfer asks for, and brings.
  private struct Brought {
    var wanted: [JournalPosition] = []
    var bytes = 0
    var outcome = Completion.nothing
    var isInstalled: Bool { if case .transferred(.installed) = outcome { true } else { false } }
    var failure: String { if case .transferred(.failed(_, let text)) = outcome { text } else { "" } }
  }
  /// Sends a snapshot as nodes do.
  /// - Parameter isCut: nothing comes of what is wanted.
  private func send(
    _ file: SnapshotFile, from source: NodeStorage, to target: NodeStorage, number: UInt64 = 3, isCut: Bool = false,
    change: (JournalPosition, inout [UInt8]) -> Void = { _, _ in }
  ) throws -> Brought {
    var brought = Brought()
    let shard = file.shard
    _ = target.run(
      .transfer(
        .openPart(
          number, shard: shard, index: file.index, term: file.term, digest: file.digest, byteCount: file.byteCount)))
    let metadata = try #require(SnapshotMetadata(file.metadata))
    let own = JournalChain(position: JournalPosition(beginningOf: shard), hash: SHA256.Digest())
    brought.outcome = target.run(
      .transfer(.openJournal(number, shard: shard, from: own, lineage: metadata.lineage)))
    while case .transferred(.journalFollowed) = brought.outcome {
      brought.outcome = target.run(.transfer(.followJournal(number)))
    }
    guard case .transferred(.journalOpened(number, let starts)) = brought.outcome else { return brought }
    brought.wanted = starts
    if isCut { return brought }
    let route = JournalRoute(from: starts, to: metadata.lineage + [metadata.journalEnd])
    let raw = try source.snapshots.openRaw(file)
    var bytes = [UInt8](repeating: 0, count: Int(file.byteCount))
    _ = try bytes.withUnsafeMutableBytes { try raw.read(into: $0, at: 0) }
    _ = target.run(.transfer(.writeFile(number, offset: 0, bytes: bytes)))
    var next = route.start
    while let position = next, let end = route.end(of: position.journal) {
      let read = source.run(.transfer(.readJournal(9, shard: shard, position: position, byteCount: 1_000)))
      guard case .transferred(.journalRead(_, _, var piece)) = read else { throw MalformedBytes("\(read)") }
      let isEnd = piece.count < 1_000 && position.segment < end.segment
      if position.segment == end.segment { piece = Array(piece.prefix(Int(end.offset - position.offset))) }
      try #require(isEnd || !piece.isEmpty)
      change(position, &piece)
      brought.bytes += piece.count
      if !piece.isEmpty {
        brought.outcome = target.run(.transfer(.writeJournal(number, position: position, bytes: piece)))
        guard case .transferred(.written) = brought.outcome else { return brought }
      }
      next = route.next(from: isEnd ? position.nextSegment : position.advanced(by: piece.count))
    }
    let loaded = target.run(.transfer(.load(number)))
    guard case .transferred(.loaded(_, let part)) = loaded else { throw MalformedBytes("\(loaded)") }
    brought.outcome = target.run(.transfer(.settle(number, part)))
    return brought
  }

  @Test func aNewReplicaGetsEachJournalByItself() throws {
    let source = try open()
    let journals = [2, 3].map { HandMadeJournal(ShardID($0), frames: 40) }
    for journal in journals { #expect(append(source, journal.frames[...]).isEmpty) }
    // Of one as far as the shard refers to it, which is not its end.
    let lineage = [journals[1].frames[39].end, journals[0].frames[24].end]
    let file = try write(source, Self.shard, at: 5, lineage: lineage)
    let target = try open(MemoryFileSystem())
    let brought = try send(file, from: source, to: target)
    #expect(brought.isInstalled, "\(brought.outcome)")
    #expect(
      brought.wanted
        == [
          JournalPosition(beginningOf: ShardID(3)), JournalPosition(beginningOf: ShardID(2)),
          .init(beginningOf: Self.shard),
        ]
    )
    for end in lineage { #expect(try self.end(target, end.position.journal) == end.position) }
    // Once more nothing is read, and nothing wanted of what is there.
    let again = try send(try write(source, ShardID(4), at: 9, lineage: lineage), from: source, to: target)
    #expect(again.isInstalled && again.wanted == [JournalPosition(beginningOf: ShardID(4))] && again.bytes == 0)
  }

  @Test func ofAJournalThatIsThereInPartTheRestComes() throws {
    let source = try open()
    let journal = HandMadeJournal(Self.other, frames: 40)
    #expect(append(source, journal.frames[...]).isEmpty)
    let target = try open(MemoryFileSystem())
    #expect(append(target, journal.frames[..<17]).isEmpty)
    let file = try write(source, Self.shard, at: 5, lineage: [journal.frames[30].end])
    let brought = try send(file, from: source, to: target)
    #expect(brought.isInstalled && brought.wanted.first == journal.frames[16].end.position, "\(brought.outcome)")
    // A replica that has a state gets one whose lineage has grown, by more of one and by another.
    let third = HandMadeJournal(ShardID(3), frames: 5)
    #expect(append(source, third.frames[...]).isEmpty)
    let newer = try write(
      source, Self.shard, at: 8, lineage: [journal.frames[35].end, try #require(third.frames.last).end])
    let further = try send(newer, from: source, to: target)
    #expect(further.isInstalled)
    #expect(further.wanted.prefix(2) == [journal.frames[30].end.position, JournalPosition(beginningOf: ShardID(3))])
  }

  /// An earlier replica of the shard sent the oldest part of its journal to the archive from here: the rest is followed from there.
  @Test func aReplicaThatIsNewFollowsTheJournalBehindItsArchivedPart() throws {
    let storage = try open()
    let journal = HandMadeJournal(Self.shard, frames: 600)
    #expect(append(storage, journal.frames[...]).isEmpty)
    try storage.journals.sync(Self.shard)
    try #require(storage.journals.sealed(Self.shard).count >= 2)
    try storage.journals.dropArchived(Self.shard, segment: 1)
    let new = JournalChain(position: JournalPosition(beginningOf: Self.shard), hash: SHA256.Digest())
    let completion = storage.run(.transfer(.openJournal(9, shard: Self.shard, from: new)))
    guard case .transferred(.journalOpened(9, let wanted)) = completion else {
      Issue.record("\(completion)")
      return
    }
    #expect(wanted == [try #require(journal.frames.last).end.position])
  }

  /// The other shard's replica here applies its log meanwhile, and after a start once more.
  @Test(arguments: [0, 10, 30, 38]) func itsOwnReplicaMayWriteTheSame(meanwhile: Int) throws {
    let source = try open()
    let journal = HandMadeJournal(Self.other, frames: 40)
    #expect(append(source, journal.frames[...]).isEmpty)
    let target = try open(MemoryFileSystem())
    #expect(append(target, journal.frames[..<9]).isEmpty)
    let file = try write(source, Self.shard, at: 5, lineage: [journal.frames[30].end])
    var written = 9
    let brought = try send(file, from: source, to: target) { _, _ in
      let until = min(written + meanwhile / 5, meanwhile)
      if until > written {
        #expect(append(target, journal.frames[written..<until]).isEmpty)
        written = until
      }
    }
    #expect(brought.isInstalled, "\(brought.outcome)")
    #expect(append(target, journal.frames[written...]).isEmpty)
    // From its snapshot on, as a start does.
    #expect(append(target, journal.frames[3...]).isEmpty)
    #expect(try end(target) == journal.frames[39].end.position)
    let chain = JournalChain(position: JournalPosition(beginningOf: Self.other), hash: SHA256.Digest())
    let view = JournalView(store: target.journals, shard: Self.other)
    #expect(try chain.followed(to: journal.frames[39].end.position, in: view) == journal.frames[39].end)
  }

  @Test func aJournalThatIsNotTheOneIsNotTaken() throws {
    let source = try open()
    let journal = HandMadeJournal(Self.other, frames: 10)
    #expect(append(source, journal.frames[...]).isEmpty)
    var end = journal.frames[9].end
    end.hash = SHA256.digest([1])
    let target = try open(MemoryFileSystem())
    let brought = try send(try write(source, Self.shard, at: 5, lineage: [end]), from: source, to: target)
    #expect(brought.failure.contains("not the one that the snapshot refers to"), "\(brought.outcome)")
    #expect(try target.snapshots.newest(Self.shard) == nil)
    // What came is not there for the next.
    #expect(try self.end(target) == JournalPosition(beginningOf: Self.other))
    let right = try send(
      try write(source, Self.shard, at: 6, lineage: [journal.frames[9].end]), from: source, to: target)
    #expect(right.isInstalled, "\(right.outcome)")
  }

  /// What came and was not synced may be anything after power has gone: it is followed before it counts.
  @Test func whatAnUnfinishedTransferLeftIsFollowedAgain() throws {
    let source = try open()
    let journal = HandMadeJournal(Self.other, frames: 120)
    #expect(append(source, journal.frames[...]).isEmpty)
    let file = try write(source, Self.shard, at: 5, lineage: [journal.frames[110].end])
    let disk = MemoryFileSystem()
    var target = try open(disk)
    for frame in journal.frames[...113] { try target.appendJournal(frame.start, frame.bytes[...]) }
    try target.journals.sync(Self.other)
    disk.crash(.nothing)
    let path = try #require(disk.paths.first { $0.hasSuffix("00000002/00000001.jnl") })
    disk.flipBit(path, bit: (4096 + 900) * 8)
    target = try open(disk)
    let brought = try send(file, from: source, to: target)
    let wanted = try #require(brought.wanted.first)
    #expect(brought.isInstalled && wanted.isBefore(journal.frames[5].end.position), "\(brought.outcome)")
  }
  /// A replica that writes it relies on it.
  @Test func rotInAJournalThatAReplicaHereWritesIsTold() throws {
    let source = try open()
    let journal = HandMadeJournal(Self.other, frames: 120)
    #expect(append(source, journal.frames[...]).isEmpty)
    let disk = MemoryFileSystem()
    let target = try open(disk)
    #expect(append(target, journal.frames[..<80]).isEmpty)
    let path = try #require(disk.paths.first { $0.hasSuffix("00000002/00000001.jnl") })
    disk.flipBit(path, bit: (4096 + 900) * 8)
    let brought = try send(
      try write(source, Self.shard, at: 5, lineage: [journal.frames[110].end]), from: source, to: target)
    guard case .journalRotten(let answers, _, transfer: 3) = brought.outcome else {
      Issue.record("\(brought.outcome)")
      return
    }
    #expect(answers.shard == Self.shard && target.incoming.isEmpty)
    #expect(try end(target) == journal.frames[79].end.position && target.rottenJournals() == [Self.other])
  }

  // MARK: Before a snapshot

  private func order(_ end: JournalPosition) -> SnapshotOrder {
    let metadata = SnapshotMetadata(
      configuration: .empty, journalEnd: JournalPosition(beginningOf: Self.shard), lineage: [end])
    return SnapshotOrder(
      shard: Self.shard, index: LogIndex(9), term: Term(1), isWhole: true, metadata: metadata.bytes,
      snapshot: MachineSnapshot(token: nil) { _, _ in })
  }
  @Test func aSnapshotWaitsForTheJournalsThatItRefersTo() throws {
    let storage = try open()
    let journal = HandMadeJournal(Self.other, frames: 10)
    #expect(append(storage, journal.frames[..<9]).isEmpty)
    func failure() -> String? {
      guard case .journalSynced(let result) = storage.run(.journalSync(order(journal.frames[9].end.position))) else {
        return "nothing came of it"
      }
      return result.failure
    }
    #expect(failure()?.contains("the journal of shard 2 ends too soon") == true)
    #expect(append(storage, journal.frames[9...]).isEmpty)
    #expect(failure() == nil)
    disk.crash(.nothing)
    let store = try JournalStore(directory: "/data/journal", fileSystem: disk)
    #expect(try store.end(Self.other) == journal.frames[9].end.position)
  }

  // MARK: Reading

  /// The answers to questions of the shard about records in the other's journal.
  private func ask(_ storage: NodeStorage, _ question: JournalQuery.Question) -> (text: String, isRot: Bool) {
    let query = JournalQuery(question, catalogue: Catalogue(key: .none), end: JournalPosition(beginningOf: Self.shard))
    var next: [ReplyToQuery] = [(ReplyTo(edge: 0, sequence: 1), query)]
    while true {
      let completion = storage.run(.journalQueries(shard: Self.shard, queries: next))
      let (answers, isRot): (JournalAnswers, Bool) =
        switch completion {
        case .answered(let answers): (answers, false)
        case .journalRotten(let answers, _, _): (answers, true)
        default: (JournalAnswers(shard: Self.shard), false)
        }
      if answers.unfinished.isEmpty {
        return (String(decoding: answers.answers.first?.results ?? [], as: UTF8.self), isRot)
      }
      next = answers.unfinished
    }
  }

  private static let notHere = "the journal of shard 2 is not here as far as"
  private static func isUnknown(_ text: String, _ number: UInt64) -> Bool {
    text.contains(Refusal.notFound(HandMadeJournal.transaction(number)).text)
  }

  @Test func whatIsNotHereYetIsUnavailableAndNoAlarm() throws {
    let storage = try open()
    let journal = HandMadeJournal(Self.other, frames: 10)
    let record = journal.frames[7].record
    for frames in [0..<0, 0..<7] {
      #expect(append(storage, journal.frames[frames]).isEmpty)
      let (text, isRot) = ask(storage, .answer(at: record))
      #expect(!isRot && text.contains(Self.notHere), "\(text)")
    }
    #expect(append(storage, journal.frames[7...]).isEmpty)
    #expect(ask(storage, .answer(at: record)).text.hasSuffix("answer-8"))
    #expect(try storage.rottenJournals().isEmpty)
  }
  @Test func whatWaitsForRoomIsReadWhereItWaits() throws {
    let storage = try open()
    let journal = HandMadeJournal(Self.other, frames: 120)
    #expect(append(storage, journal.frames[..<50]).isEmpty)
    disk.setCapacity(disk.paths.reduce(0) { $0 + UInt64(disk.contents($1)?.count ?? 0) })
    #expect(append(storage, journal.frames[50..<119]).count == 1, "it is told once")
    for number in [4, 60, 119] {
      #expect(ask(storage, .answer(at: journal.frames[number - 1].record)).text.hasSuffix("answer-\(number)"))
    }
    #expect(ask(storage, .answer(at: journal.frames[119].record)).text.contains(Self.notHere))
    #expect(try storage.rottenJournals().isEmpty)
  }
  @Test func aTransactionIsLookedForInEachJournalAndIsNotSaidToBeMissing() throws {
    let storage = try open()
    let journal = HandMadeJournal(Self.other, frames: 600)
    let own = HandMadeJournal(Self.shard, frames: 300, from: 600)
    #expect(append(storage, own.frames[...]).isEmpty && append(storage, journal.frames[..<580]).isEmpty)
    try #require(journal.frames[579].start.segment > 3)
    let ends = [journal.frames[599].end.position, own.frames[299].end.position]
    func find(_ number: UInt64) -> String {
      ask(storage, .pastFacts(TransactionSearch(HandMadeJournal.transaction(number), in: ends))).text
    }
    for number in [3, 250, 579, 601, 777, 900] as [UInt64] {
      #expect(find(number).contains("answer-\(number)"), "\(number)")
    }
    #expect(find(590).contains(Self.notHere))
    #expect(find(901).contains(Self.notHere), "nobody knows what the rest has")
    #expect(append(storage, journal.frames[580...]).isEmpty)
    #expect(find(590).contains("answer-590") && Self.isUnknown(find(901), 901), "\(find(901))")
  }
  @Test func rotInAnothersJournalIsToldOnceAndWhoeverRefersToItIsMadeGood() throws {
    var storage = try open()
    let journal = HandMadeJournal(Self.other, frames: 40)
    #expect(append(storage, journal.frames[...]).isEmpty)
    try storage.journals.sync(Self.other)
    try write(storage, Self.shard, at: 5, lineage: [journal.frames[39].end])
    let path = try #require(disk.paths.first { $0.hasSuffix("00000002/00000001.jnl") })
    disk.flipBit(path, bit: (4096 + 900) * 8)
    let record = journal.frames[5].record
    #expect(ask(storage, .answer(at: record)).isRot && !ask(storage, .answer(at: record)).isRot)
    #expect(ask(storage, .answer(at: record)).text.contains("cannot be read here"))
    disk.crash(.nothing)
    storage = try open()
    // Nobody takes the state for whole, and none of the rotten bytes are left.
    #expect(try storage.snapshots.newest(Self.shard) == nil && storage.rottenJournals().isEmpty)
    #expect(try end(storage) == JournalPosition(beginningOf: Self.other))
    #expect(storage.warnings.contains { $0.contains("CORRUPT") && $0.contains("the journal of shard 2") })
  }

  // MARK: How long it stays

  private func sweep(_ storage: NodeStorage, _ needed: [ShardID], newest: UInt32 = 9) {
    let completion = storage.run(
      .sweepJournals(JournalsNeeded(newest: ShardID(newest), journals: Set(needed))))
    if case .nothing = completion {} else { Issue.record("\(completion)") }
  }
  @Test func aJournalOutlivesItsReplicaWhileItIsNeeded() throws {
    var storage = try open()
    let journal = HandMadeJournal(Self.other, frames: 120)
    #expect(append(storage, journal.frames[..<50]).isEmpty)
    try write(storage, Self.other, at: 3, lineage: [])
    // The shard refers to it, which no snapshot says yet; some of it waits for room.
    disk.setCapacity(disk.paths.reduce(0) { $0 + UInt64(disk.contents($1)?.count ?? 0) })
    #expect(append(storage, journal.frames[50...]).count == 1)
    guard case .journalClosed(Self.other, failure: .some) = storage.run(.closeJournal(Self.other)) else {
      Issue.record("it is taken for closed")
      return
    }
    disk.setCapacity(.max)
    guard case .journalClosed(Self.other, failure: nil) = storage.run(.closeJournal(Self.other)) else {
      Issue.record("it is not closed")
      return
    }
    _ = try storage.log.write([LogRecord(shard: Self.other, body: .gone(born: 1))])
    guard case .clearedAway(Self.other, failure: nil) = storage.run(.clearAway(Self.other)) else {
      Issue.record("it is not cleared away")
      return
    }
    disk.crash(.nothing)
    storage = try open()
    #expect(try end(storage) == journal.frames[119].end.position && storage.snapshots.newest(Self.other) == nil)
    #expect(ask(storage, .answer(at: journal.frames[118].record)).text.hasSuffix("answer-119"))
    // The node knows who needs it; and then the shard's snapshot says so, too.
    sweep(storage, [Self.shard, Self.other])
    sweep(storage, [], newest: 1)
    #expect(try end(storage) == journal.frames[119].end.position)
    try write(storage, Self.shard, at: 5, lineage: [journal.frames[20].end])
    sweep(storage, [])
    #expect(try end(storage) == journal.frames[119].end.position)
    disk.crash(.nothing)
    storage = try open()
    #expect(try storage.snapshots.newest(Self.shard) != nil && storage.warnings.isEmpty)
    #expect(ask(storage, .answer(at: journal.frames[18].record)).text.hasSuffix("answer-19"))
    // The last that needs it leaves.
    _ = storage.run(.clearAway(Self.shard))
    sweep(storage, [Self.other])
    #expect(try end(storage) == journal.frames[119].end.position)
    sweep(storage, [])
    #expect(try end(storage) == JournalPosition(beginningOf: Self.other))
    #expect(!disk.paths.contains { $0.contains("journal/00000002") })
  }
  /// Of a shard from which nothing ever went, or to which no snapshot here refers: a successor must not find what was another's.
  @Test(arguments: [false, true]) func aJournalThatNobodyCanReferToGoesWithItsReplica(isReferredTo: Bool) throws {
    var storage = try open()
    let journal = HandMadeJournal(Self.other, frames: 40)
    #expect(append(storage, journal.frames[...]).isEmpty)
    try storage.journals.sync(Self.other)
    if isReferredTo { try write(storage, Self.shard, at: 5, lineage: [journal.frames[20].end]) }
    _ = try storage.log.write([LogRecord(shard: Self.other, body: .gone(born: 1))])
    disk.crash(.nothing)
    storage = try open()
    let left = isReferredTo ? journal.frames[39].end.position : JournalPosition(beginningOf: Self.other)
    #expect(try end(storage) == left)
    guard case .clearedAway(_, failure: nil) = storage.run(.clearAway(Self.other)) else {
      Issue.record("it is not cleared away")
      return
    }
    #expect(try end(storage) == left)
  }
  @Test func whatAStartCutsOfAJournalIsNotWhatOthersReferTo() throws {
    var storage = try open()
    let journal = HandMadeJournal(Self.other, frames: 40)
    #expect(append(storage, journal.frames[...]).isEmpty)
    try storage.journals.sync(Self.other)
    try write(storage, Self.other, at: 3, lineage: [])
    try write(storage, Self.shard, at: 5, lineage: [journal.frames[20].end])
    disk.crash(.nothing)
    storage = try open()
    #expect(try end(storage) == journal.frames[20].end.position && storage.warnings.isEmpty)
    // Its replica applies its log again.
    #expect(append(storage, journal.frames[...]).isEmpty)
    #expect(try end(storage) == journal.frames[39].end.position)
  }
  @Test func aSnapshotWhoseJournalIsNotThereIsSetAside() throws {
    var storage = try open()
    let journal = HandMadeJournal(Self.other, frames: 4)
    #expect(append(storage, journal.frames[..<3]).isEmpty)
    try storage.journals.sync(Self.other)
    try write(storage, Self.shard, at: 5, lineage: [journal.frames[3].end])
    disk.crash(.nothing)
    storage = try open()
    #expect(try storage.snapshots.newest(Self.shard) == nil)
    #expect(storage.warnings.contains { $0.contains("which shard 1 refers to up to") }, "\(storage.warnings)")
  }
}

/// A journal with a record a frame, that of transaction n of a slot as its nth, and an index at each segment's beginning.
struct HandMadeJournal {
  struct Frame {
    let start: JournalPosition
    let bytes: [UInt8]
    let record: JournalPosition
    /// After it.
    let end: JournalChain
  }
  private(set) var frames: [Frame] = []
  static let slot = Slot(5)
  static func transaction(_ number: UInt64) -> TransactionID { TransactionID(slot: slot, sequence: number) }

  /// - Parameter from: how many transactions the slot had before.
  init(_ shard: ShardID, frames count: Int, from first: Int = 0) {
    var buffer = JournalBuffer(segmentBytes: 30_000, end: JournalPosition(beginningOf: shard))
    var chain = SHA256.Digest()
    for number in first + 1...first + count {
      let stamp = Stamp(microseconds: Int64(number))
      if buffer.beginFrame(index: LogIndex(UInt64(number)), stamp: stamp, chain: chain) {
        HandMadeJournal.index(&buffer, before: number, stamp)
      }
      let text = Array("answer-\(number)".utf8)
      let record = text.withUnsafeBytes { answer in
        var record = JournalRecord(
          .answer, tx: HandMadeJournal.transaction(UInt64(number)), stamp: stamp, tenant: .first,
          member: UnsafeRawBufferPointer(start: nil, count: 0))
        record.answer = answer
        return buffer.append(record)
      }
      if let next = buffer.endFrame() { chain = next }
      let end = JournalChain(position: buffer.end, hash: chain)
      buffer.take { start, bytes in
        frames.append(Frame(start: start, bytes: Array(bytes), record: record, end: end))
      }
    }
  }
  private static func index(_ buffer: inout JournalBuffer, before number: Int, _ stamp: Stamp) {
    for group in stride(from: 0, to: Slot.count, by: JournalRecord.slotsPerIndex) {
      var list = ByteBuffer(capacity: 8_192)
      for place in group..<group + JournalRecord.slotsPerIndex {
        list.append(varint: place == Int(slot.rawValue) ? UInt64(number - 1) : 0)
      }
      var record = JournalRecord(
        .index, tx: .none, stamp: stamp, tenant: .first, member: UnsafeRawBufferPointer(start: nil, count: 0))
      record.number = Int64(group)
      record.answer = list.bytes
      _ = buffer.append(record)
    }
  }
}
