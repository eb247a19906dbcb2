import Base
import Testing

@testable import Ledger

struct LedgerUnitTests {
  @Test func recordsHaveTheirSizesAndNoPadding() {
    #expect(MemoryLayout<MemberRecord>.stride == 192)
    #expect(MemoryLayout<MemberRecord>.offset(of: \.account) == MemberRecord.accountOffset)
    #expect(MemoryLayout<MemberRecord>.offset(of: \.lot) == MemberRecord.lotOffset)
    #expect(MemoryLayout<AccountRecord>.stride == 48)
    #expect(MemoryLayout<LotRecord>.stride == 80)
    #expect(MemoryLayout<TransactionRecord>.stride == 112)
    #expect(MemoryLayout<PastTable.Block>.stride == 144)
    #expect(MemoryLayout<DedupeRecord>.stride == 32)
    #expect(MemoryLayout<TakeRecord>.stride == 40)
    #expect(MemoryLayout<InboxRecord>.stride == 32)
  }

  /// What a member costs for good: its transactions and request ids are forgotten again.
  @Test func aMemberWithOneAccountAndOneLotTakesAtMost250Bytes() throws {
    var limits = LedgerLimits()
    limits.transactionSeconds = 181 * 86_400
    let world = World(limits: limits)
    func pass(days: Int64) { world.time = Stamp(microseconds: world.time.microseconds + days * 86_400 * 1_000_000) }
    _ = try world.run("PROGRAM SET p earn=1/1")
    _ = try world.run("MERCHANT SET c")
    let empty = world.shards[0].ledger.memoryByteCount
    let count = 6_000
    for i in 0..<count {
      _ = try world.run("MEMBER ADD m\(10_000_000 + i)")
      _ = try world.run("EARN m\(10_000_000 + i) merchant=c spend=5 id=x")
      if i % 100 == 0 { pass(days: 10) }
    }
    pass(days: 100)
    for _ in 0..<10 { _ = try world.send(world.tick()) }
    #expect(try world.run("BALANCE m10000000").contains("balance=5"))
    let bytes = (world.shards[0].ledger.memoryByteCount - empty) / count
    #expect(bytes <= 250, "\(bytes) bytes a member")
  }

  @Test func monthsEndOnCalendarBoundariesInTheProgramsZone() {
    let rule = ExpiryRule(unit: .months, count: 12)
    let end = rule.end(earnedAt: World.stamp("2024-02-29T23:30"), offset: 0)
    #expect(World.text(end) == "2025-03-01T00:00")
    // Half an hour before midnight in UTC is March already at +08:00.
    let east = rule.end(earnedAt: World.stamp("2024-02-29T23:30"), offset: 8 * 3600 * 1_000_000)
    #expect(World.text(east) == "2025-03-31T16:00")
    let days = ExpiryRule(unit: .days, count: 2).end(earnedAt: World.stamp("2026-12-30T10:00"), offset: 0)
    #expect(World.text(days) == "2027-01-02T00:00")
  }

  @Test func civilDatesAgreeWithADayByDayCount() {
    var (year, month, day): (Int64, Int64, Int64) = (1970, 1, 1)
    let lengths: [Int64] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    for n in 0..<80_000 as Range<Int64> {
      #expect(CivilTime.days(year: year, month: month, day: day) == n)
      #expect(CivilTime.yearAndMonth(day: n) == (year, month))
      let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
      day += 1
      if day > lengths[Int(month - 1)] + (month == 2 && isLeap ? 1 : 0) { (month, day) = (month + 1, 1) }
      if month > 12 { (year, month) = (year + 1, 1) }
    }
  }

  @Test func ratesRoundDownOnceAndNeverOverflow() {
    let rate = EarnRate(points: 999_999_937, money: 7)
    #expect(rate.points(forSpend: 1_000_000, largest: .max) == 142_857_133_857_142)
    #expect(rate.points(forSpend: 1_000_000_000_000_000, largest: 1_000_000_000_000_000) == nil)
    #expect(
      EarnRate(points: 1_000_000_000, money: 1_000_000_000).points(forSpend: 999_999_999_999_999, largest: .max)
        == 999_999_999_999_999)
  }

  @Test func aCatalogueIsDecidedOnceAndReadsBackTheSame() throws {
    let world = World()
    for i in 0..<60 { _ = try world.run("MERCHANT SET m\(i) earn=\(i)/100 region=r") }
    _ = try world.run("PROGRAM SET p expire=30d")
    #expect(try world.run("PROGRAM SET p expire=30d") == "+OK")
    #expect(world.directory.version == 61)
    #expect(world.shards[0].ledger.catalogueVersion == 61)
    let copy = try Entries(reading: world.directory.written())
    #expect(copy.version == 61 && copy.written() == world.directory.written())
    var catalogue = ByteBuffer()
    world.shards[0].ledger.catalogue.records.write { catalogue.append($0) }
    var source = MemorySnapshotSource(catalogue.array)
    let again = try Catalogue(restoring: &source, key: .none)
    #expect(again.version == 61 && again.programs == world.shards[0].ledger.catalogue.programs)
    #expect(again.merchants == world.shards[0].ledger.catalogue.merchants)
    #expect(withBytes("m59") { again.merchant($0, tenant: .first) } == MerchantRef(place: 59))
    #expect(withBytes("m60") { again.merchant($0, tenant: .first) } == nil)
  }

  @Test func requestIDsAreForgottenAfterTheirRetentionAndNotBefore() throws {
    let world = World()
    _ = try world.run("PROGRAM SET p earn=1/1")
    _ = try world.run("MERCHANT SET c")
    _ = try world.run("MEMBER ADD a")
    _ = try world.run("EARN a merchant=c spend=5 id=x")
    world.time = Stamp(microseconds: world.time.microseconds + (30 * 86_400 - 1) * 1_000_000)
    #expect(try world.run("EARN a merchant=c spend=5 id=x").hasSuffix("balance=5"))
    world.time = Stamp(microseconds: world.time.microseconds + 2 * 1_000_000)
    #expect(try world.run("EARN a merchant=c spend=5 id=x").hasSuffix("balance=10"))
    #expect(try world.run("CHECK") == "ok")
  }

  @Test func transactionsLeaveTheStateAfterEveryRefundWindow() throws {
    let world = World()
    _ = try world.run("PROGRAM SET p earn=1/1 refund-window=50d")
    _ = try world.run("MERCHANT SET c")
    _ = try world.run("MEMBER ADD a")
    for i in 0..<20 { _ = try world.run("EARN a merchant=c spend=5 id=x\(i)") }
    _ = try world.run("REDEEM a merchant=c points=7 id=y")
    world.time = Stamp(microseconds: world.time.microseconds + 51 * 86_400 * 1_000_000)
    #expect(try world.run("REFUND #1 id=z").isError("LIMIT", "which=refund-window"))
    #expect(world.shards[0].ledger.tables.transactions.count == 0)
    #expect(try world.run("CHECK") == "ok")
    #expect(try world.run("HISTORY a limit=1").contains("points=-7"))
  }

  @Test func theFrameChainVouchesForTheWholeJournal() throws {
    let world = World()
    _ = try world.run("PROGRAM SET p earn=1/1")
    _ = try world.run("MERCHANT SET c")
    _ = try world.run("MEMBER ADD a")
    for i in 0..<9 { _ = try world.run("EARN a merchant=c spend=5 id=x\(i)") }
    let bytes = world.shards[0].journal.segments[1] ?? []
    var chain = SHA256.Digest()
    var at = 0
    while at < bytes.count {
      let count = bytes.withUnsafeBytes { Int($0.loadUnaligned(fromByteOffset: at + 4, as: UInt32.self)) }
      #expect(Array(bytes[at + 24..<at + 56]) == chain.withBytes { Array($0) })
      chain = SHA256.digest(Array(bytes[at..<at + count]))
      at += count
    }
    #expect(chain == world.shards[0].ledger.journalChain)
    // One flipped bit is seen by whoever reads the record.
    world.shards[0].journal.segments[1]?[bytes.count - 5] ^= 1
    #expect(throws: JournalCorruption.self) { try world.run("HISTORY a") }
  }

  @Test func anAuditTellsTheShardsFigures() throws {
    let world = World()
    _ = try world.run("PROGRAM SET p earn=1/1")
    _ = try world.run("MERCHANT SET c")
    _ = try world.run("MEMBER ADD a")
    _ = try world.run("EARN a merchant=c spend=5 id=x")
    var buffer = ByteBuffer()
    Command.appendMarker(to: &buffer, slot: Slot(0))
    let text = try world.send(buffer.array).text
    #expect(text.hasPrefix("+shard=1 index=5 accounts=1 transactions=1 sum=0 intransit=0 digest="))
    let figures = world.shards[0].ledger.auditFigures()
    #expect(figures.programs[0][.members] == 5 && figures.programs[0][.merchantIssues] == -5)
  }

  @Test func moreThanTheLotsAMemberMayHaveAreRefused() throws {
    var limits = LedgerLimits()
    limits.lotsPerMember = 3
    let world = World(limits: limits)
    _ = try world.run("PROGRAM SET p earn=1/1 expire=300d")
    _ = try world.run("MERCHANT SET c")
    _ = try world.run("MEMBER ADD a")
    for i in 0..<5 {
      let reply = try world.run("EARN a merchant=c spend=5 id=x\(i)")
      #expect(i < 3 ? reply.hasSuffix("balance=\(5 * (i + 1))") : reply.isError("LIMIT", "which=lots"))
      world.time = Stamp(microseconds: world.time.microseconds + 86_400 * 1_000_000)
    }
    #expect(try world.run("CHECK") == "ok")
  }

  @Test func aSweepBooksInBoundedStepsWhatNobodyTouched() throws {
    var limits = LedgerLimits()
    limits.tickWork = 25
    let world = World(limits: limits)
    _ = try world.run("PROGRAM SET p earn=1/1 expire=1d")
    _ = try world.run("MERCHANT SET c")
    for i in 0..<50 {
      _ = try world.run("MEMBER ADD a\(i)")
      _ = try world.run("EARN a\(i) merchant=c spend=5 id=x")
    }
    _ = try world.run("HOLD a7 merchant=c points=2 id=h")
    world.time = Stamp(microseconds: world.time.microseconds + 3 * 86_400 * 1_000_000)
    _ = try world.send(world.tick())
    #expect(world.shards[0].ledger.nextDeadline != nil)
    #expect(world.shards[0].ledger.auditFigures().programs[0][.breakage] < 20)
    _ = try world.run("TICK")
    #expect((world.shards[0].ledger.nextDeadline ?? .never) > world.time)
    #expect(world.shards[0].ledger.auditFigures().programs[0][.breakage] == 250)
    #expect(try world.run("CHECK") == "ok")
  }
}
