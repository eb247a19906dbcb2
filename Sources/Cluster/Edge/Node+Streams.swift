import Base
import Ledger

/// Requests on their way to leaders, and answers on their way back.
extension Node {
  /// Bytes of requests in one message to a leader.
  static let forwardBytes = 64 << 10

  func stream(_ shard: ShardID) -> EdgeStream { edge.stream(shard) }

  /// Lets every stream that has something send it to its leader, if one is known and within reach.
  func sendStreams() {
    for stream in edge.streams where stream.hasUnsent { send(stream) }
  }

  private func send(_ stream: EdgeStream) {
    let (target, lost) = edge.target(of: stream, now: now.monotonic) { isReachable($0) }
    giveUp(lost)
    guard let target else { return }
    if target == id {
      guard let replica = replica(stream.shard) else { return }
      while stream.hasUnsent {
        stream.sendNext(limit: Node.forwardBytes) { message, count, items in
          receive(replica, edge: 0, epoch: stream.epoch, message: message, count: count, items: items)
        }
      }
    } else if let peer = peer(target) {
      while stream.hasUnsent {
        guard peer.turns.isEmpty && hasRoom(peer) else { return peer.turns.join(.requests(stream.shard)) }
        _ = sendRequests(of: stream, to: peer, limit: Node.forwardBytes)
      }
    }
  }

  /// One message of a stream to its leader, if that is there. Whether there is more.
  func sendRequests(of stream: EdgeStream, to peer: Peer, limit: Int) -> Bool {
    guard stream.target == peer.id, stream.hasUnsent else { return false }
    stream.sendNext(limit: limit) { message, count, items in
      let start = peer.outbox.beginMessage(.forward)
      peer.outbox.append(stream.shard.rawValue)
      peer.outbox.append(stream.epoch)
      peer.outbox.append(message)
      peer.outbox.append(count)
      peer.outbox.append(items)
      peer.outbox.endMessage(start)
      counters.forwarded += UInt64(count)
    }
    return stream.hasUnsent
  }

  func isReachable(_ node: NodeID) -> Bool {
    node == id || peer(node).map { $0.isConnected && $0.isSpeaking } == true
  }

  func receive(
    _ replica: Replica, edge: UInt32, epoch: UInt32, message: UInt64, count: UInt32, items: UnsafeRawBufferPointer
  ) {
    do {
      try replica.receive(edge: edge, epoch: epoch, message: message, count: count, items: items)
    } catch {
      log(.error, "requests of a peer cannot be read shard=\(replica.shard.rawValue): \(error)")
    }
    replica.isDirty = true
  }

  /// A leader refused this node's messages of an epoch, from one on.
  func refused(shard: ShardID, epoch: UInt32, message: UInt64) {
    giveUp(edge.refused(shard, epoch: epoch, from: message, now: now.monotonic))
  }
  /// A leader gave up with requests of this node undecided.
  func doubted(shard: ShardID, epoch: UInt32) { giveUp(edge.refused(shard, epoch: epoch, now: now.monotonic)) }

  /// No answer can come from that node any more: all it was asked is in doubt.
  func lostPeer(_ node: NodeID) {
    peer(node)?.clock.forget()
    giveUp(edge.lost(node))
    for replica in replicas {
      guard let replica else { continue }
      replica.unreachable(node)
      if let index = peerIndex[node] { replica.forget(edge: index) }
    }
  }

  /// Somebody leads a shard: the highest term counts.
  func noteLeader(_ shard: ShardID, _ node: NodeID, _ term: Term) {
    guard edge.note(leader: node, term, of: shard) else { return }
    if node != .none { resendAllDeliveries() }
    giveUp(edge.replaced(leaderOf: shard, by: node))
  }

  // MARK: Answers

  /// Answers of this node's own replicas, or of a peer: `(shard:u32 sequence:u64 length:u32 reply)*`.
  func settleAll(_ results: UnsafeRawBufferPointer) throws(MalformedBytes) {
    var reader = ByteReader(results)
    while !reader.isAtEnd {
      let shard = try reader.read(UInt32.self)
      let sequence = try reader.read(UInt64.self)
      let length = try reader.read(UInt32.self)
      let reply = try reader.readBytes(Int(length))
      guard edge.has(ShardID(shard)) else { throw MalformedBytes("an answer of a shard that does not exist") }
      settle(edge.stream(ShardID(shard)), sequence, reply)
    }
  }

  /// The same for this node's own questions, each of which is known by its continuation.
  private func resumeAll(_ results: UnsafeRawBufferPointer) throws(MalformedBytes) {
    var reader = ByteReader(results)
    while !reader.isAtEnd {
      _ = try reader.read(UInt32.self)
      let continuation = try reader.read(UInt64.self)
      resume(continuation, try reader.readBytes(Int(try reader.read(UInt32.self))))
    }
  }

  @inline(__always)
  func settle(_ stream: EdgeStream, _ sequence: UInt64, _ reply: UnsafeRawBufferPointer) {
    if let tag = reply.first, tag >= ReplyTag.factsWanted.rawValue {
      return tag == ReplyTag.moved.rawValue ? moved(stream, sequence) : factsWanted(stream, sequence)
    }
    guard let item = stream.settle(sequence) else { return }
    if item.inDoubt && Node.saysNothingHappened(reply) {
      conclude(item, error: .unknown, Node.lostLeader)
      return
    }
    conclude(item, reply)
  }

  /// A request came to a shard that does not own its slot, which did nothing. It goes on to the shard that the map has now, as
  /// what it was; where that is the same, the map here is older than the shard.
  private func moved(_ stream: EdgeStream, _ sequence: UInt64) {
    let command = stream.command(of: sequence)
    guard let item = stream.settle(sequence) else { return }
    guard let slot = command.withUnsafeBytes({ try? CommandHeader(of: $0) })?.slot,
      edge.stream(of: slot).shard != stream.shard
    else {
      return conclude(
        item, error: item.inDoubt ? .unknown : .unavailable,
        item.inDoubt ? Node.lostLeader : "its slot has moved to another shard a moment ago; nothing was done")
    }
    edge.stream(of: slot).append(
      owner: item.owner, flags: item.flags, deadline: item.deadline, isInDoubt: item.inDoubt
    ) { $0.append(command) }
  }

  static let lostLeader = "a leader was lost while it had this request; repeat it with the same id"

  /// `BUSY` or `UNAVAILABLE`: true of the last leader asked, not of one that was asked before and lost.
  static func saysNothingHappened(_ reply: UnsafeRawBufferPointer) -> Bool {
    reply.count >= 2 && reply[0] == ReplyTag.error.rawValue
      && (reply[1] == ErrorCode.busy.rawValue || reply[1] == ErrorCode.unavailable.rawValue)
  }

  @inline(__always)
  private func conclude(_ item: EdgeItem, _ reply: UnsafeRawBufferPointer) {
    if item.flags.contains(.continuation) {
      resume(item.owner.slot, reply)
    } else {
      answer(item.owner, reply)
    }
  }

  private func conclude(_ item: EdgeItem, error code: ErrorCode, _ text: String) {
    if code == .unknown { counters.unknowns += 1 } else { counters.unavailables += 1 }
    var writer = ReplyWriter(capacity: 256)
    writer.error(code, text)
    conclude(item, writer.buffer.bytes)
  }

  private func giveUp(_ lost: [Edge.GivenUp]) {
    for request in lost { giveUp(request) }
  }
  private func giveUp(_ lost: Edge.GivenUp) {
    guard let item = lost.stream.settle(lost.sequence) else { return }
    conclude(item, error: lost.code, lost.reason)
  }

  /// Requests that nobody answered in time.
  func expireRequests() { giveUp(edge.expired(now: now.monotonic)) }

  /// Answers to one edge that were made in the background.
  func deliver(_ answers: EdgeAnswers) {
    if answers.edge == 0 {
      do { try answers.results.withUnsafeBytes { try settleAll($0) } } catch {
        log(.error, "own answers cannot be read: \(error)")
      }
    } else if answers.edge == Origin.ownEdge {
      do { try answers.results.withUnsafeBytes { try resumeAll($0) } } catch {
        log(.error, "own answers cannot be read: \(error)")
      }
    } else if Int(answers.edge) < peers.count {
      answers.results.withUnsafeBytes { send(results: $0, to: peers[Int(answers.edge)]) }
    }
  }

  /// Answers for a peer's terminals: whole answers, in messages that fit into a frame.
  private func send(results: UnsafeRawBufferPointer, to peer: Peer) {
    var rest = results
    while !rest.isEmpty {
      let count = EdgeResults.wholeAnswers(of: rest, within: configuration.frameBytes / 2)
      let start = peer.outbox.beginMessage(.results)
      peer.outbox.append(UnsafeRawBufferPointer(rebasing: rest[..<count]))
      peer.outbox.endMessage(start)
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
  }

  // MARK: What a replica's turn produced

  func drain(_ replica: Replica) {
    let shard = replica.shard
    for persist in replica.outbox.persist { logWriter.add(persist, of: shard) }
    replica.outbox.persist.removeAll(keepingCapacity: true)
    for message in replica.outbox.messages { send(message, of: shard) }
    replica.outbox.messages.removeAll(keepingCapacity: true)
    for (position, bytes) in replica.outbox.journal { journal.keep(shard, position, bytes, &out) }
    replica.outbox.journal.removeAll(keepingCapacity: true)
    readJournal(for: replica)
    for (edge, results) in replica.outbox.results.enumerated() where !results.buffer.isEmpty {
      if edge == 0 {
        do { try settleAll(results.buffer.bytes) } catch { log(.error, "own answers cannot be read: \(error)") }
      } else {
        send(results: results.buffer.bytes, to: peers[edge])
      }
      results.buffer.removeAll()
      results.buffer.shrink(to: 1 << 20)
    }
    drainRefusals(replica)
    if !replica.outbox.deliveries.isEmpty {
      for delivery in replica.outbox.deliveries { send(delivery) }
      replica.outbox.deliveries.removeAll(keepingCapacity: true)
    }
    replica.outbox.listedBytes = 0
    for marker in replica.outbox.markers { noteDigest(replica, marker) }
    replica.outbox.markers.removeAll(keepingCapacity: true)
    for need in replica.outbox.snapshotsNeeded { startTransfer(of: replica, to: need) }
    replica.outbox.snapshotsNeeded.removeAll(keepingCapacity: true)
    for alarm in replica.outbox.alarms { log(.error, alarm) }
    replica.outbox.alarms.removeAll(keepingCapacity: true)
    if replica.outbox.isRepaired {
      replica.outbox.isRepaired = false
      log(.warning, "shard \(shard.rawValue) is repaired: its peers have supplied what was lost")
    }
    if replica.outbox.roleChanged {
      replica.outbox.roleChanged = false
      if replica.leader != .none { noteLeader(shard, replica.leader, replica.term) }
      out.isStatusDue = true
    }
    answerWaitingReads(of: replica)
    if shard == .directory { directoryApplied() }
    if replica.isLeader { noteProgress(of: replica) }
    if replica.outbox.isSucceeded { retire(replica) }
  }

  // MARK: The journal

  /// Queries that the journal answers, and requests that came before: many of them in one job, as many as came together.
  private func readJournal(for replica: Replica) {
    if replica.outbox.queries.isEmpty && replica.outbox.repeats.isEmpty { return }
    let shard = replica.shard
    let queries = journal.admitted(replica.outbox.queries) { origin in
      var refusal = ReplyWriter(capacity: 128)
      refusal.error(.busy, JournalDesk.tooMuch)
      replica.outbox.result(shard, origin, refusal.buffer.bytes)
    }
    replica.outbox.queries.removeAll(keepingCapacity: true)
    // What waits here must be written first, if any of it is asked for.
    if let start = journal.start(of: shard),
      !queries.isEmpty || replica.outbox.repeats.contains(where: { !$0.position.isBefore(start) })
    {
      journal.write(shard, &out)
    }
    var repeats: [OriginQuery] = []
    for (origin, position) in replica.outbox.repeats {
      if let query = replica.machine.firstAnswer(at: position) { repeats.append((origin, query)) }
    }
    replica.outbox.repeats.removeAll(keepingCapacity: true)
    journal.submit(repeats: repeats, of: shard, &out)
    journal.submit(walks: queries, of: shard, &out)
  }
  func journalAnswered(_ found: JournalAnswers) {
    journal.answered(found)
    for answer in found.answers { deliver(answer) }
    journal.submit(walks: found.unfinished, of: found.shard, &out)
  }

  private func drainRefusals(_ replica: Replica) {
    let refusals = replica.outbox.refusals
    let doubts = replica.outbox.doubts
    replica.outbox.refusals.removeAll(keepingCapacity: true)
    replica.outbox.doubts.removeAll(keepingCapacity: true)
    for refusal in refusals {
      guard refusal.edge != 0 else {
        refused(shard: replica.shard, epoch: refusal.epoch, message: refusal.message)
        continue
      }
      let peer = peers[Int(refusal.edge)]
      let start = peer.outbox.beginMessage(.reject)
      peer.outbox.append(replica.shard.rawValue)
      peer.outbox.append(refusal.epoch)
      peer.outbox.append(refusal.message)
      peer.outbox.endMessage(start)
    }
    for doubt in doubts {
      guard doubt.edge != 0 else {
        doubted(shard: replica.shard, epoch: doubt.epoch)
        continue
      }
      let peer = peers[Int(doubt.edge)]
      let start = peer.outbox.beginMessage(.doubt)
      peer.outbox.append(replica.shard.rawValue)
      peer.outbox.append(doubt.epoch)
      peer.outbox.endMessage(start)
    }
  }

  /// What a leader of this node has reached, as its peers would hear it.
  private func noteProgress(of replica: Replica) {
    let isNew = edge.noteProgress(
      of: replica.shard, me: id, catalogueVersion: replica.machine.catalogueVersion, commit: replica.commitIndex,
      applied: replica.machine.lastIndex, hasTakenOver: replica.hasTakenOver)
    if isNew { out.isStatusDue = true }
  }
}
