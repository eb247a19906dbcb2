import Base
import Rules
import Testing
import Vocabulary

@testable import Ledger

/// What the ledger books is what the rules give on facts and windows that a test works out for itself, from all that was booked before.
struct EarningTests {
  /// What it drew stands behind fields of higher numbers, which semantics before `amended` did not understand.
  @Test func howAPurchaseWasWorkedOutIsReadAsItWasWritten() throws {
    var detail = EarningDetail()
    (detail.capped, detail.qualified, detail.tier) = (7, 20_454, 3)
    detail.draws = [.init(campaign: 2, period: QuotaPeriod(5, CapWindow(.month, holding: 20_454)), points: 40)]
    func read(isStrict: Bool) -> EarningDetail? {
      detail.encoded.withUnsafeBytes { try? EarningDetail(decoding: $0, isStrict: isStrict) }
    }
    #expect(read(isStrict: false) == detail)
    #expect(read(isStrict: true) == nil)
    detail.draws = []
    #expect(read(isStrict: true) == detail)
  }
  /// A purchase that was booked.
  struct Sale {
    var member: Int
    var day: Int64
    var isApp: Bool
    var credited: Int64
    var tx: String
  }
  /// What was booked, looked at whole for each question.
  struct History: EarningBooks {
    var sales: [Sale] = []
    var member = 0

    func used(ofRule number: UInt32?, in window: CapWindow) -> Int64 {
      sales.filter {
        $0.member == member && CapWindow(window.kind, holding: $0.day) == window && (number == nil || $0.isApp)
      }.reduce(0) { $0 + $1.credited }
    }
    func left(ofBudget number: UInt32) -> Int64? { nil }
  }
  static let texts: [(id: String, set: String, fields: @Sendable (inout RuleFields) -> Void)] = [
    (
      "base", "stage=base when=\"category = drinks\" earn=3/100",
      {
        $0.set("base", "category = drinks"); $0.earn = b("3/100")
      }
    ),
    (
      "cup", "stage=fixed when=\"sku = cup\" points=7",
      {
        $0.set("fixed", "sku = cup"); $0.points = b("7")
      }
    ),
    (
      "row", "stage=times when=\"visits >= 3 and since <= 1\" times=3/2",
      {
        $0.set("times", "visits >= 3 and since <= 1"); $0.times = b("3/2")
      }
    ),
    (
      "first", "stage=bonus when=\"first = yes or tag = vip\" points=11",
      {
        $0.set("bonus", "first = yes or tag = vip"); $0.points = b("11")
      }
    ),
    (
      "app", "stage=cap when=\"channel = app\" cap=150/day",
      {
        $0.set("cap", "channel = app"); $0.cap = b("150/day")
      }
    ),
  ]
  static func b(_ text: String) -> [UInt8] { Array(text.utf8) }

  /// A shard that is restored, and one that is told the whole catalogue at once, work purchases out as the first does.
  @Test func whatRulesAskForIsRestoredAndToldWhole() throws {
    let world = World(shards: 1)
    world.semantics = Semantics.newest
    let setUp = [
      "PROGRAM SET p earn=1/100 earn-cap=400/day", "ORG SET top", "ORG SET below parent=top",
      "MERCHANT SET shop program=p org=below", "PRODUCT SET tea category=drinks", "CARDTYPE SET black earn-times=2/1",
      "CAMPAIGN SET spring state=running until=2026-02-01",
      "RULE SET a program=p stage=base when=category=drinks earn=3/100 state=running",
      "RULE SET b program=p stage=bonus when=org=top points=5 campaign=spring state=running",
      "RULE SET c program=p stage=bonus points=50 state=running until=2026-01-20",
      "MEMBER ADD ann cardtype=black",
    ]
    for line in setUp { #expect(try world.run(line) == "+OK", "\(line)") }
    let asked = "SIMULATE EARN ann merchant=shop spend=2000 lines=tea:1:1000,cup:1:1000"
    func answers(_ ledger: borrowing Ledger) throws -> String {
      var reply = ReplyWriter()
      _ = try world.build(asked).bytes.withUnsafeBytes { ledger.read($0, into: &reply) }
      return world.text(of: reply.buffer.bytes)
    }
    #expect(try world.run(asked) == "+member=ann program=p points=135 balance=135")
    let shard = world.shards[0]
    #expect(
      try answers(
        Ledger.restored(from: MemorySnapshotSource(shard.snapshotBytes()), limits: shard.ledger.limits))
        == "+member=ann program=p points=135 balance=135")
    var whole = Catalogue(key: .none)
    for delta in world.directory.wholeCatalogue(at: world.time, semantics: Semantics.newest) {
      #expect(try delta.withUnsafeBytes { try whole.apply($0) })
    }
    #expect(whole.version == shard.ledger.catalogueVersion)
    for kind in CatalogueKind.allCases {
      #expect(whole.records[kind].map(\.name) == shard.ledger.catalogue.records[kind].map(\.name), "\(kind)")
    }
    #expect(whole.programRows[0].hasRules && whole.rule(ofProgram: ProgramRef(place: 0), at: nil).rate.money == 100)
    let now = world.time
    let later = Stamp(microseconds: World.stamp("2026-02-02T12:00").microseconds)
    for (moment, count) in [(now, 3), (later, 1)] {
      var work = RuleWork()
      var facts = Facts()
      facts.setMoment(moment, offset: 0)
      for name in ["below", "top"] { facts.orgs.append(withBytes(name) { whole.ruleSets[0].word($0) }) }
      facts.lines = [
        FactLine(sku: .unnamed, category: withBytes("drinks") { whole.ruleSets[0].word($0) }, quantity: 1, amount: 1)
      ]
      _ = whole.ruleSets[0].find(facts, &work)
      var outcome = Rules.Outcome()
      let terms = EarningTerms(rate: .nothing)
      try whole.ruleSets[0].evaluate(facts, terms, History(), &work, &outcome)
      #expect(outcome.steps.count { $0.source == .rule } == count)
    }
  }

  @Test(arguments: [1, 2, 3, 4] as [UInt64]) func theLedgerBooksWhatTheRulesGive(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    func pick(_ n: Int) -> Int { Int(random.next() % UInt64(n)) }
    let world = World(shards: 1, start: "2026-01-30T12:00")
    world.semantics = Semantics.newest
    let setUp =
      [
        "PROGRAM SET p earn=1/100 earn-cap=400/day,900/week utc-offset=+05:00", "MERCHANT SET shop program=p",
        "PRODUCT SET tea category=drinks", "MEMBER ADD m0", "MEMBER ADD m1", "MEMBER ADD m2",
      ]
      + Self.texts.map { "RULE SET \($0.id) program=p \($0.set) state=running" }
    for line in setUp { #expect(try world.run(line) == "+OK", "\(line)") }
    // Rules are not in force before they were set: late purchases come after that.
    world.time = Stamp(microseconds: world.time.microseconds + 5 * 86_400_000_000)
    var rules = RuleSet(seed: 7)
    for (number, text) in Self.texts.enumerated() {
      var fields = RuleFields()
      text.fields(&fields)
      rules.set(
        [RuleVersion(number: 1, from: .zero, until: .never, rule: try Rule(fields))], ofRule: UInt32(number),
        id: Self.b(text.id))
    }
    var history = History()
    var isVIP = [false, false, false]
    var work = RuleWork()
    var outcome = Rules.Outcome()
    let offset: Int64 = 5 * 3_600_000_000
    for step in 0..<250 {
      world.time = Stamp(microseconds: world.time.microseconds + Int64(pick(50_000)) * 1_000_000)
      let member = pick(3)
      if pick(12) == 0, !history.sales.isEmpty {
        let place = pick(history.sales.count)
        let points = 1 + pick(40)
        let reply = try world.run("REFUND \(history.sales[place].tx) points=\(points) id=r\(step)")
        if !reply.hasPrefix("-") { history.sales[place].credited -= Int64(points) }
        continue
      }
      if pick(15) == 0 {
        _ = try world.run("MEMBER \(isVIP[member] ? "UNTAG" : "TAG") m\(member) vip")
        isVIP[member].toggle()
      }
      let lines = (0...pick(3)).map { _ in (["tea", "cup", "mug"][pick(3)], Int64(1 + pick(3)), Int64(pick(6_000))) }
      let spend = lines.reduce(0) { $0 + $1.2 }
      let isApp = pick(2) == 0
      let late = pick(4) == 0 ? Int64(pick(200_000)) * 1_000_000 : 0
      let moment = Stamp(microseconds: world.time.microseconds - late + (late > 0 ? 0 : 1))
      var facts = Facts()
      facts.request = .purchase(spend: spend)
      facts.setMoment(moment, offset: offset)
      let day = CivilTime.day(of: moment, offset: offset)
      func word(_ text: String) -> Word { Self.b(text).withUnsafeBytes { rules.word($0) } }
      facts[.channel] = word(isApp ? "app" : "web")
      if isVIP[member] { facts.tags = [word("vip")] }
      let own = history.sales.filter { $0.member == member }
      facts[.first] = own.isEmpty ? 1 : 0
      facts[.visits] = 1 + Int64(own.count { CapWindow(.year, holding: $0.day) == CapWindow(.year, holding: day) })
      if let last = own.last { facts[.since] = max(0, day - last.day) }
      for line in lines {
        facts.lines.append(
          FactLine(
            sku: word(line.0), category: line.0 == "tea" ? word("drinks") : .unknown, quantity: line.1, amount: line.2))
      }
      history.member = member
      let terms = EarningTerms(
        rate: try #require(Fraction(1, 100)), caps: [Cap(limit: 400, kind: .day), Cap(limit: 900, kind: .week)])
      _ = rules.find(facts, &work)
      try rules.evaluate(facts, terms, history, &work, &outcome)
      let text = lines.map { "\($0.0):\($0.1):\($0.2)" }.joined(separator: ",")
      let at = late > 0 ? " at=\(moment.microseconds / 1_000)" : ""
      let request =
        "m\(member) merchant=shop spend=\(spend) lines=\(text) channel=\(isApp ? "app" : "web")\(at) id=e\(step)"
      let reply = try world.run("EARN \(request)")
      #expect(reply.contains(" points=\(outcome.points) "), "\(request): \(reply)")
      #expect(reply.contains("capped=\(outcome.capped)") == (outcome.capped > 0), "\(request): \(reply)")
      let tx = String(try #require(reply.split(separator: " ").first).dropFirst(4))
      history.sales.append(Sale(member: member, day: day, isApp: isApp, credited: outcome.points, tx: tx))
    }
    #expect(history.sales.count > 150)
    try world.shards[0].ledger.checkInvariants()
  }
}

extension RuleFields {
  fileprivate mutating func set(_ stage: String, _ when: String) {
    (self.stage, self.when) = (Array(stage.utf8), Array(when.utf8))
  }
}
