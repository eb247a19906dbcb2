import Base
import Vocabulary

extension Ledger {
  /// `POOL ADD`: makes a member that others earn into; the same again is OK.
  mutating func addPool(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    try checkProgramme()
    try checkSlot(ofMember: call)
    guard !call.party.elementsEqual(Ledger.noPool) else { throw .malformed("id: 'none' is no name of a pool") }
    let file = MemberFile(name: call.text(.title), region: Command.none)
    if let number = findMember(call.hashes.party, call.tenant, call.party) {
      guard bond(.pool, of: number) != nil, hasContent(number, file) else {
        throw .refused(Refusal(.exists, "a member of that id has other content"))
      }
    } else {
      guard let number = addMember(call.tenant, call.party, file, isPool: true) else {
        throw .refused(.limit("members"))
      }
      addBond(.pool, of: number)
    }
    return done(call, &reply)
  }
  /// What `pool=` says where a member is to be in none.
  static var noPool: Bytes { ("none" as StaticString).bytes }

  /// `MEMBER SET WHO pool=`: asks the pool first; all that is said is done once it has said yes. A member who is in another leaves that.
  mutating func setPool(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    let member = try changed(call)
    try checkOpen(member)
    try waitForPool(member)
    guard bond(.pool, of: member) == nil else { throw .refused(.limit("pool", "a pool is in no pool")) }
    let said = call.text(.pool)
    let present = bondText(.inPool, of: member)
    if said.elementsEqual(Ledger.noPool) {
      try changeFile(call) { $0.changed(by: MemberFile(call)) }
      leavePool(member)
      return done(call, &reply)
    }
    guard present.map({ !said.elementsEqual($0) }) ?? true else {
      try changeFile(call) { $0.changed(by: MemberFile(call)) }
      return done(call, &reply)
    }
    // What a file cannot have is refused now, not when the pool has answered.
    _ = try changedFile(member) { $0.changed(by: MemberFile(call)) }
    let tx = nextTransaction(call.slot)
    addBond(.joining, of: member, tx: tx)
    let content = PoolStep.Content(
      isEntering: true, pool: Array(said), member: Array(call.party), request: Array(call.request),
      file: MemberFile(call).values.bytes)
    sendBondStep(
      PoolStep.kind, from: call.slot, to: Command.memberSlot(said, tenant: call.tenant), call.tenant, content.bytes,
      call.hashes.key, id: tx)
    remember(call.hashes.key, pending: tx)
    return .pending(tx)
  }
  /// A member is in no pool any more; the pool hears of it.
  mutating func leavePool(_ member: Ref<MemberRecord>) {
    guard let pool = bondText(.inPool, of: member) else { return }
    dropBond(.inPool, of: member)
    let record = tables.members.read(member)
    let (slot, tenant) = (record.pointee.slot, record.pointee.tenant)
    let content = PoolStep.Content(
      isEntering: false, pool: pool, member: Array(memberID(record)), request: [], file: [])
    let to = pool.withUnsafeBytes { Command.memberSlot($0, tenant: tenant) }
    sendBondStep(PoolStep.kind, from: slot, to: to, tenant, content.bytes, RequestHashes.none.key)
  }
}
