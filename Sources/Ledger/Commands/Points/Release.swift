import Base
import Vocabulary

extension Ledger {
  /// `RELEASE`: gives back what a hold has set aside.
  mutating func release(_ call: inout Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    let (s, holder) = try openHold(&call)
    guard s.transaction.state != TransactionRecord.carried else { return try act(.release, on: s, call) }
    let record = try release(s, holder, call)
    return answer(&call, record, holder, &reply)
  }
  mutating func release(_ s: Subject, _ holder: Holder, _ call: Call) throws(Stop) -> JournalRecord {
    guard s.transaction.state == TransactionRecord.open else {
      throw .refused(.reversed("nothing is left of the hold", left: Points.zero))
    }
    releasePoints(holder, s.number, s.transaction.points)
    setState(s.number, TransactionRecord.released)
    closeHold(s.transaction.hold)
    let member = UnsafePointer(holder.member)
    var record = JournalRecord(
      .release, tx: nextTransaction(member.pointee.slot), stamp: now, tenant: call.tenant,
      member: memberID(member))
    record.program = s.transaction.program
    record.merchant = s.transaction.merchant
    record.amount = s.transaction.points
    record.of = s.transaction.id
    record.request = call.request
    book(holder, &record, points: s.transaction.points, link: s.transaction.id)
    return record
  }
}
