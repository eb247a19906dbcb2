/// What factors do to the points of base and fixed.
extension RuleSet {
  func addTimes(
    _ candidates: Range<Int>, _ facts: Facts, _ combination: EarningTerms.Combination, _ work: inout RuleWork,
    _ outcome: inout Outcome
  ) throws(RuleRefusal) {
    guard !candidates.isEmpty else { return }
    let base = work.total
    switch combination {
    case .max: try addGreatest(candidates, facts, base, &work, &outcome)
    case .product: try addProduct(candidates, facts, base, &work, &outcome)
    }
  }
  /// A candidate's factor, if it takes part.
  private func factor(
    _ at: Int, _ facts: Facts, _ work: inout RuleWork
  ) -> (value: Fraction, step: Step, campaign: UInt32, stop: Bool)? {
    let place = Int(work.candidates[at].place)
    guard place >= 0 else {
      let one = facts.factors[-1 - place]
      let step = Step(one.source, .times, number: one.number, version: one.version, points: 0, total: 0)
      return (one.factor, step, RuleRecord.noCampaign, false)
    }
    guard holdsForAnyLine(place, facts, &work),
      let value = Fraction(records[place].amount, records[place].denominator)
    else { return nil }
    let step = Step(
      .rule, .times, number: records[place].number, version: records[place].version, points: 0, total: 0)
    return (value, step, records[place].campaign, records[place].stop)
  }
  /// The first of the greatest has all that is added.
  private func addGreatest(
    _ candidates: Range<Int>, _ facts: Facts, _ base: Int64, _ work: inout RuleWork, _ outcome: inout Outcome
  ) throws(RuleRefusal) {
    let first = outcome.steps.count
    var greatest = Fraction.nothing
    var (chosen, campaign) = (-1, RuleRecord.noCampaign)
    for at in candidates {
      guard var one = factor(at, facts, &work) else { continue }
      one.step.total = base
      outcome.steps.append(one.step)
      if chosen < 0 || one.value > greatest {
        (greatest, chosen, campaign) = (one.value, outcome.steps.count - 1, one.campaign)
      }
      if one.stop { break }
    }
    guard chosen >= first else { return }
    if greatest > Fraction.largestFactor { greatest = Fraction.largestFactor }
    guard let total = greatest.floor(of: base) else { throw .points }
    outcome.steps[chosen].points = total - base
    for at in chosen..<outcome.steps.count { outcome.steps[at].total = total }
    credit(outcome.steps[chosen], campaign, &work)
  }
  /// One factor after another: each has what it adds to the floor.
  private func addProduct(
    _ candidates: Range<Int>, _ facts: Facts, _ base: Int64, _ work: inout RuleWork, _ outcome: inout Outcome
  ) throws(RuleRefusal) {
    var product = FactorProduct()
    var before = base
    for at in candidates {
      guard var one = factor(at, facts, &work) else { continue }
      guard product.multiply(by: one.value), let total = product.floor(of: base) else { throw .points }
      (one.step.points, one.step.total) = (total - before, total)
      before = total
      outcome.steps.append(one.step)
      credit(one.step, one.campaign, &work)
      if one.stop { return }
    }
  }
  /// What a factor below 1 takes, it takes off what stands before it.
  private func credit(_ step: Step, _ campaign: UInt32, _ work: inout RuleWork) {
    guard step.points >= 0 else {
      work.cut(-step.points)
      return
    }
    work.parts.append(
      RuleWork.Part(
        stage: .times, points: step.points, campaign: campaign, number: step.number, version: step.version))
  }
}
