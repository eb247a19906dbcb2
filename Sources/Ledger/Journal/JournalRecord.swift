import Base

/// What happened, as history shows it. The raw value is part of the journal: never change one, only add.
enum RecordKind: UInt8, Sendable {
  case earn = 1
  case redeem = 2
  case hold = 3
  case capture = 4
  case release = 5
  case refund = 6
  case transferOut = 7
  case transferIn = 8
  case transferBack = 9
  case expire = 10
  /// What was left at the closing of a member.
  case close = 11
  /// An answer in its bytes, kept under a request id: a refusal, or `+OK`. Not part of a history.
  case answer = 12
  /// A hold that ran out.
  case lapse = 13
  /// Where the numbers of some slots' transactions stand as a segment begins. Not part of a history.
  case index = 14
  /// What had lapsed, taken back from breakage by the refund that follows.
  case expireBack = 15
  /// Newer semantics begin with this entry: `amount`. Not part of a history.
  case rules = 16
  /// What a member had no more of what a refund takes, borne by the operator.
  case absorb = 17
  /// Pending points that became active.
  case activate = 18
  /// The end of lots was moved: `amount` points, to `expires`.
  case extend = 19
  /// The gift of a tier that was reached.
  case gift = 20
  /// What left a member for the one that it was merged into: `amount`, pending points too; its balance changed by `points`.
  case mergeOut = 30
  case mergeIn = 31
  /// A hold went to another member with its points, and is the transaction `number` there. Not part of a history.
  case carried = 32
  /// What was done with a transaction at the member that its own was merged into. Not part of a history.
  case acted = 33
  /// Points that somebody gave or took by hand: `other` is the reason, `answer` an `AdjustmentDetail`.
  case adjust = 45
  /// A case was opened: `other` is the reason, `of` what it is about, `answer` an `AdjustmentDetail`.
  case caseOpened = 46

  /// It is about a member's account.
  var isOfHistory: Bool {
    switch self {
    case .answer, .index, .rules, .carried, .acted: false
    default: true
    }
  }

  var word: StaticString {
    switch self {
    case .earn: "earn"
    case .redeem: "redeem"
    case .hold: "hold"
    case .capture: "capture"
    case .release: "release"
    case .refund: "refund"
    case .transferOut: "transfer-out"
    case .transferIn: "transfer-in"
    case .transferBack: "transfer-back"
    case .expire: "expire"
    case .close: "close"
    case .answer: "answer"
    case .lapse: "lapse"
    case .index: "index"
    case .expireBack: "expire-back"
    case .rules: "rules"
    case .absorb: "absorb"
    case .activate: "activate"
    case .extend: "extend"
    case .gift: "gift"
    case .mergeOut: "merge-out"
    case .mergeIn: "merge-in"
    case .carried: "carried"
    case .acted: "acted"
    case .adjust: "adjust"
    case .caseOpened: "case"
    }
  }
}

/// One record of the journal, before it is written or after it was read; its texts are borrowed.
///
///     0   CRC-32C of what follows              u32
///     4   bytes of the whole record            u32
///     8   transaction                          u64
///     16  the member's record before this one  u64
///     24  stamp                                i64
///     32  kind u8 (its top bit: a link at the end), flags u8, program u16 (all ones: none), merchant u32 (all ones: none)
///     40  points, amount, balance, balance - available: zigzag; tenant: varint; member, request: counted;
///         by flags: spend, of u64, expires, effective: zigzag; other: counted; answer: counted; lots: counted, each a
///         `JournalLot`; where `of`'s own record is, u64, and what has been given back of it by now: points, spend, zigzag;
///         the account's record before this one u64, where that is not the member's
struct JournalRecord {
  typealias Bytes = UnsafeRawBufferPointer
  var kind: RecordKind
  var tx: TransactionID
  /// The member's record before this one, and the account's.
  var previous = JournalPosition.none
  var previousOfAccount = JournalPosition.none
  var stamp: Stamp
  var tenant: TenantID
  var program = ProgramRef.none
  var merchant = MerchantRef.none
  /// By how much the balance changed.
  var points: Points = 0
  /// What was moved, held or released, where that is something else; of an earn, what lapsed as it was booked.
  var amount: Points = 0
  var balance: Points = 0
  var available: Points = 0
  var spend = Money.none
  var of = TransactionID.none
  var expires = Stamp.zero
  var effective = Stamp.zero
  var member: Bytes
  var request = Bytes(start: nil, count: 0)
  /// The other side of a transfer.
  var other = Bytes(start: nil, count: 0)
  /// An encoded reply; of an earn, and of a refund of one, how it was worked out: `EarningDetail`.
  var answer = Bytes(start: nil, count: 0)
  /// Of an earn the lot that it joined, of a redemption those that it took from: `JournalLot`s.
  var lots = Bytes(start: nil, count: 0)
  /// Of a refund and of a capture: the record of the transaction `of`, and what has been given back of that so far.
  var original = JournalPosition.none
  var reversedPoints: Points = 0
  var reversedSpend: Money = 0

  static let fixedSize = 40
  static let maximumByteCount = 65_536
  /// Slots in one record of kind `index`: their varints, in `answer`. `amount` is the first slot.
  static let slotsPerIndex = 4096

  private static let hasSpend: UInt8 = 1
  private static let hasOf: UInt8 = 2
  private static let hasExpires: UInt8 = 4
  private static let hasEffective: UInt8 = 8
  private static let hasOther: UInt8 = 16
  private static let hasAnswer: UInt8 = 32
  private static let hasLots: UInt8 = 64
  private static let hasOriginal: UInt8 = 128
  private static let hasAccountLink: UInt8 = 128

  init(_ kind: RecordKind, tx: TransactionID, stamp: Stamp, tenant: TenantID, member: Bytes) {
    self.kind = kind
    self.tx = tx
    self.stamp = stamp
    self.tenant = tenant
    self.member = member
  }

  func encode(into buffer: inout ByteBuffer) {
    let start = buffer.count
    var flags: UInt8 = 0
    if spend.isSaid { flags |= Self.hasSpend }
    if of != .none { flags |= Self.hasOf }
    if expires != .zero { flags |= Self.hasExpires }
    if effective != .zero { flags |= Self.hasEffective }
    if other.count > 0 { flags |= Self.hasOther }
    if answer.count > 0 { flags |= Self.hasAnswer }
    if lots.count > 0 { flags |= Self.hasLots }
    if original != .none { flags |= Self.hasOriginal }
    let place = buffer.reserve(Self.fixedSize)
    place.storeBytes(of: tx.rawValue.littleEndian, toByteOffset: 8, as: UInt64.self)
    place.storeBytes(of: previous.rawValue.littleEndian, toByteOffset: 16, as: UInt64.self)
    place.storeBytes(of: stamp.microseconds.littleEndian, toByteOffset: 24, as: Int64.self)
    let hasLink = previousOfAccount != previous
    place.storeBytes(of: kind.rawValue | (hasLink ? Self.hasAccountLink : 0), toByteOffset: 32, as: UInt8.self)
    place.storeBytes(of: flags, toByteOffset: 33, as: UInt8.self)
    place.storeBytes(of: UInt16(truncatingIfNeeded: program.rawValue).littleEndian, toByteOffset: 34, as: UInt16.self)
    place.storeBytes(of: merchant.rawValue.littleEndian, toByteOffset: 36, as: Int32.self)
    buffer.commit(Self.fixedSize)
    buffer.append(zigzag: points.rawValue)
    buffer.append(zigzag: amount.rawValue)
    buffer.append(zigzag: balance.rawValue)
    buffer.append(zigzag: (balance &- available).rawValue)
    buffer.append(varint: UInt64(tenant.rawValue))
    buffer.append(counted: member)
    buffer.append(counted: request)
    if flags != 0 {
      if spend.isSaid { buffer.append(zigzag: spend.rawValue) }
      if of != .none { buffer.append(of.rawValue) }
      if expires != .zero { buffer.append(zigzag: expires.microseconds) }
      if effective != .zero { buffer.append(zigzag: effective.microseconds) }
      if other.count > 0 { buffer.append(counted: other) }
      if answer.count > 0 { buffer.append(counted: answer) }
      if lots.count > 0 { buffer.append(counted: lots) }
      if original != .none {
        buffer.append(original.rawValue)
        buffer.append(zigzag: reversedPoints.rawValue)
        buffer.append(zigzag: reversedSpend.rawValue)
      }
    }
    if hasLink { buffer.append(previousOfAccount.rawValue) }
    buffer.endRecord(start)
  }

  /// Reads the record that `bytes` begin with. Throws if they are cut or fail the checksum.
  init(decoding bytes: Bytes) throws(MalformedBytes) {
    var reader = ByteReader(bytes)
    let crc: UInt32 = try reader.read()
    let count: UInt32 = try reader.read()
    guard count >= UInt32(Self.fixedSize), Int(count) <= bytes.count else { throw MalformedBytes("a record is cut") }
    guard CRC32C.checksum(Bytes(rebasing: bytes[4..<Int(count)])) == crc else {
      throw MalformedBytes("a record fails its checksum")
    }
    let rawTransaction: UInt64 = try reader.read()
    guard rawTransaction >> 48 < UInt64(Slot.count) else { throw MalformedBytes("a transaction of no slot") }
    tx = TransactionID(rawValue: rawTransaction)
    previous = JournalPosition(rawValue: try reader.read())
    stamp = Stamp(microseconds: try reader.read())
    let rawKind: UInt8 = try reader.read()
    guard let kind = RecordKind(rawValue: rawKind & ~Self.hasAccountLink) else {
      throw MalformedBytes("a record of unknown kind")
    }
    self.kind = kind
    let flags: UInt8 = try reader.read()
    let rawProgram: UInt16 = try reader.read()
    program = rawProgram == .max ? .none : ProgramRef(place: Int(rawProgram))
    merchant = MerchantRef(rawValue: try reader.read())
    points = Points(try reader.readZigzag())
    amount = Points(try reader.readZigzag())
    balance = Points(try reader.readZigzag())
    available = balance &- Points(try reader.readZigzag())
    tenant = TenantID(UInt32(truncatingIfNeeded: try reader.readVarint()))
    member = try reader.readCounted()
    request = try reader.readCounted()
    if flags & Self.hasSpend != 0 { spend = Money(try reader.readZigzag()) }
    if flags & Self.hasOf != 0 { of = TransactionID(rawValue: try reader.read()) }
    if flags & Self.hasExpires != 0 { expires = Stamp(microseconds: try reader.readZigzag()) }
    if flags & Self.hasEffective != 0 { effective = Stamp(microseconds: try reader.readZigzag()) }
    if flags & Self.hasOther != 0 { other = try reader.readCounted() }
    if flags & Self.hasAnswer != 0 { answer = try reader.readCounted() }
    if flags & Self.hasLots != 0 { lots = try reader.readCounted() }
    if flags & Self.hasOriginal != 0 {
      original = JournalPosition(rawValue: try reader.read())
      reversedPoints = Points(try reader.readZigzag())
      reversedSpend = Money(try reader.readZigzag())
    }
    previousOfAccount = previous
    if rawKind & Self.hasAccountLink != 0 { previousOfAccount = JournalPosition(rawValue: try reader.read()) }
  }
  /// The length of the record that bytes begin with, as it says itself. The caller has decoded it.
  static func byteCount(_ bytes: Bytes) -> Int {
    Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
  }
  /// Points moved, held or released, always positive.
  var gross: Points {
    switch kind {
    case .earn: points
    case .refund, .expire, .close, .expireBack, .absorb, .activate, .gift, .adjust: points.magnitude
    default: amount
    }
  }

  /// Of a movement of a pool: the member who made it.
  var by: Bytes {
    switch kind {
    case .earn, .redeem, .hold, .gift: other
    default: Bytes(start: nil, count: 0)
    }
  }
  /// Of a record that is about no account: a number that it says, in the place of `amount`.
  var number: Int64 {
    get { amount.rawValue }
    set { amount = Points(newValue) }
  }

  /// The reply to the request that made this record: rendered by this alone, the first time and for every repeat.
  @inline(__always) func render(_ catalogue: some CatalogueNames, into reply: inout ReplyWriter) {
    guard !reply.isDiscarded else { return }
    if kind == .answer {
      reply.buffer.append(answer)
      return
    }
    catalogue.withProgramName(program) { render(program: $0, catalogue, into: &reply) }
  }
  private func render(program: Bytes, _ catalogue: some CatalogueNames, into reply: inout ReplyWriter) {
    if kind == .caseOpened { return renderCase(into: &reply) }
    reply.record()
    reply.field(.tx, tx)
    switch kind {
    case .transferOut:
      reply.field(.from, member)
      reply.field(.to, other)
      reply.field(.points, amount)
      reply.field(.balance, balance)
    case .refund:
      reply.field(.of, of)
      reply.field(.member, member)
      reply.field(.points, points)
      reply.field(.balance, balance)
    case .earn, .redeem, .adjust:
      reply.field(.member, by.isEmpty ? member : by)
      reply.field(.program, program)
      reply.field(.points, points)
      reply.field(.balance, kind == .earn ? balance &- amount : balance)
      if kind == .earn, !answer.isEmpty { (try? EarningDetail(decoding: answer))?.render(catalogue, into: &reply) }
      return
    default:
      if of != .none { reply.field(.of, of) }
      reply.field(.member, by.isEmpty ? member : by)
      reply.field(.program, program)
      reply.field(.points, kind == .capture ? points : amount)
      reply.field(.balance, balance)
      reply.field(.available, available)
      if kind == .hold { reply.field(.expires, expires) }
      return
    }
    reply.field(.program, program)
  }

  private func renderCase(into reply: inout ReplyWriter) {
    let kind = (try? AdjustmentDetail(decoding: answer))?.kind ?? .dispute
    reply.record()
    reply.field(named: "case", tx.text)
    reply.field(.state, kind.firstState.word)
  }

  /// The record as `HISTORY` shows it: `tx time kind points balance [program merchant spend request of …]`.
  func describe(_ catalogue: some CatalogueNames, into reply: inout ReplyWriter, withMember: Bool) {
    reply.record()
    reply.field(.tx, tx)
    reply.field(.time, stamp)
    reply.field(.kind, Bytes(start: kind.word.utf8Start, count: kind.word.utf8CodeUnitCount))
    if withMember { reply.field(.member, member) }
    reply.field(.points, points)
    reply.field(.balance, balance)
    if catalogue.has(program) { catalogue.withProgramName(program) { reply.field(.program, $0) } }
    if catalogue.has(merchant) { catalogue.withMerchantName(merchant) { reply.field(.merchant, $0) } }
    if spend.isSaid { reply.field(.spend, spend) }
    if request.count > 0 { reply.field(.request, request) }
    if of != .none { reply.field(.of, of) }
    if kind == .hold || kind == .release || kind == .lapse { reply.field(.held, amount) }
    if kind == .transferOut || kind == .mergeOut { reply.field(.to, other) }
    if kind == .transferIn || kind == .mergeIn { reply.field(.from, other) }
    if !by.isEmpty { reply.field(named: "by", by) }
    if kind == .extend || kind == .adjust || kind == .caseOpened { reply.field(named: "reason", other) }
    if kind == .adjust || kind == .caseOpened { (try? AdjustmentDetail(decoding: answer))?.render(into: &reply) }
    if kind == .earn || kind == .gift, !answer.isEmpty, let detail = try? EarningDetail(decoding: answer) {
      if !detail.event.isEmpty { reply.field(named: "event", detail.event) }
      detail.render(catalogue, into: &reply)
    }
    if expires != .zero { reply.field(named: kind == .earn ? "active" : "expires", expires) }
    if effective != .zero { reply.field(.effective, effective) }
  }
}

extension ByteBuffer {
  /// Ends a record of a journal, of a shard's or the directory's, that begins at `start` with room for its checksum and its
  /// length (u32 each).
  @inline(__always)
  mutating func endRecord(_ start: Int) {
    let end = count
    patch(UInt32(end - start), at: start + 4)
    patch(CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[start + 4..<end])), at: start)
  }
}
