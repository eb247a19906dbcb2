import Base

// Whether points have ended or a hold has run out is decided by the stamp of whoever looks (`touch`); the sweep only books
// what nobody has looked at, in bounded steps.

extension Ledger {
  /// One tick's work: releases holds that are due, then ends lots that are due, member by member from where the last
  /// tick stopped. The next tick goes on, as long as `nextDeadline` lies in the past.
  mutating func sweep() {
    var work = limits.tickWork
    if core.hasOverdue { dropOverdue(atMost: limits.tickWork / 8) }
    while work > 0, tables.holdQueue.count > 0 {
      let top = tables.holdQueue.read(0).pointee
      guard top.deadline <= now else { break }
      if isOpen(top) { lapseHold(top.id) } else { popDeadline() }
      work -= 16
    }
    // Before points end (R31).
    sweepTiers(&work)
    sweepBirthdays(&work)
    while work > 0, let first = calendar.first, first <= now {
      if core.sweepCursor >= UInt64(tables.members.count) { core.sweepCursor = 0 }
      guard tables.members.count > 0 else { return }
      work -= 1 + 8 * endDueLots(ofMember: Ref(place: Int(core.sweepCursor)))
      core.sweepCursor += 1
    }
    if core.openJobs > 0 { runJobs(&work) }
  }
  private mutating func endDueLots(ofMember number: Ref<MemberRecord>) -> Int {
    let member = tables.members.read(number)
    // Looked at before it is written: a sweep copies no page that it does not change.
    var isDue = false
    forEachAccount(member) { account in
      let hasPending = hasPending(account.pointee.program)
      let offset = catalogue.programRows[account.pointee.program.place].offset
      var next = account.pointee.firstLot
      while next != .none, !isDue {
        let lot = lot(member, next)
        if lot.pointee.expiresAt > now, !hasPending { break }
        if lot.pointee.isExpired == 0, lot.pointee.due(offset: offset) <= now { isDue = true }
        next = lot.pointee.next
      }
    }
    guard isDue else { return 0 }
    var ended = 0
    for program in catalogue.programRefs where account(member, program) != nil {
      guard let holder = holder(number, program, create: false) else { continue }
      activateDueLots(holder)
      ended += 1 + endDueLots(holder)
    }
    return ended
  }

  // MARK: The queue of hold deadlines, a binary heap

  private func isOpen(_ entry: HoldDeadline) -> Bool { tables.holds.read(entry.hold).pointee.id == entry.id }

  mutating func pushDeadline(_ entry: HoldDeadline) {
    var at = tables.holdQueue.append(entry)
    while at > 0 {
      let parent = (at - 1) / 2
      let above = tables.holdQueue.read(parent).pointee
      guard entry.isBefore(above) else { break }
      tables.holdQueue[at] = above
      at = parent
    }
    tables.holdQueue[at] = entry
  }
  private mutating func popDeadline() {
    let last = tables.holdQueue.read(tables.holdQueue.count - 1).pointee
    tables.holdQueue.removeLast()
    let count = tables.holdQueue.count
    guard count > 0 else { return }
    var at = 0
    while true {
      var child = 2 * at + 1
      guard child < count else { break }
      if child + 1 < count, tables.holdQueue.read(child + 1).pointee.isBefore(tables.holdQueue.read(child).pointee) {
        child += 1
      }
      let below = tables.holdQueue.read(child).pointee
      guard below.isBefore(last) else { break }
      tables.holdQueue[at] = below
      at = child
    }
    tables.holdQueue[at] = last
  }
  /// Keeps the front of the queue an open hold, so that it is a deadline worth waking up for.
  ///
  /// In bounded steps: of those left there a tick comes too many.
  mutating func dropStaleDeadlines() {
    for _ in 0..<Ledger.dropsAnEntry {
      guard tables.holdQueue.count > 0, !isOpen(tables.holdQueue.read(0).pointee) else { return }
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
      areTransactions || areLapsed || !tables.dedupe.isEmpty && dedupeMarks.isExpired(tables.dedupe.first)
  }
  /// When something is to be forgotten next.
  var overdue: Stamp? {
    if core.hasOverdue { return core.lastStamp }
    let ends = [dedupeMarks.nextEnd(retention: retention), nextRetirement]
    return ends.compactMap { $0 }.min()
  }
}
