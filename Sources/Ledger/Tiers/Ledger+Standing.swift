import Base
import Rules
import Vocabulary

// Where members stand, as of the last stamp: what is due and not booked yet counts as booked, so that nobody waits for the sweep.
extension Ledger {
  /// What is known of a member's tier in a program.
  struct TierView {
    var ladder: TierLadder
    /// In `ladder`.
    var place: Int
    var since: Stamp
    /// The least moment up to which it stays; nil: nothing ends it.
    var until: Stamp?
    var qualifying: Int64
    var rung: TierLadder.Rung { ladder.rungs[place] }
  }

  /// Nil: the program has no tiers that are in force.
  func tierView(_ number: Ref<MemberRecord>, _ program: ProgramRef) -> TierView? {
    guard catalogue.programRows[program.place].hasTiers, let ladder = catalogue.ladder(ofProgram: program, at: now),
      var walk = tierWalk(number, program)
    else { return nil }
    let figure = bookDue(number, program, &walk)
    return view(walk, ladder, number, program, figure: figure)
  }
  private func view(
    _ walk: TierWalk, _ ladder: TierLadder, _ number: Ref<MemberRecord>, _ program: ProgramRef, figure: Int64
  ) -> TierView {
    let place = ladder.place(heldBy: walk.standing.tier)
    let kept = counter(number, CounterKey(.tierSince, of: UInt32(program.place), from: 0))
    let joined = tables.members.read(number).pointee.since
    let since = walk.since ?? (kept > 0 ? Stamp(microseconds: kept) : joined)
    var view = TierView(ladder: ladder, place: place, since: since, until: nil, qualifying: figure)
    guard walk.standing.end > 0, place > ladder.lowest, ladder.rungs[place].down != .never else { return view }
    var end = Int64(walk.standing.end)
    // Who has reached it in this period keeps it to the end of the next.
    if ladder.place(reachedBy: figure) >= place { end = Int64(walk.period(of: end).end) }
    view.until = CivilTime.midnight(ofDay: end, offset: walk.offset)
    return view
  }

  /// A walk from what is kept of a member, or from the lowest tier; nil: nothing is kept, and the program has no tiers that are in force.
  func tierWalk(_ number: Ref<MemberRecord>, _ program: ProgramRef) -> TierWalk? {
    guard let set = catalogue.tierSets[program.place] else { return nil }
    let offset = catalogue.programRows[program.place].offset
    let joined = CivilTime.day(of: tables.members.read(number).pointee.since, offset: offset)
    if let kept = TierStanding(packed: counter(number, CounterKey(.tier, of: UInt32(program.place), from: 0))) {
      return TierWalk(set: set, offset: offset, joined: joined, standing: kept)
    }
    guard let ladder = set.ladder(at: now) else { return nil }
    let lowest = ladder.rungs[ladder.lowest].number
    let end = set.period(of: CivilTime.day(of: now, offset: offset), joined: joined).end
    return TierWalk(
      set: set, offset: offset, joined: joined, standing: TierStanding(tier: lowest, floor: lowest, end: end))
  }
  func qualifyingKey(_ program: ProgramRef, _ start: Int32) -> CounterKey {
    CounterKey(.qualifying, of: UInt32(program.place), from: start)
  }

  /// Goes over what is due: pending points that are active by now, and ends of periods. Returns the present period's figure.
  private func bookDue(_ number: Ref<MemberRecord>, _ program: ProgramRef, _ walk: inout TierWalk) -> Int64 {
    var more: [(start: Int32, figure: Int64)] = []
    func figure(_ start: Int32) -> Int64 {
      let kept = counter(number, qualifyingKey(program, start))
      return more.reduce(kept) { $1.start == start ? Ledger.sum($0, $1.figure) : $0 }
    }
    for (day, points) in dueToQualify(number, program, walk.set) {
      let period = walk.period(of: day)
      walk.goOn(to: Int64(period.start), figure: figure)
      more.append((period.start, points))
      walk.take(figure(period.start), of: period, at: now)
    }
    walk.goOn(to: CivilTime.day(of: now, offset: walk.offset), figure: figure)
    return figure(walk.period.start)
  }
  /// Pending points that are active by now, and not booked yet, by their days.
  private func dueToQualify(
    _ number: Ref<MemberRecord>, _ program: ProgramRef, _ set: TierSet
  ) -> [(day: Int64, points: Int64)] {
    guard set.by == .points else { return [] }
    let pooled = pooledDue(number, program)
    let own = ownDue(number, program)
    guard !pooled.isEmpty else { return own }
    return (own + pooled).sorted { $0.day < $1.day }
  }
  private func ownDue(_ number: Ref<MemberRecord>, _ program: ProgramRef) -> [(day: Int64, points: Int64)] {
    guard hasPending(program), mayActivate(number), let account = account(tables.members.read(number), program) else {
      return []
    }
    let offset = catalogue.programRows[program.place].offset
    var due: [(day: Int64, points: Int64)] = []
    var next = account.pointee.firstLot
    while next != .none {
      let lot = lot(tables.members.read(number), next).pointee
      next = lot.next
      guard lot.isPending, lot.due(offset: offset) <= now else { continue }
      due.append((Int64(lot.name.activeDay), lot.available.rawValue))
    }
    return qualifying(due, number, program)
  }
  /// Points that became active, by their days, without those that do not qualify.
  func qualifying(
    _ activated: [(day: Int64, points: Int64)], _ number: Ref<MemberRecord>, _ program: ProgramRef
  ) -> [(day: Int64, points: Int64)] {
    var days: [(day: Int64, points: Int64)] = []
    for one in activated.sorted(by: { $0.day < $1.day }) {
      if days.last?.day == one.day { days[days.count - 1].points += one.points } else { days.append(one) }
    }
    for place in days.indices {
      let key = CounterKey(.unqualified, of: UInt32(program.place), from: Int32(clamping: days[place].day))
      days[place].points = max(0, days[place].points - counter(number, key))
    }
    return days
  }
  /// Counters go no further.
  static func sum(_ one: Int64, _ other: Int64) -> Int64 { min(one &+ min(other, largestFigure &- one), largestFigure) }
  static var largestFigure: Int64 { 4_000_000_000_000_000_000 }

  /// Where a member would stand after an earning.
  struct Reached {
    var tier: Int
    var gift: Points = 0
    /// It is higher than before, and the event `tier-up` is due.
    var isRaised = false
  }
  /// Nil: nothing changes.
  func tierView(
    _ number: Ref<MemberRecord>, _ program: ProgramRef, after amount: Int64, on day: Int64
  ) -> Reached? {
    guard let ladder = catalogue.ladder(ofProgram: program, at: now), var walk = tierWalk(number, program) else {
      return nil
    }
    _ = bookDue(number, program, &walk)
    let before = ladder.place(heldBy: walk.standing.tier)
    let period = walk.period(of: day)
    let due = dueToQualify(number, program, walk.set).filter { walk.period(of: $0.day) == period }
    let kept = counter(number, qualifyingKey(program, period.start))
    walk.take(due.reduce(Ledger.sum(kept, amount)) { Ledger.sum($0, $1.points) }, of: period, at: now)
    let after = ladder.place(heldBy: walk.standing.tier)
    guard after != before else { return nil }
    let tier = ladder.rungs[after].number
    let done = Welcome(rawValue: counter(number, CounterKey(.welcomed, of: UInt32(tier), from: period.start)))
    guard after > before else { return Reached(tier: tier) }
    return Reached(
      tier: tier, gift: done.contains(.gift) ? 0 : ladder.rungs[after].gift, isRaised: !done.contains(.event))
  }

  // MARK: Facts

  /// The tier before the sale, and its factor (R21).
  func fillTier(_ ask: EarningRequest, _ needs: FactSet, into worked: inout EarningWork) {
    let program = ask.program.place
    guard needs.contains(FactSet(.tier)) || ask.isPurchase, let view = tierView(ask.member, ask.program) else { return }
    let name = catalogue.records.tierName(ask.tier ?? view.rung.number)
    if needs.contains(FactSet(.tier)) {
      name.withUnsafeBytes { worked.facts[.tier] = catalogue.ruleSets[program].word($0) }
    }
    guard ask.isPurchase, let factor = view.rung.factor else { return }
    (Array("tier:".utf8) + name).withUnsafeBytes {
      worked.facts.add(.tier, factor: factor, id: $0, number: UInt32(view.rung.number), version: 0)
    }
  }
}
