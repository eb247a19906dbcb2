import Base
import Vocabulary

// How cases are shown and listed.
extension Ledger {
  /// `CASE SHOW`. O(members) of one whose opening has left memory.
  func readCase(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) {
    let number = call.transaction
    if let place = findTransaction(number) {
      let member = tables.transactions.read(place).pointee.member
      if tables.members.read(member).pointee.tenant == call.tenant, let ref = findCase(number, of: member) {
        return write(ref, of: member, &reply)
      }
    } else {
      for place in 0..<tables.members.count {
        let member = Ref<MemberRecord>(place: place)
        let record = tables.members.read(member)
        guard record.pointee.isUsed, record.pointee.hasBonds, record.pointee.slot == call.slot,
          record.pointee.tenant == call.tenant, let ref = findCase(number, of: member)
        else { continue }
        return write(ref, of: member, &reply)
      }
    }
    throw .refused(Refusal(.notFound, "no such case '\(number.text)'"))
  }
  private func write(_ ref: Ref<BondRecord>, of member: Ref<MemberRecord>, _ reply: inout ReplyWriter) {
    let content = content(ofCase: ref)
    reply.record()
    reply.field(named: "case", tables.details.bonds.read(ref).pointee.tx.text)
    reply.field(named: "kind", content.kind.word)
    reply.field(.state, content.state.word)
    reply.field(.member, memberID(tables.members.read(member)))
    if catalogue.has(content.program) { catalogue.withProgramName(content.program) { reply.field(.program, $0) } }
    if content.points > 0 { reply.field(.points, content.points) }
    if content.kind == .adjustment { reply.field(named: "direction", content.isUp ? "up" : "down") }
    if content.of != .none { reply.field(.of, content.of) }
    content.reason.withUnsafeBytes { reply.field(named: "reason", $0) }
    reply.field(.at, content.at)
    if !content.by.isEmpty { content.by.withUnsafeBytes { reply.field(named: "by", $0) } }
    if content.decidedAt != .zero { content.decidedBy.withUnsafeBytes { reply.field(named: "decided", $0) } }
    if !content.notes.isEmpty {
      let text = content.notes.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "; ")
      reply.field(named: "notes", text)
    }
  }

  /// Where a page ends within a member's cases, the next goes on there: its place says behind how many of them (`PagePlace`).
  func writePage(of tenant: TenantID, from first: Int, limit: Int, _ wanted: WantedCases, _ reply: inout ReplyWriter) {
    var found: [(Ref<MemberRecord>, Ref<BondRecord>)] = []
    var place = PagePlace(first)
    place.member = min(place.member, tables.members.count)
    let end = min(place.member + Ledger.membersAPage, tables.members.count)
    while place.member < end, found.count < limit {
      let ref = Ref<MemberRecord>(place: place.member)
      let member = tables.members.read(ref)
      if member.pointee.isUsed, member.pointee.hasBonds, member.pointee.tenant == tenant {
        let all = cases(of: ref)
        while place.told < all.count, found.count < limit {
          let bond = all[place.told]
          place.told += 1
          if wanted.takes(content(ofCase: bond)) { found.append((ref, bond)) }
        }
        if place.told < all.count { break }
      }
      place = PagePlace(place.member + 1)
    }
    reply.array(count: found.count + 1)
    for (member, bond) in found { write(bond, of: member, &reply) }
    writeEnd(of: place.number, &reply)
  }
}

/// Where a list of cases goes on: at a member's place, behind so many of its cases, the newest first.
struct PagePlace {
  var member: Int
  var told: Int

  init(_ number: Int) { (member, told) = (number & 0xFFFF_FFFF, number >> 32) }
  var number: Int { told << 32 | member }
}

/// What a `CASE LIST` asks.
public struct WantedCases: Sendable {
  var state: [UInt8]
  var kind: [UInt8]

  init?(_ request: Request) {
    guard request.verb == .caseList else { return nil }
    state = request.text(.state).map { Array($0) } ?? []
    kind = request.text(.kind).map { Array($0) } ?? []
  }
  static func encode(_ wanted: WantedCases?, into buffer: inout ByteBuffer) {
    buffer.append(UInt8(wanted == nil ? 0 : 1))
    guard let wanted else { return }
    buffer.append(counted: wanted.state)
    buffer.append(counted: wanted.kind)
  }
  static func read(_ reader: inout ByteReader) throws(MalformedBytes) -> WantedCases? {
    guard try reader.read(UInt8.self) == 1 else { return nil }
    return WantedCases(state: Array(try reader.readCounted()), kind: Array(try reader.readCounted()))
  }
  private init(state: [UInt8], kind: [UInt8]) { (self.state, self.kind) = (state, kind) }

  /// Why a `CASE LIST` is not right; nil: it is.
  public static func refusal(of request: Request) -> String? {
    guard request.verb == .caseList else { return nil }
    func isOne(of words: [String], _ text: UnsafeRawBufferPointer?) -> Bool {
      text.map { text in words.contains { $0.utf8.elementsEqual(text) } } ?? true
    }
    guard isOne(of: CaseState.allCases.map(\.word), request.text(.state)) else {
      return "state= must be open, waiting, approved or rejected"
    }
    guard isOne(of: CaseKind.allCases.map(\.word), request.text(.kind)) else {
      return "kind= must be adjustment, dispute, abuse or return"
    }
    return nil
  }
  func takes(_ content: CaseContent) -> Bool {
    (state.isEmpty || content.state.word.utf8.elementsEqual(state))
      && (kind.isEmpty || content.kind.word.utf8.elementsEqual(kind))
  }
}
