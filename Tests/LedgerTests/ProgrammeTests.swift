import Base
import Testing

@testable import Ledger

/// Random traffic of programs with policies: pending points, points that end with activity, limits, extensions, files of members.
struct ProgrammeTests {
  struct Traffic {
    var common: PropertyTests.Traffic

    init(seed: UInt64) { common = PropertyTests.Traffic(random: SeededGenerator(seed: seed)) }
    private mutating func lines() -> String {
      let all = (0...common.pick(3)).map { _ in
        (["tea", "cup", "mug"][common.pick(3)], 1 + common.pick(3), common.pick(9_000))
      }
      let text = all.map { "\($0.0):\($0.1):\($0.2)" }.joined(separator: ",")
      return "spend=\(all.reduce(0) { $0 + $1.2 }) lines=\(text)"
    }
    mutating func member() -> String { common.pick(6) == 0 ? alias() : common.member() }
    private mutating func alias() -> String { "\(["phone", "mail"][common.pick(2)]):+\(common.pick(4))@a" }
    mutating func line(_ transactions: Int) -> String {
      guard common.pick(3) > 0 else { return common.line(transactions) }
      common.count += 1
      let member = member()
      let id = "id=p\(common.count)"
      let program = "program=\(["wait", "live", "loss"][common.pick(3)])"
      let line: String
      if common.pick(12) == 0 {
        // Some have their birthday in the days that the traffic goes on.
        return "MEMBER SET m\(common.pick(14)) birthday=1990-0\(1 + common.pick(2))-1\(common.pick(10))"
          + " referrer=m\(common.pick(14))"
      }
      switch common.pick(60) == 0 ? 30 : common.pick(25) {
      case 0...2: line = "EARN \(member) merchant=book spend=\(common.pick(90_000)) \(id) \(program)"
      case 3...4:
        line = "EARN \(member) merchant=book \(lines()) \(id) \(program) channel=\(["app", "web"][common.pick(2)])"
      case 5:
        line =
          "EVENT \(member) event=\(["checkin", "none"][common.pick(2)]) value=\(common.pick(900)) \(id) \(program)"
          + ["", " merchant=book x.n=3"][common.pick(2)]
      case 6...7: line = "REDEEM \(member) merchant=book points=\(1 + common.pick(300)) \(id) \(program)"
      case 8:
        line =
          "HOLD \(member) merchant=book points=\(1 + common.pick(200)) ttl=\(1 + common.pick(900_000)) \(id) \(program)"
      case 9...10:
        line = "TRANSFER \(member) m\(common.pick(14)) points=\(1 + common.pick(120)) \(id) \(program)"
      case 11:
        line =
          "MEMBER SET m\(common.pick(14)) class=\(["staff", "guest", "", "dealer"][common.pick(4)]) x.n=\(common.pick(9))"
      case 12:
        line = "MEMBER \(["TAG", "UNTAG"][common.pick(2)]) m\(common.pick(14)) t\(common.pick(9)) t\(common.pick(9))"
      case 13:
        line =
          "EXTEND \(member) until=\(1_770_000_000_000 + Int64(common.pick(60)) * 86_400_000) reason=r \(id) \(program)"
      case 14:
        line = "ALIAS ADD \(alias()) member=m\(common.pick(14)) \(id)"
      case 15:
        line = "ALIAS \(["LOST", "FOUND", "REMOVE"][common.pick(3)]) \(alias())"
      // Who is merged is closed for good: seldom.
      case 30: line = "MEMBER MERGE m\(common.pick(14)) m\(common.pick(14)) \(id)"
      case 21...22:
        line = "MEMBER SET m\(4 + common.pick(10)) pool=\(["p0", "p1", "none", "none"][common.pick(4)]) \(id)"
      case 19:
        line =
          "ADJUST \(member) points=\(1 + common.pick(200)) direction=\(["up", "down"][common.pick(2)]) reason=r \(id) \(program)"
      case 20:
        let tx = common.pick(max(1, transactions)) + 1
        line =
          [
            "CASE OPEN m\(common.pick(14)) kind=\(["dispute", "abuse", "return"][common.pick(3)]) tx=#\(tx) reason=r \(id)",
            "CASE APPROVE #\(tx) \(id)", "CASE REJECT #\(tx) \(id) note=no",
          ][common.pick(3)]
      case 18: line = "MEMBER ERASE m\(common.pick(14)) \(id)"
      case 17: line = "CARD REPLACE c\(common.pick(8)) c\(common.pick(12)) \(id)"
      case 16:
        line = "ALIAS ADD card:c\(common.pick(8)) member=m\(common.pick(14)) type=t\(common.pick(3)) \(id)"
      default:
        line =
          "REFUND #\(common.pick(max(1, transactions)) + 1) \(id)"
          + ["", " points=\(1 + common.pick(200))", " lines=tea:1:\(common.pick(3_000))"][common.pick(3)]
      }
      if line.contains("id=") { common.sent.append(line) }
      return line
    }
  }
  /// Rules that compare much of what is counted and kept.
  static let rules = [
    "PRODUCT SET tea category=drinks", "ORG SET north", "CARDTYPE SET black earn-times=5/4",
    "RULE SET base program=live stage=base when=\"category = drinks\" earn=3/100 state=running",
    "RULE SET fixed program=live stage=fixed when=\"sku = cup\" points=7 state=running",
    "RULE SET twice program=live stage=times when=\"visits >= 3 or since > 2\" times=2/1 state=running",
    "RULE SET app program=live stage=cap when=\"channel = app\" cap=90/day state=running",
    "RULE SET first program=wait stage=bonus when=\"first = yes\" points=50 state=running",
    "RULE SET tagged program=wait stage=bonus when=\"tag = t1 or x.n > 4\" points=9 state=running",
    "RULE SET week program=wait stage=cap cap=400/week state=running",
    "RULE SET checkin program=live stage=base event=checkin earn=1/10 state=running",
    "RULE SET row program=live stage=bonus event=checkin when=\"streak >= 2\" points=5 state=running",
    "RULE SET short program=loss stage=block when=\"class = guest\" state=running until=2026-01-20",
    "PROGRAM SET loss earn-cap=500/day,900/month", "POLICY SET loss staff earn-cap=100/day",
  ]
  /// Tiers of each sort; those that give something change balances at moments at which nobody asks.
  private static func tiers(withGifts: Bool) -> [String] {
    let gift = withGifts ? " gift=points:11" : ""
    let lines = [
      ("wait", "by=points period=12m down=one", [300, 900]), ("live", "by=spend period=year", [30_000, 90_000]),
      ("loss", "by=visits period=ever", [3, 9]),
    ].flatMap { program, rest, at in
      [
        "TIER SET \(program) base rank=1 at=0 \(rest)",
        "TIER SET \(program) silver rank=2 at=\(at[0]) \(rest) earn-times=3/2\(gift)",
        "TIER SET \(program) gold rank=3 at=\(at[1]) \(rest) earn-times=2/1\(gift)",
      ]
    }
    let events = [
      "RULE SET up program=live stage=bonus event=tier-up points=13 state=running",
      "RULE SET waitup program=wait stage=bonus event=tier-up points=5 state=running",
      "RULE SET born program=wait stage=bonus event=birthday points=17 state=running",
      "RULE SET bornlive program=live stage=bonus event=birthday points=19 state=running",
      "RULE SET invite program=live stage=bonus event=referral points=23 state=running",
    ]
    return lines + ["RULE SET tiered program=live stage=bonus when=\"tier = gold\" points=1 state=running"]
      + (withGifts ? events : [])
  }
  static func addPrograms(_ world: World, withGifts: Bool = true) throws {
    world.semantics = Semantics.newest
    for line in [
      "PROGRAM SET wait earn=1/100 activate=3d expire=20d transfer-limit=150 utc-offset=+08:00",
      "PROGRAM SET live earn=1/100 expire=activity:6d refund-policy=reject", "POLICY SET live staff expire=1m",
      "PROGRAM SET loss earn=1/100 expire=0q+5d refund-policy=absorb refund-grace=2d on-close=transfer:m7",
      "POLICY SET loss staff activate=2d expire=activity:4d", "POLICY SET wait guest transfer=no on-close=transfer:m8",
      "POLICY SET points dealer expire=activity:9d activate=1d", "POOL ADD p0", "POOL ADD p1 title=second",
      "MEMBER SET p1 class=staff", "CARDTYPE SET t0", "CARDTYPE SET t1 earn-times=2/1", "CARDTYPE SET t2",
    ] + rules + tiers(withGifts: withGifts) { #expect(try world.run(line) == "+OK", "\(line)") }
  }

  @Test(arguments: [11, 12, 13, 14, 15, 16] as [UInt64])
  func invariantsHoldAndRepeatsAreAnsweredAlike(seed: UInt64) throws {
    let world = try PropertyTests.open(seed % 2 == 0 ? 3 : 1, seed: seed, retentionDays: 365)
    try Self.addPrograms(world)
    var traffic = Traffic(seed: seed)
    var answers: [String: String] = [:]
    world.afterEntry = { try world.shards[$0].ledger.checkInvariants() }
    for step in 0..<700 {
      // Within the retention of request ids.
      world.time = Stamp(microseconds: world.time.microseconds + Int64(traffic.common.pick(7_000)) * 1_000_000)
      if step % 7 == 0 { _ = try world.run("TICK") }
      let line = traffic.line(world.names.count)
      let reply = try world.run(line)
      guard line.contains("id="), !line.contains(":"), !line.hasPrefix("CARD") else { continue }
      if let first = answers[line] {
        #expect(reply == first, "\(line)")
      } else if !reply.hasPrefix("-") {
        answers[line] = reply
      }
    }
    try AliasStepTests.check(world)
    #expect(answers.count > 150)
    for program in world.shards[0].ledger.catalogue.programRefs where program.place > 1 {
      #expect(world.shards.contains { $0.ledger.tables.programs.read(Ref(place: program.place)).pointee.accounts > 0 })
    }
  }

  @Test func whatIsReadIsWhatIsBookedThen() throws {
    let world = try PropertyTests.open(1, seed: 31)
    try Self.addPrograms(world, withGifts: false)
    var traffic = Traffic(seed: 31)
    for step in 0..<500 {
      world.time = Stamp(microseconds: world.time.microseconds + Int64(traffic.common.pick(20_000)) * 1_000_000)
      _ = try world.run(traffic.line(world.names.count))
      guard step % 5 == 0 else { continue }
      // Nothing but the clock moves, by an entry that books nothing of them; then what is due is booked.
      world.time = Stamp(microseconds: world.time.microseconds + 40_000_000_000)
      _ = try world.run("MEMBER ADD now\(step)")
      let member = "m\(traffic.common.pick(14))"
      let questions =
        ["points", "miles", "wait", "live", "loss"].flatMap {
          ["BALANCE \(member) program=\($0)", "BALANCE \(member) expiring=yes program=\($0)"]
        } + ["wait", "live", "loss"].map { "MEMBER TIER \(member) program=\($0)" }
      let read = try questions.map { try world.run($0) }
      for _ in 0..<60 { _ = try world.run("TICK") }
      #expect(try questions.map { try world.run($0) } == read, "\(member) at step \(step)")
    }
  }

  @Test func replicasAgreeAndSlotsTakeAllAlong() throws {
    let world = try Moving.open([0..<8_192, 8_192..<16_384], seed: 5)
    try Self.addPrograms(world)
    var traffic = Traffic(seed: 5)
    for round in 0..<12 {
      for step in 0..<80 {
        world.time = Stamp(microseconds: world.time.microseconds + Int64(traffic.common.pick(9_000)) * 1_000_000)
        if step % 7 == 0 { _ = try world.run("TICK") }
        _ = try world.run(traffic.line(world.names.count))
      }
      let from = round % 2
      let slots = 2_048 + 6_144 * from..<8_192 + 6_144 * from
      let questions = (0..<14).flatMap { member in
        ["wait", "live", "loss"].flatMap {
          ["BALANCE m\(member) program=\($0)", "MEMBER TIER m\(member) program=\($0)"]
        } + ["MEMBER SHOW m\(member)"]
      }
      // Each shard answers by its last entry: all have one now.
      _ = try world.run("TICK")
      let before = try questions.map { try world.run($0) }
      let own = world.shards[from].ledger.ranges.ranges.first { $0.overlaps(slots) }.map { $0.clamped(to: slots) }
      if let own { try Moving.move(world, own, from: from, to: 1 - from) }
      _ = try world.run("TICK")
      let after = try questions.map { try world.run($0) }
      for (place, question) in questions.enumerated() {
        #expect(after[place] == before[place], "\(question) in round \(round)")
      }
      for (place, shard) in world.shards.enumerated() {
        try shard.ledger.checkInvariants()
        let replica = TestShard(place + 1, limits: shard.ledger.limits)
        for (command, stamp) in world.log[place] {
          var reply = ReplyWriter()
          _ = replica.apply(command, stamp: stamp, semantics: Semantics.newest, reply: &reply)
        }
        #expect(replica.ledger.digest == shard.ledger.digest)
        #expect(replica.ledger.journalChain == shard.ledger.journalChain)
        let restored = try Ledger.restored(
          from: MemorySnapshotSource(shard.snapshotBytes()), limits: shard.ledger.limits)
        try restored.checkInvariants()
        #expect(restored.digest == shard.ledger.digest)
      }
    }
    try AliasStepTests.check(world)
  }

  /// What a step says may be longer than its record.
  @Test func aLongFileGoesToAnotherShardWithItsCard() throws {
    let world = World(shards: 4)
    world.semantics = Semantics.newest
    let file = (0..<32).map { "x.n\($0)=\(String(repeating: "v", count: 250))" }.joined(separator: " ")
    for number in 0..<6 {
      #expect(try world.run("MEMBER ADD long\(number) card=n\(number) birthday=1980-02-29 \(file)") == "+OK")
      let shown = try world.run("MEMBER SHOW card:n\(number)")
      #expect(shown.contains("birthday=1980-02-29") && shown.hasSuffix("x.n9=" + String(repeating: "v", count: 250)))
    }
    for shard in world.shards {
      try shard.ledger.checkInvariants()
      #expect(shard.ledger.openDeliveryCount == 0)
    }
  }

  /// What is pending has its bound with what is there already: no number of purchases leads to a figure that does not fit.
  @Test func pendingPointsAreBounded() throws {
    let world = World(shards: 1)
    world.semantics = Semantics.newest
    for line in ["PROGRAM SET gold activate=1d", "MERCHANT SET shop", "MEMBER ADD ann"] {
      #expect(try world.run(line) == "+OK", "\(line)")
    }
    let most = Ledger.largestBalance.rawValue / Ledger.largestAmount.rawValue
    for i in 0..<most {
      #expect(try world.run("EARN ann merchant=shop points=\(Ledger.largestAmount) id=a\(i)").hasPrefix("+"))
    }
    for points in [1, Ledger.largestAmount] {
      #expect(try world.run("EARN ann merchant=shop points=\(points) id=b\(points)").isError("LIMIT", "which=balance"))
    }
    world.time = Stamp(microseconds: world.time.microseconds + 2 * CivilTime.microsecondsPerDay)
    for _ in 0..<3 { _ = try world.run("TICK") }
    #expect(try world.run("BALANCE ann").contains(" balance=\(Ledger.largestBalance) "))
    #expect(try world.run("EARN ann merchant=shop points=1 id=c").isError("LIMIT", "which=balance"))
    try world.shards[0].ledger.checkInvariants()
  }

  /// What a member's file said is nowhere in the state once it says something else.
  @Test func nothingIsLeftOfWhatAFileSaid() throws {
    let world = World(shards: 1)
    world.semantics = Semantics.newest
    _ = try world.run("MEMBER ADD ann name=\"Annabelle Secret\" region=east")
    _ = try world.run("MEMBER ADD bob name=\"Robert Secret\" class=x x.note=\"the other secret\"")
    func holds(_ text: String) -> Bool {
      let bytes = world.shards[0].snapshotBytes()
      return !bytes.indices.filter { bytes[$0...].starts(with: Array(text.utf8)) }.isEmpty
    }
    #expect(holds("Annabelle Secret") && holds("Robert Secret"))
    _ = try world.run("MEMBER SET ann name=")
    _ = try world.run("MEMBER SET bob name= x.note=")
    #expect(!holds("Annabelle") && !holds("Robert") && !holds("the other") && !holds("Secret"))
    #expect(try world.run("MEMBER SHOW ann").contains("region=east"))
  }
}
