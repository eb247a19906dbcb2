import Base

/// A card number in a parcel: whose it is, and was.
struct CardContent: SlotContent {
  var tenant = TenantID(0)
  var number: [UInt8] = []
  /// Empty: nobody's.
  var member: [UInt8] = []
  /// As the blob has them.
  var former: [UInt8] = []
  var pending: UInt64 = 0
  var state: UInt8 = 0

  mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
    try coder.tenant(&tenant)
    try coder.text(&number, most: MemberContent.longestText)
    try coder.text(&member, most: MemberContent.longestText)
    try coder.text(&former, most: PagedBlob.maximumLength)
    try coder.word(&pending)
    try coder.word(&state)
  }
  var hash: UInt64 { number.withUnsafeBytes { Slot.hash(.card, tenant: tenant, id: $0) } }
  func check(_ slot: inout SlotContext, before: CardContent?, in ledger: borrowing Ledger) throws(MalformedBytes) {
    let isAfter = before.map { MemberContent.isBefore(($0.tenant, $0.number), (tenant, number)) }
    guard !number.isEmpty, Slot(hash: hash) == slot.slot, isAfter ?? true, CardState(rawValue: state) != nil else {
      throw MalformedBytes("a parcel with a card number that cannot be")
    }
    slot.cardCount += 1
  }
}

extension CardEntryRecord {
  static func places(in slot: SlotContext, of ledger: borrowing Ledger) -> [Ref<CardEntryRecord>] {
    var keys: [(ref: Ref<CardEntryRecord>, key: (tenant: TenantID, id: [UInt8]))] = []
    for ref in slot.found.cards {
      let record = ledger.tables.cardEntries.read(ref).pointee
      keys.append((ref, (record.tenant, Array(ledger.tables.texts.read(record.number)))))
    }
    return keys.sorted { MemberContent.isBefore($0.key, $1.key) }.map(\.ref)
  }
  static func read(_ place: Ref<CardEntryRecord>, in ledger: borrowing Ledger) -> UnsafePointer<CardEntryRecord> {
    ledger.tables.cardEntries.read(place)
  }
  static func note(_ places: [Ref<CardEntryRecord>], in slot: inout SlotContext) { slot.cards = places }
  static func content(
    _ place: Ref<CardEntryRecord>, in slot: SlotContext, of ledger: borrowing Ledger
  ) -> CardContent {
    let record = ledger.tables.cardEntries.read(place).pointee
    return CardContent(
      tenant: record.tenant, number: Array(ledger.tables.texts.read(record.number)),
      member: record.member == 0 ? [] : Array(ledger.tables.texts.read(record.member)),
      former: record.former == 0 ? [] : Array(ledger.tables.texts.read(record.former)),
      pending: record.pending.rawValue, state: record.state)
  }
  static func add(
    _ content: CardContent, to slot: inout SlotContext, of ledger: inout Ledger
  ) -> Ref<CardEntryRecord> {
    func kept(_ text: [UInt8], _ ledger: inout Ledger) -> UInt64 {
      text.isEmpty ? 0 : text.withUnsafeBytes { ledger.tables.texts.append($0) }
    }
    let record = CardEntryRecord(
      hash: content.hash, number: kept(content.number, &ledger), member: kept(content.member, &ledger),
      pending: TransactionID(rawValue: content.pending), former: kept(content.former, &ledger),
      tenant: content.tenant, state: content.state)
    let hash = content.number.withUnsafeBytes { ledger.hashes.card($0, content.tenant).finishedLow() }
    let ref = ledger.tables.cardEntries.add(record, hash)
    slot.cards.append(ref)
    ledger.census?.cards.note(ref.place, slot.slot)
    return ref
  }
  static func remove(_ place: Ref<CardEntryRecord>, of ledger: inout Ledger) {
    let record = ledger.tables.cardEntries.read(place).pointee
    let hash = ledger.hashes.card(ledger.tables.texts.read(record.number), record.tenant).finishedLow()
    for text in [record.number, record.member, record.former] where text != 0 { ledger.tables.texts.erase(text) }
    ledger.tables.cardEntries.remove(place, hash)
  }
}
