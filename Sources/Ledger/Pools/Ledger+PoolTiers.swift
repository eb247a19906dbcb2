import Base
import Rules

// Tiers of members who earn into a pool: the tier and what it goes by are the member's, the points and the gift the pool's.
extension Ledger {
  // MARK: Before the pool has booked

  /// What an earning of a member in a pool would count for. Leaves in `earning` what its record has to know. Counts nothing.
  mutating func foresee(_ ask: Award) -> PoolQualifying {
    guard core.semantics >= Semantics.service, ask.isByRules else { return PoolQualifying() }
    let seen = foresee(ask.parties, earning.detail, ask.points, ask.spend, ask.effective)
    guard seen.amount > 0 else { return seen }
    (earning.detail.qualified, earning.detail.tier) = (seen.period.start, seen.tier)
    earning.bytes = earning.detail.encoded
    return seen
  }
  func foresee(
    _ parties: Parties, _ detail: EarningDetail, _ points: Points, _ spend: Money, _ effective: Stamp?
  ) -> PoolQualifying {
    var seen = PoolQualifying()
    let (member, program) = (parties.number, parties.program)
    guard catalogue.programRows[program.place].hasTiers, let set = catalogue.tierSets[program.place],
      set.ladder(at: now) != nil
    else { return seen }
    let amount = Ledger.qualifyingAmount(set, detail, points, spend)
    guard amount > 0 else { return seen }
    let offset = catalogue.programRows[program.place].offset
    let day = CivilTime.day(of: effective ?? now, offset: offset)
    let joined = CivilTime.day(of: tables.members.read(member).pointee.since, offset: offset)
    (seen.amount, seen.day, seen.isByPoints) = (amount, Int32(clamping: day), set.by == .points)
    seen.period = set.period(of: day, joined: joined)
    if let reached = tierView(member, program, after: amount, on: day) {
      (seen.tier, seen.gift) = (UInt32(clamping: reached.tier), reached.gift)
    }
    return seen
  }
  /// What an earning counts for in what tiers go by; 0: nothing.
  static func qualifyingAmount(_ set: TierSet, _ detail: EarningDetail, _ points: Points, _ spend: Money) -> Int64 {
    let isPurchase = detail.event.isEmpty
    switch set.by {
    case .points: return detail.event.elementsEqual(tierUp.bytes) ? 0 : points.rawValue
    case .spend: return isPurchase && spend.isSaid ? spend.rawValue : 0
    case .visits: return isPurchase ? 1 : 0
    case .recharge: return 0
    }
  }
  private func welcomeKey(_ seen: PoolQualifying) -> CounterKey {
    CounterKey(.welcomed, of: seen.tier ?? 0, from: seen.period.start)
  }
  /// A gift that is on its way to a pool is not sent again.
  mutating func reserveGift(_ seen: PoolQualifying, of member: Ref<MemberRecord>) {
    guard seen.gift > 0, !Welcome(rawValue: counter(member, welcomeKey(seen))).contains(.gift) else { return }
    count(Welcome.gift.rawValue, of: member, welcomeKey(seen))
  }
  /// The pool has not given it.
  private mutating func releaseGift(_ seen: PoolQualifying, of member: Ref<MemberRecord>) {
    guard seen.gift > 0, Welcome(rawValue: counter(member, welcomeKey(seen))).contains(.gift) else { return }
    count(0 - Welcome.gift.rawValue, of: member, welcomeKey(seen))
  }

  // MARK: Afterwards

  /// The pool has booked an earning: it counts for the member's tier.
  mutating func qualify(
    _ content: BookStep.Content, _ booked: PoolBooked, of member: Ref<MemberRecord>, _ tenant: TenantID
  ) {
    let seen = content.qualifying
    if !booked.isGiftGiven { releaseGift(seen, of: member) }
    if seen.isFirstPurchase { refer(member, content.program, tenant) }
    guard seen.amount > 0, let holder = holder(member, content.program, create: true) else { return }
    qualifyPooled(holder)
    guard seen.isByPoints, booked.activeDay > 0 else {
      _ = qualify(holder, seen.amount, on: Int64(seen.day), leaving: 0)
      return
    }
    let offset = catalogue.programRows[content.program.place].offset
    if CivilTime.midnight(ofDay: booked.activeDay, offset: offset) > now {
      countPooled(seen.amount, of: member, content.program, on: Int32(clamping: booked.activeDay))
    } else {
      _ = qualify(holder, seen.amount, on: booked.activeDay, leaving: 0)
    }
  }
  /// The pool has refused it. A tier that something else has reached meanwhile has its gift now.
  mutating func disregard(_ content: BookStep.Content, of member: Ref<MemberRecord>) {
    let seen = content.qualifying
    guard seen.gift > 0 else { return }
    releaseGift(seen, of: member)
    guard seen.amount > 0, let holder = holder(member, content.program, create: true),
      let walk = tierWalk(member, content.program), let ladder = walk.set.ladder(at: now),
      walk.period == seen.period, let tier = seen.tier,
      ladder.rungs[ladder.place(heldBy: walk.standing.tier)].number == Int(tier)
    else { return }
    welcome(holder, ladder.rungs[ladder.place(of: Int(tier))], walk.period, leaving: 0)
  }
  /// A gift that comes by itself goes to the pool that the member is in.
  mutating func send(
    gift rung: TierLadder.Rung, to pool: [UInt8], _ holder: Holder, _ period: TierSet.Period
  ) {
    let record = holder.member.pointee
    var detail = EarningDetail()
    detail.tier = UInt32(clamping: rung.number)
    let parties = Parties(number: holder.number, merchant: .none, program: holder.program)
    let id = Array(memberID(tables.members.read(holder.number)))
    id.withUnsafeBytes { id in
      let source = Source(tenant: record.tenant, member: id, request: Command.none, key: nil)
      var content = BookStep.Content(.gift, source, pool: pool, parties, points: rung.gift)
      content.detail = detail.encoded
      (content.qualifying.tier, content.qualifying.gift) = (UInt32(clamping: rung.number), rung.gift)
      content.qualifying.period = period
      send(content, record.tenant, holder.number, RequestHashes.none.key)
    }
  }

  // MARK: Pending at the pool's

  /// Whether points of a member's that become active count for its own tier: those of a pool count for who earned them.
  func mayActivate(_ member: Ref<MemberRecord>) -> Bool {
    core.semantics < Semantics.service || bond(.pool, of: member) == nil
  }
  private func pooledKey(_ program: ProgramRef, _ day: Int32) -> CounterKey {
    CounterKey(.pooled, of: UInt32(program.place), from: day)
  }
  /// Counts what a pool has pending of a member's.
  mutating func countPooled(_ points: Int64, of member: Ref<MemberRecord>, _ program: ProgramRef, on day: Int32) {
    let key = pooledKey(program, day)
    let before = counter(member, key)
    let after = max(0, Ledger.sum(before, points))
    count(after - before, of: member, key)
    if (before == 0) != (after == 0) { notePooledDue(program, day, after == 0 ? -1 : 1) }
  }
  mutating func notePooledDue(_ program: ProgramRef, _ day: Int32, _ sign: Int64) {
    if !tierDues.change(day, Int32(clamping: program.place), by: sign) { fail(.records) }
  }
  /// What a pool had pending of a member's, and is active by now, by its days. O(the member's counters).
  func pooledDue(_ member: Ref<MemberRecord>, _ program: ProgramRef) -> [(day: Int64, points: Int64)] {
    let offset = catalogue.programRows[program.place].offset
    var due: [(day: Int64, points: Int64)] = []
    forEachCounter(of: member) { key, points in
      guard key.kind == CounterKey.Kind.pooled.rawValue, key.subject == UInt32(program.place),
        CivilTime.midnight(ofDay: Int64(key.start), offset: offset) <= now
      else { return }
      due.append((Int64(key.start), points))
    }
    return due
  }
  /// It counts from the day on which it became active.
  mutating func qualifyPooled(_ holder: Holder) {
    guard catalogue.tierSets[holder.program.place]?.by == .points else { return }
    for (day, points) in pooledDue(holder.number, holder.program) {
      countPooled(0 - points, of: holder.number, holder.program, on: Int32(clamping: day))
      _ = qualify(holder, points, on: day, leaving: 0)
    }
  }

  // MARK: Returns

  /// A return takes what was earned into a pool from what the member qualified by.
  mutating func disqualify(
    _ back: PoolReturn, _ detail: EarningDetail, of member: Ref<MemberRecord>, _ program: ProgramRef
  ) {
    guard var start = detail.qualified, let set = catalogue.tierSets[program.place],
      let holder = holder(member, program, create: true)
    else { return }
    qualifyPooled(holder)
    var points = back.active.rawValue
    if set.by == .points, back.activeDay > 0 {
      // What was pending there may be active here by now.
      let kept = counter(member, pooledKey(program, Int32(clamping: back.activeDay)))
      let pending = min(back.pending.rawValue, kept)
      countPooled(0 - pending, of: member, program, on: Int32(clamping: back.activeDay))
      points += back.pending.rawValue - pending
      let offset = catalogue.programRows[program.place].offset
      let joined = CivilTime.day(of: tables.members.read(member).pointee.since, offset: offset)
      start = set.period(of: Int64(back.activeDay), joined: joined).start
    }
    disqualify(holder, from: start, points: points, spend: back.spend)
  }
}
