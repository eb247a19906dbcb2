import Base

// An account is bounded as a whole: what is available, what is held and what may come back from another shard, together.
// So the bound is checked where points come that were not there before, and never where they come back: what a hold, a
// transfer or a verdict gives back has had its room all the time. The same goes for the lots of a member. Sums over
// accounts (`ProgramRecord`, `PartRecord`) are 128 bits wide: no number of commands reaches their end.

extension Ledger {
  /// The largest balance or debt of an account: sums of two stay far from overflow.
  static var largestBalance: Points { 1_000_000_000_000_000_000 }
  /// A lot that was ever given more than this forgets its past.
  static var largestPast: Points { 4_000_000_000_000_000_000 }
  /// The most points in one command.
  static var largestAmount: Points { 1_000_000_000_000_000 }

  /// Whether an account may be given so many points, at most `largestAmount`. Without one it is one that is to be made.
  @inline(__always) func hasRoom(
    _ member: UnsafePointer<MemberRecord>, _ account: UnsafePointer<AccountRecord>?, _ points: Points
  ) -> Bool {
    guard let account else { return true }
    let away = member.pointee.firstTransit == .none ? 0 : transit(member, account.pointee.program)?.pointee.points ?? 0
    let present = account.pointee.available &+ account.pointee.held
    guard present &+ away <= Ledger.largestBalance &- points else { return false }
    return !member.pointee.hasBonds || hasRoomBesideMerge(member, account.pointee.program, present &+ away &+ points)
  }
  func hasRoom(_ holder: Holder, _ points: Points) -> Bool {
    hasRoom(UnsafePointer(holder.member), UnsafePointer(holder.account), points)
  }

  /// The lots that a member has, and those that may come back.
  func lotsReserved(_ member: UnsafePointer<MemberRecord>) -> Int {
    var count = Int(member.pointee.lotCount)
    var next = member.pointee.firstTransit
    while next != .none {
      let record = tables.transits.read(next)
      count += Int(record.pointee.lots)
      next = record.pointee.next
    }
    return member.pointee.hasBonds ? count + (reservedRoom(member)?.lots ?? 0) : count
  }
  /// Whether a credit into a lot of this kind would need a lot more than a member may have.
  mutating func hasRoomForLot(_ holder: Holder, _ name: LotName) -> Bool {
    lotsReserved(UnsafePointer(holder.member)) < limits.lotsPerMember || findLot(holder, name) != .none
  }

  // MARK: What is on its way

  /// What is on its way from a member's account of one program; nil if nothing is.
  func transit(_ member: UnsafePointer<MemberRecord>, _ program: ProgramRef) -> UnsafePointer<TransitRecord>? {
    var next = member.pointee.firstTransit
    while next != .none {
      let record = tables.transits.read(next)
      if record.pointee.program == program { return record }
      next = record.pointee.next
    }
    return nil
  }
  /// Counts a transfer that has left, with the lots that it was taken from.
  mutating func beginTransit(_ holder: Holder, points: Points, lots: Int) {
    let number = findTransit(holder) ?? addTransit(holder)
    let record = tables.transits.write(number)
    core.add(points, to: &record.pointee.points)
    core.add(UInt32(clamping: lots), to: &record.pointee.lots)
  }
  /// Counts it out: it has arrived, or comes back.
  mutating func endTransit(_ holder: Holder, points: Points, lots: Int) {
    guard let number = findTransit(holder) else { return fail(.records) }
    let record = tables.transits.write(number)
    core.add(-points, to: &record.pointee.points)
    record.pointee.lots &-= UInt32(clamping: lots)
    if record.pointee.points <= 0 { dropTransit(holder, number) }
  }
  private func findTransit(_ holder: Holder) -> Ref<TransitRecord>? {
    var next = holder.member.pointee.firstTransit
    while next != .none {
      let record = tables.transits.read(next)
      if record.pointee.program == holder.program { return next }
      next = record.pointee.next
    }
    return nil
  }
  private mutating func addTransit(_ holder: Holder) -> Ref<TransitRecord> {
    let record = TransitRecord(program: holder.program, next: holder.member.pointee.firstTransit)
    let number = tables.transits.add(record)
    holder.member.pointee.firstTransit = number
    return number
  }
  private mutating func dropTransit(_ holder: Holder, _ number: Ref<TransitRecord>) {
    let after = tables.transits.read(number).pointee.next
    if holder.member.pointee.firstTransit == number {
      holder.member.pointee.firstTransit = after
    } else {
      var before = holder.member.pointee.firstTransit
      while tables.transits.read(before).pointee.next != number {
        before = tables.transits.read(before).pointee.next
      }
      tables.transits.write(before).pointee.next = after
    }
    tables.transits.remove(number)
  }
}
