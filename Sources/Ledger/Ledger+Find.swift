import Base
import Vocabulary

// `MEMBER FIND`. A shard answers in pages: members by their places, so many looked at for each query, so that no query keeps purchases
// waiting. A member keeps its place as long as its slot is the shard's.

/// What a member is to have.
public struct WantedMembers: Sendable {
  /// Of its file, each as it stands there; `x.NAME` too.
  fileprivate var file = MemberFile()
  /// Empty: any.
  fileprivate var tag: [UInt8] = []
  fileprivate var state: UInt8 = 0
  /// The name of one, in any program. Empty: any.
  fileprivate var tier: [UInt8] = []
  /// Of a `DUE`.
  fileprivate var due: DueMembers?
  /// Of a `CASE LIST`.
  fileprivate var cases: WantedCases?

  /// Nobody has it who has no file.
  fileprivate var wantsFile: Bool {
    !tag.isEmpty || file.attributes.pairs.contains { !$0.value.isEmpty }
  }

  /// Neither accounts and lots nor cases are to be looked through.
  var needsMembersAlone: Bool { due == nil && cases == nil }

  /// Anybody.
  init() {}
  /// What a `MEMBER FIND` says, or a `DUE`.
  public init(_ request: Request) {
    cases = WantedCases(request)
    guard cases == nil else { return }
    var said: [(number: Int, bytes: [UInt8])] = []
    for field in [MemberFile.Field.region, .holderClass] {
      if let key = field.key, let text = request.text(key) { said.append((field.rawValue, Array(text))) }
    }
    if let text = request.text(.attributes) { said.append((EntryRequest.Number.attributes, Array(text))) }
    file = MemberFile(EntryValues(said))
    tag = request.text(.tag).map { Array($0) } ?? []
    state = request.number(.state).map { UInt8(truncatingIfNeeded: $0 + 1) } ?? 0
    if request.verb == .memberFind { tier = request.text(.tier).map { Array($0) } ?? [] }
    due = DueMembers(request)
  }
  fileprivate func encode(into buffer: inout ByteBuffer) {
    buffer.append(counted: file.values.bytes)
    buffer.append(counted: tag)
    buffer.append(state)
    buffer.append(counted: tier)
    DueMembers.encode(due, into: &buffer)
    WantedCases.encode(cases, into: &buffer)
  }
  init(_ reader: inout ByteReader) throws(MalformedBytes) {
    guard let values = EntryValues(checking: Array(try reader.readCounted())) else {
      throw MalformedBytes("a search with bad values")
    }
    file = MemberFile(values)
    tag = Array(try reader.readCounted())
    state = try reader.read()
    tier = Array(try reader.readCounted())
    due = try DueMembers.read(&reader)
    cases = try WantedCases.read(&reader)
  }
}

extension Query {
  /// Which of the members from a place on have what is wanted: an array of their records, and at its end a record with `index`, the place
  /// to go on from (-1: there are no more), and `moves`, the shard's epoch. `slot` is any of the shard's.
  /// - Parameter moment: as they all were then, of which the shard's leader has opened a view; nil: as they are.
  public static func appendPage(
    to buffer: inout ByteBuffer, tenant: TenantID, slot: Slot, from place: Int, limit: Int, _ wanted: WantedMembers,
    at moment: Stamp? = nil
  ) {
    let start = Command.begin(&buffer, .memberPage, slot, tenant: tenant)
    buffer.append(UInt32(truncatingIfNeeded: place))
    buffer.append(UInt32(clamping: limit))
    wanted.encode(into: &buffer)
    if place >> 32 > 0 || moment != nil { buffer.append(UInt32(truncatingIfNeeded: place >> 32)) }
    if let moment {
      buffer.append(moment.microseconds)
      buffer.append(MemberPageQuery.Purpose.read.rawValue)
    }
    Command.end(&buffer, start)
  }
  /// Has the shard's leader keep its view of a moment for longer, or end it: `+OK`, or an error where it has none.
  public static func appendView(
    to buffer: inout ByteBuffer, tenant: TenantID, slot: Slot, of moment: Stamp, _ purpose: MemberPageQuery.Purpose
  ) {
    let start = Command.begin(&buffer, .memberPage, slot, tenant: tenant)
    buffer.append(UInt64(0))
    WantedMembers().encode(into: &buffer)
    buffer.append(UInt32(0))
    buffer.append(moment.microseconds)
    buffer.append(purpose.rawValue)
    Command.end(&buffer, start)
  }
}

extension Ledger {
  /// Members that a query looks at: a fraction of a millisecond.
  static var membersAPage: Int { 128 }

  func readPage(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) {
    do throws(MalformedBytes) {
      let page = try MemberPageQuery(call)
      guard page.moment == nil else { throw MalformedBytes("a view is asked where it is") }
      write(page, into: &reply)
    } catch {
      throw .malformed(error.description)
    }
  }
  /// Answers a page.
  /// - Returns: where the next begins; nil: there are no more.
  @discardableResult func write(_ page: MemberPageQuery, into reply: inout ReplyWriter) -> Int? {
    writePage(
      of: page.tenant, from: page.first, limit: page.limit, page.wanted,
      most: page.moment == nil ? Ledger.membersAPage : Ledger.membersOfViewAPage, &reply)
  }
  private func writePage(
    of tenant: TenantID, from first: Int, limit: Int, _ wanted: WantedMembers, most: Int, _ reply: inout ReplyWriter
  ) -> Int? {
    if let due = wanted.due {
      writePage(of: tenant, from: first, limit: limit, due, &reply)
      return nil
    }
    if let cases = wanted.cases {
      writePage(of: tenant, from: first, limit: limit, cases, &reply)
      return nil
    }
    var found: [Ref<MemberRecord>] = []
    var place = min(first, tables.members.count)
    let end = min(place + most, tables.members.count)
    while place < end, found.count < limit {
      let ref = Ref<MemberRecord>(place: place)
      let member = tables.members.read(ref)
      if member.pointee.isUsed, member.pointee.tenant == tenant, has(member, wanted), isOf(wanted.tier, ref) {
        found.append(ref)
      }
      place += 1
    }
    reply.array(count: found.count + 1)
    for ref in found { write(ref, into: &reply) }
    writeEnd(of: place, &reply)
    return place < tables.members.count ? place : nil
  }
  /// Ends a page that goes up to a place.
  func writeEnd(of place: Int, _ reply: inout ReplyWriter) {
    reply.record()
    reply.field(.index, Int64(PagePlace(place).member < tables.members.count ? place : -1))
    reply.field(.moves, Int64(bitPattern: core.epoch))
  }
  private func has(_ member: UnsafePointer<MemberRecord>, _ wanted: WantedMembers) -> Bool {
    guard wanted.state == 0 || member.pointee.state == wanted.state else { return false }
    if wanted.tag.isEmpty, wanted.file.isEmpty { return true }
    // Most members have neither: their files need not be read.
    guard member.pointee.hasFile || !wanted.wantsFile else { return false }
    let own = file(ofMember: member)
    guard wanted.tag.isEmpty || own.tags.contains(wanted.tag) else { return false }
    for (number, value) in wanted.file.values.fields {
      switch number {
      case EntryRequest.Number.attributes:
        let pairs = own.attributes.pairs
        let isThere = EntryAttributes(value).pairs.allSatisfy { want in
          // An empty value is one that the member has not.
          pairs.contains { $0 == want } || want.value.isEmpty && !pairs.contains { $0.name == want.name }
        }
        guard isThere else { return false }
      case MemberFile.Field.holderClass.rawValue:
        let holderClass = own[.holderClass].isEmpty ? Array(Ledger.consumer) : own[.holderClass]
        guard holderClass == value else { return false }
      default: guard own.values[number] ?? [] == value else { return false }
      }
    }
    return true
  }
}
