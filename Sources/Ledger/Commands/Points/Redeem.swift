import Base
import Vocabulary

extension Ledger {
  /// `REDEEM`: takes lots by R1.
  mutating func redeem(_ call: inout Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    let parties = try parties(&call)
    let points = call.points ?? 0
    try waitForPool(parties.number)
    if let pool = pool(of: parties.number) { return takeFromPool(.redeem, pool, call, parties) }
    try checkRedemption(parties, points)
    let holder = try affording(parties.number, parties.program, points)
    noteActivity(holder)
    let tx = nextTransaction(holder.member.pointee.slot)
    let chain = take(holder, points, .consume, of: tx)
    var record = purchase(.redeem, tx, &call, parties, points)
    post(points, parties.program, from: .members, to: .redeems(at: parties.merchant))
    record.points = -points
    record.lots = encodedLots(chain)
    book(holder, &record, points: points, takes: chain)
    return answer(&call, record, holder, &reply)
  }

  /// The account of a member who has so many points available now.
  mutating func affording(_ member: Ref<MemberRecord>, _ program: ProgramRef, _ points: Points) throws(Stop) -> Holder {
    let holder = holder(member, program, create: false)
    if let holder { touch(holder) }
    let available = holder?.account.pointee.available ?? 0
    guard let holder, available >= points else {
      throw .refused(.insufficient(available: available, needed: points))
    }
    return holder
  }
  /// The record of what a member takes at a merchant.
  func purchase(
    _ kind: RecordKind, _ tx: TransactionID, _ call: inout Call, _ parties: Parties, _ points: Points
  ) -> JournalRecord {
    var record = JournalRecord(kind, tx: tx, stamp: now, tenant: call.tenant, member: call.party)
    record.program = parties.program
    record.merchant = parties.merchant
    record.request = call.request
    record.amount = points
    return record
  }
}
