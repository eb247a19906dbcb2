import Base

extension Ledger {
  // MARK: Finding

  mutating func lot(_ holder: Holder, _ number: Ref<LotRecord>) -> UnsafeMutablePointer<LotRecord> {
    if number == .inline {
      return (UnsafeMutableRawPointer(holder.member) + MemberRecord.lotOffset).assumingMemoryBound(to: LotRecord.self)
    }
    return tables.lots.write(number)
  }
  func lot(_ member: UnsafePointer<MemberRecord>, _ number: Ref<LotRecord>) -> UnsafePointer<LotRecord> {
    if number == .inline {
      return (UnsafeRawPointer(member) + MemberRecord.lotOffset).assumingMemoryBound(to: LotRecord.self)
    }
    return tables.lots.read(number)
  }
  /// The lot of a name; `.none` if there is none. Looks from the end of the list, where the newest are.
  mutating func findLot(_ holder: Holder, _ name: LotName) -> Ref<LotRecord> {
    var number = holder.account.pointee.lastLot
    while number != .none {
      let lot = lot(holder, number)
      if lot.pointee.expiresAt < name.expiresAt && !name.isActivity { return .none }
      if lot.pointee.origin == name.origin && lot.pointee.name.isSame(name) { return number }
      number = lot.pointee.previous
    }
    return .none
  }

  /// A new lot at its place in the order of R1: by expiry, then by earning, then by arrival.
  mutating func openLot(_ holder: Holder, _ name: LotName, _ earnedAt: Stamp, isPending: Bool = false) -> Ref<LotRecord>
  {
    var number = Ref<LotRecord>.inline
    if !holder.isInline || lot(holder, .inline).pointee.isUsed { number = tables.lots.add(LotRecord()) }
    lot(holder, number).pointee = LotRecord(name, earnedAt: earnedAt)
    if isPending { lot(holder, number).pointee.isPending = true }
    link(holder, number)
    holder.member.pointee.lotCount &+= 1
    countLot(holder, number, 1)
    return number
  }
  /// Counts that there is a lot, or no more: in the digest, and when something is to be booked of it.
  private mutating func countLot(_ holder: Holder, _ number: Ref<LotRecord>, _ sign: Int64) {
    let record = lot(holder, number).pointee
    let key = record.name.key(holder.key)
    core.digest.add(key, DigestField.lotEarnedAt, sign &* record.earnedAt.microseconds)
    if record.name.isActivity {
      core.digest.add(key, DigestField.lotEnds, sign &* record.expiresAt.microseconds)
      countRareLots(holder.program, activityLots: sign)
    }
    guard record.isExpired == 0 else { return }
    let offset = catalogue.programRows[holder.program.place].offset
    if !calendar.change(record.due(offset: offset), by: sign) { fail(.records) }
  }
  private mutating func link(_ holder: Holder, _ number: Ref<LotRecord>) {
    let new = lot(holder, number)
    var before = holder.account.pointee.lastLot
    while before != .none {
      let lot = lot(holder, before)
      if lot.pointee.expiresAt < new.pointee.expiresAt
        || (lot.pointee.expiresAt == new.pointee.expiresAt && lot.pointee.earnedAt <= new.pointee.earnedAt)
      {
        break
      }
      before = lot.pointee.previous
    }
    let after = before == .none ? holder.account.pointee.firstLot : lot(holder, before).pointee.next
    new.pointee.previous = before
    new.pointee.next = after
    if before == .none { holder.account.pointee.firstLot = number } else { lot(holder, before).pointee.next = number }
    if after == .none { holder.account.pointee.lastLot = number } else { lot(holder, after).pointee.previous = number }
  }
  private mutating func unlink(_ holder: Holder, _ number: Ref<LotRecord>) {
    let (before, after) = (lot(holder, number).pointee.previous, lot(holder, number).pointee.next)
    if before == .none { holder.account.pointee.firstLot = after } else { lot(holder, before).pointee.next = after }
    if after == .none { holder.account.pointee.lastLot = before } else { lot(holder, after).pointee.previous = before }
  }

  /// Forgets a lot that has nothing left.
  mutating func closeIfEmpty(_ holder: Holder, _ number: Ref<LotRecord>) {
    let record = lot(holder, number)
    if record.pointee.available == 0 && record.pointee.held == 0 { close(holder, number) }
  }
  private mutating func close(_ holder: Holder, _ number: Ref<LotRecord>) {
    let gone = lot(holder, number)
    adjustLot(
      holder, gone, issued: 0 &- gone.pointee.issued, consumed: 0 &- gone.pointee.consumed,
      reversed: 0 &- gone.pointee.reversed, expired: 0 &- gone.pointee.expired)
    countLot(holder, number, -1)
    unlink(holder, number)
    holder.member.pointee.lotCount &-= 1
    if number == .inline { gone.pointee = LotRecord() } else { tables.lots.remove(number) }
  }

  // MARK: Moving

  /// Has a lot end at another moment. Where there is one of that name already, that has its points from now on.
  mutating func move(_ holder: Holder, _ number: Ref<LotRecord>, to expiresAt: Stamp) {
    var name = lot(holder, number).pointee.name
    name.expiresAt = expiresAt
    let other = name.isActivity ? .none : findLot(holder, name)
    let old = lot(holder, number).pointee
    adjustLot(
      holder, lot(holder, number), issued: 0 &- old.issued, available: 0 &- old.available, held: 0 &- old.held,
      consumed: 0 &- old.consumed, reversed: 0 &- old.reversed, expired: 0 &- old.expired)
    var target = number
    if other != .none, other != number {
      close(holder, number)
      target = other
    } else {
      countLot(holder, number, -1)
      unlink(holder, number)
      lot(holder, number).pointee.expiresAt = expiresAt
      link(holder, number)
      countLot(holder, number, 1)
    }
    adjustLot(
      holder, lot(holder, target), issued: old.issued, available: old.available, held: old.held, consumed: old.consumed,
      reversed: old.reversed, expired: old.expired)
  }

  // MARK: Changing

  mutating func adjustLot(
    _ holder: Holder, _ lot: UnsafeMutablePointer<LotRecord>, issued: Points = 0, available: Points = 0,
    held: Points = 0, consumed: Points = 0, reversed: Points = 0, expired: Points = 0
  ) {
    let key = lot.pointee.name.key(holder.key)
    @inline(__always) func change(_ figure: inout Points, _ field: UInt64, by amount: Points) {
      guard amount != 0 else { return }
      core.add(amount, to: &figure)
      core.digest.add(key, field, amount)
    }
    change(&lot.pointee.issued, DigestField.lotIssued, by: issued)
    change(&lot.pointee.available, DigestField.lotAvailable, by: available)
    change(&lot.pointee.held, DigestField.lotHeld, by: held)
    change(&lot.pointee.consumed, DigestField.lotConsumed, by: consumed)
    change(&lot.pointee.reversed, DigestField.lotReversed, by: reversed)
    change(&lot.pointee.expired, DigestField.lotExpired, by: expired)
  }
  /// Forgets what a lot has been through, where the figures would grow out of bounds: a lot that never ends can be
  /// filled and emptied without end.
  private mutating func fold(_ holder: Holder, _ lot: UnsafeMutablePointer<LotRecord>) {
    guard lot.pointee.issued > Ledger.largestPast else { return }
    let past = lot.pointee.consumed &+ lot.pointee.reversed &+ lot.pointee.expired
    adjustLot(
      holder, lot, issued: -past, consumed: -lot.pointee.consumed, reversed: -lot.pointee.reversed,
      expired: -lot.pointee.expired)
  }

  /// Puts points into a lot, new or not; a debt is repaid from them first (R8). Points given back were consumed from that
  /// lot before, and are not issued anew. The caller has checked the bounds, and calls `endDueLots` once the credit
  /// itself is booked: points may come so late that they lapse at once, and history shows them come before they go.
  mutating func credit(
    _ holder: Holder, _ name: LotName, _ earnedAt: Stamp, _ points: Points, isBack: Bool = false
  ) {
    guard points > 0 else { return }
    var number = findLot(holder, name)
    if number == .none { number = openLot(holder, name, earnedAt) }
    let record = lot(holder, number)
    let repaid = min(holder.account.pointee.debt, points)
    let undone = isBack ? min(points, record.pointee.consumed) : 0
    adjustLot(
      holder, record, issued: points - undone, available: points - repaid, consumed: repaid - undone)
    adjust(holder, available: points - repaid, debt: -repaid)
    fold(holder, record)
    closeIfEmpty(holder, number)
  }

  enum TakeMode { case consume, hold, reverse }

  /// Takes available points by R1, at most what is there. Returns the chain of takes in front of `chain`, the last taken
  /// first; for `.reverse` no chain is kept.
  mutating func take(_ holder: Holder, _ points: Points, _ mode: TakeMode, of tx: TransactionID) -> Ref<TakeRecord> {
    var chain = Ref<TakeRecord>.none
    var left = points
    var number = holder.account.pointee.firstLot
    while number != .none && left > 0 {
      let record = lot(holder, number)
      let next = record.pointee.next
      let part = record.pointee.isPending ? 0 : min(left, record.pointee.available)
      if part > 0 {
        if mode != .reverse { chain = addTake(record.pointee, part, tx, before: chain) }
        adjustLot(
          holder, record, available: -part, held: mode == .hold ? part : 0, consumed: mode == .consume ? part : 0,
          reversed: mode == .reverse ? part : 0)
        left -= part
        closeIfEmpty(holder, number)
      }
      number = next
    }
    // An account's available points lie in its lots.
    if left != 0 { fail(.records) }
    adjust(holder, available: -points, held: mode == .hold ? points : 0)
    return chain
  }

  /// Ends a lot at or after its expiry: what is available goes to breakage, what is held waits for its hold.
  mutating func endLot(_ holder: Holder, _ number: Ref<LotRecord>) {
    let record = lot(holder, number)
    if record.pointee.isExpired == 0 {
      record.pointee.isExpired = 1
      if !calendar.change(record.pointee.expiresAt, by: -1) { fail(.records) }
    }
    let points = record.pointee.available
    guard points > 0 else { return }
    adjustLot(holder, record, available: -points, expired: points)
    adjust(holder, available: -points)
    if record.pointee.origin == Origin.earned.rawValue { rememberLapsed(holder, record.pointee.name, points) }
    bookBreakage(holder, points, .expire)
  }
  /// Ends all lots of an account that are due. Returns how many.
  @discardableResult mutating func endDueLots(_ holder: Holder) -> Int {
    let first = holder.account.pointee.firstLot
    guard first != .none, lot(holder, first).pointee.expiresAt <= now else { return 0 }
    return endDueLotsSlowly(holder)
  }
  private mutating func endDueLotsSlowly(_ holder: Holder) -> Int {
    var ended = 0
    var number = holder.account.pointee.firstLot
    while number != .none {
      let record = lot(holder, number)
      guard record.pointee.expiresAt <= now else { break }
      let next = record.pointee.next
      // One that is pending becomes active before it ends. One that has ended before has points again where a credit came after its end.
      if record.pointee.isExpired == 0 || record.pointee.available > 0 {
        ended += 1
        endLot(holder, number)
        closeIfEmpty(holder, number)
      }
      number = next
    }
    return ended
  }
  /// Points that left a member for good: posted, and shown in the member's history.
  mutating func bookBreakage(_ holder: Holder, _ points: Points, _ kind: RecordKind) {
    post(points, holder.program, from: .members, to: .breakage)
    var record = nextRecord(kind, of: holder)
    record.points = -points
    book(holder, &record, points: points)
  }

  // MARK: Takes

  func takeKey(_ tx: TransactionID, _ take: TakeRecord) -> UInt64 {
    let lot = take.lot
    let key = DigestSum.mix(tx.rawValue &+ UInt64(lot.origin), UInt64(bitPattern: lot.expiresAt.microseconds))
    return lot.isPlain ? key : DigestSum.mix(key, UInt64(lot.mark))
  }
  private mutating func addTake(
    _ lot: LotRecord, _ points: Points, _ tx: TransactionID, before: Ref<TakeRecord>
  ) -> Ref<TakeRecord> {
    addTake(TakeRecord(lot.name, earnedAt: lot.earnedAt, points: points, next: before), tx)
  }
  mutating func addTake(_ take: TakeRecord, _ tx: TransactionID) -> Ref<TakeRecord> {
    core.digest.add(takeKey(tx, take), DigestField.takePoints, take.points)
    return tables.takes.add(take)
  }
  /// Changes how much of a take there is, or has been given back.
  mutating func adjustTake(_ number: Ref<TakeRecord>, _ tx: TransactionID, points: Points = 0, returned: Points = 0) {
    let take = tables.takes.write(number)
    core.add(points, to: &take.pointee.points)
    core.add(returned, to: &take.pointee.returned)
    let key = takeKey(tx, take.pointee)
    core.digest.add(key, DigestField.takePoints, points)
    core.digest.add(key, DigestField.takeReturned, returned)
  }
  /// Forgets a take; returns the one behind it.
  mutating func dropTake(_ number: Ref<TakeRecord>, _ tx: TransactionID) -> Ref<TakeRecord> {
    let take = tables.takes.write(number)
    let key = takeKey(tx, take.pointee)
    core.digest.add(key, DigestField.takePoints, -take.pointee.points)
    core.digest.add(key, DigestField.takeReturned, -take.pointee.returned)
    let next = take.pointee.next
    tables.takes.remove(number)
    return next
  }
}
