import Base

extension Ledger {
  /// What an account is worth at the last stamp, with all that is due booked.
  struct Position {
    var available: Points = 0
    var held: Points = 0
    var debt: Points = 0
    var balance: Points = 0
    var expiring: Points = 0
    var expires = Stamp.never
    var pending: Points = 0
    /// A figure does not fit 64 bits: there is no answer.
    var isBroken = false

    @inline(__always) static func add(_ change: Points, to figure: inout Points, _ isBroken: inout Bool) {
      let (sum, isOver) = figure.rawValue.addingReportingOverflow(change.rawValue)
      figure = Points(sum)
      if isOver { isBroken = true }
    }
  }

  /// O(lots + holds that are due), whatever else there is.
  /// - Parameter ends: is told of each lot's end and of what is available of it.
  func position(
    _ member: UnsafePointer<MemberRecord>, _ program: ProgramRef, ends: (Stamp, Points) -> Void = { _, _ in }
  ) -> Position {
    var p = Position()
    guard let account = account(member, program) else { return p }
    p.held = account.pointee.held
    p.debt = account.pointee.debt
    let due = duePoints(member, program, &p)
    var nextDue = 0
    var number = account.pointee.firstLot
    while number != .none {
      let lot = lot(member, number).pointee
      number = lot.next
      guard lot.expiresAt > now, !lot.isPending else { continue }
      var points = lot.available
      // Both are in the order of expiry; of one expiry there are as many as origins.
      while nextDue < due.count && due[nextDue].lot.expiresAt < lot.expiresAt { nextDue += 1 }
      var place = nextDue
      while place < due.count && due[place].lot.expiresAt == lot.expiresAt {
        if due[place].lot.isSame(lot.name) {
          let repaid = min(p.debt, due[place].points)
          p.debt -= repaid
          Position.add(due[place].points &- repaid, to: &points, &p.isBroken)
        }
        place += 1
      }
      add(points, endingAt: lot.expiresAt, to: &p, ends)
    }
    addPending(member, account, program, to: &p, ends)
    p.balance = p.available
    Position.add(p.held, to: &p.balance, &p.isBroken)
    Position.add(0 &- p.debt, to: &p.balance, &p.isBroken)
    return p
  }

  private func add(_ points: Points, endingAt end: Stamp, to p: inout Position, _ ends: (Stamp, Points) -> Void) {
    Position.add(points, to: &p.available, &p.isBroken)
    guard points > 0 && end != .never else { return }
    ends(end, points)
    guard end <= p.expires else { return }
    if end < p.expires { p.expiring = 0 }
    p.expires = end
    Position.add(points, to: &p.expiring, &p.isBroken)
  }
  /// What is pending, or has become active and is not booked yet.
  private func addPending(
    _ member: UnsafePointer<MemberRecord>, _ account: UnsafePointer<AccountRecord>, _ program: ProgramRef,
    to p: inout Position, _ ends: (Stamp, Points) -> Void
  ) {
    guard hasPending(program) else { return }
    let offset = catalogue.programRows[program.place].offset
    var number = account.pointee.firstLot
    while number != .none {
      let lot = lot(member, number).pointee
      number = lot.next
      guard lot.isPending else { continue }
      guard lot.due(offset: offset) <= now else {
        Position.add(lot.available, to: &p.pending, &p.isBroken)
        continue
      }
      let repaid = min(p.debt, lot.available)
      p.debt -= repaid
      if lot.expiresAt > now { add(lot.available - repaid, endingAt: lot.expiresAt, to: &p, ends) }
    }
  }

  private struct DuePoints {
    /// Of one that moves with the member's activity, with the end that it has by now.
    var lot: LotName
    var points: Points
  }
  /// What the holds that are due and not booked yet give back, by lot, in the order of expiry; takes it off what is held.
  private func duePoints(_ member: UnsafePointer<MemberRecord>, _ program: ProgramRef, _ p: inout Position)
    -> [DuePoints]
  {
    var due: [DuePoints] = []
    var hold = member.pointee.firstHold
    while hold != .none {
      let record = tables.holds.read(hold).pointee
      guard record.deadline <= now else { break }
      hold = record.next
      guard let number = findTransaction(record.id), tables.transactions.read(number).pointee.program == program
      else {
        continue
      }
      Position.add(0 &- tables.transactions.read(number).pointee.points, to: &p.held, &p.isBroken)
      var next = tables.transactions.read(number).pointee.firstTake
      while next != .none {
        let take = tables.takes.read(next).pointee
        due.append(DuePoints(lot: current(member, program, take.lot), points: take.points))
        next = take.next
      }
    }
    guard due.count > 1 else { return due }
    due.sort { Ledger.precedes($0.lot, $1.lot) }
    var kept = 0
    for place in 1..<due.count {
      if due[place].lot == due[kept].lot {
        Position.add(due[place].points, to: &due[kept].points, &p.isBroken)
      } else {
        kept += 1
        due[kept] = due[place]
      }
    }
    due.removeSubrange((kept + 1)...)
    return due
  }
  private static func precedes(_ one: LotName, _ other: LotName) -> Bool {
    (one.expiresAt.microseconds, one.origin, one.mark) < (other.expiresAt.microseconds, other.origin, other.mark)
  }
  private func current(
    _ member: UnsafePointer<MemberRecord>, _ program: ProgramRef, _ name: LotName
  ) -> LotName {
    guard name.isActivity, let account = account(member, program) else { return name }
    var own = name
    var number = account.pointee.firstLot
    while number != .none {
      let lot = lot(member, number).pointee
      if lot.name.isSame(name) { own.expiresAt = lot.expiresAt }
      number = lot.next
    }
    return own
  }
}
