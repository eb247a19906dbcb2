import Base

/// A step that waits for its verdict, in a parcel.
struct OutboxContent: SlotContent {
  var record = OutboxRecord.free
  /// Which of the slot's card numbers it is about, counted from 1; 0: none.
  var card = 0
  var text: [UInt8] = []

  mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
    try coder.transaction(&record.id)
    try coder.tenant(&record.tenant)
    try coder.stamp(&record.stamp)
    try coder.amount(&record.balance)
    try coder.word(&record.hasRequest)
    try coder.word(&record.requestLow)
    try coder.word(&record.requestHigh)
    try coder.word(&record.fingerprint)
    try coder.word(&record.to)
    try coder.word(&record.kind)
    try coder.ordinal(&card)
    try coder.text(&text, most: coder.form > 1 ? Int(UInt16.max) : MemoryLayout<Block576>.size)
  }
  func check(_ slot: inout SlotContext, before: OutboxContent?, in ledger: borrowing Ledger) throws(MalformedBytes) {
    guard record.id.rawValue >> 48 == UInt64(slot.slot.rawValue), record.id.sequence > 0,
      before.map({ $0.record.id.rawValue < record.id.rawValue }) ?? true, record.to < UInt16(Slot.count),
      ledger.steps.find(record.kind) != nil, card <= slot.cardCount
    else { throw MalformedBytes("a parcel with a step that cannot be") }
  }
}

extension OutboxRecord {
  static func places(in slot: SlotContext, of ledger: borrowing Ledger) -> [Ref<OutboxRecord>] {
    slot.found.outbox.map { (ledger.tables.outbox.read($0).pointee.id.rawValue, $0) }.sorted { $0.0 < $1.0 }.map(\.1)
  }
  static func read(_ place: Ref<OutboxRecord>, in ledger: borrowing Ledger) -> UnsafePointer<OutboxRecord> {
    ledger.tables.outbox.read(place)
  }
  static func content(_ place: Ref<OutboxRecord>, in slot: SlotContext, of ledger: borrowing Ledger) -> OutboxContent {
    var content = OutboxContent(record: ledger.tables.outbox.read(place).pointee)
    content.card = content.record.card == .none ? 0 : (slot.cards.firstIndex(of: content.record.card) ?? -1) + 1
    content.text = ledger.text(of: content.record)
    return content
  }
  static func add(_ content: OutboxContent, to slot: inout SlotContext, of ledger: inout Ledger) -> Ref<OutboxRecord> {
    var record = content.record
    record.card = content.card > 0 ? slot.cards[content.card - 1] : .none
    content.text.withUnsafeBytes { ledger.setText($0, of: &record) }
    ledger.core.openOutbox += 1
    return ledger.tables.outbox.add(record, ledger.hashes.number(record.id))
  }
  static func remove(_ place: Ref<OutboxRecord>, of ledger: inout Ledger) {
    let record = ledger.tables.outbox.read(place).pointee
    ledger.dropChunks(from: record.rest)
    ledger.tables.outbox.remove(place, ledger.hashes.number(record.id))
    ledger.core.openOutbox -= 1
  }
}

/// A delivery whose verdict is not acknowledged, in a parcel.
struct InboxContent: SlotContent {
  var record = InboxRecord.free
  var text: [UInt8] = []
  mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
    try coder.transaction(&record.from)
    try coder.stamp(&record.stamp)
    try coder.word(&record.code)
    try coder.word(&record.which)
    try coder.word(&record.step)
    if coder.form > 1 { try coder.text(&text, most: Verdict.mostText) }
  }
  func check(_ slot: inout SlotContext, before: InboxContent?, in ledger: borrowing Ledger) throws(MalformedBytes) {
    let isAfter = before.map { ($0.record.from.rawValue, $0.record.step) < (record.from.rawValue, record.step) }
    guard record.from.rawValue >> 48 < UInt64(Slot.count), record.from.sequence > 0, isAfter ?? true else {
      throw MalformedBytes("a parcel with a delivery from nowhere")
    }
  }
}

extension InboxRecord {
  static func places(in slot: SlotContext, of ledger: borrowing Ledger) -> [Ref<InboxRecord>] {
    slot.found.inbox.map { place in
      let record = ledger.tables.inbox.read(place).pointee
      return (record.from.rawValue, record.step, place)
    }.sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map(\.2)
  }
  static func read(_ place: Ref<InboxRecord>, in ledger: borrowing Ledger) -> UnsafePointer<InboxRecord> {
    ledger.tables.inbox.read(place)
  }
  static func content(_ place: Ref<InboxRecord>, in slot: SlotContext, of ledger: borrowing Ledger) -> InboxContent {
    let record = ledger.tables.inbox.read(place).pointee
    return InboxContent(record: record, text: ledger.text(of: record))
  }
  static func add(_ content: InboxContent, to slot: inout SlotContext, of ledger: inout Ledger) -> Ref<InboxRecord> {
    var record = content.record
    record.slot = slot.slot.rawValue
    (record.textCount, record.text) = (UInt16(content.text.count), ledger.addChunks(content.text))
    ledger.core.openInbox += 1
    return ledger.tables.inbox.add(record, ledger.hashes.number(record.from, step: record.step))
  }
  static func remove(_ place: Ref<InboxRecord>, of ledger: inout Ledger) {
    let record = ledger.tables.inbox.read(place).pointee
    ledger.dropChunks(from: record.text)
    ledger.tables.inbox.remove(place, ledger.hashes.number(record.from, step: record.step))
    ledger.core.openInbox -= 1
  }
}
