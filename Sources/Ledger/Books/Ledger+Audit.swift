import Base

extension Ledger {
  /// Writes the shard's `AUDIT` record: `shard index accounts transactions sum intransit digest members between`. `sum` is that of the
  /// programs' sums without their signs, so that two faults do not hide each other. `between` is in transit less what came
  /// from other shards, in decimal digits and as large as it is: over all shards it adds up to what is on its way. Of a shard
  /// to or from which slots moved, `slots` too: which it owns; and `moving`, while some, or its books, are on their way from it, with
  /// `owed`, in decimal digits, where members on their way owe more than they have: by so much less than nothing may be in transit.
  public func audit(into reply: inout ReplyWriter) {
    let figures = auditFigures()
    reply.record()
    reply.field(.shard, Int64(shard.rawValue))
    reply.field(.index, Int64(clamping: lastIndex.rawValue))
    reply.field(.accounts, Int64(clamping: figures.accounts))
    reply.field(.transactions, Int64(clamping: figures.transactions))
    let sum = figures.programs.reduce(UInt128(0)) { $0.saturating(adding: $1.sum.magnitude) }
    let inTransit = figures.programs.reduce(Int128(0)) { $0 &+ $1[.inTransit] }
    let between = figures.programs.reduce(inTransit) { $0 &+ $1[.betweenShards] }
    reply.field(.sum, Int64(clamping: sum))
    reply.field(.intransit, Int64(clamping: inTransit))
    reply.field(.digest, Ledger.digestText(digest))
    reply.field(.members, Int64(clamping: memberCount))
    reply.field(.between, "\(between)")
    if core.hasMovedSlots { reply.field(.slots, "\(core.ranges)") }
    if let slots = openExport?.slots {
      reply.field(.moving, slots.isEmpty ? "books" : "\(slots.lowerBound)-\(slots.upperBound - 1)")
    }
    write(moving: figures.programs.reduce(Int128(0)) { $0 &+ $1.moving }, &reply)
  }
  /// Where members who are on their way owe more than they have: by how much.
  private func write(moving: Int128, _ reply: inout ReplyWriter) {
    if moving < 0 { reply.field(named: "owed", "\(moving.magnitude)") }
  }
  /// Of one tenant what `audit` has of all. O(members): it is asked where there are several tenants.
  func writeBooks(of tenant: TenantID, _ reply: inout ReplyWriter) {
    var (accounts, members) = (UInt64(0), Int64(0))
    var (sum, inTransit, between, moving) = (UInt128(0), Int128(0), Int128(0), Int128(0))
    for (place, row) in auditFigures().programs.enumerated() where catalogue.programs[place].tenant == tenant {
      accounts &+= tables.programs.read(Ref(place: place)).pointee.accounts
      sum = sum.saturating(adding: row.sum.magnitude)
      inTransit &+= row[.inTransit]
      between &+= row[.inTransit] &+ row[.betweenShards]
      moving &+= row.moving
    }
    tables.members.forEach { _, member in if member.pointee.tenant == tenant { members += 1 } }
    reply.field(.index, Int64(clamping: lastIndex.rawValue))
    reply.field(.accounts, Int64(clamping: accounts))
    reply.field(.sum, Int64(clamping: sum))
    reply.field(.intransit, Int64(clamping: inTransit))
    reply.field(.members, members)
    reply.field(.between, "\(between)")
    write(moving: moving, &reply)
  }
  /// 32 hexadecimal digits.
  public static func digestText(_ digest: (UInt64, UInt64)) -> String {
    let digits = [digest.0, digest.1].map { half in
      let text = String(half, radix: 16)
      return String(repeating: "0", count: 16 - text.count) + text
    }
    return digits.joined()
  }

  /// The shard's figures by program. O(merchants + open deliveries + the open parcel).
  public func auditFigures() -> AuditFigures {
    var rows: [AuditFigures.Program] = []
    for i in 0..<tables.programs.count {
      var row = AuditFigures.Program(name: catalogue.programs[i].name)
      let record = tables.programs.read(Ref(place: i)).pointee
      for code in AccountCode.allCases where code.placeInPart == nil { row[code] = record.figures[Int(code.rawValue)] }
      row.posted = row[.members]
      row[.members] = record.balances
      row.postedPending = row[.pending]
      row[.pending] = rareLots(ProgramRef(place: i)).pending
      rows.append(row)
    }
    tables.parts.forEach { _, part in
      for code in AccountCode.allCases {
        if let place = code.placeInPart { rows[part.pointee.program.place][code] &+= part.pointee.figures[place] }
      }
    }
    var open: Int128 = 0
    OutboxRecord.forEach(in: self) { record in
      steps.find(record.pointee.kind)?.forEachUnderWay(record.pointee, in: self) { open &+= Int128($1.rawValue) }
    }
    for book in openBooks() {
      let moving = book.members &+ book.inTransit &+ book.pending
      open &+= moving
      if rows.indices.contains(book.program.place) { rows[book.program.place].moving &+= moving }
    }
    return AuditFigures(
      shard: shard, index: lastIndex, stamp: lastStamp, programs: rows, members: memberCount,
      accounts: core.accountCount, transactions: transactionCount, openDeliveries: open, digest: digest)
  }
}

extension UInt128 {
  fileprivate func saturating(adding other: UInt128) -> UInt128 {
    let (sum, isOver) = addingReportingOverflow(other)
    return isOver ? .max : sum
  }
}
