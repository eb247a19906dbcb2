import Base
import Vocabulary

/// The parties of a purchase, found and fit for it.
struct Parties {
  var number: Ref<MemberRecord>
  var merchant: MerchantRef
  var program: ProgramRef
}

extension Ledger {
  /// What EARN, REDEEM and HOLD begin with: finds the parties, refuses what their states forbid. Of two reasons the first of: card, member,
  /// merchant, program (A6).
  func parties(_ call: inout Call) throws(Stop) -> Parties {
    guard let number = findMember(call.hashes.party, call.tenant, call.party) else {
      throw .refused(.notFound("member", call.party))
    }
    guard tables.members.read(number).pointee.slot == call.slot else {
      throw .malformed("the member lies in another slot")
    }
    let isInOrder = core.semantics >= Semantics.checked
    let merchant = call.hashes.merchant
    if isInOrder {
      // Nothing is kept of a request whose scope is not known.
      if merchant.isNone { call.hashes.key.isNone = true }
      try checkActive(number, card: call.card)
    }
    guard !merchant.isNone else { throw .refused(.notFound("merchant", call.merchant)) }
    if isInOrder { try checkActive(merchant: merchant) }
    let program = try program(call.text(.program), catalogue.merchantRows[merchant.place].program, call.tenant)
    if !isInOrder {
      try checkActive(number, card: call.card)
      try checkActive(merchant: merchant)
    }
    try checkActive(program: program)
    if call.has(.terminal) || call.terminal.count > 0 { try checkTerminal(call) }
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

  /// What the program, and the policy for the member's class, say of the member's points. Without a moment: now.
  @inline(never) func terms(
    of member: Ref<MemberRecord>, _ program: ProgramRef, at moment: Stamp? = nil
  ) -> HolderTerms {
    let own = holderClass(tables.members.read(member))
    return own.withUnsafeBytes {
      catalogue.terms(ofProgram: program, holderClass: $0.isEmpty ? Ledger.consumer : $0, at: moment)
    }
  }
  /// The class of a member of which none was said.
  static var consumer: Bytes { ("consumer" as StaticString).bytes }

  /// Refuses a redemption or a hold that the program does not allow (F2, F13, F14).
  @inline(__always) func checkRedemption(_ parties: Parties, _ points: Points) throws(Stop) {
    let row = catalogue.programRows[parties.program.place]
    if row.hasPolicies || row.hasWindows || row.terms.boundsRedemption { try checkBounds(parties, points) }
  }
  @inline(never) private func checkBounds(_ parties: Parties, _ points: Points) throws(Stop) {
    let terms = terms(of: parties.number, parties.program)
    guard points >= terms.redeemMin else {
      throw .refused(.limit("redeem-min", "at least \(terms.redeemMin) points at once"))
    }
    guard terms.redeemMax == 0 || points <= terms.redeemMax else {
      throw .refused(.limit("redeem-max", "at most \(terms.redeemMax) points at once"))
    }
    guard terms.redeemStep == 0 || points.rawValue % terms.redeemStep.rawValue == 0 else {
      throw .refused(.limit("redeem-step", "points in multiples of \(terms.redeemStep)"))
    }
    let windows = catalogue.programDetails[parties.program.place].windows
    guard !windows.isEmpty else { return }
    let day = CivilTime.day(of: now, offset: catalogue.programRows[parties.program.place].offset)
    let (_, month, dayOfMonth) = CivilTime.date(day: day)
    guard windows.contains(where: { $0.contains(month: Int(month), day: Int(dayOfMonth)) }) else {
      throw .refused(.limit("redeem-window", "points are redeemed on some days of the year alone, and not today"))
    }
  }

  // MARK: States that must hold

  /// The member's card must be one, and not lost.
  func checkCard(_ card: Bytes, of member: Ref<MemberRecord>) throws(Stop) {
    guard let state = cardState(member, card), state != .removed else { throw .refused(missing(card, of: member)) }
    guard !state.isLost else { throw .refused(Refusal(.lost, "the card is reported lost")) }
  }
  /// The card that was looked up a moment ago may have gone with its member's merge: then its slot names the other by now.
  @inline(never) private func missing(_ card: Bytes, of member: Ref<MemberRecord>) -> Refusal {
    guard !isMerging(member) else { return .merging }
    let isMerged = bondText(.merged, of: member) != nil
    return isMerged ? Refusal(.busy, "the card is another member's by now; nothing was done") : .notFound("card", card)
  }
  /// The terminal that is named must be the merchant's and active, as the node says that took the request.
  @inline(never) func checkTerminal(_ call: Call) throws(Stop) {
    guard let word = try? TerminalWord(decoding: call.terminal) else {
      throw .refused(Refusal(.unavailable, "this node does not know the terminals yet; nothing was done"))
    }
    switch word.verdict {
    case .good: return
    case .unknown: throw .refused(.notFound("terminal", call.text(.terminal)))
    case .closed: throw .refused(Refusal(.closed, "the terminal is not the merchant's, or not active"))
    }
  }
  /// The card by which the member was named comes first.
  @inline(__always) func checkActive(_ member: Ref<MemberRecord>, card: Bytes) throws(Stop) {
    if card.count > 0 { try checkCard(card, of: member) }
    try checkActive(member)
  }
  @inline(__always) func checkActive(_ member: Ref<MemberRecord>) throws(Stop) {
    guard tables.members.read(member).pointee.state == MemberState.active.rawValue else {
      throw .refused(stateRefusal(member))
    }
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
  func checkOpen(_ member: Ref<MemberRecord>) throws(Stop) {
    let state = tables.members.read(member).pointee.state
    guard state != MemberState.closed.rawValue, state != MemberState.merging.rawValue else {
      throw .refused(stateRefusal(member))
    }
  }
  /// That a member is not active, and whom it was merged into.
  @inline(never) private func stateRefusal(_ member: Ref<MemberRecord>) -> Refusal {
    let state = tables.members.read(member).pointee.state
    guard state != MemberState.merging.rawValue else { return .merging }
    if let into = bondText(.merged, of: member) { return .merged(into: into) }
    return Refusal.state(state, "member")
  }

  /// Books what is due of one account and of its member's holds, before a command looks at it.
  mutating func touch(_ holder: Holder) {
    if holder.member.pointee.firstHold != .none { releaseHolds(holder.number, dueAt: now) }
    activateDueLots(holder)
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
