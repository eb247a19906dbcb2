import Base
import Ledger
import Protocol
import Raft

/// Events from the shell: each goes to whom it concerns.
extension Node {
  @inline(__always) func at(_ now: Moment) -> Node {
    turn.now = now
    return self
  }
  public func clientsLimited(to limit: Int, now: Moment) { at(now).requests.clients.places.setLimit(limit) }
  public func clientOpened(_ id: ClientID, from place: String, now: Moment) { at(now).requests.opened(id, from: place) }
  public func clientCertified(_ id: ClientID, as user: String, now: Moment) { at(now).requests.signIn(id, by: user) }
  public func clientReceived(_ id: ClientID, _ bytes: UnsafeRawBufferPointer, now: Moment) -> Int {
    at(now).requests.received(id, bytes, OwnAnswers(node: self))
  }
  public func clientEnded(_ id: ClientID, now: Moment) { at(now).requests.ended(id) }
  public func clientClosed(_ id: ClientID, now: Moment) { at(now).requests.closed(id) }
  public func isIdle(_ id: ClientID) -> Bool { requests.isIdle(id) }
  public func asked(_ question: OwnQuestion, by id: ClientID, now: Moment) { at(now).requests.asked(question, by: id) }
  public func figures(now: Moment) -> Figures { Gauges.figures(of: at(now)) }

  public func linkOpened(_ id: LinkID, request: UInt64?, now: Moment) {
    turn.now = now
    let isBulk = request.map { snapshots.linkOpened(id, request: $0) } ?? false
    links.opened(id, request: request, isBulk: isBulk)
    carryOver()
  }
  public func linkFailed(request: UInt64, now: Moment) {
    if !at(now).links.failed(request) { snapshots.linkFailed(request: request) }
    carryOver()
  }
  public func linkClosed(_ id: LinkID, now: Moment) {
    at(now).links.dropped(id)
    carryOver()
  }
  public func linkDrained(_ id: LinkID, now: Moment) { at(now).snapshots.linkDrained(id) }
  public func linkReceived(_ id: LinkID, _ bytes: UnsafeRawBufferPointer, now: Moment) -> Int {
    turn.now = now
    var offset = 0
    while offset < bytes.count {
      switch links.receive(UnsafeRawBufferPointer(rebasing: bytes[offset...]), on: id) {
      case .incomplete: return offset
      case .closed: offset = bytes.count
      case .taken(let count): offset += count
      case .messages(let count, var messages, let peer):
        offset += count
        do {
          while let (kind, body) = try messages.next() { try receive(kind, body, from: peer, on: id) }
        } catch {
          links.refuse(id, malformed: error, peer.id)
        }
      }
      carryOver()
    }
    return offset
  }

  private func receive(
    _ kind: PeerMessageKind, _ body: UnsafeRawBufferPointer, from peer: Peer, on link: LinkID
  ) throws(MalformedBytes) {
    var reader = ByteReader(body)
    switch kind {
    case .hello: break
    case .raft, .beat, .heartbeats: try GroupMessages(node: self, peer: peer).receive(kind, &reader)
    case .forward, .results, .reject, .doubt, .deliveries, .status, .rights:
      try requests.receive(kind, body, from: peer)
    case .statusWanted: status.isWanted(by: peer)
    case .clock: links.endUnheard(to: peer, heard: try peer.receiveClock(&reader, now: turn.now))
    case .condition: if try status.receiveCondition(&reader, of: peer) { health.judgeShedding() }
    case .clearPoison:
      shards.tryPoison(ShardID(try reader.read()))
      health.judgeLeadership()
    case .received: peer.queue.budget.acknowledge(try reader.read(), now: turn.now.monotonic)
    case .bootstrap, .bootstrapDone, .propose, .promised, .declined, .abandoned, .planAsked, .acquaintances:
      try beginning.receive(kind, &reader, from: peer, mayBegin: replicas[.directory] == nil)
    case .backupArm, .backupArmed, .backupFrozen, .backupRead, .backupPiece:
      try snapshots.backups.receive(kind, &reader, from: peer, on: link)
    case .digest, .deviant, .group, .membershipAsked, .notAMember, .stranded, .recoverDirectory, .acceptLoss:
      try shards.receive(kind, &reader, of: peer)
    default: try snapshots.receive(kind, &reader, of: peer, on: link)
    }
    carryOver()
  }

  public func stop(now: Moment) { at(now).health.stop() }
  public func measured(_ gauges: ShellGauges, now: Moment) {
    at(now).status.gauges = gauges
    health.measured(gauges)
  }
  public func memoryMeasured(_ usage: MemoryUsage, now: Moment) {
    at(now).requests.edge.bound(memory: usage.limit)
    health.memoryMeasured(usage)
  }
  /// What of so many bytes that the process uses counts: see `MemoryHealth`.
  public func memoryCounted(ofUsed used: UInt64) -> UInt64 {
    MemoryHealth.counted(ofUsed: used, spare: replicas.spareBytes)
  }

  public func completed(_ completion: Completion, now: Moment) {
    turn.now = now
    switch completion {
    case .logged(let number, let acks, let isRewriting):
      health.batchWritten(isRewriting: isRewriting)
      beginning.durable(through: number)
      shards.absent.written(through: number)
      carryOver()
      for ack in acks { replicas[ack.shard]?.persisted(ack.sequence) }
    case .logRefused(let batch, let error): health.batchRefused(batch, error)
    case .measured(let gauges):
      health.measured(gauges)
      if snapshots.bound(gauges.log, drain: { drain($0) }) { health.judgeShedding() }
    case .answered(let answers): requests.deliver(health.answered(answers))
    case .journalRotten(let answers, let reason, let transfer):
      requests.deliver(health.answered(answers))
      health.journalIsRotten(answers.shard, reason)
      if let transfer { snapshots.advanced(.failed(transfer, reason)) }
    case .archived(let result): health.archived(result)
    case .journalKept(let count, let completion):
      health.disk.journal.written(count)
      completed(completion, now: now)
    case .journalSynced(let result):
      if snapshots.journalIsSynced(for: result) { takeNextSnapshot() }
    case .snapshotWritten(let result):
      snapshots.written(result)
      takeNextSnapshot()
    case .journalClosed(let shard, let failure): shards.journalClosed(shard, failure: failure)
    case .clearedAway(let shard, let failure): shards.clearedAway(shard, failure: failure)
    case .transferred(let step): snapshots.advanced(step)
    case .seatKept:
      links.seatKept()
      carryOver()
      announceSelf()
    case .secret(let result): requests.secretDone(result)
    case .promiseKept: beginning.promiseKept()
    case .settingsKept(let failure): OwnAnswers(node: self).settingsKept(failure)
    case .seatWaits: links.seat.waits()
    case .promiseWaits: beginning.promise.waits()
    case .nothing: break
    case .failed(let what): turn.out.log(.error, what)
    case .broken(let what): turn.out.end(1, what)
    case .recovered(let what): turn.out.log(.info, what)
    }
    carryOver()
  }
}
