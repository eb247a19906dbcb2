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
      if state.isLost { return Verdict(.lost) }
    }
    if member.pointee.state == MemberState.frozen.rawValue { return Verdict(.frozen) }
    if member.pointee.state == MemberState.closed.rawValue { return Verdict(.closed) }
    if member.pointee.state == MemberState.merging.rawValue { return Verdict(.busy) }
    // Its own points rest: they would not be seen.
    if bond(.inPool, of: number) != nil { return Verdict(.limit, which: 9) }
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
    switch takes {
    case .chain(let first):
      var next = first
      while next != .none {
        let take = tables.takes.read(next).pointee
        credit(holder, arrival(holder, take.lot), take.earnedAt, take.points)
        next = take.next
      }
    case .list(let bytes):
      var reader = ByteReader(bytes)
      while let take = try? TravellingLot(&reader) {
        credit(holder, arrival(holder, take.lot), take.earnedAt, take.points)
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
  /// The lot that points join which come from another member's: with the same end, or with the recipient's activity.
  private mutating func arrival(_ holder: Holder, _ lot: LotName) -> LotName {
    var name = LotName(expiresAt: lot.expiresAt, origin: Origin.transferred.rawValue)
    guard lot.isActivity else { return name }
    name.activityDays = 1
    return present(holder, name)
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
  var lot: LotName
  var earnedAt: Stamp
  var points: Points

  /// Stands for the end of points that end with their holder's activity; what they would end at with the sender follows.
  static let activity = Stamp(microseconds: .max - 1)

  static func append(_ take: TakeRecord, to buffer: inout ByteBuffer) {
    if take.lot.isActivity { buffer.append(activity.microseconds) }
    buffer.append(take.expiresAt.microseconds)
    buffer.append(take.earnedAt.microseconds)
    buffer.append(zigzag: take.points.rawValue)
  }
  init(_ reader: inout ByteReader) throws(MalformedBytes) {
    var expiresAt = Stamp(microseconds: try reader.read())
    let isActivity = expiresAt == TravellingLot.activity
    if isActivity { expiresAt = Stamp(microseconds: try reader.read()) }
    lot = LotName(expiresAt: expiresAt, origin: Origin.transferred.rawValue, activityDays: isActivity ? 1 : 0)
    earnedAt = Stamp(microseconds: try reader.read())
    points = Points(try reader.readZigzag())
    guard points > 0 && points <= Ledger.largestAmount else { throw MalformedBytes("a lot of impossible size") }
    let latest = CivilTime.latest.microseconds * 2
    guard expiresAt == .never || (expiresAt.microseconds < latest && expiresAt.microseconds > -latest),
      earnedAt.microseconds <= latest && earnedAt.microseconds > -latest
    else { throw MalformedBytes("a lot of an impossible time") }
  }
}
