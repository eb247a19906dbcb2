import Base
import Vocabulary

/// Points on their way to a member of another shard. Kept: the recipient, their card, the request id, counted; the rest is in
/// the transaction. Delivered: recipient, card, sender, program, counted; points zigzag; lots to the end.
enum TransferStep: ShardStep {
  typealias Bytes = UnsafeRawBufferPointer
  static let kind: UInt8 = 1
  static var kinds: ClosedRange<UInt8> { kind...kind }

  /// Until the verdict is recorded they are in transit.
  static func forEachUnderWay(
    _ step: OutboxRecord, in ledger: borrowing Ledger, _ body: (ProgramRef, Points) -> Void
  ) {
    guard let number = ledger.findTransaction(step.id) else { return }
    let transaction = ledger.tables.transactions.read(number).pointee
    body(transaction.program, transaction.points)
  }
  static func append(
    _ step: OutboxRecord, _ kept: Bytes, in ledger: borrowing Ledger, to buffer: inout ByteBuffer
  ) -> Bool {
    var reader = ByteReader(kept)
    guard let number = ledger.findTransaction(step.id), let recipient = try? reader.readCounted(),
      let card = try? reader.readCounted()
    else { return false }
    let transaction = ledger.tables.transactions.read(number).pointee
    buffer.append(counted: recipient)
    buffer.append(counted: card)
    buffer.append(counted: ledger.memberID(ledger.tables.members.read(transaction.member)))
    ledger.catalogue.withProgramName(transaction.program) { buffer.append(counted: $0) }
    buffer.append(zigzag: transaction.points.rawValue)
    var next = transaction.firstTake
    while next != .none {
      let take = ledger.tables.takes.read(next).pointee
      TravellingLot.append(take, to: &buffer)
      next = take.next
    }
    return true
  }

  static func receive(
    _ origin: StepOrigin, _ reader: inout ByteReader, in ledger: inout Ledger
  ) throws(MalformedBytes) -> Verdict {
    let recipient = try reader.readCounted()
    let card = try reader.readCounted()
    let sender = try reader.readCounted()
    let program = try reader.readCounted()
    let points = Points(try reader.readZigzag())
    let list = try reader.readBytes(reader.remaining)
    var lots = ByteReader(list)
    var sum = Points.zero
    var count = 0
    while !lots.isAtEnd {
      let lot = try TravellingLot(&lots)
      sum += lot.points
      count += 1
      guard sum <= Ledger.largestAmount else { throw MalformedBytes("a transfer of impossible size") }
    }
    guard sum == points, points > 0 else { throw MalformedBytes("a transfer's lots are not its points") }
    guard let program = ledger.catalogue.program(program, tenant: origin.tenant) else {
      return Verdict(.limit, which: 5)
    }
    guard let number = ledger.findMember(recipient, tenant: origin.tenant) else { return Verdict(.notFound) }
    let verdict = ledger.canReceive(number, program, points, lots: count, card: card)
    if verdict == .done { ledger.receive(number, program, origin.transaction, from: sender, .list(list), points) }
    return verdict
  }
  static func complete(
    _ step: OutboxRecord, _ kept: Bytes, _ verdict: Verdict, in ledger: inout Ledger, _ reply: inout ReplyWriter
  ) {
    ledger.completeTransfer(step, kept, verdict, &reply)
  }
}

extension Ledger {
  fileprivate mutating func completeTransfer(
    _ record: OutboxRecord, _ kept: Bytes, _ verdict: Verdict, _ reply: inout ReplyWriter
  ) {
    guard let place = findTransaction(record.id) else { return fail(.records) }
    let transaction = tables.transactions.read(place).pointee
    let program = transaction.program
    guard let holder = holder(transaction.member, program, create: false) else { return fail(.records) }
    endTransit(holder, points: transaction.points, lots: takeCount(transaction.firstTake))
    let key = request(of: record)
    let member = tables.members.read(transaction.member)
    if verdict == .done {
      post(transaction.points, program, from: .inTransit, to: .betweenShards)
      setState(place, 0)
      var take = transaction.firstTake
      while take != .none { take = dropTake(take, record.id) }
      tables.transactions.write(place).pointee.firstTake = .none
      resolve(key, transaction.position)
      var answer = JournalRecord(
        .transferOut, tx: record.id, stamp: now, tenant: record.tenant, member: memberID(member))
      var reader = ByteReader(kept)
      if let recipient = try? reader.readCounted() { answer.other = recipient }
      answer.program = transaction.program
      answer.amount = transaction.points
      answer.balance = record.balance
      answer.render(catalogue, into: &reply)
      return
    }
    // Refused: the very lots get their points back.
    touch(holder)
    post(transaction.points, program, from: .inTransit, to: .members)
    giveBack(holder, transaction, transaction.points, withGrace: false)
    setState(place, TransactionRecord.returned)
    countSent(-transaction.points, holder.number, program, at: transaction.stamp)
    var back = JournalRecord(
      .transferBack, tx: nextTransaction(record.id.slot), stamp: now, tenant: record.tenant, member: memberID(member))
    back.program = transaction.program
    back.points = transaction.points
    back.amount = transaction.points
    back.of = record.id
    book(holder, &back, points: transaction.points, link: record.id)
    endDueLots(holder)
    if holder.member.pointee.state == MemberState.closed.rawValue { lapseRest(holder) }
    guard let refusal = recipientRefusal(verdict) else { return }
    answer(
      record, refusal, request: Command.none, member: memberID(tables.members.read(transaction.member)),
      slot: record.id.slot, &reply)
  }
}
