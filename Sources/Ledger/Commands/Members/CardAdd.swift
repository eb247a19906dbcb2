import Base
import Vocabulary

extension Ledger {
  /// `CARD ADD`: binds a number to a member.
  mutating func addCard(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    let step = CardStep(
      kind: .cardAdd, number: call.card, member: call.party, request: call.request)
    return try claimCard(call, step, &reply)
  }

  /// `CARD ADD`, or `MEMBER ADD card=`: claims the number, then asks the member's shard.
  mutating func claimCard(_ call: Call, _ step: CardStep, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    guard let place = findCard(call.hashes.party, call.tenant, step.number) else {
      let hash = Slot.hash(.card, tenant: call.tenant, id: step.number)
      let place = tables.cardEntries.add(
        CardEntryRecord(
          hash: hash, number: tables.texts.append(step.number), member: 0, tenant: call.tenant,
          state: CardState.claimed.rawValue), call.hashes.party)
      census?.cards.note(place.place, Slot(hash: hash))
      return try sendCardStep(call, step, place, &reply)
    }
    let entry = tables.cardEntries.read(place).pointee
    guard entry.pending == .none else { throw .refused(Refusal(.busy, "the card is being changed")) }
    if entry.state == CardState.active.rawValue || entry.state == CardState.lost.rawValue {
      guard tables.texts.equals(entry.member, step.member) else {
        throw .refused(Refusal(.exists, "the card belongs to another member"))
      }
      if step.kind == .cardAdd { return done(call, &reply) }
    } else if !mayPass(UnsafePointer(tables.cardEntries.read(place)), to: step.member) {
      throw .refused(.limit("holders", "the card had too many holders of late"))
    }
    return try sendCardStep(call, step, place, &reply)
  }
}
