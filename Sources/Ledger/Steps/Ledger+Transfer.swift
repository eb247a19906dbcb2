import Base
import Vocabulary

extension Ledger {
  // MARK: The recipient's side

  enum TakeSource {
    /// The takes of a transaction here.
    case chain(Ref<TakeRecord>)
    /// The lots as a delivery lists them.
    case list(UnsafeRawBufferPointer)
  }

  /// Whether a member may receive points.
  mutating func canReceive(_ number: Ref<MemberRecord>, _ program: ProgramRef, _ points: Points, lots: Int, card: Bytes)
    -> Verdict
  {
    let member = tables.members.read(number)
    if card.count > 0 {
      guard let state = cardState(number, card), state != .removed else { return Verdict(.notFound) }
      if state == .lost { return Verdict(.lost) }
    }
    if member.pointee.state == MemberState.frozen.rawValue { return Verdict(.frozen) }
    if member.pointee.state == MemberState.closed.rawValue { return Verdict(.closed) }
    guard lotsReserved(member) + lots <= limits.lotsPerMember else { return Verdict(.limit, which: 2) }
    guard hasRoom(member, account(member, program), points) else { return Verdict(.limit, which: 1) }
    return .done
  }

  /// Credits a recipient who may receive: the lots keep their expiry and the date of their earning (R22).
  mutating func receive(
    _ number: Ref<MemberRecord>, _ program: ProgramRef, _ source: TransactionID, from: Bytes, _ takes: TakeSource,
    _ points: Points
  ) {
    guard let holder = holder(number, program, create: true) else { return }
    touch(holder)
    post(points, program, from: .betweenShards, to: .members)
    let origin = Origin.transferred.rawValue
    switch takes {
    case .chain(let first):
      var next = first
      while next != .none {
        let take = tables.takes.read(next).pointee
        credit(holder, take.expiresAt, take.earnedAt, origin, take.points)
        next = take.next
      }
    case .list(let bytes):
      var reader = ByteReader(bytes)
      while let take = try? TravellingLot(&reader) {
        credit(holder, take.expiresAt, take.earnedAt, origin, take.points)
      }
    }
    let member = UnsafePointer(holder.member)
    var record = JournalRecord(
      .transferIn, tx: nextTransaction(member.pointee.slot), stamp: now, tenant: member.pointee.tenant,
      member: memberID(member))
    record.program = program
    record.points = points
    record.amount = points
    record.of = source
    record.other = from
    book(holder, &record, points: points, link: source)
    endDueLots(holder)
  }
  /// Why the recipient has nothing; nil if the points have arrived.
  func recipientRefusal(_ verdict: Verdict) -> Refusal? {
    var refusal: Refusal?
    switch ErrorCode(rawValue: verdict.code) {
    case .notFound: refusal = Refusal(.notFound, "no such recipient")
    case .frozen: refusal = Refusal(.frozen, "the recipient is frozen")
    case .closed: refusal = Refusal(.closed, "the recipient is closed")
    default: refusal = self.refusal(verdict)
    }
    refusal?.subject = .recipient
    return refusal
  }
}

/// A lot on its way to another member.
struct TravellingLot {
  var expiresAt: Stamp
  var earnedAt: Stamp
  var points: Points
  init(_ reader: inout ByteReader) throws(MalformedBytes) {
    expiresAt = Stamp(microseconds: try reader.read())
    earnedAt = Stamp(microseconds: try reader.read())
    points = Points(try reader.readZigzag())
    guard points > 0 && points <= Ledger.largestAmount else { throw MalformedBytes("a lot of impossible size") }
    let latest = CivilTime.latest.microseconds * 2
    guard expiresAt == .never || (expiresAt.microseconds < latest && expiresAt.microseconds > -latest),
      earnedAt.microseconds <= latest && earnedAt.microseconds > -latest
    else { throw MalformedBytes("a lot of an impossible time") }
  }
}
