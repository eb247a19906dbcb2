import Base
import Protocol

/// Links between nodes. Each node dials every other one and speaks on the link that it opened; on the one that the other
/// opened it listens. A link begins with a `Hello` in both directions; from then on every frame must come from that node,
/// in its present incarnation and of the same cluster.
extension Node {
  /// What a frame is, beside its messages.
  enum FrameKind: UInt8 {
    case hello = 1
    case messages = 2
  }
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
      if let link = dial.link, links[link]?.peer == nil, now.monotonic - dial.openedAt > Node.greetingLimit {
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
    let strangers = links.values.filter { $0.peer == nil && $0.dialled == nil && !$0.bulk }
    for link in strangers.sorted(by: { $0.id.rawValue < $1.id.rawValue })
    where now.monotonic - link.openedAt > Node.greetingLimit {
      closeLink(link.id, because: "whoever opened it has not said who it is")
    }
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

  public func linkOpened(_ id: LinkID, request: UInt64?, now: Moment) {
    self.now = now
    var link = Link(id: id, openedAt: now.monotonic)
    if let request {
      if let i = dials.firstIndex(where: { $0.request == request }) {
        dials[i].request = nil
        dials[i].link = id
        dials[i].openedAt = now.monotonic
        link.dialled = dials[i].address
      } else if transferLinkOpened(id, request: request) {
        link.bulk = true
      } else {
        closeLinks.append(id)
        return
      }
      sendHello(on: id, bulk: link.bulk)
    }
    links[id] = link
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
    guard let peer = peers.first(where: { $0.index != 0 && $0.hello.peerAddress == address }),
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

  private func dropped(_ id: LinkID) {
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
    }
    if peer.incoming == id { peer.incoming = nil }
    lostPeer(peer.id)
    if was { log(.info, "link lost node=\(peer.hello.name)") }
  }

  func closeLink(_ id: LinkID, because reason: String) {
    log(.warning, "link closed: \(reason)")
    closeLinks.append(id)
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
      linkBytes.append((link, frame.array))
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
    peer.outbox.removeAll()
    peer.outbox.shrink(to: 4 << 20)
  }

  private func sendHello(on link: LinkID, bulk: Bool) {
    var me = peers[0].hello
    me.isBulk = bulk
    me.cluster = cluster
    var helloHeader = header
    helloHeader.kind = FrameKind.hello.rawValue
    var frame = ByteBuffer(capacity: 512)
    let mark = helloHeader.begin(&frame)
    me.encode(into: &frame)
    FrameHeader.finish(mark, in: &frame)
    linkBytes.append((link, frame.array))
  }

  public func linkReceived(_ id: LinkID, _ bytes: UnsafeRawBufferPointer, now: Moment) -> Int {
    self.now = now
    var offset = 0
    while offset < bytes.count {
      guard links[id] != nil else { return bytes.count }
      switch FrameHeader.decode(UnsafeRawBufferPointer(rebasing: bytes[offset...])) {
      case .incomplete:
        return offset
      case .bad(let reason):
        closeLink(id, because: reason)
        return bytes.count
      case .frame(let header, let body, let consumed):
        offset += consumed
        noteReceived(consumed, header, on: id)
        do {
          try receive(header, body, on: id)
        } catch {
          closeLink(id, because: "a frame of \(peer(header.sender)?.hello.name ?? "a stranger") is malformed: \(error)")
          return bytes.count
        }
      }
    }
    return offset
  }

  private func noteReceived(_ count: Int, _ header: FrameHeader, on id: LinkID) {
    guard header.kind == FrameKind.messages.rawValue, let number = links[id]?.peer,
      peers[Int(number)].incoming == id
    else { return }
    peers[Int(number)].received += UInt64(count)
  }

  private func receive(_ header: FrameHeader, _ body: UnsafeRawBufferPointer, on id: LinkID) throws(MalformedBytes) {
    guard header.cluster == 0 || cluster == 0 || header.cluster == cluster else {
      closeLink(id, because: "node \(header.sender.rawValue) belongs to another cluster; it was refused")
      return
    }
    guard let link = links[id] else { return }
    if header.kind == FrameKind.hello.rawValue {
      var reader = ByteReader(body)
      greeted(try Hello(decoding: &reader), header, link)
      return
    }
    guard let number = link.peer, peers[Int(number)].id == header.sender,
      peers[Int(number)].incarnation == header.incarnation
    else {
      closeLink(id, because: "a frame came before a greeting, or from somebody else")
      return
    }
    let peer = peers[Int(number)]
    peer.lastHeard = now.monotonic
    if peer.incoming == id { peer.isSpeaking = true }
    var reader = ByteReader(body)
    while !reader.isAtEnd {
      guard let kind = PeerMessageKind(rawValue: try reader.read()) else {
        throw MalformedBytes("a message of an unknown kind")
      }
      let length = try reader.read(UInt32.self)
      try receive(kind, try reader.readBytes(Int(length)), from: peer, on: id)
    }
  }

  private func greeted(_ hello: Hello, _ header: FrameHeader, _ greeting: Link) {
    var link = greeting
    guard hello.node == header.sender else {
      closeLink(link.id, because: "a greeting in another's name")
      return
    }
    guard hello.node != id else {
      // One of the addresses to join is our own.
      if let i = dials.firstIndex(where: { $0.link == link.id }) { dials[i].isFutile = true }
      closeLinks.append(link.id)
      dropped(link.id)
      return
    }
    let peer = self.peer(hello.node) ?? addPeer(hello)
    if peer.incarnation != header.incarnation {
      if header.incarnation < peer.incarnation {
        closeLink(link.id, because: "a greeting of an earlier life of \(hello.name)")
        return
      }
      if peer.incarnation != 0 {
        lostPeer(peer.id)
        endTransfers(to: peer.id, but: link.id)
      }
      peer.incarnation = header.incarnation
      for replica in replicas { replica?.forget(edge: peer.index) }
    }
    peer.hello = hello
    peer.lastHeard = now.monotonic
    link.peer = peer.index
    links[link.id] = link
    if link.dialled != nil {
      establish(outgoing: link, peer)
    } else if link.bulk {
      transferLinkReady(link.id)
    } else {
      sendHello(on: link.id, bulk: hello.isBulk)
      if !hello.isBulk { establish(incoming: link, peer) }
    }
    if hello.cluster == 0 && cluster != 0 { offerBootstrap(to: peer) }
    if peer.isConnected { statusDue = true }
  }

  private func establish(outgoing link: Link, _ peer: Peer) {
    if let i = dials.firstIndex(where: { $0.link == link.id }) { dials[i].backoff = 50_000 }
    if let old = peer.outgoing, old != link.id {
      // Two addresses lead to one node: one link is enough.
      if let i = dials.firstIndex(where: { $0.link == link.id }) { dials[i].isFutile = true }
      closeLinks.append(link.id)
      dropped(link.id)
      return
    }
    peer.outgoing = link.id
    peer.forgetWaiting()
    peer.needsWholeStatus = true
    resendAllDeliveries()
    log(.info, "linked node=\(peer.hello.name) region=\(peer.hello.region) address=\(peer.hello.peerAddress)")
  }

  private func establish(incoming link: Link, _ peer: Peer) {
    if let old = peer.incoming, old != link.id {
      // The peer gave its link up before we noticed: what it last said on it may be lost.
      closeLinks.append(old)
      links[old] = nil
      lostPeer(peer.id)
    }
    peer.incoming = link.id
    peer.received = 0
    peer.receivedTold = 0
    peer.isSpeaking = false
    dial(peer.hello.peerAddress)
  }

  func addPeer(_ hello: Hello) -> Peer {
    let peer = Peer(id: hello.node, index: UInt32(peers.count), hello: hello)
    peers.append(peer)
    peerIndex[hello.node] = peer.index
    return peer
  }
}
