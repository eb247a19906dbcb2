import Base
import Vocabulary

extension Ledger {
  /// `MEMBER SET`: changes what is said; an empty value takes it back.
  mutating func setMember(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    if call.has(.pool) {
      try checkProgramme()
      return try setPool(call, &reply)
    }
    try changeFile(call) { $0.changed(by: MemberFile(call)) }
    return done(call, &reply)
  }
  /// `MEMBER TAG`: what it has already is OK.
  mutating func tagMember(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    try changeFile(call) { file in
      var file = file
      let new = call.tags.map { Array($0) }
      file.tags = Array(Set(file.tags + new)).sorted { $0.lexicographicallyPrecedes($1) }
      return file
    }
    return done(call, &reply)
  }
  /// `MEMBER UNTAG`: what it has not is OK.
  mutating func untagMember(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    try changeFile(call) { file in
      var file = file
      file.tags.removeAll { tag in call.tags.contains { $0.elementsEqual(tag) } }
      return file
    }
    return done(call, &reply)
  }

  mutating func changeFile(_ call: Call, _ change: (MemberFile) -> MemberFile) throws(Stop) {
    try checkProgramme()
    let number = try changed(call)
    try checkOpen(number)
    let new = try changedFile(number, change)
    if new != file(ofMember: tables.members.read(number)) { setFile(ofMember: number, new) }
  }
  func changedFile(_ number: Ref<MemberRecord>, _ change: (MemberFile) -> MemberFile) throws(Stop) -> MemberFile {
    let member = tables.members.read(number)
    let old = file(ofMember: member)
    let new = change(old)
    if new[.cardType] != old[.cardType] { try checkCardType(new[.cardType], member.pointee.tenant) }
    guard
      core.semantics < Semantics.checked || new[.referrer].isEmpty || new[.referrer] == old[.referrer]
        || !new[.referrer].elementsEqual(memberID(member))
    else { throw .refused(Refusal(.malformed, "referrer= must be another member")) }
    guard new.tags.count <= MemberFile.mostTags else {
      throw .refused(.limit("tags", "a member has at most \(MemberFile.mostTags) tags"))
    }
    guard new.attributes.pairs.count <= EntryKind.mostAttributes else {
      throw .refused(.limit("attributes", "a member has at most \(EntryKind.mostAttributes) x.NAME="))
    }
    return new
  }
}
