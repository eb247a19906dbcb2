import Base

/// `TRANSFER`, as the sender's shard sees it.
struct TransferCommand {
  typealias Bytes = UnsafeRawBufferPointer
  var from: Bytes
  var fromCard: Bytes
  var recipient: Bytes
  var recipientCard: Bytes
  var program: Bytes
  var request: Bytes
  var points: Int64
  /// What the request's fingerprint was while the recipient's card was another's: 8 bytes each.
  var otherFingerprints: Bytes

  init(_ reader: inout ByteReader) throws(MalformedBytes) {
    from = try reader.readCounted()
    fromCard = try reader.readCounted()
    recipient = try reader.readCounted()
    recipientCard = try reader.readCounted()
    program = try reader.readCounted()
    request = try reader.readCounted()
    points = try reader.readZigzag()
    otherFingerprints = try reader.readBytes(reader.remaining)
    guard otherFingerprints.count % 8 == 0, otherFingerprints.count <= 8 * (FormerHolders.most + 1) else {
      throw MalformedBytes("a transfer with bytes left over")
    }
    try Ledger.check(from, "from")
    if recipientCard.count > 0 { try Ledger.check(recipientCard, "to") }
    // Nobody holds the recipient's card: there is no member to name.
    if recipient.count > 0 || recipientCard.count == 0 { try Ledger.check(recipient, "to") }
    try Ledger.check(request, "id")
    guard points >= 1 && points <= Ledger.largestAmount else { throw MalformedBytes("points must be 1 to 10^15") }
  }
}

extension Ledger {
  static var transferKind: UInt8 { 1 }

  mutating func applyTransfer(
    _ header: CommandHeader, _ reader: inout ByteReader, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) -> Outcome {
    let c = try TransferCommand(&reader)
    let tenant = header.context.tenant
    let scope = hashes.member(c.from, tenant)
    guard Command.memberSlot(c.from, tenant: tenant) == header.slot else {
      throw MalformedBytes("the sender lies in another slot")
    }
    let key = RequestKey(scope, c.request, header)
    if let outcome = repeated(key, or: c.otherFingerprints, &reply) { return outcome }
    guard !c.from.elementsEqual(c.recipient) else { throw MalformedBytes("to is the sender") }
    guard let number = findMember(scope.finishedLow(), tenant, c.from) else {
      reply.error(.notFound, "no such member")
      return .replied
    }
    guard let program = program(c.program, -1, tenant, &reply) else { return .replied }
    let start = reply.buffer.count
    if c.fromCard.count > 0 {
      guard let state = cardState(number, c.fromCard), state != .removed else {
        reply.error(.notFound, "no such card")
        return .replied
      }
      if state == .lost { reply.error(.lost, "the card is reported lost") }
    }
    let state = members.read(Int(number)).pointee.state
    if reply.buffer.count == start, state != MemberState.active.rawValue {
      let isFrozen = state == MemberState.frozen.rawValue
      reply.error(isFrozen ? .frozen : .closed, isFrozen ? "the member is frozen" : "the member is closed")
    }
    if reply.buffer.count == start {
      let holder = holder(number, program, create: false)
      if let holder { touch(holder) }
      let available = holder?.account.pointee.available ?? 0
      if let holder, available >= c.points { return transfer(header, c, key, holder, &reply) }
      reply.error(.insufficient, "not enough points available")
      reply.field(.available, available)
      reply.field(.needed, c.points)
    }
    keepAnswer(key, c.request, c.from, header.context, slot: header.slot, reply, from: start)
    return .replied
  }

  /// The debit is possible. A recipient who is here is credited in the same step; any other gets a delivery, the points
  /// meanwhile being in transit.
  private mutating func transfer(
    _ header: CommandHeader, _ c: TransferCommand, _ key: RequestKey, _ sender: Holder, _ reply: inout ReplyWriter
  ) -> Outcome {
    let tenant = header.context.tenant
    let local = findMember(c.recipient, tenant: tenant)
    if local != nil || c.recipient.count == 0 {
      var verdict = Verdict(.notFound)
      if let local {
        // Counted before anything is moved: as many lots come as are taken from.
        verdict = canReceive(
          local, sender.program, c.points, lots: lotsTaken(sender, c.points), card: c.recipientCard)
      }
      if verdict != .done {
        let start = reply.buffer.count
        writeRecipientVerdict(verdict, &reply)
        keepAnswer(key, c.request, c.from, header.context, slot: header.slot, reply, from: start)
        return .replied
      }
    }
    let tx = nextTransaction(header.slot)
    let chain = take(sender, c.points, .consume, of: tx)
    var record = JournalRecord(.transferOut, tx: tx, stamp: now, tenant: tenant, member: c.from)
    record.program = Int32(sender.program)
    record.points = -c.points
    record.amount = c.points
    record.request = c.request
    record.other = c.recipient
    postInTransit(sender.program, c.points)
    let number = book(
      sender, &record, points: c.points, takes: chain, state: local == nil ? TransactionRecord.open : 0)
    if let local {
      postInTransit(sender.program, -c.points)
      postBetweenShards(sender.program, c.points)
      receive(local, sender.program, tx, from: c.from, TakeSource.chain(chain), c.points)
      var take = chain
      while take != 0 { take = dropTake(take, tx) }
      transactions.write(number).pointee.firstTake = 0
      remember(key, sender.account.pointee.lastRecord)
      record.render(catalogue, into: &reply)
      return .replied
    }
    var out = OutboxRecord(
      id: tx, stamp: now, to: Command.memberSlot(c.recipient, tenant: tenant).rawValue, kind: Ledger.transferKind,
      tenant: tenant)
    out.balance = record.balance
    setRequest(key, &out)
    var texts = ByteBuffer(capacity: 512)
    texts.append(counted: c.recipient)
    texts.append(counted: c.recipientCard)
    texts.append(counted: c.request)
    beginTransit(sender, points: c.points, lots: takeCount(chain))
    addOutbox(&out, texts.bytes)
    remember(key, pending: tx)
    return .pending(tx)
  }
  /// How many lots a debit would touch.
  private mutating func lotsTaken(_ holder: Holder, _ points: Int64) -> Int {
    var left = points
    var count = 0
    var number = holder.account.pointee.firstLot
    while number != 0 && left > 0 {
      let record = lot(holder, number)
      if record.pointee.available > 0 { count += 1 }
      left -= min(left, record.pointee.available)
      number = record.pointee.next
    }
    return count
  }

  // MARK: The recipient's side

  enum TakeSource {
    /// The takes of a transaction here.
    case chain(UInt32)
    /// The lots as a delivery lists them.
    case list(UnsafeRawBufferPointer)
  }

  /// Whether a member may receive points.
  mutating func canReceive(_ number: UInt32, _ program: Int, _ points: Int64, lots: Int, card: Bytes) -> Verdict {
    let member = members.read(Int(number))
    if card.count > 0 {
      guard let state = cardState(number, card), state != .removed else { return Verdict(.notFound) }
      if state == .lost { return Verdict(.lost) }
    }
    if member.pointee.state == MemberState.frozen.rawValue { return Verdict(.frozen) }
    if member.pointee.state == MemberState.closed.rawValue { return Verdict(.closed) }
    guard lotsReserved(member) + lots <= limits.lotsPerMember else { return Verdict(.limit, which: 2) }
    guard hasRoom(member, account(member, program), points) else { return Verdict(.limit, which: 1) }
    return .done
  }

  /// Credits a recipient who may receive: the lots keep their expiry and the date of their earning (R22).
  mutating func receive(
    _ number: UInt32, _ program: Int, _ source: TransactionID, from: Bytes, _ takes: TakeSource, _ points: Int64
  ) {
    guard let holder = holder(number, program, create: true) else { return }
    touch(holder)
    postBetweenShards(program, -points)
    let origin = Origin.transferred.rawValue
    switch takes {
    case .chain(let first):
      var next = first
      while next != 0 {
        let take = self.takes.read(Int(next - 1)).pointee
        credit(holder, take.expiresAt, take.earnedAt, origin, take.points)
        next = take.next
      }
    case .list(let bytes):
      var reader = ByteReader(bytes)
      while let take = try? TravellingLot(&reader) {
        credit(holder, take.expiresAt, take.earnedAt, origin, take.points)
      }
    }
    let member = UnsafePointer(holder.member)
    var record = JournalRecord(
      .transferIn, tx: nextTransaction(member.pointee.slot), stamp: now, tenant: member.pointee.tenant,
      member: memberID(member))
    record.program = Int32(program)
    record.points = points
    record.amount = points
    record.of = source
    record.other = from
    book(holder, &record, points: points, link: source)
    endDueLots(holder)
  }
  func writeRecipientVerdict(_ verdict: Verdict, _ reply: inout ReplyWriter) {
    switch ErrorCode(rawValue: verdict.code) {
    case .notFound: reply.error(.notFound, "no such recipient")
    case .frozen: reply.error(.frozen, "the recipient is frozen")
    case .closed: reply.error(.closed, "the recipient is closed")
    default: writeVerdict(verdict, &reply)
    }
  }
}

/// A lot on its way to another member.
struct TravellingLot {
  var expiresAt: Stamp
  var earnedAt: Stamp
  var points: Int64
  init(_ reader: inout ByteReader) throws(MalformedBytes) {
    expiresAt = Stamp(microseconds: try reader.read())
    earnedAt = Stamp(microseconds: try reader.read())
    points = try reader.readZigzag()
    guard points > 0 && points <= Ledger.largestAmount else { throw MalformedBytes("a lot of impossible size") }
    let latest = CivilTime.latest.microseconds * 2
    guard expiresAt == .never || (expiresAt.microseconds < latest && expiresAt.microseconds > -latest),
      earnedAt.microseconds <= latest && earnedAt.microseconds > -latest
    else { throw MalformedBytes("a lot of an impossible time") }
  }
}
