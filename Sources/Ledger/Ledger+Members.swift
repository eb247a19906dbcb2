import Base

extension Ledger {
  typealias Bytes = UnsafeRawBufferPointer
  static var longestName: Int { 256 }
  static var longestRegion: Int { 64 }

  // MARK: Content

  /// A new member; nil if there are too many.
  mutating func addMember(
    _ tenant: TenantID, _ id: Bytes, _ file: MemberFile, isPool: Bool = false
  ) -> Ref<MemberRecord>? {
    let hash = Slot.hash(.member, tenant: tenant, id: id)
    guard tables.members.count < Int(UInt32.max) - 2 else { return nil }
    let text = ShortText(inline: id) ?? ShortText(reference: tables.texts.append(id))
    var record = MemberRecord(hash: hash, id: text, since: now, tenant: tenant)
    if file.isPlain, !file.isEmpty {
      var profile = ByteBuffer(capacity: 512)
      profile.append(counted: file[.region])
      profile.append(file[.name])
      record.profile = tables.texts.append(profile.bytes)
    }
    let number = tables.members.add(record, hashes.member(id, tenant).finishedLow())
    core.memberCount += 1
    census?.members.note(number.place, Slot(hash: hash))
    countMember(UnsafePointer(tables.members.write(number)), 1)
    if !file.isPlain { setFile(ofMember: number, file) }
    if !isPool { raise("join", of: number) }
    return number
  }
  /// Region and name of a member without a file.
  func profile(_ member: UnsafePointer<MemberRecord>) -> (region: Bytes, name: Bytes) {
    let none = Bytes(start: nil, count: 0)
    guard member.pointee.profile != 0, !member.pointee.hasFile else { return (none, none) }
    var reader = ByteReader(tables.texts.read(member.pointee.profile))
    guard let region = try? reader.readCounted(), let name = try? reader.readBytes(reader.remaining) else {
      return (none, none)
    }
    return (region, name)
  }
  func hasContent(_ number: Ref<MemberRecord>, _ file: MemberFile) -> Bool {
    self.file(ofMember: tables.members.read(number)) == file
  }
  /// What the digest knows of a member itself.
  func memberContent(_ member: UnsafePointer<MemberRecord>) -> UInt64 {
    var content = xxh64(memberID(member), seed: UInt64(member.pointee.tenant.rawValue))
    if member.pointee.profile != 0, !member.pointee.hasFile {
      content ^= xxh64(tables.texts.read(member.pointee.profile))
    }
    return content &+ DigestSum.mix(UInt64(bitPattern: member.pointee.since.microseconds), 1)
  }
  mutating func countMember(_ member: UnsafePointer<MemberRecord>, _ sign: Int64) {
    let content = Int64(bitPattern: memberContent(member))
    core.digest.add(member.pointee.hash, DigestField.memberContent, sign &* content)
    core.digest.add(member.pointee.hash, DigestField.memberState, sign * Int64(member.pointee.state))
  }

  // MARK: States

  mutating func setState(ofMember number: Ref<MemberRecord>, _ state: MemberState) {
    let member = tables.members.write(number)
    let change = Int64(state.rawValue) - Int64(member.pointee.state)
    core.digest.add(member.pointee.hash, DigestField.memberState, change)
    member.pointee.state = state.rawValue
  }
  /// Releases the member's holds; what is then left goes where the program says: it lapses to breakage, or another member has it. A debt
  /// is written off.
  mutating func closeMember(_ number: Ref<MemberRecord>) {
    releaseHolds(number, dueAt: .never)
    for program in catalogue.programRefs {
      guard account(tables.members.read(number), program) != nil,
        let holder = holder(number, program, create: false)
      else { continue }
      activateDueLots(holder)
      endDueLots(holder)
      if let heir = heir(of: holder) {
        var before: Points
        repeat {
          before = holder.account.pointee.available
          giveRest(holder, to: heir)
        } while holder.account.pointee.available < before
      }
      lapseRest(holder)
    }
    leavePool(number)
    setState(ofMember: number, .closed)
  }
  /// The member that has the points of one that is closed, by the program or the policy for its class.
  private func heir(of holder: Holder) -> [UInt8]? {
    let own = holderClass(UnsafePointer(holder.member))
    let closing = own.withUnsafeBytes {
      catalogue.closing(ofProgram: holder.program, holderClass: $0.isEmpty ? Ledger.consumer : $0)
    }
    guard case .transfer(let heir) = closing, !memberID(UnsafePointer(holder.member)).elementsEqual(heir) else {
      return nil
    }
    return heir
  }
  /// What an account still has when its member is closed, or what comes back to it later, lapses to breakage.
  mutating func lapseRest(_ holder: Holder) {
    lapsePending(holder)
    var lapsed = Points.zero
    var number = holder.account.pointee.firstLot
    while number != .none {
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
    if core.semantics >= Semantics.amended { writeOff(holder) }
  }
  /// What a closed member owes, the operator bears.
  private mutating func writeOff(_ holder: Holder) {
    let debt = holder.account.pointee.debt
    guard debt > 0 else { return }
    post(debt, holder.program, from: .adjustments, to: .members)
    adjust(holder, debt: -debt)
    var record = nextRecord(.absorb, of: holder)
    record.points = debt
    book(holder, &record, points: debt)
  }
}
