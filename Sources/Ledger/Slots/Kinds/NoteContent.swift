import Base

/// A note in a parcel. A member's are numbered as they stand there, the oldest first.
struct NoteContent: SlotContent {
  var member = 0
  var at = Stamp.zero
  var by: UInt32 = 0
  /// As the blob has it.
  var text: [UInt8] = []

  mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
    try coder.ordinal(&member)
    try coder.stamp(&at)
    try coder.word(&by)
    try coder.text(&text, most: PagedBlob.maximumLength)
  }
  func check(_ slot: inout SlotContext, before: NoteContent?, in ledger: borrowing Ledger) throws(MalformedBytes) {
    guard member < slot.memberCount, member >= before?.member ?? 0 else {
      throw MalformedBytes("a parcel with a note about nobody")
    }
  }
}

extension NoteRecord {
  static func places(in slot: SlotContext, of ledger: borrowing Ledger) -> [Ref<NoteRecord>] {
    var all: [Ref<NoteRecord>] = []
    for member in slot.members {
      let start = all.count
      var next = ledger.newestNote(of: member)
      while next != .none {
        all.append(next)
        next = ledger.tables.notes.read(next).pointee.previous
      }
      all[start...].reverse()
    }
    return all
  }
  static func read(_ place: Ref<NoteRecord>, in ledger: borrowing Ledger) -> UnsafePointer<NoteRecord> {
    ledger.tables.notes.read(place)
  }
  static func content(_ place: Ref<NoteRecord>, in slot: SlotContext, of ledger: borrowing Ledger) -> NoteContent {
    let note = ledger.tables.notes.read(place).pointee
    return NoteContent(
      member: slot.ordinal(of: note.member), at: note.at, by: note.by.rawValue,
      text: Array(ledger.tables.texts.read(note.content)))
  }
  static func add(_ content: NoteContent, to slot: inout SlotContext, of ledger: inout Ledger) -> Ref<NoteRecord> {
    let member = slot.member(content.member)
    let newest = ledger.newestNote(of: member)
    let number = newest == .none ? 1 : ledger.tables.notes.read(newest).pointee.number + 1
    let text = content.text.withUnsafeBytes { ledger.tables.texts.append($0) }
    let note = NoteRecord(
      at: content.at, content: text, member: member, previous: newest, by: PrincipalID(content.by), number: number)
    return ledger.tables.notes.add(note, ledger.hashes.number(UInt64(member.rawValue)), before: newest)
  }
  static func remove(_ place: Ref<NoteRecord>, of ledger: inout Ledger) {
    let member = ledger.tables.notes.read(place).pointee.member
    // Of each member the newest alone is found.
    if ledger.newestNote(of: member) == place {
      ledger.tables.notes.unindex(place, ledger.hashes.number(UInt64(member.rawValue)))
    }
    ledger.tables.texts.erase(ledger.tables.notes.read(place).pointee.content)
    ledger.tables.notes.removeUnindexed(place)
  }
}
