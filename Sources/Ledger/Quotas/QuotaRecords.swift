import Base
import Rules
import Vocabulary

// What quotas are made of: see docs/quotas.md. Records of one quota hang together, the newest first, and its heads are found by its number in the
// catalogue.

/// A quota's period: which quota, and which window of the calendar.
struct QuotaPeriod: Hashable, BitwiseCopyable {
  /// The quota's number in the catalogue.
  var quota: UInt32
  var window: CapWindow

  /// A key by which digests know what is kept of it.
  var key: UInt64 {
    DigestSum.mix(
      0x9074_A5ED ^ UInt64(quota), UInt64(UInt32(bitPattern: window.start)) << 8 | UInt64(window.kind.rawValue))
  }
  init(_ quota: UInt32, _ window: CapWindow) { (self.quota, self.window) = (quota, window) }

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(varint: UInt64(quota))
    buffer.append(window.kind.rawValue)
    buffer.append(zigzag: Int64(window.start))
  }
  init(_ reader: inout ByteReader) throws(MalformedBytes) {
    let number = try reader.readVarint()
    let kind: UInt8 = try reader.read()
    let start = try reader.readZigzag()
    guard let quota = UInt32(exactly: number), quota < UInt32(EntryKind.mostEntries),
      let kind = CapWindow.Kind(rawValue: kind), let start = Int32(exactly: start)
    else { throw MalformedBytes("a quota's period that cannot be") }
    self.init(quota, CapWindow(kind: kind, start: start))
  }
}

/// A record of a quota's, in the list of that quota.
protocol QuotaRecord: ReusedRecord, StateRecord {
  var quota: UInt32 { get }
  var start: Int32 { get }
  var kind: UInt8 { get }
}

extension QuotaRecord {
  static var unused: UInt32 { .max }
  var isUsed: Bool { quota != Self.unused }
  var window: CapWindow { CapWindow(kind: CapWindow.Kind(rawValue: kind) ?? .ever, start: start) }
  var period: QuotaPeriod { QuotaPeriod(quota, window) }
  func isOf(_ period: QuotaPeriod) -> Bool {
    quota == period.quota && start == period.window.start && kind == period.window.kind.rawValue
  }
}

/// What a shard may draw of a quota's period by itself. It lies at a slot.
struct LeaseRecord: SlotRecord, QuotaRecord {
  var quota: UInt32
  var start: Int32
  /// Of the same quota; of a free one, the next that is free.
  var next = Ref<LeaseRecord>.none
  var slot: UInt16
  var kind: UInt8
  /// The home had no more than was needed: nothing is asked for ahead.
  var isDry: UInt8 = 0
  var amount: Int64 = 0
  /// The limit fell since it was granted, or is below what is used: nothing is drawn on it, and the next ask brings it home.
  var isShut: UInt64 = 0
  /// The last grant, and what was drawn since it was asked for.
  var granted: Int64 = 0
  var drawn: Int64 = 0
  /// The ask that is open; none: none is.
  var ask = TransactionID.none
  /// The last ask whose grant was final.
  var finalAsk = TransactionID.none

  static var tag: TableTag { TableTag(60, "leases of quotas", since: Semantics.programme) }
  static var free: LeaseRecord { LeaseRecord(quota: unused, start: 0, slot: 0, kind: 0) }
  static func forEach(in ledger: borrowing Ledger, _ body: (UnsafePointer<LeaseRecord>) -> Void) {
    ledger.tables.quotas.leases.forEach { if $1.pointee.isUsed { body($1) } }
  }
  static func slot(of record: UnsafePointer<LeaseRecord>, in ledger: borrowing Ledger) -> Slot? {
    Slot(record.pointee.slot)
  }
  static func addDigest(of record: UnsafePointer<LeaseRecord>, in ledger: borrowing Ledger, to sum: inout DigestSum) {
    let (record, key) = (record.pointee, record.pointee.digestKey)
    sum.add(key, DigestField.lease, record.amount)
    sum.add(key &+ 1, DigestField.lease, record.drawn)
    sum.add(key &+ 2, DigestField.lease, Int64(bitPattern: record.ask.rawValue))
    sum.add(key &+ 3, DigestField.lease, Int64(bitPattern: record.finalAsk.rawValue))
    sum.add(key &+ 4, DigestField.lease, Int64(bitPattern: record.isShut << 1) | Int64(record.isDry))
    sum.add(key &+ 5, DigestField.lease, record.granted)
  }
  var digestKey: UInt64 { DigestSum.mix(period.key, UInt64(slot)) }
  static func check(_ ledger: borrowing Ledger) throws(BrokenInvariant) {
    var broken: String?
    forEach(in: ledger) { if $0.pointee.amount < 0 { broken = "a lease of \($0.pointee.amount)" } }
    if let broken { throw BrokenInvariant(description: broken) }
  }
}

/// What was drawn of a quota's period in this shard, less what came back.
struct UsedRecord: QuotaRecord {
  var quota: UInt32
  var start: Int32
  var next = Ref<UsedRecord>.none
  var kind: UInt8
  var reserved: UInt8 = 0
  var reserved2: UInt16 = 0
  var drawn: Int64 = 0

  static var tag: TableTag { TableTag(61, "what was drawn of quotas", since: Semantics.programme) }
  static var belonging: Belonging { .shard }
  static var free: UsedRecord { UsedRecord(quota: unused, start: 0, kind: 0) }
  static func forEach(in ledger: borrowing Ledger, _ body: (UnsafePointer<UsedRecord>) -> Void) {
    ledger.tables.quotas.used.forEach { if $1.pointee.isUsed { body($1) } }
  }
  static func addDigest(of record: UnsafePointer<UsedRecord>, in ledger: borrowing Ledger, to sum: inout DigestSum) {
    sum.add(record.pointee.period.key, DigestField.quotaUsed, record.pointee.drawn)
  }
}

/// A quota's period at its home: what was given out of it, and to whom.
struct HomeRecord: SlotRecord, QuotaRecord {
  var quota: UInt32
  var start: Int32
  var next = Ref<HomeRecord>.none
  var slot: UInt16
  var kind: UInt8
  var reserved: UInt8 = 0
  /// Given out, less what came back.
  var granted: Int64 = 0
  /// `QuotaHome`, in chunks.
  var firstChunk = Ref<FileChunk>.none
  var byteCount: UInt32 = 0

  static var tag: TableTag { TableTag(62, "homes of quotas", since: Semantics.programme) }
  static var free: HomeRecord { HomeRecord(quota: unused, start: 0, slot: 0, kind: 0) }
  static func forEach(in ledger: borrowing Ledger, _ body: (UnsafePointer<HomeRecord>) -> Void) {
    ledger.tables.quotas.homes.forEach { if $1.pointee.isUsed { body($1) } }
  }
  static func slot(of record: UnsafePointer<HomeRecord>, in ledger: borrowing Ledger) -> Slot? {
    Slot(record.pointee.slot)
  }
  static func addDigest(of record: UnsafePointer<HomeRecord>, in ledger: borrowing Ledger, to sum: inout DigestSum) {
    let key = record.pointee.period.key
    sum.add(key, DigestField.quotaGranted, record.pointee.granted)
    let content = ledger.bytes(ofChunks: record.pointee.firstChunk, count: Int(record.pointee.byteCount))
    sum.add(key, DigestField.quotaHome, Int64(bitPattern: content.withUnsafeBytes { xxh64($0) }))
  }
  static func check(_ ledger: borrowing Ledger) throws(BrokenInvariant) {
    var broken: String?
    forEach(in: ledger) { if $0.pointee.granted < 0 { broken = "a quota gave out \($0.pointee.granted)" } }
    if let broken { throw BrokenInvariant(description: broken) }
  }
}

/// The lists of a quota's records. They lie in the order of the catalogue.
struct QuotaHeads: StateRecord {
  var lease = Ref<LeaseRecord>.none
  var used = Ref<UsedRecord>.none
  var home = Ref<HomeRecord>.none
  /// The limit last fell here with that version of the catalogue, at that moment: what was granted before is shut.
  var loweredBy: UInt32 = 0
  var loweredAt = Stamp.zero

  static var tag: TableTag { TableTag(63, "lists of quotas", since: Semantics.programme) }
  static var belonging: Belonging { .owner }
}

/// What a campaign has given in this shard, in the order of the catalogue. Sums over shards are the campaign's.
struct CampaignRecord: StateRecord {
  var points: Int128 = 0
  var spend: Int128 = 0
  var members: Int64 = 0
  var transactions: Int64 = 0

  var isBooked: Bool { points != 0 || spend != 0 || members != 0 || transactions != 0 }

  static var tag: TableTag { TableTag(64, "what campaigns gave", since: Semantics.programme) }
  static var belonging: Belonging { .shard }
  static func forEach(in ledger: borrowing Ledger, _ body: (UnsafePointer<CampaignRecord>) -> Void) {
    ledger.tables.quotas.campaigns.forEach { body($1) }
  }
  /// Its place is not known here: what all campaigns gave together, in which a difference shows.
  static func addDigest(of record: UnsafePointer<CampaignRecord>, in ledger: borrowing Ledger, to sum: inout DigestSum)
  {
    let r = record.pointee
    sum.add(1, DigestField.campaign, Int64(truncatingIfNeeded: r.points))
    sum.add(2, DigestField.campaign, Int64(truncatingIfNeeded: r.spend))
    sum.add(3, DigestField.campaign, r.members)
    sum.add(4, DigestField.campaign, r.transactions)
  }
}

struct QuotaTables: TabledState, ~Copyable {
  var leases = Table<LeaseRecord>()
  var used = Table<UsedRecord>()
  var homes = Table<HomeRecord>()
  var heads = Table<QuotaHeads>()
  var campaigns = Table<CampaignRecord>()
  var jobs = Table<JobRecord>()

  mutating func visitTables<V: TableVisitor & ~Copyable>(_ visitor: inout V) throws(V.Failure) {
    try visitor.visit(&leases)
    try visitor.visit(&used)
    try visitor.visit(&homes)
    try visitor.visit(&heads)
    try visitor.visit(&campaigns)
    try visitor.visit(&jobs)
  }
}
