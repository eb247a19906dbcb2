import Base

extension Ledger {
  /// In microseconds.
  /// For so long the journal may be asked for what it says: first answers to repeats, and facts about what is refunded. µs.
  public var journalWindow: Int64 { max(retention, longestRefundWindow) }
  var retention: Int64 { limits.retentionSeconds * CivilTime.microsecondsPerSecond }

  func findRequest(_ key: RequestKey) -> UInt64? { findRequest(key) { _ in true } }
  @inline(__always) private func findRequest(_ key: RequestKey, _ accepts: (DedupeRecord) -> Bool) -> UInt64? {
    tables.dedupe.find(key.low) { number, record in
      record.pointee.isOf(key)
        && (!dedupeMarks.isExpired(number) || record.pointee.isPending) && accepts(record.pointee)
    }
  }

  func place(of fingerprint: UInt64, in list: UnsafeRawBufferPointer) -> Int? {
    for i in 0..<list.count / 8 {
      let other = UInt64(littleEndian: list.loadUnaligned(fromByteOffset: i * 8, as: UInt64.self))
      if other == fingerprint { return i }
    }
    return nil
  }
  /// Whether a request was answered here, or is about to be: with which of some contents.
  func readRequest(_ call: Call, _ reply: inout ReplyWriter) {
    let key = requestHashes(call.party, call.merchant, call.request, call.context, call.slot).key
    let known = findRequest(key).flatMap {
      place(of: tables.dedupe.read($0).pointee.fingerprint, in: call.otherFingerprints)
    }
    reply.integer(Int64(known ?? -1))
  }
  /// Over the budget the oldest go, but none younger than a day.
  mutating func makeRoomForRequest() throws(Stop) {
    if tables.dedupe.read(tables.dedupe.first).pointee.isGone { return dropOldestRequest() }
    guard isRequestRoomFull else { return }
    let latest =
      dedupeMarks.latest(of: tables.dedupe.first) ?? (dedupeMarks.isExpired(tables.dedupe.first) ? .zero : now)
    let isKept =
      now.microseconds - latest.microseconds < CivilTime.microsecondsPerDay
      || tables.dedupe.read(tables.dedupe.first).pointee.isPending
    guard !isKept else { throw .refused(Refusal(.busy, "too many request ids within a day")) }
    dropOldestRequest()
  }

  /// Keeps where a request's answer is.
  mutating func remember(_ key: RequestKey, _ position: JournalPosition) { remember(key, DedupeRecord(key, position)) }
  /// Keeps that a request waits for a transaction of its slot.
  mutating func remember(_ key: RequestKey, pending transaction: TransactionID) {
    remember(key, DedupeRecord(key, pending: transaction))
  }
  private mutating func remember(_ key: RequestKey, _ record: DedupeRecord) {
    guard !key.isNone else { return }
    tables.dedupe.append(record, key.low)
    record.count(1, in: &core.digest)
  }
  /// The answer of a request that was pending is known.
  mutating func resolve(_ key: RequestKey, _ position: JournalPosition) {
    guard !key.isNone, let number = findPending(key) else { return }
    let record = tables.dedupe.write(number)
    record.pointee.count(-1, in: &core.digest)
    record.pointee = DedupeRecord(key, position)
    record.pointee.count(1, in: &core.digest)
  }
  /// Forgets a request that was pending: its refusal is not one that is kept.
  mutating func forget(_ key: RequestKey) {
    guard !key.isNone, let number = findPending(key) else { return }
    tables.dedupe.unindex(number, key.low)
    let record = tables.dedupe.write(number)
    record.pointee.count(-1, in: &core.digest)
    record.pointee = DedupeRecord()
    record.pointee.count(1, in: &core.digest)
  }
  private func findPending(_ key: RequestKey) -> UInt64? { findRequest(key) { $0.isPending } }
  // MARK: Forgetting

  /// Forgets up to `limit` of the request ids that have outlived their retention. One that is still pending goes behind the
  /// others, and is kept for as long again.
  mutating func dropOldRequests(atMost limit: Int) {
    var left = limit
    while left > 0, !tables.dedupe.isEmpty, dedupeMarks.isExpired(tables.dedupe.first) {
      let record = tables.dedupe.read(tables.dedupe.first).pointee
      if record.isPending {
        tables.dedupe.append(record, record.low)
        record.count(1, in: &core.digest)
      }
      dropOldestRequest()
      left -= 1
    }
  }
  private mutating func dropOldestRequest() {
    let record = tables.dedupe.read(tables.dedupe.first).pointee
    if record.isGone {
      core.goneRequests -= 1
    } else {
      record.count(-1, in: &core.digest)
      tables.dedupe.unindex(tables.dedupe.first, record.low)
    }
    tables.dedupe.removeFirst()
  }

  // MARK: Answers kept in their bytes

  /// Keeps the reply written since `start` in the journal, to be given again.
  mutating func keptAnswer(
    _ request: UnsafeRawBufferPointer, _ member: UnsafeRawBufferPointer, _ tenant: TenantID, slot: Slot,
    _ reply: borrowing ReplyWriter, from start: Int
  ) -> JournalPosition {
    var record = JournalRecord(.answer, tx: .none, stamp: now, tenant: tenant, member: member)
    record.request = request
    record.answer = UnsafeRawBufferPointer(rebasing: reply.buffer.bytes[start...])
    return journal.append(record)
  }
}
