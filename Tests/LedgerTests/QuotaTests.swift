import Base
import Testing
import Vocabulary

@testable import Ledger

/// One number for all shards: never exceeded, nothing lost, and no cut while some shard has points.
@Suite struct QuotaTests {
  private static let members = (0..<16).map { "m\($0)" }

  /// Shards, a quota for each period and one for ever, and a campaign that draws on each.
  static func open(_ shards: Int, byRanges: Bool = false) throws -> World {
    let world = World(shards: shards)
    world.semantics = Semantics.newest
    if byRanges {
      world.goesByRanges = true
      let width = Slot.count / shards
      for place in 0..<shards {
        var buffer = ByteBuffer()
        let end = place + 1 == shards ? Slot.count : width * (place + 1)
        Command.appendBirth(
          to: &buffer, key: .none, ranges: try #require(SlotRanges([width * place..<end])), epoch: 1)
        try world.send(buffer.array, to: place)
      }
    }
    let lines =
      [
        "PROGRAM SET points earn=1/100 refund-policy=debt refund-window=400d backdate=40d",
        "MERCHANT SET cafe program=points",
        "QUOTA SET all limit=2000", "QUOTA SET month limit=900 per=month", "QUOTA SET gate limit=600 when-empty=refuse",
        "CAMPAIGN SET all state=running budget=all", "CAMPAIGN SET month state=running budget=month",
        "CAMPAIGN SET gate state=running budget=gate", "CAMPAIGN SET free state=running",
        "RULE SET all program=points stage=bonus campaign=all when=\"channel = all\" points=40 state=running",
        "RULE SET month program=points stage=bonus campaign=month when=\"channel = month\" points=25 state=running",
        "RULE SET gate program=points stage=bonus campaign=gate when=\"channel = gate\" points=30 state=running",
        "RULE SET free program=points stage=bonus campaign=free when=\"channel = all\" points=3 state=running",
        "RULE SET twice program=points stage=times campaign=all when=\"channel = twice\" times=2/1 state=running",
      ] + members.map { "MEMBER ADD \($0)" }
    for line in lines { try #require(try world.run(line) == "+OK", "\(line)") }
    // Late purchases are of a time in which the rules were there.
    world.time = Stamp(microseconds: world.time.microseconds + 40 * CivilTime.microsecondsPerDay)
    return world
  }

  private static func period(_ quota: String, _ world: World, day: Int64? = nil) throws -> QuotaPeriod {
    let catalogue = world.shards[0].ledger.catalogue
    let number = try #require(withBytes(quota) { catalogue.number(.quota, $0, .first) })
    return try #require(
      catalogue.period(ofQuota: number, day: day ?? CivilTime.day(of: world.time, offset: 0)))
  }
  /// What a period's home has given out, what lies in leases, and what was drawn: all shards together.
  static func figures(_ period: QuotaPeriod, _ world: World) -> (granted: Int64, leased: Int64, drawn: Int64) {
    var sum: (granted: Int64, leased: Int64, drawn: Int64) = (0, 0, 0)
    for shard in world.shards {
      shard.ledger.forEachLease(of: period) { sum.leased += $1.pointee.amount }
      sum.drawn += shard.ledger.drawn(of: period)
      if let home = shard.ledger.findHome(period) {
        sum.granted += shard.ledger.tables.quotas.homes.read(home).pointee.granted
      }
    }
    return sum
  }
  /// All periods that anything is known of.
  static func periods(_ world: World) -> Set<QuotaPeriod> {
    var all: Set<QuotaPeriod> = []
    for shard in world.shards {
      UsedRecord.forEach(in: shard.ledger) { all.insert($0.pointee.period) }
      LeaseRecord.forEach(in: shard.ledger) { all.insert($0.pointee.period) }
    }
    return all
  }
  /// Nothing is on its way: what was given out is drawn or leased.
  static func check(_ world: World) throws {
    for period in periods(world) {
      let sum = figures(period, world)
      #expect(sum.granted == sum.leased + sum.drawn, "\(period)")
    }
    for shard in world.shards {
      #expect(shard.ledger.openDeliveryCount == 0)
      try shard.ledger.checkInvariants()
    }
  }

  /// Random draws, returns, limits and dates, with the sum of draws less returns as oracle.
  struct Oracle {
    var random: SeededGenerator
    var limit = 2_000
    var count = 0
    /// What each transaction drew of `all`, and what came back of it.
    var drawn: [String: (all: Int, points: Int, back: Int)] = [:]
    /// What was drawn of each period, less returns: of `month` by its month.
    var used: [String: Int] = [:]
    var months: [String: (month: String, drawn: Int)] = [:]
    var cuts = 0

    mutating func pick(_ n: Int) -> Int { Int(random.next() % UInt64(n)) }

    mutating func step(_ world: World) throws {
      count += 1
      let member = QuotaTests.members[pick(QuotaTests.members.count)]
      switch pick(12) {
      case 0:
        limit = [1_200, 2_000, 2_600, 400][pick(4)]
        #expect(try world.run("QUOTA SET all limit=\(limit)") == "+OK")
      case 1...3: try refund(world)
      case 4: try month(world, member)
      default: try earn(world, member)
      }
    }
    private func field(_ name: String, _ reply: String) -> Int {
      let word = reply.split(separator: " ").first { $0.drop { $0 == "+" }.hasPrefix("\(name)=") }
      return word.flatMap { Int($0.split(separator: "=")[1]) } ?? 0
    }
    private mutating func earn(_ world: World, _ member: String) throws {
      let (twice, before) = (pick(3) == 0, used["all"] ?? 0)
      let spend = twice ? 1_000 + pick(4_000) : 0
      let reply = try world.run(
        "EARN \(member) merchant=cafe spend=\(spend) channel=\(twice ? "twice" : "all") id=e\(count)")
      if reply.hasPrefix("-UNAVAILABLE") { return }
      try #require(reply.hasPrefix("+"), "\(reply)")
      let points = field("points", reply)
      let (wanted, own) = twice ? (spend / 100, spend / 100) : (40, 3)
      let got = points - own
      // As much as there is, and never more.
      #expect(got == min(wanted, max(0, limit - before)), "\(reply) of \(before) in \(limit)")
      if got < wanted { cuts += 1 }
      used["all"] = before + got
      let tx = String(try #require(reply.split(separator: " ").first { $0.contains("tx=") }).split(separator: "=")[1])
      drawn[tx] = (got, points, 0)
    }
    private mutating func month(_ world: World, _ member: String) throws {
      let back = pick(3) * 13
      let at = Stamp(microseconds: world.time.microseconds - Int64(back) * CivilTime.microsecondsPerDay)
      let (year, month) = CivilTime.yearAndMonth(day: CivilTime.day(of: at, offset: 0))
      let name = "\(year)-\(month)"
      let before = used[name] ?? 0
      let reply = try world.run(
        "EARN \(member) merchant=cafe spend=0 channel=month at=\(at.microseconds / 1_000) id=e\(count)")
      if reply.hasPrefix("-UNAVAILABLE") { return }
      try #require(reply.hasPrefix("+"), "\(reply)")
      let got = field("points", reply)
      #expect(got == min(25, max(0, 900 - before)), "\(reply) of \(before) in \(name)")
      used[name] = before + got
      let tx = String(try #require(reply.split(separator: " ").first { $0.contains("tx=") }).split(separator: "=")[1])
      months[tx] = (name, got)
    }
    private mutating func refund(_ world: World) throws {
      if pick(3) == 0, let tx = months.keys.sorted().first(where: { months[$0]?.drawn ?? 0 > 0 }) {
        let (name, got) = months[tx] ?? ("", 0)
        #expect(try world.run("REFUND \(tx) id=r\(count)").hasPrefix("+"))
        used[name, default: 0] -= got
        months[tx] = nil
        return
      }
      let open = drawn.keys.sorted().filter { drawn[$0].map { $0.points > $0.back } ?? false }
      guard !open.isEmpty else { return }
      let tx = open[pick(open.count)]
      guard var known = drawn[tx] else { return }
      let points = pick(2) == 0 ? known.points - known.back : 1 + pick(known.points - known.back)
      #expect(try world.run("REFUND \(tx) points=\(points) id=r\(count)").hasPrefix("+"))
      let returned = known.all * (known.back + points) / known.points - known.all * known.back / known.points
      used["all", default: 0] -= returned
      known.back += points
      drawn[tx] = known
    }
  }

  @Test(arguments: 1..<5 as Range<UInt64>) func aQuotaIsExactOverAllShards(seed: UInt64) throws {
    let world = try QuotaTests.open([1, 3, 8][Int(seed % 3)])
    var oracle = Oracle(random: SeededGenerator(seed: seed))
    for step in 0..<240 {
      world.time = Stamp(microseconds: world.time.microseconds + Int64(oracle.pick(9_000)) * 1_000_000)
      try oracle.step(world)
      guard step % 30 == 0 else { continue }
      try QuotaTests.check(world)
      #expect(try world.run("USED all") == "+used=\(oracle.used["all"] ?? 0) limit=\(oracle.limit)")
    }
    #expect(oracle.cuts > 10 && world.deferrals > 10)
    try QuotaTests.check(world)
  }

  /// Slots go from shard to shard, with leases and homes, and in the end a shard's books.
  @Test(arguments: 1..<4 as Range<UInt64>) func aQuotaIsExactWhileSlotsMove(seed: UInt64) throws {
    let world = try QuotaTests.open(4, byRanges: true)
    var oracle = Oracle(random: SeededGenerator(seed: seed))
    var moves = PropertyTests.Traffic(random: SeededGenerator(seed: seed + 100))
    var count = 0
    for step in 0..<180 {
      world.time = Stamp(microseconds: world.time.microseconds + Int64(oracle.pick(9_000)) * 1_000_000)
      try oracle.step(world)
      guard step % 8 == 0 else { continue }
      let from = moves.pick(4)
      if let slots = Moving.pick(world, from, &moves),
        try Moving.move(world, slots, from: from, to: (from + 1 + moves.pick(3)) % 4)
      {
        count += 1
      }
      if moves.pick(4) == 0 {
        let shard = world.shards[moves.pick(4)]
        shard.ledger = try Ledger.restored(
          from: MemorySnapshotSource(shard.snapshotBytes()), limits: shard.ledger.limits)
      }
      for shard in world.shards { try shard.ledger.checkInvariants() }
      #expect(try world.run("USED all") == "+used=\(oracle.used["all"] ?? 0) limit=\(oracle.limit)")
    }
    #expect(count > 8 && oracle.cuts > 5)
    // All that the first shard has goes to the second: its slots, then its books.
    while let run = world.shards[0].ledger.ranges.ranges.first { try Moving.move(world, run, from: 0, to: 1) }
    if world.shards[0].ledger.hasBooks { try Moving.move(world, Slot.count..<Slot.count, from: 0, to: 1) }
    let hasBooks = world.shards[0].ledger.hasBooks
    #expect(!hasBooks)
    #expect(try world.run("USED all") == "+used=\(oracle.used["all"] ?? 0) limit=\(oracle.limit)")
    let report = try world.ask(.campaign(.first, id: Array("all".utf8)))
    #expect(
      report["points"] == oracle.drawn.values.reduce(0) { $0 + Int64($1.all - $1.all * $1.back / max(1, $1.points)) })
    try QuotaTests.check(world)
  }

  /// What is on its way is lost, doubled, late and out of order; some shard is not reached for long.
  @Test(arguments: 1..<5 as Range<UInt64>) func nothingIsLostWithMessages(seed: UInt64) throws {
    let world = try QuotaTests.open(5)
    var oracle = Oracle(random: SeededGenerator(seed: seed))
    var random = PropertyTests.Traffic(random: SeededGenerator(seed: seed + 50))
    world.holdsPost = true
    var away: Int?
    var (tries, done, unavailable) = (0, 0, 0)
    for step in 0..<300 {
      world.time = Stamp(microseconds: world.time.microseconds + 100_000)
      if step % 60 == 0 { away = random.pick(3) == 0 ? nil : random.pick(5) }
      let member = QuotaTests.members[random.pick(QuotaTests.members.count)]
      let reply = try world.run("EARN \(member) merchant=cafe spend=0 channel=gate id=g\(oracle.pick(400))")
      tries += 1
      if reply.hasPrefix("+") { done += 1 }
      if reply.hasPrefix("-UNAVAILABLE") { unavailable += 1 }
      if random.pick(5) == 0 { Moving.resend(world) }
      for _ in 0..<random.pick(6) where !world.post.isEmpty {
        let at = random.pick(world.post.count)
        let delivery = world.post[at]
        guard world.shard(of: delivery.to) != away else { continue }
        if random.pick(4) > 0 { world.post.remove(at: at) }
        if random.pick(8) > 0 { try world.send(delivery) }
      }
      if world.post.count > 60 { world.post.removeFirst(world.post.count - 60) }
      // On its way or drawn, it is within the limit.
      let sum = QuotaTests.figures(try QuotaTests.period("gate", world), world)
      #expect(sum.granted <= 600 && sum.drawn + sum.leased <= sum.granted)
    }
    #expect(tries == 300 && done >= 5 && unavailable > 10)
    world.holdsPost = false
    for _ in 0..<4 {
      Moving.resend(world)
      try world.deliverAll()
    }
    try QuotaTests.check(world)
    // The rest is drawn, to the last point.
    var last = ""
    for step in 0..<40 where !last.hasPrefix("-LIMIT") {
      last = try world.run("EARN m\(step % 16) merchant=cafe spend=0 channel=gate id=h\(step)")
    }
    #expect(last.isError("LIMIT", "which=gate"))
    #expect(try world.run("USED gate") == "+used=600 limit=600")
    try QuotaTests.check(world)
  }

  /// A request that waited while its shard could not ask is answered by what is found after it came, not before.
  @Test func whatCameBackBeforeARequestIsThereForIt() throws {
    let world = try QuotaTests.open(3)
    #expect(try world.run("QUOTA SET gate limit=30") == "+OK")
    let first = try world.run("EARN m0 merchant=cafe spend=0 channel=gate id=a")
    #expect(first.contains(" points=30 "))
    let other = try #require(QuotaTests.members.first { world.home($0) != world.home("m0") })
    #expect(try world.run("EARN \(other) merchant=cafe spend=0 channel=gate id=b").hasPrefix("-LIMIT"))
    // An ask is on its way, and its home has collected already: nothing was there.
    let third = try #require(
      QuotaTests.members.first { world.home($0) == world.home(other) && $0 != other })
    world.holdsPost = true
    let asking = try world.build("EARN \(other) merchant=cafe spend=0 channel=gate id=c")
    #expect(try world.send(asking.bytes).outcome == .deferred)
    let early = try #require(world.deferral)
    while let at = world.post.firstIndex(where: { !($0.kind == .delivery && isGrant($0)) }) {
      try world.send(world.post.remove(at: at))
    }
    #expect(world.post.count == 1)
    #expect(try world.run("REFUND \(first.split(separator: " ")[0].dropFirst(4)) id=r").hasPrefix("+"))
    let late = try world.build("EARN \(third) merchant=cafe spend=0 channel=gate id=d")
    #expect(try world.send(late.bytes).outcome == .deferred)
    let deferral = try #require(world.deferral)
    #expect(deferral.awaited == early.awaited)
    world.holdsPost = false
    try world.deliverAll()
    // The answer to that ask is final for the one that had it sent, and says nothing to the other, which asks anew.
    #expect(try world.sendAgain(late.bytes, deferral).contains(" points=30 "))
    #expect(try world.run("USED gate") == "+used=30 limit=30")
  }
  private func isGrant(_ delivery: Delivery) -> Bool {
    delivery.command.withUnsafeBytes { bytes in
      guard let call = try? Call(bytes), call.body.count > 9 else { return false }
      return call.body[9] == QuotaMessage.Kind.grant.rawValue
    }
  }

  /// What was proposed behind a request that waits does not overtake it; nothing is put off once the leader knows.
  @Test func whatStandsBehindARequestThatWaitsIsDeferredToo() throws {
    let world = try QuotaTests.open(1)
    world.holdsPost = true
    world.knowsDeferred = false
    let shard = world.shards[0]
    func outcome(_ line: String) throws -> Outcome { try world.send(world.build(line).bytes).outcome }
    let slot = withBytes("m0") { Command.memberSlot($0, tenant: .first) }
    let first = try world.build("EARN m0 merchant=cafe spend=0 channel=all id=a")
    #expect(try world.send(first.bytes).outcome == .deferred)
    let deferral = try #require(world.deferral)
    #expect(try outcome("EARN m0 merchant=cafe points=5 id=b") == .deferred)
    #expect(world.deferral == .behind && shard.ledger.pausedSlots == [slot])
    // Others go on, and what shards say to each other.
    #expect(try world.run("EARN m1 merchant=cafe points=5 id=c").hasPrefix("+"))
    shard.ledger = try Ledger.restored(from: MemorySnapshotSource(shard.snapshotBytes()), limits: shard.ledger.limits)
    #expect(shard.ledger.pausedSlots == [slot])
    func resume(_ stamp: Stamp) throws {
      var buffer = ByteBuffer()
      Command.appendResume(to: &buffer, slot: slot, through: stamp)
      try world.send(buffer.array)
    }
    // A word of before it waited says nothing of it.
    try resume(Stamp(microseconds: 1))
    #expect(try outcome("EARN m0 merchant=cafe points=5 id=b") == .deferred)
    try resume(world.time)
    #expect(shard.ledger.pausedSlots == [])
    (world.holdsPost, world.knowsDeferred) = (false, true)
    try world.deliverAll()
    let answer = try world.sendAgain(first.bytes, deferral)
    #expect(answer.hasSuffix(" balance=43"), "\(answer)")
    #expect(try world.run("EARN m0 merchant=cafe points=5 id=b").hasSuffix(" balance=48"))
  }

  /// The product's own events draw on budgets like purchases: the first of them, before there is a lease, and the last, for what is left elsewhere.
  @Test func whatTheProductRaisesWaitsForItsBudget() throws {
    let world = try QuotaTests.open(3)
    for line in [
      "QUOTA SET welcome limit=50", "CAMPAIGN SET welcome state=running budget=welcome",
      "RULE SET welcome program=points stage=bonus event=join campaign=welcome points=20 state=running",
    ] { #expect(try world.run(line) == "+OK") }
    let newcomers = (0..<5).map { "n\($0)" }
    for member in newcomers {
      #expect(try world.run("MEMBER ADD \(member)") == "+OK")
      try deliverOpen(world)
    }
    let balances = try newcomers.map { try world.run("BALANCE \($0)").split(separator: " ")[2] }
    #expect(balances == ["balance=20", "balance=20", "balance=10", "balance=0", "balance=0"])
    #expect(try world.run("USED welcome") == "+used=50 limit=50")
    // Who is closed before there are points has none.
    #expect(try world.run("QUOTA SET welcome limit=500") == "+OK")
    world.holdsPost = true
    #expect(try world.run("MEMBER ADD n9") == "+OK")
    #expect(try world.run("MEMBER CLOSE n9") == "+OK")
    world.holdsPost = false
    try deliverOpen(world)
    #expect(try world.run("USED welcome") == "+used=50 limit=500")
    try QuotaTests.check(world)
  }
  /// What has no verdict yet is asked again, as leaders do.
  private func deliverOpen(_ world: World) throws {
    for _ in 0..<20 {
      try world.deliverAll()
      for shard in world.shards {
        var places = DeliveryPlaces()
        shard.ledger.openDeliveries(from: &places, limit: 1_000) { world.post.append($0) }
      }
      if world.post.isEmpty { return }
    }
    Issue.record("deliveries stay open")
  }

  /// A lease is not divided with its shard: whichever half it goes with, the other asks, and all is drawn to the last point.
  @Test(arguments: [true, false]) func aSplitLosesNothingOfALease(doesLeaseGo: Bool) throws {
    let world = try QuotaTests.open(2, byRanges: true)
    func slot(_ member: String) -> Int { Int(withBytes(member) { Command.memberSlot($0, tenant: .first) }.rawValue) }
    let members = QuotaTests.members.filter { world.home($0) == 0 }.sorted { slot($0) < slot($1) }
    let (first, last) = (try #require(members.first), try #require(members.last))
    try #require(slot(first) != slot(last))
    // Its lease lies at the slot of the one who draws, with far more than that drew.
    let drawing = doesLeaseGo ? last : first
    #expect(try world.run("EARN \(drawing) merchant=cafe spend=0 channel=all id=a").contains(" points=43 "))
    let period = try QuotaTests.period("all", world)
    let before = QuotaTests.figures(period, world)
    #expect(before.leased > 200 && before.drawn == 40)
    let end = try #require(world.shards[0].ledger.ranges.ranges.first).upperBound
    #expect(try Moving.move(world, slot(last)..<end, from: 0, to: 1))
    var leased: [Int64] = [0, 0]
    for place in 0..<2 { world.shards[place].ledger.forEachLease(of: period) { leased[place] += $1.pointee.amount } }
    #expect(leased == (doesLeaseGo ? [0, before.leased] : [before.leased, 0]))
    #expect(QuotaTests.figures(period, world) == before)
    try QuotaTests.check(world)
    var drawn = 40
    for step in 0..<60 {
      let answer = try world.run("EARN \(step % 2 == 0 ? first : last) merchant=cafe spend=0 channel=all id=s\(step)")
      #expect(answer.contains(" points=\(3 + min(40, 2_000 - drawn)) "), "\(answer)")
      drawn += min(40, 2_000 - drawn)
    }
    #expect(try world.run("USED all") == "+used=2000 limit=2000")
    try QuotaTests.check(world)
  }

  /// R18: what comes back makes room in the cap's window.
  @Test func aReturnGivesItsRoomBackToTheCap() throws {
    let world = try QuotaTests.open(1)
    #expect(try world.run("PROGRAM SET points earn-cap=50/day") == "+OK")
    let first = try world.run("EARN m0 merchant=cafe spend=5000 id=a")
    #expect(first.contains(" points=50 "))
    #expect(try world.run("EARN m0 merchant=cafe spend=5000 id=b").contains(" points=0 "))
    #expect(try world.run("REFUND \(first.split(separator: " ")[0].dropFirst(4)) points=20 id=r").hasPrefix("+"))
    #expect(try world.run("EARN m0 merchant=cafe spend=5000 id=c").contains(" points=20 "))
  }

  /// A job extends each member once, also those that go to another shard meanwhile, or come from one.
  @Test(arguments: 1..<4 as Range<UInt64>) func aJobReachesAllMembers(seed: UInt64) throws {
    let world = try QuotaTests.open(3, byRanges: true)
    #expect(try world.run("PROGRAM SET points expire=10d") == "+OK")
    for member in QuotaTests.members { _ = try world.run("EARN \(member) merchant=cafe points=7 id=j\(member)") }
    var random = PropertyTests.Traffic(random: SeededGenerator(seed: seed))
    let until = world.time.microseconds + 90 * CivilTime.microsecondsPerDay
    func start(_ place: Int, _ reason: String = "r") throws -> String {
      var buffer = ByteBuffer()
      let slot = world.shards[place].ledger.ranges.first ?? Slot(0)
      withBytes(reason) { reason in
        withBytes("x") { id in
          Command.appendJob(
            to: &buffer, slot: slot, tenant: .first, program: Command.none, until: until, reason: reason, id: id)
        }
      }
      return try world.send(buffer.array, to: place).text
    }
    for place in [0, 1] { #expect(try start(place) == "+OK") }
    for _ in 0..<6 {
      let from = random.pick(3)
      if let slots = Moving.pick(world, from, &random) { try Moving.move(world, slots, from: from, to: (from + 1) % 3) }
      if random.pick(2) == 0 { _ = try world.send(world.tick(), to: random.pick(3)) }
    }
    // It comes to the last, and again to the others.
    for place in [2, 0, 1] { #expect(try start(place) == "+OK") }
    #expect(try start(1, "other").hasPrefix("-CONFLICT"))
    for place in [0, 1, 2] { for _ in 0..<4 { _ = try world.send(world.tick(), to: place) } }
    let report = try world.ask(.job(.first, id: Array("x".utf8)))
    #expect(report["up"] == 0 && report["done"] == report["steps"])
    for member in QuotaTests.members {
      #expect(try world.run("BALANCE \(member) expiring=yes").rows.count == 1)
      #expect(try world.run("BALANCE \(member) expiring=yes").contains("points=7 expires="))
      let extended = try world.run("HISTORY \(member)").rows.filter { $0.contains("kind=extend") }
      #expect(extended.count == 1 && extended[0].contains("request=x reason=r"), "\(member)")
    }
    for shard in world.shards {
      try shard.ledger.checkInvariants()
      let next = shard.ledger.nextDeadline ?? .never
      #expect(next > world.time)
    }
  }

  @Test func aHomeIsReadAsItWasWritten() throws {
    var home = QuotaHome()
    for slot in [9, 3, 7, 3] as [UInt16] { _ = home.holder(slot) }
    #expect(home.holders.map(\.slot) == [3, 7, 9])
    home.holders[1].recall = .sent
    home.holders[2].grants = 3
    (home.isCollecting, home.round) = (true, 5)
    home.asks = [.init(slot: 7, need: 5, have: 1, want: 40, ask: TransactionID(rawValue: 77), isServedNext: true)]
    #expect(try QuotaHome(decoding: home.encoded) == home)
    #expect(throws: MalformedBytes.self) { try QuotaHome(decoding: Array(home.encoded.dropLast(3))) }
  }
}
