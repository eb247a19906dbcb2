import Base
import Testing

@testable import Ledger

/// What the line protocol promises beyond the rules, where it takes more than a transcript to see.
struct ContractTests {
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
    let rows = try world.run("HISTORY \(ben)").rows
    #expect(rows.count == 2 && rows[0].contains("kind=expire points=-60 balance=0"), "\(rows)")
    #expect(rows[1].contains("kind=transfer-in points=60 balance=60"), "\(rows)")
    #expect(try world.run("CHECK") == "ok")
  }

  @Test func aTransactionIsFoundForEverByItsNumber() throws {
    var limits = LedgerLimits()
    limits.journalSegmentBytes = 24_576
    let world = World(shards: 2, limits: limits)
    for line in ["PROGRAM SET points expire=never", "MERCHANT SET cafe program=points"] { _ = try world.run(line) }
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
        shown.hasPrefix("+tx=#\(i + 1) ") && shown.contains("kind=earn member=m\(i % 20) points=\(i + 1) "), "\(shown)")
      #expect(try world.run("REFUND #\(i + 1) id=z\(i)").isError("LIMIT", "which=refund-window"))
    }
    let next = TransactionID(slot: numbers[0].slot, sequence: 1_000_000)
    world.names.append(next)
    #expect(try world.run("TX SHOW #\(world.names.count)").isError("NOTFOUND"))
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
    #expect(try world.ask(query.array) == "+card=c member=h16 state=active former=\(former)")
    #expect(try world.run("CARD REMOVE c") == "+OK")
    #expect(try world.run("CARD ADD c member=h17").isError("LIMIT", "which=holders"))
    // Back to one who held it before: no other to remember.
    #expect(try world.run("CARD ADD c member=h3") == "+OK")
    #expect(try world.run("CARD REMOVE c") == "+OK")
    world.time = Stamp(microseconds: world.time.microseconds + 31 * CivilTime.microsecondsPerDay)
    #expect(try world.run("CARD ADD c member=h17") == "+OK")
    #expect(try world.ask(query.array) == "+card=c member=h17 state=active former=h3")
    #expect(try world.run("CHECK") == "ok")
    let restored = try Ledger.restored(from: MemorySnapshotSource(world.shards[0].snapshotBytes()))
    let (kept, original) = (restored.recomputeDigest(), world.shards[0].ledger.digest)
    #expect(kept == original)
  }
}
