import Base
import Vocabulary

extension Ledger {
  /// `MEMBER ERASE`: what is personal goes at once, but the aliases, which lie at their own slots: see `EraseStep`. Nothing of it is
  /// left in the state: texts are overwritten where they lay.
  mutating func eraseMember(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    try checkProgramme()
    let member = try changed(call)
    try checkNotReceiving(member)
    let open = erasure(of: member)
    guard open == .none else {
      guard call.hashes.key.isNone else { throw .refused(Refusal(.busy, "the member is being erased")) }
      return .pending(open)
    }
    let keys = erasePersonal(of: member)
    setErasure(of: member, at: now, .none)
    guard !keys.isEmpty else { return done(call, &reply) }
    let tx = nextTransaction(call.slot)
    setErasure(of: member, at: now, tx, open: keys.count)
    remember(call.hashes.key, pending: tx)
    for key in keys {
      sendErasure(
        EraseStep.Content(number: key, member: Array(call.party), request: Array(call.request), awaited: tx),
        call.tenant, call.slot, call.hashes.key)
    }
    return .pending(tx)
  }

  /// Overwrites what is personal in the member's own slot; gives the keys of all aliases that it has, or had.
  mutating func erasePersonal(of member: Ref<MemberRecord>) -> [[UInt8]] {
    let personal = [
      MemberFile.Field.name.rawValue, MemberFile.Field.birthday.rawValue, EntryRequest.Number.attributes,
    ]
    let values = file(ofMember: tables.members.read(member)).values.filtered { !personal.contains($0) }
    setFile(ofMember: member, MemberFile(values))
    eraseNotes(of: member)
    eraseCaseNotes(of: member)
    return aliases(of: member)
  }

  /// The transaction that is to end before a member's aliases are gone; none: none is under way.
  func erasure(of member: Ref<MemberRecord>) -> TransactionID {
    let file = tables.members.read(member).pointee.file
    return file == .none ? .none : tables.files.read(file).pointee.erasure
  }
  func isBeingErased(_ member: Ref<MemberRecord>) -> Bool { erasure(of: member) != .none }
  mutating func setErasure(of member: Ref<MemberRecord>, at stamp: Stamp, _ tx: TransactionID, open: Int = 0) {
    let ref = openFile(ofMember: member)
    let hash = hash(ofMember: member)
    let file = tables.files.write(ref)
    core.digest.add(hash, DigestField.erasedAt, stamp.microseconds &- file.pointee.erasedAt.microseconds)
    core.digest.add(
      hash, DigestField.erasure, Int64(bitPattern: tx.rawValue) &- Int64(bitPattern: file.pointee.erasure.rawValue))
    (file.pointee.erasedAt, file.pointee.erasure) = (stamp, tx)
    file.pointee.openErasures = UInt32(clamping: open)
  }
  /// The keys of all that a member has, or had: the last one first.
  private func aliases(of member: Ref<MemberRecord>) -> [[UInt8]] {
    var keys: [[UInt8]] = []
    var next = tables.members.read(member).pointee.firstCard
    while next != .none {
      keys.append(Array(key(of: tables.cards.read(next))))
      next = tables.cards.read(next).pointee.next
    }
    return keys
  }
  private mutating func eraseNotes(of member: Ref<MemberRecord>) {
    var next = newestNote(of: member)
    while next != .none {
      let previous = tables.notes.read(next).pointee.previous
      var sum = DigestSum()
      NoteRecord.addDigest(of: tables.notes.read(next), in: self, to: &sum)
      core.digest.subtract(sum)
      NoteRecord.remove(next, of: &self)
      next = previous
    }
  }
}
