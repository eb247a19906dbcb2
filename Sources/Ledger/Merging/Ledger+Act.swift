import Base
import Vocabulary

extension Ledger {
  // MARK: FROM's slot

  /// Asks what a hold has become that moved with its points.
  mutating func act(_ act: ActStep.Act, on s: Subject, _ call: Call) throws(Stop) -> Outcome {
    guard let into = bondText(.merged, of: s.transaction.member), s.transaction.link != .none else {
      throw .refused(.merging)
    }
    guard call.spend == nil, !call.has(.lines) else { throw .malformed("a redemption has no money, say points=") }
    var content = ActStep.Content(
      act, s, from: ownID(s.transaction.member), into: into, request: Array(call.request), points: call.points ?? -1)
    content.twin = s.transaction.link
    return sendAct(content, call)
  }
  /// `REFUND` of a purchase of FROM's.
  mutating func takeBackElsewhere(_ call: Call, _ s: Subject, _ into: [UInt8]) throws(Stop) -> Outcome {
    let t = s.transaction
    let (points, spend, sale, isNothing) = try partReturned(call, t)
    var content = ActStep.Content(
      .takeBack, s, from: ownID(t.member), into: into, request: Array(call.request), points: points)
    (content.spend, content.isNothing, content.lot) = (t.spend.isSaid ? spend : .none, isNothing, t.lot)
    if let holder = holder(t.member, t.program, create: false) {
      content.lot = extended(holder, t.lot)
      content.lapsed = reserveLapsed(holder, t.lot, atMost: points)
    }
    if let sale { (content.detail, content.returned) = (sale.original, sale.returnedBytes) }
    setState(s.number, TransactionRecord.acting)
    return sendAct(content, call)
  }
  /// `REFUND` of a redemption of FROM's: what was redeemed here is on its way to INTO.
  mutating func giveBackElsewhere(_ call: Call, _ s: Subject, _ into: [UInt8]) throws(Stop) -> Outcome {
    let t = s.transaction
    let points = try pointsReturned(call, t)
    var content = ActStep.Content(
      .giveBack, s, from: ownID(t.member), into: into, request: Array(call.request), points: points)
    forEachPartBack(t, points) { take, part in
      content.lots.append(MovedLot(take.lot, earnedAt: take.earnedAt, points: part))
    }
    post(points, t.program, from: .redeems(at: t.merchant), to: .inTransit)
    setState(s.number, TransactionRecord.acting)
    return sendAct(content, call)
  }
  private func ownID(_ member: Ref<MemberRecord>) -> [UInt8] { Array(memberID(tables.members.read(member))) }
  /// Of which takes so many points come back, the last taken first.
  private func forEachPartBack(_ t: TransactionRecord, _ points: Points, _ body: (TakeRecord, Points) -> Void) {
    var left = points
    var next = t.firstTake
    while next != .none, left > 0 {
      let take = tables.takes.read(next).pointee
      let part = min(left, take.points - take.returned)
      if part > 0 { body(take, part) }
      left -= part
      next = take.next
    }
  }
  private mutating func sendAct(_ content: ActStep.Content, _ call: Call) -> Outcome {
    let tx = nextTransaction(call.slot)
    let to = content.into.withUnsafeBytes { Command.memberSlot($0, tenant: call.tenant) }
    sendBondStep(ActStep.first, from: call.slot, to: to, call.tenant, content.bytes, call.hashes.key, id: tx)
    remember(call.hashes.key, pending: tx)
    return .pending(tx)
  }

  /// It was done, or not: counts it, or takes back what was begun, and passes on what INTO's slot answered.
  mutating func acted(
    _ step: OutboxRecord, _ content: ActStep.Content, _ verdict: Verdict, _ reply: inout ReplyWriter
  ) {
    guard let member = content.from.withUnsafeBytes({ findMember($0, tenant: step.tenant) }) else {
      return fail(.records)
    }
    verdict.text.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      let away = Points((try? reader.readZigzag()) ?? 0)
      let answer = UnsafeRawBufferPointer(rebasing: raw[reader.offset...])
      if content.act == .takeBack || content.act == .giveBack {
        settle(content, member, isDone: verdict == .done, fromLapsed: min(max(0, away), content.lapsed))
      }
      content.request.withUnsafeBytes { request in
        content.from.withUnsafeBytes { pass(answer, verdict, step, request: request, member: $0, &reply) }
      }
    }
  }
  /// Answers a step's request as the destination said, and keeps that, if it is to be kept.
  mutating func pass(
    _ answer: UnsafeRawBufferPointer, _ verdict: Verdict, _ step: OutboxRecord, request: UnsafeRawBufferPointer,
    member: UnsafeRawBufferPointer, _ reply: inout ReplyWriter
  ) {
    let start = reply.buffer.count
    reply.buffer.append(answer)
    let key = self.request(of: step)
    if let code = ErrorCode(rawValue: verdict.code), !code.isKept() { return forget(key) }
    resolve(key, keptAnswer(request, member, step.tenant, slot: step.id.slot, reply, from: start))
  }
  private mutating func settle(
    _ content: ActStep.Content, _ member: Ref<MemberRecord>, isDone: Bool, fromLapsed: Points
  ) {
    guard let place = findTransaction(content.of) else { return fail(.records) }
    let t = tables.transactions.read(place).pointee
    let back = isDone && content.act == .takeBack ? fromLapsed : 0
    setState(place, isDone && content.isNothing ? TransactionRecord.undone : 0)
    if content.act == .giveBack {
      let target = isDone ? Account.betweenShards : .redeems(at: content.merchant)
      post(content.points, content.program, from: .inTransit, to: target)
      if isDone { noteReturned(t, content.points) }
    } else {
      if isDone, fromLapsed > 0 {
        post(fromLapsed, content.program, from: .breakage, to: issuer(content.merchant))
      }
      let unused = isDone ? content.lapsed - fromLapsed : content.lapsed
      if unused > 0, let holder = holder(member, content.program, create: false) {
        rememberLapsed(holder, extended(holder, t.lot), unused)
      }
    }
    guard isDone else { return }
    if content.act == .takeBack, core.semantics >= Semantics.amended, !content.detail.isEmpty,
      let detail = content.detail.withUnsafeBytes({ try? EarningDetail(decoding: $0) })
    {
      // What it drew on budgets was drawn here.
      unbook(detail.draws, of: t, points: content.points, spend: content.spend.isSaid ? content.spend : 0)
    }
    addReversed(place, points: content.points, spend: content.spend.isSaid ? content.spend : 0)
    content.from.withUnsafeBytes { from in
      content.returned.withUnsafeBytes { returned in
        let tenant = tables.members.read(member).pointee.tenant
        var record = JournalRecord(.acted, tx: .none, stamp: now, tenant: tenant, member: from)
        record.of = t.id
        record.original = t.position
        // What came back from the breakage here stands in no other record.
        if core.semantics >= Semantics.service { (record.program, record.amount) = (content.program, back) }
        let after = tables.transactions.read(place).pointee
        (record.reversedPoints, record.reversedSpend) = (after.reversedPoints, after.reversedSpend)
        record.answer = returned
        setLatest(place, journal.append(record))
        guard t.kind == RecordKind.earn.rawValue, t.link != .none else { return }
        setLink(place, content.detail.withUnsafeBytes { EarningDetail.mark($0, latest: returned) })
      }
    }
  }
  private mutating func noteReturned(_ t: TransactionRecord, _ points: Points) {
    var left = points
    var next = t.firstTake
    while next != .none, left > 0 {
      let take = tables.takes.read(next).pointee
      let part = min(left, take.points - take.returned)
      if part > 0 { adjustTake(next, t.id, returned: part) }
      left -= part
      next = take.next
    }
    if left != 0 { fail(.records) }
  }

  // MARK: INTO's slot

  /// Does at a member what is asked about a transaction of one who was merged into it.
  mutating func act(_ content: ActStep.Content, _ origin: StepOrigin) -> Verdict {
    guard catalogue.has(content.program), content.merchant.isNone || catalogue.has(content.merchant) else {
      return .later
    }
    guard let member = content.into.withUnsafeBytes({ findMember($0, tenant: origin.tenant) }) else {
      return refused(Refusal(.notFound, "the member is not there any more"))
    }
    if isMerging(member) { return .later }
    if let next = bondText(.merged, of: member) {
      let twin = findTransaction(content.twin).map { tables.transactions.read($0).pointee.link } ?? .none
      return ActStep.Elsewhere(into: next, twin: twin).verdict
    }
    var reply = ReplyWriter(capacity: 256)
    do throws(Stop) {
      let away = try content.request.withUnsafeBytes { request in
        Result { () throws(Stop) in try act(content, member, origin, request, &reply) }
      }.get()
      var buffer = ByteBuffer(capacity: 256)
      buffer.append(zigzag: away.rawValue)
      buffer.append(reply.buffer.bytes)
      return Verdict(done: buffer.array)
    } catch {
      return refused(error)
    }
  }
  private mutating func act(
    _ content: ActStep.Content, _ member: Ref<MemberRecord>, _ origin: StepOrigin, _ request: UnsafeRawBufferPointer,
    _ reply: inout ReplyWriter
  ) throws(Stop) -> Points {
    var call = Call(rules: rules, tenant: origin.tenant, slot: origin.slot, request: request)
    let asked = content.points >= 0 ? content.points : nil
    switch content.act {
    case .capture, .release:
      let (s, holder) = try twin(content.twin)
      var record =
        content.act == .capture ? try capture(s, holder, asked, call) : try release(s, holder, call)
      record.of = content.of
      record.render(catalogue, into: &reply)
      return 0
    case .refundHold:
      guard findTransaction(content.twin) != nil else {
        throw .malformed("tx: the hold was resolved long ago: REFUND its capture")
      }
      var (s, holder) = try twin(content.twin)
      try checkOpen(member)
      if s.transaction.state == TransactionRecord.captured {
        guard let number = findTransaction(s.transaction.link) else {
          let capture = s.transaction.link
          throw .malformed(
            "tx: the hold was captured by \(capture.slot.rawValue)-\(capture.sequence) long ago: REFUND that one")
        }
        s = Subject(number: number, transaction: tables.transactions.read(number).pointee)
      }
      guard s.transaction.kind == RecordKind.capture.rawValue else {
        throw .malformed("tx: the hold is open or released, which leaves nothing to refund")
      }
      let points = try pointsReturned(asked, s.transaction)
      _ = try refundRedemption(&call, s, holder, points, &reply)
      return 0
    case .takeBack: return try takeBack(content, member, &call, &reply)
    case .giveBack:
      try giveBack(content, member, &call, &reply)
      return 0
    }
  }
  /// What a hold has become that moved, with its member as of now.
  private mutating func twin(_ tx: TransactionID) throws(Stop) -> (Subject, Holder) {
    guard let number = findTransaction(tx) else {
      throw .refused(.reversed("nothing is left of the hold", left: Points.zero))
    }
    let known = tables.transactions.read(number).pointee
    guard let holder = holder(known.member, known.program, create: false) else { throw .refused(.notFound(tx)) }
    touch(holder)
    return (Subject(number: number, transaction: tables.transactions.read(number).pointee), holder)
  }
  private mutating func takeBack(
    _ content: ActStep.Content, _ member: Ref<MemberRecord>, _ call: inout Call, _ reply: inout ReplyWriter
  ) throws(Stop) -> Points {
    try checkOpen(member)
    guard let holder = holder(member, content.program, create: true) else { throw .refused(.notFound(content.of)) }
    touch(holder)
    var t = TransactionRecord(
      id: content.of, position: .none, latest: .none, stamp: content.stamp, points: content.points, member: member,
      program: content.program, kind: RecordKind.earn.rawValue)
    t.lot = content.lot
    t.merchant = content.merchant
    let away = try takeBackCounting(
      Return(of: t, points: content.points, lapsedElsewhere: content.lapsed), holder)
    let isStrict = core.semantics < Semantics.amended
    if !content.detail.isEmpty,
      let detail = content.detail.withUnsafeBytes({ try? EarningDetail(decoding: $0, isStrict: isStrict) })
    {
      uncount(content.points, detail, of: member, content.program)
    }
    bookAct(content, holder, -content.points, &call, &reply)
    return away
  }
  private mutating func giveBack(
    _ content: ActStep.Content, _ member: Ref<MemberRecord>, _ call: inout Call, _ reply: inout ReplyWriter
  ) throws(Stop) {
    try checkOpen(member)
    guard let holder = holder(member, content.program, create: true) else { throw .refused(.notFound(content.of)) }
    touch(holder)
    guard hasRoom(holder, content.points) else { throw .refused(.limit("balance")) }
    guard lotsReserved(UnsafePointer(holder.member)) + content.lots.count <= limits.lotsPerMember + 1 else {
      throw .refused(.limit("lots"))
    }
    post(content.points, content.program, from: .betweenShards, to: .members)
    for lot in content.lots { giveBack(holder, lot.name, lot.earnedAt, lot.points, withGrace: true) }
    bookAct(content, holder, content.points, &call, &reply)
  }
  private mutating func bookAct(
    _ content: ActStep.Content, _ holder: Holder, _ points: Points, _ call: inout Call, _ reply: inout ReplyWriter
  ) {
    var record = nextRecord(.refund, of: holder)
    record.merchant = content.merchant
    record.points = points
    record.spend = content.spend
    record.of = content.of
    record.request = call.request
    book(holder, &record, points: points.magnitude, link: content.of)
    record.render(catalogue, into: &reply)
    endDueLots(holder)
  }

  // MARK: Refusals in the bytes of a verdict

  func refused(_ stop: Stop) -> Verdict {
    switch stop {
    case .refused(let refusal): refused(refusal)
    case .malformed(let text): refused(Refusal(.malformed, text))
    case .decided: refused(Refusal(.busy, "nothing was done: send it again"))
    }
  }
  func refused(_ refusal: Refusal) -> Verdict {
    var reply = ReplyWriter(capacity: 128)
    write(refusal, into: &reply)
    var buffer = ByteBuffer(capacity: 128)
    buffer.append(zigzag: 0)
    buffer.append(reply.buffer.bytes)
    return Verdict(code: refusal.code.rawValue, which: 0, text: buffer.array)
  }
}
