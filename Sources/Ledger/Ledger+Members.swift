import Base

extension Ledger {
  typealias Bytes = UnsafeRawBufferPointer
  static var longestName: Int { 256 }
  static var longestRegion: Int { 64 }

  mutating func applyMemberAdd(
    _ header: CommandHeader, _ reader: inout ByteReader, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) -> Outcome {
    let id = try reader.readCounted()
    let card = try reader.readCounted()
    let name = try reader.readCounted()
    let region = try reader.readCounted()
    let request = try reader.readCounted()
    try reader.finish()
    try Ledger.check(id, "member")
    if request.count > 0 { try Ledger.check(request, "id") }
    guard name.count <= Ledger.longestName else { throw MalformedBytes("name is longer than 256 bytes") }
    guard region.count <= Ledger.longestRegion else { throw MalformedBytes("region is longer than 64 bytes") }
    let tenant = header.context.tenant
    if card.count > 0 {
      try Ledger.check(card, "card")
      let step = CardStep(kind: .memberAdd, number: card, member: id, name: name, region: region, request: request)
      return try claimCard(header, step, &reply)
    }
    let scope = hashes.member(id, tenant)
    try Ledger.check(header.slot, ofMember: id, tenant)
    let key = RequestKey(scope, request, header)
    if let outcome = repeated(key, &reply) { return outcome }
    if let number = findMember(scope.finishedLow(), tenant, id) {
      guard hasContent(number, name: name, region: region) else {
        reply.error(.exists, "a member of that id has other content")
        return .replied
      }
    } else {
      guard addMember(tenant, id, name: name, region: region) != nil else {
        reply.error(.limit, "over a limit")
        reply.field(.which, "members")
        return .replied
      }
    }
    done(key, request, id, header, &reply)
    return .replied
  }
  static func check(_ slot: Slot, ofMember id: Bytes, _ tenant: TenantID) throws(MalformedBytes) {
    guard Command.memberSlot(id, tenant: tenant) == slot else {
      throw MalformedBytes("the member lies in another slot")
    }
  }
  static func check(_ text: Bytes, _ name: String) throws(MalformedBytes) {
    guard text.isIdentifier else { throw MalformedBytes("\(name) must be 1 to 64 of A-Za-z0-9._-") }
  }
  /// Writes `+OK` and keeps it, where the request had an id.
  mutating func done(
    _ key: RequestKey, _ request: Bytes, _ member: Bytes, _ header: CommandHeader, _ reply: inout ReplyWriter
  ) {
    let start = reply.buffer.count
    reply.ok()
    keepAnswer(key, request, member, header.context, slot: header.slot, reply, from: start)
  }

  // MARK: Content

  /// A new member; nil if there are too many.
  mutating func addMember(_ tenant: TenantID, _ id: Bytes, name: Bytes, region: Bytes) -> UInt32? {
    let hash = Slot.hash(.member, tenant: tenant, id: id)
    guard members.count < Int(UInt32.max) - 2 else { return nil }
    let text = ShortText(inline: id) ?? ShortText(reference: texts.append(id))
    var record = MemberRecord(hash: hash, id: text, since: now, tenant: tenant)
    if name.count > 0 || region.count > 0 {
      var profile = ByteBuffer(capacity: 512)
      profile.append(counted: region)
      profile.append(name)
      record.profile = texts.append(profile.bytes)
    }
    let number = UInt32(members.append(record))
    memberIndex.insert(hashes.member(id, tenant).finishedLow(), number + 1)
    core.memberCount += 1
    countMember(UnsafePointer(members.write(Int(number))), 1)
    return number
  }
  /// A member's region and name.
  func profile(_ member: UnsafePointer<MemberRecord>) -> (region: Bytes, name: Bytes) {
    let none = Bytes(start: nil, count: 0)
    guard member.pointee.profile != 0 else { return (none, none) }
    var reader = ByteReader(texts.read(member.pointee.profile))
    guard let region = try? reader.readCounted(), let name = try? reader.readBytes(reader.remaining) else {
      return (none, none)
    }
    return (region, name)
  }
  func hasContent(_ number: UInt32, name: Bytes, region: Bytes) -> Bool {
    let own = profile(members.read(Int(number)))
    return own.name.elementsEqual(name) && own.region.elementsEqual(region)
  }
  /// What the digest knows of a member itself.
  func memberContent(_ member: UnsafePointer<MemberRecord>) -> UInt64 {
    var content = xxh64(memberID(member), seed: UInt64(member.pointee.tenant.rawValue))
    if member.pointee.profile != 0 { content ^= xxh64(texts.read(member.pointee.profile)) }
    return content &+ DigestSum.mix(UInt64(bitPattern: member.pointee.since.microseconds), 1)
  }
  mutating func countMember(_ member: UnsafePointer<MemberRecord>, _ sign: Int64) {
    let content = Int64(bitPattern: memberContent(member))
    core.digest.add(member.pointee.hash, DigestField.memberContent, sign &* content)
    core.digest.add(member.pointee.hash, DigestField.memberState, sign * Int64(member.pointee.state))
  }

  // MARK: States

  mutating func applyMemberState(
    _ header: CommandHeader, _ reader: inout ByteReader, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) -> Outcome {
    let id = try reader.readCounted()
    guard let change = Command.MemberChange(rawValue: try reader.read()) else {
      throw MalformedBytes("an unknown change of a member")
    }
    let request = try reader.readCounted()
    let card = try reader.readTrailingCounted()
    try reader.finish()
    try Ledger.check(id, "member")
    if request.count > 0 { try Ledger.check(request, "id") }
    let scope = hashes.member(id, header.context.tenant)
    try Ledger.check(header.slot, ofMember: id, header.context.tenant)
    let key = RequestKey(scope, request, header)
    if let outcome = repeated(key, &reply) { return outcome }
    guard let number = findMember(scope.finishedLow(), header.context.tenant, id) else {
      reply.error(.notFound, "no such member")
      return .replied
    }
    if card.count > 0, cardState(number, card) ?? .removed == .removed {
      reply.error(.notFound, "no such card")
      return .replied
    }
    let isClosed = members.read(Int(number)).pointee.state == MemberState.closed.rawValue
    switch change {
    case .close:
      if !isClosed { closeMember(number) }
    case .freeze, .thaw:
      if isClosed {
        let start = reply.buffer.count
        reply.error(.closed, "the member is closed")
        keepAnswer(key, request, id, header.context, slot: header.slot, reply, from: start)
        return .replied
      }
      setState(ofMember: number, change == .freeze ? .frozen : .active)
    }
    done(key, request, id, header, &reply)
    return .replied
  }
  private mutating func setState(ofMember number: UInt32, _ state: MemberState) {
    let member = members.write(Int(number))
    let change = Int64(state.rawValue) - Int64(member.pointee.state)
    core.digest.add(member.pointee.hash, DigestField.memberState, change)
    member.pointee.state = state.rawValue
  }
  /// Releases the member's holds; what is then left lapses to breakage. A debt stays: it is owed.
  private mutating func closeMember(_ number: UInt32) {
    releaseHolds(number, dueAt: .never)
    for program in 0..<catalogue.programCount {
      guard account(members.read(Int(number)), program) != nil,
        let holder = holder(number, program, create: false)
      else { continue }
      endDueLots(holder)
      lapseRest(holder)
    }
    setState(ofMember: number, .closed)
  }
  /// What an account still has when its member is closed, or what comes back to it later, lapses to breakage.
  mutating func lapseRest(_ holder: Holder) {
    var lapsed: Int64 = 0
    var number = holder.account.pointee.firstLot
    while number != 0 {
      let record = lot(holder, number)
      let next = record.pointee.next
      let points = record.pointee.available
      core.add(points, to: &lapsed)
      adjustLot(holder, record, available: -points, expired: points)
      adjust(holder, available: -points)
      closeIfEmpty(holder, number)
      number = next
    }
    if lapsed > 0 { bookBreakage(holder, lapsed, .close) }
  }
}
