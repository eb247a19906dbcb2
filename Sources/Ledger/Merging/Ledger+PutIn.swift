import Base
import Vocabulary

// INTO's side of a merge: what is kept free for it, and what comes.
extension Ledger {
  /// What is kept free at a member for one that is being merged into it.
  func reservedRoom(_ member: UnsafePointer<MemberRecord>) -> MergeRoom? {
    guard member.pointee.hasBonds else { return nil }
    var next = tables.files.read(member.pointee.file).pointee.firstBond
    while next != .none {
      let bond = tables.details.bonds.read(next).pointee
      if bond.kind == BondRecord.Kind.receiving.rawValue { return MergeRoom(kept: text(ofBond: next)) }
      next = bond.next
    }
    return nil
  }
  /// Whether what is to be in an account leaves room for what comes.
  @inline(never) func hasRoomBesideMerge(
    _ member: UnsafePointer<MemberRecord>, _ program: ProgramRef, _ points: Points
  ) -> Bool {
    let coming = reservedRoom(member)?.accounts.first { $0.program == program }?.points ?? 0
    return points <= Ledger.largestBalance - coming
  }
  /// A member that another is being merged into is not closed, erased or merged itself meanwhile.
  func checkNotReceiving(_ member: Ref<MemberRecord>) throws(Stop) {
    guard bond(.receiving, of: member) == nil else {
      throw .refused(Refusal(.busy, "another member is being merged into this one"))
    }
  }

  /// Takes a part in. Returns what the holds in it are here: pairs of numbers.
  mutating func putIn(_ items: [MergeItem], _ member: Ref<MemberRecord>, _ head: MergeHead) -> [UInt8] {
    var twins = ByteBuffer(capacity: 64)
    var run: [MergeItem] = []
    var program = ProgramRef.none
    for item in items {
      switch item {
      case .program(let next):
        put(run, member, program, head, &twins)
        (run, program) = ([], next)
      case .lot, .pending, .hold, .debt: run.append(item)
      case .counter(let key, let value): carry(value, of: key, to: member)
      case .card(let state, let text): putCard(text, state, of: member)
      case .tier(let bytes): carryTier(bytes, to: member)
      }
    }
    put(run, member, program, head, &twins)
    return twins.array
  }
  private mutating func put(
    _ items: [MergeItem], _ member: Ref<MemberRecord>, _ program: ProgramRef, _ head: MergeHead,
    _ twins: inout ByteBuffer
  ) {
    guard !items.isEmpty, catalogue.has(program), let holder = holder(member, program, create: true) else { return }
    touch(holder)
    let before = holder.account.pointee.balance
    var (moved, debt) = (Points.zero, Points.zero)
    for item in items {
      switch item {
      case .lot(let lot): put(lot, isPending: false, holder)
      case .pending(let lot): put(lot, isPending: true, holder)
      case .hold(let hold):
        twins.append(hold.id.rawValue)
        twins.append(put(hold, holder, head).rawValue)
      case .debt(let more): core.add(more, to: &debt)
      default: break
      }
      core.add(item.points, to: &moved)
    }
    take(debt: debt, holder)
    head.from.withUnsafeBytes { from in
      var record = nextRecord(.mergeIn, of: holder)
      record.points = holder.account.pointee.balance - before
      record.amount = moved
      record.other = from
      record.of = head.merge
      detailBuffer.removeAll()
      if debt > 0, core.semantics >= Semantics.service { detailBuffer.append(zigzag: debt.rawValue) }
      record.answer = detailBuffer.bytes
      book(holder, &record, points: moved, link: head.merge)
    }
    activateDueLots(holder)
    endDueLots(holder)
  }
  /// A lot as it was. One that ends with its holder's activity follows INTO's, which may be the later.
  private mutating func put(_ moved: MovedLot, isPending: Bool, _ holder: Holder) {
    var name = moved.name
    if name.isActivity {
      let own = present(holder, name)
      if own.isActivity, own.expiresAt > name.expiresAt { name.expiresAt = own.expiresAt }
    }
    let known = findLot(holder, name)
    let isPending = known == .none ? isPending : lot(holder, known).pointee.isPending
    if known != .none, name.isActivity, lot(holder, known).pointee.expiresAt < name.expiresAt {
      move(holder, known, to: name.expiresAt)
    }
    post(moved.points, holder.program, from: .betweenShards, to: isPending ? .pending : .members)
    if isPending {
      creditPending(holder, name, moved.earnedAt, moved.points)
    } else {
      credit(holder, name, moved.earnedAt, moved.points)
    }
  }
  /// A hold with what it took: a hold of INTO's from now on.
  private mutating func put(_ moved: MovedHold, _ holder: Holder, _ head: MergeHead) -> TransactionID {
    var record = nextRecord(.hold, of: holder)
    var chain = Ref<TakeRecord>.none
    for take in moved.takes.reversed() {
      var number = findLot(holder, take.name)
      if number == .none { number = openLot(holder, take.name, take.earnedAt) }
      adjustLot(holder, lot(holder, number), issued: take.points, held: take.points)
      chain = addTake(
        TakeRecord(lot(holder, number).pointee.name, earnedAt: take.earnedAt, points: take.points, next: chain),
        record.tx)
    }
    let points = moved.points
    adjust(holder, held: points)
    post(points, holder.program, from: .betweenShards, to: .members)
    let hold = openHold(holder, record.tx, moved.deadline)
    record.merchant = moved.merchant
    record.amount = points
    record.expires = moved.deadline
    record.of = moved.id
    book(
      holder, &record, points: points, takes: chain, state: TransactionRecord.open, hold: hold,
      deadline: moved.deadline)
    return record.tx
  }
  /// What FROM owes is repaid from what is available here; the rest is owed on.
  private mutating func take(debt: Points, _ holder: Holder) {
    guard debt > 0 else { return }
    let part = min(debt, holder.account.pointee.available)
    if part > 0 { _ = take(holder, part, .reverse, of: .none) }
    adjust(holder, debt: debt - part)
    post(debt, holder.program, from: .members, to: .betweenShards)
  }
  /// What was counted of both is one figure; of what tells a day or a moment the later stands.
  private mutating func carry(_ value: Int64, of key: CounterKey, to member: Ref<MemberRecord>) {
    switch CounterKey.Kind(rawValue: key.kind) {
    case .activity, .purchase, .streak, .extended:
      let own = counter(member, key)
      if value > own { count(value &- own, of: member, key) }
    case .birthday, .tierSince:
      let own = counter(member, key)
      if value > own { count(value &- own, of: member, key) }
    case .welcomed:
      let own = counter(member, key)
      count((own | value) &- own, of: member, key)
    // It comes as what it is: see `carryTier`.
    case .tier: break
    case .pooled:
      let program = ProgramRef(place: Int(key.subject))
      if catalogue.has(program) { countPooled(value, of: member, program, on: key.start) }
    case .sent, .earned, .ruled, .visits, .qualifying, .unqualified, .campaign, nil: count(value, of: member, key)
    }
  }
  private mutating func putCard(_ text: [UInt8], _ state: CardState, of member: Ref<MemberRecord>) {
    let key = Array(text.prefix { $0 != CardRecord.divider })
    key.withUnsafeBytes { key in
      if let own = findCard(of: member, key) { return setCard(own, of: member, state) }
      putCard(text, of: member)
      if AliasKey.isCard(key) { tables.members.write(member).pointee.cardCount &+= 1 }
      if state != .active, let own = findCard(of: member, key) { setCard(own, of: member, state) }
    }
  }
  /// The higher tier stays (R23): what `tierToCarry` said of FROM, at INTO. What both qualified by is one figure by now.
  private mutating func carryTier(_ bytes: [UInt8], to member: Ref<MemberRecord>) {
    var tiers: [(program: ProgramRef, standing: TierStanding)] = []
    bytes.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      while let place = try? reader.read(UInt32.self), let packed = try? reader.read(Int64.self) {
        if let standing = TierStanding(packed: packed) { tiers.append((ProgramRef(place: Int(place)), standing)) }
      }
    }
    for (program, theirs) in tiers where catalogue.has(program) {
      guard let holder = holder(member, program, create: true) else { continue }
      settleTiers(holder, leaving: 0)
      guard var walk = tierWalk(member, program) else { continue }
      walk.raise(to: theirs.tier, at: now)
      walk.take(counter(member, qualifyingKey(program, walk.period.start)), of: walk.period, at: now)
      keep(walk, holder)
    }
  }
}
