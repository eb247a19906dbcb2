import Base

/// What a lease and a home of a quota say to each other.
struct QuotaMessage {
  typealias Bytes = UnsafeRawBufferPointer
  enum Kind: UInt8 { case ask = 35, grant = 36, recall = 37, giveBack = 38 }

  var period: QuotaPeriod
  /// Where the lease lies.
  var slot: UInt16
  /// Granted, or given back.
  var points: Int64 = 0
  /// Of an ask: what the lease is to have, what it has, and how much more it would like.
  var need: Int64 = 0
  var have: Int64 = 0
  var want: Int64 = 0
  /// The ask, also where it is answered; none: it is none's answer.
  var ask = TransactionID.none
  /// Of a recall, and what answers it. 0: unasked.
  var round: UInt64 = 0
  /// Of a grant: there are no more; it is short.
  var isFinal = false
  var isDry = false
  /// More is given out than the limit is by now.
  var isShut = false
  /// The home's version of the catalogue, and its moment.
  var version: UInt32 = 0
  var stamp = Stamp.zero

  init(_ period: QuotaPeriod, slot: UInt16) { (self.period, self.slot) = (period, slot) }
  init(_ reader: inout ByteReader) throws(MalformedBytes) {
    period = try QuotaPeriod(&reader)
    slot = try reader.read()
    points = try reader.readZigzag()
    need = try reader.readZigzag()
    have = try reader.readZigzag()
    want = try reader.readZigzag()
    ask = TransactionID(rawValue: try reader.read())
    round = try reader.readVarint()
    let flags: UInt8 = try reader.read()
    (isFinal, isDry, isShut) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0)
    version = try reader.read()
    stamp = Stamp(microseconds: try reader.read())
    let bounds = 0...Int64(1) << 60
    guard slot < UInt16(Slot.count), bounds.contains(points), bounds.contains(need), bounds.contains(have),
      bounds.contains(want), ask.rawValue >> 48 < UInt64(Slot.count)
    else { throw MalformedBytes("a quota's step that cannot be") }
  }
  init(kept: Bytes) throws(MalformedBytes) {
    var reader = ByteReader(kept)
    try self.init(&reader)
  }
  var bytes: [UInt8] {
    var buffer = ByteBuffer(capacity: 96)
    period.encode(into: &buffer)
    buffer.append(slot)
    for number in [points, need, have, want] { buffer.append(zigzag: number) }
    buffer.append(ask.rawValue)
    buffer.append(varint: round)
    buffer.append(UInt8((isFinal ? 1 : 0) | (isDry ? 2 : 0) | (isShut ? 4 : 0)))
    buffer.append(version)
    buffer.append(stamp.microseconds)
    return buffer.array
  }
}
