import Base

extension Ledger {
  /// The digest from the records themselves. O(state): for tests and checks.
  public func recomputeDigest() -> (UInt64, UInt64) {
    var sum = DigestSum()
    for i in 0..<members.count { addMember(members.read(i), to: &sum) }
    for i in 0..<sequences.count {
      sum.add(UInt64(i), DigestField.sequence, Int64(bitPattern: sequences.read(i).pointee))
    }
    for number in transactions.first..<transactions.end { addTransaction(transactions.read(number).pointee, to: &sum) }
    past.forEach { sum.add($0.rawValue, DigestField.past, Int64(bitPattern: $1.word)) }
    for number in dedupe.first..<dedupe.end { Ledger.count(dedupe.read(number).pointee, 1, in: &sum) }
    for number in lapsed.first..<lapsed.end {
      let record = lapsed.read(number).pointee
      if record.points > 0 { sum.add(lapsedKey(record), DigestField.lapsed, record.points) }
    }
    for i in 0..<programs.count {
      let (p, key) = (programs.read(i).pointee, programKey(i))
      sum.add(key, DigestField.breakage, Int64(truncatingIfNeeded: p.breakage))
      sum.add(key, DigestField.adjustments, Int64(truncatingIfNeeded: p.adjustments))
      sum.add(key, DigestField.inTransit, Int64(truncatingIfNeeded: p.inTransit))
      sum.add(key, DigestField.betweenShards, Int64(truncatingIfNeeded: p.betweenShards))
    }
    for i in 0..<parts.count {
      let part = parts.read(i).pointee
      let key = partDigestKey(Int(part.merchant), Int(part.program))
      sum.add(key, DigestField.issues, Int64(truncatingIfNeeded: part.issues))
      sum.add(key, DigestField.redeems, Int64(truncatingIfNeeded: part.redeems))
    }
    for i in 0..<cardEntries.count {
      let entry = cardEntries.read(i)
      sum.add(entry.pointee.hash, DigestField.cardEntry, Int64(bitPattern: cardContent(entry)))
      sum.add(entry.pointee.hash, DigestField.link, Int64(bitPattern: entry.pointee.pending.rawValue))
    }
    for i in 0..<outbox.count where outbox.read(i).pointee.id != .none {
      let record = outbox.read(i)
      sum.add(record.pointee.id.rawValue, DigestField.outbox, Int64(record.pointee.kind))
    }
    for i in 0..<inbox.count where inbox.read(i).pointee.from != .none {
      let record = inbox.read(i).pointee
      sum.add(record.from.rawValue, DigestField.inbox, 1 + Int64(record.code))
    }
    return (sum.a, sum.b)
  }

  private func addMember(_ member: UnsafePointer<MemberRecord>, to sum: inout DigestSum) {
    let hash = member.pointee.hash
    sum.add(hash, DigestField.memberContent, Int64(bitPattern: memberContent(member)))
    sum.add(hash, DigestField.memberState, Int64(member.pointee.state))
    var card = member.pointee.firstCard
    while card != 0 {
      let record = cards.read(Int(card - 1)).pointee
      sum.add(cardKey(hash, texts.read(record.number)), DigestField.card, Int64(record.state))
      card = record.next
    }
    forEachAccount(member) { account in
      let key = DigestSum.mix(hash, programKey(Int(account.pointee.program)))
      sum.add(key, DigestField.available, account.pointee.available)
      sum.add(key, DigestField.held, account.pointee.held)
      sum.add(key, DigestField.debt, account.pointee.debt)
      var next = account.pointee.firstLot
      while next != 0 {
        let lot = lot(member, next).pointee
        let lotKey = DigestSum.mix(key &+ UInt64(lot.origin), UInt64(bitPattern: lot.expiresAt.microseconds))
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
  private func addTransaction(_ t: TransactionRecord, to sum: inout DigestSum) {
    let key = t.id.rawValue
    let content = contentHash(t, hash(ofMember: t.member))
    sum.add(key, DigestField.transaction, Int64(bitPattern: content))
    sum.add(key, DigestField.transactionState, Int64(t.state))
    sum.add(key, DigestField.link, Int64(bitPattern: t.link.rawValue))
    sum.add(key, DigestField.reversedPoints, t.reversedPoints)
    sum.add(key, DigestField.reversedSpend, t.reversedSpend)
    var next = t.firstTake
    while next != 0 {
      let take = takes.read(Int(next - 1)).pointee
      sum.add(takeKey(t.id, take), DigestField.takePoints, take.points)
      sum.add(takeKey(t.id, take), DigestField.takeReturned, take.returned)
      next = take.next
    }
  }
}
