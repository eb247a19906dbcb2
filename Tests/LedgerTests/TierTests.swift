import Base
import Testing

@testable import Ledger

/// Tiers against an oracle, and what no transcript can show of them.
struct TierTests {
  /// A program with three tiers, its merchant, and a member, in a world of one shard.
  private static func open(
    _ oracle: (Int64) -> TierOracle, backdate: Int64, shards: Int = 1
  ) throws -> (World, TierOracle) {
    var limits = LedgerLimits()
    limits.transactionSeconds = 20_000
    limits.journalSegmentBytes = 1 << 20
    let world = World(shards: shards, limits: limits, start: "2024-02-29T09:00")
    world.semantics = Semantics.newest
    let own = oracle(CivilTime.day(of: world.time, offset: 0))
    let activate = own.activate > 0 ? " activate=\(own.activate)d" : ""
    var lines = [
      "PROGRAM SET gold earn=1/100 backdate=\(backdate)d refund-window=900d\(activate)", "MERCHANT SET shop",
    ]
    for (rank, tier) in own.tiers.enumerated() {
      lines.append(
        "TIER SET gold \(tier.name) rank=\(rank) at=\(tier.at) by=\(own.by.rawValue) period=\(own.span.rawValue)"
          + " down=\(own.down.rawValue)" + (tier.gift > 0 ? " gift=points:\(tier.gift)" : ""))
    }
    for line in lines + ["MEMBER ADD ann"] { #expect(try world.run(line) == "+OK", "\(line)") }
    return (world, own)
  }
  private static func field(_ name: String, _ reply: String) -> Int64? {
    reply.split(separator: " ").first { $0.hasPrefix("\(name)=") }.flatMap { Int64($0.dropFirst(name.count + 1)) }
  }

  @Test(arguments: Array(1...30) as [UInt64])
  func aMemberIsWhereTheOracleSays(seed: UInt64) throws { try Self.follow(seed) }
  /// A member who earns into a pool of another shard is where one is who has an own account.
  @Test(arguments: Array(31...60) as [UInt64])
  func soIsOneWhoEarnsIntoAPool(seed: UInt64) throws { try Self.follow(seed, isInPool: true) }

  private static func follow(_ seed: UInt64, isInPool: Bool = false) throws {
    var random = SeededGenerator(seed: seed)
    func pick(_ n: Int) -> Int { Int(random.next() % UInt64(n)) }
    let by = TierOracle.By.allCases[pick(3)]
    let scale = (by == .points ? 100 : by == .spend ? 10_000 : 3) * [1, 4, 10][pick(3)] as Int64
    let gifts = (0..<3).map { _ in Int64(pick(2) * 7) }
    let (span, down) = (TierOracle.Span.allCases[pick(3)], TierOracle.Down.allCases[pick(3)])
    let activate = Int64(pick(2) * 9)
    var (world, oracle) = try open(
      { joined in
        TierOracle(
          by: by, span: span, down: down, activate: activate,
          tiers: [
            .init(name: "base", at: 0, gift: 0), .init(name: "silver", at: scale, gift: gifts[1]),
            .init(name: "gold", at: 3 * scale, gift: gifts[2]),
          ], joined: joined)
      }, backdate: 300, shards: isInPool ? 4 : 1)
    if isInPool {
      for line in ["POOL ADD home", "MEMBER SET ann pool=home"] { #expect(try world.run(line) == "+OK", "\(line)") }
    }
    var sales: [(tx: String, day: Int64, points: Int64, spend: Int64, isWhole: Bool)] = []
    for step in 0..<160 {
      let days = Int64(pick(8) == 0 ? pick(pick(6) == 0 ? 900 : 200) : pick(12))
      world.time = Stamp(
        microseconds: world.time.microseconds + days * CivilTime.microsecondsPerDay + Int64(pick(80_000)) * 1_000_000)
      if pick(3) == 0 { _ = try world.run("TICK") }
      let today = CivilTime.day(of: world.time, offset: 0)
      oracle.goOn(to: today)
      if pick(4) == 0, !sales.isEmpty {
        let place = pick(sales.count)
        let sale = sales[place]
        guard !sale.isWhole else { continue }
        let isWhole = pick(2) == 0
        let part = isWhole ? sale.spend : Int64(pick(Int(sale.spend) + 1))
        let reply = try world.run("REFUND \(sale.tx) spend=\(part) id=f\(step)")
        guard let taken = field("points", reply) else {
          #expect(reply.hasPrefix("-"), "\(reply)")
          continue
        }
        oracle.giveBack(points: 0 - taken, spend: part, of: sale.day)
        sales[place].spend -= part
        sales[place].isWhole = sales[place].spend == 0
      } else {
        let spend = Int64(pick(by == .points ? 9_000 : 9_000))
        let day = pick(4) == 0 ? today - Int64(pick(300)) : today
        let at = day < today ? " at=\(World.text(CivilTime.midnight(ofDay: day, offset: 0)))" : ""
        let before = oracle.name
        let reply = try world.run("EARN ann merchant=shop spend=\(spend) id=e\(step)\(at)")
        let points = try #require(field("points", reply), "\(reply)")
        oracle.sell(points: points, spend: spend, on: day)
        let tx = try #require(reply.split(separator: " ").first?.split(separator: "=").last)
        sales.append((String(tx), day, points, spend, spend == 0))
        let isSaid = reply.hasSuffix(" tier=\(oracle.name)")
        // Where a late sale's points count in another period, the pool's slot can't say the tier.
        let isOfAnother = isInPool && activate > 0 && oracle.start(day) != oracle.start(day + activate)
        if !isOfAnother {
          #expect(isSaid == (before != oracle.name), "\(reply) at step \(step): \(before), then \(oracle.name)")
        }
      }
      if isInPool {
        // The member's shard hears what time it is.
        _ = try world.run("MEMBER SET ann name=step-\(step)")
        let balance = try world.run("BALANCE ann")
        #expect(balance.hasSuffix(" tier=\(oracle.name) qualifying=\(oracle.qualifying)"), "\(balance) at step \(step)")
      }
      let reply = try world.run("MEMBER TIER ann")
      let said = reply.split(separator: " ").first { $0.hasPrefix("tier=") }.map { String($0.dropFirst(5)) }
      #expect(said == oracle.name, "\(reply) at step \(step)")
      #expect(field("qualifying", reply) == oracle.qualifying, "\(reply) at step \(step)")
      #expect(field("needed", reply) == oracle.needed, "\(reply) at step \(step)")
      if step % 10 == 9 { for shard in world.shards { try shard.ledger.checkInvariants() } }
    }
    _ = try world.run("TICK")
    let given = try world.run("HISTORY \(isInPool ? "home" : "ann") limit=1000").rows.filter {
      $0.contains(" kind=gift ")
    }
    .reduce(0) { $0 + (field("points", $1) ?? 0) }
    #expect(given == oracle.gifts)
  }

  /// The ends of periods of many members: each step of the sweep does so much and no more, and a read does not wait for it.
  @Test func endsOfPeriodsAreGoneOverInSteps() throws {
    var limits = LedgerLimits()
    limits.tickWork = 40
    let world = World(limits: limits)
    world.semantics = Semantics.newest
    for line in [
      "PROGRAM SET gold earn=1/100", "MERCHANT SET shop",
      "TIER SET gold base rank=1 at=0 by=spend period=year", "TIER SET gold silver rank=2 at=100 by=spend period=year",
    ] { #expect(try world.run(line) == "+OK") }
    for i in 0..<50 {
      _ = try world.run("MEMBER ADD m\(i)")
      if i % 5 > 0 { _ = try world.run("EARN m\(i) merchant=shop spend=150 id=e") }
    }
    world.time = World.stamp("2028-01-01T00:00")
    let shard = world.shards[0]
    var steps = 0
    while steps < 1_000, let deadline = shard.ledger.nextDeadline, deadline <= world.time {
      try world.send(world.tick(), to: 0)
      steps += 1
      try shard.ledger.checkInvariants()
      for i in 0..<50 {
        let reply = try world.run("MEMBER TIER m\(i)")
        #expect(reply.contains(" tier=base ") && reply.contains(" qualifying=0 "), "\(reply)")
      }
    }
    // Each of 40 members takes more than a step may do.
    #expect(steps >= 40 && steps < 100)
    for i in 0..<50 where i % 5 > 0 {
      let key = CounterKey(.tier, of: 0, from: 0)
      let number = try #require(withBytes("m\(i)") { shard.ledger.findMember($0, tenant: .first) })
      let standing = try #require(TierStanding(packed: shard.ledger.counter(number, key)))
      #expect(Int64(standing.end) == CivilTime.days(year: 2029, month: 1, day: 1))
    }
  }

  /// A sweep that looks for a few goes over the many in steps, too: their counters take longer than an empty place.
  @Test func whoIsLookedAtForNothingCountsAsWork() throws {
    var limits = LedgerLimits()
    limits.tickWork = 160
    let world = World(limits: limits)
    world.semantics = Semantics.newest
    for line in [
      "PROGRAM SET gold earn=1/100 activate=1d", "MERCHANT SET shop", "POOL ADD home",
      "TIER SET gold base rank=1 at=0 by=points period=ever", "TIER SET gold silver rank=2 at=1 by=points period=ever",
    ] { #expect(try world.run(line) == "+OK") }
    for i in 0..<60 { #expect(try world.run("MEMBER ADD m\(i) birthday=1990-02-03") == "+OK") }
    for line in ["MEMBER ADD eve", "MEMBER SET eve pool=home"] { #expect(try world.run(line) == "+OK") }
    #expect(try world.run("EARN eve merchant=shop spend=100 id=e").contains("points=1 "))
    world.time = World.stamp("2026-01-17T00:00")
    let shard = world.shards[0]
    var steps = 0
    while steps < 100, let due = shard.ledger.nextTierDue, due <= world.time {
      try world.send(world.tick(), to: 0)
      steps += 1
    }
    #expect(steps >= 6 && steps < 20, "\(steps)")
    #expect(try world.run("MEMBER TIER eve").contains(" tier=silver "))
    try shard.ledger.checkInvariants()
  }

  /// Where all tiers are stopped nobody is in one, and periods go on ending.
  @Test func tiersThatAreStoppedKeepNoTickWaiting() throws {
    let world = World()
    world.semantics = Semantics.newest
    for line in [
      "PROGRAM SET gold earn=1/100", "MERCHANT SET shop", "MEMBER ADD ann",
      "TIER SET gold base rank=1 at=0 by=spend period=year", "TIER SET gold silver rank=2 at=100 by=spend period=year",
    ] { #expect(try world.run(line) == "+OK") }
    #expect(try world.run("EARN ann merchant=shop spend=150 id=e").hasSuffix(" tier=silver"))
    for tier in ["base", "silver"] { #expect(try world.run("TIER SET gold \(tier) state=stopped") == "+OK") }
    #expect(try world.run("MEMBER TIER ann").isError("NOTFOUND", "TIER SET"))
    #expect(try !world.run("BALANCE ann").contains("tier="))
    #expect(try !world.run("EARN ann merchant=shop spend=900 id=f").contains("tier="))
    world.time = World.stamp("2028-06-01T00:00")
    _ = try world.run("TICK")
    let shard = world.shards[0]
    #expect(
      shard.ledger.nextTierDue == CivilTime.midnight(ofDay: CivilTime.days(year: 2029, month: 1, day: 1), offset: 0))
    try shard.ledger.checkInvariants()
    for tier in ["base", "silver"] { #expect(try world.run("TIER SET gold \(tier) state=active") == "+OK") }
    // Nothing decided at the ends of periods without tiers.
    #expect(try world.run("MEMBER TIER ann").contains(" tier=silver "))
  }

  /// Birthdays in steps, while members come, go and change theirs: each has it once a year.
  @Test func birthdaysAreRaisedOnceAYear() throws {
    var limits = LedgerLimits()
    limits.tickWork = 300
    let world = World(limits: limits, start: "2026-02-01T12:00")
    world.semantics = Semantics.newest
    for line in [
      "PROGRAM SET gold earn=1/100 utc-offset=+08:00", "PROGRAM SET mint earn=1/100",
      "RULE SET gift program=gold stage=bonus event=birthday points=20 state=running",
      "RULE SET later program=mint stage=bonus event=birthday points=3 state=running from=2027-01-01",
    ] { #expect(try world.run(line) == "+OK", "\(line)") }
    for i in 0..<12 { _ = try world.run("MEMBER ADD m\(i) birthday=1990-02-\(i % 2 == 0 ? 28 : 10)") }
    _ = try world.run("MEMBER ADD leap birthday=1992-02-29")
    _ = try world.run("MEMBER ADD frozen birthday=1990-02-28")
    _ = try world.run("MEMBER FREEZE frozen")
    func balance(_ member: String, _ program: String = "gold") throws -> Int64? {
      Self.field("balance", try world.run("BALANCE \(member) program=\(program)"))
    }
    // 28 February begins there eight hours earlier.
    world.time = World.stamp("2026-02-27T15:59")
    _ = try world.run("TICK")
    #expect(try balance("m0") == 0 && balance("m1") == 20)
    world.time = World.stamp("2026-02-27T16:00")
    try world.send(world.tick(), to: 0)
    // Under way: whose turn is next leaves the list, and one that comes late has it next year.
    _ = try world.run("MEMBER SET m10 birthday=1990-05-05")
    _ = try world.run("MEMBER ERASE m8")
    _ = try world.run("MEMBER ADD late birthday=1990-02-28")
    try world.shards[0].ledger.checkInvariants()
    _ = try world.run("TICK")
    try world.shards[0].ledger.checkInvariants()
    for i in [0, 2, 4, 6] { #expect(try balance("m\(i)") == 20, "m\(i)") }
    #expect(try balance("leap") == 20 && balance("late") == 0 && balance("frozen") == 0)
    _ = try world.run("MEMBER SET m0 birthday=1990-03-01")
    world.time = World.stamp("2026-03-05T00:00")
    _ = try world.run("TICK")
    #expect(try balance("m0") == 20 && balance("leap") == 20)
    world.time = World.stamp("2028-02-29T12:00")
    _ = try world.run("TICK")
    #expect(try balance("leap") == 60 && balance("late") == 40 && balance("m10") == 40)
    #expect(try balance("leap", "mint") == 6 && balance("m1", "mint") == 6)
    try world.shards[0].ledger.checkInvariants()
  }

  /// A referrer in any shard has the event once, at the invitee's first purchase.
  @Test func referrersAreRewardedInAnyShard() throws {
    let world = World(shards: 4)
    world.semantics = Semantics.newest
    for line in [
      "PROGRAM SET gold earn=1/100", "MERCHANT SET shop", "MEMBER ADD ann",
      "RULE SET invite program=gold stage=bonus event=referral points=9 state=running",
    ] { #expect(try world.run(line) == "+OK") }
    for i in 0..<8 {
      #expect(try world.run("MEMBER ADD m\(i) referrer=\(i == 7 ? "nobody" : "ann")") == "+OK")
      for j in 0..<2 { _ = try world.run("EARN m\(i) merchant=shop spend=100 id=e\(j)") }
      #expect(try world.run("BALANCE ann").contains(" balance=\(9 * min(7, i + 1)) "))
    }
    for shard in world.shards {
      try shard.ledger.checkInvariants()
      #expect(shard.ledger.openDeliveryCount == 0)
    }
  }

  /// What a period's end costs: with `TIERS_BENCH=1`, of a release build. It prints, and asserts no times.
  @Test func aMillionMembersPeriodsEndInSteps() throws {
    try TierBenchmark.run()
  }
}
