import Base
import Vocabulary

// Cases hang on their member's file as bonds, the newest first: so they are in the digest, in snapshots and in parcels. A case's number
// is that of the record of the journal that opened it, by which its slot and its member are found.
extension Ledger {
  // MARK: Keeping

  func cases(of member: Ref<MemberRecord>) -> [Ref<BondRecord>] {
    guard tables.members.read(member).pointee.hasBonds else { return [] }
    var all: [Ref<BondRecord>] = []
    var next = tables.files.read(tables.members.read(member).pointee.file).pointee.firstBond
    while next != .none {
      let bond = tables.details.bonds.read(next).pointee
      if bond.kind == BondRecord.Kind.ofCase.rawValue { all.append(next) }
      next = bond.next
    }
    return all
  }
  func content(ofCase ref: Ref<BondRecord>) -> CaseContent {
    (try? CaseContent(decoding: text(ofBond: ref))) ?? CaseContent()
  }
  func findCase(_ number: TransactionID, of member: Ref<MemberRecord>) -> Ref<BondRecord>? {
    cases(of: member).first { tables.details.bonds.read($0).pointee.tx == number }
  }
  mutating func setCase(_ ref: Ref<BondRecord>, of member: Ref<MemberRecord>, _ content: CaseContent) {
    setText(ofBond: ref, of: member, content.encoded)
  }
  /// Refuses one case too many.
  private func checkCaseRoom(_ member: Ref<MemberRecord>) throws(Stop) {
    let all = cases(of: member)
    guard all.count < CaseContent.mostOfMember || all.contains(where: { content(ofCase: $0).state.isOver }) else {
      throw .refused(.limit("cases", "\(all.count) cases of the member are open, which is the most"))
    }
  }

  // MARK: Opening

  /// An adjustment above its user's limit.
  mutating func waitForApproval(
    _ adjustment: Adjustment, _ member: Ref<MemberRecord>, _ program: ProgramRef, _ call: inout Call,
    _ reply: inout ReplyWriter
  ) throws(Stop) -> Outcome {
    try checkCaseRoom(member)
    guard let holder = holder(member, program, create: true) else { throw .refused(.limit("accounts")) }
    var content = CaseContent()
    content.kind = .adjustment
    (content.points, content.isUp) = (adjustment.points, adjustment.isUp)
    return open(&content, by: adjustment.detail.by, holder, &call, &reply)
  }
  /// `CASE OPEN`: with a purchase, what is left of its points is held, as far as it is there.
  mutating func openCase(_ call: inout Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    try checkProgramme()
    guard let asker = call.asker else { throw .malformed("CASE OPEN says who asks") }
    let member = try changed(call)
    try checkOpen(member)
    let word = call.text(.kind)
    guard let kind = CaseKind.allCases.first(where: { $0 != .adjustment && $0.word.utf8.elementsEqual(word) }) else {
      throw .malformed("kind= must be dispute, abuse or return")
    }
    try checkCaseRoom(member)
    var content = CaseContent()
    content.kind = kind
    content.points = call.points ?? 0
    var program = ProgramRef.none
    var left = Points.zero
    if let tx = call.transaction(.tx) {
      guard tx.slot == call.slot else { throw .refused(missingPurchase(tx, of: member)) }
      try recallPurchase(tx, call)
      guard let number = findTransaction(tx), tables.transactions.read(number).pointee.member == member else {
        throw .refused(missingPurchase(tx, of: member))
      }
      let t = tables.transactions.read(number).pointee
      guard t.kind == RecordKind.earn.rawValue else { throw .malformed("tx: a case is about what earned points") }
      (program, left, content.of) = (t.program, t.points - t.reversedPoints - claimed(of: tx, member), tx)
      guard content.points <= left else { throw .refused(.reversed("more than is left of it", left: left)) }
      if content.points > 0 { left = content.points }
      content.points = left
    } else {
      program = try self.program(Command.none, .none, call.tenant)
    }
    guard let holder = holder(member, program, create: true) else { throw .refused(.limit("accounts")) }
    touch(holder)
    let held = min(left, holder.account.pointee.available)
    if held > 0 {
      let reserved = reservedRoom(UnsafePointer(holder.member))?.holds ?? 0
      guard holdCount(UnsafePointer(holder.member)) + reserved < limits.holdsPerMember else {
        throw .refused(.limit("holds"))
      }
      content.hold = hold(held, holder)
    }
    return open(&content, by: asker.name, holder, &call, &reply)
  }
  /// What a member earned into its pool is the pool's, and so are the cases about it.
  private func missingPurchase(_ tx: TransactionID, of member: Ref<MemberRecord>) -> Refusal {
    guard core.semantics >= Semantics.service, let pool = pool(of: member) else { return .notFound(tx) }
    return Refusal(
      .notFound,
      "the member has no such transaction; what it earned into its pool is the pool's:"
        + " CASE OPEN \(String(decoding: pool, as: UTF8.self)) tx=\(tx.text)")
  }
  /// How many points of a purchase the open cases about it are to decide on: these are not returned otherwise meanwhile. One bit test
  /// where the member has no case.
  func claimed(of tx: TransactionID, _ member: Ref<MemberRecord>) -> Points {
    guard core.semantics >= Semantics.service else { return 0 }
    var points = Points.zero
    for ref in cases(of: member) {
      let content = content(ofCase: ref)
      if content.of == tx, !content.state.isOver { points = points &+ content.points }
    }
    return points
  }
  /// Holds points for a case: by no merchant, and without end.
  private mutating func hold(_ points: Points, _ holder: Holder) -> TransactionID {
    var record = nextRecord(.hold, of: holder)
    let chain = take(holder, points, .hold, of: record.tx)
    record.amount = points
    record.expires = CivilTime.latest
    let hold = openHold(holder, record.tx, CivilTime.latest)
    book(
      holder, &record, points: points, takes: chain, state: TransactionRecord.open, hold: hold,
      deadline: CivilTime.latest)
    return record.tx
  }
  private mutating func open(
    _ content: inout CaseContent, by: [UInt8], _ holder: Holder, _ call: inout Call, _ reply: inout ReplyWriter
  ) -> Outcome {
    let member = holder.number
    let all = cases(of: member)
    if all.count >= CaseContent.mostOfMember, let old = all.last(where: { self.content(ofCase: $0).state.isOver }) {
      dropBond(old, of: member)
    }
    content.state = content.kind.firstState
    (content.at, content.by, content.program) = (now, by, holder.program)
    content.reason = Array(call.text(.reason))
    if call.has(.note) { content.notes.append(Array(call.text(.note))) }
    var record = nextRecord(.caseOpened, of: holder)
    record.of = content.of
    record.other = call.text(.reason)
    record.request = call.request
    var detail = AdjustmentDetail(by: by)
    detail.kind = content.kind
    detailBuffer.removeAll()
    detail.encoded.withUnsafeBytes { detailBuffer.append($0) }
    record.answer = detailBuffer.bytes
    book(holder, &record, points: 0)
    addBond(.ofCase, of: member, tx: record.tx, content.encoded)
    return answer(&call, record, holder, &reply)
  }

  /// Has a purchase in memory, by the facts that a command about a case carries of it.
  private mutating func recallPurchase(_ tx: TransactionID, _ call: Call) throws(Stop) {
    var own = call
    // The request is the case's, and is not looked up as one about the purchase.
    own.request = Command.none
    own.hashes.key.isNone = true
    try recall(tx, &own)
  }
  /// Has all at hand that a return of the purchase takes, before anything is changed. False: it is too old for that.
  private mutating func recallPurchase(of content: CaseContent, _ call: Call) throws(Stop) -> Bool {
    do throws(Stop) {
      try recallPurchase(content.of, call)
    } catch {
      guard case .refused = error else { throw error }
      return false
    }
    guard let number = findTransaction(content.of) else { return false }
    let t = tables.transactions.read(number).pointee
    if t.link != .none { _ = try soldBy(call, t) }
    return true
  }
  /// What a command about a case has to carry facts of, where the case is at hand; nil: it is about no purchase.
  func purchase(ofCase number: TransactionID, _ t: TransactionRecord) -> TransactionID? {
    guard t.kind == RecordKind.caseOpened.rawValue, let ref = findCase(number, of: t.member) else { return nil }
    let of = content(ofCase: ref).of
    return of == .none ? nil : of
  }

  // MARK: Deciding

  /// The case that a command is about.
  private mutating func subjectCase(
    _ call: inout Call
  ) throws(Stop) -> (ref: Ref<BondRecord>, member: Ref<MemberRecord>, content: CaseContent, asker: Actor) {
    try checkProgramme()
    guard let asker = call.asker else { throw .malformed("\(call.verb.words) says who asks") }
    let member = try subject(&call).transaction.member
    guard let ref = findCase(call.transaction, of: member) else {
      throw .refused(Refusal(.notFound, "no such case '\(call.transaction.text)'"))
    }
    return (ref, member, content(ofCase: ref), asker)
  }
  /// `CASE APPROVE`, `CASE REJECT`.
  mutating func decideCase(
    _ call: inout Call, approves: Bool, _ reply: inout ReplyWriter
  ) throws(Stop) -> Outcome {
    var (ref, member, content, asker) = try subjectCase(&call)
    guard asker.name.isEmpty || asker.name != content.by else {
      throw .refused(Refusal(.noPermission, "another user decides a case than the one who opened it; nothing was done"))
    }
    guard !content.state.isOver else {
      throw .refused(Refusal(.closed, "the case is \(content.state.word)"))
    }
    if core.semantics >= Semantics.service, tables.members.read(member).pointee.state == MemberState.closed.rawValue {
      return try endCase(ref, of: member, &content, call, asker, approves: approves, &reply)
    }
    try checkOpen(member)
    guard let holder = holder(member, content.program, create: true) else { throw .refused(.limit("accounts")) }
    if call.has(.note) { try add(call.text(.note), to: &content) }
    // Of what may still be refused nothing is done: neither is what it holds given back.
    guard core.semantics < Semantics.service || holder.account.pointee.debt <= Ledger.largestBalance - content.points
    else { throw .refused(.limit("balance")) }
    let takes = approves && (content.kind == .return || content.kind == .abuse) && content.of != .none
    if takes { _ = try recallPurchase(of: content, call) }
    touch(holder)
    var posted: (tx: TransactionID, points: Points, balance: Points)?
    if content.kind == .adjustment {
      if approves { posted = try postAdjustment(of: content, holder, call, asker) }
    } else {
      endHold(content.hold, holder)
      if takes { posted = try takeBack(content, holder, call, asker) }
    }
    decide(ref, of: member, &content, call, asker, approves: approves, &reply) { reply in
      guard let posted else { return }
      reply.field(.tx, posted.tx)
      reply.field(.points, posted.points)
      reply.field(.balance, posted.balance)
    }
    endDueLots(holder)
    return .replied
  }
  /// A case of a member that was closed meanwhile: what it held has lapsed, and nothing moves any more.
  private mutating func endCase(
    _ ref: Ref<BondRecord>, of member: Ref<MemberRecord>, _ content: inout CaseContent, _ call: Call, _ asker: Actor,
    approves: Bool, _ reply: inout ReplyWriter
  ) throws(Stop) -> Outcome {
    if call.has(.note) { try add(call.text(.note), to: &content) }
    decide(ref, of: member, &content, call, asker, approves: approves, &reply) { reply in
      if approves { reply.field(.points, Points.zero) }
      reply.field(named: "reason", "closed")
    }
    return .replied
  }
  /// Keeps that a case is decided, and answers it: `more` says what came of it.
  private mutating func decide(
    _ ref: Ref<BondRecord>, of member: Ref<MemberRecord>, _ content: inout CaseContent, _ call: Call, _ asker: Actor,
    approves: Bool, _ reply: inout ReplyWriter, _ more: (inout ReplyWriter) -> Void
  ) {
    content.state = approves ? .approved : .rejected
    (content.decidedBy, content.decidedAt) = (asker.name, now)
    setCase(ref, of: member, content)
    let start = reply.buffer.count
    reply.record()
    reply.field(named: "case", call.transaction.text)
    reply.field(.state, content.state.word)
    more(&reply)
    keepAnswer(call, reply, from: start)
  }
  private mutating func postAdjustment(
    of content: CaseContent, _ holder: Holder, _ call: Call, _ asker: Actor
  ) throws(Stop) -> (tx: TransactionID, points: Points, balance: Points) {
    guard pool(of: holder.number) == nil else {
      throw .refused(.limit("pool", "the member's own points rest while it is in a pool"))
    }
    return try post(content, content.points, isUp: content.isUp, holder, call, asker)
  }
  private mutating func post(
    _ content: CaseContent, _ points: Points, isUp: Bool, _ holder: Holder, _ call: Call, _ asker: Actor
  ) throws(Stop) -> (tx: TransactionID, points: Points, balance: Points) {
    var detail = AdjustmentDetail(by: content.by)
    (detail.approvedBy, detail.number) = (asker.name, call.transaction)
    let record = try post(
      Adjustment(points: points, isUp: isUp, reason: content.reason, detail: detail), holder, request: call.request)
    return (record.tx, record.points, record.balance)
  }
  private mutating func endHold(_ tx: TransactionID, _ holder: Holder) {
    guard tx != .none, let number = findTransaction(tx),
      tables.transactions.read(number).pointee.state == TransactionRecord.open
    else { return }
    let t = tables.transactions.read(number).pointee
    releasePoints(holder, number, t.points)
    setState(number, TransactionRecord.released)
    closeHold(t.hold)
    var record = nextRecord(.release, of: holder)
    record.amount = t.points
    record.of = tx
    book(holder, &record, points: t.points, link: tx)
  }
  /// A return of the purchase, as `REFUND` has it. One that has left memory is taken back as an adjustment.
  private mutating func takeBack(
    _ content: CaseContent, _ holder: Holder, _ call: Call, _ asker: Actor
  ) throws(Stop) -> (tx: TransactionID, points: Points, balance: Points)? {
    guard let number = findTransaction(content.of) else {
      guard content.points > 0 else { return nil }
      return try post(content, content.points, isUp: false, holder, call, asker)
    }
    let t = tables.transactions.read(number).pointee
    // What other cases are to decide on stays theirs.
    let others = core.semantics >= Semantics.settled ? claimed(of: content.of, holder.number) - content.points : 0
    let whole = t.points - t.reversedPoints
    let left = max(0, whole - others)
    let points = content.points > 0 ? min(left, content.points) : left
    guard points > 0, t.state != TransactionRecord.undone else { return nil }
    var own = call
    // The case is answered, and not the return.
    own.hashes.key.isNone = true
    var nowhere = ReplyWriter(capacity: 256)
    _ = try refundEarn(
      &own, Subject(number: number, transaction: t), holder, asked: points < whole ? points : nil, &nowhere)
    let tx = TransactionID(slot: holder.member.pointee.slot, sequence: lastSequence(of: holder.member.pointee.slot))
    return (tx, -points, holder.account.pointee.balance)
  }

  // MARK: Notes

  private func add(_ note: Bytes, to content: inout CaseContent) throws(Stop) {
    guard content.notes.reduce(note.count, { $0 + $1.count }) <= CaseContent.mostNoteBytes else {
      throw .refused(.limit("notes", "notes of a case have at most \(CaseContent.mostNoteBytes) bytes"))
    }
    content.notes.append(Array(note))
  }
  /// `CASE NOTE`
  mutating func noteCase(_ call: inout Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    var (ref, member, content, _) = try subjectCase(&call)
    try add(call.text(.text), to: &content)
    setCase(ref, of: member, content)
    return done(call, &reply)
  }
  /// What was noted may be personal.
  mutating func eraseCaseNotes(of member: Ref<MemberRecord>) {
    for ref in cases(of: member) {
      var content = content(ofCase: ref)
      guard !content.notes.isEmpty else { continue }
      content.notes = []
      setCase(ref, of: member, content)
    }
  }
}
