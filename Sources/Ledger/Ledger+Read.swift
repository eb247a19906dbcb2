import Base

extension Ledger {
  /// Answers a read from the state as of the last entry; what is due by its stamp counts as booked.
  public func read(_ query: UnsafeRawBufferPointer, into reply: inout ReplyWriter) -> ReadOutcome {
    do throws(MalformedBytes) {
      var reader = ByteReader(query)
      let header = try CommandHeader(framed: &reader)
      switch QueryKind(rawValue: header.rawKind) {
      case .balance: try readBalance(header, &reader, &reply)
      case .history: return try readHistory(header, &reader, &reply)
      case .transaction: return try readTransaction(header, &reader, &reply)
      case .memberShow: try readMember(header, &reader, &reply)
      case .card: try readCard(header, &reader, &reply)
      case .request: try readRequest(header, &reader, &reply)
      case .facts: return try readFacts(header, &reader, &reply)
      case nil: throw MalformedBytes("query kind \(header.rawKind) is not known")
      }
    } catch {
      reply.error(.malformed, error.description)
    }
    return .replied
  }

  private func readBalance(
    _ header: CommandHeader, _ reader: inout ByteReader, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) {
    let id = try reader.readCounted()
    let name = try reader.readCounted()
    try reader.finish()
    guard let number = findMember(id, tenant: header.context.tenant) else {
      reply.error(.notFound, "no such member")
      return
    }
    guard let program = program(name, -1, header.context.tenant, &reply) else { return }
    let position = position(members.read(Int(number)), program)
    guard !position.isBroken else {
      reply.error(.unavailable, "the account's figures do not fit 64 bits; nothing was done")
      return
    }
    reply.record()
    reply.field(.member, id)
    catalogue.withProgramName(program) { reply.field(.program, $0) }
    reply.field(.balance, position.balance)
    reply.field(.held, position.held)
    reply.field(.available, position.available)
    reply.field(.debt, position.debt)
    if position.expiring > 0 {
      reply.field(.expiring, position.expiring)
      reply.field(.expires, position.expires)
    }
  }

  private func readHistory(
    _ header: CommandHeader, _ reader: inout ByteReader, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) -> ReadOutcome {
    let id = try reader.readCounted()
    let name = try reader.readCounted()
    let limit = try reader.readZigzag()
    let rawBefore: UInt64 = try reader.read()
    try reader.finish()
    guard limit >= 1 && limit <= 1000 else { throw MalformedBytes("limit must be 1 to 1000") }
    guard rawBefore >> 48 < UInt64(Slot.count) else { throw MalformedBytes("before is not a transaction") }
    guard let number = findMember(id, tenant: header.context.tenant) else {
      reply.error(.notFound, "no such member")
      return .replied
    }
    var program = -1
    if !name.isEmpty {
      guard let found = self.program(name, -1, header.context.tenant, &reply) else { return .replied }
      program = found
    }
    let member = members.read(Int(number))
    let newest = program < 0 ? newestRecord(member) : account(member, program)?.pointee.lastRecord
    guard let start = historyStart(number, newest ?? .none, before: TransactionID(rawValue: rawBefore)) else {
      reply.error(.notFound, HistoryWalk.unknown)
      return .replied
    }
    let walk = HistoryWalk(
      tenant: header.context.tenant, member: Array(id), program: Int32(program), limit: Int(limit), start: start)
    return .journal(journalQuery(.history(walk)))
  }
  /// Where a history begins; nil if `before` cannot be a transaction of the member.
  private func historyStart(
    _ number: UInt32, _ newest: JournalPosition, before: TransactionID
  ) -> HistoryWalk.Start? {
    if before == .none { return .at(newest) }
    if let known = findTransaction(before) {
      let transaction = transactions.read(known).pointee
      return transaction.member == number ? .behind(transaction.position) : nil
    }
    // A member's transactions are numbered in its slot.
    guard before.slot == members.read(Int(number)).pointee.slot, isNumbered(before) else { return nil }
    switch past.find(before) {
    case .entry(let entry): return .behindRemembered(entry.position, before)
    case .unknown: return .behindForgotten(TransactionSearch(before, before: journal.end))
    case .never: return nil
    }
  }
  private func isNumbered(_ tx: TransactionID) -> Bool {
    tx.sequence > 0 && tx.sequence <= sequences.read(Int(tx.slot.rawValue)).pointee
  }

  private func readTransaction(
    _ header: CommandHeader, _ reader: inout ByteReader, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) -> ReadOutcome {
    let rawTransaction: UInt64 = try reader.read()
    try reader.finish()
    guard rawTransaction >> 48 < UInt64(Slot.count) else { throw MalformedBytes("not a transaction") }
    let tx = TransactionID(rawValue: rawTransaction)
    guard let number = findTransaction(tx) else {
      guard isNumbered(tx) else {
        reply.error(.notFound, "no such transaction")
        return .replied
      }
      switch past.find(tx) {
      case .entry(let entry):
        return .journal(
          journalQuery(.remembered(at: entry.position, tx: tx, tenant: header.context.tenant, state: entry.state)))
      case .unknown:
        // Older than any refund window: the journal knows it.
        return .journal(journalQuery(.past(TransactionSearch(tx, before: journal.end), tenant: header.context.tenant)))
      case .never:
        reply.error(.notFound, "no such transaction")
        return .replied
      }
    }
    guard members.read(Int(transactions.read(number).pointee.member)).pointee.tenant == header.context.tenant else {
      reply.error(.notFound, "no such transaction")
      return .replied
    }
    let record = transactions.read(number).pointee
    var left: Int64 = -1
    var state = ""
    switch RecordKind(rawValue: record.kind) {
    case .earn, .redeem, .capture: left = record.points &- record.reversedPoints
    case .hold:
      let isOpen = record.state == TransactionRecord.open && record.expiresAt > now
      state = isOpen ? "open" : record.state == TransactionRecord.captured ? "captured" : "released"
      left = isOpen ? record.points : 0
    case .transferOut:
      state =
        record.state == TransactionRecord.open
        ? "pending" : record.state == TransactionRecord.returned ? "returned" : "done"
    default: break
    }
    return .journal(journalQuery(.transaction(at: record.position, tx: tx, left: left, state: state)))
  }
  /// The query that renders the answer a repeated request got first.
  public func firstAnswer(at position: JournalPosition) -> JournalQuery {
    JournalQuery(.answer(at: position), catalogue: catalogue, end: journal.end)
  }

  private func readMember(
    _ header: CommandHeader, _ reader: inout ByteReader, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) {
    let id = try reader.readCounted()
    try reader.finish()
    guard let number = findMember(id, tenant: header.context.tenant) else {
      reply.error(.notFound, "no such member")
      return
    }
    let member = members.read(Int(number))
    let profile = profile(member)
    reply.record()
    reply.field(.member, id)
    reply.field(.state, (MemberState(rawValue: member.pointee.state) ?? .active).text.bytes)
    reply.field(.name, profile.name)
    reply.field(.region, profile.region)
    var list = ByteBuffer(capacity: 256)
    var own: [UInt32] = []
    var next = member.pointee.firstCard
    while next != 0 {
      own.append(next)
      next = cards.read(Int(next - 1)).pointee.next
    }
    for number in own.reversed() {
      let card = cards.read(Int(number - 1)).pointee
      guard card.state != CardState.removed.rawValue else { continue }
      if list.count > 0 { list.append(UInt8(ascii: ",")) }
      list.append(texts.read(card.number))
      if card.state == CardState.lost.rawValue { list.append(":lost") }
    }
    reply.field(.cards, list.bytes)
    reply.field(.since, member.pointee.since)
  }

  private func readCard(
    _ header: CommandHeader, _ reader: inout ByteReader, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) {
    let number = try reader.readCounted()
    try reader.finish()
    let tenant = header.context.tenant
    guard let place = findCard(hashes.card(number, tenant).finishedLow(), tenant, number),
      cardEntries.read(Int(place)).pointee.member != 0
    else {
      reply.error(.notFound, "no such card")
      return
    }
    let entry = cardEntries.read(Int(place)).pointee
    reply.record()
    reply.field(.card, number)
    reply.field(.member, texts.read(entry.member))
    reply.field(.state, (CardState(rawValue: entry.state) ?? .active).text.bytes)
    var former = ByteBuffer(capacity: 64)
    forEachFormerHolder(cardEntries.read(Int(place))) { _, member in
      if !former.isEmpty { former.append(UInt8(ascii: ",")) }
      former.append(member)
    }
    if !former.isEmpty { reply.field(.former, former.bytes) }
  }
}

extension StaticString {
  /// The bytes of the literal, which live for ever.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: utf8Start, count: utf8CodeUnitCount) }
}
