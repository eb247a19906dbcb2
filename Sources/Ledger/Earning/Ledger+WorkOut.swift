import Base
import Rules
import Vocabulary

extension Ledger {
  /// Whether a purchase takes more than a rate: rules, caps, lines, or a dealer without logistics.
  @inline(__always) func takesRules(_ parties: Parties, hasLines: Bool) -> Bool {
    catalogue.programRows[parties.program.place].hasRules || catalogue.hasUnserved
      || hasLines
  }

  /// Works out what a purchase or an event earns: into `worked.points`, and what is kept of how. Books nothing.
  @inline(never) func workOut(_ ask: EarningRequest, into worked: inout EarningWork) throws(Stop) {
    worked.clear()
    let moment = ask.effective ?? now
    let program = ask.program.place
    worked.detail.event = ask.event
    try fillRequest(ask, at: moment, into: &worked)
    guard !isUnserved(ask.merchant) else {
      worked.outcome = Rules.Outcome()
      worked.detail.reason = .logistics
      worked.bytes = worked.detail.encoded
      return
    }
    let needs = catalogue.ruleSets[program].find(worked.facts, &worked.work)
    fillMember(ask, needs, into: &worked)
    fillBooks(ask, into: &worked)
    let own = holderClass(tables.members.read(ask.member))
    let caps = own.withUnsafeBytes {
      catalogue.caps(ofProgram: ask.program, holderClass: $0.isEmpty ? Ledger.consumer : $0, at: ask.effective)
    }
    worked.capPolicy = own.withUnsafeBytes {
      catalogue.policyOfCaps(ofProgram: ask.program, holderClass: $0.isEmpty ? Ledger.consumer : $0, at: ask.effective)
    }
    let rate = Fraction(ask.rate.points.rawValue, ask.rate.money.rawValue) ?? .nothing
    let terms = EarningTerms(
      rate: rate, isMerchantsRate: ask.isMerchantsRate, combination: catalogue.programDetails[program].combination,
      caps: caps)
    do throws(RuleRefusal) {
      try catalogue.ruleSets[program].evaluate(worked.facts, terms, worked.books, &worked.work, &worked.outcome)
      if !worked.outcome.draws.isEmpty, lacksBudget(ask, into: &worked) {
        try catalogue.ruleSets[program].evaluate(worked.facts, terms, worked.books, &worked.work, &worked.outcome)
      }
    } catch {
      throw .refused(.limit(error == .points ? "points" : "spend"))
    }
    keep(ask, into: &worked)
  }
  /// Notes what the record is to have.
  private func keep(_ ask: EarningRequest, into worked: inout EarningWork) {
    worked.points = worked.outcome.points
    worked.detail.capped = worked.outcome.capped
    worked.detail.reason = worked.outcome.blockedBy.map { .rule($0) }
    for place in worked.detail.lines.indices where place < worked.outcome.linePoints.count {
      worked.detail.lines[place].points = worked.outcome.linePoints[place]
    }
    let isPlain = worked.outcome.steps.allSatisfy {
      $0.source == .merchantRate || $0.source == .programRate || $0.source == .request
    }
    worked.detail.steps = isPlain ? [] : worked.steps
    worked.detail.windows = worked.outcome.counts.filter { $0.rule != nil && $0.window.kind != .sale }
      .map { .init(rule: $0.rule, window: $0.window) }
    let day = CivilTime.day(of: ask.effective ?? now, offset: catalogue.programRows[ask.program.place].offset)
    for draw in worked.outcome.draws where draw.granted > 0 {
      worked.detail.draws.append(
        .init(
          campaign: draw.campaign, period: draw.budget.flatMap { catalogue.period(ofQuota: $0, day: day) },
          points: draw.granted))
    }
    for kind in catalogue.programDetails[ask.program.place].capWindows {
      worked.detail.windows.append(.init(rule: nil, window: CapWindow(kind, holding: day)))
    }
    if !worked.detail.isEmpty { worked.bytes = worked.detail.encoded }
  }
  /// It, or a merchant above it, is a dealer without logistics (B9).
  private func isUnserved(_ merchant: MerchantRef) -> Bool {
    var next = merchant
    for _ in 0...EntryKind.deepest {
      guard catalogue.has(next) else { return false }
      if catalogue.merchantRows[next.place].isUnserved { return true }
      next = catalogue.merchantRows[next.place].parent
    }
    return false
  }
}

extension Catalogue {
  /// What a member of a class may earn in windows: a policy says it, else the program, as they are at a moment.
  func caps(ofProgram program: ProgramRef, holderClass: Bytes, at moment: Stamp?) -> [Cap] {
    guard programDetails[program.place].mayHaveCaps else { return [] }
    if let own = policy(ofProgram: program, holderClass: holderClass, at: moment)?.caps { return own }
    return capsOfProgram(program, at: moment)
  }
  /// The policy, counted from 1, whose `earn-cap=` holds for a class; 0: the program's.
  func policyOfCaps(ofProgram program: ProgramRef, holderClass: Bytes, at moment: Stamp?) -> UInt32 {
    guard programDetails[program.place].mayHaveCaps,
      policy(ofProgram: program, holderClass: holderClass, at: moment)?.caps != nil,
      let known = programDetails[program.place].policies.first(where: { $0.holderClass.elementsEqual(holderClass) })
    else { return 0 }
    return UInt32(known.number + 1)
  }
  private func capsOfProgram(_ program: ProgramRef, at moment: Stamp?) -> [Cap] {
    guard let version = programs[program.place].version(at: moment ?? records.moment) else { return [] }
    return (try? ProgramTerms(version.values))?.policy.caps ?? []
  }
}
