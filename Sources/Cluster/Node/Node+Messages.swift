import Base
import Ledger
import Raft
import Storage

/// What peers say, and what is said to them.
extension Node {
  func receive(
    _ kind: PeerMessageKind, _ body: UnsafeRawBufferPointer, from peer: Peer, on link: LinkID
  ) throws(MalformedBytes) {
    var reader = ByteReader(body)
    switch kind {
    case .hello: break
    case .raft:
      let shard = ShardID(try reader.read())
      var message = try Message(decoding: &reader)
      guard let replica = replica(shard) ?? startNewcomer(shard, for: message) else { return }
      guard admit(&message, replica, from: peer) else { return }
      replica.step(message)
    case .forward:
      let shard = ShardID(try reader.read())
      let epoch = try reader.read(UInt32.self)
      let message = try reader.read(UInt64.self)
      let count = try reader.read(UInt32.self)
      let items = UnsafeRawBufferPointer(rebasing: body[reader.offset...])
      guard let replica = replica(shard) else {
        let start = peer.outbox.beginMessage(.reject)
        peer.outbox.append(shard.rawValue)
        peer.outbox.append(epoch)
        peer.outbox.append(message)
        peer.outbox.endMessage(start)
        return
      }
      receive(replica, edge: peer.index, epoch: epoch, message: message, count: count, items: items)
    case .results:
      try settleAll(body)
    case .reject:
      refused(shard: ShardID(try reader.read()), epoch: try reader.read(), message: try reader.read())
    case .doubt:
      doubted(shard: ShardID(try reader.read()), epoch: try reader.read())
    case .deliveries:
      try receiveDeliveries(&reader)
    case .status:
      noteStatus(try NodeStatus(decoding: &reader), of: peer)
    case .statusWanted:
      peer.needsWholeStatus = true
      out.isStatusDue = true
    case .clock:
      try receiveClock(&reader, of: peer)
    case .disk:
      try receiveDisk(&reader, of: peer)
    case .replaying: try receiveReplaying(&reader, of: peer)
    case .poison: try receivePoisons(&reader, of: peer)
    case .clearPoison: tryPoison(ShardID(try reader.read()))
    case .received: peer.budget.acknowledge(try reader.read(), now: now.monotonic)
    case .bootstrap:
      try bootstrapped(by: peer, &reader)
    case .bootstrapDone:
      bootstrapConfirmed(by: peer)
    case .propose, .promised, .declined, .abandoned, .planAsked: try receiveInit(kind, &reader, from: peer)
    case .acquaintances: try receiveAcquaintances(&reader)
    case .snapshotOffer, .snapshotWant, .snapshotChunk, .journalChunk, .snapshotAck, .snapshotDone:
      try receiveTransfer(kind, &reader, from: peer, on: link)
    case .digest: try receiveDigest(&reader, of: peer)
    case .deviant: try receiveDeviant(&reader, of: peer)
    }
  }

  // MARK: Deliveries

  /// Brings a step of a transaction to the shard that owns its slot: to its leader, wherever that is.
  func send(_ delivery: Delivery) {
    guard edge.hasSlots else { return }
    let shard = edge.shard(of: delivery.to)
    let leader = edge.leader(of: shard).node
    if leader == id {
      guard let replica = replica(shard) else { return }
      delivery.command.withUnsafeBytes { _ = replica.addInternal($0, after: delivery.stamp) }
      replica.isDirty = true
    } else if let peer = peer(leader), peer.outgoing != nil {
      let start = peer.outbox.beginMessage(.deliveries)
      peer.outbox.append(shard.rawValue)
      peer.outbox.append(delivery.stamp.microseconds)
      peer.outbox.append(delivery.command)
      peer.outbox.endMessage(start)
    }
    // Else it is lost here, and sent again until it is settled.
  }

  /// What was lost on its way to a leader that is gone, or over a link that was, need not wait for its turn.
  func resendAllDeliveries() {
    for replica in replicas where replica?.isLeader == true { replica?.resendAllDeliveries() }
  }

  private func receiveDeliveries(_ reader: inout ByteReader) throws(MalformedBytes) {
    let shard = ShardID(try reader.read())
    guard let replica = replica(shard) else { return }
    while !reader.isAtEnd {
      let stamp = Stamp(microseconds: try reader.read())
      replica.addInternal(try Envelope.next(&reader), after: stamp)
    }
    replica.isDirty = true
  }

  // MARK: Status

  func broadcastStatus() {
    out.isStatusDue = false
    var led: [NodeStatus.Led] = []
    var count: UInt32 = 0
    for replica in replicas {
      guard let replica else { continue }
      count += 1
      guard replica.isLeader else { continue }
      led.append(
        NodeStatus.Led(
          shard: replica.shard, term: replica.term, commit: replica.commitIndex, applied: replica.machine.lastIndex,
          catalogueVersion: replica.machine.catalogueVersion, closed: replica.closed.stamp,
          closedIndex: replica.closed.index, hasTakenOver: replica.hasTakenOver))
    }
    let changes = toldStatus.changes(to: led, replicas: count)
    toldStatus.set(led)
    counters.statusRowsTold += UInt64(changes.led.count)
    for peer in peers where peer.index != 0 && peer.outgoing != nil {
      let start = peer.outbox.beginMessage(.status)
      (peer.needsWholeStatus ? LedTable.whole(led, replicas: count) : changes).encode(into: &peer.outbox)
      peer.outbox.endMessage(start)
      peer.needsWholeStatus = false
      sendClock(to: peer)
      sendDisk(to: peer)
      sendPoisons(to: peer)
      sendReplaying(to: peer)
    }
  }

  private func noteStatus(_ status: NodeStatus, of peer: Peer) {
    if !peer.leads.apply(status) {
      let start = peer.outbox.beginMessage(.statusWanted)
      peer.outbox.endMessage(start)
    }
    for led in peer.leads.rows {
      noteLeader(led.shard, peer.id, led.term)
      guard edge.note(led, of: peer.id) else { continue }
      // What a clock that is wrong has promised would be believed for as long as it was ahead.
      guard led.closed.microseconds <= now.wall.microseconds &+ ClockGuard.tolerance else { continue }
      replica(led.shard)?.noteClosed(led.closed, led.closedIndex)
    }
  }
}
