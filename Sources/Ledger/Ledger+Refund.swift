import Base

extension Ledger {
  /// `REFUND`: undoes an earn (R6, R7, R8), a redeem or a capture (R9), in whole or in part (R10).
  mutating func applyRefund(
    _ header: CommandHeader, _ reader: inout ByteReader, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) -> Outcome {
    let rawTransaction: UInt64 = try reader.read()
    let request = try reader.readCounted()
    let amount = try reader.readAmount()
    let facts = try reader.readTrailingCounted()
    try reader.finish()
    switch amount {
    case .spend(let money) where money < 0 || money > Ledger.largestAmount:
      throw MalformedBytes("spend must be 0 to 10^15")
    case .points(let points) where points < 1 || points > Ledger.largestAmount:
      throw MalformedBytes("points must be 1 to 10^15")
    default: break
    }
    var outcome = Outcome.replied
    guard var s = try subject(header, rawTransaction, request, facts, &reply, &outcome) else { return outcome }
    // The hold of a capture stands for the capture.
    if s.transaction.kind == RecordKind.hold.rawValue, s.transaction.state == TransactionRecord.captured {
      let capture = s.transaction.link
      if let decided = recall(capture, header, request, facts, &reply) { return decided }
      if let number = findTransaction(capture) {
        s.number = number
        s.transaction = transactions.read(number).pointee
      }
    }
    guard let holder = holder(s.transaction.member, Int(s.transaction.program), create: false) else {
      reply.error(.notFound, "no such transaction")
      return .replied
    }
    if holder.member.pointee.state == MemberState.closed.rawValue {
      return refuse(s, .closed, "the member is closed", &reply)
    }
    let window = catalogue.programRows[holder.program].refundWindow
    guard now.microseconds - s.transaction.stamp.microseconds < window else {
      return refuse(s, .limit, "the refund window is over", which: "refund-window", &reply)
    }
    switch RecordKind(rawValue: s.transaction.kind) {
    case .earn: return refundEarn(s, holder, amount, &reply)
    case .redeem, .capture: return refundRedemption(s, holder, amount, &reply)
    case .refund: return refuse(s, .reversed, "a refund is not refunded: post anew", left: 0, &reply)
    case .hold:
      // Not kept: once it is captured, the same request is right.
      let isOpen = s.transaction.state == TransactionRecord.open && s.transaction.expiresAt > now
      reply.error(
        .malformed,
        isOpen
          ? "tx: the hold is open, which is undone by RELEASE"
          : "tx: the hold was released, which leaves nothing to refund"
      )
      return .replied
    default:
      reply.error(.malformed, "tx: only an earn, a redeem or a capture is refunded")
      return .replied
    }
  }

  /// Takes back what a purchase earned. Parts are cumulative (R6): after any parts the sum taken is what one return of
  /// their sum would take.
  private mutating func refundEarn(
    _ s: Subject, _ holder: Holder, _ amount: Command.Amount, _ reply: inout ReplyWriter
  ) -> Outcome {
    let t = s.transaction
    let leftPoints = t.points - t.reversedPoints
    let leftSpend = t.spend < 0 ? 0 : t.spend - t.reversedSpend
    // Of a purchase of nothing as much is left after its refund as before: its state tells that it was undone.
    let isNothing = t.points == 0 && t.spend == 0
    if isNothing ? t.state == TransactionRecord.undone : leftPoints == 0 && (t.points > 0 || leftSpend == 0) {
      return refuse(s, .reversed, "nothing is left to refund", left: 0, &reply)
    }
    var points: Int64 = 0
    var spend: Int64 = 0
    switch amount {
    case .whole: (points, spend) = (leftPoints, leftSpend)
    case .points(let n):
      guard n <= leftPoints else {
        return refuse(s, .reversed, "more than is left to refund", left: leftPoints, &reply)
      }
      points = n
    case .spend(let money):
      guard t.spend >= 0 else {
        reply.error(.malformed, "spend: the purchase was booked without one")
        return .replied
      }
      guard money <= leftSpend else {
        return refuse(s, .reversed, "more than is left to refund", left: leftSpend, &reply)
      }
      spend = money
      guard t.spend > 0 else { break }
      let product = t.points.multipliedFullWidth(by: t.reversedSpend + money)
      let target = t.spend.dividingFullWidth(product).quotient
      points = max(0, target - t.reversedPoints)
    }
    touch(holder)
    guard holder.account.pointee.debt <= Ledger.largestBalance - points else {
      return refuse(s, .limit, "over a limit", which: "balance", &reply)
    }
    let restored = restoreLapsed(holder, t, points)
    adjust(holder, available: -restored)
    takeBack(holder, points - restored, lotExpiry: t.expiresAt, origin: t.origin)
    postIssue(Int(t.merchant), holder.program, -points)
    addReversed(s.number, points: points, spend: spend)
    if isNothing { setState(s.number, TransactionRecord.undone) }
    return bookRefund(s, holder, -points, spend: t.spend < 0 ? -1 : spend, &reply)
  }
  /// R7: from what remains of the lot it joined, then (what lapsed of that lot being taken already) from any lot by R1, the
  /// rest becomes debt (R8).
  private mutating func takeBack(_ holder: Holder, _ points: Int64, lotExpiry: Stamp, origin: UInt8) {
    guard points > 0 else { return }
    var left = points
    let number = findLot(holder, lotExpiry, origin)
    if number != 0 {
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
    _ s: Subject, _ holder: Holder, _ amount: Command.Amount, _ reply: inout ReplyWriter
  ) -> Outcome {
    let t = s.transaction
    let left = t.points - t.reversedPoints
    guard left > 0 else { return refuse(s, .reversed, "nothing is left to refund", left: 0, &reply) }
    var points = left
    switch amount {
    case .whole: break
    case .points(let n): points = n
    case .spend:
      reply.error(.malformed, "spend: a redemption has none, say points=")
      return .replied
    }
    guard points <= left else { return refuse(s, .reversed, "more than is left to refund", left: left, &reply) }
    touch(holder)
    guard hasRoom(holder, points) else {
      return refuse(s, .limit, "over a limit", which: "balance", &reply)
    }
    guard lotsReserved(UnsafePointer(holder.member)) + takeCount(t.firstTake) <= limits.lotsPerMember + 1 else {
      return refuse(s, .limit, "over a limit", which: "lots", &reply)
    }
    giveBack(holder, t, points, withGrace: true)
    postRedemption(Int(t.merchant), holder.program, -points)
    addReversed(s.number, points: points, spend: 0)
    return bookRefund(s, holder, points, spend: -1, &reply)
  }
  func takeCount(_ chain: UInt32) -> Int {
    var count = 0
    var number = chain
    while number != 0 {
      count += 1
      number = takes.read(Int(number - 1)).pointee.next
    }
    return count
  }
  /// Gives points back to the lots they were taken from; a lot that has ended meanwhile is replaced by one that lives the
  /// days of grace, or not at all (`withGrace` false: the points then expire at once).
  mutating func giveBack(_ holder: Holder, _ t: TransactionRecord, _ points: Int64, withGrace: Bool) {
    var left = points
    var number = t.firstTake
    while number != 0 && left > 0 {
      let take = takes.read(Int(number - 1)).pointee
      let part = min(left, take.points - take.returned)
      if part > 0 {
        adjustTake(number, t.id, returned: part)
        if withGrace && take.expiresAt <= now {
          let grace = ExpiryRule(unit: .days, count: Int32(limits.graceDays))
          let end = grace.end(earnedAt: now, offset: catalogue.programRows[holder.program].offset)
          credit(holder, end, take.earnedAt, Origin.grace.rawValue, part)
        } else {
          credit(holder, take.expiresAt, take.earnedAt, take.origin, part, isBack: true)
        }
        left -= part
      }
      number = take.next
    }
    // A transaction's points lie in its takes.
    if left != 0 { fail(.records) }
  }

  private mutating func bookRefund(
    _ s: Subject, _ holder: Holder, _ points: Int64, spend: Int64, _ reply: inout ReplyWriter
  ) -> Outcome {
    let member = UnsafePointer(holder.member)
    var record = JournalRecord(
      .refund, tx: nextTransaction(member.pointee.slot), stamp: now, tenant: s.context.tenant,
      member: memberID(member))
    record.program = s.transaction.program
    record.merchant = s.transaction.merchant
    record.points = points
    record.spend = spend
    record.of = s.transaction.id
    record.request = s.request
    let original = transactions.read(s.number).pointee
    record.original = original.position
    record.reversedPoints = original.reversedPoints
    record.reversedSpend = original.reversedSpend
    book(holder, &record, points: abs(points), link: s.transaction.id)
    setLatest(s.number, holder.account.pointee.lastRecord)
    remember(s.key, holder.account.pointee.lastRecord)
    record.render(catalogue, into: &reply)
    return .replied
  }
}
