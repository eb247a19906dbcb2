import Base
import Vocabulary

// Points that are pending become active at 00:00 of a day (R4). Until then they lie in a lot of their own and are owed to the member
// (`.pending`), and are no part of what the account has.

extension Ledger {
  /// Whether some member here has pending points of a program.
  @inline(__always) func hasPending(_ program: ProgramRef) -> Bool {
    tables.details.rareLots.count > program.place && rareLots(program).pending != 0
  }
  /// Whether an account has room for so many points more, all that is pending counted. O(lots).
  mutating func hasRoomForPending(_ holder: Holder, _ points: Points) -> Bool {
    var pending = Points.zero
    var number = holder.account.pointee.firstLot
    while number != .none {
      let record = lot(holder, number).pointee
      if record.isPending { core.add(record.available, to: &pending) }
      number = record.next
    }
    return pending <= Ledger.largestBalance - points && hasRoom(holder, pending + points)
  }
  /// Puts points into a lot that is pending.
  mutating func creditPending(_ holder: Holder, _ name: LotName, _ earnedAt: Stamp, _ points: Points) {
    guard points > 0 else { return }
    var number = findLot(holder, name)
    if number == .none { number = openLot(holder, name, earnedAt, isPending: true) }
    adjustPending(holder, number, issued: points, by: points)
  }
  /// Changes what a pending lot has.
  mutating func adjustPending(
    _ holder: Holder, _ number: Ref<LotRecord>, issued: Points = 0, reversed: Points = 0, expired: Points = 0,
    by points: Points
  ) {
    adjustLot(
      holder, lot(holder, number), issued: issued, available: points, reversed: reversed, expired: expired)
    countRareLots(holder.program, pending: Int128(points.rawValue))
  }
  /// The lots of an account that are to become active by now do. O(lots), where there are pending points at all.
  @inline(__always) mutating func activateDueLots(_ holder: Holder) {
    if hasPending(holder.program) { activateDueLotsSlowly(holder) }
  }
  @inline(never) private mutating func activateDueLotsSlowly(_ holder: Holder) {
    let offset = catalogue.programRows[holder.program.place].offset
    var activated: [(day: Int64, points: Int64)] = []
    var number = holder.account.pointee.firstLot
    while number != .none {
      let record = lot(holder, number)
      let next = record.pointee.next
      if record.pointee.isPending, record.pointee.due(offset: offset) <= now {
        activated.append((Int64(record.pointee.name.activeDay), record.pointee.available.rawValue))
        activate(holder, number, offset)
      }
      number = next
    }
    if catalogue.programRows[holder.program.place].hasTiers { qualify(holder, activated: activated) }
  }
  /// A debt is repaid from what becomes active (R8).
  private mutating func activate(_ holder: Holder, _ number: Ref<LotRecord>, _ offset: Int64) {
    let points = lot(holder, number).pointee.available
    countRareLots(holder.program, pending: 0 &- Int128(points.rawValue))
    let isInTime = calendar.change(lot(holder, number).pointee.due(offset: offset), by: -1)
    lot(holder, number).pointee.isPending = false
    guard isInTime, calendar.change(lot(holder, number).pointee.expiresAt, by: 1) else { return fail(.records) }
    let repaid = min(holder.account.pointee.debt, points)
    adjustLot(holder, lot(holder, number), available: -repaid, consumed: repaid)
    adjust(holder, available: points - repaid, debt: -repaid)
    post(points, holder.program, from: .pending, to: .members)
    var record = nextRecord(.activate, of: holder)
    record.points = points
    book(holder, &record, points: points)
    closeIfEmpty(holder, number)
  }
  /// Pending points of a member whose membership ends are gone.
  mutating func lapsePending(_ holder: Holder) {
    guard hasPending(holder.program) else { return }
    var number = holder.account.pointee.firstLot
    while number != .none {
      let next = lot(holder, number).pointee.next
      if lot(holder, number).pointee.isPending { lapsePending(holder, number) }
      number = next
    }
  }
  private mutating func lapsePending(_ holder: Holder, _ number: Ref<LotRecord>) {
    let points = lot(holder, number).pointee.available
    adjustPending(holder, number, expired: points, by: -points)
    post(points, holder.program, from: .pending, to: .breakage)
    var record = nextRecord(.close, of: holder)
    record.amount = points
    book(holder, &record, points: points)
    closeIfEmpty(holder, number)
  }

  // MARK: Activity

  /// The lot of a name as it is by now: one that moves with the member's activity has the member's date (and, of a member whose points
  /// do not end that way, its own), one that was extended its new end.
  mutating func present(_ holder: Holder, _ name: LotName) -> LotName {
    guard name.isActivity else { return extended(holder, name) }
    let known = findLot(holder, name)
    if known != .none { return lot(holder, known).pointee.name }
    let rule = terms(of: holder.number, holder.program).expiry
    var own = name
    guard rule.unit == .activity else {
      own.activityDays = 0
      return own
    }
    own.activityDays = UInt16(clamping: rule.count)
    let offset = catalogue.programRows[holder.program.place].offset
    let key = CounterKey(.activity, of: UInt32(holder.program.place), from: 0)
    let last = counter(holder.number, key)
    let day = last > 0 ? last : CivilTime.day(of: now, offset: offset)
    own.expiresAt = CivilTime.midnight(ofDay: day + Int64(rule.count) + 1, offset: offset)
    return own
  }
  /// An earn, an event, a redemption or a capture: points that end some days after the last of these end later now (A17).
  @inline(__always) mutating func noteActivity(_ holder: Holder) {
    let row = catalogue.programRows[holder.program.place]
    let hasLots = tables.details.rareLots.count > holder.program.place && rareLots(holder.program).activityLots > 0
    if hasLots || row.hasPolicies || row.terms.expiry.unit == .activity { noteActivitySlowly(holder, row.offset) }
  }
  @inline(never) private mutating func noteActivitySlowly(_ holder: Holder, _ offset: Int64) {
    let day = CivilTime.day(of: now, offset: offset)
    if terms(of: holder.number, holder.program).expiry.unit == .activity {
      let key = CounterKey(.activity, of: UInt32(holder.program.place), from: 0)
      count(day - counter(holder.number, key), of: holder.number, key)
    }
    var later: [(number: Ref<LotRecord>, end: Stamp)] = []
    var number = holder.account.pointee.firstLot
    while number != .none {
      let record = lot(holder, number).pointee
      if record.name.isActivity, record.isExpired == 0 {
        let first = max(day, Int64(record.name.activeDay))
        let end = CivilTime.midnight(ofDay: first + Int64(record.name.activityDays) + 1, offset: offset)
        if end > record.expiresAt { later.append((number, end)) }
      }
      number = record.next
    }
    for (number, end) in later { move(holder, number, to: end) }
  }

  // MARK: Extended

  /// The name that a lot has by now, where `EXTEND` has moved its end.
  func extended(_ holder: Holder, _ name: LotName) -> LotName {
    guard holder.member.pointee.hasFile, name.expiresAt != .never else { return name }
    var name = name
    for _ in 0..<Ledger.mostExtensions {
      let end = counter(holder.number, extensionKey(holder.program, name.expiresAt))
      guard end > name.expiresAt.microseconds else { break }
      name.expiresAt = Stamp(microseconds: end)
    }
    return name
  }
  /// A lot is found again after so many extensions.
  static var mostExtensions: Int { 64 }
  func extensionKey(_ program: ProgramRef, _ expiresAt: Stamp) -> CounterKey {
    let day = CivilTime.day(of: expiresAt, offset: catalogue.programRows[program.place].offset)
    return CounterKey(.extended, of: UInt32(program.place), from: Int32(clamping: day))
  }
}
