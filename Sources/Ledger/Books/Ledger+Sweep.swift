import Base

// Whether points have ended or a hold has run out is decided by the stamp of whoever looks (`touch`); the sweep only books
// what nobody has looked at, in bounded steps.

extension Ledger {
  /// One tick's work: releases holds that are due, then ends lots that are due, member by member from where the last
  /// tick stopped. The next tick goes on, as long as `nextDeadline` lies in the past.
  mutating func sweep() {
    var work = limits.tickWork
    if core.hasOverdue { dropOverdue(atMost: limits.tickWork / 8) }
    while work > 0, holdQueue.count > 0 {
      let top = holdQueue.read(0).pointee
      guard top.deadline <= now else { break }
      if isOpen(top) { lapseHold(top.id) } else { popDeadline() }
      work -= 16
    }
    while work > 0, let first = calendar.first, first <= now {
      if core.sweepCursor >= UInt64(members.count) { core.sweepCursor = 0 }
      guard members.count > 0 else { return }
      work -= 1 + 8 * endDueLots(ofMember: UInt32(core.sweepCursor))
      core.sweepCursor += 1
    }
  }
  private mutating func endDueLots(ofMember number: UInt32) -> Int {
    let member = members.read(Int(number))
    // Looked at before it is written: a sweep copies no page that it does not change.
    var isDue = false
    forEachAccount(member) { account in
      var next = account.pointee.firstLot
      while next != 0 {
        let lot = lot(member, next)
        if lot.pointee.expiresAt > now { break }
        if lot.pointee.isExpired == 0 { isDue = true }
        next = lot.pointee.next
      }
    }
    guard isDue else { return 0 }
    var ended = 0
    for program in 0..<catalogue.programCount where account(member, program) != nil {
      if let holder = holder(number, program, create: false) { ended += endDueLots(holder) }
    }
    return ended
  }

  // MARK: The queue of hold deadlines, a binary heap

  private func isOpen(_ entry: HoldDeadline) -> Bool { holds.read(Int(entry.hold - 1)).pointee.id == entry.id }

  mutating func pushDeadline(_ entry: HoldDeadline) {
    var at = holdQueue.append(entry)
    while at > 0 {
      let parent = (at - 1) / 2
      let above = holdQueue.read(parent).pointee
      guard entry.isBefore(above) else { break }
      holdQueue[at] = above
      at = parent
    }
    holdQueue[at] = entry
  }
  private mutating func popDeadline() {
    let last = holdQueue.read(holdQueue.count - 1).pointee
    holdQueue.removeLast()
    let count = holdQueue.count
    guard count > 0 else { return }
    var at = 0
    while true {
      var child = 2 * at + 1
      guard child < count else { break }
      if child + 1 < count, holdQueue.read(child + 1).pointee.isBefore(holdQueue.read(child).pointee) { child += 1 }
      let below = holdQueue.read(child).pointee
      guard below.isBefore(last) else { break }
      holdQueue[at] = below
      at = child
    }
    holdQueue[at] = last
  }
  /// Keeps the front of the queue an open hold, so that it is a deadline worth waking up for.
  ///
  /// In bounded steps: of those left there a tick comes too many.
  mutating func dropStaleDeadlines() {
    for _ in 0..<Ledger.dropsAnEntry {
      guard holdQueue.count > 0, !isOpen(holdQueue.read(0).pointee) else { return }
      popDeadline()
    }
  }

  // MARK: What has outlived its retention

  /// It leaves as fast as it came, and no step takes long: some as an entry begins, and with each command twice what a
  /// command leaves behind. What nobody's commands take along goes with ticks.
  static var dropsAnEntry: Int { 64 }
  static var dropsACommand: Int { 2 }

  mutating func dropOverdue(atMost limit: Int) {
    dropOldRequests(atMost: limit)
    let areTransactions = retireTransactions(atMost: limit)
    let areLapsed = dropOldLapsed(atMost: limit)
    core.hasOverdue =
      areTransactions || areLapsed || !dedupe.isEmpty && dedupeMarks.isExpired(dedupe.first)
  }
  /// When something is to be forgotten next.
  var overdue: Stamp? {
    if core.hasOverdue { return core.lastStamp }
    let ends = [dedupeMarks.nextEnd(retention: retention), nextRetirement]
    return ends.compactMap { $0 }.min()
  }
}
