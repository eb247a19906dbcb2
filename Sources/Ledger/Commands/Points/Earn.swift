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
    let rule = catalogue.rule(ofProgram: parties.program, at: effective)
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
    let expiry = rule.expiry.end(earnedAt: moment, offset: catalogue.programRows[parties.program.place].offset)
    let origin = Origin.earned.rawValue
    guard points == 0 || hasRoomForLot(holder, expiry, origin) else {
      throw .refused(.limit("lots"))
    }
    post(points, parties.program, from: .issues(of: parties.merchant), to: .members)
    let before = holder.account.pointee.available
    credit(holder, expiry, moment, origin, points)
    let tx = nextTransaction(holder.member.pointee.slot)
    var record = JournalRecord(.earn, tx: tx, stamp: now, tenant: call.tenant, member: call.party)
    record.program = parties.program
    record.merchant = parties.merchant
    record.points = points
    record.spend = spend
    record.request = call.request
    record.effective = effective ?? .zero
    record.lots = encodedLot(expiry, origin)
    // A purchase uploaded so late that its points have lapsed: history shows both, the answer what is left.
    if expiry <= now { record.amount = holder.account.pointee.available - before }
    book(holder, &record, points: points, lotExpiry: expiry, origin: origin)
    remember(call.hashes.key, holder.account.pointee.lastRecord)
    endDueLots(holder)
    record.render(catalogue, into: &reply)
    return .replied
  }

  /// Out of line, and here: see `merchantNumber`.
  @inline(never) private func rate(_ parties: Parties, at moment: Stamp) -> EarnRate? {
    catalogue.rate(ofMerchant: parties.merchant, program: parties.program, at: moment)
  }
}
