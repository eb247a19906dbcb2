import Base

// What lapsed of a lot unspent is remembered for as long as a purchase that joined it may be refunded: a refund takes it
// from breakage before it takes other points of the member (R7). Only of lots of purchases: what was transferred or given
// back is not refunded by its lot. The records lie in the order in which they lapsed, with a mark before those of each day.

/// What lapsed of one lot.
struct LapsedRecord: SlotRecord {
  /// The member's number (32 bits), the program's (10), the day of the expiry in UTC (22). Of a mark: the day on which what
  /// follows lapsed, since 1970.
  var lot: UInt64
  /// 0: all of it was taken back. -1: a mark.
  var points: Points

  static let mark: Points = -1
  init(lot: UInt64, points: Points) {
    self.lot = lot
    self.points = points
  }
  static func lot(_ member: Ref<MemberRecord>, _ program: ProgramRef, _ name: LotName) -> UInt64 {
    // All that ends with the member's activity ends together.
    let day = name.isActivity ? 0x3F_FFFF : UInt64(bitPattern: CivilTime.day(of: name.expiresAt, offset: 0)) & 0x3F_FFFF
    return UInt64(member.rawValue) << 32 | UInt64(program.place) << 22 | day
  }
  var member: Ref<MemberRecord> { Ref(rawValue: UInt32(lot >> 32)) }
  var program: ProgramRef { ProgramRef(place: Int(lot >> 22 & 0x3FF)) }

  static var tag: TableTag { TableTag(22, "what lapsed") }
  static func forEach(in ledger: borrowing Ledger, _ body: (UnsafePointer<LapsedRecord>) -> Void) {
    ledger.tables.lapsed.forEach {
      if $1.pointee.points > 0 { body($1) }
    }
  }
  static func slot(of record: UnsafePointer<LapsedRecord>, in ledger: borrowing Ledger) -> Slot? {
    ledger.slot(ofMember: record.pointee.member)
  }
  static func addDigest(
    of record: UnsafePointer<LapsedRecord>, in ledger: borrowing Ledger, to sum: inout DigestSum
  ) {
    sum.add(ledger.lapsedKey(record.pointee), DigestField.lapsed, record.pointee.points)
  }
  static func check(_ ledger: borrowing Ledger) throws(BrokenInvariant) { try ledger.checkLapsed() }
}

extension Ledger {
  /// Remembers points of a purchase's lot that lapse now; of one lot at most `largestBalance`.
  mutating func rememberLapsed(_ holder: Holder, _ name: LotName, _ points: Points) {
    beginLapsedDay()
    var record = LapsedRecord(lot: LapsedRecord.lot(holder.number, holder.program, name), points: points)
    if let known = findLapsed(record.lot) {
      let before = tables.lapsed.read(known).pointee.points
      record.points = min(before &+ points, Ledger.largestBalance)
      if known > core.lapsedMark { return setLapsed(known, record.points) }
      // It is to be remembered from today on.
      setLapsed(known, 0)
    }
    tables.lapsed.append(record, hashes.number(record.lot))
    core.digest.add(lapsedKey(record), DigestField.lapsed, record.points)
  }
  mutating func beginLapsedDay() {
    let day = UInt64(bitPattern: CivilTime.day(of: now, offset: 0))
    let isToday =
      core.lapsedMark >= tables.lapsed.first && core.lapsedMark < tables.lapsed.end
      && tables.lapsed.read(core.lapsedMark).pointee.lot == day
    if !isToday { core.lapsedMark = tables.lapsed.append(unindexed: LapsedRecord(lot: day, points: LapsedRecord.mark)) }
  }

  /// Takes what lapsed of a purchase's lot back from breakage: what of a refund's points the lot itself has no more. It is
  /// available then, in no lot, for the refund to take. Returns how much it is.
  mutating func restoreLapsed(_ holder: Holder, _ t: TransactionRecord, _ points: Points) -> Points {
    let part = restorable(holder, t, points)
    guard part > 0, let known = findLapsed(LapsedRecord.lot(holder.number, holder.program, extended(holder, t.lot)))
    else {
      return 0
    }
    setLapsed(known, tables.lapsed.read(known).pointee.points - part)
    post(part, holder.program, from: .breakage, to: .members)
    adjust(holder, available: part)
    var record = nextRecord(.expireBack, of: holder)
    record.points = part
    record.of = t.id
    book(holder, &record, points: part, link: t.id)
    return part
  }

  /// How much of a refund's points lapsed of the lot that the purchase joined, and can come back from breakage.
  mutating func restorable(_ holder: Holder, _ t: TransactionRecord, _ points: Points) -> Points {
    let number = findLot(holder, extended(holder, t.lot))
    let present = number == .none ? 0 : lot(holder, number).pointee.available
    guard points > present,
      let known = findLapsed(LapsedRecord.lot(holder.number, holder.program, extended(holder, t.lot)))
    else {
      return 0
    }
    return min(points - present, tables.lapsed.read(known).pointee.points)
  }

  /// Sets aside what lapsed of the lot of a purchase that is being returned elsewhere: all that may be asked for.
  mutating func reserveLapsed(_ holder: Holder, _ name: LotName, atMost points: Points) -> Points {
    let lot = LapsedRecord.lot(holder.number, holder.program, extended(holder, name))
    guard let known = findLapsed(lot) else { return 0 }
    let part = min(points, tables.lapsed.read(known).pointee.points)
    setLapsed(known, tables.lapsed.read(known).pointee.points - part)
    return part
  }
  /// What is remembered of a lot; 0 points are remembered of none.
  func findLapsed(_ lot: UInt64) -> UInt64? {
    guard !tables.lapsed.isEmpty else { return nil }
    return tables.lapsed.find(hashes.number(lot)) { $1.pointee.lot == lot && $1.pointee.points > 0 }
  }
  private mutating func setLapsed(_ number: UInt64, _ points: Points) {
    let record = tables.lapsed.write(number)
    core.digest.add(lapsedKey(record.pointee), DigestField.lapsed, points &- record.pointee.points)
    record.pointee.points = points
    if points == 0 { tables.lapsed.unindex(number, hashes.number(record.pointee.lot)) }
  }
  /// What the digest knows the lot by: the same wherever the member's record lies.
  func lapsedKey(_ record: LapsedRecord) -> UInt64 {
    let account = DigestSum.mix(hash(ofMember: record.member), programKey(record.program))
    return DigestSum.mix(account, record.lot & 0x3F_FFFF)
  }

  /// Forgets what lapsed so long ago that no purchase before it can be refunded any more. True: there may be more.
  mutating func dropOldLapsed(atMost limit: Int) -> Bool {
    guard !tables.lapsed.isEmpty else { return false }
    let window = transactionWindow
    for _ in 0..<limit where !tables.lapsed.isEmpty {
      let record = tables.lapsed.read(tables.lapsed.first).pointee
      let isMark = record.points == LapsedRecord.mark
      let day = isMark ? record.lot : core.firstLapsedDay
      guard (Int64(bitPattern: day) + 1) * CivilTime.microsecondsPerDay + window <= now.microseconds else {
        return false
      }
      if isMark { core.firstLapsedDay = day } else if record.points > 0 { setLapsed(tables.lapsed.first, 0) }
      tables.lapsed.removeFirst()
    }
    return !tables.lapsed.isEmpty
  }
}
