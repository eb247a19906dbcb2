import Base
import Vocabulary

extension Ledger {
  /// `TRANSFER`, at the sender's shard.
  mutating func transfer(_ call: inout Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    guard Command.memberSlot(call.party, tenant: call.tenant) == call.slot else {
      throw .malformed("the sender lies in another slot")
    }
    guard !call.party.elementsEqual(call.recipient.member) else {
      throw .malformed("TO is the sender: name another member")
    }
    guard let number = findMember(call.hashes.party, call.tenant, call.party) else {
      throw .refused(.notFound("member", call.party))
    }
    if core.semantics >= Semantics.checked { try checkActive(number, card: call.card) }
    let program = try program(call.text(.program), .none, call.tenant)
    try checkActive(number, card: call.card)
    try checkActive(program: program)
    guard pool(of: number) == nil else {
      throw .refused(.limit("pool", "the member's own points rest while it is in a pool; TRANSFER the pool's"))
    }
    let points = call.points ?? 0
    try checkTransfer(number, program, points)
    let to = call.recipient
    return try transfer(&call, to, points, try affording(number, program, points), &reply)
  }

  /// Refuses what the program does not let a member send, now or on one day (R22).
  private func checkTransfer(_ member: Ref<MemberRecord>, _ program: ProgramRef, _ points: Points) throws(Stop) {
    let row = catalogue.programRows[program.place]
    let mayTransfer = row.hasPolicies ? terms(of: member, program).mayTransfer : row.terms.mayTransfer
    guard mayTransfer else { throw .refused(.limit("transfer", "these points are not given to others")) }
    guard row.transferLimit > 0 else { return }
    let sent = Points(counter(member, sentToday(of: program, at: now)))
    guard sent <= row.transferLimit, points <= row.transferLimit - sent else {
      throw .refused(
        .limit("transfer", "at most \(row.transferLimit) points a day, of which \(sent) were sent today"))
    }
  }
  private func sentToday(of program: ProgramRef, at moment: Stamp) -> CounterKey {
    let day = CivilTime.day(of: moment, offset: catalogue.programRows[program.place].offset)
    return CounterKey(.sent, of: UInt32(program.place), from: Int32(clamping: day))
  }
  /// Counts what a member has sent, or has back, on the day on which it was sent.
  mutating func countSent(_ points: Points, _ member: Ref<MemberRecord>, _ program: ProgramRef, at moment: Stamp) {
    guard core.semantics >= Semantics.programme, catalogue.programRows[program.place].transferLimit > 0 else { return }
    let key = sentToday(of: program, at: moment)
    guard points > 0 || counter(member, key) >= -points.rawValue else { return }
    if points > 0 { dropCounters(.sent, of: member, before: key.start - 1) }
    count(points.rawValue, of: member, key)
  }

  /// The debit is possible. A recipient who is here is credited in the same step; any other gets a delivery, the points
  /// meanwhile being in transit.
  private mutating func transfer(
    _ call: inout Call, _ to: Command.Party, _ points: Points, _ sender: Holder, _ reply: inout ReplyWriter
  ) throws(Stop) -> Outcome {
    let local = findMember(to.member, tenant: call.tenant)
    if local != nil || to.member.count == 0 {
      var verdict = Verdict(.notFound)
      if let local {
        // Counted before anything is moved: as many lots come as are taken from.
        verdict = canReceive(
          local, sender.program, points, lots: lotsTaken(sender, points), card: to.card)
      }
      if let refusal = recipientRefusal(verdict) { throw .refused(refusal) }
    }
    let sent = send(points, sender, to, local: local, request: call.request)
    countSent(points, sender.number, sender.program, at: now)
    guard let out = sent.out else { return answer(&call, sent.record, sender, &reply) }
    var kept = out
    setRequest(call.hashes.key, &kept)
    addTransfer(&kept, to, request: call.request)
    remember(call.hashes.key, pending: kept.id)
    return .pending(kept.id)
  }
  /// What leaves a member whose membership ends, to another member. Where that one cannot have it, it lapses: at once, or as it comes
  /// back.
  mutating func giveRest(_ sender: Holder, to heir: [UInt8]) {
    heir.withUnsafeBytes { heir in
      let points = min(sender.account.pointee.available, Ledger.largestAmount)
      let local = findMember(heir, tenant: sender.member.pointee.tenant)
      guard points > 0 else { return }
      if let local {
        let lots = lotsTaken(sender, points)
        guard canReceive(local, sender.program, points, lots: lots, card: Command.none) == .done else { return }
      }
      let to = Command.Party(member: heir)
      let sent = send(points, sender, to, local: local, request: Command.none)
      if var out = sent.out { addTransfer(&out, to, request: Command.none) }
    }
  }
  /// Books a debit that is possible, and the credit of a recipient who is here. `out`: what is to be sent to any other.
  private mutating func send(
    _ points: Points, _ sender: Holder, _ to: Command.Party, local: Ref<MemberRecord>?, request: Bytes
  ) -> (record: JournalRecord, out: OutboxRecord?) {
    let tenant = sender.member.pointee.tenant
    let own = memberID(UnsafePointer(sender.member))
    let tx = nextTransaction(sender.member.pointee.slot)
    let chain = take(sender, points, .consume, of: tx)
    var record = JournalRecord(.transferOut, tx: tx, stamp: now, tenant: tenant, member: own)
    record.program = sender.program
    record.points = -points
    record.amount = points
    record.request = request
    record.other = to.member
    post(points, sender.program, from: .members, to: .inTransit)
    let number = book(
      sender, &record, points: points, takes: chain, state: local == nil ? TransactionRecord.open : 0)
    guard let local else {
      var out = OutboxRecord(
        id: tx, stamp: now, to: Command.memberSlot(to.member, tenant: tenant).rawValue, kind: TransferStep.kind,
        tenant: tenant)
      out.balance = record.balance
      beginTransit(sender, points: points, lots: takeCount(chain))
      return (record, out)
    }
    post(points, sender.program, from: .inTransit, to: .betweenShards)
    receive(local, sender.program, tx, from: own, TakeSource.chain(chain), points)
    var take = chain
    while take != .none { take = dropTake(take, tx) }
    tables.transactions.write(number).pointee.firstTake = .none
    return (record, nil)
  }
  private mutating func addTransfer(_ out: inout OutboxRecord, _ to: Command.Party, request: Bytes) {
    var texts = ByteBuffer(capacity: 512)
    texts.append(counted: to.member)
    texts.append(counted: to.card)
    texts.append(counted: request)
    addOutbox(&out, texts.bytes)
  }
  /// How many lots a debit would touch.
  private mutating func lotsTaken(_ holder: Holder, _ points: Points) -> Int {
    var left = points
    var count = 0
    var number = holder.account.pointee.firstLot
    while number != .none && left > 0 {
      let record = lot(holder, number)
      if record.pointee.available > 0, !record.pointee.isPending {
        count += 1
        left -= min(left, record.pointee.available)
      }
      number = record.pointee.next
    }
    return count
  }
}
