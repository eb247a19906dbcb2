import Base

// A member's open holds, in the order of their deadlines: the first that is due is at hand. Most live equally long, so a
// new one goes in at the end, which the first one knows.

extension Ledger {

  /// How many holds a member has open.
  func holdCount(_ member: UnsafePointer<MemberRecord>) -> Int {
    let first = member.pointee.firstHold
    return first == 0 ? 0 : Int(holds.read(Int(first - 1)).pointee.count)
  }

  /// Enters a hold. O(the member's holds that end later).
  mutating func openHold(_ holder: Holder, _ tx: TransactionID, _ deadline: Stamp) -> UInt32 {
    let first = holder.member.pointee.firstHold
    let count = holdCount(UnsafePointer(holder.member))
    let last = first == 0 ? 0 : holds.read(Int(first - 1)).pointee.previous
    var before = last
    while before != 0, holds.read(Int(before - 1)).pointee.deadline > deadline {
      before = before == first ? 0 : holds.read(Int(before - 1)).pointee.previous
    }
    let after = before == 0 ? first : holds.read(Int(before - 1)).pointee.next
    let number = addHold(HoldRecord(id: tx, deadline: deadline, member: holder.number, next: after))
    let newFirst = before == 0 ? number : first
    holds.write(Int(number - 1)).pointee.previous = before != 0 ? before : last != 0 ? last : number
    if before == 0 {
      holder.member.pointee.firstHold = number
    } else {
      holds.write(Int(before - 1)).pointee.next = number
    }
    holds.write(Int((after == 0 ? newFirst : after) - 1)).pointee.previous = number
    if first != 0 { holds.write(Int(first - 1)).pointee.count = 0 }
    holds.write(Int(newFirst - 1)).pointee.count = UInt32(count + 1)
    pushDeadline(HoldDeadline(deadline: deadline, id: tx, hold: number))
    return number
  }
  private mutating func addHold(_ record: HoldRecord) -> UInt32 {
    let number = core.freeHold
    guard number != 0 else { return UInt32(holds.append(record) + 1) }
    core.freeHold = holds.read(Int(number - 1)).pointee.next
    holds[Int(number - 1)] = record
    return number
  }

  mutating func closeHold(_ number: UInt32) {
    let record = holds.read(Int(number - 1)).pointee
    let first = members.read(Int(record.member)).pointee.firstHold
    let count = holds.read(Int(first - 1)).pointee.count
    let newFirst = number == first ? record.next : first
    if number == first {
      members.write(Int(record.member)).pointee.firstHold = newFirst
    } else {
      holds.write(Int(record.previous - 1)).pointee.next = record.next
    }
    if newFirst != 0 {
      // The one behind it; behind the last, the first, which knows the last.
      holds.write(Int((record.next == 0 ? newFirst : record.next) - 1)).pointee.previous = record.previous
      holds.write(Int(newFirst - 1)).pointee.count = count - 1
    }
    holds[Int(number - 1)] = HoldRecord(id: .none, deadline: .zero, member: 0, next: core.freeHold)
    core.freeHold = number
    dropStaleDeadlines()
  }

  /// Releases the holds of a member whose time is over at `moment`. O(those).
  mutating func releaseHolds(_ member: UInt32, dueAt moment: Stamp) {
    while core.faults.isEmpty {
      let first = members.read(Int(member)).pointee.firstHold
      guard first != 0 else { return }
      let record = holds.read(Int(first - 1)).pointee
      guard record.deadline <= moment else { return }
      lapseHold(record.id)
    }
  }
}
