import Base
import Rules
import Vocabulary

// What is counted of members in programs that have rules: what was credited in windows of caps, by effective time (R17), and purchases and
// days in a row, by booking order. Windows that no late purchase can reach are forgotten.
extension Ledger {
  private func day(_ ask: EarningRequest) -> Int64 {
    CivilTime.day(of: ask.effective ?? now, offset: catalogue.programRows[ask.program.place].offset)
  }
  private func visitsKey(_ ask: EarningRequest) -> CounterKey {
    CounterKey(.visits, of: UInt32(ask.program.place), from: CapWindow(.year, holding: day(ask)).start)
  }
  private func purchaseKey(_ ask: EarningRequest) -> CounterKey {
    CounterKey(.purchase, of: UInt32(ask.program.place), from: 0)
  }
  /// Of an event by a stable hash of its name; of purchases by that of none.
  private func streakKey(_ ask: EarningRequest) -> CounterKey {
    let hash = ask.event.withUnsafeBytes { xxh64($0, seed: UInt64(ask.program.place)) }
    return CounterKey(.streak, of: UInt32(truncatingIfNeeded: hash), from: 0)
  }
  /// The days in a row, this one too, and the day of the latest: kept as day and 1 << 20 | days.
  private func streak(_ ask: EarningRequest) -> (days: Int64, kept: Int64) {
    let kept = counter(ask.member, streakKey(ask))
    let (last, days, today) = (kept >> 20 - 1, kept & 0xF_FFFF, day(ask))
    if kept == 0 || today > last + 1 { return (1, (today + 1) << 20 | 1) }
    if today == last { return (days, kept) }
    // One that is booked late adds nothing.
    guard today == last + 1 else { return (1, kept) }
    let more = min(days + 1, 0xF_FFFF)
    return (more, (today + 1) << 20 | more)
  }

  func fillCounts(_ ask: EarningRequest, _ needs: FactSet, into worked: inout EarningWork) {
    let last = counter(ask.member, purchaseKey(ask))
    if needs.contains(FactSet(.first)), ask.isPurchase { worked.facts[.first] = last == 0 ? 1 : 0 }
    if needs.contains(FactSet(.visits)) {
      worked.facts[.visits] = counter(ask.member, visitsKey(ask)) + (ask.isPurchase ? 1 : 0)
    }
    if needs.contains(FactSet(.since)), last > 0 { worked.facts[.since] = max(0, day(ask) - (last - 1)) }
    if needs.contains(FactSet(.streak)) { worked.facts[.streak] = streak(ask).days }
  }
  func fillBooks(_ ask: EarningRequest, into worked: inout EarningWork) {
    forEachCounter(of: ask.member) { key, value in
      guard let window = key.window else { return }
      if key.kind == CounterKey.Kind.ruled.rawValue {
        worked.books.used.append(.init(rule: key.subject >> 3, window: window, points: value))
      } else if key.subject >> 3 == UInt32(ask.program.place) {
        worked.books.used.append(.init(rule: nil, window: window, points: value))
      }
    }
    guard core.semantics >= Semantics.settled else { return }
    for earning in ask.behind {
      for one in earning.windows where one.rule != nil || earning.program == ask.program {
        worked.books.count(earning.points, ofRule: one.rule, in: one.window)
      }
    }
  }

  /// Counts what was booked.
  mutating func countEarning(_ ask: EarningRequest, _ worked: EarningWork) {
    forgetWindows(of: ask.member, ask.program)
    let reach = reach(ask.program)
    for one in worked.detail.windows {
      if let end = one.window.end, end <= reach { continue }
      count(worked.points, of: ask.member, CounterKey(one.window, ofRule: one.rule, program: ask.program))
    }
    if !ask.isPurchase || catalogue.ruleSets[ask.program.place].uses.contains(FactSet(.streak)) {
      let key = streakKey(ask)
      count(streak(ask).kept - counter(ask.member, key), of: ask.member, key)
    }
    guard ask.isPurchase else { return }
    count(1, of: ask.member, visitsKey(ask))
    let key = purchaseKey(ask)
    if counter(ask.member, key) == 0 { refer(ask) }
    count(day(ask) + 1 - counter(ask.member, key), of: ask.member, key)
  }
  /// A return gives its points back to the windows that the purchase counted in, and to no other (R18).
  mutating func uncount(_ points: Points, _ detail: EarningDetail, of member: Ref<MemberRecord>, _ program: ProgramRef)
  {
    for window in detail.windows {
      let key = CounterKey(window.window, ofRule: window.rule, program: program)
      // One that is no longer kept has nothing to give back to.
      count(0 - min(points.rawValue, counter(member, key)), of: member, key)
    }
  }

  /// The earliest day that a late purchase can be of.
  private func reach(_ program: ProgramRef) -> Int64 {
    let row = catalogue.programRows[program.place]
    return CivilTime.day(of: Stamp(microseconds: max(0, now.microseconds - row.backdate)), offset: row.offset)
  }
  private mutating func forgetWindows(of member: Ref<MemberRecord>, _ program: ProgramRef) {
    let reach = reach(program)
    var old: [(CounterKey, Int64)] = []
    forEachCounter(of: member) { key, value in
      if let end = key.window?.end {
        let isOther = self.program(ofWindow: key) != program.place
        if end <= reach - (isOther ? EntryKind.longestBackdate : 0) { old.append((key, value)) }
      } else if key.kind == CounterKey.Kind.visits.rawValue, key.subject == UInt32(program.place),
        CapWindow(kind: .year, start: key.start).end ?? 0 <= reach
      {
        old.append((key, value))
      }
    }
    for (key, value) in old { count(0 - value, of: member, key) }
  }
  /// Whose cap a window is of.
  private func program(ofWindow key: CounterKey) -> Int? {
    let number = Int(key.subject >> 3)
    guard key.kind == CounterKey.Kind.ruled.rawValue else { return number }
    return catalogue.value(.rule, number, RuleField.program)?.withUnsafeBytes { Entries.references($0).first } ?? nil
  }
  func forEachCounter(of member: Ref<MemberRecord>, _ body: (CounterKey, Int64) -> Void) {
    let file = tables.members.read(member).pointee.file
    guard file != .none else { return }
    var next = tables.files.read(file).pointee.firstCounter
    while next != .none {
      let counter = tables.details.counters.read(next).pointee
      body(counter.key, counter.value)
      next = counter.next
    }
  }
}
