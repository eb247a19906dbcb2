import Base

/// What EARN, REDEEM and HOLD begin with: who, where, which points, under which id.
struct Purchase {
  typealias Bytes = UnsafeRawBufferPointer
  var context: CommandContext
  var slot: Slot
  var member: Bytes
  var card: Bytes
  var merchant: Bytes
  var program: Bytes
  var request: Bytes
  var hashes: PurchaseHashes
  var key: RequestKey { hashes.key }
}

/// The parties of a purchase, found and fit for it.
struct Parties {
  var number: UInt32
  var merchant: Int
  var program: Int
}

extension ByteReader {
  /// Throws if bytes are left: a command says nothing that is not read.
  @inline(__always) func finish() throws(MalformedBytes) {
    guard isAtEnd else { throw MalformedBytes("a command has bytes left over") }
  }
}

extension Ledger {
  /// - Parameter known: its hashes, if they have been made.
  @inline(__always) func purchase(
    _ header: CommandHeader, _ reader: inout ByteReader, _ known: PurchaseHashes?
  ) throws(MalformedBytes) -> Purchase {
    let member = try reader.readCounted()
    let card = try reader.readCounted()
    let merchant = try reader.readCounted()
    let program = try reader.readCounted()
    let request = try reader.readCounted()
    // A member or merchant that is no identifier is one that is not found.
    guard request.isIdentifier else { throw MalformedBytes("id must be 1 to 64 of A-Za-z0-9._-") }
    return Purchase(
      context: header.context, slot: header.slot, member: member, card: card, merchant: merchant, program: program,
      request: request,
      hashes: known ?? hashes(header, member: member, merchant: merchant, request: request))
  }

  /// Finds the parties, refuses what their states forbid; nil if the reply has been written.
  mutating func parties(_ p: Purchase, _ key: RequestKey, _ reply: inout ReplyWriter) -> Parties? {
    guard let number = findMember(p.hashes.member, p.context.tenant, p.member) else {
      reply.error(.notFound, "no such member")
      return nil
    }
    guard members.read(Int(number)).pointee.slot == p.slot else {
      reply.error(.malformed, "the member lies in another slot")
      return nil
    }
    guard p.hashes.merchant >= 0 else {
      reply.error(.notFound, "no such merchant")
      return nil
    }
    let merchant = Int(p.hashes.merchant)
    guard
      let program = program(p.program, Int(catalogue.merchantRows[merchant].program), p.context.tenant, &reply)
    else { return nil }
    if p.card.count > 0 {
      guard let state = cardState(number, p.card), state != .removed else {
        reply.error(.notFound, "no such card")
        return nil
      }
      if state == .lost {
        refuse(p, key, .lost, "the card is reported lost", &reply)
        return nil
      }
    }
    let state = members.read(Int(number)).pointee.state
    if state != MemberState.active.rawValue {
      let isFrozen = state == MemberState.frozen.rawValue
      refuse(p, key, isFrozen ? .frozen : .closed, isFrozen ? "the member is frozen" : "the member is closed", &reply)
      return nil
    }
    let merchantState = catalogue.merchantRows[merchant].state
    if merchantState != .active {
      let isFrozen = merchantState == .frozen
      refuse(
        p, key, isFrozen ? .frozen : .closed, isFrozen ? "the merchant is frozen" : "the merchant is closed", &reply)
      return nil
    }
    return Parties(number: number, merchant: merchant, program: program)
  }

  /// The program that a request means: the one named, else the merchant's, else the tenant's default.
  func program(
    _ name: UnsafeRawBufferPointer, _ own: Int, _ tenant: TenantID, _ reply: inout ReplyWriter
  ) -> Int? {
    if name.isEmpty {
      if own >= 0 { return own }
      if let standard = catalogue.defaultProgram(of: tenant) { return standard }
      reply.error(.notFound, "there is no program yet")
      return nil
    }
    guard let program = catalogue.program(name, tenant: tenant) else {
      reply.error(.notFound, "no such program")
      return nil
    }
    return program
  }

  /// A refusal that is kept under its id.
  mutating func refuse(_ p: Purchase, _ key: RequestKey, _ code: ErrorCode, _ text: String, _ reply: inout ReplyWriter)
  {
    let start = reply.buffer.count
    reply.error(code, text)
    keepAnswer(key, p.request, p.member, p.context, slot: p.slot, reply, from: start)
  }
  mutating func refuseLimit(_ p: Purchase, _ key: RequestKey, _ which: String, _ reply: inout ReplyWriter) {
    let start = reply.buffer.count
    reply.error(.limit, "over a limit")
    reply.field(.which, which)
    keepAnswer(key, p.request, p.member, p.context, slot: p.slot, reply, from: start)
  }

  mutating func applyEarn(
    _ header: CommandHeader, _ reader: inout ByteReader, _ hashes: PurchaseHashes?, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) -> Outcome {
    let p = try purchase(header, &reader, hashes)
    let amount = try reader.readAmount()
    let at = try reader.read(UInt8.self) == 0 ? nil : Stamp(microseconds: try reader.readZigzag())
    try reader.finish()
    switch amount {
    case .whole: throw MalformedBytes("spend or points is missing")
    case .spend(let money) where money < 0 || money > Ledger.largestAmount:
      throw MalformedBytes("spend must be 0 to 10^15")
    case .points(let points) where points < 1 || points > Ledger.largestAmount:
      throw MalformedBytes("points must be 1 to 10^15")
    default: break
    }
    let key = p.key
    if let outcome = repeated(key, &reply) { return outcome }
    guard let parties = parties(p, key, &reply) else { return .replied }
    earn(p, key, parties, amount, at, &reply)
    return .replied
  }

  private mutating func earn(
    _ p: Purchase, _ key: RequestKey, _ parties: Parties, _ amount: Command.Amount, _ at: Stamp?,
    _ reply: inout ReplyWriter
  ) {
    // R35: over 5 minutes ahead is refused; within the program's backdate it is the effective time, else booking is.
    var effective: Stamp?
    if let at {
      guard at.microseconds <= now.microseconds + 300 * CivilTime.microsecondsPerSecond else {
        refuseLimit(p, key, "at", &reply)
        return
      }
      if at <= now, at.microseconds >= now.microseconds - catalogue.programRows[parties.program].backdate {
        effective = at
      }
    }
    let rule = catalogue.rule(ofProgram: parties.program, at: effective)
    var points: Int64 = 0
    var spend: Int64 = -1
    switch amount {
    case .points(let n): points = n
    case .spend(let money):
      spend = money
      let own: EarnRate?
      if let effective {
        own = rate(parties, at: effective)
      } else {
        own = catalogue.rate(ofMerchant: parties.merchant, program: parties.program)
      }
      let rate = own ?? rule.rate
      guard let earned = rate.points(forSpend: money, largest: Ledger.largestAmount) else {
        refuseLimit(p, key, "points", &reply)
        return
      }
      points = earned
    case .whole: return
    }
    guard let holder = holder(parties.number, parties.program, create: true) else { return }
    touch(holder)
    guard hasRoom(holder, points) else {
      refuseLimit(p, key, "balance", &reply)
      return
    }
    let moment = effective ?? now
    let expiry = rule.expiry.end(earnedAt: moment, offset: catalogue.programRows[parties.program].offset)
    let origin = Origin.earned.rawValue
    guard points == 0 || hasRoomForLot(holder, expiry, origin) else {
      refuseLimit(p, key, "lots", &reply)
      return
    }
    postIssue(parties.merchant, parties.program, points)
    let before = holder.account.pointee.available
    credit(holder, expiry, moment, origin, points)
    let tx = nextTransaction(holder.member.pointee.slot)
    var record = JournalRecord(.earn, tx: tx, stamp: now, tenant: p.context.tenant, member: p.member)
    record.program = Int32(parties.program)
    record.merchant = Int32(parties.merchant)
    record.points = points
    record.spend = spend
    record.request = p.request
    record.effective = effective ?? .zero
    record.lots = encodedLot(expiry, origin)
    // A purchase uploaded so late that its points have lapsed: history shows both, the answer what is left.
    if expiry <= now { record.amount = holder.account.pointee.available - before }
    book(holder, &record, points: points, lotExpiry: expiry, origin: origin)
    remember(key, holder.account.pointee.lastRecord)
    endDueLots(holder)
    record.render(catalogue, into: &reply)
  }

  /// Out of line, and here: see `merchantNumber`.
  @inline(never) private func rate(_ parties: Parties, at moment: Stamp) -> EarnRate? {
    catalogue.rate(ofMerchant: parties.merchant, program: parties.program, at: moment)
  }

  /// Books what is due of one account and of its member's holds, before a command looks at it.
  mutating func touch(_ holder: Holder) {
    if holder.member.pointee.firstHold != 0 { releaseHolds(holder.number, dueAt: now) }
    endDueLots(holder)
  }
}
