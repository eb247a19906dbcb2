import Base
import Testing

@testable import Rules

/// Sums at their bounds, divisions with remainders, and the calendar.
@Suite struct ArithmeticTests {
  private struct Books: EarningBooks {
    func used(ofRule number: UInt32?, in window: CapWindow) -> Int64 { 0 }
    func left(ofBudget number: UInt32) -> Int64? { nil }
  }
  private func points(
    _ rules: [String], _ request: Facts.Request, rate: (Int64, Int64) = (1, 1),
    _ combination: EarningTerms.Combination = .max
  ) throws -> Int64 {
    let rules = try RuleSetTests.set(rules)
    var (facts, work, outcome) = (Facts(), RuleWork(), Outcome())
    facts.request = request
    _ = rules.find(facts, &work)
    let terms = EarningTerms(rate: try #require(Fraction(rate.0, rate.1)), combination: combination)
    try rules.evaluate(facts, terms, Books(), &work, &outcome)
    return outcome.points
  }
  private static let most: Int64 = 1_000_000_000_000_000

  @Test func sumsEndAtTheLargestAmount() throws {
    #expect(try points([], .purchase(spend: Self.most)) == Self.most)
    #expect(try points([], .purchase(spend: Self.most), rate: (1_000_000_000, 1_000_000_000)) == Self.most)
    #expect(try points(["stage=times|times=1000/1"], .purchase(spend: Self.most / 1_000)) == Self.most)
    #expect(try points(["stage=bonus|points=\(Self.most)"], .event(value: nil)) == 0)
    #expect(try points(["stage=bonus|points=\(Self.most)"], .purchase(spend: 0)) == Self.most)
    #expect(try points([], .points(Self.most)) == Self.most)
  }
  @Test(arguments: [
    ([], Facts.Request.purchase(spend: most), (1_000_000_000, 1)),
    ([], .purchase(spend: most), (1_000_000_000, 999_999_999)),
    (["stage=times|times=1000/1"], .purchase(spend: most / 1_000 + 1), (1, 1)),
    (["stage=bonus|points=1"], .purchase(spend: most), (1, 1)),
    (["stage=bonus|points=\(most)", "stage=bonus|points=\(most)"], .purchase(spend: 0), (1, 1)),
  ])
  func whatIsAboveItIsRefused(_ rules: [String], _ request: Facts.Request, _ rate: (Int64, Int64)) {
    #expect(throws: RuleRefusal.points) { try points(rules, request, rate: rate) }
  }
  @Test(arguments: [
    Facts.Request.purchase(spend: -1), .purchase(spend: most + 1), .purchase(spend: .max), .purchase(spend: .min),
    .event(value: -1), .event(value: .max),
  ])
  func amountsOutOfBoundsAreRefused(_ request: Facts.Request) {
    #expect(throws: RuleRefusal.amounts) { try points([], request) }
  }
  @Test func linesOutOfBoundsAreRefused() throws {
    let rules = try RuleSetTests.set(["stage=fixed|points=\(Self.most)"])
    var (facts, work, outcome) = (Facts(), RuleWork(), Outcome())
    let terms = EarningTerms(rate: try #require(Fraction(1, 1)))
    for (line, refusal) in [
      (FactLine(sku: .unnamed, quantity: 1, amount: -1), RuleRefusal.amounts),
      (FactLine(sku: .unnamed, quantity: -1, amount: 1), .amounts),
      (FactLine(sku: .unnamed, quantity: .max, amount: 1), .amounts),
      (FactLine(sku: .unnamed, quantity: 2, amount: 1), .points),
      (FactLine(sku: .unnamed, quantity: Self.most, amount: 1), .points),
    ] {
      facts.lines = [line]
      _ = rules.find(facts, &work)
      #expect(throws: refusal) { try rules.evaluate(facts, terms, Books(), &work, &outcome) }
    }
  }
  /// Terms that have no divisor in common.
  @Test func aProductThatIsTooLongIsRefused() throws {
    let primes = [
      999_999_937, 999_999_929, 999_999_893, 999_999_883, 999_999_797, 999_999_761, 999_999_757, 999_999_751,
      999_999_739, 999_999_733,
    ]
    let rules = zip(primes, primes.dropFirst(5) + primes).prefix(8).map { "stage=times|times=\($0)/\($1)" }
    #expect(throws: RuleRefusal.points) { try points(rules, .purchase(spend: 1_000), .product) }
    #expect(try points(Array(rules.prefix(2)), .purchase(spend: 1_000), .product) == 1_000)
    #expect(
      try points(["stage=times|times=1000/1", "stage=times|times=999/1"], .purchase(spend: 7), .product) == 7_000)
  }
  @Test func theTermsOfAProductAreExactOrTooLong() throws {
    var product = FactorProduct()
    var isShort: [Bool] = []
    for prime in [999_999_937, 999_999_929, 999_999_893, 999_999_883, 999_999_797, 999_999_761] as [Int64] {
      isShort.append(product.multiply(by: try #require(Fraction(prime, 1_000_000_000))))
    }
    // Denominators of 30 bits each: four fit 128 bits, five do not.
    #expect(isShort.prefix(4).allSatisfy { $0 } && !isShort[4])
  }
  @Test func factsOutOfAllBoundsDoNotTrap() throws {
    let rules = try RuleSetTests.set([
      "stage=bonus|when=age > 3 or hour > 3 or birthday = today|points=5", "stage=cap|cap=5/year",
    ])
    var (facts, work, outcome) = (Facts(), RuleWork(), Outcome())
    // The program's own window, too, which no moment keeps from being looked up.
    let terms = EarningTerms(rate: try #require(Fraction(1, 1)), caps: [Cap(limit: 5, kind: .week)])
    let extremes = [Int64.min, -1, 0, .max]
    for round in 0..<64 {
      facts.setMoment(Stamp(microseconds: extremes[round % 4]), offset: extremes[round / 4 % 4])
      facts.birthday = extremes[round / 16]
      _ = rules.find(facts, &work)
      try rules.evaluate(facts, terms, Books(), &work, &outcome)
    }
  }

  @Test func sharesAreThoseOfTheLargestRemainders() {
    var generator = SeededGenerator(seed: 8)
    var remainders: [Remainder] = []
    for round in 0..<20_000 {
      let count = round % 50 == 0 ? 256 : 1 + Int(generator.next() % 12)
      let most = [3, 50, 5_000, 1_000_000_000_000_000][Int(generator.next() % 4)]
      let weights = (0..<count).map { _ in Int64(generator.next() % UInt64(most)) }
      let whole = Int64(generator.next() % UInt64(most))
      var shares = [Int64](repeating: 0, count: count)
      let sum = weights.reduce(0, +)
      divide(whole, by: weights, sum, into: &shares, &remainders)
      #expect(shares == Oracle.largestRemainder(Int128(whole), weights.map { Int128($0) }).map { Int64($0) })
      #expect(sum == 0 || shares.reduce(0, +) == whole)
    }
  }
  @Test func windowsBeginWhereACalendarOfDaysSays() {
    for number in stride(from: PlainCalendar.epoch, to: PlainCalendar.epoch + 60_000, by: 1)
    where number % 7 < 2 || number % 31 < 3 {
      let day = Int64(number - PlainCalendar.epoch)
      let plain = PlainCalendar.day(number)
      let date = CivilTime.date(day: day)
      #expect((Int(date.year), Int(date.month), Int(date.day)) == (plain.year, plain.month, plain.day))
      for kind in CapWindow.Kind.allCases {
        #expect(Int(CapWindow(kind, holding: day).start) == PlainCalendar.window("\(kind)", number))
      }
    }
  }
}
