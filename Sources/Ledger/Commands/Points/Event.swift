import Base
import Rules
import Vocabulary

extension Ledger {
  /// `EVENT`: points for something else than a purchase, by the rules of that event.
  mutating func event(_ call: inout Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    try checkProgramme()
    let parties = try partiesOfEvent(&call)
    try waitForPool(parties.number)
    var work = EarningWork()
    swap(&work, &earning)
    do throws(Stop) {
      try workOut(eventRequest(call, parties), into: &work)
      if !work.shortages.isEmpty { try settle(work.shortages, of: call) }
    } catch {
      swap(&work, &earning)
      throw error
    }
    let points = Points(work.points)
    swap(&work, &earning)
    let ask = Award(
      parties: parties, terms: terms(of: parties.number, parties.program), points: points, spend: .none, effective: nil,
      isByRules: true)
    return try award(ask, Source(call), &reply)
  }
  func eventRequest(_ call: Call, _ parties: Parties) -> EarningRequest {
    EarningRequest(
      call: call, member: parties.number, program: parties.program, merchant: parties.merchant,
      request: .event(value: call.number(.value)), effective: nil, event: Array(call.text(.event)), tenant: call.tenant)
  }

  /// Raises an event of a member that the product knows of by itself, in each program with a rule for it that is in force. What cannot be
  /// booked is left out: nobody waits for an answer.
  /// - Returns: there is such a program.
  @discardableResult mutating func raise(_ event: StaticString, of member: Ref<MemberRecord>) -> Bool {
    let tenant = tables.members.read(member).pointee.tenant
    // Hardly ever is there one, and members come by the million.
    guard core.semantics >= Semantics.programme, isAwaited(event, by: tenant) else { return false }
    var isAwaited = false
    for program in catalogue.programs(of: tenant) {
      if raise(event, of: member, in: program) { isAwaited = true }
    }
    return isAwaited
  }
  /// Whether a program of a tenant has a rule for an event that is in force. O(programs), without a copy.
  private func isAwaited(_ event: StaticString, by tenant: TenantID) -> Bool {
    for place in catalogue.programRows.indices
    where catalogue.programRows[place].tenant == tenant && catalogue.programRows[place].isActive {
      if catalogue.ruleSets[place].hasRule(ofEvent: event.bytes, at: now) { return true }
    }
    return false
  }
  /// In one program.
  /// - Parameter moment: when it was; nil: now.
  @discardableResult mutating func raise(
    _ event: StaticString, of member: Ref<MemberRecord>, in program: ProgramRef, at moment: Stamp? = nil
  ) -> Bool {
    guard catalogue.programRows[program.place].isActive,
      catalogue.ruleSets[program.place].hasRule(ofEvent: event.bytes, at: moment ?? now)
    else { return false }
    _ = try? award(raised: raised(Array(event.bytes), of: member, in: program, at: moment), after: [])
    return true
  }
  func raised(
    _ event: [UInt8], of member: Ref<MemberRecord>, in program: ProgramRef, at moment: Stamp?
  ) -> EarningRequest {
    let record = tables.members.read(member)
    return EarningRequest(
      call: Call(rules: rules), member: member, program: program, merchant: .none, request: .event(value: nil),
      effective: moment, event: event, channel: file(ofMember: record)[.channel], behind: openEarnings.promised,
      tenant: record.pointee.tenant)
  }
  /// - Parameter asks: of budgets, what the event has waited for.
  /// - Returns: false: it has to go on waiting for these.
  mutating func award(raised ask: EarningRequest, after asks: [QuotaAsk]) throws(Stop) -> Bool {
    var work = EarningWork()
    try workOut(ask, into: &work)
    let open = work.shortages.filter { isOpen($0, for: asks) }
    if !open.isEmpty, asks.count < Command.mostWaits { return waitForBudgets(open, ask, after: asks) }
    guard work.points > 0 else { return true }
    let parties = Parties(number: ask.member, merchant: .none, program: ask.program)
    let award = Award(
      parties: parties, terms: terms(of: ask.member, ask.program, at: ask.effective), points: Points(work.points),
      spend: .none, effective: ask.effective, isByRules: true)
    swap(&work, &earning)
    var reply = ReplyWriter(capacity: 0)
    reply.isDiscarded = true
    let id = Array(memberID(tables.members.read(ask.member)))
    try id.withUnsafeBytes { id in
      Result { () throws(Stop) in
        _ = try self.award(award, Source(tenant: ask.tenant, member: id, request: Command.none, key: nil), &reply)
      }
    }.get()
    return true
  }
  /// As of a purchase, but that a merchant need not be named.
  func partiesOfEvent(_ call: inout Call) throws(Stop) -> Parties {
    guard call.merchant.isEmpty else { return try parties(&call) }
    guard let number = findMember(call.party, tenant: call.tenant) else {
      throw .refused(.notFound("member", call.party))
    }
    guard tables.members.read(number).pointee.slot == call.slot else {
      throw .malformed("the member lies in another slot")
    }
    if core.semantics >= Semantics.checked { try checkActive(number, card: call.card) }
    let program = try program(call.text(.program), .none, call.tenant)
    try checkActive(number, card: call.card)
    try checkActive(program: program)
    return Parties(number: number, merchant: .none, program: program)
  }
}
