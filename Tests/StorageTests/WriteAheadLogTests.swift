import Base
import Testing

@testable import Storage

let shardOne = ShardID(1)
let shardTwo = ShardID(2)

func entry(_ shard: ShardID, _ index: UInt64, term: UInt64 = 1, size: Int = 100, fill: UInt8 = 7) -> LogRecord {
  let payload = [UInt8](repeating: fill, count: size)
  return LogRecord(shard: shard, body: .entry(LogEntry(index: LogIndex(index), term: Term(term), payload: payload)))
}

@Suite struct WriteAheadLogTests {
  let disk = MemoryFileSystem()
  let options = WriteAheadLog.Options(segmentBytes: 32 << 10)

  func open(_ disk: MemoryFileSystem? = nil) throws(StorageError) -> WriteAheadLog {
    try WriteAheadLog(directory: "wal", fileSystem: disk ?? self.disk, options: options)
  }
  func write(_ log: WriteAheadLog, _ records: LogRecord...) throws { try log.write(records) }
  func indexes(_ log: WriteAheadLog, _ shard: ShardID = shardOne) -> [UInt64] {
    log.takeRecovered().first { $0.shard == shard }?.entries.map(\.index.rawValue) ?? []
  }
  func segmentPath(_ number: UInt64) -> String { "wal/" + SegmentPool.name(number) }
  /// A disk with the same durable files.
  func copy(_ disk: MemoryFileSystem) throws -> MemoryFileSystem {
    let copy = MemoryFileSystem()
    try copy.createDirectory("wal")
    for path in disk.paths { copy.setContents(path, disk.contents(path) ?? []) }
    return copy
  }

  @Test func aBatchCostsOneWriteAndOneSyncOnBlocksWrittenBefore() throws {
    let log = try open()
    let before = (disk.steps, disk.contents(segmentPath(1))?.count)
    try write(log, entry(shardOne, 1), entry(shardTwo, 1), LogRecord(shard: shardOne, body: .state([1, 2])))
    #expect(disk.steps == before.0 + 2)
    #expect(disk.contents(segmentPath(1))?.count == before.1)
  }

  /// A state may say that entries are committed which come behind it and replace others: one is not there without the next.
  /// Neither a segment that is made nor one that is overwritten is left to one sync: it would hold up everybody's.
  @Test func zerosAreSyncedPieceByPiece() throws {
    let log = try WriteAheadLog(
      directory: "wal", fileSystem: disk, options: .init(segmentBytes: 12 << 20, maxRecordBytes: 1 << 20))
    while try log.prepareSpare() {}
    #expect(disk.mostUnsynced == BulkSync.bytes, "\(disk.mostUnsynced)")
  }
  @Test func noCutOfALargeBatchPartsAStateFromTheEntriesBehindIt() throws {
    var parted = 0
    for size in stride(from: 18_000, to: 26_000, by: 20) {
      for steps in 0...2 {
        let disk = MemoryFileSystem()
        let log = try open(disk)
        try write(log, entry(shardOne, 1), entry(shardOne, 2), LogRecord(shard: shardOne, body: .state([1])))
        disk.cutPower(afterSteps: steps)
        let records = [
          entry(shardTwo, 1, size: size), LogRecord(shard: shardOne, body: .state([2])), entry(shardOne, 2, term: 5),
        ]
        do { try log.write(records) } catch { parted += 1 }
        disk.crash(.everything)
        let recovered = try open(disk).takeRecovered().first { $0.shard == shardOne }
        #expect((recovered?.state == [2]) == (recovered?.entries.last?.term == Term(5)), "size \(size), \(steps) steps")
      }
    }
    #expect(parted > 0)
  }

  @Test func whatWasSyncedIsThereAfterPowerIsLost() throws {
    let log = try open()
    try write(log, entry(shardOne, 1), entry(shardOne, 2), LogRecord(shard: shardTwo, body: .state([9])))
    try log.append([entry(shardOne, 3)])
    disk.crash(.nothing)
    let recovered = try open().takeRecovered()
    #expect(recovered.map(\.shard) == [shardOne, shardTwo])
    #expect(recovered[0].entries.map(\.index.rawValue) == [1, 2])
    #expect(recovered[1].state == [9])
  }

  @Test func aSuffixIsOverwrittenByALaterTerm() throws {
    let log = try open()
    try write(log, entry(shardOne, 1), entry(shardOne, 2), entry(shardOne, 3))
    try write(log, entry(shardOne, 2, term: 5))
    disk.crash(.nothing)
    let recovered = try open().takeRecovered()
    #expect(recovered[0].entries.map(\.term.rawValue) == [1, 5])
  }

  @Test func aResetStartsTheLogAfterTheSnapshot() throws {
    let log = try open()
    try write(log, entry(shardOne, 1), LogRecord(shard: shardOne, body: .state([4])))
    try write(log, LogRecord(shard: shardOne, body: .reset(LogIndex(90), Term(3))), entry(shardOne, 91, term: 4))
    disk.crash(.nothing)
    let recovered = try #require(try open().takeRecovered().first)
    #expect(recovered.startIndex == LogIndex(90) && recovered.startTerm == Term(3) && recovered.state == [4])
    #expect(recovered.entries.map(\.index.rawValue) == [91])
  }

  @Test func anEntryThatLeavesAGapIsRefusedAndNothingIsWritten() throws {
    let log = try open()
    try write(log, entry(shardOne, 1))
    let steps = disk.steps
    #expect(throws: StorageError.self) { try log.append([entry(shardOne, 2), entry(shardOne, 4)]) }
    #expect(throws: StorageError.self) { try log.append([entry(shardOne, 2, size: 40_000)]) }
    #expect(disk.steps == steps)
    try write(log, entry(shardOne, 2))
  }

  @Test func aBatchLargerThanASegmentIsKeptInParts() throws {
    let log = try open()
    try log.append((1...30).map { entry(shardOne, $0, size: 5000) })
    try log.sync()
    disk.crash(.nothing)
    #expect(indexes(try open()) == Array(1...30))
  }

  @Test func aFailedSyncIsFatalAndStaysSo() throws {
    let log = try open()
    try write(log, entry(shardOne, 1))
    try log.append([entry(shardOne, 2)])
    disk.failSync(after: 0)
    #expect { try log.sync() } throws: { ($0 as? StorageError)?.isFatal == true }
    #expect { try log.sync() } throws: { ($0 as? StorageError)?.isFatal == true }
    #expect { try log.append([entry(shardOne, 3)]) } throws: { ($0 as? StorageError)?.isFatal == true }
  }

  @Test func aBatchWhoseSyncFailedIsCopiedBeforeItIsVouchedFor() throws {
    let log = try open()
    try write(log, entry(shardOne, 1))
    try log.append([entry(shardOne, 2)])
    disk.failSync(after: 0)
    #expect(throws: StorageError.self) { try log.sync() }
    // The process starts anew; the page can still be read, though it never reached the disk.
    #expect(indexes(try open()) == [1, 2])
    disk.crash(.nothing)
    #expect(indexes(try open()) == [1, 2])
  }

  @Test func rotInTheMiddleIsToldWithFileAndOffsetAndWhatWasBeforeIsKept() throws {
    let log = try open()
    for i in 1...3 as ClosedRange<UInt64> { try write(log, entry(shardOne, i)) }
    // Batch 2 is the third block; its record begins behind the batch's head.
    disk.flipBit(segmentPath(1), bit: (2 * 4096 + 48 + 60) * 8)
    let reopened = try open()
    let error = try #require(reopened.damage?.error)
    #expect(error.kind == .damaged && error.path == segmentPath(1) && error.offset == 2 * 4096 + 48)
    #expect(reopened.damage?.lost == [2...2] && reopened.damage?.areStatesInDoubt == false)
    let recovered = reopened.takeRecovered()
    #expect(recovered.map(\.isDamaged) == [true] && recovered.map(\.isStateLost) == [false])
    #expect(recovered[0].entries.map(\.index.rawValue) == [1])
    // It goes on from there, and the rot is not met again.
    try write(reopened, entry(shardOne, 2, term: 2))
    let again = try open()
    #expect(again.damage == nil && indexes(again) == [1, 2])
  }

  @Test func rotIsToldWhenOnlyARecordOfTheLaterBatchIsWhole() throws {
    let log = try open()
    for i in 1...3 as ClosedRange<UInt64> { try write(log, entry(shardOne, i)) }
    for block in [2, 3] { disk.flipBit(segmentPath(1), bit: block * 4096 * 8 + 20) }
    let reopened = try open()
    #expect(reopened.damage?.lost == [2...2] && reopened.damage?.areStatesInDoubt == true)
    #expect(reopened.takeRecovered().first?.isStateLost == true)
  }

  @Test func rotAtASegmentsEndIsToldForTheNextSegmentsSake() throws {
    let log = try open()
    for i in 1...9 as ClosedRange<UInt64> { try write(log, entry(shardOne, i)) }
    // 32 KiB hold a header and seven batches.
    disk.flipBit(segmentPath(1), bit: 7 * 4096 * 8 + 100 * 8)
    let reopened = try open()
    let error = reopened.damage?.error
    #expect(error?.path == segmentPath(1) && error?.offset == 7 * 4096 + 48)
    #expect(indexes(reopened) == Array(1...6))
  }

  @Test func aBadLastBatchIsTornAndCut() throws {
    let log = try open()
    for i in 1...3 as ClosedRange<UInt64> { try write(log, entry(shardOne, i)) }
    disk.flipBit(segmentPath(1), bit: (3 * 4096 + 100) * 8)
    #expect(indexes(try open()) == [1, 2])
  }

  @Test func aLogInsideAPayloadIsNotTakenForTheLog() throws {
    // Another node's log of segment 1, whose batches are younger, is kept as a payload, and that batch is torn.
    let other = MemoryFileSystem()
    let otherLog = try open(other)
    for i in 1...6 as ClosedRange<UInt64> { try write(otherLog, entry(shardOne, i)) }
    let foreign = try #require(other.contents(segmentPath(1)))
    let log = try open()
    try write(log, entry(shardOne, 1))
    // Payloads begin 88 bytes into their batch: the foreign blocks come to lie on block boundaries again.
    let payload = [UInt8](repeating: 0, count: 4096 - 88) + foreign[4 * 4096..<6 * 4096]
    try log.append([
      LogRecord(shard: shardOne, body: .entry(LogEntry(index: LogIndex(2), term: Term(1), payload: payload)))
    ])
    try log.sync()
    disk.flipBit(segmentPath(1), bit: (2 * 4096 + 100) * 8)
    #expect(indexes(try open()) == [1])
  }

  @Test func bytesOfASegmentUnderAnotherNumberAreNotRecords() throws {
    let log = try open()
    for i in 1...4 as ClosedRange<UInt64> { try write(log, entry(shardOne, i)) }
    let bytes = try #require(disk.contents(segmentPath(1)))
    bytes.withBytes { bytes in
      for block in 1...4 {
        let offset = block * 4096
        #expect(BatchHead.decode(bytes, segment: 1, offset: offset) != nil)
        #expect(BatchHead.decode(bytes, segment: 2, offset: offset) == nil)
        let end = offset + 48 + 40 + 104
        #expect(RecordHead.decode(bytes, segment: 1, offset: offset + 48, end: end) != nil)
        #expect(RecordHead.decode(bytes, segment: 2, offset: offset + 48, end: end) == nil)
      }
      let moved = LogFormat.slice(bytes, 8, bytes.count)
      #expect(RecordHead.decode(moved, segment: 1, offset: 4096 + 40, end: 4096 + 400) == nil)
    }
  }

  @Test func releasedSegmentsAreRecycledUnderNewNumbers() throws {
    let log = try open()
    try write(log, LogRecord(shard: shardTwo, body: .state([5])))
    for i in 1...40 as ClosedRange<UInt64> {
      try write(log, entry(shardOne, i))
      if i % 10 == 0 { try log.release(shardOne, through: LogIndex(i - 2)) }
      try log.prepareSpare()
    }
    #expect(log.bytes <= 5 * 32 << 10)
    #expect(!disk.paths.contains(segmentPath(1)))
    disk.crash(.nothing)
    let recovered = try open().takeRecovered()
    #expect(recovered.first { $0.shard == shardTwo }?.state == [5])
    #expect(recovered.first { $0.shard == shardOne }?.entries.last?.index == LogIndex(40))
    #expect(recovered.first { $0.shard == shardOne }?.entries.first?.index.rawValue ?? 0 > 20)
  }

  @Test func aStuckShardPinsSegmentsUntilItsEntriesAreRewritten() throws {
    let log = try open()
    try write(
      log, entry(shardTwo, 1, fill: 2), entry(shardTwo, 2, fill: 3), LogRecord(shard: shardTwo, body: .state([8])))
    for i in 1...40 as ClosedRange<UInt64> { try write(log, entry(shardOne, i)) }
    try log.release(shardOne, through: LogIndex(40))
    let usage = log.usage()
    #expect(usage.map(\.shard) == [shardTwo])
    #expect(usage[0].liveBytes < 1000 && usage[0].pinnedBytes >= 5 * 32 << 10)
    #expect(disk.paths.contains(segmentPath(1)))
    try log.rewriteOldest()
    #expect(log.usage()[0].pinnedBytes <= 2 * 32 << 10)
    for _ in 0..<10 { try log.prepareSpare() }
    #expect(!disk.paths.contains(segmentPath(1)))
    #expect(log.bytes < 5 * 32 << 10)
    try write(log, entry(shardTwo, 3, fill: 4))
    disk.crash(.nothing)
    let recovered = try #require(try open().takeRecovered().first { $0.shard == shardTwo })
    #expect(recovered.entries.map(\.payload[0]) == [2, 3, 4] && recovered.state == [8])
  }

  /// Some of it at a time, with entries and releases in between; and a crash at any moment does no harm.
  @Test func aSegmentIsWrittenAgainInParts() throws {
    let log = try open()
    let others = (10..<20).map { ShardID(UInt32($0)) }
    for shard in others { try write(log, entry(shard, 1)) }
    for i in 1...40 as ClosedRange<UInt64> { try write(log, entry(shardOne, i)) }
    try log.release(shardOne, through: LogIndex(40))
    var next: UInt64 = 41
    var parts = 1
    while try !log.rewriteOldest(atMost: 4_096) {
      parts += 1
      try write(log, entry(shardOne, next))
      if parts == 4 { try log.release(others[9], through: LogIndex(1)) }
      next += 1
      let recovered = try WriteAheadLog(directory: "wal", fileSystem: try copy(disk), options: options).takeRecovered()
      for shard in others.dropLast() { #expect(recovered.first { $0.shard == shard }?.entries.count == 1) }
      #expect(recovered.first { $0.shard == shardOne }?.entries.last?.index == LogIndex(next - 1))
    }
    #expect(parts >= 5, "a batch is a part")
    for _ in 0..<10 { try log.prepareSpare() }
    #expect(!disk.paths.contains(segmentPath(1)))
    disk.crash(.nothing)
    let recovered = try open().takeRecovered()
    for shard in others.dropLast() {
      #expect(recovered.first { $0.shard == shard }?.entries.map(\.index.rawValue) == [1])
    }
    #expect(recovered.first { $0.shard == shardOne }?.entries.map(\.index.rawValue) == Array(41..<next))
  }

  /// What has been written of one segment says nothing of the next.
  @Test func eachSegmentIsWrittenFromItsBeginning() throws {
    let log = try open()
    for i in 1...8 as ClosedRange<UInt64> {
      try write(log, entry(shardTwo, i, size: 3_000))
      for j in 1...7 as ClosedRange<UInt64> { try write(log, entry(shardOne, 7 * (i - 1) + j, size: 3_000)) }
    }
    let wanted = log.segmentCount - 1
    #expect(wanted >= 3)
    for _ in 0..<wanted {
      var calls = 0
      while try !log.rewriteOldest(atMost: 4_096) { calls += 1 }
      #expect(calls > 0)
    }
    disk.crash(.nothing)
    let recovered = try open().takeRecovered().first { $0.shard == shardTwo }
    #expect(recovered?.entries.map(\.index.rawValue) == Array(1...8))
  }

  @Test func aRottenRecordIsNotDroppedByRewriting() throws {
    let log = try open()
    for i in 1...10 as ClosedRange<UInt64> { try write(log, entry(shardTwo, i)) }
    disk.flipBit(segmentPath(1), bit: (3 * 4096 + 100) * 8)
    #expect { try log.rewriteOldest() } throws: { ($0 as? StorageError)?.offset == 3 * 4096 }
  }

  @Test func aFullDiskRefusesAndThenGoesOn() throws {
    let log = try open()
    disk.setCapacity(40 << 10)
    var index: UInt64 = 1
    var refusal: StorageError?
    while refusal == nil && index < 100 {
      do throws(StorageError) {
        try log.append([entry(shardOne, index)])
        try log.sync()
        index += 1
      } catch {
        refusal = error
      }
    }
    #expect(refusal?.kind == .noSpace && index == 8)
    disk.setCapacity(1 << 20)
    try write(log, entry(shardOne, index))
    disk.crash(.nothing)
    #expect(indexes(try open()) == Array(1...8))
  }

  @Test func thatAReplicaIsGoneIsKeptForEver() throws {
    let log = try open()
    try write(log, entry(shardOne, 1), LogRecord(shard: shardOne, body: .state([1])), entry(shardTwo, 1))
    try write(log, LogRecord(shard: shardOne, body: .gone(born: 4)))
    // Enough to recycle what it stands in, time and again.
    for index in 2...60 as ClosedRange<UInt64> {
      try write(log, entry(shardTwo, index, size: 3000))
      try log.release(shardTwo, through: LogIndex(index - 1))
    }
    #expect(log.segmentCount < 3)
    disk.crash(.nothing)
    let again = try open()
    let found = again.takeRecovered()
    #expect(found.map(\.shard) == [shardOne, shardTwo] && found[0].isGone && found[0].gone == 4 && !found[1].isGone)
    // A later replica of the shard begins with nothing; nor does what is told of the earlier one take anything from it.
    try write(again, LogRecord(shard: shardOne, body: .state([2])), entry(shardOne, 1))
    try write(again, entry(shardOne, 2))
    disk.crash(.nothing)
    let last = try #require(try open().takeRecovered().first)
    #expect(last.gone == 4 && !last.isGone && last.state == [2] && last.entries.map(\.index.rawValue) == [1, 2])
  }

  @Test func aNewerFormatIsRefusedInOneClearLine() throws {
    _ = try open()
    var bytes = try #require(disk.contents(segmentPath(1)))
    bytes[8] = 3
    for i in 12..<16 { bytes[i] = 0 }
    let crc = bytes.withBytes { CRC32C.checksum(LogFormat.slice($0, 0, 4096)) }
    for i in 0..<4 { bytes[12 + i] = UInt8(truncatingIfNeeded: crc >> (8 * UInt32(i))) }
    disk.setContents(segmentPath(1), bytes)
    let error = #expect(throws: StorageError.self) { try open() }
    #expect(error?.kind == .tooNew)
    #expect(
      error?.description
        == "wal/0000000000000001.wal: written in format 3, and this program knows formats up to 2: use a newer program")
  }

  @Test func aMissingSegmentIsADamageOfAllShardsAndTheirStatesAreInDoubt() throws {
    let log = try open()
    for i in 1...20 as ClosedRange<UInt64> { try write(log, entry(shardOne, i)) }
    for (victim, left) in [(1, []), (2, Array(1...7))] as [(UInt64, [UInt64])] {
      let copy = try copy(disk)
      try copy.remove(segmentPath(victim))
      let reopened = try open(copy)
      #expect(reopened.damage?.areStatesInDoubt == true)
      let recovered = reopened.takeRecovered()
      #expect(recovered.map(\.isDamaged) == [true] && recovered.map(\.isStateLost) == [true])
      #expect(recovered[0].entries.map(\.index.rawValue) == left)
    }
  }

  @Test func theMissingBeginningOfARecycledLogIsSeen() throws {
    let log = try open()
    try write(log, LogRecord(shard: shardTwo, body: .state([5])))
    for i in 1...60 as ClosedRange<UInt64> {
      try write(log, entry(shardOne, i))
      if i % 10 == 0 { try log.release(shardOne, through: LogIndex(i - 10)) }
      try log.prepareSpare()
    }
    let whole = try open(try copy(disk))
    #expect(whole.damage == nil)
    let first = try #require(log.segments.first { $0.firstBatch > 0 }?.path)
    let copy = try copy(disk)
    try copy.remove(first)
    let reopened = try open(copy)
    #expect(reopened.damage != nil)
    let recovered = reopened.takeRecovered()
    #expect(recovered.count { $0.isDamaged && $0.entries.isEmpty } == recovered.count)
  }

  @Test func openingAgainAndAgainNeitherLosesNorGrows() throws {
    let log = try open()
    try write(log, entry(shardOne, 1), LogRecord(shard: shardOne, body: .state([1])))
    for _ in 0..<10 {
      disk.crash(.nothing)
      let log = try open()
      #expect(indexes(log) == [1])
      try log.release(shardTwo, through: LogIndex(0))
      while try log.prepareSpare() {}
    }
    #expect(disk.paths.count <= 4)
  }
}
