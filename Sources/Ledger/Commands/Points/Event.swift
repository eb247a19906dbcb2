import Base
import Rules
import Vocabulary

extension Ledger {
  /// `EVENT`: points for something else than a purchase, by the rules of that event.
  mutating func event(_ call: inout Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    try checkProgramme()
    let parties = try partiesOfEvent(&call)
    var work = EarningWork()
    swap(&work, &earning)
    do throws(Stop) {
      try workOut(eventRequest(call, parties), into: &work)
    } catch {
      swap(&work, &earning)
      throw error
    }
    let points = Points(work.points)
    swap(&work, &earning)
    let ask = Award(
      parties: parties, terms: terms(of: parties.number, parties.program), points: points, spend: .none, effective: nil,
      isByRules: true)
    return try award(&call, ask, &reply)
  }
  func eventRequest(_ call: Call, _ parties: Parties) -> EarningRequest {
    EarningRequest(
      call: call, member: parties.number, program: parties.program, merchant: parties.merchant,
      request: .event(value: call.number(.value)), effective: nil)
  }
  /// As of a purchase, but that a merchant need not be named.
  func partiesOfEvent(_ call: inout Call) throws(Stop) -> Parties {
    guard call.merchant.isEmpty else { return try parties(&call) }
    guard let number = findMember(call.party, tenant: call.tenant) else {
      throw .refused(.notFound("member", call.party))
    }
    guard tables.members.read(number).pointee.slot == call.slot else {
      throw .malformed("the member lies in another slot")
    }
    let program = try program(call.text(.program), .none, call.tenant)
    if call.card.count > 0 { try checkCard(call.card, of: number) }
    try checkActive(number)
    try checkActive(program: program)
    return Parties(number: number, merchant: .none, program: program)
  }
}
