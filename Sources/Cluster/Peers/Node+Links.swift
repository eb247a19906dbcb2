import Base
import Protocol

/// Links between nodes. Each node dials every other one and speaks on the link that it opened; on the one that the other
/// opened it listens. A link begins with a greeting (`Node+Greeting`); from then on every frame must come from that node,
/// in its present incarnation and of the same cluster.
extension Node {
  static let redialLimit: UInt64 = 1_000_000
  /// A link that has not been greeted for so long leads nowhere: nothing more is sent on it before that, so TCP would
  /// never notice that the other machine is gone. Many round trips, in microseconds.
  static let greetingLimit: UInt64 = 5_000_000
  /// So long after the last word that a peer has heard of us, our link to it counts as stuck. Heartbeats go ten times a
  /// second, and the slowest links that are of use take some hundred milliseconds.
  static let unheardLimit: UInt64 = 4_000_000

  var header: FrameHeader {
    FrameHeader(
      kind: FrameKind.messages.rawValue, cluster: cluster, sender: id, incarnation: incarnation,
      configVersion: topology?.version ?? 0)
  }

  func retryDials() {
    for dial in dials {
      if let link = dial.link, links[link]?.greeting?.isProven == false,
        now.monotonic - dial.openedAt > Node.greetingLimit
      {
        closeLink(link, because: "nobody greeted at \(dial.address)")
      }
    }
    for i in dials.indices {
      guard !dials[i].isFutile, dials[i].request == nil, dials[i].link == nil, now.monotonic >= dials[i].nextAttempt
      else { continue }
      dials[i].request = openLink(dials[i].address, bulk: false)
    }
  }

  /// Whoever connects says who it is; a connection that leads nowhere would be kept for ever.
  func closeStrangers() {
    for link in strangers where now.monotonic - link.openedAt > Node.greetingLimit {
      turnAway(link.id, "whoever opened it has not proved who it is")
    }
  }
  /// The oldest first.
  private var strangers: [Link] {
    links.values.filter(\.isStrange).sorted { ($0.openedAt, $0.id.rawValue) < ($1.openedAt, $1.id.rawValue) }
  }

  /// Closes a link to somebody who is nobody here. Strangers may be many: they are counted, and told of now and then.
  func turnAway(_ id: LinkID, _ reason: String) {
    counters.strangersTurnedAway += 1
    if toldOfStrangers.map({ now.monotonic - $0 >= Node.alarmInterval }) ?? true {
      toldOfStrangers = now.monotonic
      log(.warning, "link closed: \(reason) strangers_turned_away=\(counters.strangersTurnedAway)")
    }
    out.closeLinks.append(id)
    dropped(id)
  }

  /// Keeps a link to an address from now on.
  func dial(_ address: String) {
    guard address != configuration.peerAddress else { return }
    if let i = dials.firstIndex(where: { $0.address == address }) {
      // It was found to be another name of somebody, or is waiting for its next attempt: the peer is there now.
      if dials[i].link == nil && dials[i].request == nil && !dials[i].isFutile { dials[i].nextAttempt = 0 }
      return
    }
    dials.append(Dial(address: address))
  }
  /// A peer is there no more; whether somebody else is, the operator's list says.
  func forgetDial(_ address: String) {
    guard let i = dials.firstIndex(where: { $0.address == address }), !configuration.join.contains(address) else {
      return
    }
    if let link = dials[i].link {
      out.closeLinks.append(link)
      dropped(link)
    }
    dials.removeAll { $0.address == address }
  }

  public func linkOpened(_ id: LinkID, request: UInt64?, now: Moment) {
    self.now = now
    var link = Link(id: id, openedAt: now.monotonic)
    if let request {
      if let i = dials.firstIndex(where: { $0.request == request }) {
        dials[i].request = nil
        dials[i].link = id
        dials[i].openedAt = now.monotonic
        link.dialled = dials[i].address
      } else if sender.linkOpened(id, request: request) {
        link.bulk = true
      } else {
        out.closeLinks.append(id)
        return
      }
      links[id] = link
      sendHello(on: id, bulk: link.bulk)
    } else {
      links[id] = link
      let strangers = strangers
      if strangers.count > Node.strangersMax {
        turnAway(strangers[0].id, "too many have opened one and not proved who they are")
      }
    }
  }

  public func linkFailed(request: UInt64, now: Moment) {
    self.now = now
    guard let i = dials.firstIndex(where: { $0.request == request }) else {
      transferLinkFailed(request: request)
      return
    }
    dials[i].request = nil
    backOff(i)
    suspect(dials[i].address)
  }

  /// Nobody answers at a peer's address, and its links are gone: what it led needs another leader, and those who followed
  /// it need not wait until they miss its heartbeats.
  private func suspect(_ address: String) {
    guard seat.isTaken, let peer = peers.first(where: { $0.index != 0 && $0.hello.peerAddress == address }),
      peer.outgoing == nil, peer.incoming == nil
    else { return }
    for replica in replicas {
      if let replica, replica.leader == peer.id { replica.campaign() }
    }
  }

  private func backOff(_ i: Int) {
    dials[i].nextAttempt = now.monotonic + dials[i].backoff
    dials[i].backoff = min(dials[i].backoff * 2, Node.redialLimit)
  }

  public func linkClosed(_ id: LinkID, now: Moment) {
    self.now = now
    dropped(id)
  }

  func dropped(_ id: LinkID) {
    guard let link = links.removeValue(forKey: id) else { return }
    if let i = dials.firstIndex(where: { $0.link == id }) {
      dials[i].link = nil
      backOff(i)
    }
    transferLinkClosed(id)
    guard let number = link.peer else { return }
    let peer = peers[Int(number)]
    guard peer.outgoing == id || peer.incoming == id else { return }
    let was = peer.isConnected
    if peer.outgoing == id {
      peer.outgoing = nil
      peer.forgetWaiting()
      // Another address may have led to it as well, and be the only one that still does.
      if let i = dials.firstIndex(where: { $0.address == peer.hello.peerAddress }) { dials[i].isFutile = false }
    }
    if peer.incoming == id { peer.incoming = nil }
    lostPeer(peer.id)
    if was { log(.info, "link lost node=\(peer.hello.name)") }
  }

  func closeLink(_ id: LinkID, because reason: String) {
    log(.warning, "link closed: \(reason)")
    out.closeLinks.append(id)
    dropped(id)
  }

  public func linkDrained(_ id: LinkID, now: Moment) {
    self.now = now
    transferDrained(id)
  }

  // MARK: Frames

  func sendFrame(to peer: Peer) {
    guard let link = peer.outgoing else {
      peer.outbox.removeAll()
      return
    }
    tellReceived(to: peer)
    var rest = peer.outbox.bytes
    while !rest.isEmpty {
      let count = PeerMessageKind.wholeMessages(of: rest, within: configuration.frameBytes)
      guard count <= FrameHeader.maximumBodyBytes else {
        // Whoever waits for it hears that nothing came in time. Nothing here makes one: each kind has its bound.
        log(.error, "a message of \(count) bytes to \(peer.hello.name) is longer than a frame and was left out")
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        continue
      }
      var frame = ByteBuffer(capacity: count + FrameHeader.byteCount)
      let mark = header.begin(&frame)
      frame.append(UnsafeRawBufferPointer(rebasing: rest[..<count]))
      FrameHeader.finish(mark, in: &frame)
      peer.budget.sends(frame.count, now: now.monotonic)
      out.linkBytes.append((link, frame.array))
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
    peer.outbox.removeAll()
    peer.outbox.shrink(to: 4 << 20)
  }

  public func linkReceived(_ id: LinkID, _ bytes: UnsafeRawBufferPointer, now: Moment) -> Int {
    self.now = now
    var offset = 0
    while offset < bytes.count {
      guard links[id] != nil else { return bytes.count }
      switch FrameHeader.decode(UnsafeRawBufferPointer(rebasing: bytes[offset...])) {
      case .incomplete(let needed):
        guard needed > Node.greetingBytes + FrameHeader.byteCount, isStrange(id) else { return offset }
        turnAway(id, "a greeting of \(needed) bytes")
        return bytes.count
      case .bad(let reason):
        if isStrange(id) { turnAway(id, reason) } else { closeLink(id, because: reason) }
        return bytes.count
      case .frame(let header, let body, let consumed):
        offset += consumed
        noteReceived(consumed, header, on: id)
        do {
          try receive(header, body, on: id)
        } catch {
          let reason = "a frame of \(peer(header.sender)?.hello.name ?? "a stranger") is malformed: \(error)"
          if isStrange(id) { turnAway(id, reason) } else { closeLink(id, because: reason) }
          return bytes.count
        }
      }
    }
    return offset
  }
  private func isStrange(_ id: LinkID) -> Bool { links[id]?.isStrange == true }

  private func noteReceived(_ count: Int, _ header: FrameHeader, on id: LinkID) {
    guard header.kind == FrameKind.messages.rawValue, let number = links[id]?.peer,
      peers[Int(number)].incoming == id
    else { return }
    peers[Int(number)].received += UInt64(count)
  }

  private func receive(_ header: FrameHeader, _ body: UnsafeRawBufferPointer, on id: LinkID) throws(MalformedBytes) {
    guard let link = links[id] else { return }
    guard header.cluster == 0 || cluster == 0 || header.cluster == cluster else {
      return turnAway(id, "node \(Node.hex(header.sender.rawValue)) belongs to another cluster; it was refused")
    }
    let kind = FrameKind(rawValue: header.kind)
    guard let number = link.peer else {
      guard let kind, kind != .messages, body.count <= Node.greetingBytes else {
        return turnAway(id, "a frame came before a greeting")
      }
      return try receiveGreeting(kind, header, body, on: link)
    }
    let peer = peers[Int(number)]
    if kind == .verdict {
      var reader = ByteReader(body)
      return try receiveVerdict(&reader, of: peer.id, on: link)
    }
    // A seat may be announced after it was taken for granted.
    if kind == .seated { return }
    guard kind == .messages, peer.id == header.sender, peer.incarnation == header.incarnation else {
      closeLink(id, because: "a frame came before a greeting, or from somebody else")
      return
    }
    peer.lastHeard = now.monotonic
    peer.cluster = header.cluster
    if peer.incoming == id { peer.isSpeaking = true }
    let mayAll = cluster == 0 || peer.isMember
    var reader = ByteReader(body)
    while !reader.isAtEnd {
      guard let kind = PeerMessageKind(rawValue: try reader.read()) else {
        throw MalformedBytes("a message of an unknown kind")
      }
      let length = try reader.read(UInt32.self)
      let message = try reader.readBytes(Int(length))
      if mayAll || kind.isOfStrangers { try receive(kind, message, from: peer, on: id) }
    }
  }

  func establish(outgoing link: Link, _ peer: Peer) {
    if let i = dials.firstIndex(where: { $0.link == link.id }) { dials[i].backoff = 50_000 }
    if let old = peer.outgoing, old != link.id {
      // Two addresses lead to one node: one link is enough.
      if let i = dials.firstIndex(where: { $0.link == link.id }) { dials[i].isFutile = true }
      out.closeLinks.append(link.id)
      dropped(link.id)
      return
    }
    peer.outgoing = link.id
    peer.forgetWaiting()
    peer.needsWholeStatus = true
    resendAllDeliveries()
    log(.info, "linked node=\(peer.hello.name) region=\(peer.hello.region) address=\(peer.hello.peerAddress)")
  }

  func establish(incoming link: Link, _ peer: Peer) {
    if let old = peer.incoming, old != link.id {
      // The peer gave its link up before we noticed: what it last said on it may be lost.
      out.closeLinks.append(old)
      links[old] = nil
      lostPeer(peer.id)
    }
    peer.incoming = link.id
    peer.received = 0
    peer.receivedTold = 0
    peer.isSpeaking = false
    // It may have been another's address before.
    if peer.outgoing == nil, let i = dials.firstIndex(where: { $0.address == peer.hello.peerAddress }) {
      dials[i].isFutile = false
    }
    dial(peer.hello.peerAddress)
  }

  func addPeer(_ hello: Hello) -> Peer {
    let peer = Peer(id: hello.node, index: UInt32(peers.count), hello: hello)
    peer.isMember = isMember(peer.id)
    peers.append(peer)
    peerIndex[hello.node] = peer.index
    return peer
  }
}
