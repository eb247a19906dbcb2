import Base

// A transaction stays in memory for a day, or until 2^18 later ones have come; then 16 bytes are kept of it (`PastEntry`):
// where in the journal the record is that last spoke about it, and a check of what its records say. A command that needs
// more of it carries these *facts*: the records themselves, as the shard's leader read them (`readFacts`). Apply never reads
// the journal. It verifies the facts by the check and has the transaction in memory again for a day, with all that was given
// back of it; without facts, or with others than the state vouches for, it changes nothing and says that they are wanted.
//
// Of a transaction older than all refund windows nothing is kept. Facts about it cannot be verified, and tell only whose
// it was: so under which key its requests were answered.

/// What a command says of a transaction that has left memory: its own journal record and, where that is another, the one
/// that last spoke about it.
struct PastFacts {
  typealias Bytes = UnsafeRawBufferPointer
  var original: JournalRecord
  var latest: JournalRecord?

  init(_ bytes: Bytes) throws(MalformedBytes) {
    original = try JournalRecord(decoding: bytes)
    let rest = Bytes(rebasing: bytes[JournalRecord.byteCount(bytes)...])
    guard rest.count > 0 else { return }
    let latest = try JournalRecord(decoding: rest)
    guard JournalRecord.byteCount(rest) == rest.count, latest.of == original.tx, latest.original != .none else {
      throw MalformedBytes("facts of two transactions")
    }
    self.latest = latest
  }

  /// The transaction as state kept it, but for its takes and its state.
  func transaction(position: JournalPosition, member: Ref<MemberRecord>) -> TransactionRecord {
    var t = TransactionRecord(
      id: original.tx, position: latest?.original ?? position, latest: position, stamp: original.stamp,
      points: original.gross, member: member, program: original.program, kind: original.kind.rawValue)
    t.spend = original.spend
    t.merchant = original.merchant
    t.reversedPoints = latest?.reversedPoints ?? 0
    t.reversedSpend = latest?.reversedSpend ?? 0
    switch original.kind {
    case .earn:
      var reader = ByteReader(original.lots)
      guard let lot = try? JournalLot(&reader) else { break }
      t.lot = lot.name
      t.link = EarningDetail.mark(original.answer, latest: latest?.answer)
    case .hold:
      t.expiresAt = original.expires
      t.link =
        latest.map { $0.kind == .carried ? TransactionID(rawValue: UInt64(bitPattern: $0.number)) : $0.tx } ?? .none
    default: break
    }
    return t
  }
  /// What it took from which lots, the last taken first.
  var takes: Bytes {
    original.kind == .redeem || original.kind == .capture ? original.lots : Bytes(start: nil, count: 0)
  }
}

/// What all that a refund has to know of a transaction comes to, but its state.
struct PastCheck {
  private var sum: UInt64

  init(_ t: TransactionRecord, content: UInt64) {
    sum = DigestSum.mix(content, t.id.rawValue)
    sum = DigestSum.mix(sum &+ t.reversedPoints.bits, t.reversedSpend.bits)
    if t.kind == RecordKind.hold.rawValue || t.kind == RecordKind.earn.rawValue && t.link != .none {
      sum = DigestSum.mix(sum, t.link.rawValue)
    }
  }
  mutating func add(_ lot: LotName, _ earnedAt: Stamp, _ points: Points) {
    let expiresAt = lot.expiresAt.microseconds
    sum = DigestSum.mix(sum &+ UInt64(bitPattern: expiresAt), UInt64(bitPattern: earnedAt.microseconds))
    sum = DigestSum.mix(sum &+ points.bits, UInt64(lot.origin) | UInt64(lot.mark) << 8)
  }
  func word(state: UInt8) -> UInt64 { UInt64(state) << 56 | sum & PastEntry.checkMask }
}

extension Ledger {
  // MARK: Out of memory

  /// Looks at the transactions that have been in memory for their time, or are too many: what is over becomes an entry of
  /// the past, what no refund window reaches any more is forgotten, what is open stays for as long again. True: there may
  /// be more.
  mutating func retireTransactions(atMost limit: Int) -> Bool {
    let age = limits.transactionSeconds * CivilTime.microsecondsPerSecond
    let window = transactionWindow
    var isMore = true
    for _ in 0..<limit {
      isMore = false
      guard !tables.transactions.isEmpty else { break }
      let number = tables.transactions.first
      let record = tables.transactions.read(number).pointee
      if record.isGone {
        tables.transactions.removeFirst()
        core.goneTransactions -= 1
        isMore = true
        continue
      }
      guard record.keptSince.microseconds + age <= now.microseconds || areTooMany else { break }
      if record.isAwaited {
        // One that stays in this entry has been looked at: what is behind it stays as well.
        guard record.keptSince < now else { break }
        stay(number, record)
      } else {
        retire(number, record, isForgotten: record.stamp.microseconds + window <= now.microseconds)
      }
      tables.transactions.removeFirst()
      isMore = true
    }
    let horizon = Stamp(microseconds: now.microseconds - window)
    for _ in 0..<max(1, limit / PastTable.entriesPerBlock) {
      guard let block = tables.past.popSealed(before: horizon) else { return isMore }
      block.forEach { count($0, $1, -1) }
    }
    return true
  }
  private var areTooMany: Bool {
    tables.transactions.count - Int(core.goneTransactions)
      > limits.transactionsInMemory + tables.holdQueue.count + Int(core.openOutbox)
  }
  /// Puts a transaction that is still open at the end of the queue.
  private mutating func stay(_ number: UInt64, _ record: TransactionRecord) {
    var record = record
    record.keptSince = now
    tables.transactions.moveToEnd(number, as: record, hashes.number(record.id))
  }
  private mutating func retire(_ number: UInt64, _ record: TransactionRecord, isForgotten: Bool) {
    var check = PastCheck(record, content: contentHash(record, hash(ofMember: record.member)))
    let isRedemption = record.kind == RecordKind.redeem.rawValue || record.kind == RecordKind.capture.rawValue
    var take = record.firstTake
    while take != .none {
      let taken = tables.takes.read(take).pointee
      if isRedemption { check.add(taken.lot, taken.earnedAt, taken.points) }
      take = dropTake(take, record.id)
    }
    count(record, -1)
    tables.transactions.unindex(number, hashes.number(record.id))
    guard !isForgotten else { return }
    let entry = PastEntry(position: record.latest, word: check.word(state: record.state))
    tables.past.set(record.id, entry, now: now)
    count(record.id, entry, 1)
  }
  private mutating func count(_ tx: TransactionID, _ entry: PastEntry, _ sign: Int64) {
    core.digest.add(tx.rawValue, DigestField.past, sign &* Int64(bitPattern: entry.word))
  }

  // MARK: Back into memory

  /// Sees to it that a transaction that a command names is in memory, if it ever was. Throws if the command is decided:
  /// facts are wanted, its request came before, or the transaction is older than all refund windows.
  mutating func recall(_ tx: TransactionID, _ call: inout Call) throws(Stop) {
    guard findTransaction(tx) == nil, tx.sequence > 0,
      tx.sequence <= lastSequence(of: tx.slot)
    else { return }
    let known = tables.past.find(tx)
    if case .never = known { return }
    guard let facts = try? PastFacts(call.facts), facts.original.tx == tx, isInCatalogue(facts.original) else {
      throw .decided(.factsWanted)
    }
    let original = facts.original
    guard original.tenant == call.tenant else { return }
    guard let member = findMember(original.member, tenant: call.tenant) else { throw .decided(.factsWanted) }
    var verified: (TransactionRecord, PastEntry)?
    if case .entry(let entry) = known {
      guard let transaction = verify(facts, member, entry) else { throw .decided(.factsWanted) }
      verified = (transaction, entry)
    }
    scope(&call, original.member, original.merchant)
    try refuseRepeated(call.hashes.key)
    guard let (transaction, entry) = verified else {
      throw .refused(.limit("refund-window", "the transaction is older than the refund window"))
    }
    readmit(transaction, entry, takes: facts.takes)
  }
  private func isInCatalogue(_ record: JournalRecord) -> Bool {
    catalogue.has(record.program) && (record.merchant == .none || catalogue.has(record.merchant))
  }
  /// The transaction that facts tell of; nil if they are not what the state vouches for: rotten, of another moment, or
  /// another's.
  private func verify(_ facts: PastFacts, _ member: Ref<MemberRecord>, _ entry: PastEntry) -> TransactionRecord? {
    var transaction = facts.transaction(position: entry.position, member: member)
    transaction.state = entry.state
    var check = PastCheck(transaction, content: contentHash(transaction, hash(ofMember: member)))
    var reader = ByteReader(facts.takes)
    while !reader.isAtEnd {
      guard let lot = try? JournalLot(&reader) else { return nil }
      check.add(lot.name, lot.earnedAt, lot.points)
    }
    return check.word(state: entry.state) == entry.word ? transaction : nil
  }
  private mutating func readmit(_ transaction: TransactionRecord, _ entry: PastEntry, takes list: Bytes) {
    tables.past.set(transaction.id, .away, now: now)
    count(transaction.id, entry, -1)
    var lots: [JournalLot] = []
    var reader = ByteReader(list)
    while !reader.isAtEnd, let lot = try? JournalLot(&reader) { lots.append(lot) }
    var record = transaction
    for lot in lots.reversed() {
      let take = TakeRecord(lot.name, earnedAt: lot.earnedAt, points: lot.points, next: record.firstTake)
      record.firstTake = addTake(take, record.id)
    }
    // What was given back was given back to the last taken first.
    var returned = transaction.reversedPoints
    var take = record.firstTake
    while take != .none && returned > 0 {
      let part = min(returned, tables.takes.read(take).pointee.points)
      adjustTake(take, record.id, returned: part)
      returned -= part
      take = tables.takes.read(take).pointee.next
    }
    keep(record)
  }

  // MARK: Reading

  /// What a command about a transaction would have to carry: answered from the journal with `+` and bytes, or at once with
  /// `+OK` if it needs nothing. The capture of a hold stands for the hold once only the capture is missing.
  func readFacts(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) -> ReadOutcome {
    var tx = call.transaction
    if let number = findTransaction(tx), let of = purchase(ofCase: tx, tables.transactions.read(number).pointee) {
      tx = of
    }
    if let number = findTransaction(tx) {
      let link = tables.transactions.read(number).pointee.link
      let isCaptured = tables.transactions.read(number).pointee.state == TransactionRecord.captured
      let record = tables.transactions.read(number).pointee
      if record.kind == RecordKind.earn.rawValue, link != .none {
        return .journal(journalQuery(.facts(at: record.latest, tx: tx)))
      }
      guard isCaptured, link != .none, findTransaction(link) == nil else {
        reply.ok()
        return .replied
      }
      tx = link
    }
    guard tx.sequence > 0, tx.sequence <= lastSequence(of: tx.slot) else {
      throw .refused(.notFound(tx))
    }
    switch tables.past.find(tx) {
    case .entry(let entry): return .journal(journalQuery(.facts(at: entry.position, tx: tx)))
    case .unknown: return .journal(journalQuery(.pastFacts(search(for: tx))))
    case .never: throw .refused(.notFound(tx))
    }
  }
  func journalQuery(_ question: JournalQuery.Question) -> JournalQuery {
    JournalQuery(question, catalogue: catalogue, end: journal.end)
  }
}
