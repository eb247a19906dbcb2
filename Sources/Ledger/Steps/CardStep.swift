import Base
import Vocabulary

extension CardStep: ShardStep {
  static var kinds: ClosedRange<UInt8> { Kind.cardAdd.rawValue...Kind.remove.rawValue }

  static func receive(
    _ origin: StepOrigin, _ reader: inout ByteReader, in ledger: inout Ledger
  ) throws(MalformedBytes) -> Verdict {
    let step = try CardStep(kind(origin.kind), decoding: &reader)
    try reader.finish()
    if let number = ledger.findMember(step.member, tenant: origin.tenant) { return ledger.attach(number, step) }
    guard step.kind == .memberAdd else { return Verdict(.notFound) }
    guard let number = ledger.addMember(origin.tenant, step.member, step.file) else {
      return Verdict(.limit, which: 4)
    }
    return ledger.addCard(step.number, to: number)
  }
  static func complete(
    _ step: OutboxRecord, _ kept: Bytes, _ verdict: Verdict, in ledger: inout Ledger, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) {
    guard step.card != .none else { return ledger.fail(.records) }
    var reader = ByteReader(kept)
    let change = try CardStep(kind(step.kind), decoding: &reader)
    ledger.finishCard(step.card, change, verdict)
    let slot = Slot(hash: ledger.tables.cardEntries.read(step.card).pointee.hash)
    let isMissing = ErrorCode(rawValue: verdict.code) == .notFound
    let refusal: Refusal? = isMissing ? .notFound("member", change.member) : ledger.refusal(verdict)
    ledger.answer(
      step, refusal, request: change.request, member: change.member, slot: slot, &reply)
  }
  private static func kind(_ raw: UInt8) throws(MalformedBytes) -> Kind {
    guard let kind = Kind(rawValue: raw) else { throw MalformedBytes("a delivery of unknown kind") }
    return kind
  }
}
