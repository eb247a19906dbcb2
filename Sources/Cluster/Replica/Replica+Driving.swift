import Base
import Ledger
import Raft

/// What the Node tells a replica, and asks of it, beside requests.
extension Replica {
  var leader: NodeID { raft.leader.node }
  var term: Term { raft.term }
  var commitIndex: LogIndex { raft.commitIndex }
  /// See `Halt`.
  var quarantined: String? { halt.quarantined }
  var poison: Poison? { halt.poison }
  /// As far as this replica knows.
  var isVoter: Bool { raft.configuration.isVoter(raft.id) }
  /// It has yet to apply what it lacked as a newcomer: nobody waits for that.
  var isCatchingUp: Bool { hasBacklog && !isVoter }
  var voterCount: Int { raft.configuration.voters.count }

  /// - Parameters:
  ///   - isIdleBeat: an idle group's leader sends its heartbeats now. Else nothing comes of the tick there.
  ///   - beats: since the last tick; more than one where this replica was at rest.
  func tick(clock: Stamp, earliest: Stamp?, isIdleBeat: Bool = true, beats: Int = 1) {
    guard quarantined == nil else { return }
    self.clock = TurnClock(own: clock, earliest: earliest)
    machine.tick(clock, leading: raft.role == .leader)
    for _ in 1..<max(1, beats) { raft.tick(isIdleBeat: false) }
    let outcome = raft.tick(isIdleBeat: isIdleBeat)
    if outcome.isWaiting { isStill = false }
    guard raft.role == .leader, !outcome.isIdle || isIdleBeat || !gather.isEmpty else {
      if outcome.isReady { isDirty = true }
      return
    }
    beginClosing()
    isDirty = true
  }
  func step(_ message: Message) {
    // What comes would be kept for ever: no turn takes it on.
    guard quarantined == nil else { return }
    if halt.isFull(waiting: applying.backlog.bytes), message.kind == .append, !message.entries.isEmpty { return }
    raft.step(message)
    isDirty = true
  }
  /// A heartbeat that changes nothing at a follower at rest: the answer, for which it need take no turn. Nil: it is to be stepped.
  func answerAtRest(_ message: Message) -> Message? {
    guard isStill, !isDirty, quarantined == nil, outbox.isOfMessages else { return nil }
    return raft.answerAtRest(message)
  }
  func persisted(_ sequence: UInt64) {
    raft.persisted(sequence)
    isDirty = true
  }
  func unreachable(_ node: NodeID) {
    raft.reportUnreachable(node)
    isDirty = true
  }
  /// Whether this node may lead: see `RaftGroup.mayLead`. A leader that may not proposes nothing.
  func setMayLead(_ mayLead: Bool) {
    raft.mayLead = mayLead
    // It was begun by a clock that may have been wrong.
    if !mayLead { closed.giveUp() }
    isDirty = true
  }
  /// See `isMajorityFar`. Reads then need not share rounds either: a round costs less than the wait for the next.
  func setMajorityFar(_ isFar: Bool) {
    isMajorityFar = isFar
    raft.maxReadRounds = isFar ? Replica.farReadRounds : raft.options.maxReadRounds
  }
  private static let farReadRounds = 64
  func stepDown() {
    raft.stepDown()
    isDirty = true
  }
  func campaign() {
    raft.campaign()
    isDirty = true
  }
  func transferLeadership(to node: NodeID) {
    guard raft.transferringTo == .none else { return }
    // Refused only when it is not ours to give: then there is nothing to do.
    try? raft.transferLeadership(to: node)
    isDirty = true
  }

  /// Whether a voter lacks no more than so many bytes of the log: leadership passes to it at once, and not after a wait in
  /// which nobody proposes.
  func isNear(_ node: NodeID, within bytes: Int) -> Bool {
    raft.progress.contains { peer in
      // One that lacks nothing may be probed for ever: there is nothing to send to it.
      peer.id == node && !peer.isDamaged
        && (peer.lagEntries == 0 || peer.state == .replicate && peer.lagBytes <= UInt64(bytes))
    }
  }

  /// Proposes a tick if something is due by the clock: the next expiry or timeout.
  func proposeDue(clock: Stamp) {
    guard hasTakenOver, let deadline = machine.nextDeadline, deadline <= clock else { return }
    var buffer = ByteBuffer(capacity: 64)
    Command.appendTick(to: &buffer, slot: firstSlot)
    addInternal(buffer.bytes)
    isDirty = true
  }

  /// Queries that would ride on no entry, at a moment at which something is due that was not when the last entry was proposed, get one:
  /// they see what is due as booked.
  func passDeadline() {
    guard reads.mayPassDeadlines, let deadline = machine.nextDeadline,
      deadline > max(machine.lastStamp, leading.lastStamp)
    else { return }
    proposeDue(clock: clock.own)
  }

  /// Logs the catalogue's deltas that this shard has not got, a bounded number at a time.
  func proposeCatalogue(from directory: DirectoryMachine) {
    // For one that has ended, and is about to leave, nobody keeps changes.
    guard hasTakenOver, directory.topology?.isOver(shard) != true else { return }
    let has = max(machine.catalogueVersion, leading.catalogueVersion)
    guard has < directory.catalogueVersion else { return }
    guard has >= directory.droppedVersion else {
      // One that began after them has yet to have slots.
      if has == 0, machine.holdings.epoch == 0 { return proposeWholeCatalogue(of: directory) }
      quarantine(
        "it has version \(has) of the catalogue, and the changes after it are no longer kept: it lost what it had applied"
      )
      return
    }
    var buffer = ByteBuffer(capacity: 4096)
    for version in has..<min(directory.catalogueVersion, has + 256) {
      buffer.removeAll()
      directory.deltas[Int(version)].withUnsafeBytes {
        Command.appendCatalogue(to: &buffer, slot: firstSlot, delta: $0)
      }
      guard addInternal(buffer.bytes) else { return }
      leading.catalogueVersion = version + 1
    }
    isDirty = true
  }

  private func proposeWholeCatalogue(of directory: DirectoryMachine) {
    if leading.wholeCatalogue.isEmpty {
      leading.wholeCatalogue = directory.wholeCatalogue[...]
      leading.wholeVersion = directory.catalogueVersion
    }
    var buffer = ByteBuffer(capacity: 4096)
    while let delta = leading.wholeCatalogue.first {
      buffer.removeAll()
      delta.withUnsafeBytes { Command.appendCatalogue(to: &buffer, slot: firstSlot, delta: $0) }
      guard addInternal(buffer.bytes) else { return }
      leading.wholeCatalogue.removeFirst()
    }
    leading.catalogueVersion = leading.wholeVersion
    isDirty = true
  }

  /// The state as of the last applied entry, to be written while entries go on; nil if one is being written
  /// already, or if the state is not to be trusted.
  /// - Parameter isWhole: it must not be changes only.
  func beginSnapshot(isWhole: Bool = false) -> SnapshotOrder? {
    let index = machine.lastIndex
    guard !snapshots.isRunning, quarantined == nil, !applying.isMidEntry, index > LogIndex(0),
      let term = raft.term(at: index)
    else { return nil }
    snapshots.begin(of: machine)
    applying.wantsPause = false
    let metadata = SnapshotMetadata(
      configuration: raft.appliedConfiguration, journalEnd: machine.journal.position,
      lineage: machine.holdings.lineage.map(\.position))
    return SnapshotOrder(
      shard: shard, index: index, term: term, isWhole: isWhole, metadata: metadata.bytes,
      snapshot: machine.beginSnapshot())
  }

  /// The snapshot is durable, or was given up. Returns how far the log may be released: not past `held`.
  func endSnapshot(_ result: SnapshotResult, keepingTail bytes: Int, held: LogIndex?) -> LogIndex? {
    snapshots.end()?.endSnapshot(result.order.snapshot, file: result.failure == nil ? result.file : nil)
    guard result.failure == nil else { return nil }
    return raft.compact(through: min(result.order.index, held ?? result.order.index), keepingTail: bytes)
  }
}
