import Base
import Vocabulary

extension Ledger {
  /// `CARD LOST|FOUND|REMOVE`: a card that is so already is OK.
  mutating func changeCard(
    _ call: Call, _ kind: CardStep.Kind, _ reply: inout ReplyWriter
  ) throws(Stop) -> Outcome {
    guard let place = findCard(call.hashes.party, call.tenant, call.card),
      tables.cardEntries.read(place).pointee.state != CardState.claimed.rawValue
    else { throw .refused(.notFound("card", call.card)) }
    let entry = tables.cardEntries.read(place).pointee
    guard entry.pending == .none else { throw .refused(Refusal(.busy, "the card is being changed")) }
    guard entry.state != CardState.replaced.rawValue else { throw .refused(.replaced) }
    let target: CardState = kind == .lost ? .lost : kind == .found ? .active : .removed
    let member = tables.texts.read(entry.member)
    if entry.state == target.rawValue { return done(call, subject: member, &reply) }
    guard entry.state != CardState.removed.rawValue else {
      let number = String(decoding: call.card, as: UTF8.self)
      throw .refused(Refusal(.notFound, "the card '\(number)' was removed"))
    }
    let step = CardStep(
      kind: kind, number: call.card, member: member, request: call.request)
    return try sendCardStep(call, step, place, &reply)
  }
}
