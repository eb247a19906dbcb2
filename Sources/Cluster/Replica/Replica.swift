import Base
import Ledger
import Raft

/// Who waits for the answer to a command or a query: an edge (this node or a peer) and the sequence number there.
public struct ReplyTo: BitwiseCopyable, Sendable {
  /// The peer's index at this node; 0 is this node itself.
  package var edge: UInt32
  package var sequence: UInt64
  /// Nobody: a tick, a delivery, a catalogue change on its way through the shards.
  static let nobody = ReplyTo(edge: .max, sequence: 0)
  var isNobody: Bool { edge == .max }
}

struct ReplicaLimits: Sendable {
  /// See `NodeConfiguration`.
  var entryBytes = 256 << 10
  /// Bytes of entries that are proposed and not committed, over which what arrives is gathered into one more.
  var inFlightBytes = 8 << 20
  var gatherBytes = 16 << 20
  /// A leader that has more commands to apply before it may propose refuses at once what comes; and who has more is not
  /// given leadership.
  var replayPatience = 50_000
  /// The newest semantics that this node knows.
  var semantics = Semantics.newest
}

struct ReplicaCounters: Sendable {
  var deliveriesSentAgain: UInt64 = 0
}

/// One replica of one shard: its Raft group and its state machine, driven as separate steps.
///
/// As leader it *gathers*: the requests that arrive while the last entry is being written become one entry. Queries ride
/// along: each is evaluated at its own place between the commands of its entry, so that requests of one connection take
/// effect in the order sent, and the commit of the entry, proposed after the query arrived, proves leadership. Queries
/// that find nothing to ride on share a ReadIndex round (Raft §6.4).
///
/// What it keeps is in parts. Each decides over values that it is given, and gives back what came of it; none holds the
/// replica. The replica asks them, and carries from one to the other.
///
/// A replica shares nothing with others: it takes calls and fills its `outbox`, which the Node empties.
final class Replica {
  let shard: ShardID
  private(set) var machine: any Machine
  var raft: RaftGroup
  let limits: ReplicaLimits
  var outbox = ReplicaOutbox()
  /// Something has happened since the last turn.
  var isDirty: Bool {
    get { marks[shard] }
    set { marks[shard] = newValue }
  }
  /// Of the node's replicas, or its own.
  private var marks = TurnMarks()
  var clock = TurnClock()

  // As leader: what others ask of it.
  var leading = LeaderState()
  var edges = EdgeEpochs()
  var gather = Gather()
  var reads = WaitingReads()
  /// What replicas say of their states.
  var digests = DigestComparison()

  // As any replica: what is committed.
  var applying = Applying()
  var halt = Halt()
  var closed = ClosedTime()
  var snapshots = SnapshotSchedule()
  /// Where the entry that is being applied is noted.
  var note: ApplyingNote?
  var reply = ReplyWriter(capacity: 4096)
  var applyReply = ReplyWriter(capacity: 4096)

  // For the Node to set and to keep.
  var shedding = SheddingReasons()
  /// The nearest majority of voters takes longer to answer than a log takes to write.
  var isMajorityFar = false
  var leadership = LeadershipRecord()

  /// What this replica has done since it started, for tests and INFO.
  var counters = ReplicaCounters()
  var observer: (any ReplicaObserver)?

  init(
    shard: ShardID, machine: any Machine, raft: consuming RaftGroup, limits: ReplicaLimits = .init()
  ) {
    self.shard = shard
    self.machine = machine
    self.raft = raft
    self.limits = limits
    marks.makeRoom(for: shard)
    isDirty = true
    haltIfSemanticsAreUnknown()
  }
  /// It is marked among these from now on; nil: among none but itself.
  func join(_ others: TurnMarks?) {
    let wasDirty = isDirty
    isDirty = false
    marks = others ?? TurnMarks()
    marks.makeRoom(for: shard)
    isDirty = wasDirty
  }

  /// A slot that the shard owns, for commands that are addressed to the shard itself.
  var firstSlot: Slot { machine.firstSlot }
  var isLeader: Bool { raft.role == .leader && quarantined == nil }
  /// Bytes that the next turn may have to propose or to apply, as far as is known beforehand.
  var work: Int { gather.byteCount + (raft.commitIndex > machine.lastIndex ? applying.backlog.bytes : 0) }
  /// There is more to apply than one turn may do.
  var hasBacklog: Bool { applying.hasWork(halt) }
  /// So much is to be applied that who waits for it is better told.
  var isReplaying: Bool { applying.backlog.commands > limits.replayPatience }
  /// The last turn changed nothing here but the moments at which heartbeats came: what looks at all replicas of a node need not look
  /// again for its sake.
  var isStill: Bool {
    get { outbox.isStill }
    set { outbox.isStill = newValue }
  }
  /// Leads, and has applied all that earlier leaders may have committed.
  var hasTakenOver: Bool {
    // Without a call of a method of the part, for which it would be copied.
    isLeader && leading.isLeading && raft.mayLead && machine.lastIndex >= leading.foundIndex
  }

  // MARK: Requests

  /// A message of an edge's stream: `items` holds `count` items as `EdgeStream` wrote them. Refuses, and tells so in the
  /// outbox, unless this replica leads and the message is the next of its epoch.
  func receive(
    edge: UInt32, epoch: UInt32, message: UInt64, count: UInt32, items: UnsafeRawBufferPointer
  ) throws(MalformedBytes) {
    let isOpen = isLeader && leading.isLeading && raft.mayLead && raft.transferringTo == .none
    switch edges.receive(message, of: epoch, from: edge, isOpen: isOpen) {
    case .taken: break
    case .old: return
    case .refused(let first): return outbox.refusals.append((edge, epoch, first, raft.leader.node))
    }
    leading.traffic.note(count, from: edge)
    var reader = ByteReader(items)
    let isShedding = shedding.isAny
    let isReplaying = isReplaying && !hasTakenOver
    for _ in 0..<count {
      let sequence = try reader.read(UInt64.self)
      let flags = EdgeItem.Flags(rawValue: try reader.read())
      let envelope = try Envelope.next(&reader)
      let replyTo = ReplyTo(edge: edge, sequence: sequence)
      if isReplaying {
        if flags.contains(.marker) { _ = try reader.read(Int64.self) }
        refuseWhileReplaying(replyTo)
        continue
      }
      if flags.contains(.marker) {
        addMarker(envelope, at: Stamp(microseconds: try reader.read()), replyTo)
      } else if isShedding, !flags.contains(.query),
        let reason = shedding.reason({ machine.grows(by: envelope) })
      {
        shed(envelope, replyTo, because: reason)
      } else {
        add(envelope, flags, replyTo)
      }
    }
  }

  /// A peer has begun anew, or is gone: what its streams said before counts no more.
  func forget(edge: UInt32) {
    edges.forget(edge)
    leading.waiters.forget(edge: edge)
    leading.deferred.forget(edge: edge)
    // What of it comes back is not to go before what the edge sends again.
    gather.forget(edge: edge)
    leading.proposals.forget(edge: edge)
    applying.open?.proposal?.forget(edge: edge)
    if !applying.isMidEntry { releaseDeferred() }
  }

  @inline(__always)
  func add(_ envelope: UnsafeRawBufferPointer, _ flags: EdgeItem.Flags, _ replyTo: ReplyTo) {
    if !leading.deferred.isEmpty, deferBehind(envelope, replyTo, isQuery: flags.contains(.query)) { return }
    if flags.contains(.query) { return gather.add(query: envelope, for: replyTo) }
    guard gather.add(command: envelope, for: replyTo, within: limits.gatherBytes) else {
      reply.buffer.removeAll()
      reply.error(.busy, "shard \(shard.rawValue) has too much waiting; nothing was done")
      outbox.result(shard, replyTo, reply.buffer.bytes)
      return
    }
    if gather.byteCount >= limits.entryBytes { propose() }
  }

  /// A command that is not taken, unless it came before and was answered.
  private func shed(_ envelope: UnsafeRawBufferPointer, _ replyTo: ReplyTo, because reason: String) {
    reply.buffer.removeAll()
    switch machine.answered(envelope) {
    case .stands(let position): return outbox.repeats.append((replyTo, position))
    case .factsWanted: reply.factsWanted()
    case .none: reply.error(.busy, reason)
    }
    outbox.result(shard, replyTo, reply.buffer.bytes)
  }

  /// Nothing is proposed before all that was found is applied, and that takes long.
  private func refuseWhileReplaying(_ replyTo: ReplyTo) {
    reply.buffer.removeAll()
    let waiting = applying.backlog.commands
    reply.error(
      .unavailable,
      "shard \(shard.rawValue) applies what its log has first, some \(waiting) commands; nothing was done")
    outbox.result(shard, replyTo, reply.buffer.bytes)
  }

  /// A command that nobody waits for: a delivery, a tick, a catalogue change. False if this replica does not lead.
  @discardableResult
  func addInternal(_ envelope: UnsafeRawBufferPointer, after stamp: Stamp = .zero) -> Bool {
    guard isLeader, raft.mayLead, clock.isWithinReach(stamp, last: machine.lastStamp) else { return false }
    return gather.add(unasked: envelope, after: stamp, within: limits.gatherBytes + limits.entryBytes)
  }

  // MARK: Proposing

  /// Whether what was gathered is to be an entry of its own now. While a majority is near, the log is what takes long: an
  /// entry at a time gathers the most. Where it is far, an entry leaves at once: the logs take many in one write anyway.
  private var mayPropose: Bool {
    if leading.proposals.isEmpty { return true }
    return isMajorityFar && !hasBacklog && raft.uncommittedBytes < limits.inFlightBytes
  }

  func propose() {
    guard !gather.repliesTo.isEmpty, hasTakenOver else { return }
    if !leading.hasMetPausedSlots { meetPausedSlots() }
    let stamp = gather.stamp(after: max(leading.lastStamp, machine.lastStamp), clock: clock.own)
    gather.seal(at: stamp, over: clock.earliest, semantics: semantics, catalogueVersion: machine.catalogueVersion)
    do {
      let index = try raft.propose(gather.payload.array)
      leading.passed(stamp)
      snapshots.logged(bytes: gather.byteCount)
      reads.proposed(index)
      leading.proposals.append(gather.take(index, raft.term))
    } catch {
      // Not leader any more, or too much uncommitted: what was gathered stays, and `turn` decides.
    }
  }

  func startReadRound() {
    guard let context = beginRound() else { return }
    reads.begin(context, gather.reads, gather.queries.array, notBefore: raft.lastIndex)
    gather.reset()
    observer?.readBegins(ReplicaView(replica: self), round: context)
  }
  /// Asks a quorum whether this replica still leads. Nil: it is not asked, for it does not, or cannot be known to.
  /// - Parameter mayWait: nobody waits for the answer.
  private func beginRound(mayWait: Bool = false) -> UInt64? {
    let context = reads.nextContext
    do { try raft.readIndex(context: context, mayWait: mayWait) } catch { return nil }
    reads.contextUsed()
    return context
  }

  // MARK: One turn

  /// Does all that can be done now. The outbox then holds what is to be sent, written and answered; `hasBacklog` tells
  /// whether there is more to apply than `Applying.allowance` admits.
  func turn(clock: Stamp, earliest: Stamp?) {
    guard halt.goesOn else { return }
    self.clock = TurnClock(own: clock, earliest: earliest)
    if isLeader != leading.isLeading { leadershipChanged() }
    if leading.deferred.unsaid != nil { sayDeferred() }
    proposeMarkers()
    if isLeader && raft.mayLead && !gather.isEmpty && raft.transferringTo == .none {
      if gather.repliesTo.isEmpty { passDeadline() }
      if !gather.repliesTo.isEmpty {
        if mayPropose { propose() }
      } else {
        startReadRound()
      }
    }
    isStill = drainReady()
    evaluateReadRounds()
    guard isStill else { return }
    isStill = gather.isEmpty && leading.isAtRest && !hasBacklog && outbox.isOfMessages
  }

  /// False: more came of it than heartbeats of a group at rest.
  private func drainReady() -> Bool {
    var ready = raft.takeReady()
    let isOfHeartbeats = ready.isOnlyHeartbeats && (ready.isIdle || raft.role != .leader)
    if let persist = ready.persist {
      for entry in persist.entries { applying.backlog.logged(entry) }
      outbox.persist.append(persist)
    }
    if ready.roleChanged { outbox.roleChanged = true }
    if ready.isRepaired { outbox.isRepaired = true }
    if let rival = ready.rival {
      quarantine(
        "two lead it in term \(raft.term.rawValue): this node, and \(rival.hex); see that no two nodes run on"
          + " copies of one data directory")
    }
    if ready.successor != nil {
      outbox.isSucceeded = true
      raft.stepDown()
    }
    if let index = ready.lossNoticed {
      outbox.alarms.append(
        "CORRUPT shard \(shard.rawValue) lacks entries up to \(index.rawValue) that were acknowledged here: the disk lost"
          + " writes, and perhaps a vote; it counts in no majority any more; replace this node")
    }
    for message in ready.messages { outbox.messages.append(message) }
    if let observer { show(ready.messages, to: observer) }
    outbox.snapshotsNeeded.append(contentsOf: ready.snapshotNeeded)
    for state in ready.readStates {
      closed.confirmed(state.context, committed: state.index, applied: machine.lastIndex)
      reads.confirmed(state.context, at: state.index)
    }
    for context in ready.readsRefused {
      closed.refused(context)
      refuseReads(context)
    }
    applying.backlog.add(&ready.committed)
    applyBacklog()
    if isLeader != leading.isLeading { leadershipChanged() }
    return isOfHeartbeats
  }

  private func show(_ messages: [Message], to observer: any ReplicaObserver) {
    let view = ReplicaView(replica: self)
    for message in messages where message.term == raft.term && !message.reject {
      if message.kind == .voteReply || message.kind == .vote { observer.votes(view) }
      if message.kind == .appendReply { observer.acknowledges(view, through: message.index) }
    }
  }

  func leadershipChanged() {
    outbox.roleChanged = true
    guard !isLeader else {
      leading = LeaderState(found: raft.lastIndex, lastStamp: machine.lastStamp)
      leading.foundCommit = raft.commitIndex
      beginMembers()
      observer?.leads(ReplicaView(replica: self))
      return
    }
    leading = LeaderState()
    // Everything that an edge sent here is refused or in doubt.
    for (edge, epoch) in edges.close() { outbox.doubts.append((edge, epoch, raft.leader.node)) }
    closed.giveUp()
    applying.open?.proposal = nil
    reads.giveUp()
    gather.reset()
  }

  // MARK: Closed time and digests

  /// As leader, now and then: see `ClosedTime`.
  func beginClosing() {
    guard isLeader, raft.mayLead, !closed.isAsking, let earliest = clock.earliest else { return }
    guard let context = beginRound(mayWait: true) else { return }
    // What is proposed from now on is stamped later.
    leading.passed(max(clock.own, machine.lastStamp))
    closed.ask(context, at: earliest, last: raft.lastIndex)
  }
  /// A leader's word: everything up to that stamp is in the log up to that index.
  func noteClosed(_ stamp: Stamp, _ index: LogIndex) { closed.heard(stamp, index, applied: machine.lastIndex) }
  /// Nothing that was committed before this moment is missing from what is applied here: see `ClosedTime`.
  var closedTime: Stamp { closed.time(applied: machine.lastIndex) }

  // MARK: Deliveries

  /// Takes over the state of a snapshot that a peer has sent. False if it is not ahead of this replica any more.
  func restore(_ machine: any Machine, index: LogIndex, term: Term, configuration: Configuration) -> Bool {
    guard raft.wantsSnapshot(at: index), index > self.machine.lastIndex else { return false }
    self.machine = machine
    applying.drop()
    passSuspect(through: index)
    haltIfSemanticsAreUnknown()
    raft.installed(LogPosition(index: index, term: term), configuration: configuration)
    snapshots.replaced()
    countUnapplied()
    isDirty = true
    observer?.restored(ReplicaView(replica: self))
    return true
  }

  /// Sends again what other shards have not answered for a while, longer each time: see `DeliveryRetry`. Called some times
  /// a second. `interval`: between two looks; `patience`: what an answer takes when all is well (µs).
  func resendDeliveries(now: UInt64, interval: UInt64, patience: UInt64) {
    guard hasTakenOver, !applying.isMidEntry,
      let retry = leading.deliveries.next(now: now, interval: interval, patience: patience)
    else { return }
    let fresh = outbox.deliveries.count
    machine.openDeliveries(from: &leading.deliveries.places, into: &outbox)
    let open = outbox.deliveries[fresh...]
    let due = open.filter { retry.isDue(age: clock.age(of: $0.stamp)) }
    outbox.deliveries.replaceSubrange(fresh..., with: due)
    counters.deliveriesSentAgain += UInt64(due.count)
  }
  /// Who leads the other shards, or who can be reached, has changed: what was lost is sent again at once.
  func resendAllDeliveries() { leading.deliveries = DeliveryWalk() }
}
