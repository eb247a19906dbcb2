import Base
import Vocabulary

extension Ledger {
  /// Points that are given or taken by hand.
  struct Adjustment {
    var points: Points
    var isUp: Bool
    var reason: [UInt8]
    var detail: AdjustmentDetail
  }

  /// `ADJUST`: posts at once what the limit of the user covers. Its note goes to the member's notes, out of which it can be taken back.
  mutating func adjust(_ call: inout Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    try checkProgramme()
    guard let asker = call.asker else { throw .malformed("ADJUST says who asks") }
    let number = try changed(call)
    if core.semantics >= Semantics.checked { try checkOpen(number) }
    let program = try program(call.text(.program), .none, call.tenant)
    try checkOpen(number)
    guard pool(of: number) == nil else {
      throw .refused(.limit("pool", "the member's own points rest while it is in a pool; ADJUST the pool's"))
    }
    let adjustment = Adjustment(
      points: call.points ?? 0, isUp: call.number(.direction) == 0, reason: Array(call.text(.reason)),
      detail: AdjustmentDetail(by: asker.name))
    guard asker.name.isEmpty || adjustment.points.rawValue <= asker.adjustLimit else {
      return try waitForApproval(adjustment, number, program, &call, &reply)
    }
    let newest = newestNote(of: number)
    guard !call.has(.note) || newest == .none || tables.notes.read(newest).pointee.number < NoteRecord.mostOfMember
    else {
      throw .refused(.limit("notes", "the member has \(NoteRecord.mostOfMember) notes"))
    }
    guard let holder = holder(number, program, create: true) else { throw .refused(.limit("accounts")) }
    let record = try post(adjustment, holder, request: call.request)
    if call.has(.note) {
      let kind = RecordKind.adjust.word.bytes
      addNote(to: number, after: newest, kind: kind, text: call.text(.note), by: call.context.principal)
    }
    let outcome = answer(&call, record, holder, &reply)
    endDueLots(holder)
    return outcome
  }

  /// Books an adjustment. Up is a lot by the program's terms, active at once; down takes what is available by R1, and the rest
  /// becomes debt (R7). Refuses before it changes anything but what is due. The caller calls `endDueLots` once it has answered.
  mutating func post(_ adjustment: Adjustment, _ holder: Holder, request: Bytes) throws(Stop) -> JournalRecord {
    touch(holder)
    let points = adjustment.points
    var lot: LotName?
    if adjustment.isUp {
      guard hasRoom(holder, points) else { throw .refused(.limit("balance")) }
      guard lotsReserved(UnsafePointer(holder.member)) < limits.lotsPerMember else { throw .refused(.limit("lots")) }
      var terms = terms(of: holder.number, holder.program)
      terms.activateDays = 0
      let (name, _) = self.lot(for: terms, at: now, holder.program)
      post(points, holder.program, from: .adjustments, to: .members)
      credit(holder, name, now, points)
      lot = name
    } else {
      guard holder.account.pointee.debt <= Ledger.largestBalance - points else { throw .refused(.limit("balance")) }
      let part = min(points, holder.account.pointee.available)
      if part > 0 { _ = take(holder, part, .reverse, of: .none) }
      adjust(holder, debt: points - part)
      post(points, holder.program, from: .members, to: .adjustments)
    }
    var record = nextRecord(.adjust, of: holder)
    record.points = adjustment.isUp ? points : -points
    record.request = request
    detailBuffer.removeAll()
    adjustment.detail.encoded.withUnsafeBytes { detailBuffer.append($0) }
    let split = detailBuffer.count
    adjustment.reason.withUnsafeBytes { detailBuffer.append($0) }
    record.answer = Bytes(rebasing: detailBuffer.bytes[..<split])
    record.other = Bytes(rebasing: detailBuffer.bytes[split...])
    if let lot { record.lots = encodedLot(lot) }
    book(holder, &record, points: points, lot: lot)
    return record
  }
}
