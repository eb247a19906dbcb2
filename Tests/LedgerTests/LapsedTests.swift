import Base
import Testing

@testable import Ledger

/// R7: what of a purchase lapsed unspent is refunded from breakage, and from nothing else.
struct LapsedTests {
  private func pass(_ world: World, days: Int64) throws {
    world.time = Stamp(microseconds: world.time.microseconds + days * CivilTime.microsecondsPerDay)
    _ = try world.run("TICK")
  }

  @Test func whatLapsedAsItWasBookedComesFromBreakage() throws {
    let transcript = try Transcript(file: "refund-of-a-late-purchase.txt")
    let world = World(shards: transcript.shards)
    #expect(try transcript.replayed(on: world) == transcript.text)
    let figures = world.shards[0].ledger.auditFigures().programs[0]
    #expect(figures[.breakage] == 0 && figures[.merchantIssues] == -30)
  }

  /// What remains of the lot, what lapsed of it, any other points, debt.
  @Test func whatIsTakenBackIsTakenInTheOrderOfTheRule() throws {
    let world = try World.withCafe("earn=1/1 expire=30d", start: "2026-03-01T12:00")
    func breakage() -> Int128 { world.shards[0].ledger.auditFigures().programs[0][.breakage] }
    _ = try world.run("EARN ann merchant=cafe points=100 id=a")
    _ = try world.run("EARN ann merchant=cafe points=50 id=b")
    _ = try world.run("REDEEM ann merchant=cafe points=30 id=c")
    _ = try world.run("HOLD ann merchant=cafe points=40 id=d ttl=2592000")
    try pass(world, days: 25)
    _ = try world.run("EARN ann merchant=cafe points=25 id=e")
    // What remains of the lot comes first: nothing has lapsed yet.
    #expect(try world.run("REFUND #1 points=10 id=f").contains("points=-10 balance=135"))
    try pass(world, days: 6)
    // Of 150 were 30 spent, 10 taken back, 70 lapsed, and 40 are held and lapse when they are released.
    #expect(breakage() == 110)
    #expect(try world.run("BALANCE ann").contains("balance=25 held=0 available=25"))
    #expect(try world.run("REFUND #1 points=60 id=g").contains("points=-60 balance=25"))
    #expect(breakage() == 50)
    #expect(try world.run("REFUND #2 id=h").contains("points=-50 balance=25"))
    #expect(breakage() == 0)
    // All that lapsed is taken: then other points, then debt.
    #expect(try world.run("REFUND #1 id=i").contains("points=-30 balance=-5"))
    #expect(try world.run("BALANCE ann").contains("balance=-5 held=0 available=0 debt=5"))
    try world.shards[0].ledger.checkInvariants()
  }

  /// Transferred points that lapse are not the purchase's.
  @Test func whatLapsedElsewhereIsNotTaken() throws {
    let world = try World.withCafe("earn=1/1 expire=30d", members: ["ann", "bob"], start: "2026-03-01T12:00")
    _ = try world.run("EARN ann merchant=cafe points=100 id=a")
    _ = try world.run("EARN bob merchant=cafe points=60 id=b")
    _ = try world.run("TRANSFER bob ann points=60 id=t")
    _ = try world.run("REDEEM ann merchant=cafe points=100 id=c")
    try pass(world, days: 31)
    // 60 lapsed at ann, of which some joined from bob: at most what lapsed of the purchase's own lot.
    let ledger = world.shards[0]
    let own = try #require(ledger.ledger.auditFigures().programs.first)[.breakage]
    #expect(own == 60)
    let remembered = (ledger.ledger.tables.lapsed.first..<ledger.ledger.tables.lapsed.end).reduce(Points.zero) {
      $0 + max(0, ledger.ledger.tables.lapsed.read($1).pointee.points)
    }
    #expect(try world.run("REFUND #1 id=d").contains("points=-100 balance=\(remembered - 100)"))
    #expect(try world.run("REFUND #2 id=e").contains("points=-60 balance=-60"))
    try ledger.ledger.checkInvariants()
  }

  @Test func itIsRememberedUntilTheRefundWindowIsOver() throws {
    let world = try World.withCafe(
      "earn=1/1 expire=5d refund-window=60d", members: ["ann", "bob"], start: "2026-03-01T12:00")
    let ledger = world.shards[0]
    var earns: [String] = []
    for day in 0..<150 {
      let reply = try world.run("EARN ann merchant=cafe points=10 id=e\(day)")
      earns.append(String(try #require(reply.split(separator: " ").first?.dropFirst(4))))
      _ = try world.run("EARN bob merchant=cafe points=10 id=e\(day)")
      try pass(world, days: 1)
      if day % 10 == 0 { try ledger.ledger.checkInvariants() }
      // Two lots and a mark a day.
      #expect(ledger.ledger.tables.lapsed.count <= 3 * 63)
      // The oldest that may be refunded still comes from breakage: the balance stays.
      guard day >= 60 else { continue }
      let before = try world.run("BALANCE ann")
      let refund = try world.run("REFUND \(earns[day - 58]) id=r\(day)")
      #expect(refund.hasPrefix("+tx="), "\(day): \(refund)")
      #expect(try world.run("BALANCE ann") == before)
    }
    for _ in 0..<100 {
      try pass(world, days: 1)
      try world.send(world.tick())
    }
    #expect(ledger.ledger.tables.lapsed.isEmpty && ledger.ledger.tables.lapsed.index.count == 0)
    try ledger.ledger.checkInvariants()
  }

  /// Purchases that come late without end lapse into one lot: what is remembered of it stays within its bound.
  @Test func whatLapsesOfOneLotWithoutEndIsBounded() throws {
    let world = try World.withCafe("earn=1/1 expire=30d backdate=100d", start: "2026-03-01T12:00")
    for i in 0..<9_400 {
      let reply = try world.run(
        "EARN ann merchant=cafe points=\(Ledger.largestAmount) id=b\(i) at=2026-01-20T12:00")
      try #require(reply.hasSuffix(" balance=0"), "\(i): \(reply)")
      world.names.removeLast(world.names.count - 1)
    }
    #expect(try world.run("REFUND #1 id=r").hasSuffix(" balance=0 program=points"))
    try world.shards[0].ledger.checkInvariants()
  }

  /// Against a model of the rule: one member, one program, lots by their expiry.
  @Test(arguments: 0..<8 as Range<UInt64>) func refundsFollowTheRuleWhateverLapsed(seed: UInt64) throws {
    let world = try World.withCafe("earn=1/1 expire=6d backdate=20d refund-window=40d", start: "2026-03-01T00:00")
    var random = SeededGenerator(seed: 1_800 + seed)
    func pick(_ n: Int) -> Int { Int(random.next() % UInt64(n)) }
    struct Lot {
      var available: Int64 = 0
      var lapsed: Int64 = 0
    }
    var day = 0
    var lots: [Int: Lot] = [:]
    var earns: [(tx: String, expiry: Int, left: Int64)] = []
    var debt: Int64 = 0
    var breakage: Int64 = 0
    func lapse() {
      for expiry in lots.keys.sorted() where expiry <= day {
        let points = lots[expiry]?.available ?? 0
        lots[expiry]?.available = 0
        lots[expiry]?.lapsed += points
        breakage += points
      }
    }
    func takeFromAny(_ points: Int64) -> Int64 {
      var left = points
      for expiry in lots.keys.sorted() {
        let part = min(left, lots[expiry]?.available ?? 0)
        lots[expiry]?.available -= part
        left -= part
      }
      return left
    }
    world.afterEntry = { try world.shards[$0].ledger.checkInvariants() }
    for step in 0..<300 {
      switch pick(8) {
      case 0, 1:
        let points = Int64(1 + pick(90))
        let late = pick(3) == 0 ? pick(15) : 0
        let at = CivilTime.midnight(ofDay: CivilTime.day(of: world.time, offset: 0) - Int64(late), offset: 0)
        let text = late == 0 ? "" : " at=\(World.text(at))"
        let reply = try world.run("EARN ann merchant=cafe points=\(points) id=e\(step)\(text)")
        earns.append((String(try #require(reply.split(separator: " ").first?.dropFirst(4))), day - late + 7, points))
        let repaid = min(debt, points)
        debt -= repaid
        lots[day - late + 7, default: Lot()].available += points - repaid
        lapse()
      case 2:
        let there = lots.values.reduce(0) { $0 + $1.available }
        let points = Int64(1 + pick(60))
        let reply = try world.run("REDEEM ann merchant=cafe points=\(points) id=s\(step)")
        #expect(reply.hasPrefix("+tx=") == (points <= there), "\(reply)")
        if points <= there { _ = takeFromAny(points) }
      case 3, 4:
        day += 1
        world.time = World.stamp("2026-03-01T00:00")
        world.time = Stamp(
          microseconds: world.time.microseconds + Int64(day) * CivilTime.microsecondsPerDay + Int64(step) * 1_000_000)
        lapse()
        if pick(2) == 0 { _ = try world.run("TICK") }
      default:
        guard !earns.isEmpty else { continue }
        let place = pick(earns.count)
        let points = pick(2) == 0 ? earns[place].left : Int64(1 + pick(40))
        let reply = try world.run("REFUND \(earns[place].tx) points=\(max(1, points)) id=r\(step)")
        guard reply.hasPrefix("+tx=") else { continue }
        #expect(points <= earns[place].left)
        earns[place].left -= points
        var lot = lots[earns[place].expiry] ?? Lot()
        let own = min(points, lot.available)
        let back = min(points - own, lot.lapsed)
        lot.available -= own
        lot.lapsed -= back
        lots[earns[place].expiry] = lot
        breakage -= back
        debt += takeFromAny(points - own - back)
      }
      let there = lots.values.reduce(0) { $0 + $1.available }
      let balance = try world.run("BALANCE ann")
      if balance.hasPrefix("+member") {
        // What nobody has touched is booked when somebody does.
        _ = try world.run("EARN ann merchant=cafe spend=0 id=t\(step)")
        #expect(try world.run("BALANCE ann").contains("balance=\(there - debt) held=0 available=\(there) debt=\(debt)"))
        #expect(world.shards[0].ledger.auditFigures().programs[0][.breakage] == Int128(breakage))
      }
    }
  }

  // MARK: Closed members

  @Test(arguments: [0, 3] as [Int64])
  func whatComesBackToAMemberClosedMeanwhileLapses(debt: Int64) throws {
    let world = try World.withCafe("earn=1/1 expire=30d", members: ["ann"], shards: 2, start: "2026-03-01T12:00")
    let far = try #require((0..<50).map { "m\($0)" }.first { world.home($0) != world.home("ann") })
    _ = try world.run("EARN ann merchant=cafe points=100 id=a")
    world.holdsPost = true
    #expect(try world.run("TRANSFER ann \(far) points=60 id=t") == "(pending)")
    if debt > 0 {
      _ = try world.run("REFUND #1 points=\(40 + debt) id=r")
      #expect(try world.run("BALANCE ann").contains(" balance=-\(debt) "))
    }
    #expect(try world.run("MEMBER CLOSE ann") == "+OK")
    let home = world.home("ann")
    let before = world.shards[home].ledger.auditFigures().programs[0][.breakage]
    world.afterEntry = { try world.shards[$0].ledger.checkInvariants() }
    world.holdsPost = false
    try world.deliverAll()
    #expect(try world.run("BALANCE ann").contains(" balance=0 held=0 available=0 debt=0"))
    #expect(world.shards[home].ledger.auditFigures().programs[0][.breakage] == before + Int128(60 - debt))
    let history = try world.run("HISTORY ann limit=2").rows
    #expect(history[0].contains("kind=close points=-\(60 - debt) balance=0"), "\(history)")
    #expect(history[1].contains("kind=transfer-back points=60"), "\(history)")
    #expect(try world.run("TRANSFER ann \(far) points=60 id=t").isError("NOTFOUND"))
  }
}
