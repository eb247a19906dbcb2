import Base

extension Ledger {
  /// `REDEEM` and `HOLD`: both take lots by R1.
  mutating func applyRedeem(
    _ header: CommandHeader, _ reader: inout ByteReader, _ hashes: PurchaseHashes?, isHold: Bool,
    _ reply: inout ReplyWriter
  ) throws(MalformedBytes) -> Outcome {
    let p = try purchase(header, &reader, hashes)
    let points = try reader.readZigzag()
    let ttl = isHold ? try reader.readZigzag() : 0
    try reader.finish()
    guard points >= 1 && points <= Ledger.largestAmount else { throw MalformedBytes("points must be 1 to 10^15") }
    guard !isHold || (ttl >= 1 && ttl <= Ledger.longestHoldSeconds) else {
      throw MalformedBytes("ttl must be 1 to \(Ledger.longestHoldSeconds) seconds")
    }
    let key = p.key
    if let outcome = repeated(key, &reply) { return outcome }
    guard let parties = parties(p, key, &reply) else { return .replied }
    let holder = holder(parties.number, parties.program, create: false)
    if let holder { touch(holder) }
    let available = holder?.account.pointee.available ?? 0
    guard let holder, available >= points else {
      let start = reply.buffer.count
      reply.error(.insufficient, "not enough points available")
      reply.field(.available, available)
      reply.field(.needed, points)
      keepAnswer(key, p.request, p.member, p.context, slot: p.slot, reply, from: start)
      return .replied
    }
    if isHold && holdCount(UnsafePointer(holder.member)) >= limits.holdsPerMember {
      refuseLimit(p, key, "holds", &reply)
      return .replied
    }
    let tx = nextTransaction(holder.member.pointee.slot)
    let chain = take(holder, points, isHold ? .hold : .consume, of: tx)
    var record = JournalRecord(
      isHold ? .hold : .redeem, tx: tx, stamp: now, tenant: p.context.tenant, member: p.member)
    record.program = Int32(parties.program)
    record.merchant = Int32(parties.merchant)
    record.request = p.request
    record.amount = points
    if isHold {
      let deadline = Stamp(microseconds: now.microseconds + ttl * CivilTime.microsecondsPerSecond)
      record.expires = deadline
      let hold = openHold(holder, tx, deadline)
      book(
        holder, &record, points: points, takes: chain, state: TransactionRecord.open, lotExpiry: deadline, hold: hold)
    } else {
      postRedemption(parties.merchant, parties.program, points)
      record.points = -points
      record.lots = encodedLots(chain)
      book(holder, &record, points: points, takes: chain)
    }
    remember(key, holder.account.pointee.lastRecord)
    record.render(catalogue, into: &reply)
    return .replied
  }

  /// Releases all that an open hold still holds, without being asked by its merchant.
  mutating func lapseHold(_ tx: TransactionID) {
    guard let number = findTransaction(tx) else { return fail(.records) }
    let transaction = transactions.read(number).pointee
    guard let holder = holder(transaction.member, Int(transaction.program), create: false) else {
      return fail(.records)
    }
    releasePoints(holder, number, transaction.points)
    setState(number, TransactionRecord.released)
    closeHold(transaction.hold)
    let member = holder.member
    var record = JournalRecord(
      .lapse, tx: nextTransaction(member.pointee.slot), stamp: now, tenant: member.pointee.tenant,
      member: memberID(UnsafePointer(member)))
    record.program = transaction.program
    record.merchant = transaction.merchant
    record.amount = transaction.points
    record.of = tx
    book(holder, &record, points: transaction.points)
  }
  /// Gives held points back to their lots, the last taken first. What was taken from lots that have ended meanwhile
  /// expires at once (R5); a debt is repaid from the rest first.
  private mutating func releasePoints(_ holder: Holder, _ number: UInt64, _ points: Int64) {
    let tx = transactions.read(number).pointee.id
    var left = points
    var take = transactions.read(number).pointee.firstTake
    while take != 0 && left > 0 {
      let record = takes.read(Int(take - 1)).pointee
      let part = min(left, record.points)
      let lotNumber = findLot(holder, record.expiresAt, record.origin)
      // A lot lives as long as something of it is held.
      guard lotNumber != 0 else { return fail(.records) }
      let lot = lot(holder, lotNumber)
      let repaid = record.expiresAt <= now ? 0 : min(part, holder.account.pointee.debt)
      adjustLot(holder, lot, available: part - repaid, held: -part, consumed: repaid)
      adjust(holder, available: part - repaid, held: -part, debt: -repaid)
      if record.expiresAt <= now { endLot(holder, lotNumber) }
      closeIfEmpty(holder, lotNumber)
      left -= part
      if part == record.points { take = dropTake(take, tx) } else { adjustTake(take, tx, points: -part) }
    }
    // A hold's points lie in its takes.
    if left != 0 { fail(.records) }
    transactions.write(number).pointee.firstTake = take
  }

  // MARK: Capture and release

  /// What CAPTURE, RELEASE and REFUND begin with: the transaction, still known, and whose it is.
  struct Subject {
    var number: UInt64
    var transaction: TransactionRecord
    var context: CommandContext
    var request: UnsafeRawBufferPointer
    var key: RequestKey
  }
  /// Finds the transaction that a command is about, by the facts that it carries where it has left memory; nil if the
  /// outcome is decided.
  mutating func subject(
    _ header: CommandHeader, _ rawTransaction: UInt64, _ request: Bytes, _ facts: Bytes, _ reply: inout ReplyWriter,
    _ outcome: inout Outcome
  ) throws(MalformedBytes) -> Subject? {
    guard rawTransaction >> 48 == UInt64(header.slot.rawValue) else {
      throw MalformedBytes("the transaction lies in another slot")
    }
    guard request.isIdentifier else { throw MalformedBytes("id must be 1 to 64 of A-Za-z0-9._-") }
    let tx = TransactionID(rawValue: rawTransaction)
    if let decided = recall(tx, header, request, facts, &reply) {
      outcome = decided
      return nil
    }
    guard let number = findTransaction(tx),
      members.read(Int(transactions.read(number).pointee.member)).pointee.tenant == header.context.tenant
    else {
      reply.error(.notFound, "no such transaction")
      outcome = .replied
      return nil
    }
    let transaction = transactions.read(number).pointee
    let member = members.read(Int(transaction.member))
    let key = RequestKey(
      hashes.member(memberID(member), member.pointee.tenant),
      merchant: transaction.merchant < 0 ? RequestKey.noMerchant : UInt32(transaction.merchant), request, header)
    if let decided = repeated(key, &reply) {
      outcome = decided
      return nil
    }
    return Subject(
      number: number, transaction: transaction, context: header.context, request: request, key: key)
  }
  mutating func refuse(
    _ s: Subject, _ code: ErrorCode, _ text: String, left: Int64? = nil, which: String? = nil,
    _ reply: inout ReplyWriter
  ) -> Outcome {
    let start = reply.buffer.count
    reply.error(code, text)
    if let left { reply.field(.left, left) }
    if let which { reply.field(.which, which) }
    let member = members.read(Int(s.transaction.member))
    keepAnswer(
      s.key, s.request, memberID(member), s.context, slot: member.pointee.slot, reply, from: start)
    return .replied
  }

  /// Finds the hold that a command resolves, with its member as of now; nil if the outcome is decided.
  private mutating func hold(
    _ header: CommandHeader, _ rawTransaction: UInt64, _ request: Bytes, _ facts: Bytes, _ reply: inout ReplyWriter,
    _ outcome: inout Outcome
  ) throws(MalformedBytes) -> (Subject, Holder)? {
    guard var s = try subject(header, rawTransaction, request, facts, &reply, &outcome) else { return nil }
    outcome = .replied
    guard s.transaction.kind == RecordKind.hold.rawValue else {
      reply.error(.notFound, "that transaction is not a hold")
      return nil
    }
    guard let holder = holder(s.transaction.member, Int(s.transaction.program), create: false) else { return nil }
    touch(holder)
    s.transaction = transactions.read(s.number).pointee
    return (s, holder)
  }

  mutating func applyCapture(
    _ header: CommandHeader, _ reader: inout ByteReader, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) -> Outcome {
    let rawTransaction: UInt64 = try reader.read()
    let request = try reader.readCounted()
    let amount = try reader.readAmount()
    let facts = try reader.readTrailingCounted()
    try reader.finish()
    switch amount {
    case .spend: throw MalformedBytes("spend is not for a capture")
    case .points(let points) where points < 1 || points > Ledger.largestAmount:
      throw MalformedBytes("points must be 1 to 10^15")
    default: break
    }
    var outcome = Outcome.replied
    guard let (s, holder) = try hold(header, rawTransaction, request, facts, &reply, &outcome) else { return outcome }
    let state = holder.member.pointee.state
    if state == MemberState.closed.rawValue { return refuse(s, .closed, "the member is closed", &reply) }
    if state == MemberState.frozen.rawValue { return refuse(s, .frozen, "the member is frozen", &reply) }
    let merchantState = catalogue.merchantRows[Int(s.transaction.merchant)].state
    if merchantState == .frozen { return refuse(s, .frozen, "the merchant is frozen", &reply) }
    if merchantState == .closed { return refuse(s, .closed, "the merchant is closed", &reply) }
    let left = s.transaction.state == TransactionRecord.open ? s.transaction.points : 0
    var points = left
    if case .points(let n) = amount { points = n }
    guard left > 0, points <= left else {
      return refuse(s, .reversed, "more than is left of the hold", left: left, &reply)
    }
    return capture(s, holder, points, &reply)
  }

  private mutating func capture(
    _ s: Subject, _ holder: Holder, _ points: Int64, _ reply: inout ReplyWriter
  ) -> Outcome {
    let hold = s.transaction
    if points < hold.points { releasePoints(holder, s.number, hold.points - points) }
    let tx = nextTransaction(holder.member.pointee.slot)
    // What is left of the takes is consumed, and passes from the hold to the capture, which a refund will name.
    var chain: UInt32 = 0
    var last: UInt32 = 0
    var old = transactions.read(s.number).pointee.firstTake
    while old != 0 {
      var take = takes.read(Int(old - 1)).pointee
      let lotNumber = findLot(holder, take.expiresAt, take.origin)
      guard lotNumber != 0 else {
        fail(.records)
        break
      }
      adjustLot(holder, lot(holder, lotNumber), held: -take.points, consumed: take.points)
      closeIfEmpty(holder, lotNumber)
      old = dropTake(old, hold.id)
      take.next = 0
      let new = addTake(take, tx)
      if last == 0 { chain = new } else { takes.write(Int(last - 1)).pointee.next = new }
      last = new
    }
    adjust(holder, held: -points)
    transactions.write(s.number).pointee.firstTake = 0
    setState(s.number, TransactionRecord.captured)
    setLink(s.number, tx)
    closeHold(hold.hold)
    postRedemption(Int(hold.merchant), Int(hold.program), points)
    let member = UnsafePointer(holder.member)
    var record = JournalRecord(.capture, tx: tx, stamp: now, tenant: s.context.tenant, member: memberID(member))
    record.program = hold.program
    record.merchant = hold.merchant
    record.points = -points
    record.amount = points
    record.of = hold.id
    record.original = hold.position
    record.request = s.request
    record.lots = encodedLots(chain)
    book(holder, &record, points: points, takes: chain, link: hold.id)
    setLatest(s.number, holder.account.pointee.lastRecord)
    remember(s.key, holder.account.pointee.lastRecord)
    record.render(catalogue, into: &reply)
    return .replied
  }

  mutating func applyRelease(
    _ header: CommandHeader, _ reader: inout ByteReader, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) -> Outcome {
    let rawTransaction: UInt64 = try reader.read()
    let request = try reader.readCounted()
    let facts = try reader.readTrailingCounted()
    try reader.finish()
    var outcome = Outcome.replied
    guard let (s, holder) = try hold(header, rawTransaction, request, facts, &reply, &outcome) else { return outcome }
    guard s.transaction.state == TransactionRecord.open else {
      return refuse(s, .reversed, "nothing is left of the hold", left: 0, &reply)
    }
    releasePoints(holder, s.number, s.transaction.points)
    setState(s.number, TransactionRecord.released)
    closeHold(s.transaction.hold)
    let member = UnsafePointer(holder.member)
    var record = JournalRecord(
      .release, tx: nextTransaction(member.pointee.slot), stamp: now, tenant: s.context.tenant,
      member: memberID(member))
    record.program = s.transaction.program
    record.merchant = s.transaction.merchant
    record.amount = s.transaction.points
    record.of = s.transaction.id
    record.request = s.request
    book(holder, &record, points: s.transaction.points, link: s.transaction.id)
    remember(s.key, holder.account.pointee.lastRecord)
    record.render(catalogue, into: &reply)
    return .replied
  }
}
