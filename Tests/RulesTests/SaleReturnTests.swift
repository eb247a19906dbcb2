import Testing

@testable import Rules

/// What a return takes (R6): figures of the rule, and what a return refuses.
@Suite struct SaleReturnTests {
  @Test func returnsByRatioGiveBackInSumExactlyTheWhole() throws {
    var sale = SaleReturn(points: 299, spend: 9999)
    #expect(try sale.take(spend: 3333) == 99)
    #expect(try sale.take(spend: 3333) == 100)
    #expect(try sale.take(spend: 3332) == 99)
    #expect(throws: ReturnRefusal.reversed(left: 1)) { try sale.take(spend: 2) }
    #expect(try sale.take(spend: 1) == 1)
    #expect(sale.isComplete && sale.taken == 299)
    #expect(throws: ReturnRefusal.reversed(left: 0)) { try sale.takeRest() }
    #expect(throws: ReturnRefusal.reversed(left: 0)) { try sale.take(spend: 1) }
    #expect(throws: ReturnRefusal.malformed) { try sale.take(spend: 0) }
  }
  @Test func aWholeReturnTakesAllThatIsLeft() throws {
    var sale = SaleReturn(points: 1, spend: 34)
    #expect(try sale.take(spend: 33) == 0)
    #expect(try sale.takeRest() == 1)
    var free = SaleReturn(points: 9, spend: 0)
    #expect(try free.takeRest() == 9)
    #expect(throws: ReturnRefusal.reversed(left: 0)) { try free.takeRest() }
  }
  /// Milk 118 for 1999, rice 14 for 799, two sets 280 for 50000.
  private var basket: SaleReturn {
    SaleReturn(
      points: 412, spend: 52_798,
      lines: [
        SoldLine(sku: 1, quantity: 2, amount: 1_999, points: 118),
        SoldLine(sku: 2, quantity: 1, amount: 799, points: 14),
        SoldLine(sku: 3, quantity: 2, amount: 50_000, points: 280),
      ])
  }
  @Test func returnsByLineTakeTheLinesOwnPoints() throws {
    var sale = basket
    #expect(try sale.take(lines: [ReturnLine(sku: 2, quantity: 1, amount: 799)]) == 14)
    #expect(try sale.take(lines: [ReturnLine(sku: 3, quantity: 1, amount: 25_000)]) == 140)
    #expect(try sale.take(lines: [ReturnLine(sku: 1, quantity: 1, amount: 999)]) == 58)
    #expect(try sale.take(lines: [ReturnLine(sku: 1, quantity: 1, amount: 1_000)]) == 60)
    #expect(throws: ReturnRefusal.self) { try sale.take(lines: [ReturnLine(sku: 1, quantity: 0, amount: 1)]) }
    #expect(try sale.takeRest() == 140)
    #expect(sale.taken == 412)
  }
  @Test func whatIsRefusedChangesNothing() {
    var sale = basket
    let before = sale
    let milk = ReturnLine(sku: 1, quantity: 1, amount: 999)
    for lines in [
      [], [milk, ReturnLine(sku: 9, quantity: 1, amount: 1)], [milk, ReturnLine(sku: 2, quantity: 2, amount: 799)],
      [milk, ReturnLine(sku: 2, quantity: 1, amount: 800)], [milk, milk, milk],
      [ReturnLine(sku: 1, quantity: -1, amount: 1)],
      [ReturnLine(sku: 1, quantity: 1, amount: -1)], [ReturnLine(sku: 1, quantity: 1, amount: .max)],
    ] {
      #expect(throws: ReturnRefusal.self) { try sale.take(lines: lines) }
      #expect(sale == before)
    }
  }
  /// By line 280 were taken; by ratio that is the share of far more money.
  @Test func aTargetBelowWhatWasTakenTakesNothing() throws {
    var sale = SaleReturn(
      points: 100, spend: 1_000,
      lines: [
        SoldLine(sku: 1, quantity: 1, amount: 100, points: 90), SoldLine(sku: 2, quantity: 1, amount: 900, points: 10),
      ])
    #expect(try sale.take(lines: [ReturnLine(sku: 1, quantity: 1, amount: 100)]) == 90)
    #expect(try sale.take(spend: 500) == 0)
    #expect(try sale.take(spend: 350) == 5)
    #expect(try sale.take(spend: 50) == 5)
    #expect(sale.taken == 100 && sale.isComplete)
  }
  /// Of 100 points 90 went with money that belonged to no line; the line has 100, and half of it comes back.
  @Test func returnsByLineTakeNoMoreThanIsLeft() throws {
    var sale = SaleReturn(
      points: 100, spend: 1_000,
      lines: [
        SoldLine(sku: 1, quantity: 1, amount: 100, points: 100), SoldLine(sku: 2, quantity: 1, amount: 900, points: 0),
      ])
    #expect(try sale.take(spend: 900) == 90)
    #expect(try sale.take(lines: [ReturnLine(sku: 1, quantity: 0, amount: 50)]) == 10)
    #expect(try sale.take(lines: [ReturnLine(sku: 1, quantity: 1, amount: 50)]) == 0)
    #expect(sale.isComplete && sale.taken == 100)
  }
  @Test func linesOfOneProductAreFilledInTheOrderSent() throws {
    var sale = SaleReturn(
      points: 30, spend: 200,
      lines: [
        SoldLine(sku: 1, quantity: 1, amount: 100, points: 10), SoldLine(sku: 1, quantity: 1, amount: 100, points: 20),
      ])
    #expect(try sale.take(lines: [ReturnLine(sku: 1, quantity: 1, amount: 150)]) == 20)
    #expect(try sale.take(lines: [ReturnLine(sku: 1, quantity: 1, amount: 50)]) == 10)
  }
  @Test func aLineForNothingComesBackForNothing() throws {
    var sale = SaleReturn(
      points: 15, spend: 100,
      lines: [
        SoldLine(sku: 1, quantity: 1, amount: 100, points: 10), SoldLine(sku: 2, quantity: 1, amount: 0, points: 5),
      ])
    #expect(try sale.take(lines: [ReturnLine(sku: 2, quantity: 1, amount: 0)]) == 5)
    #expect(throws: ReturnRefusal.self) { try sale.take(lines: [ReturnLine(sku: 2, quantity: 0, amount: 0)]) }
    #expect(try sale.take(lines: [ReturnLine(sku: 1, quantity: 1, amount: 100)]) == 10)
    #expect(sale.isComplete)
  }
}
