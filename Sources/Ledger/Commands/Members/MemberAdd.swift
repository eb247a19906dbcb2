import Base
import Vocabulary

extension Ledger {
  /// `MEMBER ADD`: makes a member; the same again is OK. With a card it is decided at the card's slot, which claims the
  /// number first.
  mutating func addMember(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    let file = MemberFile().changed(by: MemberFile(call))
    if !file.isPlain { try checkProgramme() }
    guard call.scope == .member else {
      try checkCardType(file[.cardType], call.tenant)
      let step = CardStep(
        kind: .memberAdd, number: call.card, member: call.party, file: file, request: call.request)
      return try claimCard(call, step, &reply)
    }
    try checkSlot(ofMember: call)
    if let number = findMember(call.hashes.party, call.tenant, call.party) {
      guard hasContent(number, file), bond(.pool, of: number) == nil else {
        throw .refused(Refusal(.exists, "a member of that id has other content"))
      }
    } else {
      try checkCardType(file[.cardType], call.tenant)
      guard addMember(call.tenant, call.party, file) != nil else {
        throw .refused(.limit("members"))
      }
    }
    return done(call, &reply)
  }
  /// Files of members: until every node knows them, there are none.
  func checkProgramme() throws(Stop) {
    guard core.semantics >= Semantics.programme else {
      throw .malformed(
        "not every node knows this yet: start this build on all of them, then tally cluster upgrade finish")
    }
  }
  /// Refuses a card type that nobody has set up, and one that is stopped: that is left to those that have it.
  func checkCardType(_ name: [UInt8], _ tenant: TenantID) throws(Stop) {
    guard core.semantics >= Semantics.checked, !name.isEmpty else { return }
    guard let number = name.withUnsafeBytes({ catalogue.find(.cardType, $0, tenant) }) else {
      throw .refused(name.withUnsafeBytes { .notFound("cardtype", $0) })
    }
    guard core.semantics >= Semantics.settled, catalogue.isStopped(.cardType, number) else { return }
    throw .refused(Refusal(.closed, "the cardtype is stopped"))
  }
  func checkSlot(ofMember call: Call) throws(Stop) {
    guard Command.memberSlot(call.party, tenant: call.tenant) == call.slot else {
      throw .malformed("the member lies in another slot")
    }
  }
}
