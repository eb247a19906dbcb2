import Base
import Vocabulary

extension Ledger {
  // MARK: The member's slot

  /// The pool that a member is in. One bit where it is tied to nobody.
  @inline(__always) func pool(of member: Ref<MemberRecord>) -> [UInt8]? {
    tables.members.read(member).pointee.hasBonds ? bondText(.inPool, of: member) : nil
  }

  /// A member's movements go to the pool one after the other: together they would arrive in any order. Throws while one is on its way, or while
  /// the member waits for what a pool says.
  @inline(__always) mutating func waitForPool(_ member: Ref<MemberRecord>) throws(Stop) {
    let open = movement(of: member)
    guard open != .none else { return }
    deferral = Deferral(awaiting: open)
    throw .decided(.deferred)
  }
  /// What of a member's is on its way to a pool; `.none`: nothing. One bit where it is tied to nobody.
  @inline(__always) func movement(of member: Ref<MemberRecord>) -> TransactionID {
    tables.members.read(member).pointee.hasBonds ? findMovement(of: member) : .none
  }
  @inline(never) private func findMovement(of member: Ref<MemberRecord>) -> TransactionID {
    let joining = transaction(ofBond: .joining, of: member)
    return joining == .none ? transaction(ofBond: .inPool, of: member) : joining
  }

  /// `REDEEM` and `HOLD` of a member who is in a pool: the pool's slot decides.
  @inline(never) mutating func takeFromPool(
    _ act: BookStep.Act, _ pool: [UInt8], _ call: Call, _ parties: Parties
  ) -> Outcome {
    var content = BookStep.Content(act, Source(call), pool: pool, parties, points: call.points ?? 0)
    if act == .hold { content.ttl = call.number(.ttl) ?? 0 }
    return send(content, call.tenant, parties.number, call.hashes.key)
  }
  /// An earning of such a member: it is counted here, and undone if the pool refuses.
  @inline(never) mutating func earnIntoPool(
    _ pool: [UInt8], _ ask: Award, _ source: Source
  ) -> Outcome {
    var content = BookStep.Content(.earn, source, pool: pool, ask.parties, points: ask.points)
    (content.spend, content.effective, content.isByRules) = (ask.spend, ask.effective ?? .zero, ask.isByRules)
    if ask.isByRules {
      content.qualifying = foresee(ask)
      let before = counters(of: ask.parties.number)
      content.detail = countByRules(source.tenant, ask)
      content.counts = changes(from: before, to: counters(of: ask.parties.number))
      let purchase = CounterKey.Kind.purchase.rawValue
      content.qualifying.isFirstPurchase =
        core.semantics >= Semantics.service && content.counts.contains { $0.key.kind == purchase }
        && !before.contains { $0.key.kind == purchase }
      reserveGift(content.qualifying, of: ask.parties.number)
    }
    return send(content, source.tenant, ask.parties.number, source.key ?? RequestHashes.none.key)
  }
  @discardableResult mutating func send(
    _ content: BookStep.Content, _ tenant: TenantID, _ member: Ref<MemberRecord>, _ key: RequestKey
  ) -> Outcome {
    let slot = slot(ofMember: member)
    let tx = nextTransaction(slot)
    let to = content.pool.withUnsafeBytes { Command.memberSlot($0, tenant: tenant) }
    sendBondStep(BookStep.kind, from: slot, to: to, tenant, content.bytes, key, id: tx)
    remember(key, pending: tx)
    // What no request asked for nobody waits for.
    if !key.isNone { setBond(.inPool, of: member, tx: tx) }
    return .pending(tx)
  }
  private func counters(of member: Ref<MemberRecord>) -> [(key: CounterKey, value: Int64)] {
    let file = tables.members.read(member).pointee.file
    guard file != .none else { return [] }
    var all: [(key: CounterKey, value: Int64)] = []
    var next = tables.files.read(file).pointee.firstCounter
    while next != .none {
      let counter = tables.details.counters.read(next).pointee
      all.append((counter.key, counter.value))
      next = counter.next
    }
    return all
  }
  /// What differs of two lists in the order of their keys. Windows that were forgotten stay so.
  private func changes(
    from before: [(key: CounterKey, value: Int64)], to after: [(key: CounterKey, value: Int64)]
  ) -> [BookStep.Content.Count] {
    after.compactMap { one in
      let old = before.first { $0.key == one.key }?.value ?? 0
      return old == one.value ? nil : .init(key: one.key, before: old, after: one.value)
    }
  }

  /// What the pool's slot answered is what the member's terminal gets.
  mutating func booked(
    _ step: OutboxRecord, _ content: BookStep.Content, _ verdict: Verdict, _ reply: inout ReplyWriter
  ) {
    let member = content.member.withUnsafeBytes { findMember($0, tenant: step.tenant) }
    if let member, transaction(ofBond: .inPool, of: member) == step.id { setBond(.inPool, of: member, tx: .none) }
    answeredWaits.append(step.id)
    let isGift = content.act == .gift
    if verdict == .done, let member, !isGift, !content.qualifying.isEmpty {
      let said = verdict.text.withUnsafeBytes { raw in
        var reader = ByteReader(raw)
        return (try? reader.readZigzag()) ?? 0
      }
      qualify(content, PoolBooked(packed: said), of: member, step.tenant)
    }
    if verdict != .done, let member {
      disregard(content, of: member)
      for count in content.counts { uncount(count, of: member) }
      // What it drew on budgets goes back.
      let isStrict = core.semantics < Semantics.amended
      let detail = content.detail.withUnsafeBytes { try? EarningDetail(decoding: $0, isStrict: isStrict) }
      if let detail, !detail.draws.isEmpty {
        undraw(detail.draws, spend: content.spend, near: slot(ofMember: member))
      }
    }
    verdict.text.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      _ = try? reader.readZigzag()
      let answer = UnsafeRawBufferPointer(rebasing: raw[reader.offset...])
      content.request.withUnsafeBytes { request in
        content.member.withUnsafeBytes { pass(answer, verdict, step, request: request, member: $0, &reply) }
      }
    }
  }
  /// Sums lose what was added; of a day or a row of days the former stands again, if nothing came since.
  private mutating func uncount(_ change: BookStep.Content.Count, of member: Ref<MemberRecord>) {
    let now = counter(member, change.key)
    switch CounterKey.Kind(rawValue: change.key.kind) {
    case .purchase, .streak, .activity:
      if now == change.after { count(change.before &- now, of: member, change.key) }
    default: count(0 - min(change.after &- change.before, now), of: member, change.key)
    }
  }

  // MARK: The pool's slot

  mutating func book(_ content: BookStep.Content, _ origin: StepOrigin) -> Verdict {
    guard catalogue.has(content.program), content.merchant.isNone || catalogue.has(content.merchant) else {
      return .later
    }
    guard let pool = content.pool.withUnsafeBytes({ findMember($0, tenant: origin.tenant) }) else {
      return refused(Refusal(.notFound, "no such pool"))
    }
    let parties = Parties(number: pool, merchant: content.merchant, program: content.program)
    var reply = ReplyWriter(capacity: 256)
    var booked = PoolBooked()
    do throws(Stop) {
      if content.act != .gift {
        try checkPool(pool)
        try checkActive(program: content.program)
      }
      switch content.act {
      case .earn: booked = try earn(content, parties, &reply)
      case .redeem, .hold: try take(content, parties, &reply)
      case .gift: try give(content, parties)
      }
    } catch {
      return refused(error)
    }
    var buffer = ByteBuffer(capacity: 256)
    buffer.append(zigzag: booked.packed)
    buffer.append(reply.buffer.bytes)
    return Verdict(done: buffer.array)
  }
  func checkPool(_ pool: Ref<MemberRecord>) throws(Stop) {
    let state = tables.members.read(pool).pointee.state
    guard state == MemberState.active.rawValue else { throw .refused(Refusal.state(state, "pool")) }
  }
  /// Points come by the policy for the pool's class, and join its lots.
  private mutating func earn(
    _ content: BookStep.Content, _ parties: Parties, _ reply: inout ReplyWriter
  ) throws(Stop) -> PoolBooked {
    var booked = PoolBooked()
    guard let holder = holder(parties.number, parties.program, create: true) else {
      fail(.records)
      return booked
    }
    touch(holder)
    let points = content.points
    let moment = content.effective == .zero ? now : content.effective
    let terms = terms(of: parties.number, parties.program, at: content.effective == .zero ? nil : content.effective)
    let (lot, isPending) = lot(for: terms, at: moment, parties.program)
    guard hasRoom(holder, points), !isPending || hasRoomForPending(holder, points) else {
      throw .refused(.limit("balance"))
    }
    guard points == 0 || hasRoomForLot(holder, lot) else { throw .refused(.limit("lots")) }
    noteActivity(holder)
    var detail = content.detail
    // Where points count when they become active, the member's slot says what comes of that.
    if content.qualifying.isByPoints { booked.activeDay = Int64(lot.activeDay) }
    if content.qualifying.holds(for: lot, isPending: isPending) {
      booked.isGiftGiven = give(content, holder, leaving: points)
    } else {
      detail = Ledger.withoutTier(detail, isStrict: core.semantics < Semantics.amended)
    }
    post(points, parties.program, from: issuer(parties.merchant), to: isPending ? .pending : .members)
    let before = holder.account.pointee.available
    if isPending {
      creditPending(holder, lot, moment, points)
    } else {
      credit(holder, lot, moment, points)
    }
    content.withTexts(detail) { member, request, detail in
      var record = nextRecord(.earn, of: holder)
      (record.merchant, record.points, record.spend) = (content.merchant, points, content.spend)
      (record.request, record.other, record.effective) = (request, member, content.effective)
      record.lots = encodedLot(lot)
      record.answer = detail
      if isPending { record.expires = lot.activeAt(offset: catalogue.programRows[parties.program.place].offset) }
      if lot.expiresAt <= now { record.amount = holder.account.pointee.available - before }
      let mark = content.isByRules ? EarningDetail.mark(detail, latest: nil) : TransactionID.none
      book(holder, &record, points: points, lot: lot, link: mark)
      endDueLots(holder)
      record.render(catalogue, into: &reply)
    }
    return booked
  }
  /// The gift of a tier that a member of the pool reaches. False: there is none, or no room for it.
  private mutating func give(_ content: BookStep.Content, _ holder: Holder, leaving points: Points) -> Bool {
    guard content.qualifying.gift > 0, let tier = content.qualifying.tier else { return false }
    return content.member.withUnsafeBytes { member in
      give(holder, tier, content.qualifying.gift, leaving: points, to: member)
    }
  }
  private mutating func give(_ content: BookStep.Content, _ parties: Parties) throws(Stop) {
    guard tables.members.read(parties.number).pointee.state != MemberState.closed.rawValue else {
      throw .refused(Refusal.state(MemberState.closed.rawValue, "pool"))
    }
    guard let holder = holder(parties.number, parties.program, create: true) else { return fail(.records) }
    touch(holder)
    guard give(content, holder, leaving: 0) else { throw .refused(.limit("balance")) }
  }
  private static func withoutTier(_ detail: [UInt8], isStrict: Bool) -> [UInt8] {
    guard var known = detail.withUnsafeBytes({ try? EarningDetail(decoding: $0, isStrict: isStrict) }),
      known.tier != nil
    else {
      return detail
    }
    known.tier = nil
    return known.encoded
  }
  private mutating func take(
    _ content: BookStep.Content, _ parties: Parties, _ reply: inout ReplyWriter
  ) throws(Stop) {
    let points = content.points
    try checkRedemption(parties, points)
    let holder = try affording(parties.number, parties.program, points)
    let isHold = content.act == .hold
    guard !isHold || holdCount(UnsafePointer(holder.member)) < limits.holdsPerMember else {
      throw .refused(.limit("holds"))
    }
    if !isHold { noteActivity(holder) }
    content.withTexts([]) { member, request, _ in
      var record = nextRecord(isHold ? .hold : .redeem, of: holder)
      (record.merchant, record.request, record.other) = (content.merchant, request, member)
      record.amount = points
      let chain = take(holder, points, isHold ? .hold : .consume, of: record.tx)
      if isHold {
        let deadline = Stamp(microseconds: now.microseconds + content.ttl * CivilTime.microsecondsPerSecond)
        record.expires = deadline
        let hold = openHold(holder, record.tx, deadline)
        book(
          holder, &record, points: points, takes: chain, state: TransactionRecord.open, hold: hold, deadline: deadline)
      } else {
        post(points, parties.program, from: .members, to: .redeems(at: parties.merchant))
        record.points = -points
        record.lots = encodedLots(chain)
        book(holder, &record, points: points, takes: chain)
      }
      record.render(catalogue, into: &reply)
    }
  }
  /// The member who made a purchase that is returned has the room of it in the caps again.
  mutating func sendUncount(_ points: Points, _ back: PoolReturn, _ sale: SoldSale, _ holder: Holder) {
    let (slot, tenant) = (holder.member.pointee.slot, holder.member.pointee.tenant)
    let isForTiers = core.semantics >= Semantics.service && sale.detail.qualified != nil
    let text = UncountStep.bytes(
      member: sale.by, program: holder.program, points: points, detail: sale.original, back: isForTiers ? back : nil)
    let to = sale.by.withUnsafeBytes { Command.memberSlot($0, tenant: tenant) }
    sendBondStep(UncountStep.kind, from: slot, to: to, tenant, text, RequestHashes.none.key)
  }

  // MARK: Reading

  /// `BALANCE` of a member who is in a pool is the pool's, but for the tier: the query goes on to its slot. True: it does.
  func passOn(balance call: Call, _ member: Ref<MemberRecord>, _ reply: inout ReplyWriter) throws(Stop) -> Bool {
    guard call.behalf.isEmpty, let pool = pool(of: member) else { return false }
    passOn(call, to: pool, said: core.semantics < Semantics.service ? nil : try standings(call, member), &reply)
    return true
  }
  /// Where a member stands in the tiers of the programs that a `BALANCE` is about: see `Behalf.Standing`.
  private func standings(_ call: Call, _ member: Ref<MemberRecord>) throws(Stop) -> [UInt8] {
    guard call.number(.expiring) != 1 else { return [] }
    let programs =
      call.number(.all) == 1
      ? catalogue.programs(of: call.tenant) : [try program(call.text(.program), .none, call.tenant)]
    var buffer = ByteBuffer(capacity: 64)
    for program in programs {
      guard let view = tierView(member, program) else { continue }
      buffer.append(program.rawValue)
      buffer.append(zigzag: view.qualifying)
      buffer.append(counted: catalogue.records.tierName(view.rung.number))
    }
    return buffer.array
  }
  /// Has a query answered at the pool's slot, with what is `said` of the member here.
  func passOn(_ call: Call, to pool: [UInt8], said: [UInt8]?, _ reply: inout ReplyWriter) {
    var buffer = ByteBuffer(capacity: 128)
    let slot = pool.withUnsafeBytes { Command.memberSlot($0, tenant: call.tenant) }
    let start = Command.begin(&buffer, CommandHeader(call.verb, slot: slot, context: call.context, scope: call.scope))
    buffer.append(counted: pool)
    buffer.append(UInt8(0))
    buffer.append(counted: call.merchant)
    buffer.append(UInt8(0))
    buffer.append(varint: call.present)
    buffer.append(call.body)
    buffer.append(Command.Attachment.behalf.rawValue)
    buffer.append(counted: Behalf.bytes(member: call.party, said: said))
    Command.end(&buffer, start)
    reply.elsewhere(buffer.bytes)
  }
}

extension BookStep.Content {
  fileprivate func withTexts(
    _ detail: [UInt8],
    _ body: (
      _ member: UnsafeRawBufferPointer, _ request: UnsafeRawBufferPointer, _ detail: UnsafeRawBufferPointer
    ) -> Void
  ) {
    member.withUnsafeBytes { member in
      request.withUnsafeBytes { request in detail.withUnsafeBytes { body(member, request, $0) } }
    }
  }
}
