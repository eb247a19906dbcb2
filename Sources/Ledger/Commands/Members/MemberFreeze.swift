import Base
import Vocabulary

extension Ledger {
  /// `MEMBER FREEZE`: stops a member until THAW.
  mutating func freezeMember(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    let number = try changed(call)
    try checkOpen(number)
    setState(ofMember: number, .frozen)
    return done(call, &reply)
  }

  /// The member whose state is to change.
  func changed(_ call: Call) throws(Stop) -> Ref<MemberRecord> {
    try checkSlot(ofMember: call)
    guard let number = findMember(call.hashes.party, call.tenant, call.party) else {
      throw .refused(.notFound("member", call.party))
    }
    // A lost card may be used for it.
    guard call.card.isEmpty || cardState(number, call.card) ?? .removed != .removed else {
      throw .refused(.notFound("card", call.card))
    }
    guard !isMerging(number) else { throw .refused(.merging) }
    return number
  }
}
