import Base

// A card number's slot owns who the number belongs to; the member's shard keeps the member's own cards with their states,
// which is what a purchase is checked against. A change goes to the number's slot, which sends a step to the member's and
// answers when the verdict is back. While it is away the entry is pending, and another change of that number is `BUSY`.

//
// A command that was sent by `card:NUMBER` may be repeated after the number passed to somebody else; it must have its
// first answer, and that lies with the member it named then. So a number's entry keeps its former holders for as long as
// their requests are remembered, and whoever looks the number up asks them first (`Query.appendRequest`): only where
// there are any, so that all other cards pay nothing. It is safe to send the former holder's shard what it has seen: if
// it had forgotten it meanwhile, the card is not theirs there any more, and nothing moves.

/// Who held a card number before, the last one first: `(until:i64 member:counted)*`.
struct FormerHolders {
  /// A number that passes on more often than this within the retention is refused: nobody is forgotten early.
  static let most = 16
  private var reader: ByteReader
  init(_ bytes: UnsafeRawBufferPointer) { reader = ByteReader(bytes) }
  mutating func next() -> (until: Stamp, member: UnsafeRawBufferPointer)? {
    guard let until: Int64 = try? reader.read(), let member = try? reader.readCounted() else { return nil }
    return (Stamp(microseconds: until), member)
  }
}

/// A change of a card, at the number's slot and at the member's.
struct CardStep {
  typealias Bytes = UnsafeRawBufferPointer
  enum Kind: UInt8 { case cardAdd = 2, memberAdd = 3, lost = 4, found = 5, remove = 6 }
  var kind: Kind
  var number: Bytes
  var member: Bytes
  var name = Bytes(start: nil, count: 0)
  var region = Bytes(start: nil, count: 0)
  var request = Bytes(start: nil, count: 0)

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(counted: number)
    buffer.append(counted: member)
    buffer.append(counted: name)
    buffer.append(counted: region)
    buffer.append(counted: request)
  }
  init(kind: Kind, number: Bytes, member: Bytes, name: Bytes, region: Bytes, request: Bytes) {
    self.kind = kind
    self.number = number
    self.member = member
    self.name = name
    self.region = region
    self.request = request
  }
  init(_ kind: Kind, decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.kind = kind
    number = try reader.readCounted()
    member = try reader.readCounted()
    name = try reader.readCounted()
    region = try reader.readCounted()
    request = try reader.readCounted()
    guard number.isIdentifier, member.isIdentifier, name.count <= Ledger.longestName,
      region.count <= Ledger.longestRegion
    else { throw MalformedBytes("a card step with a bad text") }
  }
}

/// A step's verdict: done, or why not.
struct Verdict: Equatable {
  /// 0: done.
  var code: UInt8 = 0
  var which: UInt8 = 0
  static let done = Verdict()
  /// Done, and nothing had to be changed: the card stays as it is.
  static let unchanged = Verdict(code: 0, which: 1)
  static let whichNames: [String] = ["", "balance", "lots", "cards", "members", "program"]
  init() {}
  init(_ code: ErrorCode, which: UInt8 = 0) {
    self.code = code.rawValue
    self.which = which
  }
  init(code: UInt8, which: UInt8) {
    self.code = code
    self.which = which
  }
}

extension Ledger {
  // MARK: The number's slot

  mutating func applyCardAdd(
    _ header: CommandHeader, _ reader: inout ByteReader, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) -> Outcome {
    let member = try reader.readCounted()
    let number = try reader.readCounted()
    let request = try reader.readCounted()
    try reader.finish()
    try Ledger.check(member, "member")
    try Ledger.check(number, "card")
    if request.count > 0 { try Ledger.check(request, "id") }
    let none = Bytes(start: nil, count: 0)
    let step = CardStep(kind: .cardAdd, number: number, member: member, name: none, region: none, request: request)
    return try claimCard(header, step, &reply)
  }

  /// `CARD ADD`, or `MEMBER ADD card=`: claims the number, then asks the member's shard.
  mutating func claimCard(
    _ header: CommandHeader, _ step: CardStep, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) -> Outcome {
    let tenant = header.context.tenant
    let scope = hashes.card(step.number, tenant)
    let hash = Slot.hash(.card, tenant: tenant, id: step.number)
    guard Slot(hash: hash) == header.slot else { throw MalformedBytes("the card lies in another slot") }
    let key = RequestKey(scope, step.request, header)
    if let outcome = repeated(key, &reply) { return outcome }
    var place = findCard(scope.finishedLow(), tenant, step.number)
    if let place {
      let entry = cardEntries.read(Int(place)).pointee
      if entry.pending != .none {
        reply.error(.busy, "the card is being changed")
        return .replied
      }
      if entry.state == CardState.active.rawValue || entry.state == CardState.lost.rawValue {
        guard texts.equals(entry.member, step.member) else {
          reply.error(.exists, "the card belongs to another member")
          return .replied
        }
        if step.kind == .cardAdd {
          done(key, step.request, step.member, header, &reply)
          return .replied
        }
      } else if !mayPass(UnsafePointer(cardEntries.read(Int(place))), to: step.member) {
        let start = reply.buffer.count
        reply.error(.limit, "the card had too many holders of late")
        reply.field(.which, "holders")
        keepAnswer(key, step.request, step.member, header.context, slot: header.slot, reply, from: start)
        return .replied
      }
    } else {
      place = UInt32(
        cardEntries.append(
          CardEntryRecord(
            hash: hash, number: texts.append(step.number), member: 0, tenant: tenant,
            state: CardState.claimed.rawValue)))
      cardIndex.insert(scope.finishedLow(), (place ?? 0) + 1)
    }
    guard let place else { return .replied }
    return sendCardStep(header, step, place, key, &reply)
  }

  mutating func applyCardState(
    _ header: CommandHeader, _ reader: inout ByteReader, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) -> Outcome {
    let number = try reader.readCounted()
    guard let change = Command.CardChange(rawValue: try reader.read()) else {
      throw MalformedBytes("an unknown change of a card")
    }
    let request = try reader.readCounted()
    try reader.finish()
    try Ledger.check(number, "card")
    if request.count > 0 { try Ledger.check(request, "id") }
    let tenant = header.context.tenant
    let scope = hashes.card(number, tenant)
    guard Command.cardSlot(number, tenant: tenant) == header.slot else {
      throw MalformedBytes("the card lies in another slot")
    }
    let key = RequestKey(scope, request, header)
    if let outcome = repeated(key, &reply) { return outcome }
    guard let place = findCard(scope.finishedLow(), tenant, number),
      cardEntries.read(Int(place)).pointee.state != CardState.claimed.rawValue
    else {
      reply.error(.notFound, "no such card")
      return .replied
    }
    let entry = cardEntries.read(Int(place)).pointee
    if entry.pending != .none {
      reply.error(.busy, "the card is being changed")
      return .replied
    }
    let target: CardState = change == .lost ? .lost : change == .found ? .active : .removed
    if entry.state == target.rawValue {
      done(key, request, texts.read(entry.member), header, &reply)
      return .replied
    }
    guard entry.state != CardState.removed.rawValue else {
      reply.error(.notFound, "the card was removed")
      return .replied
    }
    let none = Bytes(start: nil, count: 0)
    let kind: CardStep.Kind = change == .lost ? .lost : change == .found ? .found : .remove
    let step = CardStep(
      kind: kind, number: number, member: texts.read(entry.member), name: none, region: none, request: request)
    return sendCardStep(header, step, place, key, &reply)
  }

  /// Does the member's part here at once where the member is here, else sends it.
  private mutating func sendCardStep(
    _ header: CommandHeader, _ step: CardStep, _ place: UInt32, _ key: RequestKey, _ reply: inout ReplyWriter
  ) -> Outcome {
    let tenant = header.context.tenant
    if let number = findMember(step.member, tenant: tenant) {
      let verdict = attach(number, step)
      finishCard(place, step, verdict)
      answerCard(verdict, key, step.request, step.member, header.context, header.slot, &reply)
      return .replied
    }
    let tx = nextTransaction(header.slot)
    var record = OutboxRecord(
      id: tx, stamp: now, to: Command.memberSlot(step.member, tenant: tenant).rawValue, kind: step.kind.rawValue,
      tenant: tenant)
    record.card = place + 1
    setRequest(key, &record)
    var texts = ByteBuffer(capacity: 512)
    step.encode(into: &texts)
    addOutbox(&record, texts.bytes)
    cardEntries.write(Int(place)).pointee.pending = tx
    core.digest.add(cardEntries.read(Int(place)).pointee.hash, DigestField.link, Int64(bitPattern: tx.rawValue))
    remember(key, pending: tx)
    return .pending(tx)
  }
  /// Writes a verdict on the number's entry.
  mutating func finishCard(_ place: UInt32, _ step: CardStep, _ verdict: Verdict) {
    let entry = cardEntries.write(Int(place))
    let hash = entry.pointee.hash
    if entry.pointee.pending != .none {
      core.digest.add(hash, DigestField.link, 0 &- Int64(bitPattern: entry.pointee.pending.rawValue))
      entry.pointee.pending = .none
    }
    guard verdict == .done else { return }
    countCardEntry(UnsafePointer(entry), -1)
    switch step.kind {
    case .cardAdd, .memberAdd:
      if entry.pointee.member == 0 || !texts.equals(entry.pointee.member, step.member) {
        if entry.pointee.member != 0 { entry.pointee.former = holders(before: step.member, UnsafePointer(entry)) }
        entry.pointee.member = texts.append(step.member)
      }
      // The same card named again keeps its state: it may be reported lost.
      if entry.pointee.state != CardState.lost.rawValue { entry.pointee.state = CardState.active.rawValue }
    case .lost: entry.pointee.state = CardState.lost.rawValue
    case .found: entry.pointee.state = CardState.active.rawValue
    case .remove: entry.pointee.state = CardState.removed.rawValue
    }
    countCardEntry(UnsafePointer(entry), 1)
  }
  mutating func answerCard(
    _ verdict: Verdict, _ key: RequestKey, _ request: Bytes, _ member: Bytes, _ context: CommandContext, _ slot: Slot,
    _ reply: inout ReplyWriter
  ) {
    let start = reply.buffer.count
    writeVerdict(verdict, &reply)
    let code = ErrorCode(rawValue: verdict.code)
    if code == nil || code == .closed || code == .limit {
      keepAnswer(key, request, member, context, slot: slot, reply, from: start)
    }
  }
  func writeVerdict(_ verdict: Verdict, _ reply: inout ReplyWriter) {
    switch ErrorCode(rawValue: verdict.code) {
    case nil: reply.ok()
    case .notFound: reply.error(.notFound, "no such member")
    case .exists: reply.error(.exists, "a member of that id has other content")
    case .closed: reply.error(.closed, "the member is closed")
    case .frozen: reply.error(.frozen, "the member is frozen")
    case .lost: reply.error(.lost, "the card is reported lost")
    case .limit:
      reply.error(.limit, "over a limit")
      let which = Int(verdict.which)
      reply.field(.which, which < Verdict.whichNames.count ? Verdict.whichNames[which] : "")
    case let code?: reply.error(code, "refused")
    }
  }
  /// The place of a card's entry. `hash` is the number's keyed one.
  func findCard(_ hash: UInt64, _ tenant: TenantID, _ number: Bytes) -> UInt32? {
    cardIndex.find(hash) { value in
      let entry = cardEntries.read(Int(value - 1))
      return entry.pointee.tenant == tenant && texts.equals(entry.pointee.number, number)
    }.map { $0 - 1 }
  }
  func cardContent(_ entry: UnsafePointer<CardEntryRecord>) -> UInt64 {
    guard entry.pointee.member != 0 else { return 0 }
    let present = xxh64(texts.read(entry.pointee.member), seed: UInt64(entry.pointee.state))
    return entry.pointee.former == 0 ? present : xxh64(texts.read(entry.pointee.former), seed: present)
  }
  private mutating func countCardEntry(_ entry: UnsafePointer<CardEntryRecord>, _ sign: Int64) {
    core.digest.add(entry.pointee.hash, DigestField.cardEntry, sign &* Int64(bitPattern: cardContent(entry)))
  }

  // MARK: Former holders

  /// Calls `body` with each former holder whose requests may still be remembered, the last one first.
  func forEachFormerHolder(
    _ entry: UnsafePointer<CardEntryRecord>, _ body: (_ until: Stamp, _ member: Bytes) -> Void
  ) {
    guard entry.pointee.former != 0 else { return }
    let oldest = now.microseconds - limits.retentionSeconds * CivilTime.microsecondsPerSecond
    var list = FormerHolders(texts.read(entry.pointee.former))
    while let (until, member) = list.next() {
      if until.microseconds >= oldest { body(until, member) }
    }
  }
  /// Whether a number's list of holders has room for it to pass to a member.
  private func mayPass(_ entry: UnsafePointer<CardEntryRecord>, to member: Bytes) -> Bool {
    guard entry.pointee.member != 0, !texts.equals(entry.pointee.member, member) else { return true }
    var count = 1
    forEachFormerHolder(entry) { _, former in
      if !former.elementsEqual(member) && !texts.equals(entry.pointee.member, former) { count += 1 }
    }
    return count <= FormerHolders.most
  }
  /// The list for an entry whose number passes to a member now: each once, and not the new holder.
  private mutating func holders(before member: Bytes, _ entry: UnsafePointer<CardEntryRecord>) -> UInt64 {
    var list = ByteBuffer(capacity: 256)
    list.append(now.microseconds)
    list.append(counted: texts.read(entry.pointee.member))
    forEachFormerHolder(entry) { until, former in
      guard !former.elementsEqual(member), !texts.equals(entry.pointee.member, former) else { return }
      list.append(until.microseconds)
      list.append(counted: former)
    }
    return texts.append(list.bytes)
  }

  // MARK: The member's slot

  /// The state of one of a member's cards; nil if it has no such card.
  func cardState(_ member: UInt32, _ number: Bytes) -> CardState? {
    findCard(of: member, number).flatMap { CardState(rawValue: cards.read(Int($0 - 1)).pointee.state) }
  }
  private func findCard(of member: UInt32, _ number: Bytes) -> UInt32? {
    var next = members.read(Int(member)).pointee.firstCard
    while next != 0 {
      let card = cards.read(Int(next - 1))
      if texts.equals(card.pointee.number, number) { return next }
      next = card.pointee.next
    }
    return nil
  }
  /// The member's part of a card step, for a member that is here.
  mutating func attach(_ member: UInt32, _ step: CardStep) -> Verdict {
    let own = findCard(of: member, step.number)
    switch step.kind {
    case .lost, .found, .remove:
      guard let own else { return Verdict(.notFound) }
      setCard(own, of: member, step.kind == .lost ? .lost : step.kind == .found ? .active : .removed)
      return .done
    case .memberAdd:
      guard hasContent(member, name: step.name, region: step.region), let own else { return Verdict(.exists) }
      // Adding the same again does not bind a card again that was removed since: the repeat may be a late one.
      return cards.read(Int(own - 1)).pointee.state == CardState.removed.rawValue ? .unchanged : .done
    case .cardAdd:
      if members.read(Int(member)).pointee.state == MemberState.closed.rawValue { return Verdict(.closed) }
      return addCard(step.number, to: member)
    }
  }
  /// Binds a number to a member, anew if it was removed.
  mutating func addCard(_ number: Bytes, to member: UInt32) -> Verdict {
    if let own = findCard(of: member, number) {
      if cards.read(Int(own - 1)).pointee.state == CardState.removed.rawValue { setCard(own, of: member, .active) }
      return .done
    }
    let record = members.write(Int(member))
    guard Int(record.pointee.cardCount) < min(limits.cardsPerMember, 255) else { return Verdict(.limit, which: 3) }
    let place = cards.append(
      CardRecord(
        number: texts.append(number), next: record.pointee.firstCard, state: CardState.active.rawValue))
    record.pointee.firstCard = UInt32(place + 1)
    record.pointee.cardCount += 1
    core.digest.add(
      cardKey(record.pointee.hash, number), DigestField.card, Int64(CardState.active.rawValue))
    return .done
  }
  private mutating func setCard(_ card: UInt32, of member: UInt32, _ state: CardState) {
    let record = cards.write(Int(card - 1))
    let key = cardKey(hash(ofMember: member), texts.read(record.pointee.number))
    core.digest.add(key, DigestField.card, Int64(state.rawValue) - Int64(record.pointee.state))
    record.pointee.state = state.rawValue
  }
  func cardKey(_ member: UInt64, _ number: Bytes) -> UInt64 { DigestSum.mix(member, xxh64(number)) }
}
