import Base

/// What an earning into a pool counts for in the tiers of the member who earned it (R19, R20). The member's slot foresees that as it sends
/// the movement: so the pool's slot answers with the tier, and books the gift in the same entry. It is counted once the pool has booked.
///
///     fields, see Base/Fields: 1 the amount  2 its day  3 points count: 1  4 the tier that it would reach  5 the gift of that
///     6 the first day of its period  7 a first purchase: 1  8 the first day after that period
struct PoolQualifying: Equatable {
  /// In what the program's tiers count.
  var amount: Int64 = 0
  /// In the program's zone.
  var day: Int32 = 0
  /// They count on the day on which they become active at the pool's (A15).
  var isByPoints = false
  /// Nil: it would be the present one.
  var tier: UInt32?
  /// What the pool gives for that.
  var gift: Points = 0
  var period = TierSet.Period(start: 0, end: 0)
  /// Who referred the member hears of it.
  var isFirstPurchase = false

  var isEmpty: Bool { self == PoolQualifying() }
  /// Whether what was foreseen is what comes of it, where the pool's points join a lot.
  func holds(for lot: LotName, isPending: Bool) -> Bool {
    guard isByPoints, lot.activeDay > 0 else { return true }
    return !isPending && (period.end == 0 || (period.start..<period.end).contains(Int32(clamping: lot.activeDay)))
  }

  func encode(into buffer: inout ByteBuffer) {
    if amount != 0 { buffer.append(field: 1, zigzag: amount) }
    if day != 0 { buffer.append(field: 2, zigzag: Int64(day)) }
    if isByPoints { buffer.append(field: 3, zigzag: 1) }
    if let tier { buffer.append(field: 4, zigzag: Int64(tier)) }
    if gift != 0 { buffer.append(field: 5, zigzag: gift.rawValue) }
    if period.start != 0 { buffer.append(field: 6, zigzag: Int64(period.start)) }
    if isFirstPurchase { buffer.append(field: 7, zigzag: 1) }
    if period.end != 0 { buffer.append(field: 8, zigzag: Int64(period.end)) }
    buffer.appendEndOfFields()
  }
  init() {}
  init(_ reader: inout ByteReader) throws(MalformedBytes) {
    try reader.readFields(of: "what counts for tiers") { number, value throws(MalformedBytes) in
      switch number {
      case 1: amount = try value.readZigzag()
      case 2: day = try value.readSmall()
      case 3: isByPoints = try value.readZigzag() == 1
      case 4: tier = try value.readSmall()
      case 5: gift = Points(try value.readZigzag())
      case 6: period.start = try value.readSmall()
      case 7: isFirstPurchase = try value.readZigzag() == 1
      case 8: period.end = try value.readSmall()
      default: return false
      }
      return true
    }
    guard amount >= 0, amount <= Ledger.largestAmount.rawValue, gift >= 0, gift <= Ledger.largestAmount,
      gift == 0 || tier != nil
    else { throw MalformedBytes("what counts for tiers cannot be") }
  }
}

/// What the pool's slot says of a movement that it has booked, in one number: 0 of all but earnings in programs with tiers.
struct PoolBooked {
  /// The points count on that day, and not on the purchase's; 0: they do not.
  var activeDay: Int64 = 0
  var isGiftGiven = false

  var packed: Int64 { activeDay << 1 | (isGiftGiven ? 1 : 0) }
  init() {}
  init(packed: Int64) {
    activeDay = max(0, min(packed >> 1, Int64(Int32.max)))
    isGiftGiven = packed & 1 == 1
  }
}

/// What a return of what was earned into a pool takes from what the member qualified by.
struct PoolReturn {
  var active: Points
  /// Not active at the pool's.
  var pending: Points
  /// The money that it is about.
  var spend: Int64
  /// Of the lot; 0: it was active at once.
  var activeDay: UInt32

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(zigzag: active.rawValue)
    buffer.append(zigzag: pending.rawValue)
    buffer.append(zigzag: spend)
    buffer.append(activeDay)
  }
  init(active: Points, pending: Points, spend: Int64, activeDay: UInt32) {
    (self.active, self.pending, self.spend, self.activeDay) = (active, pending, spend, activeDay)
  }
  init(_ reader: inout ByteReader) throws(MalformedBytes) {
    active = Points(try reader.readZigzag())
    pending = Points(try reader.readZigzag())
    spend = try reader.readZigzag()
    activeDay = try reader.read()
    guard active >= 0, active <= Ledger.largestAmount, pending >= 0, pending <= Ledger.largestAmount, spend >= 0,
      spend <= Ledger.largestAmount.rawValue, activeDay <= UInt32(Int32.max)
    else { throw MalformedBytes("a return that cannot be") }
  }
}
