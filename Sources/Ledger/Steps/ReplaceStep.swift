import Base
import Vocabulary

/// A card in the place of another, over the slots of both numbers and of their member. The old number's slot asks one after the other,
/// and waits for each as long as it takes:
///
/// | step | asks | done | refused |
/// | --- | --- | --- | --- |
/// | 1 `claim` | the new number's slot to keep it for this | on to 2 | the request ends: nothing was changed |
/// | 2 `swap` | the member's slot: old lost for ever, new bound with its type | on to 3 `bind` | on to 3 `release` |
/// | 3 `bind`, `release` | the new number's slot: it is the member's; or it is free again | the request ends | is not |
///
/// Until it ends both numbers are `BUSY`. A step is in the outbox until its verdict is recorded, so a leader that fails,
/// a lost message, or a slot that moves only delays it: there is no step after which nobody goes on. Before 2 is decided purchases by the
/// old card go on; after it they are refused, and those by the new one go once 3 has come.
enum ReplaceStep: ShardStep {
  typealias Bytes = UnsafeRawBufferPointer
  enum Kind: UInt8 { case claim = 20, swap = 21, bind = 22, release = 23 }
  static var kinds: ClosedRange<UInt8> { Kind.claim.rawValue...Kind.release.rawValue }
  static func number(_ kind: UInt8) -> UInt8 { min(kind &- Kind.claim.rawValue, 2) + 1 }

  /// What it says, and is kept.
  struct Content {
    var old: [UInt8]
    var new: [UInt8]
    var member: [UInt8]
    var request: [UInt8]
    /// Why it is released.
    var verdict = Verdict.done

    init(old: [UInt8], new: [UInt8], member: [UInt8], request: [UInt8]) {
      (self.old, self.new, self.member, self.request) = (old, new, member, request)
    }
    init(_ reader: inout ByteReader) throws(MalformedBytes) {
      old = Array(try reader.readCounted())
      new = Array(try reader.readCounted())
      member = Array(try reader.readCounted())
      request = Array(try reader.readCounted())
      verdict = Verdict(code: try reader.read(), which: try reader.read())
      for text in [old, new, member] where !text.withUnsafeBytes({ $0.isIdentifier }) {
        throw MalformedBytes("a card step with a bad text")
      }
    }
    init(kept: Bytes) throws(MalformedBytes) {
      var reader = ByteReader(kept)
      try self.init(&reader)
    }
    var bytes: [UInt8] {
      var buffer = ByteBuffer(capacity: 288)
      for text in [old, new, member, request] { buffer.append(counted: text) }
      buffer.append(verdict.code)
      buffer.append(verdict.which)
      return buffer.array
    }
  }

  static func receive(
    _ origin: StepOrigin, _ reader: inout ByteReader, in ledger: inout Ledger
  ) throws(MalformedBytes) -> Verdict {
    let content = try Content(&reader)
    try reader.finish()
    switch Kind(rawValue: origin.kind) {
    case .claim: return ledger.claim(content, origin)
    case .swap: return ledger.swap(content, origin)
    case .bind, .release, nil: return ledger.endClaim(content, origin)
    }
  }
  static func next(
    _ step: OutboxRecord, _ kept: Bytes, _ verdict: Verdict, in ledger: borrowing Ledger
  ) throws(MalformedBytes) -> NextStep? {
    var content = try Content(kept: kept)
    let newSlot = content.new.withUnsafeBytes { Command.cardSlot($0, tenant: step.tenant) }
    switch Kind(rawValue: step.kind) {
    case .claim where verdict == .done:
      let slot = content.member.withUnsafeBytes { Command.memberSlot($0, tenant: step.tenant) }
      return NextStep(kind: Kind.swap.rawValue, to: slot, text: content.bytes)
    case .swap:
      content.verdict = verdict
      let kind = verdict == .done ? Kind.bind : .release
      return NextStep(kind: kind.rawValue, to: newSlot, text: content.bytes)
    default: return nil
    }
  }
  static func complete(
    _ step: OutboxRecord, _ kept: Bytes, _ verdict: Verdict, in ledger: inout Ledger, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) {
    let content = try Content(kept: kept)
    guard step.card != .none else { return ledger.fail(.records) }
    let isDone = Kind(rawValue: step.kind) == .bind
    ledger.endReplacing(step.card, isDone: isDone)
    // Refused at the first step, or at the second, which says so.
    let refusal = ledger.replaceRefusal(verdict == .done ? content.verdict : verdict)
    let slot = step.id.slot
    content.request.withUnsafeBytes { request in
      content.member.withUnsafeBytes { member in
        guard isDone else { return ledger.answer(step, refusal, request: request, member: member, slot: slot, &reply) }
        let start = reply.buffer.count
        reply.record()
        reply.field(.member, member)
        let position = ledger.keptAnswer(request, member, step.tenant, slot: slot, reply, from: start)
        ledger.resolve(ledger.request(of: step), position)
      }
    }
  }
}

extension Ledger {
  // MARK: The new number's slot

  /// Keeps a number that is nobody's for the member.
  fileprivate mutating func claim(_ content: ReplaceStep.Content, _ origin: StepOrigin) -> Verdict {
    content.new.withUnsafeBytes { number in
      let place = findCard(hashes.card(number, origin.tenant).finishedLow(), origin.tenant, number)
      guard let place else {
        let new = addEntry(number, origin.tenant)
        setPending(new, origin.transaction)
        return .done
      }
      let entry = tables.cardEntries.read(place)
      guard entry.pointee.pending == .none else { return Verdict(.busy) }
      guard [.claimed, .removed].contains(CardState(rawValue: entry.pointee.state)) else { return Verdict(.exists) }
      guard content.member.withUnsafeBytes({ mayPass(entry, to: $0) }) else { return Verdict(.limit, which: 7) }
      setPending(place, origin.transaction)
      return .done
    }
  }
  /// What was claimed is the member's, or free again.
  fileprivate mutating func endClaim(_ content: ReplaceStep.Content, _ origin: StepOrigin) -> Verdict {
    content.new.withUnsafeBytes { number in
      guard let place = findCard(hashes.card(number, origin.tenant).finishedLow(), origin.tenant, number),
        tables.cardEntries.read(place).pointee.pending == origin.transaction
      else { return .done }
      content.member.withUnsafeBytes { member in
        let step = CardStep(kind: .cardAdd, number: number, member: member, request: Command.none)
        finishCard(place, step, origin.kind == ReplaceStep.Kind.bind.rawValue ? .done : Verdict(.exists))
      }
      return .done
    }
  }

  // MARK: The member's slot

  fileprivate mutating func swap(_ content: ReplaceStep.Content, _ origin: StepOrigin) -> Verdict {
    guard let member = content.member.withUnsafeBytes({ findMember($0, tenant: origin.tenant) }) else {
      return Verdict(.notFound)
    }
    guard tables.members.read(member).pointee.state != MemberState.closed.rawValue else { return Verdict(.closed) }
    guard !isBeingErased(member), !isMerging(member) else { return Verdict(.busy) }
    guard let old = content.old.withUnsafeBytes({ findCard(of: member, $0) }),
      tables.cards.read(old).pointee.state != CardState.removed.rawValue
    else { return Verdict(.notFound) }
    guard replacedCount(member) < CardRecord.mostReplaced else { return Verdict(.limit, which: 3) }
    let type = Array(type(of: tables.cards.read(old)))
    let before = CardState(rawValue: tables.cards.read(old).pointee.state) ?? .active
    // The new one takes the room of the old one, which counts no more.
    setCard(old, of: member, .replaced)
    tables.members.write(member).pointee.cardCount &-= 1
    let verdict = content.new.withUnsafeBytes { addCard($0, type: type, to: member) }
    guard verdict != .done else { return .done }
    setCard(old, of: member, before)
    tables.members.write(member).pointee.cardCount &+= 1
    return verdict
  }
  private func replacedCount(_ member: Ref<MemberRecord>) -> Int {
    var count = 0
    var next = tables.members.read(member).pointee.firstCard
    while next != .none {
      let card = tables.cards.read(next).pointee
      if card.state == CardState.replaced.rawValue { count += 1 }
      next = card.next
    }
    return count
  }

  // MARK: The old number's slot

  fileprivate mutating func endReplacing(_ place: Ref<CardEntryRecord>, isDone: Bool) {
    let entry = tables.cardEntries.write(place)
    core.digest.add(entry.pointee.hash, DigestField.link, 0 &- Int64(bitPattern: entry.pointee.pending.rawValue))
    entry.pointee.pending = .none
    guard isDone else { return }
    countCardEntry(UnsafePointer(entry), -1)
    entry.pointee.state = CardState.replaced.rawValue
    countCardEntry(UnsafePointer(entry), 1)
  }
  fileprivate func replaceRefusal(_ verdict: Verdict) -> Refusal? {
    switch ErrorCode(rawValue: verdict.code) {
    case .exists: Refusal(.exists, "the new card is bound already")
    case .busy: Refusal(.busy, "the new card is being changed, or the member erased")
    case .notFound: Refusal(.notFound, "the member has no such card any more")
    default: refusal(verdict)
    }
  }
}
