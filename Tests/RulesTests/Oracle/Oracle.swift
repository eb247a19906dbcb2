/// The second implementation, made from the specification: each rule is looked at, each cap looks through the whole history.
struct Oracle {
  /// A transaction as it is remembered: which windows it counts in, what it gave, what came back.
  struct Entry {
    var windows: [(rule: Int?, kind: String, start: Int)] = []
    var credited = 0
    var returned = 0
    var draws: [(quota: Int, points: Int)] = []
  }
  /// Points that are still credited to somebody.
  private struct Part {
    var stage: String
    var rule: Int
    var version: Int
    var campaign: Int?
    var points: Int128
  }
  private struct Refused: Error {}
  private typealias Taking = (number: Int, rule: PlainRule)

  var program: PlainProgram
  var history: [Entry] = []

  private var request = PlainRequest(kind: .points(0), moment: 0, merchant: "")
  private var facts: [String: [String]] = [:]
  private var parts: [Part] = []
  private var total: Int128 { parts.reduce(0) { $0 + $1.points } }
  private var outcome = PlainOutcome()

  init(_ program: PlainProgram) { self.program = program }

  mutating func earn(_ request: PlainRequest) -> PlainOutcome {
    self.request = request
    (facts, parts, outcome) = (Oracle.facts(request, offset: program.offset), [], PlainOutcome())
    do {
      try work()
    } catch {
      outcome = PlainOutcome(refusal: "points")
    }
    return outcome
  }

  // MARK: Facts

  private static func facts(_ request: PlainRequest, offset: Int) -> [String: [String]] {
    var facts = request.facts.mapValues { [$0] }
    facts["merchant"] = [request.merchant]
    facts["org"] = request.orgs
    facts["tag"] = request.tags
    switch request.kind {
    case .purchase(let spend): facts["spend"] = ["\(spend)"]
    case .points(let points): facts["points"] = ["\(points)"]
    case .event(let name, let value):
      facts["event"] = [name]
      facts["value"] = value.map { ["\($0)"] }
    }
    let local = request.moment + offset
    let number = local / 86_400_000_000 + PlainCalendar.epoch
    let day = PlainCalendar.day(number)
    facts["date"] = [PlainCalendar.text(day)]
    facts["day"] = ["\(day.day)"]
    facts["month"] = ["\(day.month)"]
    facts["weekday"] = [["mon", "tue", "wed", "thu", "fri", "sat", "sun"][number % 7]]
    facts["hour"] = ["\((local - (number - PlainCalendar.epoch) * 86_400_000_000) / 3_600_000_000)"]
    guard let birthday = request.birthday else { return facts }
    var kept = PlainCalendar.parse(birthday)
    let born = kept.year
    if kept.month == 2, kept.day == 29, PlainCalendar.length(day.year, 2) == 28 { kept.day = 28 }
    let isToday = (kept.month, kept.day) == (day.month, day.day)
    facts["birthday"] = [isToday ? "today" : "another"]
    let had = isToday || kept.month < day.month || (kept.month == day.month && kept.day < day.day)
    facts["age"] = ["\(day.year - born - (had ? 0 : 1))"]
    return facts
  }
  private var isPurchase: Bool { if case .purchase = request.kind { true } else { false } }
  /// Without lines, one line of the whole spend; an event has one without facts.
  private var lines: [(line: PlainLine, facts: [String: [String]])] {
    switch request.kind {
    case .points: return []
    case .event(_, let value): return [(PlainLine(sku: "", quantity: 1, amount: value ?? 0), facts)]
    case .purchase(let spend):
      guard !request.lines.isEmpty else {
        var own = facts
        (own["quantity"], own["amount"]) = (["1"], ["\(spend)"])
        return [(PlainLine(sku: "", quantity: 1, amount: spend), own)]
      }
      return request.lines.map { line in
        var own = facts
        own["sku"] = [line.sku]
        own["category"] = line.category.map { [$0] }
        own["brand"] = line.brand.map { [$0] }
        (own["quantity"], own["amount"]) = (["\(line.quantity)"], ["\(line.amount)"])
        return (line, own)
      }
    }
  }

  // MARK: Who takes part

  /// The rules of a stage that may take part, in their order.
  private func rules(_ stage: String) -> [Taking] {
    var found: [Taking] = []
    for (number, versions) in program.rules {
      for rule in versions where rule.stage == stage && isOfRequest(rule) { found.append((number, rule)) }
    }
    return found.sorted { a, b in
      a.rule.priority != b.rule.priority
        ? a.rule.priority < b.rule.priority
        : Array(program.ids[a.number]!.utf8).lexicographicallyPrecedes(Array(program.ids[b.number]!.utf8))
    }
  }
  private func isOfRequest(_ rule: PlainRule) -> Bool {
    guard rule.from <= request.moment, request.moment < rule.until else { return false }
    if let campaign = rule.campaign, window(campaign) == nil { return false }
    if case .event(let name, _) = request.kind {
      guard rule.event == name else { return false }
    } else if rule.event != nil {
      return false
    }
    if let merchant = rule.merchant, merchant != request.merchant { return false }
    if let org = rule.org, !request.orgs.contains(org) { return false }
    return true
  }
  private func window(_ campaign: Int) -> (from: Int, until: Int, quota: Int?)? {
    program.campaigns[campaign]?.windows.first { $0.from <= request.moment && request.moment < $0.until }
  }
  /// Of a whole sale: one line meets all of it.
  private func takesPart(_ rule: PlainRule) -> Bool {
    guard let when = rule.when else { return true }
    if case .points = request.kind { return when.isTrue(facts) }
    return lines.contains { when.isTrue($0.facts) }
  }
  private func takesPart(_ rule: PlainRule, _ facts: [String: [String]]) -> Bool { rule.when?.isTrue(facts) ?? true }

  // MARK: The stages

  private mutating func work() throws {
    if let block = rules("block").first(where: { takesPart($0.rule) }) {
      outcome.reason = block.number
      outcome.steps = ["rule \(block.number) v\(block.rule.version) block 0 = 0"]
      outcome.linePoints = isPurchase ? request.lines.map { _ in 0 } : []
      return
    }
    var own: [Int128] = []
    if case .points(let points) = request.kind {
      try add("request", "base", 0, 0, nil, Int128(points))
    } else {
      own = try base()
      try times()
      for (number, rule) in taking("bonus") {
        try add("rule", "bonus", number, rule.version, rule.campaign, Int128(rule.points))
      }
    }
    let worth = total
    caps()
    budgets()
    outcome.points = Int(total)
    outcome.capped = Int(worth - total)
    outcome.counts = outcome.counts.map { $0 + " credited \(outcome.points)" }
    if isPurchase, !request.lines.isEmpty { outcome.linePoints = divided(total, own) }
  }
  /// Those that take part, up to the first that stops.
  private func taking(_ stage: String) -> [Taking] {
    var all: [Taking] = []
    for one in rules(stage) where takesPart(one.rule) {
      all.append(one)
      if one.rule.stop { break }
    }
    return all
  }
  private mutating func add(
    _ source: String, _ stage: String, _ number: Int, _ version: Int, _ campaign: Int?, _ points: Int128
  ) throws {
    guard total + points <= 1_000_000_000_000_000 else { throw Refused() }
    if points >= 0 {
      parts.append(Part(stage: stage, rule: number, version: version, campaign: campaign, points: points))
    } else {
      cut(-points)
    }
    outcome.steps.append("\(source) \(number) v\(version) \(stage) \(points) = \(total)")
  }
  /// Off the last first.
  private mutating func cut(_ points: Int128) {
    var rest = points
    for at in parts.indices.reversed() {
      let some = min(rest, parts[at].points)
      parts[at].points -= some
      rest -= some
    }
  }

  /// The own points of each line.
  private mutating func base() throws -> [Int128] {
    let lines = lines
    let (fixed, base) = (rules("fixed"), rules("base"))
    var own = lines.map { _ in Int128(0) }
    var ofFixed: [Int: [Int]] = [:]
    var ofBase: [Int: [Int]] = [:]
    for (at, line) in lines.enumerated() {
      if let first = fixed.first(where: { takesPart($0.rule, line.facts) }) {
        ofFixed[first.number, default: []].append(at)
        own[at] = Int128(first.rule.points) * Int128(line.line.quantity)
      } else if let first = base.first(where: { takesPart($0.rule, line.facts) }) {
        ofBase[first.number, default: []].append(at)
      } else if isPurchase {
        ofBase[-1, default: []].append(at)
      }
    }
    let rate = program.isMerchantsRate ? "merchantRate" : "programRate"
    for (number, rule) in base + [(-1, PlainRule(version: 0, from: 0, until: 0, stage: "base", earn: program.rate))] {
      guard let mine = ofBase[number] else { continue }
      let sum = mine.reduce(Int128(0)) { $0 + Int128(lines[$1].line.amount) }
      let points = sum * Int128(rule.earn.points) / Int128(rule.earn.money)
      try add(number < 0 ? rate : "rule", "base", max(0, number), rule.version, rule.campaign, points)
      for (at, share) in zip(mine, Oracle.largestRemainder(points, mine.map { Int128(lines[$0].line.amount) })) {
        own[at] = share
      }
    }
    for (number, rule) in fixed {
      guard let mine = ofFixed[number] else { continue }
      try add("rule", "fixed", number, rule.version, rule.campaign, mine.reduce(0) { $0 + own[$1] })
    }
    return own
  }
  private struct Factor {
    var source: String
    var number: Int
    var rule: PlainRule
    var id: String
  }
  private mutating func times() throws {
    var all: [Factor] = []
    for (number, rule) in rules("times") where takesPart(rule) {
      all.append(Factor(source: "rule", number: number, rule: rule, id: program.ids[number]!))
    }
    if isPurchase {
      for factor in request.factors {
        let rule = PlainRule(version: factor.version, from: 0, until: 0, stage: "times", times: factor.times)
        let source = factor.isTier ? "tier" : "cardType"
        all.append(Factor(source: source, number: factor.number, rule: rule, id: factor.id))
      }
    }
    all.sort { a, b in
      a.rule.priority != b.rule.priority
        ? a.rule.priority < b.rule.priority : Array(a.id.utf8).lexicographicallyPrecedes(Array(b.id.utf8))
    }
    if let stop = all.firstIndex(where: { $0.rule.stop }) { all.removeSubrange((stop + 1)...) }
    guard !all.isEmpty else { return }
    let base = total
    func floored(_ n: Int128, _ d: Int128) -> Int128 { n >= 1000 * d ? base * 1000 : base * n / d }
    if program.combine == "product" {
      var (n, d) = (Int128(1), Int128(1))
      var before = base
      for one in all {
        (n, d) = (n * Int128(one.rule.times.0), d * Int128(one.rule.times.1))
        let now = floored(n, d)
        try add(one.source, "times", one.number, one.rule.version, one.rule.campaign, now - before)
        before = now
      }
      return
    }
    func isAbove(_ a: (Int, Int), _ b: (Int, Int)) -> Bool { Int128(a.0) * Int128(b.1) > Int128(b.0) * Int128(a.1) }
    let greatest = all.first { one in !all.contains { isAbove($0.rule.times, one.rule.times) } }!
    for one in all {
      if one.id == greatest.id {
        let now = floored(Int128(one.rule.times.0), Int128(one.rule.times.1))
        try add(one.source, "times", one.number, one.rule.version, one.rule.campaign, now - base)
      } else {
        outcome.steps.append("\(one.source) \(one.number) v\(one.rule.version) times 0 = \(total)")
      }
    }
  }

  // MARK: What is cut

  private mutating func caps() {
    let number = (request.moment + program.offset) / 86_400_000_000 + PlainCalendar.epoch
    func room(_ rule: Int?, _ cap: (limit: Int, kind: String)) -> (Int, String) {
      let start = PlainCalendar.window(cap.kind, number)
      var used = 0
      for entry in history where cap.kind != "sale" {
        guard entry.windows.contains(where: { $0.rule == rule && $0.kind == cap.kind && $0.start == start }) else {
          continue
        }
        used += entry.credited - entry.returned
      }
      let room = max(0, cap.limit - used)
      return (room, "\(rule ?? -1) \(cap.kind) \(start) room \(room)")
    }
    for (number, rule) in taking("cap") {
      let (room, count) = room(number, rule.cap)
      outcome.counts.append(count)
      let over = max(0, total - Int128(room))
      cut(over)
      outcome.steps.append("rule \(number) v\(rule.version) cap \(-over) = \(total)")
    }
    for (at, cap) in program.caps.enumerated() {
      let (room, count) = room(nil, cap)
      outcome.counts.append(count)
      let over = max(0, total - Int128(room))
      cut(over)
      outcome.steps.append("programCap \(at) v0 cap \(-over) = \(total)")
    }
  }
  private mutating func budgets() {
    var draws: [(campaign: Int, quota: Int?, wanted: Int, granted: Int)] = []
    for at in parts.indices {
      guard let campaign = parts[at].campaign else { continue }
      let wanted = Int(parts[at].points)
      var granted = wanted
      let quota = window(campaign)?.quota
      if let quota, let limit = program.quotas[quota] {
        let before = history.flatMap(\.draws).filter { $0.quota == quota }.reduce(0) { $0 + $1.points }
        let now = draws.filter { $0.quota == quota }.reduce(0) { $0 + $1.granted }
        granted = max(0, min(wanted, limit - before - now))
      }
      if let known = draws.firstIndex(where: { $0.campaign == campaign }) {
        draws[known].wanted += wanted
        draws[known].granted += granted
      } else {
        draws.append((campaign, quota, wanted, granted))
      }
      guard granted < wanted else { continue }
      parts[at].points = Int128(granted)
      let part = parts[at]
      outcome.steps.append("budget \(part.rule) v\(part.version) \(part.stage) \(granted - wanted) = \(total)")
    }
    outcome.draws = draws.map { "\($0.campaign) from \($0.quota ?? -1): \($0.granted) of \($0.wanted)" }
  }

  // MARK: Lines

  private func divided(_ whole: Int128, _ own: [Int128]) -> [Int] {
    var weights = own
    if weights.allSatisfy({ $0 == 0 }) { weights = request.lines.map { Int128($0.amount) } }
    if weights.allSatisfy({ $0 == 0 }) { weights[0] = 1 }
    return Oracle.largestRemainder(whole, weights).map { Int($0) }
  }
  /// R14: floors, then one each to the largest remainders, of equal ones to the first.
  static func largestRemainder(_ whole: Int128, _ weights: [Int128]) -> [Int128] {
    let sum = weights.reduce(0, +)
    guard sum > 0 else { return weights.map { _ in 0 } }
    var shares = weights.map { whole * $0 / sum }
    let rests = weights.map { whole * $0 % sum }
    let order = weights.indices.sorted { rests[$0] != rests[$1] ? rests[$0] > rests[$1] : $0 < $1 }
    let left = Int(whole - shares.reduce(0, +))
    for at in order.prefix(left) { shares[at] += 1 }
    return shares
  }
}
