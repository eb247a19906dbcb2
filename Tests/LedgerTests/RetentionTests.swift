import Base
import CommandSupport
import Testing

@testable import Ledger

/// What has outlived its retention leaves as fast as it came, in bounded steps.
@Suite struct RetentionTests {
  private static let day: Int64 = 86_400 * 1_000_000

  /// One entry of so many earns.
  private func earn(_ shard: TestShard, _ count: Int, _ prefix: String, at stamp: Stamp) {
    var payload = ByteBuffer()
    EntryHeader(stamp: stamp, catalogueVersion: 0, commandCount: UInt32(count)).encode(into: &payload)
    for i in 0..<count {
      Command.appendEarn(
        to: &payload, context: CommandContext(fingerprint: 1), member: lasting("ann"), merchant: lasting("cafe"),
        amount: .points(1), request: lasting("\(prefix)\(i)"))
    }
    shard.index += 1
    var reply = ReplyWriter()
    shard.ledger.apply(payload: payload.bytes, index: LogIndex(shard.index), into: &reply) { _, _, _, _ in }
    shard.ledger.takeJournal { shard.journal.append($0, $1) }
  }

  @Test func asManyLeaveAsCome() throws {
    let world = try World.withCafe("refund-window=10d")
    let shard = world.shards[0]
    let begin = world.time.microseconds
    for i in 0..<3 { earn(shard, 1_000, "a\(i)-", at: Stamp(microseconds: begin + Int64(i + 1))) }
    #expect(shard.ledger.tables.dedupe.count == 3_000 && shard.ledger.tables.transactions.count == 3_000)
    for i in 0..<3 { earn(shard, 500, "b\(i)-", at: Stamp(microseconds: begin + 41 * Self.day + Int64(i))) }
    #expect(shard.ledger.tables.dedupe.count == 1_500 && shard.ledger.tables.transactions.count == 1_500)
    #expect(!shard.ledger.core.hasOverdue)
    try shard.ledger.checkInvariants()
  }

  /// And where no commands come, with ticks, each of bounded work.
  @Test func ticksTakeTheRest() throws {
    let world = try World.withCafe("refund-window=10d")
    let shard = world.shards[0]
    let begin = world.time.microseconds
    for i in 0..<5 { earn(shard, 1_000, "a\(i)-", at: Stamp(microseconds: begin + Int64(i + 1))) }
    // Transactions leave memory after a day and an hour, request ids after 30 days.
    let first = shard.ledger.nextDeadline ?? .zero
    #expect(first.microseconds > begin + Self.day && first.microseconds <= begin + 2 * Self.day)
    world.time = Stamp(microseconds: begin + 2 * Self.day)
    _ = try world.run("TICK")
    #expect(shard.ledger.tables.dedupe.count == 5_000 && shard.ledger.tables.transactions.count == 0)
    let second = shard.ledger.nextDeadline ?? .zero
    #expect(second.microseconds > begin + 29 * Self.day && second.microseconds <= begin + 31 * Self.day)
    world.time = Stamp(microseconds: begin + 31 * Self.day)
    _ = try world.send(world.tick())
    #expect((2_000..<5_000).contains(shard.ledger.tables.dedupe.count), "\(shard.ledger.tables.dedupe.count)")
    _ = try world.run("TICK")
    let last = shard.ledger.nextDeadline
    #expect(shard.ledger.tables.dedupe.count == 0 && last == nil)
    try shard.ledger.checkInvariants()
  }

  @Test func aRequestThatIsStillPendingHoldsBackNoOther() throws {
    let world = try World.withCafe(shards: 2)
    let other = try #require((0..<100).map { "ben\($0)" }.first { world.home($0) != world.home("ann") })
    #expect(try world.run("MEMBER ADD \(other)") == "+OK")
    #expect(try world.run("EARN ann merchant=cafe points=100 id=a").contains("points=100"))
    world.holdsPost = true
    #expect(try world.run("TRANSFER ann \(other) points=60 id=t") == "(pending)")
    #expect(try world.run("EARN ann merchant=cafe points=1 id=b").contains("points=1"))
    let ledger = world.home("ann")
    world.time = Stamp(microseconds: world.time.microseconds + 31 * Self.day)
    _ = try world.run("TICK")
    #expect(world.shards[ledger].ledger.tables.dedupe.count == 1)
    #expect(try world.run("TRANSFER ann \(other) points=60 id=t") == "(pending)")
    world.holdsPost = false
    try world.deliverAll()
    #expect(try world.run("TRANSFER ann \(other) points=60 id=t").contains("points=60"))
    #expect(try world.run("CHECK") == "ok")
  }

  /// Deadlines of holds that are closed leave the front of their queue in bounded steps.
  @Test func noCommandDropsDeadlinesWithoutBound() throws {
    let world = try World.withCafe()
    #expect(try world.run("EARN ann merchant=cafe points=1000 id=a").contains("points=1000"))
    for i in 0..<300 { _ = try world.run("HOLD ann merchant=cafe points=1 ttl=\(1000 + i) id=h\(i)") }
    let ledger = world.shards[0]
    for i in (1..<300) { _ = try world.run("RELEASE #\(i + 2) id=r\(i)") }
    #expect(ledger.ledger.tables.holdQueue.count == 300)
    _ = try world.run("RELEASE #2 id=r0")
    #expect(ledger.ledger.tables.holdQueue.count >= 300 - Ledger.dropsAnEntry)
    world.time = Stamp(microseconds: world.time.microseconds + 2_000 * 1_000_000)
    _ = try world.run("TICK")
    #expect(ledger.ledger.tables.holdQueue.count == 0)
    #expect(try world.run("CHECK") == "ok")
  }

  @Test func marksKeepEachRecordForItsRetentionAndAnIntervalMoreAtMost() throws {
    var marks = RetentionMarks()
    var random = SeededGenerator(seed: 4)
    var came: [Int64] = []
    var now: Int64 = 1
    let retention = 30 * Self.day
    for _ in 0..<3_000 {
      let latest = now
      for _ in 0..<Int(random.next() % 4) { came.append(now) }
      now += Int64(random.next() % UInt64(random.next() % 50 == 0 ? 4 * Self.day : 3_600_000_000))
      marks.advance(
        to: Stamp(microseconds: now), retention: retention, end: UInt64(came.count), latest: Stamp(microseconds: latest)
      )
      let expired = Int(marks.expiredEnd)
      if expired > 0 { #expect(came[expired - 1] + retention <= now) }
      if expired < came.count {
        #expect(came[expired] + retention + RetentionMarks.interval > now)
        let latest = try #require(marks.latest(of: UInt64(expired))).microseconds
        #expect((came[expired]...came[expired] + RetentionMarks.interval).contains(latest))
      }
      #expect(marks.runs.count <= 722)
    }
    #expect(marks.expiredEnd > 1_000)
    var buffer = ByteBuffer()
    marks.encode(into: &buffer)
    var reader = ByteReader(buffer.bytes)
    #expect(try RetentionMarks(decoding: &reader) == marks)
  }

  /// A request's record keeps its slot, whether it waits, and a position whole: of whichever journal it is.
  @Test func whatARequestWasAnsweredIsKeptWhole() {
    for slot in [0, 4, 16_383] as [UInt16] {
      let key = RequestKey(low: 7, high: .max, fingerprint: 3, slot: Slot(slot))
      for (journal, segment, offset) in [(1, 1, 0), (1 << 18 - 1, 1 << 18 - 1, 1 << 28 - 1), (9, 5, 77)] {
        let position = JournalPosition(
          journal: ShardID(UInt32(journal)), segment: UInt32(segment), offset: UInt64(offset))
        let record = DedupeRecord(key, position)
        #expect(record.isOf(key) && !record.isPending && record.position == position)
        #expect(position.journal.rawValue == journal && position.segment == segment && position.offset == offset)
      }
      let transaction = TransactionID(slot: Slot(slot), sequence: 1 << 48 - 1)
      let record = DedupeRecord(key, pending: transaction)
      #expect(record.isOf(key) && record.isPending && record.transaction == transaction)
      #expect(!record.isOf(RequestKey(low: 7, high: .max, fingerprint: 3, slot: Slot(slot ^ 1))))
      #expect(record.content != DedupeRecord(key, .none).content)
    }
  }

  /// Positions of different journals have no order.
  @Test func positionsHaveAnOrderWithinTheirJournalAlone() {
    let one = JournalPosition(journal: ShardID(1), segment: 2, offset: 5)
    #expect(one.isBefore(one.advanced(by: 1)) && one.advanced(by: 1).isBefore(one.nextSegment))
    #expect(!one.isBefore(one) && !one.nextSegment.isBefore(one))
    let other = JournalPosition(journal: ShardID(2), segment: 9, offset: 0)
    #expect(!one.isBefore(other) && !other.isBefore(one))
    #expect(JournalPosition(beginningOf: ShardID(3)) == JournalPosition(journal: ShardID(3), segment: 1, offset: 0))
  }
}
