import Base

/// A lot as a journal record lists it: of an earn the lot that it joined, of a redemption what was taken from it.
///
///     head u8: the origin in 2 bits; 4: an expiry in minutes follows, u32; 8: one in microseconds, i64; neither: it never
///     comes; 16: what was taken follows: earned at, i64, and the points, zigzag
struct JournalLot {
  var expiresAt: Stamp
  var origin: UInt8
  var earnedAt = Stamp.zero
  var points: Points = 0

  private static let minutes: UInt8 = 4
  private static let exact: UInt8 = 8
  private static let taken: UInt8 = 16
  private static let minute: Int64 = 60_000_000

  init(expiresAt: Stamp, origin: UInt8) {
    self.expiresAt = expiresAt
    self.origin = origin
  }
  init(_ take: TakeRecord) {
    (expiresAt, origin, earnedAt, points) = (take.expiresAt, take.origin, take.earnedAt, take.points)
  }

  func encode(into buffer: inout ByteBuffer) {
    let taken = points > 0 ? JournalLot.taken : 0
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
    guard points > 0 else { return }
    buffer.append(earnedAt.microseconds)
    buffer.append(zigzag: points.rawValue)
  }
  init(_ reader: inout ByteReader) throws(MalformedBytes) {
    let head: UInt8 = try reader.read()
    origin = head & 3
    if head & JournalLot.minutes != 0 {
      expiresAt = Stamp(microseconds: Int64(try reader.read(UInt32.self)) * JournalLot.minute)
    } else if head & JournalLot.exact != 0 {
      expiresAt = Stamp(microseconds: try reader.read())
    } else {
      expiresAt = .never
    }
    guard head & JournalLot.taken != 0 else { return }
    earnedAt = Stamp(microseconds: try reader.read())
    points = Points(try reader.readZigzag())
    guard points > 0, points <= Ledger.largestAmount else { throw MalformedBytes("a lot of impossible size") }
  }
}

extension Ledger {
  /// A lot as a record's `lots`. Valid until the next call of this kind.
  mutating func encodedLot(_ expiresAt: Stamp, _ origin: UInt8) -> UnsafeRawBufferPointer {
    lotBuffer.removeAll()
    JournalLot(expiresAt: expiresAt, origin: origin).encode(into: &lotBuffer)
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
