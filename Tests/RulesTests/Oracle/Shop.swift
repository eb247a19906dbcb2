import Base

@testable import Rules

/// Calls the engine as a ledger does: keeps windows and budgets as counters, and fills in what the engine asks for alone.
struct Shop: EarningBooks {
  private struct Window: Hashable {
    var rule: UInt32?
    var window: CapWindow
  }
  var rules: RuleSet
  private var program: PlainProgram
  private var used: [Window: Int64] = [:]
  private var drawn: [UInt32: Int64] = [:]
  private var facts = Facts()
  private var work = RuleWork()
  private(set) var outcome = Outcome()
  private(set) var candidates = 0

  init(_ program: PlainProgram, _ dice: inout SeededGenerator) throws {
    self.program = program
    rules = RuleSet(seed: dice.next())
    for (number, campaign) in program.campaigns.sorted(by: { $0.key < $1.key }) {
      let windows = campaign.windows.map {
        CampaignWindow(from: Shop.stamp($0.from), until: Shop.stamp($0.until), budget: $0.quota.map { UInt32($0) })
      }
      rules.set(windows, ofCampaign: UInt32(number))
    }
    // In any order, and the same for a seed.
    for number in program.rules.keys.sorted().shuffled(using: &dice) { try change(number, program, &dice) }
  }
  mutating func change(_ number: Int, _ program: PlainProgram, _ dice: inout SeededGenerator) throws {
    self.program = program
    let versions = try (program.rules[number] ?? []).map { plain in
      RuleVersion(
        number: UInt32(plain.version), from: Shop.stamp(plain.from), until: Shop.stamp(plain.until),
        rule: try Shop.rule(plain, &dice))
    }
    rules.set(versions, ofRule: UInt32(number), id: Array((program.ids[number] ?? "").utf8))
  }
  private static func stamp(_ moment: Int) -> Stamp { Stamp(microseconds: Int64(moment)) }

  /// By the texts that an operator sends.
  static func rule(_ plain: PlainRule, _ dice: inout SeededGenerator) throws -> Rule {
    var fields = RuleFields()
    fields.stage = Array(plain.stage.utf8)
    fields.when = plain.when.map { Array($0.text(&dice).utf8) }
    if plain.priority != 100 || dice.next() % 2 == 0 { fields.priority = Array("\(plain.priority)".utf8) }
    if plain.stop || dice.next() % 2 == 0 { fields.stop = Array((plain.stop ? "yes" : "no").utf8) }
    fields.event = plain.event.map { Array($0.utf8) }
    fields.org = plain.org.map { Array($0.utf8) }
    fields.merchant = plain.merchant.map { Array($0.utf8) }
    fields.campaign = plain.campaign.map { UInt32($0) }
    switch plain.stage {
    case "base": fields.earn = Array("\(plain.earn.points)/\(plain.earn.money)".utf8)
    case "fixed", "bonus": fields.points = Array("\(plain.points)".utf8)
    case "times": fields.times = Array("\(plain.times.0)/\(plain.times.1)".utf8)
    case "cap": fields.cap = Array("\(plain.cap.limit)/\(plain.cap.kind)".utf8)
    default: break
    }
    return try Rule(fields)
  }

  // MARK: Books

  func used(ofRule number: UInt32?, in window: CapWindow) -> Int64 { used[Window(rule: number, window: window)] ?? 0 }
  func left(ofBudget number: UInt32) -> Int64? {
    program.quotas[Int(number)].map { Int64($0) - (drawn[number] ?? 0) }
  }
  mutating func book(_ outcome: Outcome) {
    for count in outcome.counts { used[Window(rule: count.rule, window: count.window), default: 0] += count.credited }
    for draw in outcome.draws { if let budget = draw.budget { drawn[budget, default: 0] += draw.granted } }
  }
  /// Gives what a return took back to the windows that the sale counts in.
  mutating func giveBack(_ points: Int64, of sale: Outcome) {
    for count in sale.counts { used[Window(rule: count.rule, window: count.window), default: 0] -= points }
  }

  // MARK: Requests

  mutating func earn(_ request: PlainRequest) -> PlainOutcome {
    fill(request)
    let needs = rules.find(facts, &work)
    candidates = work.candidates.count
    fillCostly(request, needs)
    guard let rate = Fraction(Int64(program.rate.points), Int64(program.rate.money)) else { return PlainOutcome() }
    let terms = EarningTerms(
      rate: rate, isMerchantsRate: program.isMerchantsRate, combination: program.combine == "max" ? .max : .product,
      caps: program.caps.compactMap { cap in Shop.cap("\(cap.limit)/\(cap.kind)") })
    do {
      try rules.evaluate(facts, terms, self, &work, &outcome)
    } catch {
      outcome = Outcome()
      return PlainOutcome(refusal: "\(error)")
    }
    return PlainOutcome(outcome)
  }
  static func cap(_ text: String) -> Cap? { Array(text.utf8).withUnsafeBytes { Cap(parsing: $0) } }

  private func word(_ text: String?) -> Word {
    guard let text else { return .unknown }
    return Array(text.utf8).withUnsafeBytes { rules.word($0) }
  }
  /// What the request, its merchant and its lines are: of facts that no rule compares, nothing.
  private mutating func fill(_ request: PlainRequest) {
    facts.clear()
    switch request.kind {
    case .purchase(let spend): facts.request = .purchase(spend: Int64(spend))
    case .points(let points): facts.request = .points(Int64(points))
    case .event(let name, let value):
      facts.request = .event(value: value.map { Int64($0) })
      facts[.event] = word(name)
    }
    facts.setMoment(Shop.stamp(request.moment), offset: Int64(program.offset))
    let uses = rules.uses
    if uses.contains(FactSet(.merchant)) { facts[.merchant] = word(request.merchant) }
    for fact in [WordFact.terminal, .channel, .type, .region] where uses.contains(FactSet(fact)) {
      facts[fact] = word(request.facts[fact.name])
    }
    if uses.contains(.org) { facts.orgs = request.orgs.map { word($0) } }
    for line in request.lines {
      facts.lines.append(
        FactLine(
          sku: uses.contains(FactSet(.sku)) ? word(line.sku) : .unknown,
          category: uses.contains(FactSet(.category)) ? word(line.category) : .unknown,
          brand: uses.contains(FactSet(.brand)) ? word(line.brand) : .unknown, quantity: Int64(line.quantity),
          amount: Int64(line.amount)))
    }
  }
  /// What candidates ask for.
  private mutating func fillCostly(_ request: PlainRequest, _ needs: FactSet) {
    for fact in [WordFact.class, .tier, .cardtype] where needs.contains(FactSet(fact)) {
      facts[fact] = word(request.facts[fact.name])
    }
    for fact in [NumberFact.visits, .streak, .since, .stock] where needs.contains(FactSet(fact)) {
      facts[fact] = request.facts[fact.name].flatMap { Int64($0) }
    }
    if needs.contains(FactSet(.first)) { facts[.first] = request.facts["first"].map { $0 == "yes" ? 1 : 0 } }
    if needs.contains(.tag) { facts.tags = request.tags.map { word($0) } }
    if !needs.isDisjoint(with: .ofBirthday), let birthday = request.birthday {
      facts.birthday = Int64(PlainCalendar.number(PlainCalendar.parse(birthday)) - PlainCalendar.epoch)
    }
    for attribute in work.attributes {
      let name = rules.withAttributeName(attribute) { String(decoding: $0, as: UTF8.self) }
      guard let value = request.facts["x." + name] else { continue }
      Array(value.utf8).withUnsafeBytes { facts.setAttribute(attribute, $0, in: rules) }
    }
    for factor in request.factors {
      guard let times = Fraction(Int64(factor.times.0), Int64(factor.times.1)) else { continue }
      Array(factor.id.utf8).withUnsafeBytes {
        facts.add(
          factor.isTier ? .tier : .cardType, factor: times, id: $0, number: UInt32(factor.number),
          version: UInt32(factor.version))
      }
    }
  }
}

extension PlainOutcome {
  init(_ outcome: Outcome) {
    points = Int(outcome.points)
    capped = Int(outcome.capped)
    reason = outcome.blockedBy.map { Int($0) }
    linePoints = outcome.linePoints.map { Int($0) }
    steps = outcome.steps.map { "\($0.source) \($0.number) v\($0.version) \($0.stage) \($0.points) = \($0.total)" }
    counts = outcome.counts.map { count in
      let rule = count.rule.map { Int($0) } ?? -1
      return "\(rule) \(count.window.kind) \(count.window.start) room \(count.room) credited \(count.credited)"
    }
    draws = outcome.draws.map { draw in
      "\(draw.campaign) from \(draw.budget.map { Int($0) } ?? -1): \(draw.granted) of \(draw.wanted)"
    }
  }
}
