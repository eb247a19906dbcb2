import Base

/// Something that was noted about a member. The newest of each member is found by the member; it knows the one before it.
struct NoteRecord: SlotRecord, ReusedRecord {
  var at: Stamp
  /// Its kind, counted, and its text, in the blob.
  var content: UInt64
  var member: Ref<MemberRecord>
  /// Of the same member.
  var previous: Ref<NoteRecord>
  /// From whom it came.
  var by: PrincipalID
  /// The member's notes are numbered from 1.
  var number: UInt32

  static let mostOfMember: UInt32 = 1_000
  private static let field: UInt64 = 34

  static var tag: TableTag { TableTag(34, "notes") }
  static var free: NoteRecord {
    NoteRecord(at: .zero, content: 0, member: .none, previous: .none, by: PrincipalID(0), number: 0)
  }
  var isUsed: Bool { number != 0 }
  /// Of a free one.
  var next: Ref<NoteRecord> {
    get { previous }
    set { previous = newValue }
  }
  static func forEach(in ledger: borrowing Ledger, _ body: (UnsafePointer<NoteRecord>) -> Void) {
    ledger.tables.notes.forEach { if $1.pointee.isUsed { body($1) } }
  }
  static func slot(of note: UnsafePointer<NoteRecord>, in ledger: borrowing Ledger) -> Slot? {
    ledger.slot(ofMember: note.pointee.member)
  }
  static func addDigest(
    of note: UnsafePointer<NoteRecord>, in ledger: borrowing Ledger, to sum: inout DigestSum
  ) {
    let key = DigestSum.mix(ledger.hash(ofMember: note.pointee.member), UInt64(note.pointee.number))
    let content = xxh64(ledger.tables.texts.read(note.pointee.content), seed: note.pointee.at.bits)
    sum.add(key, field, Int64(bitPattern: content ^ UInt64(note.pointee.by.rawValue)))
  }
  static func check(_ ledger: borrowing Ledger) throws(BrokenInvariant) {
    var broken: BrokenInvariant?
    forEach(in: ledger) { note in
      let (previous, number) = (note.pointee.previous, note.pointee.number)
      let isFirst = previous == .none
      let before = isFirst ? nil : ledger.tables.notes.read(previous)
      let follows = before.map { $0.pointee.member == note.pointee.member && $0.pointee.number + 1 == number }
      if !(follows ?? (number == 1)) {
        broken = BrokenInvariant(description: "a member's note \(number) follows no other")
      }
    }
    if let broken { throw broken }
  }
}

extension Ledger {
  /// The newest note of a member; `.none` if there is none.
  func newestNote(of member: Ref<MemberRecord>) -> Ref<NoteRecord> {
    tables.notes.find(hashes.number(UInt64(member.rawValue))) { $0.pointee.member == member } ?? .none
  }
  /// Adds a note to a member, who has less than `NoteRecord.mostOfMember`; `newest` is the newest so far.
  mutating func addNote(
    to member: Ref<MemberRecord>, after newest: Ref<NoteRecord>, kind: Bytes, text: Bytes, by: PrincipalID
  ) {
    var content = ByteBuffer(capacity: 1_280)
    content.append(counted: kind)
    content.append(text)
    let number = newest == .none ? 1 : tables.notes.read(newest).pointee.number + 1
    let note = NoteRecord(
      at: now, content: tables.texts.append(content.bytes), member: member, previous: newest, by: by, number: number)
    let ref = tables.notes.add(note, hashes.number(UInt64(member.rawValue)), before: newest)
    var sum = DigestSum()
    NoteRecord.addDigest(of: tables.notes.read(ref), in: self, to: &sum)
    core.digest.add(sum)
  }
}
