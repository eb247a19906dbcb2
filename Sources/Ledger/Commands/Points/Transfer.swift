import Base
import Vocabulary

extension Ledger {
  /// `TRANSFER`, at the sender's shard.
  mutating func transfer(_ call: inout Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    guard Command.memberSlot(call.party, tenant: call.tenant) == call.slot else {
      throw .malformed("the sender lies in another slot")
    }
    guard !call.party.elementsEqual(call.recipient.member) else { throw .malformed("to is the sender") }
    guard let number = findMember(call.hashes.party, call.tenant, call.party) else {
      throw .refused(.notFound("member", call.party))
    }
    let program = try program(call.text(.program), .none, call.tenant)
    if call.card.count > 0 { try checkCard(call.card, of: number) }
    try checkActive(number)
    try checkActive(program: program)
    let points = call.points ?? 0
    let to = call.recipient
    return try transfer(&call, to, points, try affording(number, program, points), &reply)
  }

  /// The debit is possible. A recipient who is here is credited in the same step; any other gets a delivery, the points
  /// meanwhile being in transit.
  private mutating func transfer(
    _ call: inout Call, _ to: Command.Party, _ points: Points, _ sender: Holder, _ reply: inout ReplyWriter
  ) throws(Stop) -> Outcome {
    let tenant = call.tenant
    let local = findMember(to.member, tenant: tenant)
    if local != nil || to.member.count == 0 {
      var verdict = Verdict(.notFound)
      if let local {
        // Counted before anything is moved: as many lots come as are taken from.
        verdict = canReceive(
          local, sender.program, points, lots: lotsTaken(sender, points), card: to.card)
      }
      if let refusal = recipientRefusal(verdict) { throw .refused(refusal) }
    }
    let tx = nextTransaction(call.slot)
    let chain = take(sender, points, .consume, of: tx)
    var record = JournalRecord(.transferOut, tx: tx, stamp: now, tenant: tenant, member: call.party)
    record.program = sender.program
    record.points = -points
    record.amount = points
    record.request = call.request
    record.other = to.member
    post(points, sender.program, from: .members, to: .inTransit)
    let number = book(
      sender, &record, points: points, takes: chain, state: local == nil ? TransactionRecord.open : 0)
    if let local {
      post(points, sender.program, from: .inTransit, to: .betweenShards)
      receive(local, sender.program, tx, from: call.party, TakeSource.chain(chain), points)
      var take = chain
      while take != .none { take = dropTake(take, tx) }
      tables.transactions.write(number).pointee.firstTake = .none
      return answer(&call, record, sender, &reply)
    }
    var out = OutboxRecord(
      id: tx, stamp: now, to: Command.memberSlot(to.member, tenant: tenant).rawValue, kind: TransferStep.kind,
      tenant: tenant)
    out.balance = record.balance
    setRequest(call.hashes.key, &out)
    var texts = ByteBuffer(capacity: 512)
    texts.append(counted: to.member)
    texts.append(counted: to.card)
    texts.append(counted: call.request)
    beginTransit(sender, points: points, lots: takeCount(chain))
    addOutbox(&out, texts.bytes)
    remember(call.hashes.key, pending: tx)
    return .pending(tx)
  }
  /// How many lots a debit would touch.
  private mutating func lotsTaken(_ holder: Holder, _ points: Points) -> Int {
    var left = points
    var count = 0
    var number = holder.account.pointee.firstLot
    while number != .none && left > 0 {
      let record = lot(holder, number)
      if record.pointee.available > 0 { count += 1 }
      left -= min(left, record.pointee.available)
      number = record.pointee.next
    }
    return count
  }
}
