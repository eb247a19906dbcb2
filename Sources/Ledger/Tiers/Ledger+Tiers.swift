import Base
import Rules

// What members qualify by, and what comes of it: in the entry that says so. Counters hang on members' files, so they travel with these; of a
// member that never qualified nothing is kept. `tierDues` counts by day and program whose periods end then.
extension Ledger {
  // MARK: Earning

  /// Counts what a purchase or an event qualifies by, before it is booked: so the balance in its answer has the gift (A16), and the detail in
  /// `earning` says what a return has to know. Room for the points themselves is kept.
  @inline(never) mutating func qualify(_ holder: Holder, _ ask: Award, _ lot: LotName, isPending: Bool) {
    guard catalogue.programRows[holder.program.place].hasTiers,
      let set = catalogue.tierSets[holder.program.place], set.ladder(at: now) != nil
    else { return }
    openEarnings.program = holder.program
    defer { openEarnings.program = nil }
    qualifyPooled(holder)
    let offset = catalogue.programRows[holder.program.place].offset
    var day = CivilTime.day(of: ask.effective ?? now, offset: offset)
    let isPurchase = earning.detail.event.isEmpty
    var amount: Int64 = 0
    switch set.by {
    case .points:
      if lot.activeDay > 0 { day = Int64(lot.activeDay) }
      if earning.detail.event.elementsEqual(Ledger.tierUp.bytes) {
        let key = CounterKey(.unqualified, of: UInt32(holder.program.place), from: Int32(clamping: day))
        if isPending { count(ask.points.rawValue, of: holder.number, key) }
        return
      }
      amount = ask.points.rawValue
    case .spend: amount = isPurchase && ask.spend.isSaid ? ask.spend.rawValue : 0
    case .visits: amount = isPurchase ? 1 : 0
    case .recharge: return
    }
    var reached: Int?
    if isPending, set.by == .points {
      // It qualifies when it becomes active (A15).
      settleTiers(holder, leaving: ask.points)
    } else {
      reached = qualify(holder, amount, on: day, leaving: ask.points)
    }
    guard amount > 0 || reached != nil else { return }
    let joined = CivilTime.day(of: holder.member.pointee.since, offset: offset)
    earning.detail.qualified = amount > 0 ? set.period(of: day, joined: joined).start : nil
    earning.detail.tier = reached.map { UInt32(clamping: $0) }
    earning.bytes = earning.detail.encoded
  }
  /// The event that a member of a higher tier raises. Its points do not qualify.
  static var tierUp: StaticString { "tier-up" }

  /// Pending points became active: they qualify by their days.
  mutating func qualify(_ holder: Holder, activated: [(day: Int64, points: Int64)]) {
    guard let set = catalogue.tierSets[holder.program.place], set.by == .points, mayActivate(holder.number) else {
      return
    }
    for (day, points) in qualifying(activated, holder.number, holder.program) {
      _ = qualify(holder, points, on: day, leaving: 0)
      let key = CounterKey(.unqualified, of: UInt32(holder.program.place), from: Int32(clamping: day))
      count(0 - counter(holder.number, key), of: holder.number, key)
    }
  }

  /// Counts what a member qualified by on a day, after the ends of all periods before that.
  /// - Parameter points: those that are to be booked yet: a gift leaves room for them.
  /// - Returns: the tier that the member is in now, if that is another than before.
  mutating func qualify(_ holder: Holder, _ amount: Int64, on day: Int64, leaving points: Points) -> Int? {
    guard var walk = tierWalk(holder.number, holder.program), let ladder = walk.set.ladder(at: now) else { return nil }
    let period = walk.period(of: day)
    settle(holder, &walk, to: Int64(period.start), leaving: points)
    let before = ladder.place(heldBy: walk.standing.tier)
    let key = qualifyingKey(holder.program, period.start)
    let kept = counter(holder.number, key)
    guard amount > 0 || kept > 0 else { return nil }
    count(Ledger.sum(kept, amount) - kept, of: holder.number, key)
    walk.take(Ledger.sum(kept, amount), of: period, at: now)
    keep(walk, holder)
    let after = ladder.place(heldBy: walk.standing.tier)
    if after > before { welcome(holder, ladder.rungs[after], period, leaving: points) }
    return after == before ? nil : ladder.rungs[after].number
  }

  /// A return takes what a sale qualified by from the period in which that counted, and from no other; a purchase was a visit all the same
  /// (A24). A return of a sale whose period is over moves nobody.
  /// - Parameters:
  ///   - start: of the period in which it counted; nil: it did not.
  ///   - spend: the money that the return is about.
  mutating func disqualify(_ holder: Holder, from start: Int32?, points: Int64, spend: Int64) {
    qualifyPooled(holder)
    guard let start, var walk = tierWalk(holder.number, holder.program) else { return }
    settle(holder, &walk, to: CivilTime.day(of: now, offset: walk.offset), leaving: 0)
    var amount: Int64 = 0
    switch walk.set.by {
    case .points: amount = points
    case .spend: amount = spend
    case .visits, .recharge: return
    }
    let key = qualifyingKey(holder.program, start)
    let kept = counter(holder.number, key)
    guard amount > 0, kept > 0 else { return }
    count(0 - min(kept, amount), of: holder.number, key)
    if start == walk.period.start { walk.take(max(0, kept - amount), of: walk.period, at: now) }
    keep(walk, holder)
  }
  /// The money that a return is about. Of one by points, the same part of the sale's as of its points.
  static func returnedSpend(_ t: TransactionRecord, spend: Money, points: Points?) -> Int64 {
    guard let points, t.points > 0, t.spend.isSaid else { return spend.rawValue }
    func share(_ points: Points) -> Int64 {
      Int64(Int128(t.spend.rawValue) * Int128(points.rawValue) / Int128(t.points.rawValue))
    }
    return share(t.reversedPoints + points) - share(t.reversedPoints)
  }

  // MARK: Ends of periods

  /// Goes over what periods have ended of a member in a program by now.
  mutating func settleTiers(_ holder: Holder, leaving points: Points) {
    qualifyPooled(holder)
    guard catalogue.programRows[holder.program.place].hasTiers,
      counter(holder.number, CounterKey(.tier, of: UInt32(holder.program.place), from: 0)) > 0,
      var walk = tierWalk(holder.number, holder.program)
    else { return }
    settle(holder, &walk, to: CivilTime.day(of: now, offset: walk.offset), leaving: points)
    keep(walk, holder)
  }
  private mutating func settle(_ holder: Holder, _ walk: inout TierWalk, to day: Int64, leaving points: Points) {
    guard walk.standing.end > 0, Int64(walk.standing.end) <= day else { return }
    var figures: [(start: Int32, figure: Int64)] = []
    forEachCounter(of: holder.number) { key, value in
      if key.kind == CounterKey.Kind.qualifying.rawValue, key.subject == UInt32(holder.program.place) {
        figures.append((key.start, value))
      }
    }
    walk.goOn(to: day) { start in figures.first { $0.start == start }?.figure ?? 0 }
    keep(walk, holder)
    forgetFigures(holder, walk)
    let ladder = walk.set.ladder(at: now)
    for period in walk.risen {
      guard let ladder else { break }
      welcome(holder, ladder.rungs[ladder.place(heldBy: walk.standing.tier)], period, leaving: points)
    }
    walk.risen = []
  }
  /// Figures and gifts of periods that no late sale can be of are forgotten.
  private mutating func forgetFigures(_ holder: Holder, _ walk: TierWalk) {
    let backdate = catalogue.programRows[holder.program.place].backdate
    let reach = CivilTime.day(of: Stamp(microseconds: max(0, now.microseconds - backdate)), offset: walk.offset)
    var old: [(CounterKey, Int64)] = []
    forEachCounter(of: holder.number) { key, value in
      let isFigure =
        key.kind == CounterKey.Kind.qualifying.rawValue && key.subject == UInt32(holder.program.place)
      let isGift = key.kind == CounterKey.Kind.welcomed.rawValue && walk.set.numbers.contains(Int(key.subject))
      guard isFigure || isGift, key.start != walk.period.start,
        Int64(walk.period(of: Int64(key.start)).end) <= reach
      else { return }
      old.append((key, value))
    }
    for (key, value) in old { count(0 - value, of: holder.number, key) }
  }

  // MARK: Keeping

  mutating func keep(_ walk: TierWalk, _ holder: Holder) {
    let key = CounterKey(.tier, of: UInt32(holder.program.place), from: 0)
    let kept = counter(holder.number, key)
    if kept != walk.standing.packed {
      if let old = TierStanding(packed: kept) { noteTierDue(old, holder.program, -1) }
      count(walk.standing.packed - kept, of: holder.number, key)
      noteTierDue(walk.standing, holder.program, 1)
    }
    guard let since = walk.since else { return }
    let sinceKey = CounterKey(.tierSince, of: UInt32(holder.program.place), from: 0)
    count(since.microseconds - counter(holder.number, sinceKey), of: holder.number, sinceKey)
  }
  mutating func noteTierDue(_ standing: TierStanding, _ program: ProgramRef, _ sign: Int64) {
    guard standing.end > 0 else { return }
    if !tierDues.change(standing.end, Int32(program.place), by: sign) { fail(.records) }
  }

  func countTierDue(_ counter: CounterRecord, _ dues: inout TierDues) {
    if counter.kind == CounterKey.Kind.pooled.rawValue {
      _ = dues.change(counter.start, Int32(clamping: counter.subject), by: 1)
    }
    guard counter.kind == CounterKey.Kind.tier.rawValue else { return }
    guard let standing = TierStanding(packed: counter.value), standing.end > 0 else { return }
    _ = dues.change(standing.end, Int32(clamping: counter.subject), by: 1)
  }
  /// A member's counters come with a parcel, or leave with one.
  mutating func noteTierDues(ofFile ref: Ref<FileRecord>, _ sign: Int64) {
    var next = tables.files.read(ref).pointee.firstCounter
    while next != .none {
      let counter = tables.details.counters.read(next).pointee
      if counter.kind == CounterKey.Kind.tier.rawValue, let standing = TierStanding(packed: counter.value) {
        noteTierDue(standing, ProgramRef(place: Int(counter.subject)), sign)
      }
      if counter.kind == CounterKey.Kind.pooled.rawValue {
        notePooledDue(ProgramRef(place: Int(counter.subject)), counter.start, sign)
      }
      next = counter.next
    }
  }

  // MARK: Who has risen

  /// What a member has had for reaching a tier in a period.
  struct Welcome: OptionSet {
    let rawValue: Int64
    static let gift = Welcome(rawValue: 1)
    static let event = Welcome(rawValue: 2)
  }
  /// The gift of a tier that was reached, and the event: each once a member, tier and period.
  mutating func welcome(
    _ holder: Holder, _ rung: TierLadder.Rung, _ period: TierSet.Period, leaving points: Points
  ) {
    guard holder.member.pointee.state != MemberState.closed.rawValue else { return }
    // What is being earned is worked out already, and booked later.
    var work = EarningWork()
    swap(&work, &earning)
    let open = openEarnings.program
    if let open { openEarnings.promised.append(PromisedEarning(work, open)) }
    openEarnings.program = nil
    defer {
      swap(&work, &earning)
      if open != nil { openEarnings.promised.removeLast() }
      openEarnings.program = open
    }
    let key = CounterKey(.welcomed, of: UInt32(clamping: rung.number), from: period.start)
    let done = Welcome(rawValue: counter(holder.number, key))
    var new: Welcome = []
    if rung.gift > 0, !done.contains(.gift), give(holder, rung, period, leaving: points) { new.insert(.gift) }
    if !done.contains(.event), raise(Ledger.tierUp, of: holder.number) { new.insert(.event) }
    count(new.rawValue, of: holder.number, key)
  }
  private mutating func give(
    _ holder: Holder, _ rung: TierLadder.Rung, _ period: TierSet.Period, leaving points: Points
  ) -> Bool {
    if core.semantics >= Semantics.service, let pool = pool(of: holder.number) {
      send(gift: rung, to: pool, holder, period)
      return true
    }
    return give(holder, UInt32(clamping: rung.number), rung.gift, leaving: points)
  }
  /// Points that are nobody's earnings: active at once, and taken back by nothing. False: there is no room for them.
  /// - Parameter member: of a pool, who has reached the tier.
  mutating func give(
    _ holder: Holder, _ tier: UInt32, _ gift: Points, leaving points: Points, to member: Bytes = Command.none
  ) -> Bool {
    guard hasRoom(holder, gift + points), lotsReserved(UnsafePointer(holder.member)) + 2 <= limits.lotsPerMember
    else { return false }
    var terms = terms(of: holder.number, holder.program)
    terms.activateDays = 0
    let (lot, _) = lot(for: terms, at: now, holder.program)
    post(gift, holder.program, from: .adjustments, to: .members)
    credit(holder, lot, now, gift)
    var record = nextRecord(.gift, of: holder)
    (record.points, record.other) = (gift, member)
    var detail = EarningDetail()
    detail.tier = tier
    detailBuffer.removeAll()
    detail.encoded.withUnsafeBytes { detailBuffer.append($0) }
    record.answer = detailBuffer.bytes
    record.lots = encodedLot(lot)
    book(holder, &record, points: gift, lot: lot)
    return true
  }
}
