import Base

// A member's open holds, in the order of their deadlines: the first that is due is at hand. Most live equally long, so a
// new one goes in at the end, which the first one knows.

extension Ledger {

  /// How many holds a member has open.
  func holdCount(_ member: UnsafePointer<MemberRecord>) -> Int {
    let first = member.pointee.firstHold
    return first == .none ? 0 : Int(tables.holds.read(first).pointee.count)
  }

  /// Enters a hold. O(the member's holds that end later).
  mutating func openHold(_ holder: Holder, _ tx: TransactionID, _ deadline: Stamp) -> Ref<HoldRecord> {
    let first = holder.member.pointee.firstHold
    let count = holdCount(UnsafePointer(holder.member))
    let last = first == .none ? .none : tables.holds.read(first).pointee.previous
    var before = last
    while before != .none, tables.holds.read(before).pointee.deadline > deadline {
      before = before == first ? .none : tables.holds.read(before).pointee.previous
    }
    let after = before == .none ? first : tables.holds.read(before).pointee.next
    let number = tables.holds.add(HoldRecord(id: tx, deadline: deadline, member: holder.number, next: after))
    let newFirst = before == .none ? number : first
    tables.holds.write(number).pointee.previous = before != .none ? before : last != .none ? last : number
    if before == .none {
      holder.member.pointee.firstHold = number
    } else {
      tables.holds.write(before).pointee.next = number
    }
    tables.holds.write(after == .none ? newFirst : after).pointee.previous = number
    if first != .none { tables.holds.write(first).pointee.count = 0 }
    tables.holds.write(newFirst).pointee.count = UInt32(count + 1)
    pushDeadline(HoldDeadline(deadline: deadline, id: tx, hold: number))
    return number
  }
  mutating func closeHold(_ number: Ref<HoldRecord>) {
    let record = tables.holds.read(number).pointee
    let first = tables.members.read(record.member).pointee.firstHold
    let count = tables.holds.read(first).pointee.count
    let newFirst = number == first ? record.next : first
    if number == first {
      tables.members.write(record.member).pointee.firstHold = newFirst
    } else {
      tables.holds.write(record.previous).pointee.next = record.next
    }
    if newFirst != .none {
      // The one behind it; behind the last, the first, which knows the last.
      tables.holds.write(record.next == .none ? newFirst : record.next).pointee.previous = record.previous
      tables.holds.write(newFirst).pointee.count = count - 1
    }
    tables.holds.remove(number)
    dropStaleDeadlines()
  }

  /// Releases the holds of a member whose time is over at `moment`. O(those).
  mutating func releaseHolds(_ member: Ref<MemberRecord>, dueAt moment: Stamp) {
    while core.faults.isEmpty {
      let first = tables.members.read(member).pointee.firstHold
      guard first != .none else { return }
      let record = tables.holds.read(first).pointee
      guard record.deadline <= moment else { return }
      lapseHold(record.id)
    }
  }
}
