import Base
import Vocabulary

extension Ledger {
  /// `EARN`: points for a purchase, by the program's rule or as many as said (R2, R35).
  mutating func earn(_ call: inout Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    let parties = try parties(&call)
    try waitForPool(parties.number)
    let effective = try effectiveMoment(call.number(.at), parties.program)
    var rule = catalogue.rule(ofProgram: parties.program, at: effective)
    if catalogue.programRows[parties.program.place].hasPolicies {
      rule.terms = terms(of: parties.number, parties.program, at: effective)
    }
    var points = call.points ?? 0
    var spend = Money.none
    var own: EarnRate?
    if let money = call.spend {
      spend = money
      if let effective {
        own = rate(parties, at: effective)
      } else {
        own = catalogue.rate(ofMerchant: parties.merchant, program: parties.program)
      }
    }
    let isByRules = takesRules(parties, hasLines: call.has(.lines))
    if isByRules {
      points = try workOut(&call, parties, effective, own, rule.rate)
    } else if let money = call.spend {
      let rate = own ?? rule.rate
      guard let earned = rate.points(forSpend: money, largest: Ledger.largestAmount) else {
        throw .refused(.limit("points"))
      }
      points = earned
    }
    let ask = Award(
      parties: parties, terms: rule.terms, points: points, spend: spend, effective: effective, isByRules: isByRules)
    return try award(ask, Source(call), &reply)
  }
  /// R35: over 5 minutes ahead is refused; within the program's backdate it is the effective time, else booking is: nil.
  @inline(__always) func effectiveMoment(_ said: Int64?, _ program: ProgramRef) throws(Stop) -> Stamp? {
    guard let said else { return nil }
    let at = Stamp(microseconds: said)
    guard at.microseconds <= now.microseconds + 300 * CivilTime.microsecondsPerSecond else {
      throw .refused(.limit("at"))
    }
    let isWithin = at <= now && at.microseconds >= now.microseconds - catalogue.programRows[program.place].backdate
    return isWithin ? at : nil
  }
  /// Works a purchase out by rules, and leaves in `earning` what came of it.
  @inline(never) private mutating func workOut(
    _ call: inout Call, _ parties: Parties, _ effective: Stamp?, _ own: EarnRate?, _ rate: EarnRate
  ) throws(Stop) -> Points {
    try checkProgramme()
    var work = EarningWork()
    swap(&work, &earning)
    defer { swap(&work, &earning) }
    try workOut(earningRequest(call, parties, effective, own, rate), into: &work)
    if !work.shortages.isEmpty { try settle(work.shortages, of: call) }
    return Points(work.points)
  }
  func earningRequest(
    _ call: Call, _ parties: Parties, _ effective: Stamp?, _ own: EarnRate?, _ rate: EarnRate
  ) -> EarningRequest {
    EarningRequest(
      call: call, member: parties.number, program: parties.program, merchant: parties.merchant,
      request: call.spend.map { .purchase(spend: $0.rawValue) } ?? .points(call.points?.rawValue ?? 0),
      effective: effective, rate: own ?? rate, isMerchantsRate: own != nil, tenant: call.tenant)
  }

  /// Points that are to be booked to a member.
  struct Award {
    var parties: Parties
    var terms: HolderTerms
    var points: Points
    var spend: Money
    /// Nil: now.
    var effective: Stamp?
    /// How they were worked out is in `earning`.
    var isByRules: Bool
  }
  /// Whose award it is, and by which request.
  struct Source {
    var tenant: TenantID
    var member: Bytes
    var request: Bytes
    /// Nil: no request asked for it.
    var key: RequestKey?
    init(tenant: TenantID, member: Bytes, request: Bytes, key: RequestKey?) {
      (self.tenant, self.member, self.request, self.key) = (tenant, member, request, key)
    }
    @inline(__always) init(_ call: borrowing Call) {
      self.init(tenant: call.tenant, member: call.party, request: call.request, key: call.hashes.key)
    }
  }
  /// Books what a purchase or an event earns.
  @inline(__always) mutating func award(
    _ ask: Award, _ source: Source, _ reply: inout ReplyWriter
  ) throws(Stop) -> Outcome {
    let (parties, points) = (ask.parties, ask.points)
    if let pool = pool(of: parties.number) { return earnIntoPool(pool, ask, source) }
    guard let holder = holder(parties.number, parties.program, create: true) else { return .replied }
    // What is due may raise an event, and is booked first.
    if ask.isByRules { openEarnings.program = parties.program }
    touch(holder)
    openEarnings.program = nil
    guard hasRoom(holder, points) else {
      throw .refused(.limit("balance"))
    }
    let moment = ask.effective ?? now
    let (lot, isPending) = lot(for: ask.terms, at: moment, parties.program)
    guard points == 0 || hasRoomForLot(holder, lot) else {
      throw .refused(.limit("lots"))
    }
    guard !isPending || hasRoomForPending(holder, points) else {
      throw .refused(.limit("balance"))
    }
    noteActivity(holder)
    if ask.isByRules { qualify(holder, ask, lot, isPending: isPending) }
    post(points, parties.program, from: issuer(parties.merchant), to: isPending ? .pending : .members)
    let before = holder.account.pointee.available
    if isPending {
      creditPending(holder, lot, moment, points)
    } else {
      credit(holder, lot, moment, points)
    }
    let tx = nextTransaction(holder.member.pointee.slot)
    var record = JournalRecord(.earn, tx: tx, stamp: now, tenant: source.tenant, member: source.member)
    record.program = parties.program
    record.merchant = parties.merchant
    record.points = points
    record.spend = ask.spend
    record.request = source.request
    record.effective = ask.effective ?? .zero
    record.lots = encodedLot(lot)
    if isPending { record.expires = lot.activeAt(offset: catalogue.programRows[parties.program.place].offset) }
    // A purchase uploaded so late that its points have lapsed: history shows both, the answer what is left.
    if lot.expiresAt <= now { record.amount = holder.account.pointee.available - before }
    var mark = TransactionID.none
    if ask.isByRules { mark = keepEarning(source.tenant, ask, &record) }
    book(holder, &record, points: points, lot: lot, link: mark)
    if let key = source.key { remember(key, holder.account.pointee.lastRecord) }
    endDueLots(holder)
    record.render(catalogue, into: &reply)
    return .replied
  }

  /// Counts what was worked out, and has the record keep how. Gives what stands for that in memory.
  @inline(never) private mutating func keepEarning(
    _ tenant: TenantID, _ ask: Award, _ record: inout JournalRecord
  ) -> TransactionID {
    let detail = countByRules(tenant, ask)
    detailBuffer.removeAll()
    detail.withUnsafeBytes { detailBuffer.append($0) }
    record.answer = detailBuffer.bytes
    return EarningDetail.mark(detailBuffer.bytes, latest: nil)
  }
  /// Counts what was worked out. Gives how it was, as a record has it.
  mutating func countByRules(_ tenant: TenantID, _ ask: Award) -> [UInt8] {
    var work = EarningWork()
    swap(&work, &earning)
    defer { swap(&work, &earning) }
    guard catalogue.hasRules(ask.parties.program) else { return work.bytes }
    let request = EarningRequest(
      call: Call(rules: rules), member: ask.parties.number, program: ask.parties.program,
      merchant: ask.parties.merchant, request: work.facts.request, effective: ask.effective,
      event: work.detail.event, tenant: tenant)
    countEarning(request, work)
    if !work.detail.draws.isEmpty { book(work.detail.draws, of: ask) }
    return work.bytes
  }
  /// Where a merchant's points come from; without one they are the operator's.
  @inline(__always) func issuer(_ merchant: MerchantRef) -> Account {
    merchant.isNone ? .adjustments : .issues(of: merchant)
  }

  /// The lot that points join that are earned at a moment, and whether they are pending.
  @inline(__always) func lot(
    for terms: HolderTerms, at moment: Stamp, _ program: ProgramRef
  ) -> (name: LotName, isPending: Bool) {
    let offset = catalogue.programRows[program.place].offset
    guard terms.activateDays == 0, terms.expiry.unit != .activity else { return rareLot(terms, moment, offset) }
    let end = terms.expiry.end(earnedAt: moment, offset: offset)
    return (LotName(expiresAt: end, origin: Origin.earned.rawValue), false)
  }
  /// Validity counts from the activation (R4), which is at once where it is past (A21); activity goes by booking (A17).
  @inline(never) private func rareLot(
    _ terms: HolderTerms, _ moment: Stamp, _ offset: Int64
  ) -> (name: LotName, isPending: Bool) {
    var name = LotName(expiresAt: .never, origin: Origin.earned.rawValue)
    var start = moment
    if terms.activateDays > 0 {
      name.activeDay = UInt32(clamping: CivilTime.day(of: moment, offset: offset) + Int64(terms.activateDays))
      start = name.activeAt(offset: offset)
    }
    if terms.expiry.unit == .activity {
      name.activityDays = UInt16(clamping: terms.expiry.count)
      name.expiresAt = terms.expiry.end(earnedAt: max(now, start), offset: offset)
    } else {
      name.expiresAt = terms.expiry.end(earnedAt: start, offset: offset)
    }
    return (name, start > now && terms.activateDays > 0)
  }

  /// Out of line, and here: see `merchantNumber`.
  @inline(never) func rate(_ parties: Parties, at moment: Stamp) -> EarnRate? {
    catalogue.rate(ofMerchant: parties.merchant, program: parties.program, at: moment)
  }
}
