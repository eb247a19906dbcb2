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
    /// A figure does not fit 64 bits: there is no answer.
    var isBroken = false

    @inline(__always) static func add(_ change: Points, to figure: inout Points, _ isBroken: inout Bool) {
      let (sum, isOver) = figure.rawValue.addingReportingOverflow(change.rawValue)
      figure = Points(sum)
      if isOver { isBroken = true }
    }
  }

  /// O(lots + holds that are due), whatever else there is.
  func position(_ member: UnsafePointer<MemberRecord>, _ program: ProgramRef) -> Position {
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
      guard lot.expiresAt > now else { continue }
      var points = lot.available
      // Both are in the order of expiry; of one expiry there are as many as origins.
      while nextDue < due.count && due[nextDue].expiresAt < lot.expiresAt { nextDue += 1 }
      var place = nextDue
      while place < due.count && due[place].expiresAt == lot.expiresAt {
        if due[place].origin == lot.origin {
          let repaid = min(p.debt, due[place].points)
          p.debt -= repaid
          Position.add(due[place].points &- repaid, to: &points, &p.isBroken)
        }
        place += 1
      }
      Position.add(points, to: &p.available, &p.isBroken)
      if points > 0 && lot.expiresAt != .never && lot.expiresAt <= p.expires {
        p.expires = lot.expiresAt
        Position.add(points, to: &p.expiring, &p.isBroken)
      }
    }
    p.balance = p.available
    Position.add(p.held, to: &p.balance, &p.isBroken)
    Position.add(0 &- p.debt, to: &p.balance, &p.isBroken)
    return p
  }

  private struct DuePoints {
    var expiresAt: Stamp
    var origin: UInt8
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
        due.append(DuePoints(expiresAt: take.expiresAt, origin: take.origin, points: take.points))
        next = take.next
      }
    }
    guard due.count > 1 else { return due }
    due.sort { ($0.expiresAt.microseconds, $0.origin) < ($1.expiresAt.microseconds, $1.origin) }
    var kept = 0
    for place in 1..<due.count {
      if due[place].expiresAt == due[kept].expiresAt && due[place].origin == due[kept].origin {
        Position.add(due[place].points, to: &due[kept].points, &p.isBroken)
      } else {
        kept += 1
        due[kept] = due[place]
      }
    }
    due.removeSubrange((kept + 1)...)
    return due
  }
}
