import Base
import Vocabulary

extension Ledger {
  /// Answers a read from the state as of the last entry; what is due by its stamp counts as booked.
  public func read(_ query: UnsafeRawBufferPointer, into reply: inout ReplyWriter) -> ReadOutcome {
    do throws(MalformedBytes) {
      let call = try Call(query)
      guard owns(call) else {
        reply.moved(Moved(to: successor(of: call.slot)))
        return .moved(call.slot)
      }
      do throws(Stop) {
        return try answer(call, into: &reply)
      } catch {
        switch error {
        case .refused(var refusal):
          refusal.explain()
          refusal.write(into: &reply)
        case .malformed(let text): reply.error(.malformed, text)
        case .decided: break
        }
      }
    } catch {
      reply.error(.malformed, error.description)
    }
    return .replied
  }
  private func answer(_ call: Call, into reply: inout ReplyWriter) throws(Stop) -> ReadOutcome {
    switch call.verb {
    case .balance: return try readBalance(call, &reply)
    case .history: return try readHistory(call)
    case .transactionShow: return try readTransaction(call)
    case .memberShow: try readMember(call, &reply)
    case .memberTier: try readTier(call, &reply)
    case .caseShow: try readCase(call, &reply)
    case .memberNotes: try readNotes(call, &reply)
    case .cardHolders: try readCard(call, &reply)
    case .memberPage: try readPage(call, &reply)
    case .feedPage: return try readFeed(call, &reply)
    case .reportPage: return try readReport(call, &reply)
    case .requestSeen: readRequest(call, &reply)
    case .simulateEarn, .simulateEvent, .explainEarn: return try answerQuestion(call, &reply)
    case .explain: return try readExplanation(call)
    case .facts: return try readFacts(call, &reply)
    // As it is, without an entry: each entry forgets some of what is overdue.
    case .marker: audit(into: &reply)
    default: throw .malformed("\(call.verb.words) asks nothing of a shard")
    }
    return .replied
  }
  /// The member that a query is about.
  func member(_ call: Call) throws(Stop) -> Ref<MemberRecord> {
    guard let number = findMember(call.party, tenant: call.tenant) else {
      throw .refused(.notFound("member", call.party))
    }
    return number
  }

  private func readBalance(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) -> ReadOutcome {
    let number = try member(call)
    if try !passOn(balance: call, number, &reply) { try writeBalance(call, number, &reply) }
    let open = movement(of: number)
    return open == .none ? .replied : .unsettled(until: open)
  }
  private func writeBalance(_ call: Call, _ number: Ref<MemberRecord>, _ reply: inout ReplyWriter) throws(Stop) {
    if call.number(.expiring) == 1 { return try writeExpiring(call, number, &reply) }
    guard call.number(.all) == 1 else {
      return try writeBalance(call, number, try program(call.text(.program), .none, call.tenant), &reply)
    }
    let programs = catalogue.programs(of: call.tenant)
    reply.array(count: programs.count)
    for program in programs { try writeBalance(call, number, program, &reply) }
  }
  private func writeBalance(
    _ call: Call, _ number: Ref<MemberRecord>, _ program: ProgramRef, _ reply: inout ReplyWriter
  ) throws(Stop) {
    let position = position(tables.members.read(number), program)
    guard !position.isBroken else {
      throw .refused(Refusal(.unavailable, "the account's figures do not fit 64 bits; nothing was done"))
    }
    reply.record()
    let behalf = Behalf(call.behalf)
    reply.field(.member, call.behalf.isEmpty ? call.party : behalf.member)
    if !call.behalf.isEmpty { reply.field(named: "pool", call.party) }
    catalogue.withProgramName(program) { reply.field(.program, $0) }
    reply.field(.balance, position.balance)
    reply.field(.held, position.held)
    reply.field(.available, position.available)
    reply.field(.debt, position.debt)
    reply.field(named: "pending", position.pending.rawValue)
    if position.expiring > 0 {
      reply.field(.expiring, position.expiring)
      reply.field(.expires, position.expires)
    }
    if behalf.said != nil {
      guard let standing = behalf.standing(program) else { return }
      reply.field(named: "tier", standing.tier)
      reply.field(named: "qualifying", standing.qualifying)
      return
    }
    guard let view = tierView(number, program) else { return }
    reply.field(named: "tier", catalogue.records.tierName(view.rung.number))
    reply.field(named: "qualifying", view.qualifying)
  }

  /// What is available by the moments at which it ends, the soonest first.
  private func writeExpiring(_ call: Call, _ number: Ref<MemberRecord>, _ reply: inout ReplyWriter) throws(Stop) {
    let program = try program(call.text(.program), .none, call.tenant)
    var ends: [(at: Stamp, points: Points)] = []
    _ = position(tables.members.read(number), program) { ends.append(($0, $1)) }
    ends.sort { $0.at < $1.at }
    var dates: [(at: Stamp, points: Points)] = []
    for end in ends {
      if dates.last?.at == end.at { dates[dates.count - 1].points += end.points } else { dates.append(end) }
    }
    reply.array(count: dates.count)
    for date in dates {
      reply.record()
      reply.field(.points, date.points)
      reply.field(.expires, date.at)
    }
  }

  private func readHistory(_ call: Call) throws(Stop) -> ReadOutcome {
    let number = try member(call)
    let name = call.text(.program)
    let program = name.isEmpty ? ProgramRef.none : try program(name, .none, call.tenant)
    let member = tables.members.read(number)
    let newest = program.isNone ? newestRecord(member) : account(member, program)?.pointee.lastRecord
    guard let start = historyStart(number, newest ?? .none, before: call.transaction(.before) ?? .none) else {
      throw .refused(Refusal(.notFound, HistoryWalk.unknown))
    }
    let limit = call.number(.limit) ?? 0
    let walk = HistoryWalk(
      tenant: call.tenant, member: Array(call.party), program: program, limit: Int(limit), start: start)
    return .journal(journalQuery(.history(walk)))
  }
  /// Where a history begins; nil if `before` cannot be a transaction of the member.
  private func historyStart(
    _ number: Ref<MemberRecord>, _ newest: JournalPosition, before: TransactionID
  ) -> HistoryWalk.Start? {
    if before == .none { return .at(newest) }
    if let known = findTransaction(before) {
      let transaction = tables.transactions.read(known).pointee
      return transaction.member == number ? .behind(transaction.position) : nil
    }
    // A member's transactions are numbered in its slot.
    guard before.slot == tables.members.read(number).pointee.slot, isNumbered(before) else { return nil }
    switch tables.past.find(before) {
    case .entry(let entry): return .behindRemembered(entry.position, before)
    case .unknown: return .behindForgotten(search(for: before))
    case .never: return nil
    }
  }
  private func isNumbered(_ tx: TransactionID) -> Bool {
    tx.sequence > 0 && tx.sequence <= lastSequence(of: tx.slot)
  }

  private func readTransaction(_ call: Call) throws(Stop) -> ReadOutcome {
    let tx = call.transaction
    guard let number = findTransaction(tx) else {
      guard isNumbered(tx) else { throw .refused(.notFound(tx)) }
      switch tables.past.find(tx) {
      case .entry(let entry):
        return .journal(
          journalQuery(.remembered(at: entry.position, tx: tx, tenant: call.tenant, state: entry.state)))
      case .unknown:
        // Older than any refund window: the journal knows it.
        return .journal(journalQuery(.past(search(for: tx), tenant: call.tenant)))
      case .never: throw .refused(.notFound(tx))
      }
    }
    guard tables.members.read(tables.transactions.read(number).pointee.member).pointee.tenant == call.tenant else {
      throw .refused(.notFound(tx))
    }
    let record = tables.transactions.read(number).pointee
    var left: Points?
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

  private func readMember(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) {
    write(try member(call), into: &reply)
  }
  /// A member's record.
  func write(_ number: Ref<MemberRecord>, into reply: inout ReplyWriter) {
    let member = tables.members.read(number)
    let file = file(ofMember: member)
    reply.record()
    reply.field(.member, memberID(member))
    reply.field(.state, (MemberState(rawValue: member.pointee.state) ?? .active).text.bytes)
    reply.field(named: "name", file[.name])
    reply.field(named: "region", file[.region])
    write(aliasesOf: member, into: &reply)
    reply.field(.since, member.pointee.since)
    write(file, tier: mainTier(number), into: &reply)
    if member.pointee.hasBonds { write(bondsOf: member, into: &reply) }
  }
  /// Cards, other aliases, types of cards.
  private func write(aliasesOf member: UnsafePointer<MemberRecord>, into reply: inout ReplyWriter) {
    var own: [Ref<CardRecord>] = []
    var next = member.pointee.firstCard
    while next != .none {
      own.append(next)
      next = tables.cards.read(next).pointee.next
    }
    var (cards, aliases, types): ([[UInt8]], [[UInt8]], [[UInt8]]) = ([], [], [])
    for number in own.reversed() {
      let card = tables.cards.read(number)
      guard card.pointee.state != CardState.removed.rawValue else { continue }
      let key = Array(key(of: card))
      let shown = key + (CardState(rawValue: card.pointee.state)?.isLost ?? false ? Array(":lost".utf8) : [])
      if key.withUnsafeBytes({ AliasKey.isCard($0) }) { cards.append(shown) } else { aliases.append(shown) }
      let type = type(of: card)
      if !type.isEmpty { types.append(key + [UInt8(ascii: ":")] + Array(type)) }
    }
    let comma = [UInt8(ascii: ",")]
    reply.field(named: "cards", Array(cards.joined(separator: comma)))
    if !aliases.isEmpty { reply.field(named: "aliases", Array(aliases.joined(separator: comma))) }
    if !types.isEmpty { reply.field(named: "cardtypes", Array(types.joined(separator: comma))) }
  }
  /// Its pool, how many it has as a pool, whom it was merged into.
  private func write(bondsOf member: UnsafePointer<MemberRecord>, into reply: inout ReplyWriter) {
    for bond in bondContents(ofFile: tables.files.read(member.pointee.file)) {
      switch BondRecord.Kind(rawValue: bond.record.kind) {
      case .inPool: reply.field(named: "pool", bond.text)
      case .pool: reply.field(named: "pool-members", Int64(bond.record.count))
      case .merged: reply.field(named: "merged", bond.text)
      default: break
      }
    }
  }
  private func write(_ file: MemberFile, tier: [UInt8]?, into reply: inout ReplyWriter) {
    let own = file[.holderClass]
    reply.field(named: "class", own.isEmpty ? Array("consumer".utf8) : own)
    if let tier { reply.field(named: "tier", tier) }
    reply.field(named: "tags", Array(file.tags.joined(separator: [UInt8(ascii: ",")])))
    for field in MemberFile.Field.allCases {
      guard let key = field.key, field.rawValue > MemberFile.Field.holderClass.rawValue else { continue }
      let value = file[field]
      if !value.isEmpty { reply.field(named: key.word, value) }
    }
    for (name, value) in file.attributes.pairs {
      reply.field(named: "x." + String(decoding: name, as: UTF8.self), value)
    }
  }

  private func readCard(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) {
    guard let place = findCard(hashes.card(call.card, call.tenant).finishedLow(), call.tenant, call.card),
      tables.cardEntries.read(place).pointee.member != 0
    else { throw .refused(.notFound("card", call.card)) }
    let entry = tables.cardEntries.read(place).pointee
    reply.record()
    reply.field(.card, call.card)
    reply.field(.member, tables.texts.read(entry.member))
    reply.field(.state, (CardState(rawValue: entry.state) ?? .active).text.bytes)
    var former = ByteBuffer(capacity: 64)
    forEachFormerHolder(tables.cardEntries.read(place)) { _, member in
      if !former.isEmpty { former.append(UInt8(ascii: ",")) }
      former.append(member)
    }
    if !former.isEmpty { reply.field(.former, former.bytes) }
  }
}

extension ReplyWriter {
  mutating func field(named name: String, _ value: [UInt8]) { value.withUnsafeBytes { field(named: name, $0) } }
}
extension StaticString {
  /// The bytes of the literal, which live for ever.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: utf8Start, count: utf8CodeUnitCount) }
}
