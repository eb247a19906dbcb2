import Base

/// What `checkInvariants` found broken.
public struct BrokenInvariant: Error, CustomStringConvertible {
  public let description: String
}

extension Ledger {
  /// Throws the first thing broken of domain.md's "Holds after every step", and of how the records hang together.
  /// O(state): for tests.
  public func checkInvariants() throws(BrokenInvariant) {
    for kind in Ledger.recordKinds { try kind.check(self) }
    try checkSlots()
    try hold(fault == nil, "the ledger broke: \(fault ?? "")")
    let recomputed = recomputeDigest()
    try hold(recomputed == digest, "the digest kept differs from the digest of the records")
  }

  /// Each record is of a slot that the shard owns.
  private func checkSlots() throws(BrokenInvariant) {
    var foreign = 0
    for kind in Ledger.recordKinds { foreign += countForeign(kind) }
    try hold(foreign == 0, "\(foreign) records of slots that are another shard's")
  }
  private func countForeign<Kind: StateRecord>(_ kind: Kind.Type) -> Int {
    var count = 0
    Kind.forEach(in: self) { if let slot = Kind.slot(of: $0, in: self), !owns(slot) { count += 1 } }
    return count
  }

  /// The same of accounts, lots, holds and sums alone. O(members): transactions that are over cost nothing.
  public func checkBalances() throws(BrokenInvariant) {
    var balances = [Int128](repeating: 0, count: tables.programs.count)
    var accountCounts = [UInt64](repeating: 0, count: tables.programs.count)
    var lots = [(pending: Points, activity: UInt32)](repeating: (0, 0), count: tables.programs.count)
    var ends: [Stamp: Int64] = [:]
    for i in 0..<tables.members.count {
      let number = Ref<MemberRecord>(place: i)
      let member = tables.members.read(number)
      guard member.pointee.isUsed else { continue }
      var failure: BrokenInvariant?
      var lotCount = 0
      forEachAccount(member) { account in
        do throws(BrokenInvariant) {
          try check(account, member, &lotCount, &ends, &lots[account.pointee.program.place])
        } catch { failure = error }
        balances[account.pointee.program.place] += Int128(account.pointee.balance.rawValue)
        accountCounts[account.pointee.program.place] += 1
      }
      if let failure { throw failure }
      try hold(
        lotCount == Int(member.pointee.lotCount), "member \(i) counts \(member.pointee.lotCount) lots of \(lotCount)")
      try checkHolds(number, member)
      if member.pointee.state == MemberState.closed.rawValue {
        var left = Points.zero
        forEachAccount(member) { left += $0.pointee.available + $0.pointee.held }
        try hold(left == 0, "member \(i) is closed, and has \(left)")
      }
      try hold(
        findMember(memberID(member), tenant: member.pointee.tenant) == number,
        "member \(i) is not found by its id")
    }
    let rows = auditFigures()
    let moving = openBooks()
    for (i, row) in rows.programs.enumerated() {
      try hold(balances[i] == row[.members], "program \(i): members have \(balances[i]), the sum says \(row[.members])")
      try hold(row.posted == row[.members], "program \(i): members have \(row[.members]), posted were \(row.posted)")
      let program = rareLots(ProgramRef(place: i))
      try hold(
        program.pending == Int128(lots[i].pending.rawValue) && row.postedPending == program.pending,
        "program \(i): pending are \(lots[i].pending), counted \(program.pending), posted \(row.postedPending)")
      try hold(
        program.activityLots == UInt64(lots[i].activity), "program \(i): \(lots[i].activity) lots end with activity")
      try hold(row.sum == 0, "program \(i): the accounts' sum is \(row.sum)")
      for code in AccountCode.allCases where code.isNeverNegative && (!core.hasMovedSlots || code == .inTransit) {
        let book = moving.first { $0.program.place == i }
        let away = code == .inTransit ? (book?.members ?? 0) + (book?.pending ?? 0) : 0
        try hold(row[code] - away >= 0, "program \(i): \(code) is \(row[code])")
      }
      try hold(
        accountCounts[i] == tables.programs.read(Ref(place: i)).pointee.accounts,
        "program \(i): accounts are miscounted")
    }
    let inTransit = rows.programs.reduce(Int128(0)) { $0 + $1[.inTransit] }
    try hold(inTransit == rows.openDeliveries, "in transit \(inTransit), open deliveries \(rows.openDeliveries)")
    try hold(calendar.rows.count == ends.count, "the calendar has \(calendar.rows.count) ends of \(ends.count)")
    for row in calendar.rows {
      try hold(ends[row.expiresAt] == row.lots, "the calendar counts \(row.lots) of \(ends[row.expiresAt] ?? 0) lots")
    }
  }
  private func hold(_ condition: Bool, _ text: @autoclosure () -> String) throws(BrokenInvariant) {
    if !condition { throw BrokenInvariant(description: text()) }
  }

  private func check(
    _ account: UnsafePointer<AccountRecord>, _ member: UnsafePointer<MemberRecord>, _ lotCount: inout Int,
    _ ends: inout [Stamp: Int64], _ lots: inout (pending: Points, activity: UInt32)
  ) throws(BrokenInvariant) {
    let a = account.pointee
    var (available, held) = (Points.zero, Points.zero)
    var next = a.firstLot
    var previous: LotRecord?
    var last = Ref<LotRecord>.none
    while next != .none {
      let lot = lot(member, next).pointee
      let parts = lot.available + lot.held + lot.consumed + lot.reversed + lot.expired
      try hold(lot.issued == parts, "a lot issued \(lot.issued), its parts are \(parts)")
      let figures = [lot.issued, lot.available, lot.held, lot.consumed, lot.reversed, lot.expired]
      try hold(figures.allSatisfy { $0 >= 0 }, "a lot with a negative figure: \(figures)")
      try hold(lot.available + lot.held > 0, "an empty lot")
      try hold(lot.isExpired == 0 || (lot.available == 0 && lot.expiresAt <= now), "an ended lot with points")
      try hold(!lot.isPending || lot.held == 0 && lot.isExpired == 0, "a pending lot that is held, or has ended")
      if lot.isPending { lots.pending += lot.available }
      if lot.name.isActivity { lots.activity += 1 }
      try hold(lot.previous == last, "a lot's list is broken")
      if let previous {
        let isOrdered =
          previous.expiresAt < lot.expiresAt
          || (previous.expiresAt == lot.expiresAt && previous.earnedAt <= lot.earnedAt)
        try hold(isOrdered, "lots out of order")
        try hold(previous.name != lot.name, "one lot twice")
      }
      let due = lot.due(offset: catalogue.programRows[a.program.place].offset)
      if lot.isExpired == 0 && due != .never { ends[due, default: 0] += 1 }
      if !lot.isPending { available += lot.available }
      held += lot.held
      lotCount += 1
      previous = lot
      last = next
      next = lot.next
    }
    try hold(last == a.lastLot, "an account's last lot")
    try hold(available == a.available && available >= 0, "available \(a.available), in lots \(available)")
    try hold(held == a.held && held >= 0, "held \(a.held), in lots \(held)")
    try hold(a.debt >= 0 && (a.debt == 0 || a.available == 0), "debt \(a.debt) with \(a.available) available")
    let away = transit(member, a.program)?.pointee.points ?? 0
    try hold(
      a.available + a.held + away <= Ledger.largestBalance && a.debt <= Ledger.largestBalance,
      "an account over its bound: \(a.available) available, \(a.held) held, \(away) away, \(a.debt) owed")
  }

  private func checkHolds(_ number: Ref<MemberRecord>, _ member: UnsafePointer<MemberRecord>) throws(BrokenInvariant) {
    var held: [ProgramRef: Points] = [:]
    var next = member.pointee.firstHold
    var (count, last, deadline) = (0, Ref<HoldRecord>.none, Stamp.zero)
    while next != .none {
      let record = tables.holds.read(next).pointee
      try hold(record.deadline >= deadline, "holds out of the order of their deadlines")
      try hold(last == .none || record.previous == last, "a hold's list is broken")
      (count, last, deadline) = (count + 1, next, record.deadline)
      guard let place = findTransaction(record.id) else { throw BrokenInvariant(description: "an unknown hold") }
      let t = tables.transactions.read(place).pointee
      try hold(
        t.state == TransactionRecord.open && t.hold == next && t.member == number && record.member == number,
        "a hold that is not its transaction's")
      var taken = Points.zero
      var take = t.firstTake
      while take != .none {
        taken += tables.takes.read(take).pointee.points
        take = tables.takes.read(take).pointee.next
      }
      try hold(taken == t.points, "a hold of \(t.points) took \(taken)")
      held[t.program, default: 0] += t.points
      next = record.next
    }
    try hold(count == holdCount(member), "\(count) holds are counted as \(holdCount(member))")
    try hold(
      count == 0 || tables.holds.read(member.pointee.firstHold).pointee.previous == last, "a hold's list has no end")
    for program in catalogue.programRefs {
      let account = account(member, program)?.pointee.held ?? 0
      try hold(account == held[program] ?? 0, "held \(account), by open holds \(held[program] ?? 0)")
    }
  }

  /// What is remembered as lapsed is in breakage, each lot once.
  func checkLapsed() throws(BrokenInvariant) {
    var sums = [Int128](repeating: 0, count: tables.programs.count)
    var count = 0
    for number in tables.lapsed.first..<tables.lapsed.end {
      let record = tables.lapsed.read(number).pointee
      try hold(record.points >= LapsedRecord.mark && record.points <= Ledger.largestBalance, "lapsed: \(record.points)")
      guard record.points > 0 else { continue }
      sums[record.program.place] += Int128(record.points.rawValue)
      count += 1
      try hold(findLapsed(record.lot) == number, "what lapsed of a lot is remembered twice, or not found")
    }
    let indexed = tables.lapsed.index.count
    try hold(count == indexed, "\(count) lots that lapsed, \(indexed) in the index")
    for program in 0..<tables.programs.count {
      let breakage = tables.programs.read(Ref(place: program)).pointee.figures[Int(AccountCode.breakage.rawValue)]
      try hold(
        core.hasMovedSlots || sums[program] <= breakage,
        "program \(program): \(sums[program]) lapsed, and \(breakage) in breakage")
    }
  }

  /// What is on its way by account is what the open transfers of the account say.
  func checkTransits() throws(BrokenInvariant) {
    struct Account: Hashable {
      var member: Ref<MemberRecord>
      var program: ProgramRef
    }
    var expected: [Account: (points: Points, lots: Int)] = [:]
    OutboxRecord.forEach(in: self) { out in
      let record = out.pointee
      guard record.kind == TransferStep.kind, let number = findTransaction(record.id) else { return }
      let t = tables.transactions.read(number).pointee
      let known = expected[Account(member: t.member, program: t.program)] ?? (0, 0)
      expected[Account(member: t.member, program: t.program)] =
        (known.points + t.points, known.lots + takeCount(t.firstTake))
    }
    var found = 0
    for i in 0..<tables.members.count {
      let number = Ref<MemberRecord>(place: i)
      guard tables.members.read(number).pointee.isUsed else { continue }
      var next = tables.members.read(number).pointee.firstTransit
      while next != .none {
        let record = tables.transits.read(next).pointee
        let own = expected[Account(member: number, program: record.program)] ?? (0, 0)
        try hold(
          own.points == record.points && own.lots == Int(record.lots),
          "member \(i): \(record.points) points of \(record.lots) lots on their way, by open transfers \(own)")
        found += 1
        next = record.next
      }
    }
    try hold(found == expected.count, "\(expected.count) accounts have something on its way, \(found) know of it")
  }

  func checkTransactions() throws(BrokenInvariant) {
    if let fault = tables.past.fault() { throw BrokenInvariant(description: fault) }
    for number in tables.transactions.first..<tables.transactions.end {
      let t = tables.transactions.read(number).pointee
      guard !t.isGone else { continue }
      try hold(t.reversedPoints >= 0 && t.reversedPoints <= t.points, "more reversed than moved")
      try hold(t.reversedSpend >= 0 && t.reversedSpend <= max(0, t.spend), "more reversed than spent")
      if case .entry = tables.past.find(t.id) { try hold(false, "a transaction in memory has an entry of the past") }
      try hold(findTransaction(t.id) == number, "a transaction is not found by its number")
      if t.state == TransactionRecord.open && t.kind == RecordKind.hold.rawValue {
        try hold(tables.holds.read(t.hold).pointee.id == t.id, "an open hold is not among the holds")
      }
    }
    for i in 1..<max(1, tables.holdQueue.count) {
      let (parent, child) = (tables.holdQueue.read((i - 1) / 2).pointee, tables.holdQueue.read(i).pointee)
      try hold(!child.isBefore(parent), "the deadlines are no heap")
    }
  }
}
