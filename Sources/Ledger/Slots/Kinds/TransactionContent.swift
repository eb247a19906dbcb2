import Base

/// A transaction in a parcel, with what it took. An open hold is made of it again.
struct TransactionContent: SlotContent {
  struct Take: ParcelContent {
    var record = TakeRecord.free
    mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
      var lot = record.lot
      try coder.stamp(&lot.expiresAt)
      try coder.stamp(&record.earnedAt)
      try coder.amount(&record.points)
      try coder.amount(&record.returned)
      try coder.word(&lot.origin)
      if coder.form > 1 {
        var mark = lot.mark
        try coder.word(&mark)
        try coder.expect(mark <= LotName.mostMark)
        lot.mark = mark
      }
      record.lot = lot
    }
  }
  var record = TransactionRecord(
    id: .none, position: .none, latest: .none, stamp: .zero, points: 0, member: .none, program: .none, kind: 0)
  var member = 0
  /// The last taken first.
  var takes: [Take] = []

  mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
    try coder.transaction(&record.id)
    try coder.transaction(&record.link)
    try coder.ordinal(&member)
    try coder.position(&record.position)
    try coder.position(&record.latest)
    try coder.stamp(&record.stamp)
    try coder.amount(&record.points)
    try coder.amount(&record.spend)
    try coder.amount(&record.reversedPoints)
    try coder.amount(&record.reversedSpend)
    try coder.stamp(&record.expiresAt)
    try coder.reference(&record.merchant)
    try coder.reference(&record.program)
    try coder.word(&record.kind)
    try coder.word(&record.state)
    try coder.word(&record.origin)
    if coder.form > 1, record.kind == RecordKind.earn.rawValue {
      var lot = record.lot
      var mark = lot.mark
      try coder.word(&mark)
      try coder.expect(mark <= LotName.mostMark)
      lot.mark = mark
      record.lot = lot
    }
    try coder.list(&takes)
  }
  func check(
    _ slot: inout SlotContext, before: TransactionContent?, in ledger: borrowing Ledger
  ) throws(MalformedBytes) {
    guard record.id.rawValue >> 48 == UInt64(slot.slot.rawValue), record.id.sequence > 0,
      before.map({ $0.record.id.rawValue < record.id.rawValue }) ?? true, member < slot.memberCount,
      record.program == .none || ledger.catalogue.has(record.program),
      record.merchant.isNone || ledger.catalogue.has(record.merchant),
      !record.isOpenHold || ledger.catalogue.has(record.program)
    else { throw MalformedBytes("a parcel with a transaction that cannot be") }
  }
}

extension TransactionRecord {
  var isOpenHold: Bool { state == TransactionRecord.open && kind == RecordKind.hold.rawValue }

  static func places(in slot: SlotContext, of ledger: borrowing Ledger) -> [UInt64] {
    slot.found.transactions.map { (ledger.tables.transactions.read($0).pointee.id.rawValue, $0) }
      .sorted { $0.0 < $1.0 }.map(\.1)
  }
  static func read(_ place: UInt64, in ledger: borrowing Ledger) -> UnsafePointer<TransactionRecord> {
    ledger.tables.transactions.read(place)
  }
  static func content(_ place: UInt64, in slot: SlotContext, of ledger: borrowing Ledger) -> TransactionContent {
    var content = TransactionContent()
    content.record = ledger.tables.transactions.read(place).pointee
    content.member = slot.ordinal(of: content.record.member)
    var next = content.record.firstTake
    while next != .none {
      content.takes.append(.init(record: ledger.tables.takes.read(next).pointee))
      next = content.takes[content.takes.count - 1].record.next
    }
    return content
  }
  static func add(_ content: TransactionContent, to slot: inout SlotContext, of ledger: inout Ledger) -> UInt64 {
    var record = content.record
    record.member = slot.member(content.member)
    record.keptSince = ledger.now
    record.firstTake = .none
    if record.kind != RecordKind.earn.rawValue { record.hold = .none }
    for take in content.takes.reversed() {
      var own = take.record
      own.next = record.firstTake
      record.firstTake = ledger.tables.takes.add(own)
    }
    if record.isOpenHold {
      if let holder = ledger.holder(record.member, record.program, create: false) {
        record.hold = ledger.openHold(holder, record.id, record.expiresAt)
      } else {
        ledger.fail(.records)
      }
    }
    return ledger.tables.transactions.append(record, ledger.hashes.number(record.id))
  }
  /// Its hold goes with the member.
  static func remove(_ place: UInt64, of ledger: inout Ledger) {
    let record = ledger.tables.transactions.read(place).pointee
    var take = record.firstTake
    while take != .none {
      let next = ledger.tables.takes.read(take).pointee.next
      ledger.tables.takes.remove(take)
      take = next
    }
    ledger.tables.transactions.unindex(place, ledger.hashes.number(record.id))
    var gone = TransactionContent().record
    gone.keptSince = record.keptSince
    ledger.tables.transactions.write(place).pointee = gone
    ledger.core.goneTransactions += 1
  }
}

/// The number that a slot's transactions have come to.
struct SequenceContent: SlotContent {
  var last: UInt64 = 0
  mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
    try coder.varint(&last)
  }
  func check(
    _ slot: inout SlotContext, before: SequenceContent?, in ledger: borrowing Ledger
  ) throws(MalformedBytes) {
    guard last < 1 << 48, before == nil, last >= ledger.lastSequence(of: slot.slot) else {
      throw MalformedBytes("a parcel whose transactions are numbered from \(last) on")
    }
  }
}

extension SequenceRecord {
  static func places(in slot: SlotContext, of ledger: borrowing Ledger) -> [Slot] { [slot.slot] }
  static func read(_ place: Slot, in ledger: borrowing Ledger) -> UnsafePointer<SequenceRecord> {
    ledger.tables.sequences.read(Ref(place: Int(place.rawValue)))
  }
  static func content(_ place: Slot, in slot: SlotContext, of ledger: borrowing Ledger) -> SequenceContent {
    SequenceContent(last: ledger.lastSequence(of: place))
  }
  static func count(_ place: Slot, in ledger: borrowing Ledger, to sum: inout DigestSum) {
    sum.add(UInt64(place.rawValue), DigestField.sequence, Int64(bitPattern: ledger.lastSequence(of: place)))
  }
  static func add(_ content: SequenceContent, to slot: inout SlotContext, of ledger: inout Ledger) -> Slot {
    ledger.tables.sequences.write(Ref(place: Int(slot.slot.rawValue))).pointee.last = content.last
    ledger.core.transactionCount &+= content.last
    return slot.slot
  }
  /// The number stays: in the shard's own journal they rise.
  static func remove(_ place: Slot, of ledger: inout Ledger) {
    ledger.core.transactionCount &-= ledger.lastSequence(of: place)
  }
}

/// Eight neighbours of the past in a parcel.
struct BlockContent: SlotContent {
  /// Without the slot.
  var number: UInt64 = 0
  var entries = InlineArray<8, PastEntry>(repeating: PastEntry())

  mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
    try coder.varint(&number)
    var present: UInt8 = 0
    for place in 0..<PastTable.entriesPerBlock where !entries[place].isEmpty || entries[place].word != 0 {
      present |= 1 << place
    }
    try coder.word(&present)
    for place in 0..<PastTable.entriesPerBlock where present & 1 << place != 0 {
      try coder.position(&entries[place].position)
      try coder.word(&entries[place].word)
    }
  }
  func check(_ slot: inout SlotContext, before: BlockContent?, in ledger: borrowing Ledger) throws(MalformedBytes) {
    guard number < 1 << 45, before.map({ $0.number < number }) ?? true else {
      throw MalformedBytes("a parcel with a past that cannot be")
    }
  }
}

extension PastTable.Block {
  private static let slotShift: UInt64 = 45

  static func places(in slot: SlotContext, of ledger: borrowing Ledger) -> [Ref<PastTable.Block>] {
    slot.found.blocks.map { (ledger.tables.past.block($0).pointee.number, $0) }.sorted { $0.0 < $1.0 }.map(\.1)
  }
  static func read(_ place: Ref<PastTable.Block>, in ledger: borrowing Ledger) -> UnsafePointer<PastTable.Block> {
    ledger.tables.past.block(place)
  }
  static func content(
    _ place: Ref<PastTable.Block>, in slot: SlotContext, of ledger: borrowing Ledger
  ) -> BlockContent {
    let block = ledger.tables.past.block(place).pointee
    return BlockContent(number: block.number & (1 << slotShift - 1), entries: block.entries)
  }
  static func add(
    _ content: BlockContent, to slot: inout SlotContext, of ledger: inout Ledger
  ) -> Ref<PastTable.Block> {
    let number = UInt64(slot.slot.rawValue) << slotShift | content.number
    return ledger.tables.past.add(number, content.entries, slot.slot, now: ledger.now)
  }
  static func remove(_ place: Ref<PastTable.Block>, of ledger: inout Ledger) { ledger.tables.past.drop(place) }
}
