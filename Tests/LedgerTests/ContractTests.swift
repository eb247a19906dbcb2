import Base
import Testing

@testable import Ledger

/// What the line protocol promises beyond the rules: transcripts, as in `RuleTests`.
struct ContractTests {
  @Test func historyShowsPointsComeBeforeTheyLapseAtTheirBooking() throws {
    let world = try World.withCafe("earn=1/1 expire=1d backdate=30d", start: "2026-01-10T12:00")
    let transcript = """
      > EARN ann merchant=cafe points=100 id=a
      tx=#1 member=ann program=points points=100 balance=100
      > EARN ann merchant=cafe points=40 id=b at=2026-01-01T12:00
      tx=#2 member=ann program=points points=40 balance=100
      > EARN ann merchant=cafe points=40 id=b at=2026-01-01T12:00
      tx=#2 member=ann program=points points=40 balance=100
      > BALANCE ann
      member=ann program=points balance=100 held=0 available=100 debt=0 expiring=100 expires=2026-01-12T00:00
      > HISTORY ann
      tx=#3 time=2026-01-10T12:00 kind=expire points=-40 balance=100 program=points
      tx=#2 time=2026-01-10T12:00 kind=earn points=40 balance=140 program=points merchant=cafe request=b effective=2026-01-01T12:00
      tx=#1 time=2026-01-10T12:00 kind=earn points=100 balance=100 program=points merchant=cafe request=a
      > REDEEM ann merchant=cafe points=100 id=c
      tx=#4 member=ann program=points points=-100 balance=0
      > REFUND #1 id=d
      tx=#5 of=#1 member=ann points=-100 balance=-100 program=points
      > EARN ann merchant=cafe points=130 id=e at=2026-01-01T12:00
      tx=#6 member=ann program=points points=130 balance=0
      > HISTORY ann limit=2
      tx=#7 time=2026-01-10T12:00 kind=expire points=-30 balance=0 program=points
      tx=#6 time=2026-01-10T12:00 kind=earn points=130 balance=30 program=points merchant=cafe request=e effective=2026-01-01T12:00
      > CHECK
      ok
      """
    #expect(try world.play(transcript) == transcript)
  }

  @Test func pointsThatLapseOnTheirWayToAMemberArriveFirst() throws {
    let world = try World.withCafe("earn=1/1 expire=1d", shards: 2, start: "2026-01-10T12:00")
    _ = try world.run("EARN ann merchant=cafe points=100 id=a")
    func home(_ member: String) -> Int { world.shard(of: Command.memberSlot(lasting(member), tenant: .first)) }
    let ben = try #require((0..<100).map { "ben\($0)" }.first { home($0) != home("ann") })
    #expect(try world.run("MEMBER ADD \(ben)") == "+OK")
    world.holdsPost = true
    #expect(try world.run("TRANSFER ann \(ben) points=60 id=t") == "(pending)")
    world.time = World.stamp("2026-01-12T00:00")
    try world.deliverAll()
    world.holdsPost = false
    let rows = try world.run("HISTORY \(ben)").split(separator: "\n")
    #expect(rows.count == 2 && rows[0].contains("kind=expire points=-60 balance=0"), "\(rows)")
    #expect(rows[1].contains("kind=transfer-in points=60 balance=60"), "\(rows)")
    #expect(try world.run("CHECK") == "ok")
  }

  @Test func aRefundOfNoMoneyTakesNothingAndAPurchaseOfNothingIsUndoneOnce() throws {
    let world = try World.withCafe("earn=1/100")
    let transcript = """
      > EARN ann merchant=cafe spend=1050 id=a
      tx=#1 member=ann program=points points=10 balance=10
      > REFUND #1 spend=0 id=b
      tx=#2 of=#1 member=ann points=0 balance=10 program=points
      > REFUND #1 spend=0 id=b
      tx=#2 of=#1 member=ann points=0 balance=10 program=points
      > REFUND #1 spend=1050 id=c
      tx=#3 of=#1 member=ann points=-10 balance=0 program=points
      > REFUND #1 spend=0 id=d
      -REVERSED left=0
      > EARN ann merchant=cafe spend=0 id=e
      tx=#4 member=ann program=points points=0 balance=0
      > REFUND #4 spend=1 id=f
      -REVERSED left=0
      > REFUND #4 id=g
      tx=#5 of=#4 member=ann points=0 balance=0 program=points
      > REFUND #4 id=g
      tx=#5 of=#4 member=ann points=0 balance=0 program=points
      > REFUND #4 id=h
      -REVERSED left=0
      > EARN ann merchant=cafe spend=0 id=i
      tx=#6 member=ann program=points points=0 balance=0
      > REFUND #6 spend=0 id=j
      tx=#7 of=#6 member=ann points=0 balance=0 program=points
      > REFUND #6 spend=0 id=k
      -REVERSED left=0
      > EARN ann merchant=cafe spend=50 id=l
      tx=#8 member=ann program=points points=0 balance=0
      > REFUND #8 id=m
      tx=#9 of=#8 member=ann points=0 balance=0 program=points
      > REFUND #8 id=n
      -REVERSED left=0
      > CHECK
      ok
      """
    #expect(try world.play(transcript) == transcript)
  }

  @Test func aHoldIsNoPurchaseToRefundUntilItIsCaptured() throws {
    let world = try World.withCafe()
    let transcript = """
      > EARN ann merchant=cafe points=100 id=a
      tx=#1 member=ann program=points points=100 balance=100
      > HOLD ann merchant=cafe points=60 id=b
      tx=#2 member=ann program=points points=60 balance=100 available=40 expires=2026-01-15T12:15
      > REFUND #2 id=c
      -ERR tx: the hold is open, which is undone by RELEASE
      > CAPTURE #2 id=d
      tx=#3 of=#2 member=ann program=points points=-60 balance=40 available=40
      > REFUND #2 id=c
      tx=#4 of=#3 member=ann points=60 balance=100 program=points
      > HOLD ann merchant=cafe points=60 id=e
      tx=#5 member=ann program=points points=60 balance=100 available=40 expires=2026-01-15T12:15
      > RELEASE #5 id=f
      tx=#6 of=#5 member=ann program=points points=60 balance=100 available=100
      > REFUND #5 id=g
      -ERR tx: the hold was released, which leaves nothing to refund
      > REFUND #6 id=g
      -ERR tx: only an earn, a redeem or a capture is refunded
      > CHECK
      ok
      """
    #expect(try world.play(transcript) == transcript)
  }

  @Test func aTransactionIsFoundForEverByItsNumber() throws {
    var limits = LedgerLimits()
    limits.journalSegmentBytes = 24_576
    let world = World(shards: 2, limits: limits)
    _ = try world.play("> PROGRAM SET points expire=never\n> MERCHANT SET cafe program=points")
    for i in 0..<20 { #expect(try world.run("MEMBER ADD m\(i)") == "+OK") }
    func earn(_ i: Int) throws { _ = try world.run("EARN m\(i % 20) merchant=cafe points=\(i + 1) id=r\(i)") }
    for i in 0..<1200 { try earn(i) }
    let numbers = world.names
    #expect(numbers.count == 1200)
    world.time = Stamp(microseconds: world.time.microseconds + 200 * CivilTime.microsecondsPerDay)
    for i in 1200..<1260 { try earn(i) }
    for shard in world.shards { #expect(shard.ledger.journalEnd.segment >= 4) }
    for i in [0, 1, 17, 399, 400, 1000, 1001, 1198, 1199] {
      let shard = world.shards[world.shard(of: numbers[i].slot)]
      #expect(shard.ledger.findTransaction(numbers[i]) == nil)
      let shown = try world.run("TX SHOW #\(i + 1)")
      #expect(
        shown.hasPrefix("tx=#\(i + 1) ") && shown.contains("kind=earn member=m\(i % 20) points=\(i + 1) "), "\(shown)")
      #expect(try world.run("REFUND #\(i + 1) id=z\(i)") == "-LIMIT which=refund-window")
    }
    let next = TransactionID(slot: numbers[0].slot, sequence: 1_000_000)
    world.names.append(next)
    #expect(try world.run("TX SHOW #\(world.names.count)") == "-NOTFOUND")
    #expect(try world.run("CHECK") == "ok")
  }

  @Test func aNameOf256BytesGoesWithACardToAnotherShard() throws {
    let world = World(shards: 4)
    let name = String(repeating: "x", count: 256)
    let long = String(repeating: "m", count: 63)
    let region = String(repeating: "r", count: 64)
    for i in 0..<4 {
      let card = String(repeating: "c", count: 63) + "\(i)"
      let line =
        "MEMBER ADD \(long)\(i) name=\(name) region=\(region) card=\(card) id=\(String(repeating: "i", count: 64))"
      #expect(try world.run(line) == "+OK")
      #expect(try world.run("MEMBER SHOW \(long)\(i)").contains("name=\(name) region=\(region) cards=\(card) "))
    }
  }

  @Test func aCardRemembersItsHoldersAndIsRefusedBeforeItForgetsOneTooEarly() throws {
    let world = World(shards: 2)
    for i in 0..<20 { #expect(try world.run("MEMBER ADD h\(i)") == "+OK") }
    #expect(try world.run("CARD ADD c member=h0") == "+OK")
    for i in 1...16 {
      #expect(try world.run("CARD REMOVE c") == "+OK")
      #expect(try world.run("CARD ADD c member=h\(i)") == "+OK")
    }
    var query = ByteBuffer()
    Query.appendCard(to: &query, tenant: .first, number: lasting("c"))
    let former = (0..<16).reversed().map { "h\($0)" }.joined(separator: ",")
    #expect(try world.ask(query.array) == "card=c member=h16 state=active former=\(former)")
    #expect(try world.run("CARD REMOVE c") == "+OK")
    #expect(try world.run("CARD ADD c member=h17") == "-LIMIT which=holders")
    // Back to one who held it before: no other to remember.
    #expect(try world.run("CARD ADD c member=h3") == "+OK")
    #expect(try world.run("CARD REMOVE c") == "+OK")
    world.time = Stamp(microseconds: world.time.microseconds + 31 * CivilTime.microsecondsPerDay)
    #expect(try world.run("CARD ADD c member=h17") == "+OK")
    #expect(try world.ask(query.array) == "card=c member=h17 state=active former=h3")
    #expect(try world.run("CHECK") == "ok")
    let restored = try Ledger.restored(from: MemorySnapshotSource(world.shards[0].snapshotBytes()))
    let (kept, original) = (restored.recomputeDigest(), world.shards[0].ledger.digest)
    #expect(kept == original)
  }
}
