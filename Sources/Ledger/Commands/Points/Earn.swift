import Base
import Vocabulary

extension Ledger {
  /// `EARN`: points for a purchase, by the program's rule or as many as said (R2, R35).
  mutating func earn(_ call: inout Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    let parties = try parties(&call)
    // R35: over 5 minutes ahead is refused; within the program's backdate it is the effective time, else booking is.
    var effective: Stamp?
    if let moment = call.number(.at) {
      let at = Stamp(microseconds: moment)
      guard at.microseconds <= now.microseconds + 300 * CivilTime.microsecondsPerSecond else {
        throw .refused(.limit("at"))
      }
      if at <= now, at.microseconds >= now.microseconds - catalogue.programRows[parties.program.place].backdate {
        effective = at
      }
    }
    var rule = catalogue.rule(ofProgram: parties.program, at: effective)
    if catalogue.programRows[parties.program.place].hasPolicies {
      rule.terms = terms(of: parties.number, parties.program, at: effective)
    }
    var points = call.points ?? 0
    var spend = Money.none
    if let money = call.spend {
      spend = money
      let own: EarnRate?
      if let effective {
        own = rate(parties, at: effective)
      } else {
        own = catalogue.rate(ofMerchant: parties.merchant, program: parties.program)
      }
      let rate = own ?? rule.rate
      guard let earned = rate.points(forSpend: money, largest: Ledger.largestAmount) else {
        throw .refused(.limit("points"))
      }
      points = earned
    }
    guard let holder = holder(parties.number, parties.program, create: true) else { return .replied }
    touch(holder)
    guard hasRoom(holder, points) else {
      throw .refused(.limit("balance"))
    }
    let moment = effective ?? now
    let (lot, isPending) = lot(for: rule.terms, at: moment, parties.program)
    guard points == 0 || hasRoomForLot(holder, lot) else {
      throw .refused(.limit("lots"))
    }
    noteActivity(holder)
    post(points, parties.program, from: .issues(of: parties.merchant), to: isPending ? .pending : .members)
    let before = holder.account.pointee.available
    if isPending {
      creditPending(holder, lot, moment, points)
    } else {
      credit(holder, lot, moment, points)
    }
    let tx = nextTransaction(holder.member.pointee.slot)
    var record = JournalRecord(.earn, tx: tx, stamp: now, tenant: call.tenant, member: call.party)
    record.program = parties.program
    record.merchant = parties.merchant
    record.points = points
    record.spend = spend
    record.request = call.request
    record.effective = effective ?? .zero
    record.lots = encodedLot(lot)
    if isPending { record.expires = lot.activeAt(offset: catalogue.programRows[parties.program.place].offset) }
    // A purchase uploaded so late that its points have lapsed: history shows both, the answer what is left.
    if lot.expiresAt <= now { record.amount = holder.account.pointee.available - before }
    book(holder, &record, points: points, lot: lot)
    remember(call.hashes.key, holder.account.pointee.lastRecord)
    endDueLots(holder)
    record.render(catalogue, into: &reply)
    return .replied
  }

  /// The lot that points join that are earned at a moment, and whether they are pending.
  @inline(__always) private func lot(
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
  @inline(never) private func rate(_ parties: Parties, at moment: Stamp) -> EarnRate? {
    catalogue.rate(ofMerchant: parties.merchant, program: parties.program, at: moment)
  }
}
