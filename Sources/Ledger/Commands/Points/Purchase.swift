import Base
import Vocabulary

/// The parties of a purchase, found and fit for it.
struct Parties {
  var number: Ref<MemberRecord>
  var merchant: MerchantRef
  var program: ProgramRef
}

extension Ledger {
  /// What EARN, REDEEM and HOLD begin with: finds the parties, refuses what their states forbid.
  mutating func parties(_ call: inout Call) throws(Stop) -> Parties {
    guard let number = findMember(call.hashes.party, call.tenant, call.party) else {
      throw .refused(.notFound("member", call.party))
    }
    guard tables.members.read(number).pointee.slot == call.slot else {
      throw .malformed("the member lies in another slot")
    }
    guard !call.hashes.merchant.isNone else { throw .refused(.notFound("merchant", call.merchant)) }
    let merchant = call.hashes.merchant
    let program = try program(call.text(.program), catalogue.merchantRows[merchant.place].program, call.tenant)
    if call.card.count > 0 { try checkCard(call.card, of: number) }
    try checkActive(number)
    try checkActive(merchant: merchant)
    try checkActive(program: program)
    return Parties(number: number, merchant: merchant, program: program)
  }

  /// The program that a request means: the one named, else the merchant's, else the tenant's default.
  func program(_ name: Bytes, _ own: ProgramRef, _ tenant: TenantID) throws(Stop) -> ProgramRef {
    if name.isEmpty {
      if !own.isNone { return own }
      if let standard = catalogue.defaultProgram(of: tenant) { return standard }
      throw .refused(Refusal(.notFound, "there is no program yet"))
    }
    guard let program = catalogue.program(name, tenant: tenant) else { throw .refused(.notFound("program", name)) }
    return program
  }

  // MARK: States that must hold

  /// The member's card must be one, and not lost.
  func checkCard(_ card: Bytes, of member: Ref<MemberRecord>) throws(Stop) {
    guard let state = cardState(member, card), state != .removed else { throw .refused(.notFound("card", card)) }
    guard state != .lost else { throw .refused(Refusal(.lost, "the card is reported lost")) }
  }
  @inline(__always) func checkActive(_ member: Ref<MemberRecord>) throws(Stop) {
    let state = tables.members.read(member).pointee.state
    guard state == MemberState.active.rawValue else { throw .refused(Refusal.state(state, "member")) }
  }
  @inline(__always) func checkActive(merchant: MerchantRef) throws(Stop) {
    let state = catalogue.merchantRows[merchant.place].state
    guard state == .active else {
      throw .refused(Refusal.state(state == .frozen ? MemberState.frozen.rawValue : 0, "merchant"))
    }
  }
  /// A program that is stopped, or not yet in force, earns and spends nothing.
  @inline(__always) func checkActive(program: ProgramRef) throws(Stop) {
    guard catalogue.programRows[program.place].isActive else {
      throw .refused(Refusal(.closed, "the program is stopped"))
    }
  }
  func checkOpen(_ state: UInt8) throws(Stop) {
    guard state != MemberState.closed.rawValue else { throw .refused(Refusal.state(state, "member")) }
  }

  /// Books what is due of one account and of its member's holds, before a command looks at it.
  mutating func touch(_ holder: Holder) {
    if holder.member.pointee.firstHold != .none { releaseHolds(holder.number, dueAt: now) }
    endDueLots(holder)
  }
}

extension Refusal {
  /// That somebody is not active.
  @inline(never) static func state(_ state: UInt8, _ who: StaticString) -> Refusal {
    let isFrozen = state == MemberState.frozen.rawValue
    return Refusal(isFrozen ? .frozen : .closed, "the \(who) is \(isFrozen ? "frozen" : "closed")")
  }
}
