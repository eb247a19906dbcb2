import Base
import Vocabulary

/// An alias of a member who is erased, at the alias's slot. A member's slot asks for all of them side by side, and answers
/// once the last is gone. Meanwhile the member gets no new one (`BUSY`). One that is being changed just then stays, and the
/// answer is `UNKNOWN`: whoever sends the same again has the rest erased. Nobody asks again by himself, for the change may wait long.
enum EraseStep: ShardStep {
  typealias Bytes = UnsafeRawBufferPointer
  static let kind: UInt8 = 24
  static var kinds: ClosedRange<UInt8> { kind...kind }

  /// What it says, and is kept.
  struct Content {
    var number: [UInt8]
    var member: [UInt8]
    var request: [UInt8]
    /// For what terminals wait.
    var awaited: TransactionID

    init(number: [UInt8], member: [UInt8], request: [UInt8], awaited: TransactionID) {
      (self.number, self.member, self.request, self.awaited) = (number, member, request, awaited)
    }
    init(_ reader: inout ByteReader) throws(MalformedBytes) {
      number = Array(try reader.readCounted())
      member = Array(try reader.readCounted())
      request = Array(try reader.readCounted())
      awaited = TransactionID(rawValue: try reader.read())
      guard number.withUnsafeBytes({ AliasKey.isKey($0) }), member.withUnsafeBytes({ $0.isIdentifier }) else {
        throw MalformedBytes("an erasure with a bad text")
      }
    }
    init(kept: Bytes) throws(MalformedBytes) {
      var reader = ByteReader(kept)
      try self.init(&reader)
    }
    var bytes: [UInt8] {
      var buffer = ByteBuffer(capacity: 256)
      for text in [number, member, request] { buffer.append(counted: text) }
      buffer.append(awaited.rawValue)
      return buffer.array
    }
  }

  static func receive(
    _ origin: StepOrigin, _ reader: inout ByteReader, in ledger: inout Ledger
  ) throws(MalformedBytes) -> Verdict {
    let content = try Content(&reader)
    try reader.finish()
    return ledger.eraseEntry(content, origin.tenant)
  }
  static func complete(
    _ step: OutboxRecord, _ kept: Bytes, _ verdict: Verdict, in ledger: inout Ledger, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) {
    let content = try Content(kept: kept)
    guard let member = content.member.withUnsafeBytes({ ledger.findMember($0, tenant: step.tenant) }) else {
      return ledger.fail(.records)
    }
    if verdict == .done { content.number.withUnsafeBytes { ledger.dropCard($0, of: member) } }
    let ref = ledger.openFile(ofMember: member)
    let file = ledger.tables.files.write(ref)
    guard file.pointee.openErasures > 0 else { return ledger.fail(.records) }
    file.pointee.openErasures -= 1
    guard file.pointee.openErasures == 0 else { return }
    ledger.setErasure(of: member, at: file.pointee.erasedAt, .none)
    let isWhole = ledger.tables.members.read(member).pointee.firstCard == .none
    let refusal = isWhole ? nil : Refusal(.unknown, "an alias was being changed: send the same again")
    content.request.withUnsafeBytes { request in
      content.member.withUnsafeBytes {
        ledger.answer(step, refusal, request: request, member: $0, slot: step.id.slot, &reply)
      }
    }
  }
  static func awaited(_ step: OutboxRecord, _ kept: Bytes, in ledger: borrowing Ledger) -> TransactionID {
    guard let content = try? Content(kept: kept),
      let member = content.member.withUnsafeBytes({ ledger.findMember($0, tenant: step.tenant) }),
      !ledger.isBeingErased(member)
    else { return .none }
    return content.awaited
  }
}

extension Ledger {
  mutating func sendErasure(_ content: EraseStep.Content, _ tenant: TenantID, _ slot: Slot, _ key: RequestKey) {
    let to = content.number.withUnsafeBytes { Command.cardSlot($0, tenant: tenant) }
    var record = OutboxRecord(
      id: nextTransaction(slot), stamp: now, to: to.rawValue, kind: EraseStep.kind, tenant: tenant)
    setRequest(key, &record)
    content.bytes.withUnsafeBytes { addOutbox(&record, $0) }
  }

  // MARK: The alias's slot

  /// Nothing is left of the alias; or of the member among those who held it before.
  fileprivate mutating func eraseEntry(_ content: EraseStep.Content, _ tenant: TenantID) -> Verdict {
    let place = content.number.withUnsafeBytes { findCard(hashes.card($0, tenant).finishedLow(), tenant, $0) }
    guard let place else { return .done }
    let entry = tables.cardEntries.read(place)
    guard entry.pointee.pending == .none else { return Verdict(.busy) }
    let isOwn =
      entry.pointee.member != 0 && content.member.withUnsafeBytes { tables.texts.equals(entry.pointee.member, $0) }
    guard isOwn else {
      content.member.withUnsafeBytes { dropFormer($0, place) }
      return .done
    }
    removeEntry(place)
    return .done
  }
  /// Nothing is left of an alias.
  mutating func removeEntry(_ place: Ref<CardEntryRecord>) {
    let entry = tables.cardEntries.read(place)
    var sum = DigestSum()
    CardEntryRecord.addDigest(of: entry, in: self, to: &sum)
    core.digest.subtract(sum)
    census?.cards.forget(place.place, Slot(hash: entry.pointee.hash))
    CardEntryRecord.remove(place, of: &self)
  }
  mutating func dropFormer(_ member: Bytes, _ place: Ref<CardEntryRecord>) {
    let entry = tables.cardEntries.write(place)
    guard entry.pointee.former != 0 else { return }
    var list = ByteBuffer(capacity: 256)
    forEachFormerHolder(UnsafePointer(entry)) { until, former in
      guard !former.elementsEqual(member) else { return }
      list.append(until.microseconds)
      list.append(counted: former)
    }
    countCardEntry(UnsafePointer(entry), -1)
    tables.texts.erase(entry.pointee.former)
    entry.pointee.former = list.isEmpty ? 0 : tables.texts.append(list.bytes)
    countCardEntry(UnsafePointer(entry), 1)
  }

  // MARK: The member's slot

  /// Takes a card out of its member's list. Nothing is left of its number.
  mutating func dropCard(_ key: Bytes, of member: Ref<MemberRecord>) {
    guard let own = findCard(of: member, key) else { return }
    let card = tables.cards.read(own).pointee
    core.digest.add(
      cardKey(hash(ofMember: member), tables.texts.read(card.number)), DigestField.card, -Int64(card.state))
    let record = tables.members.write(member)
    if record.pointee.firstCard == own {
      record.pointee.firstCard = card.next
    } else {
      var before = record.pointee.firstCard
      while tables.cards.read(before).pointee.next != own { before = tables.cards.read(before).pointee.next }
      tables.cards.write(before).pointee.next = card.next
    }
    if card.state != CardState.replaced.rawValue, AliasKey.isCard(key) { record.pointee.cardCount &-= 1 }
    tables.texts.erase(card.number)
    tables.cards.remove(own)
  }
}
