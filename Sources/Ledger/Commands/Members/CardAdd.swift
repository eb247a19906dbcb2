import Base
import Vocabulary

extension Ledger {
  /// `CARD ADD` and `ALIAS ADD`: binds an alias to a member. `type=` is kept with a card.
  mutating func addCard(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    if call.verb == .aliasAdd || call.has(.type) { try checkProgramme() }
    var file = MemberFile()
    if call.has(.type) {
      guard AliasKey.isCard(call.card) else { throw .malformed("type= is of cards alone") }
      file[.cardType] = Array(call.text(.type))
      try checkCardType(file[.cardType], call.tenant)
    }
    let step = CardStep(kind: .cardAdd, number: call.card, member: call.party, file: file, request: call.request)
    return try claimCard(call, step, &reply)
  }

  /// `CARD ADD`, or `MEMBER ADD card=`: claims the number, then asks the member's shard.
  mutating func claimCard(_ call: Call, _ step: CardStep, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    guard let place = findCard(call.hashes.party, call.tenant, step.number) else {
      return try sendCardStep(call, step, addEntry(step.number, call.tenant), &reply)
    }
    let entry = tables.cardEntries.read(place).pointee
    guard entry.pending == .none else { throw .refused(Refusal(.busy, "the card is being changed")) }
    guard entry.state != CardState.replaced.rawValue else { throw .refused(.replaced) }
    if entry.state == CardState.active.rawValue || entry.state == CardState.lost.rawValue {
      guard tables.texts.equals(entry.member, step.member) else {
        throw .refused(Refusal(.exists, "the card belongs to another member"))
      }
      if step.kind == .cardAdd, step.file.isEmpty { return done(call, &reply) }
    } else if !mayPass(UnsafePointer(tables.cardEntries.read(place)), to: step.member) {
      throw .refused(.limit("holders", "the card had too many holders of late"))
    }
    return try sendCardStep(call, step, place, &reply)
  }
}
