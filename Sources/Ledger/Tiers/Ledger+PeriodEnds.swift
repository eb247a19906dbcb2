import Base

// The ends of periods. Where a member stands is decided by the stamp of whoever looks; the sweep only books it of those that nobody has
// looked at, so many a tick, from where the last one stopped.
extension Ledger {
  /// When the next period of a member ends that is not booked yet.
  var nextTierDue: Stamp? {
    guard !tierDues.rows.isEmpty else { return nil }
    return tierDues.first { place in
      catalogue.programRows.indices.contains(Int(place)) ? catalogue.programRows[Int(place)].offset : 0
    }
  }
  /// Units of a tick's work that a member costs whose period has ended, and one whose counters are looked at: that is three reads which no
  /// cache has.
  private static var workAMember: Int { 64 }
  private static var workALook: Int { 16 }

  /// Goes on over the ends of periods that are due.
  mutating func sweepTiers(_ work: inout Int) {
    while work > 0, let first = nextTierDue, first <= now {
      guard tables.members.count > 0 else { return }
      if tierDues.cursor >= UInt64(tables.members.count) { tierDues.cursor = 0 }
      // The deadline is asked anew after some members alone: it is a walk over programs.
      for _ in 0..<64 where tierDues.cursor < UInt64(tables.members.count) && work > 0 {
        work -= settleTiers(ofMember: Ref(place: Int(tierDues.cursor)))
        tierDues.cursor += 1
      }
    }
  }
  /// Returns the work that it was.
  private mutating func settleTiers(ofMember number: Ref<MemberRecord>) -> Int {
    let member = tables.members.read(number)
    // Looked at before it is written: a sweep copies no page that it does not change.
    guard member.pointee.isUsed, member.pointee.hasFile else { return 1 }
    var due: [ProgramRef] = []
    forEachCounter(of: number) { key, value in
      let isPooled = key.kind == CounterKey.Kind.pooled.rawValue
      guard isPooled || key.kind == CounterKey.Kind.tier.rawValue, Int(key.subject) < catalogue.programCount else {
        return
      }
      let day = isPooled ? key.start : TierStanding(packed: value)?.end ?? 0
      let program = ProgramRef(place: Int(key.subject))
      let offset = catalogue.programRows[program.place].offset
      guard day > 0, CivilTime.midnight(ofDay: Int64(day), offset: offset) <= now, !due.contains(program) else {
        return
      }
      due.append(program)
    }
    for program in due {
      guard let holder = holder(number, program, create: true) else { continue }
      activateDueLots(holder)
      settleTiers(holder, leaving: 0)
    }
    return (core.semantics < Semantics.service ? 1 : Ledger.workALook) + Ledger.workAMember * due.count
  }
}
