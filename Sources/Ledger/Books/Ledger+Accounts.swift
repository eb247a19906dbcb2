import Base

/// Where a member's account of one program is, while one command works on it. The addresses hold until a snapshot begins.
struct Holder {
  var number: Ref<MemberRecord>
  var member: UnsafeMutablePointer<MemberRecord>
  var account: UnsafeMutablePointer<AccountRecord>
  /// What the digest knows the account by.
  var key: UInt64
  var program: ProgramRef
  @inline(__always) var isInline: Bool {
    UnsafeMutableRawPointer(account) == UnsafeMutableRawPointer(member) + MemberRecord.accountOffset
  }
}

/// The digest's field numbers; part of what replicas compare. Those of a program's accounts: `AccountCode.digestField`.
enum DigestField {
  static let available: UInt64 = 1
  static let held: UInt64 = 2
  static let debt: UInt64 = 3
  static let lotEarnedAt: UInt64 = 4
  static let lotIssued: UInt64 = 5
  static let lotAvailable: UInt64 = 6
  static let lotHeld: UInt64 = 7
  static let lotConsumed: UInt64 = 8
  static let lotReversed: UInt64 = 9
  static let lotExpired: UInt64 = 10
  static let memberContent: UInt64 = 11
  static let memberState: UInt64 = 12
  static let sequence: UInt64 = 13
  static let transaction: UInt64 = 14
  static let reversedPoints: UInt64 = 15
  static let reversedSpend: UInt64 = 16
  static let transactionState: UInt64 = 17
  static let link: UInt64 = 18
  static let takePoints: UInt64 = 19
  static let takeReturned: UInt64 = 20
  static let request: UInt64 = 21
  static let answered: UInt64 = 22
  static let card: UInt64 = 29
  static let cardEntry: UInt64 = 30
  static let outbox: UInt64 = 31
  static let inbox: UInt64 = 32
  static let lapsed: UInt64 = 33
  static let past: UInt64 = 40
  static let file: UInt64 = 41
  static let counter: UInt64 = 42
  static let erasedAt: UInt64 = 50
  static let erasure: UInt64 = 51
  /// When a lot ends whose end moves.
  static let lotEnds: UInt64 = 43
  static let quotaUsed: UInt64 = 55
  static let lease: UInt64 = 56
  static let quotaGranted: UInt64 = 57
  static let quotaHome: UInt64 = 58
  static let campaign: UInt64 = 59
  /// What ties members to each other.
  static let bond: UInt64 = 60
  /// What a verdict says beside its code, and a step of a merge or a pool.
  static let verdictText: UInt64 = 61
  static let stepText: UInt64 = 62
}

extension Ledger {
  // MARK: Members

  /// A member. `hash` is its keyed one.
  func findMember(_ hash: UInt64, _ tenant: TenantID, _ id: UnsafeRawBufferPointer) -> Ref<MemberRecord>? {
    if let short = ShortText(inline: id) {
      return tables.members.find(hash) { $0.pointee.id == short && $0.pointee.tenant == tenant }
    }
    return tables.members.find(hash) { record in
      record.pointee.tenant == tenant && !record.pointee.id.isInline
        && tables.texts.equals(record.pointee.id.low, id)
    }
  }
  /// A member of a slot of this shard's.
  func findMember(_ id: UnsafeRawBufferPointer, tenant: TenantID) -> Ref<MemberRecord>? {
    findMember(hashes.member(id, tenant).finishedLow(), tenant, id)
  }
  /// A member's id, in place.
  @inline(__always) func memberID(_ record: UnsafePointer<MemberRecord>) -> UnsafeRawBufferPointer {
    let id = record.pointee.id
    guard id.isInline else { return tables.texts.read(id.low) }
    return UnsafeRawBufferPointer(start: UnsafeRawPointer(record) + 8, count: Int(id.high &>> 56))
  }
  /// The stable one, by which slots go and digests.
  func hash(ofMember number: Ref<MemberRecord>) -> UInt64 { tables.members.read(number).pointee.hash }
  func slot(ofMember number: Ref<MemberRecord>) -> Slot { tables.members.read(number).pointee.slot }

  // MARK: Accounts

  @inline(__always) func programKey(_ program: ProgramRef) -> UInt64 { catalogue.programRows[program.place].key }

  /// A member's account, made if it is not there and `create` says so.
  mutating func holder(_ number: Ref<MemberRecord>, _ program: ProgramRef, create: Bool) -> Holder? {
    let member = tables.members.write(number)
    let first = (UnsafeMutableRawPointer(member) + MemberRecord.accountOffset)
      .assumingMemoryBound(to: AccountRecord.self)
    var holder = Holder(
      number: number, member: member, account: first,
      key: DigestSum.mix(member.pointee.hash, programKey(program)), program: program)
    if first.pointee.program == program { return holder }
    if first.pointee.program.isNone {
      guard create else { return nil }
      first.pointee.program = program
      countAccount(program)
      return holder
    }
    guard let other = otherAccount(holder, create: create) else { return nil }
    holder.account = other
    return holder
  }
  private mutating func otherAccount(_ holder: Holder, create: Bool) -> UnsafeMutablePointer<AccountRecord>? {
    var next = holder.member.pointee.nextAccount
    while next != .none {
      let account = tables.accounts.write(next)
      if account.pointee.program == holder.program { return account }
      next = account.pointee.next
    }
    guard create else { return nil }
    var record = AccountRecord()
    record.program = holder.program
    record.next = holder.member.pointee.nextAccount
    let place = tables.accounts.add(record)
    holder.member.pointee.nextAccount = place
    countAccount(holder.program)
    return tables.accounts.write(place)
  }
  private mutating func countAccount(_ program: ProgramRef) {
    tables.programs.write(Ref(place: program.place)).pointee.accounts += 1
    core.accountCount += 1
  }
  /// A member's account to read; nil if there is none.
  func account(_ member: UnsafePointer<MemberRecord>, _ program: ProgramRef) -> UnsafePointer<AccountRecord>? {
    let first = (UnsafeRawPointer(member) + MemberRecord.accountOffset).assumingMemoryBound(to: AccountRecord.self)
    if first.pointee.program == program { return first }
    var next = member.pointee.nextAccount
    while next != .none {
      let account = tables.accounts.read(next)
      if account.pointee.program == program { return account }
      next = account.pointee.next
    }
    return nil
  }
  /// Calls `body` with the program of each of a member's accounts.
  func forEachAccount(_ member: UnsafePointer<MemberRecord>, _ body: (UnsafePointer<AccountRecord>) -> Void) {
    let first = (UnsafeRawPointer(member) + MemberRecord.accountOffset).assumingMemoryBound(to: AccountRecord.self)
    if !first.pointee.program.isNone { body(first) }
    var next = member.pointee.nextAccount
    while next != .none {
      let account = tables.accounts.read(next)
      body(account)
      next = account.pointee.next
    }
  }

  /// Adds what the digest knows of a member's accounts and their lots.
  func addAccounts(of member: UnsafePointer<MemberRecord>, to sum: inout DigestSum) {
    let hash = member.pointee.hash
    forEachAccount(member) { account in
      let key = DigestSum.mix(hash, programKey(account.pointee.program))
      sum.add(key, DigestField.available, account.pointee.available)
      sum.add(key, DigestField.held, account.pointee.held)
      sum.add(key, DigestField.debt, account.pointee.debt)
      var next = account.pointee.firstLot
      while next != .none {
        let lot = lot(member, next).pointee
        let lotKey = lot.name.key(key)
        if lot.name.isActivity { sum.add(lotKey, DigestField.lotEnds, lot.expiresAt.microseconds) }
        sum.add(lotKey, DigestField.lotEarnedAt, lot.earnedAt.microseconds)
        sum.add(lotKey, DigestField.lotIssued, lot.issued)
        sum.add(lotKey, DigestField.lotAvailable, lot.available)
        sum.add(lotKey, DigestField.lotHeld, lot.held)
        sum.add(lotKey, DigestField.lotConsumed, lot.consumed)
        sum.add(lotKey, DigestField.lotReversed, lot.reversed)
        sum.add(lotKey, DigestField.lotExpired, lot.expired)
        next = lot.next
      }
    }
  }

  /// Changes an account. Where that changes its balance, as much is posted from or to `.members`: what is left out there
  /// shows as a sum that is not the accounts'.
  mutating func adjust(
    _ holder: Holder, available: Points = 0, held: Points = 0, debt: Points = 0
  ) {
    let account = holder.account
    if available != 0 {
      core.add(available, to: &account.pointee.available)
      core.digest.add(holder.key, DigestField.available, available)
    }
    if held != 0 {
      core.add(held, to: &account.pointee.held)
      core.digest.add(holder.key, DigestField.held, held)
    }
    if debt != 0 {
      core.add(debt, to: &account.pointee.debt)
      core.digest.add(holder.key, DigestField.debt, debt)
    }
    let change = Int128(available.rawValue) + Int128(held.rawValue) - Int128(debt.rawValue)
    if change != 0 { core.add(change, to: &tables.programs.write(Ref(place: holder.program.place)).pointee.balances) }
  }
}
