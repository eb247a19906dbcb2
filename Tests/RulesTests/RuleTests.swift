import Testing

@testable import Rules

/// What `RULE SET` says, checked: errors name the field.
@Suite struct RuleTests {
  /// Of words like `stage=bonus points=5`.
  static func fields(_ text: String) -> RuleFields {
    var fields = RuleFields()
    for word in text.split(separator: "|") {
      guard let sign = word.firstIndex(of: "=") else { continue }
      let value = Array(word[word.index(after: sign)...].utf8)
      switch word[..<sign] {
      case "stage": fields.stage = value
      case "when": fields.when = value
      case "priority": fields.priority = value
      case "stop": fields.stop = value
      case "event": fields.event = value
      case "org": fields.org = value
      case "merchant": fields.merchant = value
      case "earn": fields.earn = value
      case "points": fields.points = value
      case "times": fields.times = value
      case "cap": fields.cap = value
      case "campaign": fields.campaign = UInt32(String(word[word.index(after: sign)...]))
      default: Issue.record("what is \(word)?")
      }
    }
    return fields
  }
  static func rule(_ text: String) throws -> Rule { try Rule(fields(text)) }

  @Test func aRuleIsWhatWasSaid() throws {
    let rule = try Self.rule("stage=times|when=tier=gold|priority=7|stop=yes|event=review|org=hq|times=3/2|campaign=9")
    #expect(rule.stage == .times && rule.priority == 7 && rule.stop && rule.campaign == 9)
    #expect(rule.event == Array("review".utf8) && rule.scope == .org(Array("hq".utf8)))
    #expect(rule.action == .times(try #require(Fraction(3, 2))))
    #expect(rule.condition?.text == "tier = gold")
    let plain = try Self.rule("stage=block")
    #expect(plain.priority == 100 && !plain.stop && plain.event == nil && plain.scope == .all && plain.condition == nil)
  }

  @Test(arguments: [
    ("earn=1/2", "stage"), ("stage=basis|earn=1/2", "stage"),
    // Exactly one action, and the one that fits.
    ("stage=base", "earn"), ("stage=fixed", "points"), ("stage=bonus", "points"), ("stage=times", "times"),
    ("stage=cap", "cap"),
    ("stage=base|points=5", "points"), ("stage=bonus|earn=1/100", "earn"), ("stage=fixed|times=2/1", "times"),
    ("stage=cap|points=5", "points"), ("stage=block|points=5", "points"), ("stage=base|earn=1/2|points=5", "points"),
    ("stage=times|times=2/1|cap=5/day", "cap"),
    // Bounds.
    ("stage=base|earn=1/0", "earn"), ("stage=base|earn=1000000001/1", "earn"), ("stage=base|earn=1/1000000001", "earn"),
    ("stage=base|earn=1", "earn"), ("stage=base|earn=-1/2", "earn"), ("stage=base|earn=1.5/2", "earn"),
    ("stage=times|times=0/1", "times"), ("stage=times|times=1001/1", "times"), ("stage=times|times=2000/1", "times"),
    ("stage=times|times=1000000000/999999", "times"), ("stage=bonus|points=0", "points"),
    ("stage=bonus|points=1000000000000001", "points"), ("stage=bonus|points=x", "points"), ("stage=cap|cap=5", "cap"),
    ("stage=cap|cap=5/hour", "cap"), ("stage=cap|cap=/day", "cap"), ("stage=cap|cap=1000000000000001/day", "cap"),
    // The rest.
    ("stage=block|when=tier=", "when"), ("stage=block|when=", "when"), ("stage=block|priority=1001", "priority"),
    ("stage=block|priority=-1", "priority"), ("stage=block|stop=maybe", "stop"), ("stage=block|event=a b", "event"),
    ("stage=block|org=a|merchant=b", "org"), ("stage=block|merchant=", "merchant"),
  ])
  func anErrorNamesTheField(_ text: String, _ field: String) {
    let error = #expect(throws: RuleError.self) { try Self.rule(text) }
    #expect(error?.field == field, "\(text): \(error?.description ?? "")")
  }
  @Test(arguments: [
    "stage=base|earn=0/1", "stage=base|earn=1000000000/1000000000", "stage=times|times=1000/1",
    "stage=times|times=1/1000000000",
    "stage=times|times=1000000000/1000000", "stage=cap|cap=0/sale", "stage=cap|cap=1000000000000000/ever",
    "stage=bonus|points=1000000000000000", "stage=block|priority=0", "stage=block|priority=1000",
  ])
  func whatIsAtABoundIsARule(_ text: String) throws { _ = try Self.rule(text) }

  @Test func anErrorOfAConditionHasItsColumn() {
    let error = #expect(throws: RuleError.self) { try Self.rule("stage=block|when=tag=a and teir = gold") }
    #expect(error?.description.hasPrefix("when= is wrong at column 11: there is no fact teir") == true)
  }

  @Test func capsOfAProgramAreAList() {
    func list(_ text: String) -> [String]? {
      Array(text.utf8).withUnsafeBytes { Cap.list(parsing: $0) }?.map(\.description)
    }
    #expect(list("100/day") == ["100/day"])
    #expect(list("100/day,1000/year") == ["100/day", "1000/year"])
    for text in ["", "100/day,", "100/sale", "100/ever", "100/day,50/day", "100/days", "x/day", "100 /day"] {
      #expect(list(text) == nil, "\(text)")
    }
  }

  // MARK: Sentences

  @Test(arguments: [
    ("stage=times|when=tier = gold|times=3/2", "gold members earn 3/2"),
    (
      "stage=base|when=tier in (gold, vip) and category = milk|earn=3/100",
      "gold or vip members where category is milk earn 3/100"
    ),
    ("stage=fixed|when=sku = tv|points=70", "members where sku is tv earn 70 a piece"),
    (
      "stage=bonus|when=spend >= 1000 or first = yes|points=9",
      "members where spend is at least 1000 or first is yes get 9 more"
    ),
    ("stage=bonus|event=review|merchant=shop|points=5", "members with event review at merchant shop get 5 more"),
    ("stage=cap|org=hq|cap=60/sale", "members at merchants of hq get at most 60/sale"),
    ("stage=block|when=class = employee and not tag = a", "employee members where tag is not a earn nothing"),
    ("stage=block|when=not tier = gold", "members where tier is not gold earn nothing"),
  ])
  func aRuleIsSaidInWords(_ text: String, _ sentence: String) throws {
    #expect(try Self.rule(text).sentence == sentence)
  }
  @Test func aStepIsASentence() throws {
    var terms = StepTerms()
    terms.rule = try Self.rule("stage=times|when=tier = gold|times=3/2")
    #expect(Step(.rule, .times, points: 20, total: 60).sentence(terms) == "gold members earn 3/2: 40 → 60")
    #expect(
      Step(.rule, .times, points: 0, total: 60).sentence(terms)
        == "gold members earn 3/2, which adds nothing here: 60 → 60")
    terms.fraction = Fraction(1, 100)
    #expect(Step(.programRate, .base, points: 40, total: 40).sentence(terms) == "the program gives 1/100: 0 → 40")
    #expect(Step(.merchantRate, .base, points: 40, total: 40).sentence(terms) == "the merchant gives 1/100: 0 → 40")
    #expect(Step(.request, .base, points: 5, total: 5).sentence(terms) == "the request says how many points: 0 → 5")
    (terms.name, terms.fraction) = ("silver", Fraction(11, 10))
    #expect(Step(.tier, .times, points: 4, total: 44).sentence(terms) == "silver members earn 11/10: 40 → 44")
    #expect(Step(.cardType, .times, points: 4, total: 44).sentence(terms) == "silver cards earn 11/10: 40 → 44")
    terms.cap = Cap(limit: 30, kind: .day)
    #expect(
      Step(.programCap, .cap, points: -10, total: 30).sentence(terms) == "the program gives at most 30/day: 40 → 30")
    #expect(
      Step(.budget, .bonus, points: -10, total: 30).sentence(terms)
        == "the budget of campaign silver has no more: 40 → 30")
  }
}
