import Base
import Vocabulary

/// A member who was referred has bought something for the first time: the event `referral` of who referred, in the program of the purchase.
/// Nobody waits for it; a referrer who is gone has nothing. Kept and delivered: the referrer and the program, counted.
enum ReferralStep: ShardStep {
  typealias Bytes = UnsafeRawBufferPointer
  static let kind: UInt8 = 30
  static var kinds: ClosedRange<UInt8> { kind...kind }

  static func receive(
    _ origin: StepOrigin, _ reader: inout ByteReader, in ledger: inout Ledger
  ) throws(MalformedBytes) -> Verdict {
    let referrer = try reader.readCounted()
    let name = try reader.readCounted()
    try reader.finish()
    guard let program = ledger.catalogue.program(name, tenant: origin.tenant),
      let member = ledger.findMember(referrer, tenant: origin.tenant),
      ledger.tables.members.read(member).pointee.state == MemberState.active.rawValue
    else { return Verdict(.notFound) }
    ledger.raise(Ledger.referral, of: member, in: program)
    return .done
  }
  static func complete(
    _ step: OutboxRecord, _ kept: Bytes, _ verdict: Verdict, in ledger: inout Ledger, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) {}
  static func awaited(_ step: OutboxRecord, _ kept: Bytes, in ledger: borrowing Ledger) -> TransactionID { .none }
}

extension Ledger {
  static var referral: StaticString { "referral" }

  /// Tells who referred a member of the member's first purchase, if the program has a rule for that. Call before the purchase is counted.
  mutating func refer(_ ask: EarningRequest) {
    // Of one into a pool it is told once the pool has booked it.
    guard core.semantics < Semantics.service || pool(of: ask.member) == nil else { return }
    var isFirst = true
    forEachCounter(of: ask.member) { key, _ in if key.kind == CounterKey.Kind.purchase.rawValue { isFirst = false } }
    if isFirst { refer(ask.member, ask.program, ask.tenant) }
  }
  /// It was the first.
  mutating func refer(_ number: Ref<MemberRecord>, _ program: ProgramRef, _ tenant: TenantID) {
    guard catalogue.ruleSets[program.place].hasRule(ofEvent: Ledger.referral.bytes, at: now) else { return }
    let member = tables.members.read(number)
    let referrer = file(ofMember: member)[.referrer]
    let id = Array(memberID(member))
    guard !referrer.isEmpty, referrer != id else { return }
    let to = referrer.withUnsafeBytes { Command.memberSlot($0, tenant: tenant) }
    var record = OutboxRecord(
      id: nextTransaction(member.pointee.slot), stamp: now, to: to.rawValue, kind: ReferralStep.kind,
      tenant: tenant)
    var text = ByteBuffer(capacity: 160)
    text.append(counted: referrer)
    catalogue.withProgramName(program) { text.append(counted: $0) }
    addOutbox(&record, text.bytes)
  }
}
