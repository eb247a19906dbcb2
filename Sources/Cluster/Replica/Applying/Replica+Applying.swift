import Base
import Ledger
import Raft

// What is committed is applied here, and answered: in steps, so that no entry holds up the node.
extension Replica {
  /// Applies what is committed, as far as this turn may.
  func applyBacklog() {
    while hasBacklog && applying.allowance > 0 {
      if !applying.isMidEntry {
        guard let entry = applying.backlog.first, knowsSemantics(of: entry) else { break }
        applying.take(entry)
        begin(entry)
      }
      if halt.hasTrapped { return }
      if applying.isMidEntry { applyStep() }
      if applying.isToPause { break }
    }
    applying.backlog.trim()
    raft.applied(through: machine.lastIndex)
    if machine.lastIndex == raft.lastIndex { applying.caughtUp() }
  }
  /// Entries through `index` are applied, or are in a snapshot that is.
  func passSuspect(through index: LogIndex) {
    if halt.passed(through: index) { note?.forget(shard) }
  }
  /// With the log as it was found.
  func countUnapplied() { applying.backlog.recount(raft.entries(after: machine.lastIndex)) }
  /// Applies the rest of an entry that is being applied, for somebody who cannot wait: an operator, a snapshot's receiver.
  func endOpenEntry() {
    guard applying.isMidEntry else { return }
    let allowance = applying.allowance
    applying.allowance = .max
    while applying.isMidEntry { applyStep() }
    applying.allowance = allowance
    raft.applied(through: machine.lastIndex)
    // Somebody waits for what came of it.
    isDirty = true
  }

  private func begin(_ entry: LogEntry) {
    switch entry.kind {
    case .noop, .configuration:
      machine.skip(entry.index)
      observer?.applied(entry, ReplicaView(replica: self))
    case .command:
      let proposal = leading.proposals.take(for: entry)
      // Queries that came before this entry was proposed see nothing of it.
      evaluateReadRounds()
      note?.begin(shard, entry.index, entry.term, place: 0)
      if let observer, observer.traps(at: entry, ReplicaView(replica: self)) {
        halt.trap()
        return
      }
      let cursor = entry.payload.withUnsafeBytes { machine.begin($0, index: entry.index) }
      note?.end(shard)
      applying.open = OpenEntry(entry: entry, cursor: cursor, proposal: proposal)
    }
  }

  /// A step of the open entry: its commands, and each query at its place between them, while the allowance lasts.
  private func applyStep() {
    guard var open = applying.open else { return }
    note?.begin(shard, open.entry.index, open.entry.term, place: open.cursor.place)
    defer { note?.end(shard) }
    reply.buffer.removeAll()
    reply.isDiscarded = open.proposal == nil && leading.waiters.isEmpty
    defer { reply.isDiscarded = false }
    var isOver = false
    repeat {
      let reads = open.proposal?.reads ?? []
      while open.nextRead < reads.count, reads[open.nextRead].position <= open.cursor.place, applying.allowance > 0 {
        evaluate(reads[open.nextRead], of: open.proposal)
        open.nextRead += 1
        applying.allowance -= 1
      }
      guard applying.allowance > 0 else { break }
      isOver = applyCommands(&open, until: open.nextRead < reads.count ? reads[open.nextRead].position : .max)
    } while !isOver && applying.allowance > 0
    guard isOver else {
      // It goes on in a later turn.
      open.keep(&outbox)
      applying.open = open
      return
    }
    let reads = open.proposal?.reads ?? []
    if machine.fault == nil {
      for read in reads[min(open.nextRead, reads.count)...] { evaluate(read, of: open.proposal) }
    }
    end(open)
  }
  private func applyCommands(_ open: inout OpenEntry, until limit: Int) -> Bool {
    let repliesTo = open.proposal?.repliesTo ?? []
    var deferred: [DeferredCommand] = []
    defer { if !deferred.isEmpty { keepDeferred(deferred, of: open.entry.payload) } }
    return open.entry.payload.withUnsafeBytes { payload in
      machine.apply(payload, from: &open.cursor, until: limit, work: &applying.allowance, into: &reply) {
        place, outcome, start, reply in
        let replyTo = place < repliesTo.count ? repliesTo[place] : .nobody
        if outcome == .deferred {
          let bytes = UnsafeRawBufferPointer(rebasing: reply.buffer.bytes[start...])
          if let deferral = try? Deferral(decoding: bytes) {
            deferred.append((place, deferral, replyTo))
          }
        } else {
          conclude(outcome, replyTo, &reply, from: start)
        }
        reply.buffer.removeAll()
        note?.reach(shard, place: place + 1)
      }
    }
  }
  private func end(_ open: OpenEntry) {
    applying.open = nil
    let entry = open.entry
    if let proposed = entry.payload.withUnsafeBytes({ EntryHeader.proposalTime(of: $0) }) {
      closed.passed(proposed)
    }
    open.release(into: &outbox)
    if let fault = machine.fault {
      quarantine(
        "entry \(entry.index.rawValue) broke it: \(fault)",
        advice: "every replica stops at that entry: keep the data directories, and report it")
    }
    machine.takeOutputs(into: &outbox, leading: isLeader)
    // Where it was proposed it counts, so that it counts once.
    let moved = machine.takeMoved()
    if open.proposal != nil {
      outbox.figures.note(moved, clock.age(of: Stamp(microseconds: EntryHeader.stamp(of: entry))))
    }
    releaseDeferred(outbox.answeredWaits)
    if !outbox.answeredWaits.isEmpty { outbox.answeredWaits.removeAll() }
    followSlots()
    passSuspect(through: entry.index)
    if !isLeader { snapshots.logged(bytes: entry.payload.count) }
    snapshots.applied(commands: open.cursor.place)
    if let cut = snapshots.cut, machine.lastStamp >= cut { freeze(at: cut) }
    observer?.applied(entry, ReplicaView(replica: self))
  }
  private func evaluate(_ read: Gather.Read, of proposal: Proposal?) {
    proposal?.queries.withUnsafeBytes {
      evaluate(UnsafeRawBufferPointer(rebasing: $0[read.offset..<read.offset + read.length]), read.replyTo)
    }
  }

  /// Sees to it that whoever waits for a command hears what became of it. Its reply stands in `reply` from `start` on.
  @inline(__always)
  func conclude(_ outcome: Outcome, _ replyTo: ReplyTo, _ reply: inout ReplyWriter, from start: Int) {
    switch outcome {
    case .moved(let slot):
      tellMoved(slot, replyTo, UnsafeRawBufferPointer(rebasing: reply.buffer.bytes[start...]))
    case .replied:
      if !replyTo.isNobody {
        outbox.result(shard, replyTo, UnsafeRawBufferPointer(rebasing: reply.buffer.bytes[start...]))
      }
    case .repeated(let position):
      if !replyTo.isNobody { outbox.repeats.append((replyTo, position)) }
    case .pending(let transaction):
      if !replyTo.isNobody { wait(replyTo, for: transaction, &reply) }
    case .completed(let transaction):
      let bytes = UnsafeRawBufferPointer(rebasing: reply.buffer.bytes[start...])
      for waiter in leading.waiters.take(transaction) { outbox.result(shard, waiter, bytes) }
    case .factsWanted:
      guard !replyTo.isNobody else { return }
      reply.factsWanted()
      outbox.result(shard, replyTo, UnsafeRawBufferPointer(rebasing: reply.buffer.bytes[start...]))
    // It is kept, with its bytes: see `keepDeferred`.
    case .deferred: break
    case .silent:
      guard !replyTo.isNobody else { return }
      reply.ok()
      outbox.result(shard, replyTo, UnsafeRawBufferPointer(rebasing: reply.buffer.bytes[start...]))
    }
  }

  /// Has a request wait for a transaction that another shard has yet to answer.
  private func wait(_ replyTo: ReplyTo, for transaction: TransactionID, _ reply: inout ReplyWriter) {
    guard let oldest = leading.waiters.add(replyTo, for: transaction) else { return }
    let start = reply.buffer.count
    reply.error(.unknown, "another repeat of this request waits for its answer; repeat it with the same id")
    outbox.result(shard, oldest, UnsafeRawBufferPointer(rebasing: reply.buffer.bytes[start...]))
  }

  func evaluate(_ query: UnsafeRawBufferPointer, _ replyTo: ReplyTo) {
    if !leading.deferred.isEmpty, deferBehind(query, replyTo, isQuery: true, wasProposed: true) { return }
    applyReply.buffer.removeAll()
    guard outbox.listedBytes < ReplicaOutbox.mostListedBytes else {
      applyReply.error(.busy, Replica.tooManyLists)
      outbox.result(shard, replyTo, applyReply.buffer.bytes)
      return
    }
    note?.setQuery(shard, true)
    defer { note?.setQuery(shard, false) }
    let outcome = machine.read(query, into: &applyReply)
    switch outcome {
    case .unsettled(let transaction) where leading.isLeading: `defer`(query: query, until: transaction, replyTo)
    case .moved(let slot): tellMoved(slot, replyTo, applyReply.buffer.bytes)
    case .replied, .unsettled:
      if shard == .directory { outbox.listedBytes += applyReply.buffer.count }
      outbox.result(shard, replyTo, applyReply.buffer.bytes)
    case .journal(let walk): outbox.queries.append((replyTo, walk))
    }
  }

  static let tooManyLists = "too many lists are asked for at once; nothing was done"

  func evaluateReadRounds() {
    guard reads.hasRounds, !applying.isMidEntry else { return }
    while let round = reads.takeReady(applied: machine.lastIndex, committed: raft.commitIndex) {
      observer?.readEnds(ReplicaView(replica: self), round: round.context)
      round.queries.withUnsafeBytes { queries in
        for read in round.reads {
          evaluate(UnsafeRawBufferPointer(rebasing: queries[read.offset..<read.offset + read.length]), read.replyTo)
        }
      }
    }
  }

  func refuseReads(_ context: UInt64) {
    for read in reads.refused(context)?.reads ?? [] {
      reply.buffer.removeAll()
      reply.error(.unavailable, "leadership changed; nothing was done")
      outbox.result(shard, read.replyTo, reply.buffer.bytes)
    }
  }

  /// Takes this replica out: it applies, votes, acknowledges and answers no more, until the process starts again.
  func quarantine(
    _ reason: String, advice: String = "start this node again, and if that comes back, replace it"
  ) {
    guard halt.quarantine(reason) else { return }
    applying.drop()
    if leading.isLeading { leadershipChanged() }
    outbox.alarms.append("shard \(shard.rawValue) is quarantined here: \(reason); \(advice)")
    isDirty = true
  }
}
