import Base

/// The stable hashes of what a request id is scoped to, and of the id in that scope.
struct PurchaseHashes: BitwiseCopyable {
  var member: UInt64
  /// 0 where there is none.
  var merchant: UInt64
  var request: UInt64
  var key: UInt64 { (member & (0x3FFF << 50)) | request >> 14 }

  @inline(__always) init(member: UInt64, merchant: UInt64, request id: UnsafeRawBufferPointer) {
    self.member = member
    self.merchant = merchant
    request = xxh64(id, seed: DigestSum.mix(member, merchant))
  }
}

/// A request id in its scope: tenant, member, merchant.
struct RequestKey {
  var key: UInt64
  var check: UInt32
  var fingerprint: UInt64
  /// Without an id nothing is kept, and nobody resends it.
  var isNone: Bool

  /// `member` is the stable hash of the member (or card), which has the tenant in it; `merchant` the merchant's, or 0.
  @inline(__always) init(
    member: UInt64, merchant: UInt64, request: UnsafeRawBufferPointer, fingerprint: UInt64
  ) {
    self.init(PurchaseHashes(member: member, merchant: merchant, request: request), request, fingerprint)
  }
  @inline(__always) init(_ hashes: PurchaseHashes, _ request: UnsafeRawBufferPointer, _ fingerprint: UInt64) {
    isNone = request.isEmpty
    self.fingerprint = fingerprint
    key = hashes.key
    // Of another kind than the key, so that what collides in one does not in the other.
    let seed = UInt32(truncatingIfNeeded: hashes.member &+ hashes.merchant)
    let second = DigestSum.mix(UInt64(CRC32C.checksum(request, continuing: seed)), hashes.request)
    check = UInt32(truncatingIfNeeded: second) & ~1
  }
  init(key: UInt64, check: UInt32, fingerprint: UInt64, isNone: Bool) {
    self.key = key
    self.check = check
    self.fingerprint = fingerprint
    self.isNone = isNone
  }
}

extension Ledger {
  private func isExpired(_ record: DedupeRecord) -> Bool {
    Int64(record.seconds) + limits.retentionSeconds <= now.microseconds / CivilTime.microsecondsPerSecond
  }
  private func findRequest(_ key: RequestKey) -> UInt64? {
    let value = dedupeIndex.find(key.key) { value in
      let number = dedupe.number(ofIndexValue: value)
      guard number < dedupe.end else { return false }
      let record = dedupe.read(number)
      return record.pointee.key == key.key && record.pointee.check & ~1 == key.check && !isExpired(record.pointee)
    }
    return value.map { dedupe.number(ofIndexValue: $0) }
  }

  /// What to say to a request that came before, or cannot be remembered; nil if it is to be carried out.
  /// `others` are fingerprints, 8 bytes each, that the same request may have had before.
  mutating func repeated(
    _ key: RequestKey, or others: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0),
    _ reply: inout ReplyWriter
  ) -> Outcome? {
    guard !key.isNone else { return nil }
    if let number = findRequest(key) {
      let record = dedupe.read(number).pointee
      guard record.fingerprint == key.fingerprint || place(of: record.fingerprint, in: others) != nil else {
        reply.error(.conflict, "the request id was used for another request")
        return .replied
      }
      if record.check & 1 == 1 { return .pending(TransactionID(rawValue: record.answer)) }
      return .repeated(JournalPosition(rawValue: record.answer))
    }
    if UInt64(dedupe.count) >= limits.requestIDs { return refuseForRoom(&reply) }
    return nil
  }
  private func place(of fingerprint: UInt64, in list: UnsafeRawBufferPointer) -> Int? {
    for i in 0..<list.count / 8 {
      let other = UInt64(littleEndian: list.loadUnaligned(fromByteOffset: i * 8, as: UInt64.self))
      if other == fingerprint { return i }
    }
    return nil
  }
  /// Whether a request was answered here, or is about to be: with which of some contents.
  func readRequest(
    _ header: CommandHeader, _ reader: inout ByteReader, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) {
    let member = try reader.readCounted()
    let merchant = try reader.readCounted()
    let request = try reader.readCounted()
    let fingerprints = try reader.readBytes(reader.remaining)
    let tenant = header.context.tenant
    let key = RequestKey(
      member: Slot.hash(.member, tenant: tenant, id: member),
      merchant: merchant.isEmpty ? 0 : Catalogue.merchantKey(merchant, tenant), request: request, fingerprint: 0)
    let known = findRequest(key).flatMap { place(of: dedupe.read($0).pointee.fingerprint, in: fingerprints) }
    reply.integer(Int64(known ?? -1))
  }
  /// Where the first answer to an earn, redeem or hold stands, if the same request was decided before; changes nothing.
  public func answered(_ command: UnsafeRawBufferPointer) -> JournalPosition? {
    var reader = ByteReader(command)
    guard let header = try? CommandHeader(framed: &reader) else { return nil }
    switch header.kind {
    case .earn, .redeem, .hold: break
    default: return nil
    }
    guard let key = try? Purchase(header, &reader, nil).key(), let number = findRequest(key) else { return nil }
    let record = dedupe.read(number).pointee
    guard record.fingerprint == key.fingerprint, record.check & 1 == 0 else { return nil }
    return JournalPosition(rawValue: record.answer)
  }
  /// Over the budget the oldest go, but none younger than a day.
  private mutating func refuseForRoom(_ reply: inout ReplyWriter) -> Outcome? {
    let age = now.microseconds / CivilTime.microsecondsPerSecond - Int64(dedupe.read(dedupe.first).pointee.seconds)
    let isPending = dedupe.read(dedupe.first).pointee.check & 1 == 1
    guard age < 86_400 || isPending else {
      dropOldestRequest()
      return nil
    }
    reply.error(.busy, "too many request ids within a day")
    return .replied
  }

  /// Keeps where a request's answer is.
  mutating func remember(_ key: RequestKey, _ position: JournalPosition) {
    remember(key, answer: position.rawValue, isPending: false)
  }
  mutating func remember(_ key: RequestKey, answer: UInt64, isPending: Bool) {
    guard !key.isNone else { return }
    let record = DedupeRecord(
      key: key.key, fingerprint: key.fingerprint, answer: answer, check: key.check | (isPending ? 1 : 0),
      seconds: UInt32(clamping: now.microseconds / CivilTime.microsecondsPerSecond))
    let number = dedupe.append(record)
    dedupeIndex.insert(key.key, PagedQueue<DedupeRecord>.indexValue(number))
    count(record, 1)
  }
  /// The answer of a request that was pending is known.
  mutating func resolve(_ key: RequestKey, _ position: JournalPosition) {
    guard !key.isNone, let number = findPending(key) else { return }
    let record = dedupe.write(number)
    count(record.pointee, -1)
    record.pointee.answer = position.rawValue
    record.pointee.check &= ~1
    count(record.pointee, 1)
  }
  /// Forgets a request that was pending: its refusal is not one that is kept.
  mutating func forget(_ key: RequestKey) {
    guard !key.isNone, let number = findPending(key) else { return }
    dedupeIndex.remove(key.key, PagedQueue<DedupeRecord>.indexValue(number))
    let record = dedupe.write(number)
    count(record.pointee, -1)
    record.pointee = DedupeRecord(key: 0, fingerprint: 0, answer: 0, check: 0, seconds: record.pointee.seconds)
    count(record.pointee, 1)
  }
  private func findPending(_ key: RequestKey) -> UInt64? {
    let value = dedupeIndex.find(key.key) { value in
      let number = dedupe.number(ofIndexValue: value)
      guard number < dedupe.end else { return false }
      let record = dedupe.read(number)
      return record.pointee.key == key.key && record.pointee.check == key.check | 1
    }
    return value.map { dedupe.number(ofIndexValue: $0) }
  }
  /// The digest knows a request by its hash, content and state, not by where its answer lies.
  private mutating func count(_ record: DedupeRecord, _ sign: Int64) {
    Ledger.count(record, sign, in: &core.digest)
  }
  static func count(_ record: DedupeRecord, _ sign: Int64, in digest: inout DigestSum) {
    let content = DigestSum.mix(record.fingerprint, UInt64(record.check) << 32 | UInt64(record.seconds))
    digest.add(record.key, DigestField.request, sign &* Int64(bitPattern: content))
  }

  mutating func dropOldRequests(atMost limit: Int) {
    for _ in 0..<limit {
      guard !dedupe.isEmpty else { return }
      let record = dedupe.read(dedupe.first).pointee
      guard isExpired(record), record.check & 1 == 0 else { return }
      dropOldestRequest()
    }
  }
  private mutating func dropOldestRequest() {
    let record = dedupe.read(dedupe.first).pointee
    count(record, -1)
    dedupeIndex.remove(record.key, PagedQueue<DedupeRecord>.indexValue(dedupe.first))
    dedupe.removeFirst()
  }

  // MARK: Answers kept in their bytes

  /// Keeps the reply written since `start` as the answer to a request.
  mutating func keepAnswer(
    _ key: RequestKey, _ request: UnsafeRawBufferPointer, _ member: UnsafeRawBufferPointer, _ context: CommandContext,
    slot: Slot, _ reply: borrowing ReplyWriter, from start: Int
  ) {
    guard !key.isNone else { return }
    remember(key, keptAnswer(request, member, context.tenant, slot: slot, reply, from: start))
  }
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
