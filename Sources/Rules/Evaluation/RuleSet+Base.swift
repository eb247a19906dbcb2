import Base

/// Base and fixed, line by line, and what each line has of an outcome.
extension RuleSet {
  /// Who has a line that no rule took.
  private static let rate: Int32 = -1

  func addBase(
    _ stages: Stages, _ facts: Facts, _ terms: EarningTerms, _ work: inout RuleWork, _ outcome: inout Outcome
  ) throws(RuleRefusal) {
    work.owners.removeAll(keepingCapacity: true)
    work.own.removeAll(keepingCapacity: true)
    var isPurchase = false
    var single = FactLine(sku: .unknown, quantity: 1, amount: 0)
    switch facts.request {
    case .purchase(let spend): (isPurchase, single.amount) = (true, spend)
    case .event(let value): single.amount = value ?? 0
    case .points: return
    }
    let hasLines = isPurchase && !facts.lines.isEmpty
    for place in 0..<(hasLines ? facts.lines.count : 1) {
      if hasLines { work.load(facts.lines[place]) }
      work.owners.append(owner(stages, facts, &work))
      work.own.append(0)
    }
    @inline(__always) func line(_ place: Int) -> FactLine { hasLines ? facts.lines[place] : single }
    for at in stages.base { try addRate(Int32(at), hasLines, line, terms, &work, &outcome) }
    if isPurchase { try addRate(RuleSet.rate, hasLines, line, terms, &work, &outcome) }
    for at in stages.fixed { try addFixed(Int32(at), line, &work, &outcome) }
  }
  /// Who has the line that is loaded: the first fixed rule that takes part for it, else the first base rule, else the rate.
  private func owner(_ stages: Stages, _ facts: Facts, _ work: inout RuleWork) -> Int32 {
    for at in stages.fixed where takesPart(at, facts, &work) { return Int32(at) }
    for at in stages.base where takesPart(at, facts, &work) { return Int32(at) }
    return RuleSet.rate
  }
  private func takesPart(_ at: Int, _ facts: Facts, _ work: inout RuleWork) -> Bool {
    if work.candidates[at].verdict != .open { return work.candidates[at].verdict == .yes }
    let record = Int(work.candidates[at].place)
    let answer = holds(record, facts, &work)
    if !records[record].usesLines { work.candidates[at].verdict = answer ? .yes : .no }
    return answer
  }
  /// The points of one rate: floored once, and divided among its lines by their amounts.
  @inline(__always) private func addRate(
    _ owner: Int32, _ hasLines: Bool, _ line: (Int) -> FactLine, _ terms: EarningTerms, _ work: inout RuleWork,
    _ outcome: inout Outcome
  ) throws(RuleRefusal) {
    var (sum, count) = (Int64(0), 0)
    for place in work.owners.indices where work.owners[place] == owner {
      sum += line(place).amount
      count += 1
    }
    guard count > 0 else { return }
    let record = owner == RuleSet.rate ? nil : Int(work.candidates[Int(owner)].place)
    guard sum <= largestAmount,
      let points = record.map({ quotient(sum, records[$0].amount, records[$0].denominator) })
        ?? terms.rate.floor(of: sum)
    else { throw .points }
    let source = record != nil ? Step.Source.rule : terms.isMerchantsRate ? .merchantRate : .programRate
    add(source, .base, points, record, &work, &outcome)
    guard outcome.steps.last?.total ?? 0 <= largestAmount else { throw .points }
    guard hasLines else {
      work.own[0] = points
      return
    }
    work.weights.removeAll(keepingCapacity: true)
    for place in work.owners.indices { work.weights.append(work.owners[place] == owner ? line(place).amount : 0) }
    divide(points, by: work.weights, sum, into: &work.own, &work.remainders)
  }
  @inline(__always) private func addFixed(
    _ owner: Int32, _ line: (Int) -> FactLine, _ work: inout RuleWork, _ outcome: inout Outcome
  ) throws(RuleRefusal) {
    let record = Int(work.candidates[Int(owner)].place)
    var (sum, count) = (Int64(0), 0)
    for place in work.owners.indices where work.owners[place] == owner {
      guard let points = quotient(records[record].amount, line(place).quantity, 1) else { throw .points }
      work.own[place] = points
      sum += points
      count += 1
      guard sum <= largestAmount else { throw .points }
    }
    guard count > 0 else { return }
    add(.rule, .fixed, sum, record, &work, &outcome)
    guard outcome.steps.last?.total ?? 0 <= largestAmount else { throw .points }
  }

  /// Divides what is credited among the lines by their own points; without any by their amounts; without these the first has
  /// all (R14, A11).
  func divideAmongLines(_ facts: Facts, _ work: inout RuleWork, _ outcome: inout Outcome) {
    guard case .purchase = facts.request, !facts.lines.isEmpty else { return }
    outcome.linePoints.append(contentsOf: repeatElement(0, count: facts.lines.count))
    var sum = work.own.reduce(0, +)
    if sum == outcome.points, sum > 0 {
      for place in work.own.indices { outcome.linePoints[place] = work.own[place] }
      return
    }
    if sum == 0 {
      for place in work.own.indices { work.own[place] = facts.lines[place].amount }
      sum = work.own.reduce(0, +)
    }
    guard sum > 0 else {
      outcome.linePoints[0] = outcome.points
      return
    }
    divide(outcome.points, by: work.own, sum, into: &outcome.linePoints, &work.remainders)
  }
}
