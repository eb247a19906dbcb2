import Base
import Testing

@testable import Cluster
@testable import Raft
@testable import Storage

/// What a node's log is given, in batches.
@Suite struct LogWriterTests {
  private static let shard = ShardID(3)
  private static func record(_ byte: UInt8) -> LogRecord { LogRecord(shard: shard, body: .state([byte])) }
  private static func persist(_ sequence: UInt64) -> Persist {
    Persist(
      sequence: sequence, restart: nil, hardState: HardState(term: Term(2)),
      entries: [LogEntry(index: LogIndex(sequence), term: Term(2), payload: [1])])
  }

  @Test func whatComesWhileABatchIsUnderWayGoesIntoTheNext() throws {
    var writer = LogWriter(now: 0)
    writer.add(Self.persist(1), of: Self.shard)
    let firstFound = writer.next(now: 10, isFull: false)
    let first = try #require(firstFound)
    #expect(first.number == 1 && first.records.count == 2 && first.acks.map(\.sequence) == [1])
    writer.add(Self.persist(2), of: Self.shard)
    writer.release(Self.shard, through: LogIndex(1))
    #expect(writer.next(now: 20, isFull: false) == nil)
    #expect(!writer.isIdle && writer.lastNumber == 2)
    writer.written()
    let secondFound = writer.next(now: 30, isFull: false)
    let second = try #require(secondFound)
    #expect(second.number == 2 && second.acks.map(\.sequence) == [2] && second.releases.count == 1)
    writer.written()
    #expect(writer.isIdle && writer.lastNumber == 2 && writer.nextNumber == 3)
  }

  @Test func aRestartComesBeforeTheEntriesThatFollowIt() throws {
    var writer = LogWriter(now: 0)
    var persist = Self.persist(9)
    persist.restart = LogPosition(index: LogIndex(8), term: Term(1))
    writer.add(persist, of: Self.shard)
    let batchFound = writer.next(now: 1, isFull: false)
    let batch = try #require(batchFound)
    guard case .reset(LogIndex(8), Term(1)) = batch.records[0].body, case .state = batch.records[1].body,
      case .entry = batch.records[2].body
    else {
      Issue.record("\(batch.records)")
      return
    }
  }

  @Test func aBatchThatFoundNoRoomIsHandedOutAgainAndNothingBeforeIt() throws {
    var writer = LogWriter(now: 0)
    writer.add(Self.record(1))
    let batchFound = writer.next(now: 1, isFull: false)
    let batch = try #require(batchFound)
    writer.add(Self.record(2))
    writer.refused(batch, nextTry: 100)
    #expect(writer.next(now: 99, isFull: true) == nil)
    let againFound = writer.next(now: 100, isFull: true)
    let again = try #require(againFound)
    #expect(again.number == batch.number && again.records.count == 1)
    // It is under way again: it is not handed out twice.
    #expect(writer.next(now: 101, isFull: true) == nil)
    writer.written()
    #expect(writer.next(now: 102, isFull: true)?.number == 2)
  }

  @Test func aLogThatIsNotWrittenToIsProbed() throws {
    var writer = LogWriter(now: 0)
    #expect(writer.next(now: LogWriter.probeInterval - 1, isFull: false) == nil)
    let probeFound = writer.next(now: LogWriter.probeInterval, isFull: false)
    let probe = try #require(probeFound)
    #expect(probe.isProbe && probe.acks.isEmpty && writer.probeCount == 1)
    writer.written()
    // The room that is left is not for probes.
    #expect(writer.next(now: 2 * LogWriter.probeInterval, isFull: true) == nil)
    #expect(writer.next(now: LogWriter.probeInterval + LogWriter.probeIntervalWhenFull, isFull: true)?.isProbe == true)
  }

  @Test func aRewriteIsAskedForOnce() throws {
    var writer = LogWriter(now: 0)
    #expect(writer.rewriteOldest() == true)
    #expect(writer.rewriteOldest() == false)
    let batch = writer.next(now: 1, isFull: false)
    #expect(batch?.rewritesOldest == true)
    writer.written()
    #expect(writer.rewriteOldest() == true)
  }

  @Test func aRewriteGoesOnWithTheNextBatch() {
    var writer = LogWriter(now: 0)
    _ = writer.rewriteOldest()
    for now in 1...3 as ClosedRange<UInt64> {
      let batch = writer.next(now: now, isFull: false)
      #expect(batch?.rewritesOldest == true && batch?.isOfRecords == false)
      writer.written(isRewriting: now < 3)
    }
    #expect(writer.next(now: 4, isFull: false) == nil)
  }
}
