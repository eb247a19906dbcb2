import Base
import Testing
import Vocabulary

@testable import Ledger

/// Members who earn into one account and spend from it, wherever it lies.
struct PoolTests {
  static func open(_ members: Int, seed: UInt64 = 1) throws -> World {
    let world = try Moving.open([0..<8_192, 8_192..<16_384], seed: seed)
    world.time = World.stamp("2026-02-01T12:00")
    for line in ["PROGRAM SET fam earn=1/10 earn-cap=100/day", "MERCHANT SET shop program=fam", "POOL ADD home"]
      + (0..<members).flatMap({ ["MEMBER ADD k\($0)", "MEMBER SET k\($0) pool=home"] })
    { #expect(try world.run(line) == "+OK", "\(line)") }
    return world
  }

  @Test func aPoolHasSixtyFourMembersAtMost() throws {
    let world = try Self.open(64)
    #expect(try world.run("MEMBER ADD late") == "+OK")
    #expect(try world.run("MEMBER SET late pool=home id=s").isError("LIMIT", "which=pool"))
    #expect(try world.run("MEMBER SET k7 pool=none") == "+OK")
    #expect(try world.run("MEMBER SHOW home").contains("pool-members=63"))
    #expect(try world.run("MEMBER SET late pool=home id=s2") == "+OK")
    #expect(try world.run("MEMBER CLOSE k8") == "+OK")
    #expect(try world.run("MEMBER SHOW home").contains("pool-members=63"))
    // One pool in place of another leaves the first.
    #expect(try world.run("POOL ADD hut") == "+OK")
    #expect(try world.run("MEMBER SET k9 pool=hut") == "+OK")
    #expect(try world.run("MEMBER SHOW home").contains("pool-members=62"))
    #expect(try world.run("MEMBER SHOW hut").contains("pool-members=1"))
    try Moving.check(world)
  }

  /// One movement of a member at a time: two of them could come to the pool in any order.
  @Test func aMovementWaitsForTheOneBeforeIt() throws {
    let world = try Self.open(2)
    world.holdsPost = true
    #expect(try world.run("EARN k0 merchant=shop spend=100 id=a") == "(pending)")
    let second = try world.build("REDEEM k0 merchant=shop points=10 id=b")
    #expect(try world.send(second.bytes).outcome == .deferred)
    let deferral = try #require(world.deferral)
    // Others do not wait for it, nor does who is in no pool.
    #expect(try world.run("EARN k1 merchant=shop spend=100 id=c") == "(pending)")
    #expect(try world.run("MEMBER SET k0 name=Kay") == "+OK")
    world.holdsPost = false
    try world.deliverAll()
    #expect(try world.sendAgain(second.bytes, deferral).contains(" points=-10 balance=10"))
    try Moving.check(world)
  }

  /// Lost, late and repeated messages, slots that move: each purchase is booked once, at the pool, and caps hold.
  @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64]) func eachMovementIsBookedOnce(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let world = try Self.open(4, seed: seed)
    func pick(_ n: Int) -> Int { Int(random.next() % UInt64(n)) }
    var sent: [String] = []
    var moves = 0
    for round in 0..<12 {
      world.holdsPost = true
      for step in 0..<6 {
        let id = "id=r\(round)-\(step)"
        let line =
          switch pick(8) {
          case 0...3: "EARN k\(pick(4)) merchant=shop spend=\(100 + pick(900)) \(id)"
          case 4: "REDEEM k\(pick(4)) merchant=shop points=\(1 + pick(60)) \(id)"
          case 5: "HOLD k\(pick(4)) merchant=shop points=\(1 + pick(40)) \(id)"
          case 6: "CAPTURE #\(1 + pick(max(1, world.names.count))) \(id)"
          default: "REFUND #\(1 + pick(max(1, world.names.count))) \(id)"
          }
        _ = try world.run(line)
        sent.append(line)
        if pick(3) == 0, !world.post.isEmpty { try world.send(world.post.remove(at: pick(world.post.count))) }
      }
      if round % 3 == 1 {
        let from = moves % 2
        moves += 1
        let run = world.shards[from].ledger.ranges.ranges.first
        if let run { try Moving.move(world, run.lowerBound..<run.lowerBound + run.count / 2, from: from, to: 1 - from) }
      }
      try AliasStepTests.deliver(world, &random)
      world.holdsPost = false
      for line in sent.suffix(6) {
        let again = try world.run(line)
        #expect(again != "(pending)", "\(line)")
        #expect(try world.run(line) == again, "\(line)")
      }
      try MemberMergeTests.checkBooks(world)
      var earned: [String: Int] = [:]
      for row in try world.run("HISTORY home limit=1000").rows where row.contains("kind=earn") {
        let fields = world.split(row).keys
        earned[fields["by"] ?? "", default: 0] += Int(fields["points"] ?? "") ?? 0
      }
      // Refunds give room back: so it may be more than a cap, and no more than each has been refunded.
      #expect(earned[""] == nil)
      for i in 0..<4 {
        #expect(try world.run("BALANCE k\(i)").contains("member=k\(i) pool=home program="), "k\(i)")
        #expect(try world.run("HISTORY k\(i)").rows.isEmpty)
      }
    }
  }

  /// A cap is the member's: what the pool refuses has not counted in it.
  @Test func whatThePoolRefusesIsNotCounted() throws {
    let world = try Self.open(2)
    #expect(try world.run("EARN k0 merchant=shop spend=600 id=e1").contains("points=60 balance=60"))
    #expect(try world.run("MEMBER FREEZE home") == "+OK")
    #expect(try world.run("EARN k0 merchant=shop spend=300 id=e2").isError("FROZEN"))
    #expect(try world.run("EARN k0 merchant=shop spend=300 id=e2").isError("FROZEN"))
    #expect(try world.run("MEMBER THAW home") == "+OK")
    #expect(try world.run("EARN k0 merchant=shop spend=900 id=e3").contains("points=40 balance=100 capped=50"))
    #expect(try world.run("EARN k1 merchant=shop spend=900 id=e3").contains("points=90 balance=190"))
    #expect(try world.run("REFUND #1 id=f1").contains("points=-60"))
    #expect(try world.run("EARN k0 merchant=shop spend=900 id=e4").contains("points=60 "))
    try Moving.check(world)
  }

  /// A gift of a purchase that is on its way is not given a second time by what comes meanwhile; one that the pool refuses is not lost.
  @Test(arguments: [false, true]) func aGiftIsGivenOnceWhateverComesMeanwhile(isRefused: Bool) throws {
    let world = try Moving.open([0..<8_192, 8_192..<16_384], seed: 3)
    world.time = World.stamp("2026-02-01T12:00")
    for line in [
      "PROGRAM SET fam earn=1/10", "MERCHANT SET shop program=fam", "POOL ADD home", "MEMBER ADD ann",
      "MEMBER ADD bob referrer=ann",
      "TIER SET fam base rank=1 at=0 by=points period=year",
      "TIER SET fam star rank=2 at=50 by=points period=year gift=points:7",
      "RULE SET invite program=fam stage=bonus event=referral points=60 state=running", "MEMBER SET ann pool=home",
    ] { #expect(try world.run(line) == "+OK", "\(line)") }
    world.holdsPost = true
    #expect(try world.run("EARN ann merchant=shop spend=500 id=a") == "(pending)")
    #expect(try world.run("EARN bob merchant=shop spend=10 id=b").contains("points=1 "))
    // The referral goes to ann's slot and on to the pool before the purchase does.
    let purchase = world.post.removeFirst()
    world.holdsPost = false
    try world.deliverAll()
    #expect(try world.run("MEMBER TIER ann program=fam").contains(" qualifying=60"))
    if isRefused { #expect(try world.run("MEMBER FREEZE home") == "+OK") }
    try world.send(purchase)
    try world.deliverAll()
    if isRefused { #expect(try world.run("MEMBER THAW home") == "+OK") }
    let standing = try world.run("MEMBER TIER ann program=fam")
    #expect(
      standing.contains(" tier=star ") && standing.contains(isRefused ? " qualifying=60" : " qualifying=110"),
      "\(standing)")
    #expect(try world.run("EARN ann merchant=shop spend=500 id=c").contains("points=50"))
    try world.deliverAll()
    let gifts = try world.run("HISTORY home limit=100").rows.filter { $0.contains("kind=gift") }
    #expect(gifts.count == 1 && gifts[0].contains("points=7") && gifts[0].contains("by=ann"))
    #expect(try world.run("MEMBER TIER ann program=fam").contains(" tier=star "))
    try Moving.check(world)
  }
}
