import Base
import Vocabulary

// What one shard asks of another. The source keeps the step in its outbox until the verdict is recorded; the destination
// applies it once (a delivery is a request id like any other, kept as long as those) and keeps the verdict in its inbox
// until the source has said that it has taken the verdict in. Every message may come twice or late. What a step says and does is a type's
// (`ShardStep`); nothing here knows one.
//
//     delivery  from u64, step u8, kind u8, then what the step of that kind says (`ShardStep.append`)
//     verdict   from u64, step u8, code u8, which u8, the destination's slot u16, and counted what else it says, if it does
//     acknowledged from u64, step u8, and in the header the slot of the destination

/// Where among the records of deliveries the next are to be looked for. The same on every replica.
public struct DeliveryPlaces: Sendable {
  public internal(set) var outbox = 0
  public internal(set) var inbox = 0
  /// Of the parts of the open parcel.
  public internal(set) var part = 0
  public init() {}
  /// The next call begins a new walk, both here and there.
  public var isAtStart: Bool { outbox == 0 && inbox == 0 && part == 0 }
}

extension Ledger {
  // MARK: Outbox

  mutating func setRequest(_ key: RequestKey, _ record: inout OutboxRecord) {
    record.hasRequest = key.isNone ? 0 : 1
    record.requestLow = key.low
    record.requestHigh = key.high
    record.fingerprint = key.fingerprint
  }
  /// The request that a step is to answer.
  func request(of record: OutboxRecord) -> RequestKey {
    RequestKey(
      low: record.requestLow, high: record.requestHigh, fingerprint: record.fingerprint, slot: record.id.slot,
      isNone: record.hasRequest == 0)
  }
  /// Keeps a step, and gives it out.
  mutating func addOutbox(_ record: inout OutboxRecord, _ text: Bytes) {
    setText(text, of: &record)
    _ = tables.outbox.add(record, hashes.number(record.id))
    core.openOutbox += 1
    record.count(1, in: &core.digest)
    countText(of: record, 1)
    guard let delivery = delivery(of: record) else { return fail(.records) }
    newDeliveries.append(delivery)
  }
  /// What the digest knows of what a step says: of those of merges and pools.
  func countText(of record: OutboxRecord, _ sign: Int64, in sum: inout DigestSum) {
    guard record.kind >= MergeStep.Kind.offer.rawValue else { return }
    let content = text(of: record).withUnsafeBytes { xxh64($0) }
    sum.add(record.id.rawValue, DigestField.stepText, sign &* Int64(bitPattern: content))
  }
  private mutating func countText(of record: OutboxRecord, _ sign: Int64) {
    var sum = DigestSum()
    countText(of: record, sign, in: &sum)
    core.digest.add(sum)
  }
  /// Puts what a step says into its record, and what that has no room for into chunks.
  mutating func setText(_ text: Bytes, of record: inout OutboxRecord) {
    let own = min(text.count, MemoryLayout<Block576>.size)
    record.textCount = UInt32(text.count)
    withUnsafeMutableBytes(of: &record.text) { $0.copyMemory(from: Bytes(rebasing: text[..<own])) }
    record.rest = addChunks(Array(text[own...]))
  }
  /// What a step says.
  func text(of record: OutboxRecord) -> [UInt8] {
    let count = Int(record.textCount)
    let own = min(count, MemoryLayout<Block576>.size)
    return withUnsafeBytes(of: record.text) { Array($0[..<own]) } + bytes(ofChunks: record.rest, count: count - own)
  }
  private func findOutbox(_ tx: TransactionID) -> Ref<OutboxRecord>? {
    tables.outbox.find(hashes.number(tx)) { $0.pointee.id == tx }
  }
  private mutating func dropOutbox(_ number: Ref<OutboxRecord>) {
    let record = tables.outbox.read(number).pointee
    record.count(-1, in: &core.digest)
    countText(of: record, -1)
    dropChunks(from: record.rest)
    tables.outbox.remove(number, hashes.number(record.id))
    core.openOutbox -= 1
  }

  /// The delivery of a step, made anew from the state; nil if that does not know what is to be delivered.
  private func delivery(of record: OutboxRecord) -> Delivery? {
    var buffer = ByteBuffer(capacity: 1024)
    let start = Command.begin(&buffer, .delivery, Slot(record.to), tenant: record.tenant)
    guard let type = steps.find(record.kind) else { return nil }
    buffer.append(record.id.rawValue)
    buffer.append(type.number(record.kind))
    buffer.append(record.kind)
    let isKnown = text(of: record).withUnsafeBytes { kept in
      type.append(record, kept, in: self, to: &buffer)
    }
    guard isKnown else { return nil }
    Command.end(&buffer, start)
    return Delivery(
      from: record.id, step: type.number(record.kind), kind: .delivery, to: Slot(record.to), stamp: record.stamp,
      command: buffer.array)
  }
  // MARK: At the destination

  mutating func applyDelivery(
    _ call: Call, _ reader: inout ByteReader, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) -> Outcome {
    let rawTransaction: UInt64 = try reader.read()
    let step: UInt8 = try reader.read()
    let kind: UInt8 = try reader.read()
    guard rawTransaction >> 48 < UInt64(Slot.count), rawTransaction & 0xFFFF_FFFF_FFFF > 0 else {
      throw MalformedBytes("a delivery from nowhere")
    }
    let from = TransactionID(rawValue: rawTransaction)
    if let number = findInbox(from, step) {
      newDeliveries.append(verdict(of: tables.inbox.read(number).pointee))
      return .silent
    }
    // Acknowledged long ago: the source knows the verdict.
    let key = deliveryKey(from, step, call.slot)
    if hasSeen(key) { return .silent }
    guard let type = steps.find(kind) else { throw MalformedBytes("a delivery of unknown kind") }
    let verdict = try type.receive(
      StepOrigin(kind: kind, transaction: from, tenant: call.tenant, slot: call.slot), &reader, in: &self)
    guard verdict != .later else { return .silent }
    remember(key, .none)
    var record = InboxRecord(
      from: from, stamp: now, code: verdict.code, which: verdict.which, step: step, slot: call.slot.rawValue)
    let text = verdict.text.prefix(Verdict.mostText)
    (record.textCount, record.text) = (UInt16(text.count), addChunks(Array(text)))
    addInbox(record)
    newDeliveries.append(self.verdict(of: record))
    return .silent
  }
  private func deliveryKey(_ from: TransactionID, _ step: UInt8, _ slot: Slot) -> RequestKey {
    let (low, high) = hashes.delivery(from, step)
    return RequestKey(low: low, high: high, fingerprint: from.rawValue, slot: slot)
  }
  private mutating func hasSeen(_ key: RequestKey) -> Bool {
    if let number = findRequest(key) {
      let record = tables.dedupe.read(number).pointee
      return record.fingerprint == key.fingerprint && !record.isPending
    }
    // A delivery is never refused for room.
    if UInt64(tables.dedupe.count) >= limits.requestIDs { try? makeRoomForRequest() }
    return false
  }
  private mutating func addInbox(_ record: InboxRecord) {
    _ = tables.inbox.add(record, hashes.number(record.from, step: record.step))
    core.openInbox += 1
    record.count(1, in: &core.digest)
    countText(of: record, 1)
  }
  func text(of record: InboxRecord) -> [UInt8] { bytes(ofChunks: record.text, count: Int(record.textCount)) }
  func countText(of record: InboxRecord, _ sign: Int64, in sum: inout DigestSum) {
    guard record.textCount > 0 else { return }
    let content = text(of: record).withUnsafeBytes { xxh64($0, seed: UInt64(record.step)) }
    sum.add(record.from.rawValue, DigestField.verdictText, sign &* Int64(bitPattern: content))
  }
  private mutating func countText(of record: InboxRecord, _ sign: Int64) {
    guard record.textCount > 0 else { return }
    var sum = DigestSum()
    countText(of: record, sign, in: &sum)
    core.digest.add(sum)
  }
  private func findInbox(_ from: TransactionID, _ step: UInt8) -> Ref<InboxRecord>? {
    tables.inbox.find(hashes.number(from, step: step)) { $0.pointee.from == from && $0.pointee.step == step }
  }
  private func verdict(of record: InboxRecord) -> Delivery {
    var buffer = ByteBuffer(capacity: 64)
    let start = Command.begin(&buffer, .verdict, record.from.slot)
    buffer.append(record.from.rawValue)
    buffer.append(record.step)
    buffer.append(record.code)
    buffer.append(record.which)
    buffer.append(record.slot)
    if record.textCount > 0 { buffer.append(counted: text(of: record)) }
    Command.end(&buffer, start)
    return Delivery(
      from: record.from, step: record.step, kind: .verdict, to: record.from.slot, stamp: record.stamp,
      command: buffer.array)
  }

  mutating func applyAcknowledged(_ reader: inout ByteReader) throws(MalformedBytes) -> Outcome {
    let rawTransaction: UInt64 = try reader.read()
    let step: UInt8 = try reader.read()
    try reader.finish()
    let from = TransactionID(rawValue: rawTransaction)
    guard let number = findInbox(from, step) else { return .silent }
    let record = tables.inbox.read(number).pointee
    record.count(-1, in: &core.digest)
    countText(of: record, -1)
    dropChunks(from: record.text)
    tables.inbox.remove(number, hashes.number(from, step: step))
    core.openInbox -= 1
    return .silent
  }

  // MARK: Back at the source

  mutating func applyVerdict(
    _ call: Call, _ reader: inout ByteReader, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) -> Outcome {
    let rawTransaction: UInt64 = try reader.read()
    let step: UInt8 = try reader.read()
    let code: UInt8 = try reader.read()
    let which: UInt8 = try reader.read()
    let rawSlot: UInt16 = try reader.read()
    let said = reader.isAtEnd ? [] : Array(try reader.readCounted())
    try reader.finish()
    guard rawSlot < UInt16(Slot.count) else { throw MalformedBytes("slot \(rawSlot) is out of range") }
    guard rawTransaction >> 48 == UInt64(call.slot.rawValue) else {
      throw MalformedBytes("a verdict in a foreign slot")
    }
    let from = TransactionID(rawValue: rawTransaction)
    guard let number = findOutbox(from), self.step(of: tables.outbox.read(number).pointee) == step else {
      // Recorded before: the settlement was lost, or is on its way.
      newDeliveries.append(settlement(from, step, to: Slot(rawSlot)))
      return .silent
    }
    let record = tables.outbox.read(number).pointee
    let verdict = Verdict(code: code, which: which, text: said)
    guard let type = steps.find(record.kind) else { throw MalformedBytes("a verdict on a step of unknown kind") }
    var text = ByteBuffer(capacity: 1024)
    text.append(self.text(of: record))
    if let next = try type.next(record, text.bytes, verdict, in: self) {
      goOn(number, next)
      newDeliveries.append(settlement(from, step, to: Slot(record.to)))
      return .silent
    }
    try type.complete(record, text.bytes, verdict, in: &self, &reply)
    let awaited = type.awaited(record, text.bytes, in: self)
    dropOutbox(number)
    newDeliveries.append(settlement(from, step, to: Slot(record.to)))
    return awaited == .none ? .silent : .completed(awaited)
  }
  private func step(of record: OutboxRecord) -> UInt8 { steps.find(record.kind)?.number(record.kind) ?? 0 }
  /// Keeps the next step of a transaction in place of the one that was answered, and gives it out.
  private mutating func goOn(_ number: Ref<OutboxRecord>, _ next: NextStep) {
    var record = tables.outbox.read(number).pointee
    record.count(-1, in: &core.digest)
    countText(of: record, -1)
    dropChunks(from: record.rest)
    record.text = Block576()
    next.text.withUnsafeBytes { setText($0, of: &record) }
    (record.kind, record.to, record.stamp) = (next.kind, next.to.rawValue, now)
    record.count(1, in: &core.digest)
    countText(of: record, 1)
    tables.outbox.write(number).pointee = record
    guard let delivery = delivery(of: record) else { return fail(.records) }
    newDeliveries.append(delivery)
  }
  private func settlement(_ from: TransactionID, _ step: UInt8, to: Slot) -> Delivery {
    var buffer = ByteBuffer(capacity: 64)
    let start = Command.begin(&buffer, .acknowledged, to)
    buffer.append(from.rawValue)
    buffer.append(step)
    Command.end(&buffer, start)
    return Delivery(from: from, step: step, kind: .acknowledged, to: to, stamp: now, command: buffer.array)
  }
  /// Ends the request of a step that is done, or keeps its refusal, or forgets it: by what was written since `start`.
  mutating func answer(
    _ step: OutboxRecord, _ refusal: Refusal?, request: Bytes, member: Bytes, slot: Slot, _ reply: inout ReplyWriter
  ) {
    let start = reply.buffer.count
    if let refusal { write(refusal, into: &reply) } else { reply.ok() }
    let key = self.request(of: step)
    guard refusal.map({ $0.code.isKept(about: $0.subject) }) ?? true else { return forget(key) }
    resolve(key, keptAnswer(request, member, step.tenant, slot: slot, reply, from: start))
  }

  // MARK: Out

  /// The deliveries, verdicts and settlements made since last asked, oldest first.
  public mutating func takeDeliveries() -> [Delivery] {
    guard !newDeliveries.isEmpty else { return [] }
    let taken = newDeliveries
    newDeliveries = []
    return taken
  }
  /// What is not acknowledged: what a new leader sends again, and any leader now and then. Up to `limit` of what this shard has
  /// sent, and as many verdicts on what others have: neither waits for the other. The next call goes on behind them.
  /// O(limit + places without any, of which `64 * limit` at most are looked at).
  public func openDeliveries(from places: inout DeliveryPlaces, limit: Int, _ body: (Delivery) -> Void) {
    if core.openOutbox > 0 {
      places.outbox = visit(tables.outbox.count, from: places.outbox, limit) { place in
        let record = tables.outbox.read(Ref(place: place)).pointee
        if record.id != .none, let delivery = delivery(of: record) { body(delivery) }
        return record.id != .none
      }
    }
    openParts(from: &places.part, limit: min(limit, limits.partsAtOnce), body)
    if core.openInbox > 0 {
      places.inbox = visit(tables.inbox.count, from: places.inbox, limit) { place in
        let record = tables.inbox.read(Ref(place: place)).pointee
        if record.from != .none { body(verdict(of: record)) }
        return record.from != .none
      }
    }
  }
  /// Returns the place to go on from, 0 after the last.
  private func visit(_ end: Int, from first: Int, _ limit: Int, _ isOpen: (Int) -> Bool) -> Int {
    var left = limit
    var at = first
    while at < min(end, first + 64 * limit), left > 0 {
      if isOpen(at) { left -= 1 }
      at += 1
    }
    return at < end ? at : 0
  }
  /// How many deliveries and verdicts are open; a parcel that is open counts as one.
  public var openDeliveryCount: Int { Int(core.openOutbox + core.openInbox) + (openExport == nil ? 0 : 1) }
}
