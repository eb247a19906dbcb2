import Base

extension Ledger {
  /// The next number of a slot.
  mutating func nextTransaction(_ slot: Slot) -> TransactionID {
    let sequence = sequences.write(Int(slot.rawValue))
    sequence.pointee += 1
    core.digest.add(UInt64(slot.rawValue), DigestField.sequence, 1)
    core.transactionCount += 1
    return TransactionID(slot: slot, sequence: sequence.pointee)
  }

  /// Writes a transaction's journal record at the end of its member's chain, and keeps what a refund has to know of it.
  /// Call when the account is as the transaction leaves it. Returns the record's number among the transactions.
  @discardableResult mutating func book(
    _ holder: Holder, _ record: inout JournalRecord, points: Int64, takes: UInt32 = 0, state: UInt8 = 0,
    lotExpiry: Stamp = .zero, origin: UInt8 = 0, link: TransactionID = .none, hold: UInt32 = 0
  ) -> UInt64 {
    let account = holder.account
    record.balance = account.pointee.balance
    record.available = account.pointee.available
    record.previous = holder.member.pointee.lastRecord
    let position = journal.append(record)
    holder.member.pointee.lastRecord = position
    var transaction = TransactionRecord(
      id: record.tx, position: position, stamp: record.stamp, points: points, member: holder.number,
      program: record.program, kind: record.kind.rawValue)
    transaction.spend = record.spend
    transaction.expiresAt = lotExpiry
    transaction.link = link
    transaction.merchant = record.merchant
    transaction.firstTake = takes
    transaction.hold = hold
    transaction.state = state
    transaction.origin = origin
    let number = transactions.append(transaction)
    transactionIndex.insert(record.tx.rawValue, PagedQueue<TransactionRecord>.indexValue(number))
    let content = contentHash(transaction, holder.member.pointee.hash)
    core.digest.add(record.tx.rawValue, DigestField.transaction, Int64(bitPattern: content))
    if state != 0 { core.digest.add(record.tx.rawValue, DigestField.transactionState, Int64(state)) }
    if link != .none {
      core.digest.add(record.tx.rawValue, DigestField.link, Int64(bitPattern: link.rawValue))
    }
    return number
  }

  /// What never changes of a transaction, as one number.
  func contentHash(_ t: TransactionRecord, _ memberHash: UInt64) -> UInt64 {
    let merchant = t.merchant < 0 ? 1 : catalogue.merchantRows[Int(t.merchant)].key
    let program = t.program < 0 ? 1 : programKey(Int(t.program))
    let a = DigestSum.mix(memberHash ^ UInt64(t.kind), program ^ merchant)
    let b = DigestSum.mix(UInt64(bitPattern: t.points), UInt64(bitPattern: t.spend) ^ UInt64(t.origin))
    let c = DigestSum.mix(UInt64(bitPattern: t.stamp.microseconds), UInt64(bitPattern: t.expiresAt.microseconds))
    return a &+ b ^ c
  }

  /// A transaction that state still knows.
  func findTransaction(_ id: TransactionID) -> UInt64? {
    let value = transactionIndex.find(id.rawValue) { value in
      let number = transactions.number(ofIndexValue: value)
      return number < transactions.end && transactions.read(number).pointee.id == id
    }
    return value.map { transactions.number(ofIndexValue: $0) }
  }
  mutating func setState(_ number: UInt64, _ state: UInt8) {
    let record = transactions.write(number)
    core.digest.add(
      record.pointee.id.rawValue, DigestField.transactionState, Int64(state) - Int64(record.pointee.state))
    record.pointee.state = state
  }
  mutating func setLink(_ number: UInt64, _ link: TransactionID) {
    let record = transactions.write(number)
    let change = link.rawValue &- record.pointee.link.rawValue
    core.digest.add(record.pointee.id.rawValue, DigestField.link, Int64(bitPattern: change))
    record.pointee.link = link
  }
  /// Counts what was given back of a transaction.
  mutating func addReversed(_ number: UInt64, points: Int64, spend: Int64) {
    let record = transactions.write(number)
    record.pointee.reversedPoints += points
    record.pointee.reversedSpend += spend
    core.digest.add(record.pointee.id.rawValue, DigestField.reversedPoints, points)
    core.digest.add(record.pointee.id.rawValue, DigestField.reversedSpend, spend)
  }

  /// Drops the oldest transactions that no program's refund window reaches any more. One that is open stays, and all
  /// behind it.
  mutating func dropOldTransactions(atMost limit: Int) {
    guard !transactions.isEmpty else { return }
    let window = max(catalogue.longestRefundWindow, 40 * CivilTime.microsecondsPerDay)
    for _ in 0..<limit {
      guard !transactions.isEmpty else { return }
      let record = transactions.read(transactions.first).pointee
      guard record.stamp.microseconds + window <= now.microseconds, record.state != TransactionRecord.open else {
        return
      }
      var take = record.firstTake
      while take != 0 { take = dropTake(take, record.id) }
      let key = record.id.rawValue
      let content = contentHash(record, hash(ofMember: record.member))
      core.digest.add(key, DigestField.transaction, 0 &- Int64(bitPattern: content))
      core.digest.add(key, DigestField.transactionState, -Int64(record.state))
      core.digest.add(key, DigestField.link, 0 &- Int64(bitPattern: record.link.rawValue))
      core.digest.add(key, DigestField.reversedPoints, -record.reversedPoints)
      core.digest.add(key, DigestField.reversedSpend, -record.reversedSpend)
      transactionIndex.remove(key, PagedQueue<TransactionRecord>.indexValue(transactions.first))
      transactions.removeFirst()
    }
  }
}
