import Base

extension Ledger {
  /// The next number of a slot.
  mutating func nextTransaction(_ slot: Slot) -> TransactionID {
    let sequence = tables.sequences.write(Ref(place: Int(slot.rawValue)))
    core.add(1, to: &sequence.pointee.last)
    core.digest.add(UInt64(slot.rawValue), DigestField.sequence, 1)
    core.transactionCount += 1
    return TransactionID(slot: slot, sequence: sequence.pointee.last)
  }
  /// The last number of a slot.
  func lastSequence(of slot: Slot) -> UInt64 {
    tables.sequences.read(Ref(place: Int(slot.rawValue))).pointee.last
  }

  /// A record, with the next number, of something that befalls an account without a request of its merchant's.
  mutating func nextRecord(_ kind: RecordKind, of holder: Holder) -> JournalRecord {
    let member = UnsafePointer(holder.member)
    var record = JournalRecord(
      kind, tx: nextTransaction(member.pointee.slot), stamp: now, tenant: member.pointee.tenant,
      member: memberID(member))
    record.program = holder.program
    return record
  }
  /// Writes a transaction's journal record at the end of its account's chain and of its member's, and keeps what a refund has to know of it.
  /// Call when the account is as the transaction leaves it. Returns the record's number among the transactions.
  @discardableResult mutating func book(
    _ holder: Holder, _ record: inout JournalRecord, points: Points, takes: Ref<TakeRecord> = .none, state: UInt8 = 0,
    lot: LotName? = nil, link: TransactionID = .none, hold: Ref<HoldRecord> = .none, deadline: Stamp = .zero
  ) -> UInt64 {
    let account = holder.account
    record.balance = account.pointee.balance
    record.available = account.pointee.available
    record.previous = newestRecord(holder.member)
    record.previousOfAccount = account.pointee.lastRecord
    let position = journal.append(record)
    account.pointee.lastRecord = position
    var transaction = TransactionRecord(
      id: record.tx, position: position, latest: position, stamp: record.stamp, points: points, member: holder.number,
      program: record.program, kind: record.kind.rawValue)
    transaction.spend = record.spend
    transaction.expiresAt = deadline
    transaction.link = link
    transaction.merchant = record.merchant
    transaction.firstTake = takes
    transaction.hold = hold
    transaction.state = state
    if let lot { transaction.lot = lot }
    return keep(transaction)
  }
  /// Has a transaction in memory from now on; its takes are there already. Returns its number.
  @discardableResult mutating func keep(_ transaction: TransactionRecord) -> UInt64 {
    var transaction = transaction
    transaction.keptSince = now
    let number = tables.transactions.append(transaction, hashes.number(transaction.id))
    count(transaction, 1)
    return number
  }
  /// Counts a transaction in the digest, or no more; its takes count for themselves.
  mutating func count(_ t: TransactionRecord, _ sign: Int64) {
    var sum = DigestSum()
    count(t, sign, in: &sum)
    core.digest.add(sum)
  }
  func count(_ t: TransactionRecord, _ sign: Int64, in sum: inout DigestSum) {
    let key = t.id.rawValue
    let content = contentHash(t, hash(ofMember: t.member))
    sum.add(key, DigestField.transaction, sign &* Int64(bitPattern: content))
    if t.state != 0 { sum.add(key, DigestField.transactionState, sign * Int64(t.state)) }
    if t.link != .none { sum.add(key, DigestField.link, sign &* Int64(bitPattern: t.link.rawValue)) }
    if t.reversedPoints != 0 { sum.add(key, DigestField.reversedPoints, sign &* t.reversedPoints.rawValue) }
    if t.reversedSpend != 0 { sum.add(key, DigestField.reversedSpend, sign &* t.reversedSpend.rawValue) }
  }

  /// What never changes of a transaction, as one number.
  func contentHash(_ t: TransactionRecord, _ memberHash: UInt64) -> UInt64 {
    let merchant = t.merchant.isNone ? 1 : catalogue.merchantRows[t.merchant.place].key
    let program = t.program.isNone ? 1 : programKey(t.program)
    let a = DigestSum.mix(memberHash ^ UInt64(t.kind), program ^ merchant)
    let b = DigestSum.mix(t.points.bits, t.spend.bits ^ UInt64(t.origin))
    let c = DigestSum.mix(UInt64(bitPattern: t.stamp.microseconds), UInt64(bitPattern: t.expiresAt.microseconds))
    let mark = t.kind == RecordKind.earn.rawValue ? t.lot.mark : 0
    return mark == 0 ? a &+ b ^ c : DigestSum.mix(a &+ b ^ c, UInt64(mark))
  }

  /// A transaction that is in memory.
  func findTransaction(_ id: TransactionID) -> UInt64? {
    tables.transactions.find(hashes.number(id)) { $1.pointee.id == id }
  }
  mutating func setState(_ number: UInt64, _ state: UInt8) {
    let record = tables.transactions.write(number)
    core.digest.add(
      record.pointee.id.rawValue, DigestField.transactionState, Int64(state) - Int64(record.pointee.state))
    record.pointee.state = state
  }
  mutating func setLink(_ number: UInt64, _ link: TransactionID) {
    let record = tables.transactions.write(number)
    let change = link.rawValue &- record.pointee.link.rawValue
    core.digest.add(record.pointee.id.rawValue, DigestField.link, Int64(bitPattern: change))
    record.pointee.link = link
  }
  /// Notes that a record was written that speaks about a transaction: whoever asks for it later reads that one first.
  mutating func setLatest(_ number: UInt64, _ position: JournalPosition) {
    tables.transactions.write(number).pointee.latest = position
  }
  /// Counts what was given back of a transaction.
  mutating func addReversed(_ number: UInt64, points: Points, spend: Money) {
    let record = tables.transactions.write(number)
    core.add(points, to: &record.pointee.reversedPoints)
    core.add(spend, to: &record.pointee.reversedSpend)
    core.digest.add(record.pointee.id.rawValue, DigestField.reversedPoints, points)
    core.digest.add(record.pointee.id.rawValue, DigestField.reversedSpend, spend)
  }

  /// When the oldest is to leave memory: an hour late, so that a shard at rest has not a tick for each.
  var nextRetirement: Stamp? {
    guard !tables.transactions.isEmpty else { return nil }
    let age = limits.transactionSeconds * CivilTime.microsecondsPerSecond + RetentionMarks.interval
    return Stamp(microseconds: tables.transactions.read(tables.transactions.first).pointee.keptSince.microseconds + age)
  }
  /// To the end of its last day.
  var longestRefundWindow: Int64 {
    catalogue.longestRefundWindow + (core.semantics >= Semantics.amended ? CivilTime.microsecondsPerDay : 0)
  }
  /// How long a transaction may be refunded, by any program; microseconds.
  var transactionWindow: Int64 { max(longestRefundWindow, 40 * CivilTime.microsecondsPerDay) }
}
