import Base
import Testing

@testable import Rules

/// Programmes as operators set them up, with figures worked out by hand.
@Suite struct StoryTests {
  /// A till of one program: earns, books and takes back.
  private struct Till {
    struct Sale {
      var outcome: Outcome
      var back: SaleReturn
    }
    var shop: Shop
    private var count: UInt32 = 0

    init(_ program: PlainProgram) throws {
      var dice = SeededGenerator(seed: 1)
      shop = try Shop(program, &dice)
    }
    /// Rules by their ids.
    mutating func set(_ id: String, _ text: String) throws {
      count += 1
      let version = RuleVersion(number: 1, from: .zero, until: .never, rule: try RuleTests.rule(text))
      shop.rules.set([version], ofRule: count, id: Array(id.utf8))
    }
    /// Points and what was capped.
    mutating func simulate(_ request: PlainRequest) -> [Int] {
      let outcome = shop.earn(request)
      return outcome.capped > 0 ? [outcome.points, outcome.capped] : [outcome.points]
    }
    mutating func earn(_ request: PlainRequest) -> [Int] {
      let answer = simulate(request)
      shop.book(shop.outcome)
      return answer
    }
    mutating func sell(_ request: PlainRequest) -> Sale {
      _ = earn(request)
      var spend = 0
      if case .purchase(let money) = request.kind { spend = money }
      let lines = zip(request.lines, shop.outcome.linePoints).map { line, points in
        SoldLine(sku: Shop.number(line.sku), quantity: Int64(line.quantity), amount: Int64(line.amount), points: points)
      }
      let back = SaleReturn(points: shop.outcome.points, spend: Int64(spend), lines: lines)
      return Sale(outcome: shop.outcome, back: back)
    }
    mutating func refund(_ sale: inout Sale, spend: Int64) throws -> Int64 {
      let taken = try sale.back.take(spend: spend)
      shop.giveBack(taken, of: sale.outcome)
      return taken
    }
  }
  private func program(_ points: Int, _ money: Int) -> PlainProgram {
    var program = PlainProgram()
    program.rate = (points, money)
    return program
  }
  private func purchase(_ spend: Int, _ facts: [String: String] = [:], tags: [String] = []) -> PlainRequest {
    var request = PlainRequest(kind: .purchase(spend: spend), moment: World.start, merchant: "shop")
    (request.facts, request.tags) = (facts, tags)
    return request
  }
  private func event(_ name: String, value: Int? = nil, _ facts: [String: String] = [:]) -> PlainRequest {
    var request = PlainRequest(kind: .event(name: name, value: value), moment: World.start, merchant: "shop")
    request.facts = facts
    return request
  }

  @Test func aBasketIsWorkedOutLineByLineAndReturnedLikewise() throws {
    var till = try Till(program(1, 100))
    try till.set("base", "stage=base|when=category = milk|earn=3/100")
    try till.set("fixed", "stage=fixed|when=sku = tv|points=70")
    try till.set("times", "stage=times|when=tag = gold|times=2/1")
    try till.set("bonus", "stage=bonus|when=spend >= 100000|points=9")
    var request = purchase(300)
    request.lines = ["milk", "cream"].map { PlainLine(sku: $0, category: "milk", quantity: 1, amount: 150) }
    // One floor a rule: not 4 + 4.
    #expect(till.earn(request) == [9])
    request = purchase(52_798)
    request.lines = [
      PlainLine(sku: "milk", category: "milk", quantity: 2, amount: 1_999),
      PlainLine(sku: "rice", category: "grain", quantity: 1, amount: 799),
      PlainLine(sku: "tv", category: "tv", quantity: 2, amount: 50_000),
    ]
    #expect(till.simulate(request) == [206])
    request.tags = ["gold"]
    let sale = till.sell(request)
    #expect(sale.outcome.points == 412 && sale.outcome.linePoints == [118, 14, 280])
    #expect(till.earn(purchase(100_000, tags: ["gold"])) == [2_009])
    // The example of docs/rules.md: 400 a sale.
    try till.set("sale", "stage=cap|cap=400/sale")
    #expect(till.simulate(request) == [400, 12])
    #expect(till.shop.outcome.linePoints == [114, 14, 272])
  }
  @Test func capsAreExactAtTheBoundaryAndAReturnGivesRoomBack() throws {
    var plain = program(1, 10)
    plain.caps = [(100, "day"), (1_000, "year")]
    var till = try Till(plain)
    try till.set("sale", "stage=cap|cap=60/sale")
    try till.set("app", "stage=cap|when=channel = app|cap=30/day")
    let app = ["channel": "app"]
    var first = till.sell(purchase(609))
    #expect(first.outcome.points == 60 && first.outcome.capped == 0)
    #expect(till.earn(purchase(100, app)) == [10])
    #expect(till.earn(purchase(250, app)) == [20, 5])
    #expect(till.earn(purchase(10, app)) == [0, 1])
    #expect(till.earn(purchase(110)) == [10, 1])
    #expect(till.earn(purchase(10)) == [0, 1])
    #expect(try till.refund(&first, spend: 305) == 30)
    #expect(till.earn(purchase(300)) == [30])
    #expect(till.earn(purchase(10)) == [0, 1])
    #expect(till.simulate(purchase(990)) == [0, 99])
  }
  @Test func aBankCountsByTypeLayerAndEvent() throws {
    var till = try Till(program(1, 1_000))
    try till.set("credit", "stage=base|when=type = credit|earn=1/100")
    try till.set("debit", "stage=base|when=type = debit|earn=1/200")
    try till.set("layer", "stage=times|when=class = private|times=3/2")
    try till.set("wealth", "stage=bonus|event=wealth|when=value >= 5000000|points=500")
    try till.set("deposit", "stage=base|event=deposit|earn=1/10000")
    #expect(till.earn(purchase(12_345, ["type": "credit", "class": "private"])) == [184])
    #expect(till.earn(purchase(12_345, ["type": "credit"])) == [123])
    #expect(till.earn(purchase(12_345, ["type": "debit"])) == [61])
    #expect(till.earn(purchase(12_345)) == [12])
    #expect(till.earn(event("wealth", value: 5_000_000, ["class": "private"])) == [500])
    #expect(till.earn(event("wealth", value: 4_999_999)) == [0])
    #expect(till.earn(event("wealth")) == [0])
    #expect(till.earn(event("deposit", value: 99_999, ["class": "private"])) == [9])
    #expect(till.earn(event("deposit")) == [0])
  }
  @Test func reviewsAreCappedByTheMonth() throws {
    var till = try Till(program(1, 100))
    try till.set("review", "stage=bonus|event=review|points=20")
    try till.set("photo", "stage=bonus|event=review|when=x.photos >= 2|points=15")
    try till.set("limit", "stage=cap|event=review|cap=60/month")
    #expect(till.earn(event("review")) == [20])
    #expect(till.earn(event("review", ["x.photos": "2"])) == [35])
    #expect(till.earn(event("review", ["x.photos": "1"])) == [5, 15])
    #expect(till.earn(event("review")) == [0, 20])
    #expect(till.earn(purchase(2_599)) == [25])
    #expect(till.earn(event("survey")) == [0])
  }
  @Test func anActivityEndsWithItsBudget() throws {
    var plain = program(1, 100)
    plain.campaigns[1] = PlainCampaign(windows: [(0, .max, 7)])
    plain.quotas[7] = 100
    var till = try Till(plain)
    try till.set("gift", "stage=bonus|points=40|campaign=1")
    let request = purchase(1_000)
    #expect([till.earn(request), till.earn(request)] == [[50], [50]])
    #expect(till.earn(request) == [30, 20])
    #expect(till.shop.outcome.draws == [Draw(campaign: 1, budget: 7, wanted: 40, granted: 20)])
    #expect(till.earn(request) == [10, 40])
  }
  @Test func theFactorOfATierIsARuleAmongTheOthers() throws {
    var till = try Till(program(1, 100))
    var request = purchase(49_999)
    request.factors = [PlainFactor(id: "tier:silver", isTier: true, number: 2, version: 5, times: (11, 10))]
    #expect(till.earn(request) == [548])
    #expect(till.shop.outcome.steps.last == Step(.tier, .times, number: 2, version: 5, points: 49, total: 548))
    // Of the same priority and a lower id: it stops what comes after it.
    try till.set("alpha", "stage=times|times=1/1|stop=yes")
    #expect(till.earn(request) == [499])
    // An EARN of so many points, and an event, have no factors.
    request.kind = .points(50)
    #expect(till.earn(request) == [50])
  }
  @Test func whoIsBlockedHasNoPointsAndAReason() throws {
    var till = try Till(program(1, 100))
    try till.set("bonus", "stage=bonus|points=5")
    try till.set("many", "stage=block|when=points >= 1000")
    try till.set("staff", "stage=block|when=class = employee|priority=5")
    #expect(till.earn(purchase(1_000, ["class": "employee"])) == [0])
    #expect(till.shop.outcome.blockedBy == 3 && till.shop.outcome.steps.count == 1)
    var request = purchase(0)
    request.kind = .points(1_000)
    #expect(till.earn(request) == [0] && till.shop.outcome.blockedBy == 2)
    request.kind = .points(999)
    #expect(till.earn(request) == [999] && till.shop.outcome.blockedBy == nil)
  }
  /// Without own points by amounts, and without amounts all to the first.
  @Test func pointsThatBelongToNoLineAreDividedByAmounts() throws {
    var till = try Till(program(0, 1))
    try till.set("bonus", "stage=bonus|points=10")
    var request = purchase(40)
    request.lines = [10, 10, 20].map { PlainLine(sku: "s", quantity: 1, amount: $0) }
    _ = till.earn(request)
    #expect(till.shop.outcome.linePoints == [3, 2, 5])
    request.kind = .purchase(spend: 0)
    for at in 0..<3 { request.lines[at].amount = 0 }
    _ = till.earn(request)
    #expect(till.shop.outcome.linePoints == [10, 0, 0])
  }
}
