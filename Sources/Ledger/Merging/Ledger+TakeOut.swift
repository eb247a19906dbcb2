import Base
import Vocabulary

// FROM's side of a merge: what it needs at INTO, and what leaves it, all in one entry.
extension Ledger {
  func isMerging(_ member: Ref<MemberRecord>) -> Bool {
    tables.members.read(member).pointee.state == MemberState.merging.rawValue
  }
  /// What is due of all of a member's accounts is booked.
  mutating func touchAll(_ member: Ref<MemberRecord>) {
    for program in catalogue.programRefs where account(tables.members.read(member), program) != nil {
      if let holder = holder(member, program, create: false) { touch(holder) }
    }
  }
  /// What a member's lots, holds and aliases need elsewhere.
  mutating func neededRoom(_ member: Ref<MemberRecord>) -> MergeRoom {
    var room = MergeRoom()
    let record = tables.members.read(member)
    (room.lots, room.holds) = (Int(record.pointee.lotCount), holdCount(record))
    for card in movedCards(member) {
      if AliasKey.isCard(key(of: tables.cards.read(card))) { room.cards += 1 } else { room.aliases += 1 }
    }
    for program in catalogue.programRefs {
      guard account(tables.members.read(member), program) != nil,
        let holder = holder(member, program, create: false)
      else { continue }
      let account = holder.account.pointee
      room.accounts.append(
        .init(
          program: program, points: account.available + account.held + pendingPoints(holder), debt: account.debt))
    }
    return room
  }
  mutating func pendingPoints(_ holder: Holder) -> Points {
    guard hasPending(holder.program) else { return 0 }
    var sum = Points.zero
    var next = holder.account.pointee.firstLot
    while next != .none {
      let record = lot(holder, next).pointee
      if record.isPending { core.add(record.available, to: &sum) }
      next = record.next
    }
    return sum
  }

  /// Takes all that moves out of FROM. O(its lots, takes of holds, counters, cards).
  mutating func takeOut(_ member: Ref<MemberRecord>, _ head: MergeHead) -> [[UInt8]] {
    touchAll(member)
    var parts = MergeParts(head)
    for program in catalogue.programRefs {
      guard account(tables.members.read(member), program) != nil,
        let holder = holder(member, program, create: false)
      else { continue }
      settleTiers(holder, leaving: 0)
      takeOut(holder, head, &parts)
    }
    let tier = tierToCarry(of: member)
    takeCounters(member, &parts)
    for card in movedCards(member) {
      let record = tables.cards.read(card).pointee
      parts.add(
        .card(state: CardState(rawValue: record.state) ?? .active, text: Array(tables.texts.read(record.number))))
    }
    if !tier.isEmpty { parts.add(.tier(tier)) }
    return parts.finish()
  }
  private mutating func takeOut(_ holder: Holder, _ head: MergeHead, _ parts: inout MergeParts) {
    let program = holder.program
    var moved = takeHolds(holder, &parts)
    var (available, pending) = (Points.zero, Points.zero)
    var next = holder.account.pointee.firstLot
    while next != .none {
      let number = next
      let record = lot(holder, number).pointee
      next = record.next
      let points = record.available
      guard points > 0 else { continue }
      let item = MovedLot(record.name, earnedAt: record.earnedAt, points: points)
      if record.isPending {
        parts.add(.pending(item), of: program)
        adjustPending(holder, number, issued: -points, by: -points)
        core.add(points, to: &pending)
      } else {
        parts.add(.lot(item), of: program)
        adjustLot(holder, lot(holder, number), issued: -points, available: -points)
        adjust(holder, available: -points)
        core.add(points, to: &available)
      }
      closeIfEmpty(holder, number)
    }
    core.add(available, to: &moved)
    post(moved, program, from: .members, to: .inTransit)
    post(pending, program, from: .pending, to: .inTransit)
    // It stays until INTO has it: then it is repaid from there.
    let debt = holder.account.pointee.debt
    if debt > 0 { parts.add(.debt(debt), of: program) }
    if moved > 0 || pending > 0 { bookOut(holder, head, points: -moved, amount: moved + pending) }
  }
  /// What has left FROM, in its history. `points`: what its balance changes by.
  mutating func bookOut(_ holder: Holder, _ head: MergeHead, points: Points, amount: Points) {
    head.into.withUnsafeBytes { into in
      var record = nextRecord(.mergeOut, of: holder)
      (record.points, record.amount, record.other) = (points, amount, into)
      book(holder, &record, points: amount)
    }
  }
  /// The open holds of an account, with what they have taken. Returns the points.
  private mutating func takeHolds(_ holder: Holder, _ parts: inout MergeParts) -> Points {
    var all: [(hold: Ref<HoldRecord>, id: TransactionID)] = []
    var next = holder.member.pointee.firstHold
    while next != .none {
      let record = tables.holds.read(next).pointee
      all.append((next, record.id))
      next = record.next
    }
    var sum = Points.zero
    for (hold, id) in all {
      guard let place = findTransaction(id) else {
        fail(.records)
        continue
      }
      let transaction = tables.transactions.read(place).pointee
      guard transaction.program == holder.program else { continue }
      var takes: [MovedLot] = []
      var take = transaction.firstTake
      while take != .none {
        let record = tables.takes.read(take).pointee
        takes.append(MovedLot(record.lot, earnedAt: record.earnedAt, points: record.points))
        let number = findLot(holder, record.lot)
        guard number != .none else {
          fail(.records)
          break
        }
        adjustLot(holder, lot(holder, number), issued: -record.points, held: -record.points)
        closeIfEmpty(holder, number)
        take = dropTake(take, id)
      }
      adjust(holder, held: -transaction.points)
      tables.transactions.write(place).pointee.firstTake = .none
      tables.transactions.write(place).pointee.hold = .none
      setState(place, TransactionRecord.carried)
      closeHold(hold)
      parts.add(
        .hold(MovedHold(id: id, merchant: transaction.merchant, deadline: transaction.expiresAt, takes: takes)),
        of: holder.program)
      core.add(transaction.points, to: &sum)
    }
    return sum
  }
  /// Where ends of lots were moved to stays with FROM, too: its purchases name the lots as they were.
  private mutating func takeCounters(_ member: Ref<MemberRecord>, _ parts: inout MergeParts) {
    let file = tables.members.read(member).pointee.file
    guard file != .none else { return }
    var all: [(key: CounterKey, value: Int64)] = []
    var next = tables.files.read(file).pointee.firstCounter
    while next != .none {
      let counter = tables.details.counters.read(next).pointee
      all.append((counter.key, counter.value))
      next = counter.next
    }
    for (key, value) in all {
      if key.kind == CounterKey.Kind.tier.rawValue {
        if let standing = TierStanding(packed: value) { noteTierDue(standing, ProgramRef(place: Int(key.subject)), -1) }
      } else {
        if key.kind == CounterKey.Kind.pooled.rawValue {
          notePooledDue(ProgramRef(place: Int(key.subject)), key.start, -1)
        }
        parts.add(.counter(key, value))
      }
      if key.kind != CounterKey.Kind.extended.rawValue { count(0 - value, of: member, key) }
    }
  }
  /// What a member's tiers are, for `carryTier` at INTO; empty: it has none.
  func tierToCarry(of member: Ref<MemberRecord>) -> [UInt8] {
    var buffer = ByteBuffer(capacity: 64)
    for program in catalogue.programRefs {
      let packed = counter(member, CounterKey(.tier, of: UInt32(program.place), from: 0))
      guard packed > 0 else { continue }
      buffer.append(UInt32(program.place))
      buffer.append(packed)
    }
    return Array(buffer.bytes)
  }
}
