import Base
import Ledger
import Raft
import Storage
import Testing

@testable import Cluster
@testable import NodeDisk

/// A node's disk by itself, when there is no room on it.
@Suite struct NodeStorageTests {
  let disk = MemoryFileSystem()
  let options = WriteAheadLog.Options(segmentBytes: 64 << 10)
  let shard = ShardID(1)

  private func open(reserve: UInt64 = 0) throws -> NodeStorage {
    try NodeStorage.open(
      dataDirectory: "/data", fileSystem: disk, newIdentity: 7, wall: .zero, logOptions: options,
      reserve: DiskReserve(byteCount: reserve)
    ).storage
  }
  private func used() -> UInt64 { disk.paths.reduce(0) { $0 + UInt64(disk.contents($1)?.count ?? 0) } }
  private func batch(_ number: UInt64, bytes: Int = 3000) -> LogBatch {
    let entry = LogEntry(index: LogIndex(number), term: Term(1), payload: [UInt8](repeating: 1, count: bytes))
    return LogBatch(number: number, records: [LogRecord(shard: shard, body: .entry(entry))], acks: [])
  }
  private func isRefused(_ completion: Completion) -> Bool {
    if case .logRefused = completion { true } else { false }
  }

  @Test(arguments: [false, true]) func aLostStateMayHaveBeenAVote(isLost: Bool) throws {
    var found = RecoveredShard(
      shard: shard, state: HardState(term: Term(3)).encoded, startIndex: LogIndex(0), startTerm: Term(0),
      entries: [])
    found.isDamaged = true
    found.isStateLost = isLost
    let state = try NodeStorage.hardState(NodeStorage.markedState(of: found, life: 9))
    #expect(state.term == Term(3) && state.damage == Damage(life: 9, isOpen: true, isFenced: isLost))
  }

  @Test func aBatchWithoutRoomComesBackAndIsTakenLater() throws {
    let storage = try open()
    disk.setCapacity(used())
    var number: UInt64 = 1
    while number < 100, !isRefused(try storage.write(batch(number))) { number += 1 }
    try #require(number < 100)
    #expect(isRefused(try storage.write(batch(number))))
    disk.setCapacity(.max)
    #expect(!isRefused(try storage.write(batch(number))))
    disk.crash(.nothing)
    #expect(storage.log.takeRecovered().isEmpty)
    let entries = try WriteAheadLog(directory: "/data/wal", fileSystem: disk, options: options).takeRecovered()[0]
      .entries
    #expect(entries.map(\.index.rawValue) == Array(1...number))
  }

  @Test func theBallastIsLetGoOfForTheLogAndTakenAgain() throws {
    let storage = try open(reserve: 256 << 10)
    guard case .measured(let first)? = storage.maintain() else {
      Issue.record("nothing was measured")
      return
    }
    #expect(first.freeBytes > 1 << 40)
    #expect(storage.ballast.heldBytes == 128 << 10)
    disk.setCapacity(used())
    for number in 1...40 { #expect(!isRefused(try storage.write(batch(UInt64(number))))) }
    #expect(storage.ballast.heldBytes == 0)
    guard case .measured(let full)? = storage.maintain() else { return }
    #expect(full.freeBytes < 128 << 10 && storage.ballast.heldBytes == 0)
    disk.setCapacity(used() + 512 << 10)
    _ = storage.maintain()
    #expect(storage.ballast.heldBytes == 128 << 10)
    guard case .measured(let again)? = storage.maintain() else { return }
    #expect(again.freeBytes >= 512 << 10, "what the ballast holds is free")
  }

  @Test func releasesMakeRoomForTheBatchThatBringsThem() throws {
    let storage = try open()
    _ = storage.maintain()
    disk.setCapacity(used())
    var number: UInt64 = 1
    while number < 100, !isRefused(try storage.write(batch(number, bytes: 15_000))) { number += 1 }
    var next = batch(number, bytes: 15_000)
    next.releases = [LogRelease(shard: shard, through: LogIndex(number - 2))]
    // The last segment has a block left for what must outlive the others.
    #expect(!isRefused(try storage.write(next)))
  }

  @Test func anEmptyBatchIsWrittenAndClosesTheOneBefore() throws {
    let storage = try open()
    _ = try storage.write(batch(1))
    let steps = disk.steps
    _ = try storage.write(LogBatch(number: 2, records: [], acks: []))
    #expect(disk.steps == steps + 2, "a write and a sync")
    // The second block of the first batch's record is rotten: no torn write, for a later batch is there.
    let path = try #require(disk.paths.first { $0.hasSuffix(".wal") })
    disk.crash(.nothing)
    disk.flipBit(path, bit: (4096 + 200) * 8)
    let log = try WriteAheadLog(directory: "/data/wal", fileSystem: disk, options: options)
    #expect(log.damage?.lost == [1...1])
  }

  // MARK: Journals

  private func journal(_ storage: NodeStorage) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 200_000)
    let start = JournalPosition(journal: shard, segment: 1, offset: 0)
    let count = try bytes.withUnsafeMutableBytes { try storage.journalView(shard).read(at: start, into: $0) }
    return Array(bytes.prefix(count))
  }
  private func append(_ storage: NodeStorage, _ fill: UInt8, at offset: UInt64, _ count: Int = 5000) -> Completion {
    let completion = storage.run(
      .journalAppend(
        shard: shard, position: JournalPosition(journal: shard, segment: 1, offset: offset),
        bytes: [UInt8](repeating: fill, count: count)))
    guard case .journalKept(count, let outcome) = completion else { return completion }
    return outcome
  }
  private func told(_ completion: Completion) -> String {
    switch completion {
    case .failed(let text), .recovered(let text): text
    default: ""
    }
  }

  @Test func aJournalWithoutRoomWaitsInMemoryIsReadFromThereAndWrittenWhenThereIsRoom() throws {
    let storage = try open()
    #expect(told(append(storage, 1, at: 0)).isEmpty)
    disk.setCapacity(used())
    #expect(told(append(storage, 2, at: 5000)).contains("cannot be written, it waits in memory"))
    #expect(told(append(storage, 3, at: 10_000)).isEmpty, "it is told once")
    func expected(_ fills: ClosedRange<UInt8>) -> [UInt8] { fills.flatMap { [UInt8](repeating: $0, count: 5000) } }
    #expect(try journal(storage) == expected(1...3))
    var part = [UInt8](repeating: 0, count: 100)
    let inside = JournalPosition(journal: shard, segment: 1, offset: 9_950)
    #expect(try part.withUnsafeMutableBytes { try storage.journalView(shard).read(at: inside, into: $0) } == 100)
    #expect(part == Array(expected(1...3)[9_950..<10_050]))
    disk.setCapacity(.max)
    #expect(told(append(storage, 4, at: 15_000)).contains("is written again"))
    #expect(told(append(storage, 5, at: 20_000)).isEmpty)
    #expect(try journal(storage) == expected(1...5))
    try storage.journals.sync(shard)
    disk.crash(.nothing)
    #expect(try journal(try open()) == expected(1...5))
  }

  @Test func whatCannotBeReadIsRotAndWhatCannotBeWrittenIsTheEndOfTheProcess() {
    func error(_ kind: StorageError.Kind, _ operation: String, _ errno: Int32) -> StorageError {
      StorageError(kind, path: "journal", operation: operation, errno: errno, reason: "")
    }
    for unreadable in [error(.system, "read", 5), error(.damaged, "read", 0), error(.refused, "append to", 0)] {
      #expect(NodeStorage.isRot(unreadable) && !NodeStorage.breaks(unreadable))
    }
    for broken in [error(.system, "write", 5), error(.fatal, "sync", 5), error(.fatal, "sync", 28)] {
      #expect(!NodeStorage.isRot(broken) && NodeStorage.breaks(broken))
    }
    let full = error(.noSpace, "write", 28)
    #expect(!NodeStorage.isRot(full) && !NodeStorage.breaks(full))
  }

  /// What a sync that failed has dropped would be missing for ever.
  @Test func aJournalThatCannotBeSyncedOrWrittenEndsTheProcess() throws {
    func isBroken(_ completion: Completion) -> Bool { if case .broken = completion { true } else { false } }
    let storage = try open()
    #expect(!isBroken(append(storage, 1, at: 0)))
    disk.failSync(after: 0)
    #expect(throws: StorageError.self) { try storage.journals.sync(shard) }
    #expect(isBroken(append(storage, 2, at: 5000)))
    disk.wipe()
    let other = try open()
    disk.failWrite(after: 0, to: ".jnl", .failed)
    #expect(isBroken(append(other, 1, at: 0)))
  }

  /// So is what waited in memory, and is written because a peer has something to send.
  @Test func aJournalThatCannotBeWrittenAsASnapshotComesEndsTheProcess() throws {
    let storage = try open()
    _ = append(storage, 1, at: 0)
    disk.setCapacity(used())
    _ = append(storage, 2, at: 5000)
    disk.setCapacity(.max)
    disk.failWrite(after: 0, to: ".jnl", .failed)
    let end = JournalPosition(journal: shard, segment: 1, offset: 10_000)
    let completion = storage.run(
      .openJournal(1, shard: shard, from: JournalChain(position: end, hash: JournalChain.ofDirectory.hash)))
    guard case .broken = completion else {
      Issue.record("\(completion)")
      return
    }
  }

  /// What was synced before an append that failed is vouched for whatever the power does while it is made good.
  @Test(arguments: 1...30) func powerMayGoWhileAJournalIsMadeGood(steps: Int) throws {
    let storage = try open()
    _ = append(storage, 1, at: 0)
    try storage.journals.sync(shard)
    // In the same block, and not synced.
    _ = append(storage, 2, at: 5000, 100)
    disk.setCapacity(used())
    _ = append(storage, 3, at: 5100, 10_000)
    disk.setCapacity(.max)
    disk.cutPower(afterSteps: steps)
    _ = append(storage, 4, at: 15_100)
    disk.crash(.some(seed: UInt64(steps)))
    let store = try JournalStore(directory: "/data/journal", fileSystem: disk)
    try store.truncate(shard, to: JournalPosition(journal: shard, segment: 1, offset: 5000))
    var bytes = [UInt8](repeating: 0, count: 5000)
    let start = JournalPosition(journal: shard, segment: 1, offset: 0)
    #expect(try bytes.withUnsafeMutableBytes { try store.read(shard, at: start, into: $0) } == 5000)
    #expect(bytes == [UInt8](repeating: 1, count: 5000))
  }

  /// Each lane has a thread of its own: what a snapshot sent away meets may not touch what is being received.
  @Test func aFailedReadLeavesIncomingTransfersToTheirLane() throws {
    let storage = try open()
    let writer = try storage.snapshots.create(shard: shard, index: LogIndex(1), term: Term(1), metadata: [])
    _ = try writer.finish()
    #expect(!isFailed(storage.run(.transfer(.openOutgoing(5, shard: shard)))))
    let other = TransferJob.openJournal(
      5, shard: ShardID(2),
      from: JournalChain(position: JournalPosition(beginningOf: ShardID(2)), hash: SHA256.Digest()))
    #expect(!isFailed(storage.run(.transfer(other))))
    let read = TransferJob.readFile(5, offset: 0, byteCount: 64)
    try #require(NodeWork.lane(of: .transfer(read)) != NodeWork.lane(of: .transfer(other)))
    disk.failRead(after: 0, of: ".snap")
    guard case .transferred(.rotten(5, shard, _)) = storage.run(.transfer(read)) else {
      Issue.record("what cannot be read is not told")
      return
    }
    #expect(storage.incoming[5] != nil)
  }
  private func isFailed(_ completion: Completion) -> Bool {
    if case .transferred(.failed) = completion { true } else { false }
  }
}
