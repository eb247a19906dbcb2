import Base
import Vocabulary

extension Ledger {
  /// `HOLD`: sets points aside, from lots by R1, for so many seconds.
  mutating func hold(_ call: inout Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    let parties = try parties(&call)
    let points = call.points ?? 0
    try waitForPool(parties.number)
    if let pool = pool(of: parties.number) { return takeFromPool(.hold, pool, call, parties) }
    try checkRedemption(parties, points)
    let holder = try affording(parties.number, parties.program, points)
    let reserved = reservedRoom(UnsafePointer(holder.member))?.holds ?? 0
    guard holdCount(UnsafePointer(holder.member)) + reserved < limits.holdsPerMember else {
      throw .refused(.limit("holds"))
    }
    let tx = nextTransaction(holder.member.pointee.slot)
    let chain = take(holder, points, .hold, of: tx)
    var record = purchase(.hold, tx, &call, parties, points)
    let seconds = call.number(.ttl) ?? 0
    let deadline = Stamp(microseconds: now.microseconds + seconds * CivilTime.microsecondsPerSecond)
    record.expires = deadline
    let hold = openHold(holder, tx, deadline)
    book(
      holder, &record, points: points, takes: chain, state: TransactionRecord.open, hold: hold, deadline: deadline)
    return answer(&call, record, holder, &reply)
  }

  /// Releases all that an open hold still holds, without being asked by its merchant.
  mutating func lapseHold(_ tx: TransactionID) {
    guard let number = findTransaction(tx) else { return fail(.records) }
    let transaction = tables.transactions.read(number).pointee
    guard let holder = holder(transaction.member, transaction.program, create: false) else {
      return fail(.records)
    }
    releasePoints(holder, number, transaction.points)
    setState(number, TransactionRecord.released)
    closeHold(transaction.hold)
    var record = nextRecord(.lapse, of: holder)
    record.merchant = transaction.merchant
    record.amount = transaction.points
    record.of = tx
    book(holder, &record, points: transaction.points)
  }
  /// Gives held points back to their lots, the last taken first. What was taken from lots that have ended meanwhile
  /// expires at once (R5); a debt is repaid from the rest first.
  mutating func releasePoints(_ holder: Holder, _ number: UInt64, _ points: Points) {
    let tx = tables.transactions.read(number).pointee.id
    var left = points
    var take = tables.transactions.read(number).pointee.firstTake
    while take != .none && left > 0 {
      let record = tables.takes.read(take).pointee
      let part = min(left, record.points)
      let lotNumber = findLot(holder, record.lot)
      // A lot lives as long as something of it is held.
      guard lotNumber != .none else { return fail(.records) }
      let lot = lot(holder, lotNumber)
      // What moves with the member's activity ends when the lot does.
      let hasEnded = lot.pointee.expiresAt <= now
      let repaid = hasEnded ? 0 : min(part, holder.account.pointee.debt)
      adjustLot(holder, lot, available: part - repaid, held: -part, consumed: repaid)
      adjust(holder, available: part - repaid, held: -part, debt: -repaid)
      if hasEnded { endLot(holder, lotNumber) }
      closeIfEmpty(holder, lotNumber)
      left -= part
      if part == record.points { take = dropTake(take, tx) } else { adjustTake(take, tx, points: -part) }
    }
    // A hold's points lie in its takes.
    if left != 0 { fail(.records) }
    tables.transactions.write(number).pointee.firstTake = take
  }
}
