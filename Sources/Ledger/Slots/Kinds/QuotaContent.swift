import Base
import Rules

/// A lease in a parcel.
struct LeaseContent: SlotContent {
  var record = LeaseRecord.free
  mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
    try coder.word(&record.quota)
    try coder.word(&record.kind)
    try coder.word(&record.start)
    try coder.word(&record.isDry)
    for path in LeaseContent.numbers { try coder.number(&record[keyPath: path]) }
    try coder.word(&record.isShut)
    try coder.transaction(&record.ask)
    try coder.transaction(&record.finalAsk)
  }
  private static var numbers: [WritableKeyPath<LeaseRecord, Int64>] { [\.amount, \.granted, \.drawn] }
  func check(_ slot: inout SlotContext, before: LeaseContent?, in ledger: borrowing Ledger) throws(MalformedBytes) {
    let isAfter = before.map { $0.record.period.precedes(record.period) }
    guard record.isKnown(to: ledger), record.amount >= 0, isAfter ?? true else {
      throw MalformedBytes("a parcel with a lease that cannot be")
    }
  }
}

extension QuotaRecord {
  fileprivate func isKnown(to ledger: borrowing Ledger) -> Bool {
    ledger.catalogue.quota(quota) != nil && CapWindow.Kind(rawValue: kind) != nil
  }
}
extension QuotaPeriod {
  func precedes(_ other: QuotaPeriod) -> Bool {
    (quota, window.kind.rawValue, window.start) < (other.quota, other.window.kind.rawValue, other.window.start)
  }
}

extension LeaseRecord {
  static func places(in slot: SlotContext, of ledger: borrowing Ledger) -> [Ref<LeaseRecord>] {
    slot.found.leases.map { (ledger.tables.quotas.leases.read($0).pointee.period, $0) }
      .sorted { $0.0.precedes($1.0) }.map(\.1)
  }
  static func read(_ place: Ref<LeaseRecord>, in ledger: borrowing Ledger) -> UnsafePointer<LeaseRecord> {
    ledger.tables.quotas.leases.read(place)
  }
  static func content(_ place: Ref<LeaseRecord>, in slot: SlotContext, of ledger: borrowing Ledger) -> LeaseContent {
    LeaseContent(record: ledger.tables.quotas.leases.read(place).pointee)
  }
  static func add(_ content: LeaseContent, to slot: inout SlotContext, of ledger: inout Ledger) -> Ref<LeaseRecord> {
    var record = content.record
    record.slot = slot.slot.rawValue
    return ledger.add(record)
  }
  static func remove(_ place: Ref<LeaseRecord>, of ledger: inout Ledger) { ledger.remove(place) }
}

/// A quota's period at its home, in a parcel.
struct HomeContent: SlotContent {
  var record = HomeRecord.free
  /// `QuotaHome`.
  var bytes: [UInt8] = []

  mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
    try coder.word(&record.quota)
    try coder.word(&record.kind)
    try coder.word(&record.start)
    try coder.number(&record.granted)
    try coder.text(&bytes, most: 1 << 20)
  }
  func check(_ slot: inout SlotContext, before: HomeContent?, in ledger: borrowing Ledger) throws(MalformedBytes) {
    let isAfter = before.map { $0.record.period.precedes(record.period) }
    _ = try QuotaHome(decoding: bytes)
    guard record.isKnown(to: ledger), ledger.catalogue.quotaSlot(record.quota) == slot.slot, record.granted >= 0,
      isAfter ?? true
    else { throw MalformedBytes("a parcel with a quota that cannot be") }
  }
}

extension HomeRecord {
  static func places(in slot: SlotContext, of ledger: borrowing Ledger) -> [Ref<HomeRecord>] {
    slot.found.homes.map { (ledger.tables.quotas.homes.read($0).pointee.period, $0) }
      .sorted { $0.0.precedes($1.0) }.map(\.1)
  }
  static func read(_ place: Ref<HomeRecord>, in ledger: borrowing Ledger) -> UnsafePointer<HomeRecord> {
    ledger.tables.quotas.homes.read(place)
  }
  static func content(_ place: Ref<HomeRecord>, in slot: SlotContext, of ledger: borrowing Ledger) -> HomeContent {
    let record = ledger.tables.quotas.homes.read(place).pointee
    return HomeContent(
      record: record, bytes: ledger.bytes(ofChunks: record.firstChunk, count: Int(record.byteCount)))
  }
  static func add(_ content: HomeContent, to slot: inout SlotContext, of ledger: inout Ledger) -> Ref<HomeRecord> {
    var record = content.record
    record.slot = slot.slot.rawValue
    (record.firstChunk, record.byteCount) = (ledger.addChunks(content.bytes), UInt32(content.bytes.count))
    return ledger.add(record)
  }
  static func remove(_ place: Ref<HomeRecord>, of ledger: inout Ledger) { ledger.remove(place) }
}

/// What was drawn of quotas and what campaigns gave, in a shard's books.
struct DrawnContent: ParcelContent {
  var record = UsedRecord.free
  mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
    try coder.word(&record.quota)
    try coder.word(&record.kind)
    try coder.word(&record.start)
    try coder.number(&record.drawn)
  }
}
struct CampaignContent: ParcelContent {
  var number: UInt32 = 0
  var record = CampaignRecord()
  mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
    try coder.word(&number)
    try coder.wide(&record.points)
    try coder.wide(&record.spend)
    try coder.number(&record.members)
    try coder.number(&record.transactions)
    for sum in [record.points, record.spend] { try coder.expect(sum.magnitude < 1 << 120) }
  }
}

extension Ledger {
  /// Quotas were drawn on here, or campaigns gave something.
  var hasDrawn: Bool {
    var isAny = false
    UsedRecord.forEach(in: self) { if $0.pointee.drawn != 0 { isAny = true } }
    CampaignRecord.forEach(in: self) { if $0.pointee.isBooked { isAny = true } }
    return isAny
  }
  /// Takes what was drawn out of the books.
  mutating func takeOutDrawn() -> (drawn: [DrawnContent], campaigns: [CampaignContent]) {
    var drawn: [DrawnContent] = []
    UsedRecord.forEach(in: self) { if $0.pointee.drawn != 0 { drawn.append(DrawnContent(record: $0.pointee)) } }
    drawn.sort { $0.record.period.precedes($1.record.period) }
    for one in drawn { countDrawn(0 &- one.record.drawn, of: one.record.period) }
    var campaigns: [CampaignContent] = []
    for place in 0..<tables.quotas.campaigns.count {
      let ref = Ref<CampaignRecord>(place: place)
      guard tables.quotas.campaigns.read(ref).pointee.isBooked else { continue }
      campaigns.append(CampaignContent(number: UInt32(place), record: tables.quotas.campaigns.read(ref).pointee))
      count(tables.quotas.campaigns.read(ref), -1)
      tables.quotas.campaigns.write(ref).pointee = CampaignRecord()
      count(tables.quotas.campaigns.read(ref), 1)
    }
    return (drawn, campaigns)
  }
  func check(_ drawn: [DrawnContent], _ campaigns: [CampaignContent]) -> Bool {
    drawn.allSatisfy { $0.record.isKnown(to: self) }
      && campaigns.allSatisfy { Int($0.number) < catalogue.records[.campaign].count }
  }
  mutating func putIn(_ drawn: [DrawnContent], _ campaigns: [CampaignContent]) {
    for one in drawn { countDrawn(one.record.drawn, of: one.record.period) }
    for one in campaigns {
      countCampaign(one.number) {
        $0.points &+= one.record.points
        $0.spend &+= one.record.spend
        $0.members &+= one.record.members
        $0.transactions &+= one.record.transactions
      }
    }
  }
}
