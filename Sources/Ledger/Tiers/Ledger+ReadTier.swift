import Base
import Vocabulary

extension Ledger {
  /// `MEMBER TIER`.
  func readTier(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) {
    let number = try member(call)
    let program = try program(call.text(.program), .none, call.tenant)
    guard let view = tierView(number, program) else {
      throw .refused(Refusal(.notFound, "the program has no tiers: set some up with TIER SET"))
    }
    reply.record()
    reply.field(.member, call.party)
    catalogue.withProgramName(program) { reply.field(.program, $0) }
    reply.field(named: "tier", catalogue.records.tierName(view.rung.number))
    reply.field(.since, view.since)
    if let until = view.until { reply.field(named: "until", until) }
    reply.field(named: "qualifying", view.qualifying)
    guard let next = view.ladder.next(above: view.place) else { return }
    reply.field(named: "next", catalogue.records.tierName(next.number))
    reply.field(named: "needed", max(0, next.at - view.qualifying))
  }
  /// The tier that a member is shown with: that in the program that is meant where none is named, or, if that has no tiers, in the first that
  /// has some. Nil: no program has.
  func mainTier(_ number: Ref<MemberRecord>) -> [UInt8]? {
    let tenant = tables.members.read(number).pointee.tenant
    if let standard = catalogue.defaultProgram(of: tenant), let view = tierView(number, standard) {
      return catalogue.records.tierName(view.rung.number)
    }
    for program in tieredPrograms(of: tenant) {
      if let view = tierView(number, program) { return catalogue.records.tierName(view.rung.number) }
    }
    return nil
  }
  /// Whether a member is in a tier of that name in some program; an empty one is any.
  func isOf(_ tier: [UInt8], _ number: Ref<MemberRecord>) -> Bool {
    guard !tier.isEmpty else { return true }
    for program in tieredPrograms(of: tables.members.read(number).pointee.tenant) {
      if let view = tierView(number, program), catalogue.records.tierName(view.rung.number) == tier { return true }
    }
    return false
  }
  private func tieredPrograms(of tenant: TenantID) -> [ProgramRef] {
    guard catalogue.programRows.contains(where: { $0.hasTiers && $0.tenant == tenant }) else { return [] }
    return catalogue.programs(of: tenant).filter { catalogue.programRows[$0.place].hasTiers }
  }

  /// The tier that an earning would lead to, and its gift.
  func tierView(
    _ parties: Parties, _ work: EarningWork, _ lot: LotName, _ effective: Stamp?, isPending: Bool
  ) -> Reached? {
    guard let set = catalogue.tierSets[parties.program.place] else { return nil }
    let offset = catalogue.programRows[parties.program.place].offset
    var day = CivilTime.day(of: effective ?? now, offset: offset)
    if set.by == .points, lot.activeDay > 0 { day = Int64(lot.activeDay) }
    let amount = Ledger.qualifyingAmount(set, work.detail, Points(work.points), work.spend)
    guard amount > 0, set.by != .points || !isPending else { return nil }
    return tierView(parties.number, parties.program, after: amount, on: day)
  }
}
