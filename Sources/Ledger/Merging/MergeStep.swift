import Base
import Vocabulary

/// Two members made one, over the slots of both and of FROM's aliases. FROM's slot asks one after the other; each step is a transaction of
/// its own, so that any number of parts can be under way:
///
/// | step | asks | done | refused |
/// | --- | --- | --- | --- |
/// | 1 `offer` | INTO's slot: may it be, and is there room? It keeps the room | FROM's lots, holds and counters leave it in parts, one step 2 each | the request ends, FROM is as before |
/// | 2 `carry` | INTO's slot: to take a part in | after the last: a step 3 for each alias | cannot be: the room is kept |
/// | 3 `redirect` | an alias's slot: it is INTO's | after the last: 4 | waits while the alias is being changed |
/// | 4 `conclude` | INTO's slot: all has come, what is the balance? | FROM is closed, the request ends | cannot be |
///
/// FROM is `merging` from the request on until it ends: commands about it are `BUSY`. INTO meanwhile is not closed, erased or merged itself.
/// What a part carries is in transit until its verdict is recorded: see `docs/merging.md`.
enum MergeStep: ShardStep {
  typealias Bytes = UnsafeRawBufferPointer
  enum Kind: UInt8 { case offer = 40, carry = 41, conclude = 42, redirect = 43 }
  static var kinds: ClosedRange<UInt8> { Kind.offer.rawValue...Kind.redirect.rawValue }

  static func forEachUnderWay(
    _ step: OutboxRecord, in ledger: borrowing Ledger, _ body: (ProgramRef, Points) -> Void
  ) {
    guard step.kind == Kind.carry.rawValue else { return }
    ledger.text(of: step).withUnsafeBytes { kept in
      var program = ProgramRef.none
      for item in (try? parts(kept))?.items ?? [] {
        if case .program(let next) = item { program = next }
        if item.points > 0 { body(program, item.points) }
      }
    }
  }
  fileprivate static func parts(_ kept: Bytes) throws(MalformedBytes) -> (head: MergeHead, items: [MergeItem]) {
    var reader = ByteReader(kept)
    let head = try MergeHead(&reader)
    return (head, try MergeItem.all(&reader))
  }

  static func receive(
    _ origin: StepOrigin, _ reader: inout ByteReader, in ledger: inout Ledger
  ) throws(MalformedBytes) -> Verdict {
    let head = try MergeHead(&reader)
    switch Kind(rawValue: origin.kind) {
    case .offer:
      let room = try MergeRoom(&reader)
      try reader.finish()
      return ledger.offered(head, room, origin)
    case .carry: return ledger.carried(head, try MergeItem.all(&reader), origin)
    case .conclude:
      try reader.finish()
      return ledger.concluded(head, origin)
    case .redirect, nil:
      let key = try reader.readCounted()
      try reader.finish()
      guard AliasKey.isKey(key) else { throw MalformedBytes("a merge with a bad alias") }
      return ledger.redirect(key, head, origin)
    }
  }
  static func complete(
    _ step: OutboxRecord, _ kept: Bytes, _ verdict: Verdict, in ledger: inout Ledger, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) {
    var reader = ByteReader(kept)
    let head = try MergeHead(&reader)
    guard let member = head.from.withUnsafeBytes({ ledger.findMember($0, tenant: step.tenant) }),
      ledger.transaction(ofBond: .merging, of: member) == head.merge
    else { return ledger.fail(.records) }
    switch Kind(rawValue: step.kind) {
    case .offer where verdict != .done: ledger.endMerge(refused: verdict, member, step, head, &reply)
    case .offer: ledger.sendParts(member, step, head)
    case .carry:
      ledger.arrived(try MergeItem.all(&reader), member, step, head, verdict)
      if ledger.endOpen(member) { ledger.redirectAll(member, step, head) }
    case .redirect:
      ledger.dropCard(try reader.readCounted(), of: member)
      if ledger.endOpen(member) { ledger.conclude(step, head) }
    case .conclude, nil: ledger.endMerge(member, step, head, verdict, &reply)
    }
  }
  static func awaited(_ step: OutboxRecord, _ kept: Bytes, in ledger: borrowing Ledger) -> TransactionID {
    guard let head = try? MergeHead(kept: kept),
      let member = head.from.withUnsafeBytes({ ledger.findMember($0, tenant: step.tenant) }),
      ledger.transaction(ofBond: .merging, of: member) != head.merge
    else { return .none }
    return head.merge
  }
}

extension Ledger {
  // MARK: FROM's slot

  /// Sends one of the steps that a merge, or a pool, is made of, by the request that asked for it.
  mutating func sendBondStep(
    _ kind: UInt8, from slot: Slot, to: Slot, _ tenant: TenantID, _ text: [UInt8], _ key: RequestKey,
    id: TransactionID? = nil
  ) {
    var record = OutboxRecord(
      id: id ?? nextTransaction(slot), stamp: now, to: to.rawValue, kind: kind, tenant: tenant)
    setRequest(key, &record)
    text.withUnsafeBytes { addOutbox(&record, $0) }
  }
  private mutating func send(_ kind: MergeStep.Kind, to: Slot, _ text: [UInt8], by step: OutboxRecord) {
    sendBondStep(kind.rawValue, from: step.id.slot, to: to, step.tenant, text, request(of: step))
  }
  /// One step less is open. Whether it was the last.
  fileprivate mutating func endOpen(_ member: Ref<MemberRecord>) -> Bool {
    let open = count(ofBond: .merging, of: member)
    guard open > 0 else {
      fail(.records)
      return false
    }
    setBond(.merging, of: member, count: open - 1)
    return open == 1
  }

  /// INTO has room: all that moves leaves FROM in this entry.
  fileprivate mutating func sendParts(_ member: Ref<MemberRecord>, _ step: OutboxRecord, _ head: MergeHead) {
    let parts = takeOut(member, head)
    guard !parts.isEmpty else { return conclude(step, head) }
    setBond(.merging, of: member, count: parts.count)
    let to = head.into.withUnsafeBytes { Command.memberSlot($0, tenant: step.tenant) }
    for part in parts { send(.carry, to: to, part, by: step) }
  }
  fileprivate mutating func conclude(_ step: OutboxRecord, _ head: MergeHead) {
    let to = head.into.withUnsafeBytes { Command.memberSlot($0, tenant: step.tenant) }
    send(.conclude, to: to, head.bytes, by: step)
  }
  /// A part has arrived: it is in transit no more, and holds know where they are now.
  fileprivate mutating func arrived(
    _ items: [MergeItem], _ member: Ref<MemberRecord>, _ step: OutboxRecord, _ head: MergeHead, _ verdict: Verdict
  ) {
    guard verdict == .done else { return fail(.records) }
    var program = ProgramRef.none
    for item in items {
      switch item {
      case .program(let next): program = next
      case .debt(let debt):
        guard let holder = holder(member, program, create: false) else { return fail(.records) }
        post(debt, program, from: .betweenShards, to: .members)
        adjust(holder, debt: -debt)
        bookOut(holder, head, points: debt, amount: 0)
      default: if item.points > 0 { post(item.points, program, from: .inTransit, to: .betweenShards) }
      }
    }
    verdict.text.withUnsafeBytes { raw in
      var twins = ByteReader(raw)
      while let old: UInt64 = try? twins.read(), let new: UInt64 = try? twins.read() {
        setTwin(TransactionID(rawValue: old), TransactionID(rawValue: new), head)
      }
    }
  }
  /// A hold that moved is another transaction there: what is to become of it is asked of that one.
  private mutating func setTwin(_ hold: TransactionID, _ twin: TransactionID, _ head: MergeHead) {
    guard let place = findTransaction(hold) else { return fail(.records) }
    let transaction = tables.transactions.read(place).pointee
    setLink(place, twin)
    head.from.withUnsafeBytes { from in
      let member = tables.members.read(transaction.member)
      var record = JournalRecord(.carried, tx: .none, stamp: now, tenant: member.pointee.tenant, member: from)
      record.of = hold
      record.original = transaction.position
      record.number = Int64(bitPattern: twin.rawValue)
      setLatest(place, journal.append(record))
    }
  }
  /// All has come: the aliases are to name INTO.
  fileprivate mutating func redirectAll(_ member: Ref<MemberRecord>, _ step: OutboxRecord, _ head: MergeHead) {
    let keys = movedCards(member).map { Array(key(of: tables.cards.read($0))) }
    guard !keys.isEmpty else { return conclude(step, head) }
    setBond(.merging, of: member, count: keys.count)
    for alias in keys {
      var buffer = ByteBuffer(capacity: 256)
      head.append(to: &buffer)
      buffer.append(counted: alias)
      send(.redirect, to: alias.withUnsafeBytes { Command.cardSlot($0, tenant: step.tenant) }, buffer.array, by: step)
    }
  }
  /// FROM's cards and aliases that become INTO's: those that are in use.
  func movedCards(_ member: Ref<MemberRecord>) -> [Ref<CardRecord>] {
    var all: [Ref<CardRecord>] = []
    var next = tables.members.read(member).pointee.firstCard
    while next != .none {
      let card = tables.cards.read(next).pointee
      if card.state == CardState.active.rawValue || card.state == CardState.lost.rawValue { all.append(next) }
      next = card.next
    }
    return all
  }
  /// FROM is closed for good.
  fileprivate mutating func endMerge(
    _ member: Ref<MemberRecord>, _ step: OutboxRecord, _ head: MergeHead, _ verdict: Verdict, _ reply: inout ReplyWriter
  ) {
    let balance = verdict.text.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      return (try? reader.readZigzag()) ?? 0
    }
    dropBond(.merging, of: member)
    addBond(.merged, of: member, tx: head.merge, head.into)
    setState(ofMember: member, .closed)
    let start = reply.buffer.count
    reply.record()
    reply.field(named: "from", head.from)
    reply.field(named: "into", head.into)
    if catalogue.has(head.program) { catalogue.withProgramName(head.program) { reply.field(.program, $0) } }
    reply.field(.points, head.points)
    reply.field(.balance, Points(balance))
    head.request.withUnsafeBytes { request in
      head.from.withUnsafeBytes {
        resolve(self.request(of: step), keptAnswer(request, $0, step.tenant, slot: step.id.slot, reply, from: start))
      }
    }
  }
  /// Nothing has moved: FROM is as it was.
  fileprivate mutating func endMerge(
    refused verdict: Verdict, _ member: Ref<MemberRecord>, _ step: OutboxRecord, _ head: MergeHead,
    _ reply: inout ReplyWriter
  ) {
    dropBond(.merging, of: member)
    setState(ofMember: member, .active)
    head.request.withUnsafeBytes { request in
      head.from.withUnsafeBytes {
        answer(step, mergeRefusal(verdict), request: request, member: $0, slot: step.id.slot, &reply)
      }
    }
  }
  private func mergeRefusal(_ verdict: Verdict) -> Refusal? {
    var refusal: Refusal?
    switch ErrorCode(rawValue: verdict.code) {
    case .notFound: refusal = Refusal(.notFound, "there is no member to merge into")
    case .frozen: refusal = Refusal(.frozen, "the member to merge into is frozen")
    case .closed: refusal = Refusal(.closed, "the member to merge into is closed")
    case .busy: refusal = Refusal(.busy, "the member to merge into is being merged or erased; nothing was done")
    default: refusal = self.refusal(verdict)
    }
    refusal?.subject = .recipient
    return refusal
  }

  // MARK: INTO's slot

  fileprivate mutating func offered(_ head: MergeHead, _ room: MergeRoom, _ origin: StepOrigin) -> Verdict {
    guard let member = head.into.withUnsafeBytes({ findMember($0, tenant: origin.tenant) }) else {
      return Verdict(.notFound)
    }
    switch MemberState(rawValue: tables.members.read(member).pointee.state) {
    case .active: break
    case .frozen: return Verdict(.frozen)
    case .merging: return Verdict(.busy)
    case .closed, nil: return Verdict(.closed)
    }
    guard bond(.pool, of: member) == nil else { return Verdict(.limit, which: 9) }
    guard bond(.receiving, of: member) == nil, !isBeingErased(member),
      room.accounts.allSatisfy({ catalogue.has($0.program) })
    else { return Verdict(.busy) }
    let which = missingRoom(member, room)
    guard which == 0 else { return Verdict(.limit, which: which) }
    addBond(.receiving, of: member, tx: head.merge, room.bytes)
    return .done
  }
  /// Which limit of a member stands against what is to come; 0: none.
  private mutating func missingRoom(_ member: Ref<MemberRecord>, _ room: MergeRoom) -> UInt8 {
    let record = tables.members.read(member)
    guard lotsReserved(record) + room.lots <= limits.lotsPerMember else { return 2 }
    guard holdCount(record) + room.holds <= limits.holdsPerMember else { return 8 }
    guard Int(record.pointee.cardCount) + room.cards <= min(limits.cardsPerMember, 255) else { return 3 }
    guard hasRoomForAliases(member, room.aliases) else { return 6 }
    for account in room.accounts {
      guard let holder = holder(member, account.program, create: false) else { continue }
      let own = pendingPoints(holder)
      guard account.points <= Ledger.largestBalance - own, hasRoom(holder, account.points + own),
        account.debt <= Ledger.largestBalance - holder.account.pointee.debt
      else { return 1 }
    }
    return 0
  }
  fileprivate mutating func carried(_ head: MergeHead, _ items: [MergeItem], _ origin: StepOrigin) -> Verdict {
    for item in items {
      switch item {
      case .program(let program) where !catalogue.has(program): return .later
      case .hold(let hold) where !catalogue.has(hold.merchant): return .later
      default: break
      }
    }
    // Nothing is taken in that no room is kept for: a part that comes after all is over least of all.
    guard let member = head.into.withUnsafeBytes({ findMember($0, tenant: origin.tenant) }),
      transaction(ofBond: .receiving, of: member) == head.merge
    else { return Verdict(.notFound) }
    return Verdict(done: putIn(items, member, head))
  }
  fileprivate mutating func concluded(_ head: MergeHead, _ origin: StepOrigin) -> Verdict {
    guard let member = head.into.withUnsafeBytes({ findMember($0, tenant: origin.tenant) }),
      transaction(ofBond: .receiving, of: member) == head.merge
    else { return .done }
    dropBond(.receiving, of: member)
    var buffer = ByteBuffer(capacity: 16)
    let account = catalogue.has(head.program) ? account(tables.members.read(member), head.program) : nil
    buffer.append(zigzag: account?.pointee.balance.rawValue ?? 0)
    return Verdict(done: buffer.array)
  }

  // MARK: An alias's slot

  /// What named FROM names INTO, and remembers FROM among its former holders: a repeat is FROM's.
  fileprivate mutating func redirect(
    _ key: UnsafeRawBufferPointer, _ head: MergeHead, _ origin: StepOrigin
  ) -> Verdict {
    guard let place = findCard(hashes.card(key, origin.tenant).finishedLow(), origin.tenant, key) else { return .done }
    let entry = tables.cardEntries.write(place)
    guard entry.pointee.pending == .none else { return .later }
    return head.from.withUnsafeBytes { from in
      guard entry.pointee.member != 0, tables.texts.equals(entry.pointee.member, from) else { return .done }
      countCardEntry(UnsafePointer(entry), -1)
      head.into.withUnsafeBytes { into in
        entry.pointee.former = holders(before: into, UnsafePointer(entry))
        entry.pointee.member = tables.texts.append(into)
      }
      countCardEntry(UnsafePointer(entry), 1)
      return .done
    }
  }
}
