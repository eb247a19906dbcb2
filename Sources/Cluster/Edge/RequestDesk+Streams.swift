import Base
import Ledger

/// Requests on their way to leaders, and answers on their way back.
extension RequestDesk {
  /// Bytes of requests in one message to a leader.
  static let forwardBytes = 64 << 10

  func stream(_ shard: ShardID) -> EdgeStream { edge.stream(shard) }

  /// Lets every stream that has something send it to its leader, if one is known and within reach. Costs nothing while none has.
  func sendStreams() {
    edge.handOver()
    guard edge.sends.take() else { return }
    for stream in edge.streams where stream.hasUnsent {
      send(stream)
      if stream.hasUnsent { edge.sends.note() }
    }
  }

  private func send(_ stream: EdgeStream) {
    let (target, lost) = edge.target(of: stream, now: now.monotonic) { peers.isReachable($0) }
    giveUp(lost)
    guard let target else { return }
    if target == peers.id {
      guard let replica = replicas[stream.shard] else { return }
      while stream.hasUnsent {
        stream.sendNext(limit: RequestDesk.forwardBytes) { message, count, items in
          receive(replica, edge: 0, epoch: stream.epoch, message: message, count: count, items: items)
        }
      }
    } else if let peer = peers[target] {
      while stream.hasUnsent {
        guard peer.queue.isEmpty && peer.queue.hasRoom(outbox: peer.outbox.count) else {
          return peer.queue.join(requestsOf: stream.shard)
        }
        _ = sendRequests(of: stream, to: peer, limit: RequestDesk.forwardBytes)
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

  /// At each turn's end: what waits for room on a peer's link, as far as there is some.
  func useRoom(of peer: Peer) {
    peers.useRoom(of: peer) { shard, term in
      replicas[shard].map { $0.isLeader && $0.term == term } ?? false
    } requests: { shard in
      sendRequests(of: stream(shard), to: peer, limit: FairTurns<LinkFlow>.quantum)
    }
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
  func lost(_ node: NodeID) {
    giveUp(edge.lost(node))
    replicas.lost(node, edge: peers[node]?.index)
  }

  /// Somebody leads a shard: the highest term counts.
  func noteLeader(_ shard: ShardID, _ node: NodeID, _ term: Term) {
    guard edge.note(leader: node, term, of: shard) else { return }
    if node != .none { replicas.resendAllDeliveries() }
    giveUp(edge.replaced(leaderOf: shard, by: node))
  }

  /// The directory is told which life of this node has its seat, and where it is.
  func announce(_ record: NodeRecord, after predecessor: LifeID) {
    submitInternal(.directory, flags: [.repeatable]) { buffer in
      DirectoryMachine.append(.node, to: &buffer) {
        record.encode(into: &$0)
        predecessor.encode(into: &$0)
      }
    }
  }

  /// The directory is told of nodes that are new to the cluster.
  func announce(newcomers: [NodeRecord]) {
    for record in newcomers {
      submitInternal(.directory, flags: [.repeatable]) { buffer in
        DirectoryMachine.append(.join, to: &buffer) { record.encode(into: &$0) }
      }
    }
  }

  // MARK: Messages

  /// What other edges ask of leaders here, what leaders answer, and who they are.
  func receive(
    _ kind: PeerMessageKind, _ body: UnsafeRawBufferPointer, from peer: Peer
  ) throws(MalformedBytes) {
    var reader = ByteReader(body)
    switch kind {
    case .forward:
      let shard = ShardID(try reader.read())
      let epoch = try reader.read(UInt32.self)
      let message = try reader.read(UInt64.self)
      let count = try reader.read(UInt32.self)
      let items = UnsafeRawBufferPointer(rebasing: body[reader.offset...])
      guard let replica = replicas[shard] else { return refuse(peer, shard, epoch, message) }
      receive(replica, edge: peer.index, epoch: epoch, message: message, count: count, items: items)
    case .results: try answerAll(body)
    case .reject: refused(shard: ShardID(try reader.read()), epoch: try reader.read(), message: try reader.read())
    case .doubt: doubted(shard: ShardID(try reader.read()), epoch: try reader.read())
    case .deliveries: try receiveDeliveries(&reader)
    case .rights: try receiveRights(&reader, of: peer)
    case .status: noteStatus(try NodeStatus(decoding: &reader), of: peer)
    default: break
    }
  }
  /// Nothing of that peer's stream from a message on is taken here.
  private func refuse(_ peer: Peer, _ shard: ShardID, _ epoch: UInt32, _ message: UInt64) {
    peer.say(.reject) {
      $0.append(shard.rawValue)
      $0.append(epoch)
      $0.append(message)
    }
  }

  // MARK: Answers

  /// Answers of this node's own replicas, or of a peer: `(shard:u32 sequence:u64 length:u32 reply)*`.
  func answerAll(_ results: UnsafeRawBufferPointer) throws(MalformedBytes) {
    var reader = ByteReader(results)
    while !reader.isAtEnd {
      let shard = try reader.read(UInt32.self)
      let sequence = try reader.read(UInt64.self)
      let length = try reader.read(UInt32.self)
      let reply = try reader.readBytes(Int(length))
      guard edge.has(ShardID(shard)) else { throw MalformedBytes("an answer of a shard that does not exist") }
      let stream = edge.stream(ShardID(shard))
      if let sequence = stream.recognise(sequence) { answer(stream, sequence, reply) }
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
  func answer(_ stream: EdgeStream, _ sequence: UInt64, _ reply: UnsafeRawBufferPointer) {
    if let tag = reply.first, tag >= ReplyTag.factsWanted.rawValue {
      switch ReplyTag(rawValue: tag) {
      case .moved: return moved(stream, sequence, reply)
      case .elsewhere: return askElsewhere(stream, sequence, reply)
      case .budgetsWanted: return budgetsWanted(stream, sequence, reply)
      default: return factsWanted(stream, sequence)
      }
    }
    guard let item = stream.complete(sequence) else { return }
    if item.inDoubt && RequestDesk.saysNothingHappened(reply) {
      conclude(item, error: .unknown, Edge.lostLeader)
      return
    }
    conclude(item, reply)
  }

  /// A request came to a shard that does not own its slot, and says who does, if it knows.
  private func moved(_ stream: EdgeStream, _ sequence: UInt64, _ reply: UnsafeRawBufferPointer) {
    do {
      let moved = try Moved(decoding: reply)
      if let shard = moved.whereabouts?.shard, shard.rawValue < Edge.shardsMost { makeTables(through: shard) }
      edge.moved(stream, sequence, moved).map(giveUp)
    } catch {
      log(.error, "what shard \(stream.shard.rawValue) says of a slot that moved cannot be read: \(error)")
    }
  }

  /// Another shard has the answer to a query.
  private func askElsewhere(_ stream: EdgeStream, _ sequence: UInt64, _ reply: UnsafeRawBufferPointer) {
    guard let item = stream.complete(sequence) else { return }
    let query = UnsafeRawBufferPointer(rebasing: reply[1...])
    guard let slot = (try? CommandHeader(of: query))?.slot else {
      return conclude(item, error: .unavailable, "where the answer is cannot be read at this node")
    }
    edge.stream(of: slot).append(
      owner: item.owner, flags: item.flags, deadline: now.monotonic + requestTimeout
    ) { $0.append(query) }
  }

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
    guard let item = lost.stream.complete(lost.sequence) else { return }
    conclude(item, error: lost.code, lost.reason)
  }

  /// Requests that nobody answered in time.
  func expire() { giveUp(edge.expired(now: now.monotonic)) }

  /// Answers that were made in the background.
  func deliver(_ answers: [EdgeAnswers]) { for answer in answers { deliver(answer) } }
  private func deliver(_ answers: EdgeAnswers) {
    if answers.edge == 0 {
      do { try answers.results.withUnsafeBytes { try answerAll($0) } } catch {
        log(.error, "own answers cannot be read: \(error)")
      }
    } else if answers.edge == ReplyTo.ownEdge {
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
      let count = EdgeResults.wholeAnswers(of: rest, within: resultsBytes)
      let start = peer.outbox.beginMessage(.results)
      peer.outbox.append(UnsafeRawBufferPointer(rebasing: rest[..<count]))
      peer.outbox.endMessage(start)
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
  }

  // MARK: What a replica of this node says

  /// Answers, refusals, steps of transactions for other shards, and who leads.
  func take(of replica: Replica) {
    takeResults(of: replica)
    takeRefusals(of: replica)
    if !replica.outbox.deliveries.isEmpty {
      for delivery in replica.outbox.deliveries { send(delivery) }
      replica.outbox.deliveries.removeAll(keepingCapacity: true)
    }
    replica.outbox.listedBytes = 0
    if replica.outbox.roleChanged {
      replica.outbox.roleChanged = false
      if replica.leader != .none { noteLeader(replica.shard, replica.leader, replica.term) }
      turn.out.isStatusDue = true
    }
    answerWaitingReads(of: replica)
  }

  /// Its answers, to this node's terminals and to peers'.
  private func takeResults(of replica: Replica) {
    for (edge, results) in replica.outbox.results.enumerated() where !results.buffer.isEmpty {
      if edge == 0 {
        do { try answerAll(results.buffer.bytes) } catch { log(.error, "own answers cannot be read: \(error)") }
      } else {
        send(results: results.buffer.bytes, to: peers[edge])
      }
      results.buffer.removeAll()
      results.buffer.shrink(to: 1 << 20)
    }
  }

  /// What a replica of this node did not take, or gave up.
  private func takeRefusals(of replica: Replica) {
    let refusals = replica.outbox.refusals
    let doubts = replica.outbox.doubts
    replica.outbox.refusals.removeAll(keepingCapacity: true)
    replica.outbox.doubts.removeAll(keepingCapacity: true)
    for refusal in refusals {
      guard refusal.edge != 0 else {
        refused(shard: replica.shard, epoch: refusal.epoch, message: refusal.message)
        continue
      }
      refuse(peers[Int(refusal.edge)], replica.shard, refusal.epoch, refusal.message)
    }
    for doubt in doubts {
      guard doubt.edge != 0 else {
        doubted(shard: replica.shard, epoch: doubt.epoch)
        continue
      }
      peers[Int(doubt.edge)].say(.doubt) {
        $0.append(replica.shard.rawValue)
        $0.append(doubt.epoch)
      }
    }
  }

  // MARK: Deliveries

  /// Brings a step of a transaction to the shard that owns its slot: to its leader, wherever that is.
  func send(_ delivery: Delivery) {
    guard edge.hasSlots else { return }
    let shard = delivery.shard ?? edge.owner(of: delivery.to)
    let leader = edge.leader(of: shard).node
    if leader == peers.id {
      guard let replica = replicas[shard] else { return }
      delivery.command.withUnsafeBytes { _ = replica.addInternal($0, after: delivery.stamp) }
      replica.isDirty = true
    } else if let peer = peers[leader], peer.outgoing != nil {
      peer.say(.deliveries) {
        $0.append(shard.rawValue)
        $0.append(delivery.stamp.microseconds)
        $0.append(delivery.command)
      }
    }
    // Else it is lost here, and sent again until it is acknowledged.
  }

  func receiveDeliveries(_ reader: inout ByteReader) throws(MalformedBytes) {
    let shard = ShardID(try reader.read())
    guard let replica = replicas[shard] else { return }
    while !reader.isAtEnd {
      let stamp = Stamp(microseconds: try reader.read())
      replica.addInternal(try Envelope.next(&reader), after: stamp)
    }
    replica.isDirty = true
  }

  // MARK: Leaders

  /// What a peer tells of what it leads.
  func noteStatus(_ status: NodeStatus, of peer: Peer) {
    let isComplete = peer.leads.apply(status)
    if !isComplete { peer.say(.statusWanted) }
    for led in peer.leads.news(status, isComplete: isComplete, shards: edge.shardCount) {
      noteLeader(led.shard, peer.id, led.term)
      guard edge.note(led, of: peer.id) else { continue }
      if led.shard == .directory && led.hasTakenOver { rights.heard(through: led.commit, now: now.monotonic) }
      // What a clock that is wrong has promised would be believed for as long as it was ahead.
      guard led.closed.microseconds <= now.wall.microseconds &+ ClockGuard.tolerance else { continue }
      replicas[led.shard]?.noteClosed(led.closed, led.closedIndex)
    }
  }

  /// What a leader of this node has reached, as its peers would hear it.
  func noteProgress(of replica: Replica) {
    let isNew = edge.noteProgress(
      of: replica.shard, me: peers.id, catalogueVersion: replica.machine.catalogueVersion, commit: replica.commitIndex,
      applied: replica.machine.lastIndex, hasTakenOver: replica.hasTakenOver)
    if isNew { turn.out.isStatusDue = true }
  }

  /// Whether a shard has a leader, as far as this node can know: of another's leadership it hears ten times a second; its
  /// own ends when no quorum answers, and what it heard last of it is then worth nothing.
  func isLed(_ shard: ShardID) -> Bool {
    let known = edge.leader(of: shard)
    if known.node == peers.id && replicas[shard]?.isLeader != true { return false }
    return known.node != .none && peers.isUp(known.node, now: now) && known.applied > LogIndex(0)
  }
  /// Whether it has a leader that answers.
  func isServed(_ shard: ShardID) -> Bool { isLed(shard) && edge.leader(of: shard).hasTakenOver }
}
