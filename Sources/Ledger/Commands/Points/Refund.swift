import Base
import Vocabulary

extension Ledger {
  /// `REFUND`: undoes an earn (R6, R7, R8), a redeem or a capture (R9), in whole or in part (R10).
  mutating func refund(_ call: inout Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    var s = try subject(&call)
    // The hold of a capture stands for the capture.
    if s.transaction.kind == RecordKind.hold.rawValue, s.transaction.state == TransactionRecord.captured {
      let capture = s.transaction.link
      try recall(capture, &call)
      if let number = findTransaction(capture) {
        s.number = number
        s.transaction = tables.transactions.read(number).pointee
      }
    }
    guard let holder = holder(s.transaction.member, s.transaction.program, create: false) else {
      throw .refused(.notFound(call.transaction))
    }
    let heir = bondText(.merged, of: s.transaction.member)
    if heir == nil { try checkOpen(holder.number) }
    guard now < refundEnd(of: s.transaction) else {
      throw .refused(.limit("refund-window", "the refund window is over"))
    }
    if s.transaction.state == TransactionRecord.carried { return try act(.refundHold, on: s, call) }
    switch RecordKind(rawValue: s.transaction.kind) {
    case .earn where heir != nil: return try takeBackElsewhere(call, s, heir ?? [])
    case .redeem where heir != nil, .capture where heir != nil: return try giveBackElsewhere(call, s, heir ?? [])
    case .earn: return try refundEarn(&call, s, holder, &reply)
    case .redeem, .capture: return try refundRedemption(&call, s, holder, &reply)
    case .refund: throw .refused(.reversed("a refund is not refunded: post anew", left: Points.zero))
    case .hold:
      // Not kept: once it is captured, the same request is right.
      let isOpen = s.transaction.state == TransactionRecord.open && s.transaction.expiresAt > now
      throw .malformed(
        isOpen
          ? "tx: the hold is open, which is undone by RELEASE"
          : "tx: the hold was released, which leaves nothing to refund")
    default: throw .malformed("tx: only an earn, a redeem or a capture is refunded")
    }
  }

  /// The refund window runs like `Nd` of `expire=`, from the day of the booking (A10).
  private func refundEnd(of transaction: TransactionRecord) -> Stamp {
    let row = catalogue.programRows[transaction.program.place]
    guard core.semantics >= Semantics.amended else {
      return Stamp(microseconds: transaction.stamp.microseconds + row.refundWindow)
    }
    let day = CivilTime.day(of: transaction.stamp, offset: row.offset)
    return CivilTime.midnight(ofDay: day + row.refundWindow / CivilTime.microsecondsPerDay + 1, offset: row.offset)
  }

  /// Takes back what a purchase earned. Parts are cumulative (R6): after any parts the sum taken is what one return of
  /// their sum would take.
  ///
  /// - Parameter asked: so many points; nil: as the request says.
  mutating func refundEarn(
    _ call: inout Call, _ s: Subject, _ holder: Holder, asked: Points? = nil, _ reply: inout ReplyWriter
  ) throws(Stop) -> Outcome {
    let t = s.transaction
    let (points, spend, sale, isNothing) = try partReturned(call, t, asked: asked)
    let isRefund = call.verb == .refund
    if isRefund { try checkUnclaimed(points, t) }
    let back = Return(of: t, points: points, isDecided: !isRefund && core.semantics >= Semantics.service)
    touch(holder)
    let active = points - pendingPart(holder, t, points)
    try takeBack(back, holder)
    addReversed(s.number, points: points, spend: spend)
    if isNothing { setState(s.number, TransactionRecord.undone) }
    detailBuffer.removeAll()
    if let sale {
      if !sale.detail.draws.isEmpty { unbook(sale.detail.draws, of: t, points: points, spend: spend) }
      // Of one by points, or of the rest of one that was, the money goes by them.
      let byPoints = (asked ?? call.points) != nil || t.reversedSpend == 0 && t.reversedPoints > 0
      let money = Ledger.returnedSpend(t, spend: spend, points: byPoints ? points : nil)
      if sale.by.isEmpty {
        disqualify(holder, from: sale.detail.qualified, points: active.rawValue, spend: money)
        uncount(points, sale.detail, of: holder.number, holder.program)
      } else {
        let back = PoolReturn(
          active: active, pending: points - active, spend: max(0, money), activeDay: t.lot.activeDay)
        sendUncount(points, back, sale, holder)
      }
      sale.returnedBytes.withUnsafeBytes { detailBuffer.append($0) }
    }
    return bookRefund(&call, s, holder, -points, spend: t.spend.isSaid ? spend : .none, sale, &reply)
  }
  /// What open cases hold of a purchase is theirs to decide.
  @inline(never) private func checkUnclaimed(_ points: Points, _ t: TransactionRecord) throws(Stop) {
    let claimed = claimed(of: t.id, t.member)
    guard claimed > 0 else { return }
    let left = max(0, t.points - t.reversedPoints - claimed)
    guard points <= left else {
      throw .refused(
        .reversed("\(claimed) points of it are an open case's, which CASE APPROVE or CASE REJECT ends", left: left))
    }
  }
  /// What is to be taken back of a purchase.
  struct Return {
    /// As it was booked: by its lot, merchant and number.
    var of: TransactionRecord
    var points: Points
    /// What of the lot lapsed in another shard at most, and then what of that is taken.
    var lapsedElsewhere: Points = 0
    /// Somebody who may has decided it: what is missing becomes debt also where a refund of points already spent is refused.
    var isDecided = false
  }
  /// Takes points back from where they are (R7, R8). Refuses before it changes anything.
  mutating func takeBack(_ back: Return, _ holder: Holder) throws(Stop) {
    _ = try takeBackCounting(back, holder)
  }
  /// The same. Returns how many of them are what lapsed in another shard.
  mutating func takeBackCounting(_ back: Return, _ holder: Holder) throws(Stop) -> Points {
    let (t, points) = (back.of, back.points)
    guard holder.account.pointee.debt <= Ledger.largestBalance - points else { throw .refused(.limit("balance")) }
    let pending = pendingPart(holder, t, points)
    var rest = points - pending
    let away = min(back.lapsedElsewhere, missingOfLot(holder, t, rest))
    rest -= away
    let missing = missing(holder, t, rest)
    let policy = catalogue.programRows[holder.program.place].refundPolicy
    guard missing == 0 || policy != .reject || back.isDecided else {
      throw .refused(.insufficient(available: points - missing, needed: points))
    }
    takePending(holder, t, pending)
    let restored = restoreLapsed(holder, t, rest)
    let absorbed = policy == .absorb ? absorb(holder, t, missing) : 0
    adjust(holder, available: -restored - absorbed)
    takeBack(holder, rest - restored - absorbed, extended(holder, t.lot))
    post(rest, holder.program, from: .members, to: issuer(t.merchant))
    return away
  }
  /// How many of a refund's points are no more in the lot that it joined, nor among what is known here to have lapsed of that.
  private mutating func missingOfLot(_ holder: Holder, _ t: TransactionRecord, _ points: Points) -> Points {
    let number = findLot(holder, extended(holder, t.lot))
    let present = number == .none ? 0 : lot(holder, number).pointee.available
    return max(0, points - present - restorable(holder, t, points))
  }
  /// How much of a purchase a request returns: points, money, lines, and whether it was one of nothing.
  func partReturned(
    _ call: Call, _ t: TransactionRecord, asked: Points? = nil
  ) throws(Stop) -> (points: Points, spend: Money, sale: SoldSale?, isNothing: Bool) {
    let leftPoints = t.points - t.reversedPoints
    let leftSpend = t.spend.isSaid ? t.spend - t.reversedSpend : 0
    // Of a purchase of nothing as much is left after its refund as before: its state tells that it was undone.
    let isNothing = t.points == 0 && t.spend == 0
    if isNothing ? t.state == TransactionRecord.undone : leftPoints == 0 && (t.points > 0 || leftSpend == 0) {
      throw .refused(.reversed("nothing is left to refund", left: Points.zero))
    }
    try checkUnit(call, t)
    var points: Points = 0
    var spend: Money = 0
    var sale = t.link == .none ? nil : try soldBy(call, t)
    if call.has(.lines) {
      guard sale != nil else { throw .malformed("lines: the purchase was booked without lines") }
      (points, spend) = try takeLines(call, t, &sale)
    } else if let n = asked ?? call.points {
      guard n <= leftPoints else { throw .refused(.reversed("more than is left to refund", left: leftPoints)) }
      points = n
    } else if let money = call.spend {
      guard t.spend.isSaid else { throw .malformed("spend: the purchase was booked without one") }
      guard money <= leftSpend else { throw .refused(.reversed("more than is left to refund", left: leftSpend)) }
      spend = money
      if t.spend > 0 {
        let rate = EarnRate(points: t.points, money: t.spend)
        let target = rate.points(forSpend: t.reversedSpend + money, largest: t.points) ?? t.points
        points = max(0, target - t.reversedPoints)
      }
    } else {
      (points, spend) = (leftPoints, leftSpend)
    }
    return (points, spend, sale, isNothing)
  }
  /// A purchase is returned by money or by points, not by both in turn (A4).
  private func checkUnit(_ call: Call, _ t: TransactionRecord) throws(Stop) {
    guard core.semantics >= Semantics.programme else { return }
    guard call.points == nil || t.reversedSpend == 0 else {
      throw .malformed("points: a part of the purchase was returned by spend= or lines=, so the rest is too")
    }
    guard call.spend == nil && !call.has(.lines) || t.reversedPoints == 0 || t.reversedSpend > 0 else {
      throw .malformed("spend: a part of the purchase was returned by points=, so the rest is too")
    }
  }
  /// What of a refund's points is pending yet, in the lot that the purchase joined (R7).
  private mutating func pendingPart(_ holder: Holder, _ t: TransactionRecord, _ points: Points) -> Points {
    guard t.lot.activeDay > 0 else { return 0 }
    let number = findLot(holder, t.lot)
    guard number != .none, lot(holder, number).pointee.isPending else { return 0 }
    return min(points, lot(holder, number).pointee.available)
  }
  private mutating func takePending(_ holder: Holder, _ t: TransactionRecord, _ points: Points) {
    guard points > 0 else { return }
    let number = findLot(holder, t.lot)
    adjustPending(holder, number, reversed: points, by: -points)
    closeIfEmpty(holder, number)
    post(points, holder.program, from: .pending, to: issuer(t.merchant))
  }
  /// What of a refund's points the member has no more: spent, or gone otherwise (R8).
  private mutating func missing(_ holder: Holder, _ t: TransactionRecord, _ points: Points) -> Points {
    max(0, points - restorable(holder, t, points) - holder.account.pointee.available)
  }
  /// The operator bears what the member has no more. It is available then, in no lot, for the refund to take.
  private mutating func absorb(_ holder: Holder, _ t: TransactionRecord, _ points: Points) -> Points {
    guard points > 0 else { return 0 }
    post(points, holder.program, from: .adjustments, to: .members)
    adjust(holder, available: points)
    var record = nextRecord(.absorb, of: holder)
    record.points = points
    record.of = t.id
    book(holder, &record, points: points, link: t.id)
    return points
  }
  /// R7: from what remains of the lot it joined, then (what lapsed of that lot being taken already) from any lot by R1, the
  /// rest becomes debt (R8).
  private mutating func takeBack(_ holder: Holder, _ points: Points, _ name: LotName) {
    guard points > 0 else { return }
    var left = points
    let number = findLot(holder, name)
    if number != .none, !lot(holder, number).pointee.isPending {
      let record = lot(holder, number)
      let part = min(left, record.pointee.available)
      adjustLot(holder, record, available: -part, reversed: part)
      adjust(holder, available: -part)
      closeIfEmpty(holder, number)
      left -= part
    }
    let part = min(left, holder.account.pointee.available)
    if part > 0 { _ = take(holder, part, .reverse, of: .none) }
    adjust(holder, debt: left - part)
  }

  /// Gives redeemed points back to the very lots, the last taken first, each with its own expiry (R9).
  private mutating func refundRedemption(
    _ call: inout Call, _ s: Subject, _ holder: Holder, _ reply: inout ReplyWriter
  ) throws(Stop) -> Outcome {
    let points = try pointsReturned(call, s.transaction)
    return try refundRedemption(&call, s, holder, points, &reply)
  }
  /// How much of a redemption a request returns.
  func pointsReturned(_ call: Call, _ t: TransactionRecord) throws(Stop) -> Points {
    guard t.points > t.reversedPoints else {
      throw .refused(.reversed("nothing is left to refund", left: Points.zero))
    }
    guard call.spend == nil else { throw .malformed("spend: a redemption has none, say points=") }
    guard !call.has(.lines) else { throw .malformed("lines: a redemption has none, say points=") }
    return try pointsReturned(call.points, t)
  }
  func pointsReturned(_ asked: Points?, _ t: TransactionRecord) throws(Stop) -> Points {
    let left = t.points - t.reversedPoints
    let points = asked ?? left
    guard left > 0, points <= left else { throw .refused(.reversed("more than is left to refund", left: left)) }
    return points
  }
  mutating func refundRedemption(
    _ call: inout Call, _ s: Subject, _ holder: Holder, _ points: Points, _ reply: inout ReplyWriter
  ) throws(Stop) -> Outcome {
    let t = s.transaction
    touch(holder)
    guard hasRoom(holder, points) else { throw .refused(.limit("balance")) }
    guard lotsReserved(UnsafePointer(holder.member)) + takeCount(t.firstTake) <= limits.lotsPerMember + 1 else {
      throw .refused(.limit("lots"))
    }
    giveBack(holder, t, points, withGrace: true)
    post(points, holder.program, from: .redeems(at: t.merchant), to: .members)
    addReversed(s.number, points: points, spend: 0)
    return bookRefund(&call, s, holder, points, spend: .none, nil, &reply)
  }
  func takeCount(_ chain: Ref<TakeRecord>) -> Int {
    var count = 0
    var number = chain
    while number != .none {
      count += 1
      number = tables.takes.read(number).pointee.next
    }
    return count
  }
  /// Gives points back to the lots they were taken from; a lot that has ended meanwhile is replaced by one that lives the
  /// days of grace, or not at all (`withGrace` false: the points then expire at once).
  mutating func giveBack(_ holder: Holder, _ t: TransactionRecord, _ points: Points, withGrace: Bool) {
    var left = points
    var number = t.firstTake
    while number != .none && left > 0 {
      let take = tables.takes.read(number).pointee
      let part = min(left, take.points - take.returned)
      if part > 0 {
        adjustTake(number, t.id, returned: part)
        giveBack(holder, take.lot, take.earnedAt, part, withGrace: withGrace)
        left -= part
      }
      number = take.next
    }
    // A transaction's points lie in its takes.
    if left != 0 { fail(.records) }
  }

  mutating func giveBack(
    _ holder: Holder, _ lot: LotName, _ earnedAt: Stamp, _ points: Points, withGrace: Bool
  ) {
    let name = present(holder, lot)
    guard withGrace && name.expiresAt <= now else { return credit(holder, name, earnedAt, points, isBack: true) }
    let row = catalogue.programRows[holder.program.place]
    let end = ExpiryRule(unit: .days, count: row.graceDays).end(earnedAt: now, offset: row.offset)
    credit(holder, LotName(expiresAt: end, origin: Origin.grace.rawValue), earnedAt, points)
  }

  private mutating func bookRefund(
    _ call: inout Call, _ s: Subject, _ holder: Holder, _ points: Points, spend: Money, _ sale: SoldSale?,
    _ reply: inout ReplyWriter
  ) -> Outcome {
    let member = UnsafePointer(holder.member)
    var record = JournalRecord(
      .refund, tx: nextTransaction(member.pointee.slot), stamp: now, tenant: call.tenant,
      member: memberID(member))
    record.program = s.transaction.program
    record.merchant = s.transaction.merchant
    record.points = points
    record.spend = spend
    record.of = s.transaction.id
    record.request = call.request
    let original = tables.transactions.read(s.number).pointee
    record.original = original.position
    record.reversedPoints = original.reversedPoints
    record.reversedSpend = original.reversedSpend
    if sale != nil { record.answer = detailBuffer.bytes }
    book(holder, &record, points: points.magnitude, link: s.transaction.id)
    if let sale { setLink(s.number, sale.mark(latest: detailBuffer.bytes)) }
    setLatest(s.number, holder.account.pointee.lastRecord)
    return answer(&call, record, holder, &reply)
  }
}
