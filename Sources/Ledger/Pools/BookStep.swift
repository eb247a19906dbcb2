import Base
import Vocabulary

/// A movement of a member who is in a pool, booked at the pool's slot. The member's slot has worked out how much, by the member's facts,
/// and has counted it; the pool's has the points, and answers in the member's name. The transaction is the pool's: CAPTURE, RELEASE and
/// REFUND go there at once.
enum BookStep: ShardStep {
  typealias Bytes = UnsafeRawBufferPointer
  static let kind: UInt8 = 48
  static var kinds: ClosedRange<UInt8> { kind...kind }

  enum Act: UInt8 { case earn = 1, redeem = 2, hold = 3, gift = 4 }
  /// What it says, and is kept.
  struct Content {
    struct Count {
      var key: CounterKey
      var before: Int64
      var after: Int64
    }
    var act: Act
    var pool: [UInt8]
    var member: [UInt8]
    var request: [UInt8]
    var program: ProgramRef
    var merchant: MerchantRef
    var points: Points
    var spend = Money.none
    /// Zero: now.
    var effective = Stamp.zero
    /// Of a hold, in seconds.
    var ttl: Int64 = 0
    var isByRules = false
    /// How an earning was worked out.
    var detail: [UInt8] = []
    /// What the member's slot has counted: undone if the pool refuses.
    var counts: [Count] = []
    /// What it counts for in the member's tiers.
    var qualifying = PoolQualifying()

    init(_ act: Act, _ call: Source, pool: [UInt8], _ parties: Parties, points: Points) {
      (self.act, self.pool, self.points) = (act, pool, points)
      (member, request) = (Array(call.member), Array(call.request))
      (program, merchant) = (parties.program, parties.merchant)
    }
    init(_ reader: inout ByteReader) throws(MalformedBytes) {
      guard let act = Act(rawValue: try reader.read()) else { throw MalformedBytes("a movement of unknown kind") }
      self.act = act
      pool = Array(try reader.readCounted())
      member = Array(try reader.readCounted())
      request = Array(try reader.readCounted())
      program = ProgramRef(rawValue: try reader.read())
      merchant = MerchantRef(rawValue: try reader.read())
      points = Points(try reader.readZigzag())
      spend = Money(try reader.readZigzag())
      effective = Stamp(microseconds: try reader.read())
      ttl = try reader.readZigzag()
      isByRules = try reader.read(UInt8.self) == 1
      detail = Array(try reader.readCounted())
      for _ in 0..<Int(try reader.read(UInt16.self)) {
        let kind: UInt8 = try reader.read()
        let start: Int32 = try reader.read()
        let key = CounterKey(kind: kind, start: start, subject: try reader.read())
        counts.append(Count(key: key, before: try reader.readZigzag(), after: try reader.readZigzag()))
      }
      if !reader.isAtEnd { qualifying = try PoolQualifying(&reader) }
      try reader.finish()
      guard points >= 0, points <= Ledger.largestAmount, spend.rawValue >= -1, effective >= .zero,
        effective < CivilTime.latest, ttl >= 0, ttl < 1 << 32, pool.withUnsafeBytes({ $0.isIdentifier }),
        member.withUnsafeBytes({ $0.isIdentifier })
      else { throw MalformedBytes("a movement that cannot be") }
    }
    var bytes: [UInt8] {
      var buffer = ByteBuffer(capacity: 512)
      buffer.append(act.rawValue)
      for text in [pool, member, request] { buffer.append(counted: text) }
      buffer.append(program.rawValue)
      buffer.append(merchant.rawValue)
      buffer.append(zigzag: points.rawValue)
      buffer.append(zigzag: spend.rawValue)
      buffer.append(effective.microseconds)
      buffer.append(zigzag: ttl)
      buffer.append(UInt8(isByRules ? 1 : 0))
      buffer.append(counted: detail)
      buffer.append(UInt16(clamping: counts.count))
      for count in counts {
        buffer.append(count.key.kind)
        buffer.append(count.key.start)
        buffer.append(count.key.subject)
        buffer.append(zigzag: count.before)
        buffer.append(zigzag: count.after)
      }
      if !qualifying.isEmpty { qualifying.encode(into: &buffer) }
      return buffer.array
    }
  }
  typealias Source = Ledger.Source

  static func receive(
    _ origin: StepOrigin, _ reader: inout ByteReader, in ledger: inout Ledger
  ) throws(MalformedBytes) -> Verdict {
    ledger.book(try Content(&reader), origin)
  }
  static func complete(
    _ step: OutboxRecord, _ kept: Bytes, _ verdict: Verdict, in ledger: inout Ledger, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) {
    var reader = ByteReader(kept)
    ledger.booked(step, try Content(&reader), verdict, &reply)
  }
}

/// A return of what a member earned into a pool gives back to the member's caps (R18), and takes from what the member qualified by (R19),
/// at the member's slot.
enum UncountStep: ShardStep {
  typealias Bytes = UnsafeRawBufferPointer
  static let kind: UInt8 = 49
  static var kinds: ClosedRange<UInt8> { kind...kind }

  /// - Parameter back: nil: it is not counted for tiers.
  static func bytes(
    member: [UInt8], program: ProgramRef, points: Points, detail: [UInt8], back: PoolReturn?
  ) -> [UInt8] {
    var buffer = ByteBuffer(capacity: 256)
    buffer.append(counted: member)
    buffer.append(program.rawValue)
    buffer.append(zigzag: points.rawValue)
    buffer.append(counted: detail)
    back?.encode(into: &buffer)
    return buffer.array
  }
  static func receive(
    _ origin: StepOrigin, _ reader: inout ByteReader, in ledger: inout Ledger
  ) throws(MalformedBytes) -> Verdict {
    let member = try reader.readCounted()
    let program = ProgramRef(rawValue: try reader.read())
    let points = Points(try reader.readZigzag())
    let detail = try EarningDetail(
      decoding: try reader.readCounted(), isStrict: ledger.core.semantics < Semantics.amended)
    let back = reader.isAtEnd ? nil : try PoolReturn(&reader)
    try reader.finish()
    guard points >= 0, ledger.catalogue.has(program) else { throw MalformedBytes("a return that cannot be") }
    guard let number = ledger.findMember(member, tenant: origin.tenant) else { return .done }
    if let back {
      // It may be the very purchase that is on its way, and not counted yet.
      guard ledger.movement(of: number) == .none else { return .later }
      ledger.disqualify(back, detail, of: number, program)
    }
    ledger.uncount(points, detail, of: number, program)
    return .done
  }
  static func complete(
    _ step: OutboxRecord, _ kept: Bytes, _ verdict: Verdict, in ledger: inout Ledger, _ reply: inout ReplyWriter
  ) {}
  static func awaited(_ step: OutboxRecord, _ kept: Bytes, in ledger: borrowing Ledger) -> TransactionID { .none }
}
