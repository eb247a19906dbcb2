import Base

/// The stages, in their order.
extension RuleSet {
  /// Works an earning out. Throws, and then the outcome means nothing, if a sum passes 10^15.
  /// - Parameters:
  ///   - facts: all that `find` asked for, and the factors of tier and card type.
  ///   - work: what `find` left.
  public func evaluate(
    _ facts: Facts, _ terms: EarningTerms, _ books: some EarningBooks, _ work: inout RuleWork,
    _ outcome: inout Outcome
  ) throws(RuleRefusal) {
    outcome.clear()
    try check(facts)
    addFactors(facts, &work)
    work.load(facts, work.needs)
    work.parts.removeAll(keepingCapacity: true)
    let stages = Stages(work.candidates)
    guard !isBlocked(stages.block, facts, &work, &outcome) else { return }
    switch facts.request {
    case .points(let points): add(.request, .base, points, nil, &work, &outcome)
    case .purchase, .event:
      try addBase(stages, facts, terms, &work, &outcome)
      try addTimes(stages.times, facts, terms.combination, &work, &outcome)
      try addBonus(stages.bonus, facts, &work, &outcome)
    }
    let worth = work.total
    applyCaps(stages.cap, facts, terms, books, &work, &outcome)
    draw(facts, books, &work, &outcome)
    outcome.points = work.total
    outcome.capped = worth - outcome.points
    for at in outcome.counts.indices { outcome.counts[at].credited = outcome.points }
    divideAmongLines(facts, &work, &outcome)
  }

  /// Where the candidates of each stage are.
  struct Stages {
    var block = 0..<0
    var base = 0..<0
    var fixed = 0..<0
    var times = 0..<0
    var bonus = 0..<0
    var cap = 0..<0

    init(_ candidates: [RuleWork.Candidate]) {
      var at = 0
      func next(_ stage: Stage) -> Range<Int> {
        let start = at
        while at < candidates.count, candidates[at].order >> 58 == UInt64(stage.rawValue) { at += 1 }
        return start..<at
      }
      block = next(.block)
      base = next(.base)
      fixed = next(.fixed)
      times = next(.times)
      bonus = next(.bonus)
      cap = next(.cap)
    }
  }

  private func check(_ facts: Facts) throws(RuleRefusal) {
    let amounts = 0...largestAmount
    switch facts.request {
    case .purchase(let spend): guard amounts.contains(spend) else { throw .amounts }
    case .points(let points): guard amounts.contains(points) else { throw .points }
    case .event(let value): guard amounts.contains(value ?? 0) else { throw .amounts }
    }
    for line in facts.lines {
      guard amounts.contains(line.amount), amounts.contains(line.quantity) else { throw .amounts }
    }
  }
  /// Notes what a rule adds: a step, and points that are credited to it.
  func add(
    _ source: Step.Source, _ stage: Stage, _ points: Int64, _ record: Int?, _ work: inout RuleWork,
    _ outcome: inout Outcome
  ) {
    let (number, version) = record.map { (records[$0].number, records[$0].version) } ?? (0, 0)
    let total = (outcome.steps.last?.total ?? 0) + points
    outcome.steps.append(Step(source, stage, number: number, version: version, points: points, total: total))
    work.parts.append(
      RuleWork.Part(
        stage: stage, points: points, campaign: record.map { records[$0].campaign } ?? RuleRecord.noCampaign,
        number: number,
        version: version))
  }

  private func isBlocked(
    _ candidates: Range<Int>, _ facts: Facts, _ work: inout RuleWork, _ outcome: inout Outcome
  ) -> Bool {
    for at in candidates {
      let record = Int(work.candidates[at].place)
      guard holdsForAnyLine(record, facts, &work) else { continue }
      outcome.blockedBy = records[record].number
      outcome.steps.append(
        Step(.rule, .block, number: records[record].number, version: records[record].version, points: 0, total: 0))
      if case .purchase = facts.request {
        outcome.linePoints.append(contentsOf: repeatElement(0, count: facts.lines.count))
      }
      return true
    }
    return false
  }
  private func addBonus(
    _ candidates: Range<Int>, _ facts: Facts, _ work: inout RuleWork, _ outcome: inout Outcome
  ) throws(RuleRefusal) {
    for at in candidates {
      let record = Int(work.candidates[at].place)
      guard holdsForAnyLine(record, facts, &work) else { continue }
      add(.rule, .bonus, records[record].amount, record, &work, &outcome)
      guard outcome.steps.last?.total ?? 0 <= largestAmount else { throw .points }
      if records[record].stop { return }
    }
  }

  // MARK: Caps and budgets

  private func applyCaps(
    _ candidates: Range<Int>, _ facts: Facts, _ terms: EarningTerms, _ books: some EarningBooks,
    _ work: inout RuleWork, _ outcome: inout Outcome
  ) {
    for at in candidates {
      let record = Int(work.candidates[at].place)
      guard holdsForAnyLine(record, facts, &work) else { continue }
      let room = limit(
        Cap(limit: records[record].amount, kind: records[record].window), records[record].number, facts, books, &outcome
      )
      cut(
        to: room,
        Step(.rule, .cap, number: records[record].number, version: records[record].version, points: 0, total: 0), &work,
        &outcome)
      if records[record].stop { break }
    }
    for (place, cap) in terms.caps.enumerated() {
      let room = limit(cap, nil, facts, books, &outcome)
      cut(to: room, Step(.programCap, .cap, number: UInt32(place), points: 0, total: 0), &work, &outcome)
    }
  }
  /// The room that a window has, which is counted in.
  private func limit(
    _ cap: Cap, _ rule: UInt32?, _ facts: Facts, _ books: some EarningBooks, _ outcome: inout Outcome
  ) -> Int64 {
    let window = CapWindow(cap.kind, holding: facts.day)
    let used = cap.kind == .sale ? 0 : max(0, books.used(ofRule: rule, in: window))
    let room = max(0, cap.limit - used)
    outcome.counts.append(CapCount(rule: rule, window: window, room: room, credited: 0))
    return room
  }
  private func cut(to room: Int64, _ step: Step, _ work: inout RuleWork, _ outcome: inout Outcome) {
    let total = work.total
    var step = step
    step.points = min(0, room - total)
    step.total = min(total, room)
    work.cut(-step.points)
    outcome.steps.append(step)
  }
  private func draw(
    _ facts: Facts, _ books: some EarningBooks, _ work: inout RuleWork, _ outcome: inout Outcome
  ) {
    for at in work.parts.indices where work.parts[at].campaign != RuleRecord.noCampaign {
      let part = work.parts[at]
      let budget = window(ofCampaign: part.campaign, at: facts.moment)?.budget
      var granted = part.points
      if let budget, let left = books.left(ofBudget: budget) {
        let drawn = outcome.draws.reduce(0) { $0 + ($1.budget == budget ? $1.granted : 0) }
        granted = min(granted, max(0, max(0, left) - drawn))
      }
      if let known = outcome.draws.firstIndex(where: { $0.campaign == part.campaign }) {
        outcome.draws[known].wanted += part.points
        outcome.draws[known].granted += granted
      } else {
        outcome.draws.append(Draw(campaign: part.campaign, budget: budget, wanted: part.points, granted: granted))
      }
      guard granted < part.points else { continue }
      work.parts[at].points = granted
      outcome.steps.append(
        Step(
          .budget, part.stage, number: part.number, version: part.version, points: granted - part.points,
          total: work.total))
    }
  }
}
