import Base
import Vocabulary

/// A member in a parcel, with its cards, accounts, lots and what is on its way from it.
struct MemberContent: SlotContent {
  struct Card: ParcelContent {
    var number: [UInt8] = []
    var state: UInt8 = 0
    /// It is one of the cards that a member may have so many of.
    var counts: Bool {
      state != CardState.replaced.rawValue && number.withUnsafeBytes { AliasKey.isCard($0) }
    }
    mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
      try coder.text(&number, most: longestText)
      try coder.expect(!number.isEmpty)
      try coder.word(&state)
    }
  }
  struct Account: ParcelContent {
    var record = AccountRecord()
    var lots: [Lot] = []
    mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
      try coder.reference(&record.program)
      try coder.amount(&record.available)
      try coder.amount(&record.held)
      try coder.amount(&record.debt)
      try coder.position(&record.lastRecord)
      try coder.list(&lots, most: 1 << 16)
    }
  }
  struct Lot: ParcelContent {
    var record = LotRecord()
    mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
      try coder.stamp(&record.expiresAt)
      try coder.stamp(&record.earnedAt)
      try coder.amount(&record.issued)
      try coder.amount(&record.available)
      try coder.amount(&record.held)
      try coder.amount(&record.consumed)
      try coder.amount(&record.reversed)
      try coder.amount(&record.expired)
      var name = record.name
      try coder.word(&name.origin)
      try coder.word(&record.isExpired)
      name.expiresAt = record.expiresAt
      var isPending: UInt8 = record.isPending ? 1 : 0
      if coder.form > 1 {
        try coder.word(&name.activeDay)
        try coder.word(&name.activityDays)
        try coder.word(&isPending)
        try coder.expect(name.activeDay < 1 << 22 && isPending < 2)
      }
      record.name = name
      record.isPending = isPending == 1
    }
  }
  struct Transit: ParcelContent {
    var record = TransitRecord.free
    mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
      try coder.reference(&record.program)
      try coder.amount(&record.points)
      try coder.word(&record.lots)
    }
  }

  static let longestText = 255
  var tenant = TenantID(0)
  var id: [UInt8] = []
  var since = Stamp.zero
  var state: UInt8 = 0
  /// As the blob has it; empty: none.
  var profile: [UInt8] = []
  var cards: [Card] = []
  /// The one with the member's newest record first.
  var accounts: [Account] = []
  var transits: [Transit] = []

  mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
    try coder.tenant(&tenant)
    try coder.text(&id, most: MemberContent.longestText)
    try coder.stamp(&since)
    try coder.word(&state)
    try coder.text(&profile, most: PagedBlob.maximumLength)
    try coder.list(&cards, most: coder.form > 1 ? 255 + CardRecord.mostAliasesEver + CardRecord.mostReplaced : 255)
    try coder.list(&accounts, most: Catalogue.maximumPrograms)
    try coder.list(&transits, most: Catalogue.maximumPrograms)
  }

  var hash: UInt64 { id.withUnsafeBytes { Slot.hash(.member, tenant: tenant, id: $0) } }
  private func isBefore(_ other: MemberContent) -> Bool {
    MemberContent.isBefore((tenant, id), (other.tenant, other.id))
  }
  static func isBefore(_ one: (tenant: TenantID, id: [UInt8]), _ other: (tenant: TenantID, id: [UInt8])) -> Bool {
    one.tenant == other.tenant
      ? one.id.lexicographicallyPrecedes(other.id) : one.tenant.rawValue < other.tenant.rawValue
  }

  func check(
    _ slot: inout SlotContext, before: MemberContent?, in ledger: borrowing Ledger
  ) throws(MalformedBytes) {
    let programs = accounts.map(\.record.program) + transits.map(\.record.program)
    guard !id.isEmpty, Slot(hash: hash) == slot.slot, MemberState(rawValue: state) != nil,
      before?.isBefore(self) ?? true, programs.allSatisfy({ ledger.catalogue.has($0) }),
      Set(accounts.map(\.record.program)).count == accounts.count,
      accounts.reduce(0, { $0 + $1.lots.count }) < 1 << 16,
      cards.allSatisfy({ CardState(rawValue: $0.state) != nil }),
      cards.count(where: { $0.counts }) <= 255
    else { throw MalformedBytes("a parcel with a member that cannot be") }
    slot.memberCount += 1
  }
}

extension MemberRecord {
  static func places(in slot: SlotContext, of ledger: borrowing Ledger) -> [Ref<MemberRecord>] {
    var keys: [(ref: Ref<MemberRecord>, key: (tenant: TenantID, id: [UInt8]))] = []
    for ref in slot.found.members {
      let record = ledger.tables.members.read(ref)
      keys.append((ref, (record.pointee.tenant, Array(ledger.memberID(record)))))
    }
    return keys.sorted { MemberContent.isBefore($0.key, $1.key) }.map(\.ref)
  }
  static func read(_ place: Ref<MemberRecord>, in ledger: borrowing Ledger) -> UnsafePointer<MemberRecord> {
    ledger.tables.members.read(place)
  }
  static func note(_ places: [Ref<MemberRecord>], in slot: inout SlotContext) {
    slot.members = places
    slot.order()
  }

  static func content(
    _ place: Ref<MemberRecord>, in slot: SlotContext, of ledger: borrowing Ledger
  ) -> MemberContent {
    let member = ledger.tables.members.read(place)
    var content = MemberContent()
    content.tenant = member.pointee.tenant
    content.id = Array(ledger.memberID(member))
    content.since = member.pointee.since
    content.state = member.pointee.state
    if member.pointee.profile != 0, !member.pointee.hasFile {
      content.profile = Array(ledger.tables.texts.read(member.pointee.profile))
    }
    var card = member.pointee.firstCard
    while card != .none {
      let record = ledger.tables.cards.read(card).pointee
      content.cards.append(.init(number: Array(ledger.tables.texts.read(record.number)), state: record.state))
      card = record.next
    }
    let newest = ledger.newestRecord(member)
    ledger.forEachAccount(member) { account in
      var own = MemberContent.Account(record: account.pointee)
      var next = account.pointee.firstLot
      while next != .none {
        own.lots.append(.init(record: ledger.lot(member, next).pointee))
        next = own.lots[own.lots.count - 1].record.next
      }
      let isNewest = newest != .none && account.pointee.lastRecord == newest
      content.accounts.insert(own, at: isNewest ? 0 : content.accounts.count)
    }
    var transit = member.pointee.firstTransit
    while transit != .none {
      content.transits.append(.init(record: ledger.tables.transits.read(transit).pointee))
      transit = content.transits[content.transits.count - 1].record.next
    }
    return content
  }

  static func add(
    _ content: MemberContent, to slot: inout SlotContext, of ledger: inout Ledger
  ) -> Ref<MemberRecord> {
    let text = content.id.withUnsafeBytes {
      ShortText(inline: $0) ?? ShortText(reference: ledger.tables.texts.append($0))
    }
    var record = MemberRecord(hash: content.hash, id: text, since: content.since, tenant: content.tenant)
    record.state = content.state
    if !content.profile.isEmpty {
      record.profile = content.profile.withUnsafeBytes { ledger.tables.texts.append($0) }
    }
    for card in content.cards.reversed() {
      let number = card.number.withUnsafeBytes { ledger.tables.texts.append($0) }
      record.firstCard = ledger.tables.cards.add(
        CardRecord(number: number, next: record.firstCard, state: card.state))
      if card.counts { record.cardCount &+= 1 }
    }
    for (place, account) in content.accounts.enumerated().reversed() {
      let own = ledger.addAccount(account, isInline: place == 0, to: &record)
      if place == 0 {
        record.account = own
      } else {
        record.nextAccount = ledger.tables.accounts.add(own)
      }
    }
    for transit in content.transits.reversed() {
      var own = transit.record
      own.next = record.firstTransit
      record.firstTransit = ledger.tables.transits.add(own)
    }
    ledger.core.memberCount += 1
    let ref = content.id.withUnsafeBytes {
      ledger.tables.members.add(record, ledger.hashes.member($0, content.tenant).finishedLow())
    }
    slot.members.append(ref)
    ledger.census?.members.note(ref.place, slot.slot)
    return ref
  }

  static func remove(_ place: Ref<MemberRecord>, of ledger: inout Ledger) {
    let member = ledger.tables.members.read(place).pointee
    if member.profile != 0, !member.hasFile { ledger.tables.texts.erase(member.profile) }
    var card = member.firstCard
    while card != .none {
      let next = ledger.tables.cards.read(card).pointee.next
      ledger.tables.texts.erase(ledger.tables.cards.read(card).pointee.number)
      ledger.tables.cards.remove(card)
      card = next
    }
    var hold = member.firstHold
    while hold != .none {
      let next = ledger.tables.holds.read(hold).pointee.next
      ledger.tables.holds.remove(hold)
      hold = next
    }
    var transit = member.firstTransit
    while transit != .none {
      let next = ledger.tables.transits.read(transit).pointee.next
      ledger.tables.transits.remove(transit)
      transit = next
    }
    if !member.account.program.isNone { ledger.dropAccount(member.account, of: member) }
    var account = member.nextAccount
    while account != .none {
      let record = ledger.tables.accounts.read(account).pointee
      ledger.dropAccount(record, of: member)
      ledger.tables.accounts.remove(account)
      account = record.next
    }
    let record = ledger.tables.members.read(place)
    let hash = ledger.hashes.member(ledger.memberID(record), member.tenant).finishedLow()
    ledger.tables.members.remove(place, hash)
    ledger.core.memberCount -= 1
  }
}

extension Ledger {
  /// Puts an account's lots into the table, and counts both.
  fileprivate mutating func addAccount(
    _ content: MemberContent.Account, isInline: Bool, to member: inout MemberRecord
  ) -> AccountRecord {
    var account = content.record
    (account.firstLot, account.lastLot, account.next) = (.none, .none, isInline ? .none : member.nextAccount)
    var after = Ref<LotRecord>.none
    for (place, lot) in content.lots.enumerated().reversed() {
      var own = lot.record
      (own.next, own.previous) = (after, .none)
      let ref = isInline && place == 0 ? Ref<LotRecord>.inline : tables.lots.add(own)
      if ref == .inline { member.lot = own }
      if after != .none { tables.lots.write(after).pointee.previous = ref }
      if account.lastLot == .none { account.lastLot = ref }
      after = ref
      member.lotCount &+= 1
      count(own, of: account.program, 1)
    }
    account.firstLot = after
    count(account, 1)
    return account
  }
  /// Takes an account's lots out of the table, and counts both no more.
  fileprivate mutating func dropAccount(_ account: AccountRecord, of member: MemberRecord) {
    var next = account.firstLot
    while next != .none {
      let lot = next == .inline ? member.lot : tables.lots.read(next).pointee
      count(lot, of: account.program, -1)
      if next != .inline { tables.lots.remove(next) }
      next = lot.next
    }
    count(account, -1)
  }
  private mutating func count(_ lot: LotRecord, of program: ProgramRef, _ sign: Int64) {
    let offset = catalogue.programRows[program.place].offset
    if lot.isExpired == 0, !calendar.change(lot.due(offset: offset), by: sign) { fail(.records) }
    countRareLots(
      program, pending: lot.isPending ? Int128(sign) * Int128(lot.available.rawValue) : 0,
      activityLots: lot.name.isActivity ? sign : 0)
  }
  private mutating func count(_ account: AccountRecord, _ sign: Int) {
    let balance = Int128(account.available.rawValue) + Int128(account.held.rawValue) - Int128(account.debt.rawValue)
    let program = tables.programs.write(Ref(place: account.program.place))
    core.add(Int128(sign) * balance, to: &program.pointee.balances)
    program.pointee.accounts &+= UInt64(bitPattern: Int64(sign))
    core.accountCount &+= UInt64(bitPattern: Int64(sign))
  }
}
