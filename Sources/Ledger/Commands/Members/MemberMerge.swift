import Base
import Vocabulary

extension Ledger {
  /// `MEMBER MERGE FROM INTO`: see `MergeStep`.
  mutating func mergeMember(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    try checkProgramme()
    let member = try changed(call)
    let into = call.recipient.member
    guard !into.elementsEqual(call.party) else { throw .malformed("FROM and INTO are the same member: name two") }
    try checkActive(member)
    try checkFree(member)
    guard into.count > 0 else {
      var refusal = Refusal(.notFound, "there is no member to merge into")
      refusal.subject = .recipient
      throw .refused(refusal)
    }
    touchAll(member)
    let room = neededRoom(member)
    let tx = nextTransaction(call.slot)
    var head = MergeHead(from: Array(call.party), into: Array(into), request: Array(call.request), merge: tx)
    (head.program, head.points) = answered(room, member, call.tenant)
    addBond(.merging, of: member, tx: tx)
    setState(ofMember: member, .merging)
    var buffer = ByteBuffer(capacity: 256)
    head.append(to: &buffer)
    room.append(to: &buffer)
    sendBondStep(
      MergeStep.Kind.offer.rawValue, from: call.slot, to: Command.memberSlot(into, tenant: call.tenant), call.tenant,
      buffer.array, call.hashes.key, id: tx)
    remember(call.hashes.key, pending: tx)
    return .pending(tx)
  }
  /// Nothing of a member is on its way, and nothing else is being done with it.
  private func checkFree(_ member: Ref<MemberRecord>) throws(Stop) {
    try checkNotReceiving(member)
    guard !cases(of: member).contains(where: { !content(ofCase: $0).state.isOver }) else {
      throw .refused(Refusal(.busy, "a case of the member is open: CASE APPROVE or CASE REJECT it first"))
    }
    guard bond(.pool, of: member) == nil, bond(.inPool, of: member) == nil else {
      throw .refused(.limit("pool", "a pool is not merged, nor a member who is in one: MEMBER SET pool=none first"))
    }
    guard !isBeingErased(member), bond(.joining, of: member) == nil else {
      throw .refused(Refusal(.busy, "the member is being erased, or waits for a pool"))
    }
    guard tables.members.read(member).pointee.firstTransit == .none else {
      throw .refused(Refusal(.busy, "points of the member are on their way to another"))
    }
  }
  /// Of which program the answer speaks: FROM's only one, else the tenant's default if FROM has points of that, else FROM's first; and
  /// what is FROM's balance.
  private func answered(
    _ room: MergeRoom, _ member: Ref<MemberRecord>, _ tenant: TenantID
  ) -> (ProgramRef, Points) {
    let standard = catalogue.defaultProgram(of: tenant)
    let known = room.accounts.first { $0.program == standard } ?? room.accounts.first
    guard let known else { return (standard ?? .none, 0) }
    return (known.program, account(tables.members.read(member), known.program)?.pointee.balance ?? 0)
  }
}
