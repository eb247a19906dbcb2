import Base
import Rules
import Vocabulary

// Asking: what an EARN or an EVENT would give, and how points were worked out. Nothing is booked.
extension Ledger {
  private func asked(_ query: Call) throws(Stop) -> (parties: Parties, effective: Stamp?, work: EarningWork) {
    try checkProgramme()
    var call = query
    call.hashes.party = hashes.member(call.party, call.tenant).finishedLow()
    if !call.merchant.isEmpty { call.hashes.merchant = catalogue.merchant(call.merchant, tenant: call.tenant) ?? .none }
    var work = EarningWork()
    work.known = KnownDraws(decoding: query.drawn)
    guard call.verb != .simulateEvent else {
      let parties = try partiesOfEvent(&call)
      var ask = eventRequest(call, parties)
      ask.effective = moment(of: query)
      try workOut(ask, into: &work)
      return (parties, ask.effective, work)
    }
    let parties = try parties(&call)
    let effective = try effectiveMoment(call.number(.at), parties.program) ?? moment(of: query)
    let rule = catalogue.rule(ofProgram: parties.program, at: effective)
    var own: EarnRate?
    if let effective {
      own = rate(parties, at: effective)
    } else {
      own = catalogue.rate(ofMerchant: parties.merchant, program: parties.program)
    }
    try workOut(earningRequest(call, parties, effective, own, rule.rate), into: &work)
    return (parties, effective, work)
  }

  /// When a question is asked, by the node's clock, where that is later than the last entry: a request would be booked then.
  private func moment(of query: Call) -> Stamp? { query.askedAt > now ? query.askedAt : nil }

  /// `SIMULATE EARN`, `SIMULATE EVENT`, `EXPLAIN EARN`. Of a member in a pool the pool's slot has the last word; a movement that is on its
  /// way there comes first.
  func answerQuestion(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) -> ReadOutcome {
    if !call.behalf.isEmpty {
      try answer(try Behalf(call.behalf).question(catalogue), for: call, &reply)
      return .replied
    }
    let (parties, effective, work) = try asked(call)
    if settle(work, for: call, &reply) { return .replied }
    guard core.semantics >= Semantics.service, let pool = pool(of: parties.number) else {
      try answer(parties, effective, work, for: call, &reply)
      return .replied
    }
    passOn(call, to: pool, said: question(parties, effective, work).bytes, &reply)
    let open = movement(of: parties.number)
    return open == .none ? .replied : .unsettled(until: open)
  }
  /// Budgets lack something: whether the answer is written. Leases here are short, and others may have some: then what all have drawn is asked
  /// for first, once. An empty budget that refuses is the answer.
  private func settle(_ work: EarningWork, for call: Call, _ reply: inout ReplyWriter) -> Bool {
    guard core.semantics >= Semantics.checked, !work.shortages.isEmpty else { return false }
    if call.drawn.isEmpty {
      let open = work.shortages.map(\.period).filter { isOpen(Shortage(period: $0, wanted: 0), for: []) }
      if !open.isEmpty {
        KnownDraws.write(open.prefix(KnownDraws.most), into: &reply)
        return true
      }
    }
    guard let refusing = work.shortages.first(where: { catalogue.quota($0.period.quota)?.isRefusing ?? false }) else {
      return false
    }
    reply.error(.limit, "the quota has no more")
    catalogue.quotaName(refusing.period.quota).withUnsafeBytes { reply.field(.which, $0) }
    return true
  }
  private func question(_ parties: Parties, _ effective: Stamp?, _ work: EarningWork) -> Behalf.Question {
    var question = Behalf.Question(
      program: parties.program, merchant: parties.merchant, points: Points(work.points), effective: effective ?? .zero,
      detail: work.detail, qualifying: foresee(parties, work.detail, Points(work.points), work.spend, effective))
    question.detail.steps = work.steps
    question.detail.tier = question.qualifying.tier
    return question
  }

  /// An answer about a member's own account.
  private func answer(
    _ parties: Parties, _ effective: Stamp?, _ work: EarningWork, for call: Call, _ reply: inout ReplyWriter
  ) throws(Stop) {
    var answer = try EarningAnswer(self, parties, effective, Points(work.points), work.detail, member: call.party)
    answer.detail.steps = work.steps
    if let reached = tierView(parties, work, answer.lot, effective, isPending: answer.isPending) {
      answer.detail.tier = UInt32(clamping: reached.tier)
      answer.gift = reached.gift
      if reached.isRaised { answer.gain += gainOfTierUp(parties, reached.tier, moment(of: call), behind: work) }
    }
    answer.write(call.verb, self, &reply)
  }
  /// One about a pool's, for a member in it.
  private func answer(_ question: Behalf.Question, for call: Call, _ reply: inout ReplyWriter) throws(Stop) {
    let number = try member(call)
    try checkPool(number)
    try checkActive(program: question.program)
    let parties = Parties(number: number, merchant: question.merchant, program: question.program)
    let effective = question.effective == .zero ? nil : question.effective
    var answer = try EarningAnswer(
      self, parties, effective, question.points, question.detail, member: Behalf(call.behalf).member)
    if question.qualifying.holds(for: answer.lot, isPending: answer.isPending) {
      answer.gift = question.qualifying.gift
    } else {
      answer.detail.tier = nil
    }
    answer.write(call.verb, self, &reply)
  }
  /// What the event of a tier that is reached gives at once in the program: it is raised before the purchase is booked.
  private func gainOfTierUp(
    _ parties: Parties, _ tier: Int, _ moment: Stamp?, behind earning: EarningWork
  ) -> Points {
    guard catalogue.ruleSets[parties.program.place].hasRule(ofEvent: Ledger.tierUp.bytes, at: moment ?? now) else {
      return 0
    }
    var ask = raised(Array(Ledger.tierUp.bytes), of: parties.number, in: parties.program, at: moment)
    ask.tier = tier
    let promised = PromisedEarning(earning, parties.program)
    ask.behind = [promised]
    var work = EarningWork()
    // Where leases here are short of the purchase it waits for a grant, which is mostly ample.
    work.known = (earning.known ?? KnownDraws()).of { drawable($0) < promised.drawn(of: $0) }
    guard (try? workOut(ask, into: &work)) != nil else { return 0 }
    // Where leases here are short it is raised again once others were asked, behind the answer.
    guard !work.shortages.contains(where: { isOpen($0, for: []) }) else { return 0 }
    let terms = terms(of: parties.number, parties.program, at: moment)
    return lot(for: terms, at: moment ?? now, parties.program).isPending ? 0 : Points(work.points)
  }

  /// `EXPLAIN TX`: from the journal.
  func readExplanation(_ call: Call) throws(Stop) -> ReadOutcome {
    let tx = call.transaction
    if let number = findTransaction(tx) {
      let record = tables.transactions.read(number).pointee
      guard tables.members.read(record.member).pointee.tenant == call.tenant else { throw .refused(.notFound(tx)) }
      return .journal(journalQuery(.explanation(at: record.latest, tx: tx, tenant: call.tenant)))
    }
    guard tx.sequence > 0, tx.sequence <= lastSequence(of: tx.slot) else { throw .refused(.notFound(tx)) }
    switch tables.past.find(tx) {
    case .entry(let entry):
      return .journal(journalQuery(.explanation(at: entry.position, tx: tx, tenant: call.tenant)))
    case .unknown: return .journal(journalQuery(.pastExplanation(search(for: tx), tenant: call.tenant)))
    case .never: throw .refused(.notFound(tx))
    }
  }
}

/// What an EARN or an EVENT that is not made would be answered.
private struct EarningAnswer {
  var parties: Parties
  var member: UnsafeRawBufferPointer
  var moment: Stamp
  var points: Points
  /// With all steps, and the tier that would be reached.
  var detail: EarningDetail
  var lot: LotName
  var isPending: Bool
  /// What the balance would gain, and the gift besides.
  var gain: Points
  var gift: Points = 0
  private var balance: Points

  init(
    _ ledger: borrowing Ledger, _ parties: Parties, _ effective: Stamp?, _ points: Points, _ detail: EarningDetail,
    member: UnsafeRawBufferPointer
  ) throws(Stop) {
    let position = ledger.position(ledger.tables.members.read(parties.number), parties.program)
    guard !position.isBroken else {
      throw .refused(Refusal(.unavailable, "the account's figures do not fit 64 bits; nothing was done"))
    }
    (self.parties, self.member, self.points, self.detail) = (parties, member, points, detail)
    (moment, balance) = (effective ?? ledger.now, position.balance)
    let terms = ledger.terms(of: parties.number, parties.program, at: effective)
    (lot, isPending) = ledger.lot(for: terms, at: moment, parties.program)
    // What has ended already repays debt, and no more.
    gain = isPending ? 0 : lot.expiresAt <= ledger.now ? min(points, position.debt) : points
  }

  func write(_ verb: Verb, _ ledger: borrowing Ledger, _ reply: inout ReplyWriter) {
    let catalogue = ledger.catalogue.records
    let after = balance &+ gain &+ gift
    guard verb == .explainEarn else {
      reply.record()
      reply.field(.member, member)
      ledger.catalogue.withProgramName(parties.program) { reply.field(.program, $0) }
      reply.field(.points, points)
      reply.field(.balance, after)
      return detail.render(catalogue, into: &reply)
    }
    let offset = ledger.catalogue.programRows[parties.program.place].offset
    Explanation(
      steps: detail.steps, reason: detail.reason, points: points.rawValue, program: parties.program,
      merchant: parties.merchant, moment: moment, ends: lot.expiresAt,
      active: isPending ? lot.activeAt(offset: offset) : nil
    ).write(catalogue, into: &reply)
    // Of the last record, beside what all have.
    reply.field(.balance, after)
    if let tier = detail.tier { reply.field(named: "tier", catalogue.tierName(Int(tier))) }
    if gift > 0 { reply.field(named: "gift", gift.rawValue) }
  }
}

/// The steps of an earning as `EXPLAIN` shows them.
struct Explanation {
  var steps: [Step]
  var reason: EarningDetail.Reason?
  var points: Int64
  var program: ProgramRef
  var merchant: MerchantRef
  var moment: Stamp
  var ends: Stamp
  var active: Stamp?

  func write(_ catalogue: CatalogueRecords, into reply: inout ReplyWriter) {
    reply.array(count: steps.count + 1)
    for step in steps {
      let (name, terms) = describe(step, catalogue)
      reply.record()
      reply.field(named: "step", "\(step.stage)")
      reply.field(named: "rule", name)
      if step.version > 0, step.source != .programCap {
        reply.field(named: "version", Int64(step.version))
      } else {
        reply.field(named: "version", "")
      }
      reply.field(.points, Points(step.points))
      reply.field(named: "total", step.total)
      reply.field(named: "text", step.sentence(terms))
    }
    reply.record()
    reply.field(named: "step", "lots")
    reply.field(named: "rule", "")
    reply.field(named: "version", "")
    reply.field(.points, Points(points))
    reply.field(named: "total", points)
    reply.field(named: "text", lots)
  }
  private var lots: String {
    if reason == .logistics { return "a dealer without logistics, and its stores, earn members nothing" }
    func date(_ stamp: Stamp) -> String {
      let day = CivilTime.day(of: stamp, offset: 0)
      let (year, month, dayOfMonth) = CivilTime.date(day: day)
      let minute =
        (stamp.microseconds - CivilTime.midnight(ofDay: day, offset: 0).microseconds)
        / (60 * CivilTime.microsecondsPerSecond)
      func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
      return "\(year)-\(two(month))-\(two(dayOfMonth))T\(two(minute / 60)):\(two(minute % 60))Z"
    }
    var text = "each rule's points are rounded down once; \(points) points join the lot that "
    text += ends == .never ? "never ends" : "ends at \(date(ends))"
    if let active { text += ", and are active from \(date(active))" }
    return text
  }
  private func describe(_ step: Step, _ catalogue: CatalogueRecords) -> (name: [UInt8], terms: StepTerms) {
    var terms = StepTerms()
    switch step.source {
    case .rule, .budget:
      terms.rule = catalogue.rule(step.number, version: step.version)
      if let campaign = terms.rule?.campaign, Int(campaign) < catalogue[.campaign].count {
        terms.name = String(decoding: catalogue[.campaign][Int(campaign)].name, as: UTF8.self)
      }
      return (catalogue.ruleName(step.number), terms)
    case .tier:
      let name = catalogue.tierName(Int(step.number))
      terms.name = String(decoding: name, as: UTF8.self)
      if Int(step.number) < catalogue[.tier].count,
        let version = catalogue[.tier][Int(step.number)].version(at: moment)
      {
        terms.fraction = (try? TierTerms(version.values))?.rung.factor
      }
      return (Array("tier:".utf8) + name, terms)
    case .cardType:
      guard Int(step.number) < catalogue[.cardType].count else { return ([], terms) }
      let item = catalogue[.cardType][Int(step.number)]
      terms.name = String(decoding: item.name, as: UTF8.self)
      if let stored = item.version(at: moment)?.values[CardTypeField.earnTimes] {
        let number = EntryField.number(stored: stored)
        terms.fraction = Fraction(number >> 32, number & 0xFFFF_FFFF)
      }
      return (Array("cardtype:".utf8) + item.name, terms)
    case .merchantRate:
      terms.fraction = rate(catalogue[.merchant], merchant.place)
      return ([], terms)
    case .programRate:
      terms.fraction = rate(catalogue[.program], program.place)
      return ([], terms)
    case .programCap:
      terms.cap = cap(step, catalogue)
      return ([], terms)
    case .request: return ([], terms)
    }
  }
  /// Which `earn-cap=` it was, as that was then.
  private func cap(_ step: Step, _ catalogue: CatalogueRecords) -> Cap? {
    let (items, place) =
      step.version > 0 ? (catalogue[.policy], Int(step.version) - 1) : (catalogue[.program], program.place)
    let field = EntryKind.policy.field("earn-cap")?.number ?? 0
    guard items.indices.contains(place), let version = items[place].version(at: moment) else { return nil }
    let caps = version.values.with(field) { $0.flatMap { Cap.list(parsing: $0) } } ?? []
    return caps.indices.contains(Int(step.number)) ? caps[Int(step.number)] : nil
  }
  /// Where the points of a purchase came from in which no rule took part: a merchant's rate holds for points of its own program (A1).
  static func plainSource(of record: JournalRecord, _ catalogue: CatalogueRecords) -> Step.Source {
    guard record.spend.isSaid else { return .request }
    let (merchants, place) = (catalogue[.merchant], record.merchant.place)
    let moment = record.effective == .zero ? record.stamp : record.effective
    guard merchants.indices.contains(place), let version = merchants[place].version(at: moment),
      let terms = try? MerchantTerms(version.values, programCount: catalogue[.program].count), terms.rate.money != 0,
      terms.program.isNone || terms.program == record.program
    else { return .programRate }
    return .merchantRate
  }
  /// `earn=`, which programs and merchants have by the same number.
  private func rate(_ items: ChunkedQueue<CatalogueItem>, _ place: Int) -> Fraction? {
    guard items.indices.contains(place), let stored = items[place].version(at: moment)?.values[3] else { return nil }
    let number = EntryField.number(stored: stored)
    return Fraction(number >> 32, number & 0xFFFF_FFFF)
  }
}

extension JournalRecordReader {
  mutating func explain(
    _ tx: TransactionID, at position: JournalPosition, _ tenant: TenantID, into reply: inout ReplyWriter
  ) throws {
    let records = try records(of: tx, at: position)
    try read(records.original, from: records.position) { record in
      guard record.tenant == tenant else { return reply.error(.notFound, Refusal.notFound(tx).text) }
      guard record.kind == .earn else {
        return reply.error(.malformed, "tx: only what an EARN or an EVENT gave is explained")
      }
      let detail = try EarningDetail(decoding: record.answer)
      var steps = detail.steps
      if steps.isEmpty, detail.reason == nil, detail.event.isEmpty {
        let source = Explanation.plainSource(of: record, catalogue)
        steps = [Step(source, .base, points: record.points.rawValue, total: record.points.rawValue)]
      }
      var lots = ByteReader(record.lots)
      let lot = try? JournalLot(&lots)
      Explanation(
        steps: steps, reason: detail.reason, points: record.points.rawValue, program: record.program,
        merchant: record.merchant, moment: record.effective == .zero ? record.stamp : record.effective,
        ends: lot?.name.expiresAt ?? .never, active: record.expires == .zero ? nil : record.expires
      ).write(catalogue, into: &reply)
    }
  }
}
