import Base
import Ledger
import Raft

// What is committed is applied here, and answered.
extension Replica {
  /// Applies what is committed, as far as this turn may.
  func applyBacklog() {
    guard hasBacklog, applyAllowance > 0 else { return }
    while hasBacklog && applyAllowance > 0 {
      let entry = backlog[nextToApply]
      nextToApply += 1
      applyAllowance -= entry.payload.count + Replica.entryCost
      unappliedBytes = max(0, unappliedBytes - entry.payload.count)
      apply(entry)
      if hasTrapped { return }
    }
    if !hasUnapplied { dropBacklog() }
    raft.applied(through: machine.lastIndex)
  }
  func dropBacklog() {
    backlog.removeAll()
    nextToApply = 0
  }
  /// What an entry costs beside its bytes.
  private static let entryCost = 64

  func apply(_ entry: LogEntry) {
    switch entry.kind {
    case .noop:
      machine.skip(entry.index)
    case .configuration:
      machine.skip(entry.index)
      outbox.configurationChanged = true
    case .command:
      var proposal: Proposal?
      while let first = proposals.first, first.index <= entry.index {
        let candidate = proposals.removeFirst()
        if candidate.index == entry.index && candidate.term == entry.term { proposal = candidate }
      }
      // Queries that came before this entry was proposed see nothing of it.
      if !readRounds.isEmpty { evaluateReadRounds() }
      note?.begin(shard, entry.index, entry.term, place: 0)
      if let observer, observer.traps(at: entry, ReplicaView(replica: self)) {
        hasTrapped = true
        return
      }
      entry.payload.withUnsafeBytes { applyCommands($0, entry.index, proposal) }
      note?.end(shard)
      passSuspect(through: entry.index)
      if !isLeader { bytesSinceSnapshot += entry.payload.count }
    }
    observer?.applied(entry, ReplicaView(replica: self))
  }

  func applyCommands(_ payload: UnsafeRawBufferPointer, _ index: LogIndex, _ proposal: Proposal?) {
    if let proposed = EntryHeader.proposalTime(of: payload) { present = max(present, proposed) }
    if let proposal, !proposal.reads.isEmpty {
      applyWithReads(payload, index, proposal)
    } else {
      reply.buffer.removeAll()
      let origins = proposal?.origins ?? []
      reply.isDiscarded = proposal == nil && waiters.isEmpty
      defer { reply.isDiscarded = false }
      machine.apply(payload: payload, index: index, into: &reply) { place, outcome, start, reply in
        let origin = place < origins.count ? origins[place] : .nobody
        conclude(outcome, origin, &reply, from: start)
        reply.buffer.removeAll()
        note?.reach(shard, place: place + 1)
      }
    }
    if let fault = machine.fault {
      quarantine(
        "entry \(index.rawValue) broke it: \(fault)",
        advice: "every replica stops at that entry: keep the data directories, and report it")
    }
    machine.takeOutputs(into: &outbox, leading: isLeader)
  }

  /// One command at a time, with each query evaluated at its place between them.
  func applyWithReads(_ payload: UnsafeRawBufferPointer, _ index: LogIndex, _ proposal: Proposal) {
    do {
      var reader = ByteReader(payload)
      machine.beginEntry(try EntryHeader(decoding: &reader), index: index)
      var place = 0
      var nextRead = 0
      while !reader.isAtEnd {
        nextRead = evaluate(proposal, from: nextRead, at: place)
        let envelope = try Envelope.next(&reader)
        applyReply.buffer.removeAll()
        let outcome = machine.apply(envelope, into: &applyReply)
        // What it broke has no outcome, and nothing behind it.
        guard machine.fault == nil else { return machine.endEntry() }
        let origin = place < proposal.origins.count ? proposal.origins[place] : .nobody
        conclude(outcome, origin, &applyReply, from: 0)
        place += 1
        note?.reach(shard, place: place)
      }
      _ = evaluate(proposal, from: nextRead, at: .max)
      machine.endEntry()
    } catch {
      quarantine("entry \(index.rawValue), which was proposed here, cannot be read: \(error)")
    }
  }

  /// Sees to it that whoever waits for a command hears what became of it. Its reply stands in `reply` from `start` on.
  @inline(__always)
  func conclude(_ outcome: Outcome, _ origin: Origin, _ reply: inout ReplyWriter, from start: Int) {
    switch outcome {
    case .replied:
      if !origin.isNobody {
        outbox.result(shard, origin, UnsafeRawBufferPointer(rebasing: reply.buffer.bytes[start...]))
      }
    case .repeated(let position):
      if !origin.isNobody { outbox.repeats.append((origin, position)) }
    case .pending(let transaction):
      if !origin.isNobody { waiters[transaction, default: []].append(origin) }
    case .completed(let transaction):
      let bytes = UnsafeRawBufferPointer(rebasing: reply.buffer.bytes[start...])
      for waiter in waiters.removeValue(forKey: transaction) ?? [] { outbox.result(shard, waiter, bytes) }
    case .factsWanted:
      guard !origin.isNobody else { return }
      reply.factsWanted()
      outbox.result(shard, origin, UnsafeRawBufferPointer(rebasing: reply.buffer.bytes[start...]))
    case .silent:
      guard !origin.isNobody else { return }
      reply.ok()
      outbox.result(shard, origin, UnsafeRawBufferPointer(rebasing: reply.buffer.bytes[start...]))
    }
  }

  /// Evaluates the queries of a proposal whose place is `position` or before. Returns the next query's number.
  func evaluate(_ proposal: Proposal, from first: Int, at position: Int) -> Int {
    var next = first
    proposal.queries.withUnsafeBytes { queries in
      while next < proposal.reads.count && proposal.reads[next].position <= position {
        let read = proposal.reads[next]
        evaluate(UnsafeRawBufferPointer(rebasing: queries[read.offset..<read.offset + read.length]), read.origin)
        next += 1
      }
    }
    return next
  }

  func evaluate(_ query: UnsafeRawBufferPointer, _ origin: Origin) {
    reply.buffer.removeAll()
    guard outbox.listedBytes < ReplicaOutbox.mostListedBytes else {
      reply.error(.busy, Replica.tooManyLists)
      outbox.result(shard, origin, reply.buffer.bytes)
      return
    }
    note?.setQuery(shard, true)
    defer { note?.setQuery(shard, false) }
    switch machine.read(query, into: &reply) {
    case .replied:
      if shard == .directory { outbox.listedBytes += reply.buffer.count }
      outbox.result(shard, origin, reply.buffer.bytes)
    case .journal(let walk): outbox.queries.append((origin, walk))
    }
  }

  static let tooManyLists = "too many lists are asked for at once; nothing was done"

  func evaluateReadRounds() {
    guard !readRounds.isEmpty else { return }
    let applied = machine.lastIndex
    var kept: [ReadRound] = []
    for round in readRounds {
      // A round that rides on a proposal (context 0) waits for that entry to be committed, which is when `apply` calls.
      let rides = round.context == 0
      guard let index = round.index, index <= applied, !rides || raft.commitIndex > index else {
        kept.append(round)
        continue
      }
      if !rides { observer?.readEnds(ReplicaView(replica: self), round: round.context) }
      round.queries.withUnsafeBytes { queries in
        for read in round.reads {
          evaluate(UnsafeRawBufferPointer(rebasing: queries[read.offset..<read.offset + read.length]), read.origin)
        }
      }
    }
    readRounds = kept
  }

  func refuseReads(_ context: UInt64) {
    for round in readRounds where round.context == context {
      for read in round.reads {
        reply.buffer.removeAll()
        reply.error(.unavailable, "leadership changed; nothing was done")
        outbox.result(shard, read.origin, reply.buffer.bytes)
      }
    }
    readRounds.removeAll { $0.context == context }
  }

  /// Takes this replica out: it applies, votes, acknowledges and answers no more, until the process starts again.
  func quarantine(
    _ reason: String, advice: String = "start this node again, and if that comes back, replace it"
  ) {
    guard quarantined == nil else { return }
    quarantined = reason
    dropBacklog()
    if wasLeader { leadershipChanged() }
    outbox.alarms.append("shard \(shard.rawValue) is quarantined here: \(reason); \(advice)")
    isDirty = true
  }
}
