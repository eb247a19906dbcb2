import Base
import Vocabulary

extension Ledger {
  /// `EXTEND`: moves the end of a member's lots that end before a moment (R3). Held points go along, pending ones and those that end with the
  /// member's activity stay (A18).
  mutating func extend(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    try checkProgramme()
    let number = try changed(call)
    if core.semantics >= Semantics.checked { try checkOpen(number) }
    let program = try program(call.text(.program), .none, call.tenant)
    try checkOpen(number)
    let zone = catalogue.programRows[program.place].offset
    let until = Entries.moment(call.number(.until) ?? 0, zone: zone)
    guard until > now, until < CivilTime.latest else {
      throw .refused(.limit("until", "until= must be a moment to come"))
    }
    let holder = holder(number, program, create: false)
    if let holder { touch(holder) }
    let moved = holder.map { extendLots($0, until: until) } ?? (lots: 0, points: 0)
    let start = reply.buffer.count
    reply.record()
    if let holder, moved.lots > 0 {
      reply.field(
        .tx, bookExtension(holder, moved.points, until, reason: call.text(.reason), request: call.request))
    }
    reply.field(.member, call.party)
    catalogue.withProgramName(program) { reply.field(.program, $0) }
    reply.field(named: "lots", Int64(moved.lots))
    reply.field(.points, moved.points)
    keepAnswer(call, reply, from: start)
    return .replied
  }

  /// O(lots × the takes of the member's open holds).
  mutating func extendLots(_ holder: Holder, until: Stamp) -> (lots: Int, points: Points) {
    var names: [LotName] = []
    var points = Points.zero
    var number = holder.account.pointee.firstLot
    while number != .none {
      let record = lot(holder, number).pointee
      if record.expiresAt < until, record.isExpired == 0, !record.isPending, !record.name.isActivity {
        names.append(record.name)
        core.add(record.available + record.held, to: &points)
      }
      number = record.next
    }
    for name in names {
      moveTakes(ofHolds: holder, name, to: until)
      move(holder, findLot(holder, name), to: until)
      let key = extensionKey(holder.program, name.expiresAt)
      count(until.microseconds - counter(holder.number, key), of: holder.number, key)
    }
    return (names.count, points)
  }
  /// What open holds have taken from a lot, they have taken from it wherever it ends.
  private mutating func moveTakes(ofHolds holder: Holder, _ name: LotName, to expiresAt: Stamp) {
    var hold = holder.member.pointee.firstHold
    while hold != .none {
      let record = tables.holds.read(hold).pointee
      hold = record.next
      guard let place = findTransaction(record.id),
        tables.transactions.read(place).pointee.program == holder.program
      else { continue }
      var take = tables.transactions.read(place).pointee.firstTake
      while take != .none {
        let old = tables.takes.read(take).pointee
        if old.lot.isSame(name) {
          var new = old
          new.lot.expiresAt = expiresAt
          for (one, sign) in [(old, -1), (new, 1)] as [(TakeRecord, Int64)] {
            core.digest.add(takeKey(record.id, one), DigestField.takePoints, sign * one.points.rawValue)
            core.digest.add(takeKey(record.id, one), DigestField.takeReturned, sign * one.returned.rawValue)
          }
          tables.takes.write(take).pointee = new
        }
        take = old.next
      }
    }
  }
  mutating func bookExtension(
    _ holder: Holder, _ points: Points, _ until: Stamp, reason: Bytes, request: Bytes
  ) -> TransactionID {
    var record = nextRecord(.extend, of: holder)
    record.amount = points
    record.expires = until
    record.other = reason
    record.request = request
    book(holder, &record, points: points)
    return record.tx
  }
}
