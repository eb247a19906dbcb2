import Base

/// A lot as a journal record lists it: of an earn the lot that it joined, of a redemption what was taken from it.
///
///     head u8: the origin in 2 bits; 4: an expiry in minutes follows, u32; 8: one in microseconds, i64; neither: it never
///     comes; 16: what was taken follows: earned at, i64, and the points, zigzag; 32: what it is more than an expiry follows behind that,
///     `LotName.mark`, varint
struct JournalLot {
  var name: LotName
  var earnedAt = Stamp.zero
  var points: Points = 0

  private static let minutes: UInt8 = 4
  private static let exact: UInt8 = 8
  private static let taken: UInt8 = 16
  private static let marked: UInt8 = 32
  private static let minute: Int64 = 60_000_000

  init(_ name: LotName) { self.name = name }
  init(_ take: TakeRecord) { (name, earnedAt, points) = (take.lot, take.earnedAt, take.points) }

  func encode(into buffer: inout ByteBuffer) {
    let taken = (points > 0 ? JournalLot.taken : 0) | (name.isPlain ? 0 : JournalLot.marked)
    let (expiresAt, origin) = (name.expiresAt, name.origin)
    // Lots end at midnights, so mostly a minute says it.
    let (count, rest) = expiresAt.microseconds.quotientAndRemainder(dividingBy: JournalLot.minute)
    if expiresAt == .never {
      buffer.append(origin | taken)
    } else if rest == 0, let short = UInt32(exactly: count) {
      buffer.append(origin | taken | JournalLot.minutes)
      buffer.append(short)
    } else {
      buffer.append(origin | taken | JournalLot.exact)
      buffer.append(expiresAt.microseconds)
    }
    if points > 0 {
      buffer.append(earnedAt.microseconds)
      buffer.append(zigzag: points.rawValue)
    }
    if !name.isPlain { buffer.append(varint: UInt64(name.mark)) }
  }
  init(_ reader: inout ByteReader) throws(MalformedBytes) {
    let head: UInt8 = try reader.read()
    name = LotName(expiresAt: .never, origin: head & 3)
    if head & JournalLot.minutes != 0 {
      name.expiresAt = Stamp(microseconds: Int64(try reader.read(UInt32.self)) * JournalLot.minute)
    } else if head & JournalLot.exact != 0 {
      name.expiresAt = Stamp(microseconds: try reader.read())
    }
    if head & JournalLot.taken != 0 {
      earnedAt = Stamp(microseconds: try reader.read())
      points = Points(try reader.readZigzag())
      guard points > 0, points <= Ledger.largestAmount else { throw MalformedBytes("a lot of impossible size") }
    }
    guard head & JournalLot.marked != 0 else { return }
    let mark = try reader.readVarint()
    guard mark <= UInt64(LotName.mostMark) else { throw MalformedBytes("a lot that cannot be") }
    name.mark = UInt32(mark)
  }
}

extension Ledger {
  /// A lot as a record's `lots`. Valid until the next call of this kind.
  mutating func encodedLot(_ name: LotName) -> UnsafeRawBufferPointer {
    lotBuffer.removeAll()
    JournalLot(name).encode(into: &lotBuffer)
    return lotBuffer.bytes
  }
  /// The takes of a chain as a record's `lots`: the last taken first. Valid until the next call of this kind.
  mutating func encodedLots(_ chain: Ref<TakeRecord>) -> UnsafeRawBufferPointer {
    lotBuffer.removeAll()
    var next = chain
    while next != .none {
      let take = tables.takes.read(next).pointee
      JournalLot(take).encode(into: &lotBuffer)
      next = take.next
    }
    return lotBuffer.bytes
  }
}
