import Base
import Vocabulary

extension Ledger {
  /// `CARD REPLACE`: see `ReplaceStep`.
  mutating func replaceCard(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    try checkProgramme()
    let new = call.text(at: 1)
    guard let place = findCard(call.hashes.party, call.tenant, call.card) else {
      throw .refused(.notFound("card", call.card))
    }
    let entry = tables.cardEntries.read(place).pointee
    guard entry.pending == .none else { throw .refused(Refusal(.busy, "the card is being changed")) }
    switch CardState(rawValue: entry.state) {
    case .active, .lost: break
    case .replaced: throw .refused(.replaced)
    case .removed, .claimed, nil: throw .refused(.notFound("card", call.card))
    }
    guard !new.elementsEqual(call.card) else { throw .refused(Refusal(.exists, "a card is not replaced by itself")) }
    let step = ReplaceStep.Content(
      old: Array(call.card), new: Array(new), member: Array(tables.texts.read(entry.member)),
      request: Array(call.request))
    let tx = nextTransaction(call.slot)
    var record = OutboxRecord(
      id: tx, stamp: now, to: Command.cardSlot(new, tenant: call.tenant).rawValue,
      kind: ReplaceStep.Kind.claim.rawValue,
      tenant: call.tenant)
    record.card = place
    setRequest(call.hashes.key, &record)
    step.bytes.withUnsafeBytes { addOutbox(&record, $0) }
    setPending(place, tx)
    remember(call.hashes.key, pending: tx)
    return .pending(tx)
  }
}
