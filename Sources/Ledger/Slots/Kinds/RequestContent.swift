import Base

/// A request id in a parcel, with where its answer is.
struct RequestContent: SlotContent {
  var record = DedupeRecord()
  mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
    try coder.word(&record.low)
    try coder.word(&record.high)
    try coder.word(&record.fingerprint)
    try coder.word(&record.place)
  }
  func check(_ slot: inout SlotContext, before: RequestContent?, in ledger: borrowing Ledger) throws(MalformedBytes) {
    guard !record.isForgotten, record.high >> 50 == UInt64(slot.slot.rawValue) else {
      throw MalformedBytes("a parcel with a request of another slot")
    }
  }
}

extension DedupeRecord {
  /// In the order in which they came.
  static func places(in slot: SlotContext, of ledger: borrowing Ledger) -> [UInt64] { slot.found.requests.sorted() }
  static func read(_ place: UInt64, in ledger: borrowing Ledger) -> UnsafePointer<DedupeRecord> {
    ledger.tables.dedupe.read(place)
  }
  static func content(_ place: UInt64, in slot: SlotContext, of ledger: borrowing Ledger) -> RequestContent {
    RequestContent(record: ledger.tables.dedupe.read(place).pointee)
  }
  static func add(_ content: RequestContent, to slot: inout SlotContext, of ledger: inout Ledger) -> UInt64 {
    ledger.tables.dedupe.append(content.record, content.record.low)
  }
  static func remove(_ place: UInt64, of ledger: inout Ledger) {
    ledger.tables.dedupe.unindex(place, ledger.tables.dedupe.read(place).pointee.low)
    ledger.tables.dedupe.write(place).pointee = .gone
    ledger.core.goneRequests += 1
  }
}

/// What lapsed of a lot, in a parcel.
struct LapsedContent: SlotContent {
  var member = 0
  /// `LapsedRecord.lot` without the member.
  var lot: UInt32 = 0
  var points = Points.zero
  mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
    try coder.ordinal(&member)
    try coder.word(&lot)
    try coder.amount(&points)
  }
  func check(_ slot: inout SlotContext, before: LapsedContent?, in ledger: borrowing Ledger) throws(MalformedBytes) {
    let isAfter = before.map { ($0.member, $0.lot) < (member, lot) } ?? true
    guard member < slot.memberCount, points > 0, isAfter, ledger.catalogue.has(ProgramRef(place: Int(lot >> 22))) else {
      throw MalformedBytes("a parcel in which lapsed what cannot have")
    }
  }
}

extension LapsedRecord {
  static func places(in slot: SlotContext, of ledger: borrowing Ledger) -> [UInt64] {
    slot.found.lapsed.map { number in
      let record = ledger.tables.lapsed.read(number).pointee
      return (slot.ordinal(of: record.member), record.lot & 0xFFFF_FFFF, number)
    }.sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map(\.2)
  }
  static func read(_ place: UInt64, in ledger: borrowing Ledger) -> UnsafePointer<LapsedRecord> {
    ledger.tables.lapsed.read(place)
  }
  static func content(_ place: UInt64, in slot: SlotContext, of ledger: borrowing Ledger) -> LapsedContent {
    let record = ledger.tables.lapsed.read(place).pointee
    return LapsedContent(
      member: slot.ordinal(of: record.member), lot: UInt32(truncatingIfNeeded: record.lot), points: record.points)
  }
  /// It is to be remembered from today on.
  static func add(_ content: LapsedContent, to slot: inout SlotContext, of ledger: inout Ledger) -> UInt64 {
    ledger.beginLapsedDay()
    let lot = UInt64(slot.member(content.member).rawValue) << 32 | UInt64(content.lot)
    return ledger.tables.lapsed.append(LapsedRecord(lot: lot, points: content.points), ledger.hashes.number(lot))
  }
  static func remove(_ place: UInt64, of ledger: inout Ledger) {
    ledger.tables.lapsed.unindex(place, ledger.hashes.number(ledger.tables.lapsed.read(place).pointee.lot))
    ledger.tables.lapsed.write(place).pointee.points = 0
  }
}
