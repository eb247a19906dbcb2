import Base
import Vocabulary

extension Ledger {
  /// `CAPTURE`: spends what a hold has set aside, or a part of it; the rest is given back.
  mutating func capture(_ call: inout Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    let (s, holder) = try openHold(&call)
    guard s.transaction.state != TransactionRecord.carried else { return try act(.capture, on: s, call) }
    guard bond(.merged, of: s.transaction.member) == nil else {
      throw .refused(.reversed("nothing is left of the hold", left: Points.zero))
    }
    let record = try capture(s, holder, call.points, call)
    return answer(&call, record, holder, &reply)
  }
  /// - Parameter asked: nil: all of it.
  mutating func capture(
    _ s: Subject, _ holder: Holder, _ asked: Points?, _ call: Call
  ) throws(Stop) -> JournalRecord {
    try checkActive(s.transaction.member)
    try checkActive(merchant: s.transaction.merchant)
    try checkActive(program: s.transaction.program)
    let left = s.transaction.state == TransactionRecord.open ? s.transaction.points : 0
    let points = asked ?? left
    guard left > 0, points <= left else {
      throw .refused(.reversed("more than is left of the hold", left: left))
    }
    return spend(call, s, holder, points)
  }

  private mutating func spend(_ call: Call, _ s: Subject, _ holder: Holder, _ points: Points) -> JournalRecord {
    let hold = s.transaction
    noteActivity(holder)
    if points < hold.points { releasePoints(holder, s.number, hold.points - points) }
    let tx = nextTransaction(holder.member.pointee.slot)
    // What is left of the takes is consumed, and passes from the hold to the capture, which a refund will name.
    var chain = Ref<TakeRecord>.none
    var last = Ref<TakeRecord>.none
    var old = tables.transactions.read(s.number).pointee.firstTake
    while old != .none {
      var take = tables.takes.read(old).pointee
      let lotNumber = findLot(holder, take.lot)
      guard lotNumber != .none else {
        fail(.records)
        break
      }
      adjustLot(holder, lot(holder, lotNumber), held: -take.points, consumed: take.points)
      closeIfEmpty(holder, lotNumber)
      old = dropTake(old, hold.id)
      take.next = .none
      let new = addTake(take, tx)
      if last == .none { chain = new } else { tables.takes.write(last).pointee.next = new }
      last = new
    }
    adjust(holder, held: -points)
    tables.transactions.write(s.number).pointee.firstTake = .none
    setState(s.number, TransactionRecord.captured)
    setLink(s.number, tx)
    closeHold(hold.hold)
    post(points, hold.program, from: .members, to: .redeems(at: hold.merchant))
    let member = UnsafePointer(holder.member)
    var record = JournalRecord(.capture, tx: tx, stamp: now, tenant: call.tenant, member: memberID(member))
    record.program = hold.program
    record.merchant = hold.merchant
    record.points = -points
    record.amount = points
    record.of = hold.id
    record.original = hold.position
    record.request = call.request
    record.lots = encodedLots(chain)
    book(holder, &record, points: points, takes: chain, link: hold.id)
    setLatest(s.number, holder.account.pointee.lastRecord)
    return record
  }
}
