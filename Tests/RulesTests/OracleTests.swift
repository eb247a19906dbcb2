import Base
import Testing

@testable import Rules

#if canImport(Glibc)
  import Glibc
#endif

/// The engine and a second implementation that was made from the specification agree. `RULES_WORLDS` says how many worlds are
/// tried, `RULES_SEED` which is the first; a world has 40 requests and the returns of some.
@Suite struct OracleTests {
  private static func setting(_ name: String, _ usual: Int) -> Int {
    getenv(name).flatMap { Int(String(cString: $0)) } ?? usual
  }

  @Test func theEngineAndTheOracleAgree() throws {
    let first = Self.setting("RULES_SEED", 1)
    var tally = Tally()
    for seed in first..<first + Self.setting("RULES_WORLDS", 400) {
      guard try agrees(UInt64(seed), &tally) else { return }
    }
    // Nothing is shown by worlds in which nothing happens.
    #expect(tally.lacking.isEmpty, "never seen: \(tally.lacking)")
    if getenv("RULES_WORLDS") != nil { print(tally.seen.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }) }
  }

  /// How often what is to be tried was tried.
  private struct Tally {
    var seen: [String: Int] = [:]
    var lacking: [String] {
      let wanted = [
        "blocked", "capped", "refused", "lines", "drawn", "draw cut", "times", "product", "bonus", "fixed", "event",
        "return",
        "return by line", "rest", "rule changed",
      ]
      return wanted.filter { seen[$0] == nil }
    }
    mutating func note(_ what: String, _ isSo: Bool = true) { if isSo { seen[what, default: 0] += 1 } }
    mutating func note(_ outcome: PlainOutcome, _ program: PlainProgram) {
      note("requests")
      note("blocked", outcome.reason != nil)
      note("capped", outcome.capped > 0)
      note("refused", outcome.refusal != nil)
      note("lines", outcome.linePoints.count > 1 && outcome.points > 0)
      note("drawn", !outcome.draws.isEmpty)
      note("draw cut", outcome.steps.contains { $0.hasPrefix("budget") })
      let factors = outcome.steps.filter { $0.contains(" times ") }.count
      note(program.combine == "max" ? "times" : "product", factors > 1)
      note("bonus", outcome.steps.contains { $0.contains(" bonus ") })
      note("fixed", outcome.steps.contains { $0.contains(" fixed ") })
    }
  }

  private func agrees(_ seed: UInt64, _ tally: inout Tally) throws -> Bool {
    var world = World(seed: seed)
    var program = world.program()
    var dice = SeededGenerator(seed: seed &+ 1 << 40)
    var oracle = Oracle(program)
    var shop = try Shop(program, &dice)
    var sales: [Sale] = []
    for step in 0..<40 {
      switch world.pick(10) {
      case 0:
        let number = 1 + world.pick(16)
        world.change(number, &program)
        oracle.program = program
        try shop.change(number, program, &dice)
        tally.note("rule changed")
      case 1...3:
        guard !sales.isEmpty else { continue }
        // Mostly of a sale of which something has come back already.
        let at = world.isOne(in: 4) ? world.pick(sales.count) : max(0, sales.count - 1 - world.pick(2))
        guard returns(&sales[at], &oracle, &shop, &world, &tally) else {
          Issue.record("seed \(seed), step \(step): a return of \(sales[at].request)")
          return false
        }
      default:
        let request = world.request()
        let (expected, found) = (oracle.earn(request), shop.earn(request))
        guard expected == found else {
          Issue.record("seed \(seed), step \(step): \(request)\nexpected \(expected)\nfound    \(found)")
          return false
        }
        tally.note(found, program)
        if case .event = request.kind { tally.note("event") }
        guard found.refusal == nil, found.reason == nil else { continue }
        sales.append(book(request, found, &oracle, &shop))
      }
    }
    return true
  }

  // MARK: Returns

  private struct Sale {
    var request: PlainRequest
    var outcome: Outcome
    /// Its place in the oracle's history.
    var entry: Int
    var plain: OracleSale
    var engine: SaleReturn
  }
  private func book(
    _ request: PlainRequest, _ found: PlainOutcome, _ oracle: inout Oracle, _ shop: inout Shop
  ) -> Sale {
    shop.book(shop.outcome)
    oracle.book(found)
    var spend = 0
    if case .purchase(let money) = request.kind { spend = money }
    let isPurchase = !found.linePoints.isEmpty
    var (plain, engine): ([OracleSale.Line], [SoldLine]) = ([], [])
    for (line, points) in zip(isPurchase ? request.lines : [], found.linePoints) {
      plain.append(OracleSale.Line(sku: line.sku, quantity: line.quantity, amount: line.amount, points: points))
      engine.append(
        SoldLine(
          sku: Shop.number(line.sku), quantity: Int64(line.quantity), amount: Int64(line.amount), points: Int64(points))
      )
    }
    return Sale(
      request: request, outcome: shop.outcome, entry: oracle.history.count - 1,
      plain: OracleSale(points: found.points, spend: spend, lines: plain),
      engine: SaleReturn(points: Int64(found.points), spend: Int64(spend), lines: engine))
  }
  private func returns(
    _ sale: inout Sale, _ oracle: inout Oracle, _ shop: inout Shop, _ world: inout World, _ tally: inout Tally
  ) -> Bool {
    let expected: Int?
    let found: Int64?
    switch sale.plain.lines.isEmpty ? 4 + world.pick(4) : world.pick(8) {
    case 0...4 where !sale.plain.lines.isEmpty:
      var lines: [(sku: String, quantity: Int, amount: Int)] = []
      for _ in 0...world.pick(2) {
        let line = world.pick(sale.plain.lines)
        lines.append(
          (line.sku, world.pick(line.quantity + 1), world.isOne(in: 2) ? line.amount : world.pick(line.amount + 1)))
      }
      expected = sale.plain.take(lines: lines)
      found = try? sale.engine.take(
        lines: lines.map {
          ReturnLine(sku: Shop.number($0.sku), quantity: Int64($0.quantity), amount: Int64($0.amount))
        })
      tally.note("return by line", found ?? 0 > 0)
    case 0...6:
      let amount = world.isOne(in: 3) ? sale.plain.spend - sale.plain.back : world.pick(sale.plain.spend + 2)
      expected = sale.plain.take(spend: amount)
      found = try? sale.engine.take(spend: Int64(amount))
      tally.note("return", found ?? 0 > 0)
    default:
      expected = sale.plain.takeRest()
      found = try? sale.engine.takeRest()
      tally.note("rest", found ?? 0 > 0)
    }
    oracle.history[sale.entry].returned += expected ?? 0
    shop.giveBack(found ?? 0, of: sale.outcome)
    return expected.map { Int64($0) } == found && Int64(sale.plain.taken) == sale.engine.taken
  }
}

extension Shop {
  static func number(_ sku: String) -> UInt64 { xxh64UTF8(sku) }
  private static func xxh64UTF8(_ text: String) -> UInt64 { Array(text.utf8).withUnsafeBytes { xxh64($0) } }
}

extension Oracle {
  /// Notes a transaction by what was said of it.
  mutating func book(_ outcome: PlainOutcome) {
    var entry = Entry(credited: outcome.points)
    for count in outcome.counts {
      let words = count.split(separator: " ")
      let rule = Int(words[0]) ?? 0
      entry.windows.append((rule < 0 ? nil : rule, String(words[1]), Int(words[2]) ?? 0))
    }
    for draw in outcome.draws {
      let words = draw.split(whereSeparator: { $0 == " " || $0 == ":" })
      if let quota = Int(words[2]), quota >= 0 { entry.draws.append((quota, Int(words[3]) ?? 0)) }
    }
    history.append(entry)
  }
}
