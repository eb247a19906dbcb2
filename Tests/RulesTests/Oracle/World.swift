import Base

/// Makes programs, requests and returns up, of so few words that conditions are often true.
struct World {
  var dice: SeededGenerator
  init(seed: UInt64) { dice = SeededGenerator(seed: seed) }

  static let start = 1_767_225_600_000_000  // 2026-01-01
  static let day = 86_400_000_000
  /// How many days a version lasts.
  static let spans = [30, 171, 174]
  static let pools: [String: [String]] = [
    "merchant": ["m1", "m2", "m3", "m4"], "region": ["north", "south"], "terminal": ["t1", "t2"],
    "channel": ["app", "pos", "web"], "type": ["credit", "debit"], "class": ["consumer", "employee"],
    "tier": ["base", "silver", "gold"], "cardtype": ["black", "blue"], "event": ["review", "deposit"],
    "sku": ["s1", "s2", "s3", "s4", "s5"], "category": ["milk", "grain", "tv"], "brand": ["leaf", "oak"],
    "org": ["o1", "o2", "o3", "p1", "p2"], "tag": ["a", "b", "c"], "x.city": ["paris", "lyon", "new york"],
    "x.n": ["1", "5", "12", "many"], "x.since": ["2026-02-01", "2026-06-30", "never"],
    "weekday": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "birthday": ["today"], "first": ["yes", "no"],
    "date": ["2026-01-31", "2026-02-28", "2026-06-30", "2026-12-31"],
  ]
  static let numbers = [
    "quantity", "amount", "spend", "points", "value", "hour", "day", "month", "age", "visits", "streak", "since",
    "stock",
  ]
  static let facts = (Array(pools.keys) + numbers).sorted()
  static let products: [(sku: String, category: String?, brand: String?)] = [
    ("s1", "milk", "leaf"), ("s2", "milk", nil), ("s3", "grain", "oak"), ("s4", "tv", "oak"), ("s5", nil, nil),
    ("s6", "tea", "own"),
  ]
  static let orgs = ["m1": ["o3", "o2", "o1"], "m2": ["o2", "o1", "p1"], "m3": ["p2", "p1"], "m4": []]

  mutating func pick(_ count: Int) -> Int { Int(dice.next() % UInt64(count)) }
  mutating func isOne(in count: Int) -> Bool { pick(count) == 0 }
  mutating func pick<T>(_ list: [T]) -> T { list[pick(list.count)] }

  // MARK: Conditions

  mutating func condition(depth: Int = 3) -> PlainCondition {
    guard depth > 0, !isOne(in: 2) else { return comparison() }
    switch pick(5) {
    case 0: return .not(condition(depth: depth - 1))
    case 1: return .or(condition(depth: depth - 1), condition(depth: depth - 1))
    default: return .and(condition(depth: depth - 1), condition(depth: depth - 1))
    }
  }
  private mutating func comparison() -> PlainCondition {
    let fact =
      isOne(in: 2) ? pick(["sku", "category", "merchant", "tag", "tier", "channel", "org"]) : pick(World.facts)
    let isOrdered = World.numbers.contains(fact) || ["date", "x.n", "x.since"].contains(fact)
    var sign = pick(isOrdered ? ["=", "!=", "<", "<=", ">", ">=", "in"] : ["=", "=", "=", "!=", "in"])
    if fact == "x.n" || fact == "x.since", isOne(in: 2) { sign = pick([">=", "<"]) }
    func isFit(_ value: String) -> Bool {
      !["<", "<=", ">", ">="].contains(sign) || (value != "many" && value != "never")
    }
    var values: [String] = []
    while values.count < (sign == "in" ? 1 + pick(3) : 1) {
      let value = value(of: fact)
      if isFit(value) { values.append(value) }
    }
    return .compare(fact: fact, sign: sign, values: values)
  }
  private mutating func value(of fact: String) -> String {
    if let pool = World.pools[fact] { return isOne(in: 20) && fact == "sku" ? "other" : pick(pool) }
    switch fact {
    case "amount", "spend", "value", "points": return "\(pick([0, 50, 100, 500, 1000, 5000]))"
    case "hour": return "\(pick(24))"
    case "day": return "\(1 + pick(31))"
    case "month": return "\(1 + pick(12))"
    case "age": return "\(pick([18, 26, 40]))"
    default: return "\(pick(6))"
    }
  }

  // MARK: Programs

  mutating func program() -> PlainProgram {
    var program = PlainProgram()
    program.rate = (pick([0, 1, 3, 7]), pick([1, 10, 100, 33]))
    program.isMerchantsRate = isOne(in: 3)
    program.combine = isOne(in: 2) ? "max" : "product"
    program.offset = pick([0, 8 * 3600, -5 * 3600 - 1800, 14 * 3600]) * 1_000_000
    for kind in ["day", "week", "month", "year"] where isOne(in: 6) {
      program.caps.append((pick([0, 20, 100, 1000, 5000]), kind))
    }
    for quota in 1...2 { program.quotas[quota] = isOne(in: 3) ? nil : pick([0, 15, 100, 400]) }
    for campaign in 1...3 {
      let cut = World.start + pick(700) * World.day
      let windows = [(World.start, cut, quota()), (cut, cut + pick(200) * World.day, quota())]
      program.campaigns[campaign] = PlainCampaign(windows: Array(windows.prefix(1 + pick(2))))
    }
    for number in 1...(1 + pick(14)) { change(number, &program) }
    return program
  }
  private mutating func quota() -> Int? { isOne(in: 4) ? nil : 1 + pick(2) }

  /// Makes all versions of a rule anew, or takes it away.
  mutating func change(_ number: Int, _ program: inout PlainProgram) {
    // Ids that begin alike, and among which those of factors fall.
    program.ids[number] = program.ids[number] ?? pick(["rule-of-", "r", "tier:a", "u", "card"]) + "\(number)"
    var versions: [PlainRule] = []
    var from = World.start - World.day
    for version in 1...(1 + pick(3)) {
      let until = isOne(in: 2) ? Int.max : from + pick(World.spans) * World.day + pick(2)
      if !isOne(in: 5) { versions.append(rule(version, from, until)) }
      if until == Int.max { break }
      from = until
    }
    program.rules[number] = versions
  }
  private mutating func rule(_ version: Int, _ from: Int, _ until: Int) -> PlainRule {
    let stage = pick(["block", "base", "base", "fixed", "fixed", "times", "times", "bonus", "bonus", "cap", "cap"])
    var rule = PlainRule(version: version, from: from, until: until, stage: stage)
    if stage == "block" || !isOne(in: 4) { rule.when = condition(depth: stage == "block" ? 4 : 3) }
    if stage == "block", let when = rule.when { rule.when = .and(when, condition()) }
    if isOne(in: 3) { rule.priority = pick([0, 50, 100, 200, 1000]) }
    rule.stop = isOne(in: 5)
    if isOne(in: 4) { rule.event = pick(["review", "deposit", "nothing"]) }
    if isOne(in: 6) {
      rule.merchant = pick(["m1", "m2"])
    } else if isOne(in: 6) {
      rule.org = pick(["o1", "o2", "p1"])
    }
    if isOne(in: 4) { rule.campaign = 1 + pick(4) }
    rule.earn = (pick([0, 1, 2, 3, 13]), pick([1, 7, 10, 100]))
    rule.points = 1 + pick(90)
    rule.times = (1 + pick(7), 1 + pick(4))
    if isOne(in: 30) { rule.times = (pick([1000, 999]), 1) }
    rule.cap = (pick([0, 5, 30, 100, 500]), pick(["sale", "day", "week", "month", "year", "ever"]))
    return rule
  }

  // MARK: Requests

  mutating func request() -> PlainRequest {
    let merchant = pick(["m1", "m2", "m3", "m4"])
    // Often within the same few days, so that windows meet.
    var moment = World.start + (isOne(in: 3) ? pick(730) : 170 + pick(12)) * World.day + pick(World.day)
    // Or where a version ends and the next begins.
    if isOne(in: 6) { moment = World.start - World.day + pick(World.spans) * World.day + pick(2) }
    var request = PlainRequest(kind: .purchase(spend: 0), moment: moment, merchant: merchant)
    request.orgs = World.orgs[merchant] ?? []
    request.tags = ["a", "b", "c"].filter { _ in isOne(in: 3) }
    if isOne(in: 2) { request.birthday = pick(["1990-06-20", "2000-02-29", "1966-12-31", "2008-01-01"]) }
    for fact in [
      "region", "terminal", "channel", "type", "class", "tier", "cardtype", "x.city", "x.n", "x.since", "first",
    ]
    where !isOne(in: 3) {
      request.facts[fact] = isOne(in: 8) && fact != "first" ? "other" : pick(World.pools[fact] ?? [])
    }
    for fact in ["visits", "streak", "since", "stock"] where !isOne(in: 3) { request.facts[fact] = "\(pick(7))" }
    if isOne(in: 2) {
      request.factors.append(
        PlainFactor(id: "tier:gold", isTier: true, number: 3, version: 2, times: (1 + pick(6), 1 + pick(3))))
    }
    if isOne(in: 3) {
      request.factors.append(
        PlainFactor(id: "cardtype:black", isTier: false, number: 4, version: 1, times: (1 + pick(6), 1 + pick(3))))
    }
    switch pick(10) {
    case 0: request.kind = .points(pick([0, 7, 50, 1000]))
    case 1, 2:
      request.kind = .event(name: pick(["review", "deposit", "other"]), value: isOne(in: 4) ? nil : pick(2000))
    case 3, 4: request.kind = .purchase(spend: pick([0, 99, 100, 1234, 5000, 999_999_999_999_999]))
    default: addLines(&request)
    }
    return request
  }
  private mutating func addLines(_ request: inout PlainRequest) {
    let count = isOne(in: 40) ? 30 + pick(40) : 1 + pick(5)
    for _ in 0..<count {
      let product = pick(World.products)
      request.lines.append(
        PlainLine(
          sku: product.sku, category: product.category, brand: product.brand, quantity: pick(4),
          amount: pick([0, 1, 49, 50, 99, 150, 799, 1999, 5000])))
    }
    request.kind = .purchase(spend: request.lines.reduce(0) { $0 + $1.amount })
  }
}
